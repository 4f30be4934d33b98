from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from extractor.extractors.dictionary import DictionaryExtractor
from extractor.vocabulary import fold
from tests.extractors.made import document, found, table


@pytest.fixture(scope="module")
def dictionary():
    return DictionaryExtractor()


def test_drugs_and_diseases_carry_their_codes(dictionary):
    doc = document("Warfarin was given for atrial fibrillation.")
    drug, disease = dictionary.entities(doc)
    assert (drug.label, drug.code.system, drug.code.code) == ("drug", "DRUGBANK", "DB00682")
    assert (disease.label, disease.code.system, disease.code.code) == ("disease", "MESH", "D001281")
    assert drug.code.vocabulary_version.startswith("vocabulary-drugs/")
    assert drug.maker.model == "vocabulary-drugs"
    assert len(drug.maker.model_sha256) == 64
    assert disease.maker.model == "vocabulary-diseases"


def test_the_longest_term_wins(dictionary):
    doc = document("insulin glargine for type 2 diabetes mellitus")
    assert [text for text, *_ in found(dictionary, doc)] == ["insulin glargine", "type 2 diabetes mellitus"]


@pytest.mark.parametrize(
    "text",
    ["Heart attacks", "heart-attack", "HEART ATTACK", "heart\u00a0attack", "heart\nattack"],
)
def test_case_plural_hyphen_and_line_variants_match(dictionary, text):
    assert [name for _, _, name in found(dictionary, document(text))] == ["Myocardial Infarction"]


def test_a_match_over_a_line_break_is_normalised_and_an_ordinary_one_exact(dictionary):
    over, plain = dictionary.entities(document("myocardial\ninfarction. Then myocardial infarction."))
    assert (over.alignment, plain.alignment) == ("normalised", "exact")


def test_a_word_hyphenated_over_a_line_break_is_found_whole(dictionary):
    doc = document("She took aceta-\nminophen twice.")
    (entity,) = dictionary.entities(doc)
    assert (entity.span.of(doc.text), entity.alignment) == ("aceta-\nminophen", "normalised")


@pytest.mark.parametrize("gap", ["\t", "\n\n", "\f"])
def test_a_match_never_crosses_a_cell_a_blank_line_or_a_page(dictionary, gap):
    texts = [text for text, *_ in found(dictionary, document(f"myocardial{gap}infarction"))]
    assert texts == ["infarction"]


def test_a_match_never_crosses_rows_of_a_table_but_may_run_on_in_its_cell(dictionary):
    rows = table(("myocardial", "x"), ("infarction", "y"))
    one_cell = table(("myocardial\ninfarction", "x"))
    assert [text for text, *_ in found(dictionary, rows)] == ["infarction"]
    assert [text for text, *_ in found(dictionary, one_cell)] == ["myocardial\ninfarction"]


@pytest.mark.parametrize(
    "text",
    [
        "The patient can act today; the date of the fair is set, and water, air, ice and gold have an impact.",
        "They all lead the trial at a high rate of speed.",
        "as was said, it is in the other cell",
        "The cGMP inspection covered sterility.",
    ],
)
def test_everyday_words_are_no_drugs_and_no_diseases(dictionary, text):
    assert found(dictionary, document(text)) == []


def test_an_abbreviation_nobody_explains_is_not_reported(dictionary):
    assert found(dictionary, document("HD 4: PD was measured; ALL SITES WERE VISITED.")) == []


def test_a_trusted_abbreviation_counts_in_capitals_only(dictionary):
    doc = document("COPD is not copd.")
    assert [text for text, *_ in found(dictionary, doc)] == ["COPD"]


def test_a_short_form_the_document_defines_carries_the_code_everywhere(dictionary):
    doc = document("HD was seen. Huntington disease (HD) runs in the family; HD is rare.")
    entities = list(dictionary.entities(doc))
    assert [entity.span.of(doc.text) for entity in entities] == ["HD", "Huntington disease", "HD", "HD"]
    assert len({entity.code for entity in entities}) == 1


def test_a_short_form_the_document_defines_otherwise_is_no_disease(dictionary):
    doc = document("Pharmacodynamics (PD) of the drug in Parkinson disease: PD was linear.")
    assert [text for text, *_ in found(dictionary, doc)] == ["Parkinson disease"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("serum potassium 4.1", []),
        ("glucose 412 mg/dL", []),
        ("creatinine level", []),
        ("potassium 20 mEq daily", ["potassium"]),
        ("calcium and zinc", ["calcium", "zinc"]),
    ],
)
def test_a_measured_substance_is_no_drug_where_it_reads_as_a_result(dictionary, text, expected):
    assert [quote for quote, label, _ in found(dictionary, document(text)) if label == "drug"] == expected


def test_a_result_in_the_next_cell_is_a_result_too(dictionary):
    assert found(dictionary, table(("Sodium", "138"))) == []


def test_parts_of_addresses_and_codes_are_no_mentions(dictionary):
    assert found(dictionary, document("aspirin@example.org and user@aspirin.example")) == []


def test_further_terms_can_be_stopped():
    stopped = DictionaryExtractor(stop=["warfarin", "AKI"])
    assert found(stopped, document("Warfarin; acute kidney injury (AKI); AKI")) == [
        ("acute kidney injury", "disease", "Acute Kidney Injury")
    ]


def test_the_extractor_s_own_maker_pins_all_its_packs(dictionary):
    assert dictionary.maker.model == "vocabulary-drugs+vocabulary-diseases"
    assert dictionary.maker.model_sha256 not in {maker.model_sha256 for maker in dictionary.makers}


def test_one_pack_alone_can_be_asked_for():
    drugs = DictionaryExtractor(packs={"drug": "vocabulary-drugs"})
    assert drugs.maker.model == "vocabulary-drugs"
    assert [text for text, *_ in found(drugs, document("aspirin for asthma"))] == ["aspirin"]


PARTS = st.sampled_from(
    [
        "aspirin",
        "Huntington disease",
        "(HD)",
        "HD",
        "\U0001f48a",
        "e\u0301",
        "\u05d0\u05e1\u05e4",
        "\t",
        "\n",
        "\n\n",
        "\f",
        "-",
        "'s",
        "myocardial",
        "infarction",
        "5 mg",
        "COPD",
        " ",
        "\u0645\u0631\u0636",
        "s",
    ]
)


@given(st.lists(PARTS, max_size=30).map(" ".join))
@settings(max_examples=100, deadline=None)
def test_spans_are_ordered_apart_and_quote_what_matched(text):
    doc = document(text)
    end = 0
    for entity in DictionaryExtractor().entities(doc):
        quote = entity.span.of(doc.text)
        assert entity.span.start >= end
        assert quote == quote.strip()
        assert "\t" not in quote
        assert "\f" not in quote
        assert fold(quote)
        end = entity.span.end


def test_a_document_of_two_million_characters_is_read_to_its_end(dictionary):
    doc = document(("filler words without meaning " * 30 + "\n\n") * 2_300 + "warfarin")
    assert len(doc.text) > 2_000_000
    (entity,) = dictionary.entities(doc)
    assert entity.span.of(doc.text) == "warfarin"
