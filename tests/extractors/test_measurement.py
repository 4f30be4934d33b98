from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from extractor.extractors.measurement import MeasurementExtractor
from extractor.extractors.numbers import decimal_mark, parse_number
from extractor.extractors.units import load_units
from tests.extractors.made import document, table

UCUM = Path(__file__).parents[2] / ".." / "shared" / "data" / "terminologies" / "ucum" / "ucum-essence.xml"


@pytest.fixture(scope="module")
def measurement():
    return MeasurementExtractor()


def read(measurement, text):
    """(quote, value, high, comparator, UCUM, status) of each measurement."""
    doc = document(text)
    return [
        (entity.span.of(doc.text), q.value, q.value_high, q.comparator, q.unit_ucum, q.parse_status)
        for entity in measurement.entities(doc)
        if (q := entity.quantity) is not None
    ]


D = Decimal


@pytest.mark.parametrize(
    ("text", "value", "high", "comparator", "ucum"),
    [
        ("40 mg", "40", None, None, "mg"),
        ("5-mg", "5", None, None, "mg"),
        ("2.50 \u00b5g/mL", "2.50", None, None, "ug/mL"),
        ("2-8 \u00b0C", "2", "8", None, "Cel"),
        ("2 \u00b0C to 8 \u00b0C", "2", "8", None, "Cel"),
        ("-20 \u00b0C", "-20", None, None, "Cel"),
        ("\u221280 \u00b0C", "-80", None, None, "Cel"),
        ("+20 Pa", "20", None, None, "Pa"),
        ("pH 7.2 \u00b1 0.1", "7.1", "7.3", "\u00b1", "[pH]"),
        ("20 \u00b1 5 \u00b0C", "15", "25", "\u00b1", "Cel"),
        ("NMT 0.5 % w/w", "0.5", None, "<=", "%{w/w}"),
        ("not above 25 \u00b0C", "25", None, "<=", "Cel"),
        ("Not below 15 Pa", "15", None, ">=", "Pa"),
        ("not to exceed 5 %", "5", None, "<=", "%"),
        ("NLT 98.0%", "98.0", None, ">=", "%"),
        ("not more than 15 min", "15", None, "<=", "min"),
        ("\u2265 10 kN", "10", None, ">=", "kN"),
        ("< 10 CFU/g", "10", None, "<", "[CFU]/g"),
        ("12 rpm", "12", None, None, "{rev}/min"),
        ("95 mmHg", "95", None, None, "mm[Hg]"),
        ("1.2 bar", "1.2", None, None, "bar"),
        ("1.5\u00d710\u2076 CFU/mL", "1.5E+6", None, None, "[CFU]/mL"),
        ("7.2 x 10^6 cells/mL", "7.2E+6", None, None, "{cells}/mL"),
        ("7.2 10*6/mL", "7.2", None, None, "10*6/mL"),
        ("7.2 K/uL", "7.2", None, None, "10*3/uL"),
        ("120 mg/kg/day", "120", None, None, "mg/kg/d"),
        ("250 mg/5 mL", "250", None, None, "mg/(5.mL)"),
        ("60 mL/min/1.73 m2", "60", None, None, "mL/min/{1.73_m2}"),
        ("3,520,000 /m\u00b3", "3520000", None, None, "/m3"),
        ("7,25 mg", "7.25", None, None, "mg"),
        ("1.234,5 kg", "1234.5", None, None, "kg"),
        ("196.0 mg +/- 3%", "190.12", "201.88", "\u00b1", "mg"),
        ("196.0 mg \u00b1 3 %", "190.12", "201.88", "\u00b1", "mg"),
        ("50 % \u00b1 5 %", "45", "55", "\u00b1", "%"),
        ("20\u00b0-25\u00b0C", "20", "25", None, "Cel"),
        ("7.2 10\u2079/L", "7.2", None, None, "10*9/L"),
        ("7.2 \u00d710\u2079/L", "7.2E+9", None, None, "/L"),
        ("1.5 \u00d7 10\u207b\u00b3 g", "0.0015", None, None, "g"),
        ("10\u2076 CFU/mL", "1E+6", None, None, "[CFU]/mL"),
        ("10^6 CFU/mL", "1E+6", None, None, "[CFU]/mL"),
        ("10\u2075-10\u2076 CFU", "1E+5", "1E+6", None, "[CFU]"),
        ("5 \u00d710\u2074 IU", "5E+4", None, None, "[iU]"),
    ],
)
def test_values_are_exact_and_units_become_ucum(measurement, text, value, high, comparator, ucum):
    expected = (text, D(value), D(high) if high else None, comparator, ucum, "ok")
    assert read(measurement, f"It was {text}.") == [expected]


