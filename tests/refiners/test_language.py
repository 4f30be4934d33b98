from __future__ import annotations

from extractor.refiners.language import LanguageRefiner
from tests.extractors.made import document
from tests.refiners.made import mention

GERMAN = "Der Patient wurde mit einer Pneumonie in die Klinik aufgenommen und hat keine Allergien."
ENGLISH = "The patient was admitted with pneumonia and has been treated with amoxicillin at home."


def test_a_mention_says_the_language_around_it_and_loses_a_probability_made_for_english():
    doc = document(f"{GERMAN}\n\n{ENGLISH}")
    german = mention(doc, "Pneumonie", probability=0.9, score=0.8)
    english = mention(doc, "pneumonia", probability=0.9, score=0.8)
    first, second = LanguageRefiner().refine(doc, [german, english])

    assert (first.language, first.probability, first.score) == ("de", None, 0.8)
    assert (second.language, second.probability, second.score) == ("en", 0.9, 0.8)


def test_a_short_paragraph_takes_the_language_of_its_page():
    doc = document(f"{GERMAN}\n\nDiagnose: Gicht")

    assert LanguageRefiner().refine(doc, [mention(doc, "Gicht")])[0].language == "de"


def test_what_cannot_be_told_stays_open_and_keeps_its_probability():
    doc = document("Gout 12 mg")
    (refined,) = LanguageRefiner().refine(doc, [mention(doc, "Gout", probability=0.9)])

    assert (refined.language, refined.probability) == (None, 0.9)


def test_another_native_language_may_be_set():
    doc = document(GERMAN)
    (refined,) = LanguageRefiner(native="de").refine(doc, [mention(doc, "Pneumonie", probability=0.9)])

    assert (refined.language, refined.probability) == ("de", 0.9)
