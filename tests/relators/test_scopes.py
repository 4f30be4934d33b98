"""Sentences and table rows."""

import pytest
from hypothesis import given, strategies as st

from extractor.relators.scopes import sentence_starts
from tests.extractors.made import document, table


def sentences(text):
    doc = document(text)
    starts = sentence_starts(doc)
    return [doc.text[a:b].strip() for a, b in zip(starts, [*starts[1:], len(doc.text)], strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One ends. Two begins.", ["One ends.", "Two begins."]),
        ("Seen by Dr. Smith today.", ["Seen by Dr. Smith today."]),
        ("Given 1.5 mg i.v. The pain went.", ["Given 1.5 mg i.v. The pain went."]),
        ("Aspirin 81 mg\nDigoxin 0.25 mg", ["Aspirin 81 mg", "Digoxin 0.25 mg"]),
        ("- aspirin\n- digoxin", ["- aspirin", "- digoxin"]),
        ("a line that is as long as lines of running text are and\nWraps here", None),
        ("para one\n\npara two", ["para one", "para two"]),
    ],
)
def test_sentences_end_where_readers_end_them(text, expected):
    assert sentences(text) == (expected or [text])


def test_a_cell_is_never_joined_with_the_next():
    doc = table(("aspirin", "81 mg daily"), ("digoxin", "0.25 mg"))

    assert {doc.text.index(cell) for cell in ("aspirin", "81 mg", "digoxin", "0.25")} <= set(
        sentence_starts(doc)
    )


@given(st.text(alphabet="aB1. \n-)\u00e9\u0301", max_size=120))
def test_starts_ascend_from_zero_within_the_text(text):
    doc = document(text)

    starts = sentence_starts(doc)

    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert starts[-1] <= len(doc.text)
