from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from extractor.document import Block, Document, Page, Word
from extractor.refiners.section import SectionRefiner
from extractor.refiners.sections import fold_title, load_titles, sections
from tests.extractors.made import document
from tests.refiners.made import mention


def names(text):
    return [section.name for section in sections(document(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PAST MEDICAL HISTORY:\nAsthma.\n\nMEDICATIONS:\nNone.", ["past_medical_history", "medications"]),
        ("PMH: asthma\nMeds: none", ["past_medical_history", "medications"]),
        ("Family History\n\nGout.", ["family_history"]),
        (
            "# Hospital Course\nFine.\n\n### Discharge Medications:\nNone.",
            ["hospital_course", "discharge_medications"],
        ),
        ("### **Return Precautions:**\nFever.", ["return_precautions"]),
        ("6 ADVERSE REACTIONS\nNausea.\n6.1 Clinical Trials\nMore.", ["adverse_reactions"]),
        ("4. CONTRAINDICATIONS\nNone.\n5.1 Warnings\nSome.", ["contraindications", "warnings"]),
        ("BACKGROUND: Why. METHODS: How. RESULTS: What.", ["background", "methods", "results"]),
        ("ALLERGIES: , None.,PLAN: , Rest.", ["allergies", "plan"]),
        ("ASSESSMENT & PLAN:\nRest.", ["assessment_and_plan"]),
        ("PLAN:\nRest.\n\nTRANSPORT AND LODGING\nBy bus.", ["plan", "other"]),
        ("CASE REPORT\nA woman came.\n\nDISCUSSION\nRare.", ["case_report", "discussion"]),
    ],
)
def test_headings_of_every_form_open_their_section(text, expected):
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The plan was discussed with her mother.",
        "He was told: rest.",
        "WBC: 12\nHGB: 9",
        "Results of the test were normal, methods were standard.",
        "",
        "A case report of gout",
    ],
)
def test_running_text_has_no_headings(text):
    assert names(text) == []


def test_sub_headings_stay_in_the_examination():
    text = "PHYSICAL EXAMINATION:\nHEENT: clear.\nLungs: clear.\nVITAL SIGNS: fine.\nNEUROLOGIC: fine.\n\nPLAN:\nRest."

    assert names(text) == ["physical_examination", "vital_signs", "physical_examination", "plan"]


def test_a_deeper_markdown_heading_stays_in_its_section():
    assert names("## Plan\n\n### Diabetic foot\nDressing.\n\n## Lodging\nHome.") == ["plan", "other"]


def test_heading_blocks_of_the_layout_count():
    words = tuple(
        Word(text=word, before=before)
        for word, before in [("Side", ""), ("effects", " "), ("Nausea", "\n\n")]
    )
    blocks = (Block(kind="heading", first=0, last=2), Block(kind="paragraph", first=2, last=3))
    page = Page(page_no=1, words=words, blocks=blocks)
    doc = Document.assemble(doc_id="2" * 64, media_type="text/plain", pages=[page])
    (refined,) = SectionRefiner().refine(doc, [mention(doc, "Nausea")])

    assert refined.section == "adverse_reactions"


def test_a_mention_before_the_first_heading_has_no_section():
    doc = document("Gout.\n\nPLAN:\nTreat gout.")
    first, second = SectionRefiner().refine(doc, [mention(doc, "Gout"), mention(doc, "gout")])

    assert (first.section, second.section) == (None, "plan")


def test_every_title_of_the_pack_is_folded_to_itself():
    titles = load_titles()

    assert all(fold_title(title) == title for title in [*titles.names, *titles.within])
    assert all(name.isidentifier() and name.islower() for name in titles.names.values())


@given(st.text(alphabet="PLANplan:#\n \f-1.\u00e9\U0001f637", max_size=120))
def test_sections_tile_the_text_from_the_first_heading_on(text):
    doc = document(text)
    found = sections(doc)

    for before, after in pairwise(found):
        assert before.span.end == after.span.start
    assert not found or found[-1].span.end == len(doc.text)
    assert all(one.span.start <= one.body <= one.span.end for one in found)
