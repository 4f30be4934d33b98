from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, strategies as st

from extractor.extractors.date import DateExtractor
from tests.extractors.made import document, found, table


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024-06-30", "2024-06-30"),
        ("2024/06/30", "2024-06-30"),
        ("30-Jun-2024", "2024-06-30"),
        ("30 JUN 24", "2024-06-30"),
        ("30Jun2024", None),
        ("30 June 2024", "2024-06-30"),
        ("June 30, 2024", "2024-06-30"),
        ("Sept. 3, 2024", "2024-09-03"),
        ("12/31/2024", "2024-12-31"),
        ("31.12.2024", "2024-12-31"),
        ("03/03/2024", "2024-03-03"),
        ("2024-03", "2024-03"),
        ("March 2024", "2024-03"),
        ("Apr-2027", "2027-04"),
        ("02/2008", "2008-02"),
        ("12 May 97", "1997-05-12"),
        ("July 3rd", "--07-03"),
    ],
)
def test_dates_become_iso_as_exact_as_they_are_written(text, iso):
    expected = [(text, "date", iso)] if iso else []
    assert found(DateExtractor(), document(f"on {text}.")) == expected


def test_a_date_that_can_be_read_in_two_ways_is_found_and_left_open():
    assert found(DateExtractor(), document("03/04/2024")) == [("03/04/2024", "date", None)]


def test_the_sender_s_order_settles_it():
    assert found(DateExtractor(day_first=True), document("03/04/2024"))[0][2] == "2024-04-03"
    assert found(DateExtractor(day_first=False), document("03/04/2024"))[0][2] == "2024-03-04"


def test_other_dates_of_the_document_settle_it_and_the_reading_is_marked():
    first, second = DateExtractor().entities(document("from 03/04/2024 to 03/28/2024"))
    assert (first.normalised, first.alignment) == ("2024-03-04", "normalised")
    assert (second.normalised, second.alignment) == ("2024-03-28", "exact")


def test_dates_that_contradict_one_another_settle_nothing():
    doc = document("03/04/2024, 03/28/2024, 28/03/2024")
    assert found(DateExtractor(), doc)[0][2] is None


@pytest.mark.parametrize(
    "text", ["31-Feb-2024", "30/30/2024", "1.2.3.4", "SOP-2024-06-301", "12-34-5678", "v2024-13"]
)
def test_what_no_calendar_has_is_no_date(text):
    assert found(DateExtractor(), document(text), "date") == []


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("07:28", "07:28"),
        ("07:28:15", "07:28:15"),
        ("2:30 p.m.", "14:30"),
        ("12:05 AM", "00:05"),
        ("5 pm", "17:00"),
    ],
)
def test_times_of_day_are_found(text, iso):
    assert [
        name for _, label, name in found(DateExtractor(), document(f"at {text} sharp")) if label == "time"
    ] == [iso]


def test_a_date_with_a_time_gives_both():
    assert found(DateExtractor(), document("2024-06-30T07:28:15Z")) == [
        ("2024-06-30", "date", "2024-06-30"),
        ("07:28:15Z", "time", "07:28:15Z"),
    ]


@pytest.mark.parametrize("text", ["25:00", "ratio 1:20000", "12:60", "a 10:1 dilution"])
def test_ratios_are_no_times(text):
    assert found(DateExtractor(), document(text), "time") == []


def test_a_date_does_not_run_over_a_cell():
    assert found(DateExtractor(), table(("30", "Jun 2024"))) == [("Jun 2024", "date", "2024-06")]


@given(st.dates(min_value=date(1970, 1, 1), max_value=date(2068, 12, 31)))
def test_every_day_is_read_back(day):
    for form in ("%Y-%m-%d", "%d-%b-%Y", "%d %b %y", "%B %d, %Y"):
        written = day.strftime(form)
        assert found(DateExtractor(), document(f"\U0001f48a {written} \u05d0")) == [
            (written, "date", day.isoformat())
        ]
