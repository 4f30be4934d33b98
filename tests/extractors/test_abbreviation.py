from __future__ import annotations

import pytest

from extractor.extractors.abbreviation import AbbreviationExtractor
from extractor.text.definitions import definitions
from tests.extractors.made import document, found, table


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("acute kidney injury (AKI) was seen", "AKI", "acute kidney injury"),
        ("a non-small-cell lung cancer (NSCLC)", "NSCLC", "non-small-cell lung cancer"),
        ("release of Interleukin-2 (IL-2; n = 3)", "IL-2", "Interleukin-2"),
        ("the **Loss on Drying (LOD)** test", "LOD", "Loss on Drying"),
        ("Total Aerobic\nMicrobial Count (TAMC)", "TAMC", "Total Aerobic Microbial Count"),
    ],
)
def test_a_definition_gives_its_long_form(text, short, long):
    ((quote, label, normalised), *_) = found(AbbreviationExtractor(), document(text))
    assert (quote, label, normalised) == (short, "abbreviation", long)


def test_each_later_and_earlier_use_is_a_mention():
    doc = document("AKI. Acute kidney injury (AKI) is AKI; two AKIs, no TAKIR.")
    assert [quote for quote, *_ in found(AbbreviationExtractor(), doc)] == ["AKI"] * 4


def test_the_long_form_span_quotes_it():
    doc = document("\U0001f48a e\u0301 \u05d0 then acute kidney injury (AKI)")
    (definition,) = definitions(doc)
    assert definition.long_span.of(doc.text) == "acute kidney injury"
    assert definition.short_span.of(doc.text) == "AKI"


@pytest.mark.parametrize(
    "text",
    [
        "see Table (2)",
        "we went (later)",
        "the value (5 mg)",
        "no letters fit (XYZ)",
        "acute kidney\n\ninjury (QKI)",
        "( )",
        "(",
        "end. (AKI)",
    ],
)
def test_other_brackets_define_nothing(text):
    assert found(AbbreviationExtractor(), document(text)) == []


def test_a_long_form_never_comes_from_another_cell():
    assert found(AbbreviationExtractor(), table(("acute kidney", "injury (AKI)"))) == []
