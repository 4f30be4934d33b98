from __future__ import annotations

from extractor.records import Code
from extractor.refiners.abbreviation_carry import AbbreviationCarryRefiner
from tests.extractors.made import document
from tests.refiners.made import mention

REFINER = AbbreviationCarryRefiner()
AKI = Code(system="MESH", code="D058186", display="Acute Kidney Injury", vocabulary_version="made")
TEXT = "AKI was feared. Acute kidney injury (AKI) came. The AKI resolved. TAKIN is a town, AKI2 a gene."


def quotes(doc, entities):
    return [(one.span.of(doc.text), one.span.start, one.label) for one in entities]


def test_a_short_form_takes_label_code_and_name_of_its_long_form_everywhere():
    doc = document(TEXT)
    long = mention(doc, "Acute kidney injury", code=AKI, normalised="Acute Kidney Injury")
    refined = REFINER.refine(doc, [long])
    short = [one for one in refined if one is not long]

    assert [one.span.start for one in short] == [0, TEXT.index("(AKI") + 1, TEXT.index("AKI resolved")]
    assert {(one.label, one.code, one.normalised, one.alignment) for one in short} == {
        ("disease", AKI, "Acute Kidney Injury", "exact")
    }
    assert {one.maker.extractor for one in short} == {"abbreviation_carry"}
    assert list(refined) == sorted(refined, key=lambda one: one.span)


def test_a_found_short_form_gets_the_code_it_lacks_and_keeps_what_it_has():
    doc = document(TEXT)
    long = mention(doc, "Acute kidney injury", code=AKI)
    bare = mention(doc, "AKI", normalised="mine")
    filled = REFINER.refine(doc, [bare, long])[0]

    assert (filled.code, filled.normalised, filled.maker) == (AKI, "mine", bare.maker)


def test_a_mention_of_another_kind_is_never_overlapped():
    doc = document("Acute kidney injury (AKI) came. The AKI score 3 was high.")
    long, score = mention(doc, "Acute kidney injury", code=AKI), mention(doc, "AKI score 3", "measurement")
    refined = REFINER.refine(doc, [long, score])

    assert quotes(doc, refined)[-1] == ("AKI score 3", doc.text.index("AKI score"), "measurement")
    assert len(refined) == 3


def test_an_abbreviation_mention_stands_beside_the_carried_one():
    doc = document("Acute kidney injury (AKI) came.")
    long, short = mention(doc, "Acute kidney injury"), mention(doc, "AKI", "abbreviation")

    assert [one.label for one in REFINER.refine(doc, [long, short])] == ["disease", "abbreviation", "disease"]


def test_a_part_of_the_long_form_does_not_speak_for_it():
    doc = document("The kidney transplantation programme office (KTPO) met. KTPO closed.")

    assert len(REFINER.refine(doc, [mention(doc, "office", "facility")])) == 1


def test_without_a_definition_nothing_is_carried():
    doc = document("Acute kidney injury came. AKI resolved.")
    given = [mention(doc, "Acute kidney injury", code=AKI)]

    assert REFINER.refine(doc, given) == given


def test_a_carried_mention_has_the_section_of_its_place():
    doc = document("HISTORY:\nAcute kidney injury (AKI) came.\n\nPLAN:\nWatch AKI.")
    refined = REFINER.refine(doc, [mention(doc, "Acute kidney injury", section="history_of_present_illness")])

    assert refined[-1].section == "plan"