def test_digits_stay_as_written(measurement):
    (entity,) = measurement.entities(document("7.20 mg"))
    assert entity.quantity.value_text == "7.20"
    assert str(entity.quantity.value) == "7.20"
    assert entity.normalised == "7.20 mg"


def test_a_comma_before_three_digits_is_ambiguous_until_the_document_tells(measurement):
    assert [row[1:] for row in read(measurement, "1,000 mg")] == [(None, None, None, "mg", "ambiguous")]
    assert read(measurement, "1,000 mg and 0.5 mg")[0][1] == D(1000)
    assert read(measurement, "1,000 mg and 0,5 mg")[0][1] == D("1.000")
    assert read(measurement, "1,000 mg and 0,5 mg and 0.5 mg")[0][-1] == "ambiguous"


def test_the_decimal_mark_can_be_fixed():
    assert read(MeasurementExtractor(decimal_mark="."), "1,000 mg")[0][1] == D(1000)
    assert read(MeasurementExtractor(decimal_mark=","), "1.000 mg")[0][1] == D(1000)


def test_two_amounts_of_one_unit_are_no_ratio(measurement):
    assert [row[1:] for row in read(measurement, "tablets 49 mg/51 mg")] == [
        (None, None, None, None, "unknown")
    ]


def test_a_value_that_fell_gives_both_values(measurement):
    fell = read(measurement, "Creatinine fell from 1.9 mg/dL to 1.1 mg/dL.")
    assert [(row[0], row[1], row[4]) for row in fell] == [
        ("1.9 mg/dL", D("1.9"), "mg/dL"),
        ("1.1 mg/dL", D("1.1"), "mg/dL"),
    ]


def test_the_exponent_of_a_unit_that_stands_alone_is_no_value(measurement):
    assert read(measurement, "10*9/L") == []


@pytest.mark.parametrize("text", ["2 mm to 8 cm", "2 m \u00b1 5 cm"])
def test_ends_in_two_units_are_ambiguous(measurement, text):
    assert [row[1:3] + row[-1:] for row in read(measurement, text)] == [(None, None, "ambiguous")]


def test_the_mark_of_a_footnote_does_not_hide_a_unit(measurement):
    for mark in "\u00b9\u00b2\u2074":
        assert read(measurement, f"5 mg{mark} daily") == [("5 mg", D(5), None, None, "mg", "ok")]
    assert read(measurement, "5 mm\u00b2 large") == [("5 mm\u00b2", D(5), None, None, "mm2", "ok")]
    assert read(measurement, "5 s\u207b\u00b9 or so") == [("5 s\u207b\u00b9", D(5), None, None, "s-1", "ok")]


def test_a_relative_tolerance_is_normalised_in_the_unit_of_the_value(measurement):
    (entity,) = measurement.entities(document("weight 196.0 mg +/- 3% each"))
    assert entity.normalised == "190.12..201.88 mg"
    assert entity.quantity.unit_source == "mg"


def test_a_pair_keeps_its_text_and_has_no_value(measurement):
    (entity,) = measurement.entities(document("BP 120/80 mmHg"))
    quantity = entity.quantity
    assert (quantity.value_text, quantity.value, quantity.unit_ucum, quantity.parse_status) == (
        "120/80", None, "mm[Hg]", "unknown",
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "SOP-123 mg",
        "10/20 mg",
        "the 130s",
        "Form 356h",
        "12:30 min",
        "3.41 N/A",
        "5\tmg",
        "5\n\nmg",
        "10-5 mg",
        "version 2.1.3 mg",
    ],
)
def test_what_is_no_measurement_is_left_alone(measurement, text):
    assert read(measurement, text) == []


