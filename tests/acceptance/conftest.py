"""Tiny models and a lake."""

from pathlib import Path

import pytest

from extractor.governance.policy import load_policy
from extractor.lake.store import Lake
from tests.acceptance import made
from tests.lake.factory import settings


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    return made.models(tmp_path_factory.getbasetemp())


@pytest.fixture
def installed(trained, tmp_path, monkeypatch):
    yield made.install(monkeypatch, trained, tmp_path / "models")
    made.forget()


@pytest.fixture
def bare_models(tmp_path, monkeypatch):
    yield made.install(monkeypatch, None, tmp_path / "models")
    made.forget()


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"), settings())


@pytest.fixture(scope="session")
def policy():
    return load_policy(Path(__file__).parents[2] / "configs" / "policy.yaml")


@pytest.fixture
def steward(policy):
    return policy.access("steward")
