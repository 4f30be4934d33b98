"""The invented pack, built once."""

import pytest

from tests.knowledge import made


@pytest.fixture(scope="session")
def pack(tmp_path_factory):
    return made.pack(tmp_path_factory.mktemp("knowledge"))


@pytest.fixture(scope="session")
def base(pack):
    from extractor.knowledge.base import KnowledgeBase

    return KnowledgeBase(pack)
