from __future__ import annotations

from decimal import Decimal

import pytest

from extractor.extractors.dose import DoseExtractor
from tests.extractors.made import document, found


def test_dose_route_and_frequency_are_read_apart():
    assert found(DoseExtractor(), document("Omeprazole 40 mg PO daily")) == [
        ("40 mg", "dose", "40 mg"),
        ("PO", "route", "oral"),
        ("daily", "frequency", "1/d"),
    ]


@pytest.mark.parametrize(
    ("text", "frequency"),
    [
        ("1 tab po bid x 7d", "2/d"),
        ("5 mg every 6 hours", "1/6.h"),
        ("5 mg q4-6h", "1/4..6.h"),
        ("5 mg p.o. t.i.d.", "3/d"),
        ("10 units at bedtime", "1/d at bedtime"),
        ("70mg weekly", "1/wk"),
        ("2 puffs as needed", "as needed"),
        ("20 mg every other day", "1/2.d"),
    ],
)
def test_frequencies_are_normalised(text, frequency):
    assert [name for _, label, name in found(DoseExtractor(), document(text)) if label == "frequency"] == [
        frequency
    ]


def test_several_frequencies_follow_one_another():
    doc = document("Ativan 1 mg IV p.r.n. q.6-8h.")
    assert [name for *_, name in found(DoseExtractor(), doc)] == [
        "1 mg",
        "intravenous",
        "as needed",
        "1/6..8.h",
    ]


def test_the_quantity_is_exact():
    (dose, *_) = DoseExtractor().entities(document("take 1-2 tablets daily"))
    assert (dose.quantity.value, dose.quantity.value_high) == (Decimal(1), Decimal(2))
    assert (dose.quantity.value_text, dose.quantity.unit_ucum) == ("1-2", "{tbl}")


def test_a_dose_per_weight_keeps_its_denominator():
    (dose, *_) = DoseExtractor().entities(document("given 40 mg/kg/day"))
    assert dose.quantity.unit_ucum == "mg/kg/d"


@pytest.mark.parametrize(
    "text",
    [
        "glucose 412 mg/dL daily",
        "net weight 500 g",
        "The vial holds 5 mL",
        "40 mg\tdaily",
        "40 mg\n\nPO",
        "daily",
        "PO",
    ],
)
def test_an_amount_nobody_gives_is_no_dose(text):
    assert found(DoseExtractor(), document(text)) == []
