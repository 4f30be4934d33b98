from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from extractor.extractors.identifier import IdentifierExtractor
from tests.extractors.made import document, found, table


@pytest.mark.parametrize(
    ("text", "value", "label", "normalised"),
    [
        ("mail j.doe+x@lab.example.org now", "j.doe+x@lab.example.org", "email", "j.doe+x@lab.example.org"),
        ("see https://example.org/a?b=1.", "https://example.org/a?b=1", "url", "https://example.org/a?b=1"),
        ("call (301) 555-0142.", "(301) 555-0142", "phone", "(301)555-0142"),
        ("301-555-0142", "301-555-0142", "phone", "301-555-0142"),
        ("+44 20 7946 0958", "+44 20 7946 0958", "phone", "+442079460958"),
        ("Lot No.: 24A0113", "24A0113", "lot_no", "24A0113"),
        ("Batch Number AT-2026-0142,", "AT-2026-0142", "lot_no", "AT-2026-0142"),
        ("per SOP-QA-014 step", "SOP-QA-014", "document_no", "procedure:SOP-QA-014"),
        ("by QC-ATV-002 method", "QC-ATV-002", "document_no", "procedure:QC-ATV-002"),
        ("NDA 210649", "210649", "document_no", "nda:210649"),
        ("Protocol No. ABC-1234", "ABC-1234", "document_no", "document:ABC-1234"),
        ("NCT01234567", "NCT01234567", "document_no", "trial:NCT01234567"),
        ("MRN: 0045519", "0045519", "identifier", "mrn:0045519"),
        ("**MRN:** ZZ-0045519", "ZZ-0045519", "identifier", "mrn:ZZ-0045519"),
        ("MRN:    0045519", "0045519", "identifier", "mrn:0045519"),
        ("patientRole id: ZZ-0045519", "ZZ-0045519", "identifier", "mrn:ZZ-0045519"),
        ("Batch number AT-2026-0142,", "AT-2026-0142", "lot_no", "AT-2026-0142"),
        ("Lot no.\t24A0113", "24A0113", "lot_no", "24A0113"),
        ("Medical Record Number 0045519", "0045519", "identifier", "mrn:0045519"),
        ("SSN 123-45-6789", "123-45-6789", "identifier", "ssn:123-45-6789"),
        ("Accession # S24-10233", "S24-10233", "identifier", "accession:S24-10233"),
        ("Account No: 12345678", "12345678", "identifier", "account:12345678"),
        ("(FEI 3011289655)", "3011289655", "identifier", "fei:3011289655"),
    ],
)
def test_the_value_is_taken_without_the_word_beside_it(text, value, label, normalised):
    assert found(IdentifierExtractor(), document(text)) == [(value, label, normalised)]


def test_the_value_may_stand_in_the_next_cell():
    assert found(IdentifierExtractor(), table(("Lot No.", "24A0113"))) == [("24A0113", "lot_no", "24A0113")]


@pytest.mark.parametrize(
    "text",
    [
        "a lot of 1000 people",
        "batch size 500 kg",
        "form 12",
        "page 3 of 10",
        "version 1.2.3",
        "2024-06-30",
        "7.2 10*6/mL",
        "indication 12",
        "Room CR-401",
        "step QC-01",
        "000-12-3456",
        "lot was 2024 tablets",
    ],
)
def test_plain_numbers_are_no_identifiers(text):
    assert found(IdentifierExtractor(), document(text)) == []


@given(st.text(alphabet=st.sampled_from("Lot No.:#12345678-A@.com (301)\n\t\U0001f48a\u05d0"), max_size=80))
def test_spans_are_ordered_apart_and_hold_no_cell_border(text):
    doc, end = document(text), 0
    for entity in IdentifierExtractor().entities(doc):
        assert entity.span.start >= end
        assert "\t" not in entity.span.of(doc.text)
        end = entity.span.end