def test_temperature_and_humidity_beside_a_slash_are_two(measurement):
    assert [row[4] for row in read(measurement, "25\u00b0C/60% RH")] == ["Cel", "%{RH}"]


def test_a_unit_on_the_next_line_belongs_to_the_number_but_not_from_another_row(measurement):
    (entity,) = measurement.entities(document("for 25\nmin"))
    assert entity.alignment == "normalised"
    assert list(measurement.entities(table(("x", "25"), ("min", "y")))) == []


@given(
    st.text(
        alphabet=st.sampled_from("0123456789.,- mgLkC\u00b0%/\n\t\u00b1<\U0001f48ae\u0301\u05d0to"),
        max_size=80,
    )
)
def test_spans_quote_the_digits(text):
    doc = document(text)
    for entity in MeasurementExtractor().entities(doc):
        assert entity.quantity.value_text in entity.span.of(doc.text)
        assert "\t" not in entity.span.of(doc.text)
        assert (entity.quantity.parse_status == "ok") == (entity.quantity.value is not None)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**9, places=4))
def test_a_plain_decimal_reads_back_exactly(number):
    written = format(number, "f")
    assert parse_number(written, ".") == number
    assert parse_number(written.replace(".", ","), ",") == number


def test_mixed_evidence_gives_no_decimal_mark():
    assert decimal_mark(["0.5", "1.25"]) == "."
    assert decimal_mark(["0,5"]) == ","
    assert decimal_mark(["0.5", "0,5"]) is None
    assert decimal_mark(["1,000", "2.000"]) is None


BASE_ATOMS = frozenset(
    ["g", "L", "mol", "min", "h", "d", "wk", "mo", "a", "s", "Cel", "[degF]", "deg", "mm[Hg]", "bar", "Pa", "[psi]", "atm", "m[H2O]", "N", "%", "[pH]", "m", "[in_i]", "[ft_i]", "V", "A", "W", "Hz", "[iU]", "U", "S", "eq", "t", "[lb_av]", "[oz_av]", "cal", "J", "u", "osm", "Gy", "Ci", "Bq", "lx", "dB", "P", "[HPF]", "[drp]", "[CFU]", "[EU]", "[ppm]", "[ppb]", "[g]", "gf", "10*", "[gal_us]", "[in_i'H2O]"]
)  # fmt: skip
PREFIXES = ("Y", "Z", "E", "P", "T", "G", "M", "k", "h", "da", "d", "c", "m", "u", "n", "p", "f", "a", "")


def parses(code: str, atoms: frozenset[str]) -> bool:
    """Whether a code follows the grammar of the UCUM specification over these atoms."""
    if code.startswith("/"):
        return parses(code[1:], atoms)
    terms, depth, start = [], 0, 0
    for at, sign in enumerate(code):
        depth += (sign in "({") - (sign in ")}")
        if depth == 0 and sign in "./":
            terms.append(code[start:at])
            start = at + 1
    terms.append(code[start:])
    return depth == 0 and all(component(term, atoms) for term in terms)


def component(term: str, atoms: frozenset[str]) -> bool:
    if term.startswith("(") and term.endswith(")"):
        return parses(term[1:-1], atoms)
    bare = re.sub(r"\{[\x21-\x7a\x7c\x7e]*\}$", "", term)
    if not bare:
        return term != ""
    if bare.isdigit():
        return True
    if re.fullmatch(r"10\*-?\d+", bare):
        return True
    symbol = bare if bare in atoms else re.sub(r"[+-]?\d+$", "", bare)
    return any(symbol == prefix + atom for prefix in PREFIXES for atom in atoms if symbol.endswith(atom))


def test_every_code_of_the_table_follows_the_ucum_grammar():
    assert [code for code in set(load_units().codes.values()) if not parses(code, BASE_ATOMS)] == []
    assert not parses("mg/furlong", BASE_ATOMS)


@pytest.mark.shared
@pytest.mark.skipif(not UCUM.is_file(), reason="needs the UCUM table beside the checkout")
def test_every_atom_of_the_table_is_in_the_ucum_essence():
    found = {node.get("Code") for node in ET.parse(UCUM).iter() if node.tag.endswith(("unit", "base-unit"))}
    assert [code for code in set(load_units().codes.values()) if not parses(code, frozenset(found))] == []
