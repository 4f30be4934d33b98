"""Any spaCy pipeline as an extractor, here a blank one with an entity ruler, from a folder as an installed one is."""

import pytest
import spacy
from hypothesis import given, strategies as st

from extractor.errors import ConfigError, MissingToolError
from extractor.extractors import spacy_ner
from extractor.extractors.foreign import folder_sha256
from extractor.extractors.spacy_ner import SpacyExtractor
from extractor.registry import load
from tests.extractors.made import document, found, table

PATTERNS = [
    {"label": "CHEMICAL", "pattern": [{"LOWER": "aspirin"}]},
    {
        "label": "DISEASE",
        "pattern": [{"LOWER": "severe"}, {"IS_SPACE": True, "OP": "?"}, {"LOWER": "headache"}],
    },
    {"label": "ORG", "pattern": "WHO"},
]
LABELS = {"CHEMICAL": "drug", "DISEASE": "disease"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipelines") / "ruled"
    nlp = spacy.blank("en")
    nlp.meta["name"], nlp.meta["version"] = "ruled", "0.3.1"
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("entity_ruler").add_patterns(PATTERNS)
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def extractor(folder):
    return SpacyExtractor(pipeline=str(folder), labels=LABELS)


def test_mentions_have_our_types_and_quote_the_text(extractor):
    doc = document("\U0001f48a Cafe\u0301: ASPIRIN after severe  headache.\f The WHO says aspirin.")

    assert found(extractor, doc) == [
        ("ASPIRIN", "drug", None), ("severe  headache", "disease", None), ("aspirin", "drug", None),
    ]  # fmt: skip


def test_a_pipeline_gives_neither_scores_nor_probabilities(extractor):
    (entity,) = extractor.entities(document("aspirin"))

    assert entity.score is None
    assert entity.probability is None


def test_the_maker_names_the_pipeline_and_pins_its_files(extractor, folder):
    assert (extractor.maker.made_by, extractor.maker.model) == ("spacy@1.0", "en_ruled")
    assert extractor.maker.model_version == "0.3.1"
    assert extractor.maker.model_sha256 == folder_sha256(folder)


def test_the_digest_changes_with_a_files_name_and_content(tmp_path):
    (tmp_path / "a").write_text("1")
    first = folder_sha256(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = folder_sha256(tmp_path)
    (tmp_path / "b").write_text("2")

    assert len({first, second, folder_sha256(tmp_path)}) == 3


def test_no_mention_reaches_over_a_cell(extractor):
    assert found(extractor, table(("severe", "headache"), ("severe headache", "aspirin"))) == [
        ("severe headache", "disease", None), ("aspirin", "drug", None),
    ]  # fmt: skip


def test_a_mention_over_a_line_is_marked_normalised(extractor):
    (entity,) = extractor.entities(document("severe\nheadache"))

    assert entity.alignment == "normalised"


@given(st.lists(st.sampled_from(["aspirin", "severe headache", "n\u0303", "\U0001f9ec", "\u05d0", "x", ",", "\x00"]), max_size=12),
       st.sampled_from([" ", "  ", "\n\n", "\t", "\f"]))  # fmt: skip
def test_places_are_exact_whatever_stands_around(extractor, words, gap):
    doc = document(gap.join(words))

    assert [text for text, _, _ in found(extractor, doc)] == [
        word for word in words if word in {"aspirin", "severe headache"}
    ]


def test_a_long_document_is_read_in_stretches(extractor):
    doc = document("the aspirin helps " * 12_000)

    assert len(doc.text) > 4 * 50_000
    assert len(found(extractor, doc)) == 12_000


def test_the_word_store_is_made_anew_when_it_has_grown(folder, monkeypatch):
    monkeypatch.setattr(spacy_ner, "FRESH_AFTER", 500)
    extractor = SpacyExtractor(pipeline=str(folder), labels=LABELS)
    sizes = []
    for number in range(8):
        text = " ".join(f"w{number}q{word}" for word in range(400)) + " aspirin"
        assert len(found(extractor, document(text))) == 1
        sizes.append(len(extractor._nlp.vocab.strings))

    assert max(sizes[4:]) <= max(sizes[:4])


def test_a_pipeline_that_is_not_installed_names_the_package():
    with pytest.raises(MissingToolError, match="en_no_such_pipeline"):
        SpacyExtractor(pipeline="en_no_such_pipeline", labels=LABELS)


def test_a_pipeline_whose_component_is_not_installed_is_a_missing_tool(folder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = copy / "config.cfg"
    config.write_text(config.read_text().replace('factory = "sentencizer"', 'factory = "no_such_factory"'))

    with pytest.raises(MissingToolError, match="a package that it needs"):
        SpacyExtractor(pipeline=str(copy), labels=LABELS)


def test_labels_that_the_pipeline_has_not_are_told_with_those_it_has(folder):
    with pytest.raises(ConfigError, match="no label 'DRUG'; it has CHEMICAL, DISEASE, ORG"):
        SpacyExtractor(pipeline=str(folder), labels={"DRUG": "drug"})
    with pytest.raises(ConfigError, match="needs labels"):
        SpacyExtractor(pipeline=str(folder), labels={})


def test_a_pipeline_without_entities_is_a_setting_error(folder):
    with pytest.raises(ConfigError, match="finds entities"):
        SpacyExtractor(pipeline=str(folder), labels=LABELS, exclude=["entity_ruler"])


def test_the_registry_knows_it():
    assert load("extractors", "spacy") is SpacyExtractor
