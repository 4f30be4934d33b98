"""Other ways to say a mention, parts of composites, short forms without a definition."""

import pytest
from hypothesis import given, strategies as st

from extractor.knowledge.short_forms import Mention, explained, initials
from extractor.knowledge.terms import name_key
from extractor.knowledge.variants import PART, RELAXED, REWORDED, parts, variants


@pytest.mark.parametrize(
    ("mention", "variant", "kind"),
    [
        ("carcinoma of the bladder", "bladder carcinoma", REWORDED),
        ("hypertensive", "hypertension", REWORDED),
        ("nephrotoxic", "nephrotoxicity", REWORDED),
        ("renal failure", "kidney failure", REWORDED),
        ("diabetic", "diabete", REWORDED),
        ("breast cancers", "breast neoplasm", REWORDED),
        ("Alzheimer", "alzheimer disease", REWORDED),
        ("severe pneumonia", "pneumonia", RELAXED),
        ("ibuprofen sodium", "ibuprofen", RELAXED),
        ("heparin-induced thrombocytopenia", "thrombocytopenia", RELAXED),
    ],
)
def test_a_mention_is_also_said_otherwise(mention, variant, kind):
    assert (variant, kind) in list(variants(name_key(mention)))


def test_a_composite_gives_each_of_its_parts():
    assert {"breast cancer", "ovarian cancer"} <= set(parts("breast and ovarian cancer"))
    assert {"hepatitis b", "hepatitis c"} <= set(parts("hepatitis B and C"))
    assert {"nausea", "vomiting"} <= set(parts("nausea/vomiting"))
    assert parts("pneumonia") == []


def test_numbers_in_roman_and_plurals_do_not_matter():
    assert name_key("Glimmer Disease Type II") == name_key("glimmer diseases type 2")


@given(st.text(max_size=400))
def test_any_text_has_variants_without_repetition(text):
    key = name_key(text)
    found = [variant for variant, _ in variants(key)]
    assert len(found) == len(set(found)) <= 200
    assert key not in found
    assert isinstance(parts(text), list)
    assert PART not in {kind for _, kind in variants(key)}


def mentions_of(text, *words):
    return [Mention(text.index(word), text.index(word) + len(word), word, "drug") for word in words]


def test_a_long_form_in_brackets_after_its_short_form_explains_it():
    text = "CPA (cyproterone acetate) was given."

    assert explained(text, mentions_of(text, "CPA", "cyproterone acetate"), {}) == {
        "CPA": "cyproterone acetate"
    }


def test_initials_of_another_mention_explain_a_short_form():
    text = "acute liver failure came. ALF went."

    assert initials("acute liver failure") == "ALF"
    assert explained(text, mentions_of(text, "acute liver failure", "ALF"), {}) == {
        "ALF": "acute liver failure"
    }


def test_what_the_text_defines_comes_first():
    text = "acute liver failure came. ALF went."
    defined = {"ALF": "allergic lung fever"}

    assert explained(text, mentions_of(text, "acute liver failure", "ALF"), defined) == defined


def test_mentions_side_by_side_whose_letters_do_not_fit_explain_nothing():
    text = "XYZ (cyproterone acetate) was given."

    assert explained(text, mentions_of(text, "XYZ", "cyproterone acetate"), {}) == {}
