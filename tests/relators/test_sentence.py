"""Links within a sentence and a table row."""

import time

import pytest
from hypothesis import given, settings, strategies as st

from extractor.errors import ConfigError
from extractor.relators.kinds import SENTENCE_KINDS
from extractor.relators.sentence import SentenceRelator
from tests.extractors.made import table
from tests.relators.made import links, marked, mentions_of


@pytest.fixture(scope="module")
def relator():
    return SentenceRelator()


def said(relator, text):
    return links(relator, *marked(text))


def test_each_drug_of_a_prescription_gets_its_own_dose_route_and_frequency(relator):
    found = said(
        relator,
        "Take [lisinopril|drug] [10 mg|dose] [po|route] [daily|frequency] and [metformin|drug] [500 mg|dose] [bid|frequency].",
    )

    assert found == [
        ("drug_dose", "lisinopril", "10 mg"),
        ("drug_route", "lisinopril", "po"),
        ("drug_frequency", "lisinopril", "daily"),
        ("drug_dose", "metformin", "500 mg"),
        ("drug_frequency", "metformin", "bid"),
    ]


def test_a_list_without_bullets_keeps_its_lines_apart(relator):
    found = said(relator, "[Atenolol|drug] [50 mg|dose]\n[Aspirin|drug] [81 mg|dose]\n[Digoxin|drug]")

    assert found == [("drug_dose", "Atenolol", "50 mg"), ("drug_dose", "Aspirin", "81 mg")]


def test_values_go_to_the_test_they_follow(relator):
    found = said(
        relator,
        "Labs: [sodium|lab_test] [139 mmol/L|measurement], [potassium|lab_test] [4.1 mmol/L|measurement], "
        "[CRP|lab_test] was [normal|lab_value].",
    )

    assert found == [
        ("lab_test_value", "sodium", "139 mmol/L"),
        ("lab_test_value", "potassium", "4.1 mmol/L"),
        ("lab_test_value", "CRP", "normal"),
    ]


def test_findings_get_their_body_part_and_severity(relator):
    found = said(
        relator,
        "She had [severe|severity] [pain|sign_symptom] in the [left knee|anatomy] and [mild|severity] "
        "[swelling|sign_symptom] of the [ankle|anatomy].",
    )

    assert found == [
        ("finding_severity", "pain", "severe"),
        ("finding_body_part", "pain", "left knee"),
        ("finding_severity", "swelling", "mild"),
        ("finding_body_part", "swelling", "ankle"),
    ]


def test_an_adverse_effect_belongs_to_its_drug_unless_the_text_denies_it(relator):
    text = "The [rash|{}adverse_effect] appeared two days after [amoxicillin|drug] was started."

    assert said(relator, text.format("")) == [("drug_adverse_effect", "amoxicillin", "rash")]
    assert said(relator, text.format("!")) == []


def test_nothing_is_linked_across_sentences(relator):
    assert (
        said(relator, "He was given [heparin|drug]. A week later [5 mg|dose] was found to be enough.") == []
    )


@pytest.mark.parametrize(
    ("text", "drug"),
    [
        ("[Amoxicillin|drug] [500 mg|dose] [tid|frequency] for [7 days|duration].", "Amoxicillin"),
        ("[Amoxicillin|drug] [for one week|duration].", "Amoxicillin"),
        ("She completed a [10-day|duration] course of [amoxicillin|drug].", "amoxicillin"),
        ("He took [aspirin|drug] and then [ibuprofen|drug] for [two weeks|duration].", "ibuprofen"),
    ],
)
def test_a_duration_belongs_to_the_drug_that_is_given_for_so_long(relator, text, drug):
    assert [(head, one) for one, head, _ in said(relator, text) if one == "drug_duration"] == [
        (drug, "drug_duration")
    ]


def test_a_time_after_a_drug_is_no_duration(relator):
    text = "The rash appeared after [amoxicillin|drug]; the fever lasted for [two weeks|duration]."

    assert "drug_duration" not in {label for label, *_ in said(relator, text)}


def test_the_values_of_a_table_row_go_to_its_test_and_references_do_not(relator):
    document = table(
        ("Test", "Result", "Reference range"),
        ("Sodium", "139 mmol/L", "135 mmol/L"),
        ("Potassium", "4.1 mmol/L", "3.5 mmol/L"),
    )
    entities = mentions_of(
        document,
        lab_test=["Sodium", "Potassium"],
        measurement=["139 mmol/L", "135 mmol/L", "4.1 mmol/L", "3.5 mmol/L"],
    )

    assert links(relator, document, entities) == [
        ("lab_test_value", "Sodium", "139 mmol/L"),
        ("lab_test_value", "Potassium", "4.1 mmol/L"),
    ]
    assert {one.probability for one in relator.relations(document, entities)} == {None}


def test_a_drug_and_an_effect_in_one_row_say_nothing_about_cause(relator):
    document = table(("Aspirin", "nausea"), ("Heparin", "rash"))
    entities = mentions_of(document, drug=["Aspirin", "Heparin"], adverse_effect=["nausea", "rash"])

    assert links(relator, document, entities) == []


def test_a_link_carries_its_model_and_a_calibrated_probability(relator):
    document, entities = marked("[Aspirin|drug] [81 mg|dose] was stopped.")

    (link,) = relator.relations(document, entities)

    assert link.maker == relator.maker
    assert link.maker.model == "relations-sentence"
    assert 0.5 < link.probability <= 1
    assert 0.5 < link.score <= 1


def test_the_order_of_options_and_their_values_are_checked():
    with pytest.raises(ConfigError, match="no relation"):
        SentenceRelator(kinds=["drug_colour"])
    with pytest.raises(ConfigError, match="minimum_probability"):
        SentenceRelator(minimum_probability=3)


def test_only_the_chosen_kinds_are_looked_for():
    found = said(SentenceRelator(kinds=["drug_dose"]), "[Aspirin|drug] [81 mg|dose] [daily|frequency].")

    assert found == [("drug_dose", "Aspirin", "81 mg")]


LABELS = sorted({label for kind in SENTENCE_KINDS.values() for label in kind.heads | kind.tails})
PART = st.tuples(
    st.sampled_from(["a", "\u00e9\u0301", "5 mg", "\U0001f600", "\u05d0\u05d1", "-", "..."]),
    st.sampled_from([*LABELS, ""]),
    st.sampled_from([" ", ", ", ". ", "\n", "\n\n", " for ", " of the "]),
)


@settings(max_examples=60)
@given(st.lists(PART, max_size=25))
def test_whatever_the_text_links_join_given_mentions_once_and_in_order(parts):
    relator = SentenceRelator(minimum_probability=0)
    document, entities = marked(
        "".join(f"[{text}|{label}]{gap}" if label else text + gap for text, label, gap in parts)
    )

    found = list(relator.relations(document, entities))

    keys = [(entities.index(one.head), entities.index(one.tail), one.label) for one in found]
    assert keys == sorted(set(keys))
    for one in found:
        assert SENTENCE_KINDS[one.label].fits(one.head.label, one.tail.label)
        assert one.head.span != one.tail.span


@pytest.mark.parametrize("gap", [". ", ", "])
def test_thousands_of_mentions_take_less_than_a_second(relator, gap):
    document, entities = marked(
        gap.join(f"[drug{n}|drug] [{n} mg|dose] [pain{n}|disease] [arm|anatomy]" for n in range(1500))
    )

    began = time.process_time()
    count = len(list(relator.relations(document, entities)))

    assert time.process_time() - began < 3  # 0.3 s on an idle machine
    assert count >= 1500
