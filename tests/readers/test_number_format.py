"""Numbers are shown as the cell shows them."""

import pytest
from hypothesis import given, strategies as st

from extractor.readers.number_format import shown


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        ("7.2", "0.00", "7.20"),
        ("7.2000000000000002", "General", "7.2"),
        ("0.30000000000000004", "General", "0.3"),
        ("1234567.891", "#,##0.00", "1,234,567.89"),
        ("0.0712", "0.0%", "7.1%"),
        ("-3", "0.0;(0.0)", "(3.0)"),
        ("-3", "0.0", "-3.0"),
        ("0", '0;-0;"none"', "none"),
        ("-0.001", "0.00", "0.00"),
        ("5", "000", "005"),
        ("3", "0.##", "3"),
        ("2.5", "0", "3"),
        ("12", '0.0" mg"', "12.0 mg"),
        ("0.000012", "0.00E+00", "1.20E-05"),
        ("12", "[$€-407] #,##0.00", "€ 12.00"),
        ("1234567", "0.0,", "1234.6"),
        ("0.5", "# ?/?", "0.5"),
        ("5", "[>3]0.0;0", "5"),
        ("45356", "d-mmm-yy", "2024-03-05"),
        ("45356.5625", "m/d/yyyy h:mm", "2024-03-05 13:30:00"),
        ("0.5", "h:mm", "12:00:00"),
        ("1.5", "[h]:mm", "36:00:00"),
        ("1", "m/d/yy", "1900-01-01"),
        ("-4", "yyyy", "-4"),
        ("text", "0.00", "text"),
        ("nan", "0.00", "nan"),
    ],
)
def test_a_number_under_its_format(value, code, text):
    assert shown(value, code) == text


def test_workbooks_that_count_from_1904():
    assert shown("0", "yyyy-mm-dd", since_1904=True) == "1904-01-01"


@given(
    st.one_of(st.floats().map(str), st.text(max_size=8)), st.text('0#?.,;%E+-"\\[]$@_* hmsyd/x', max_size=12)
)
def test_no_format_breaks_the_reader(value, code):
    assert isinstance(shown(value, code), str)
