"""A lake in a temporary folder, and the shipped policy."""

from pathlib import Path

import pytest

from extractor.governance.policy import load_policy
from extractor.lake.store import Lake
from extractor.lake.verify import verify
from tests.lake.factory import settings


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"), settings())


@pytest.fixture
def policy():
    return load_policy(Path(__file__).parents[2] / "configs" / "policy.yaml")


@pytest.fixture
def findings(policy):
    def check(lake):
        report = verify(lake, class_order=policy.classes, scope_order=policy.consent_scopes)
        return {(finding.check, finding.table): finding.count for finding in report.findings}

    return check
