"""Identifiers are compared by what they mean, not by how they are written."""

import pytest

from extractor.evaluation.concepts import concept_of, concepts_of, is_one_of
from extractor.records import Code


def code(system, value):
    return Code(system=system, code=value, display="", vocabulary_version="made/1")


@pytest.mark.parametrize(
    ("written", "system", "value"),
    [
        ("MESH:D014262", "MESH", "D014262"),
        ("D014262", "MeSH", "D014262"),
        ("MESH:D014262", "MSH", "MESH:D014262"),
        ("OMIM:203500", "MIM", "203500"),
        ("OMIM:#203500", "OMIM", "203500"),
        ("MESH:D1|MESH:D2", "MESH", "D2"),
        ("MESH:D1|D2", "MESH", "D2"),
        ("MESH:D004829+MESH:D003294", "MESH", "D003294"),
        ("D001943,D010051", "MESH", "D010051"),
        ("6528", "NCBIGENE", "6528"),
        ("HP:0001250", "HPO", "HP:0001250"),
        ("c|SUB|A|12|T", "HGVS", "c|SUB|A|12|T"),
    ],
)
def test_the_same_concept_written_differently_is_the_same(written, system, value):
    assert is_one_of(concept_of(code(system, value)), concepts_of(written))


@pytest.mark.parametrize(
    ("written", "system", "value"),
    [("MESH:D014262", "MESH", "D014263"), ("OMIM:203500", "MESH", "203500"), ("D014262", "OMIM", "D014262")],
)
def test_another_code_or_system_is_another_concept(written, system, value):
    assert not is_one_of(concept_of(code(system, value)), concepts_of(written))


@pytest.mark.parametrize("written", [None, "", "-1", "-", "NIL", "MESH:-1", "MESH:-1|-1"])
def test_no_concept_is_no_concept(written):
    assert concepts_of(written) == frozenset()
    assert not is_one_of(None, concepts_of(written))
