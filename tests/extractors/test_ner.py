"""The trained recogniser as an extractor: own and foreign folders, documents one by one and together."""

import pytest

from extractor.errors import ConfigError
from extractor.extractors.ner import NerExtractor
from extractor.ner.model import load_model
from extractor.ports import BatchExtractor
from extractor.registry import load
from tests.extractors.made import document, table
from tests.ner import made
from tests.ner.conftest import foreign_folder, own_folder  # noqa: F401  # fixtures

LABELS = {"Chemical": "drug", "Disease": "disease"}
LETTER = "The patient took aspirin and ibuprofen.\fSevere\nheadache after aspirin. No severe headache with ibuprofen."


@pytest.fixture(scope="module")
def foreign(foreign_folder):  # noqa: F811
    return NerExtractor(model=str(foreign_folder), backend="torch", device="cpu", labels=LABELS)


def quoted(entities, doc):
    return [(entity.span.of(doc.text), entity.label) for entity in entities]


def test_a_hugging_face_model_finds_what_it_learned(foreign):
    doc = document(LETTER)

    assert quoted(foreign.entities(doc), doc) == [
        ("aspirin", "drug"), ("ibuprofen", "drug"), ("Severe\nheadache", "disease"), ("aspirin", "drug"),
        ("severe headache", "disease"), ("ibuprofen", "drug"),
    ]  # fmt: skip


def test_a_mention_over_a_line_break_is_marked_normalised(foreign):
    doc = document(LETTER)
    by_text = {entity.span.of(doc.text): entity for entity in foreign.entities(doc)}

    assert by_text["Severe\nheadache"].alignment == "normalised"
    assert by_text["severe headache"].alignment == "exact"


def test_a_foreign_model_gives_scores_and_no_probabilities(foreign):
    entities = list(foreign.entities(document(LETTER)))

    assert all(entity.score is not None and entity.score > 0.5 for entity in entities)
    assert {entity.probability for entity in entities} == {None}
    assert {entity.maker.model for entity in entities} == {"tiny-bio"}


def test_documents_together_give_what_they_give_alone(foreign):
    documents = [document(text) for text in (LETTER, "", "nothing here", LETTER * 3, "\f\f", "took aspirin")]

    together = list(foreign.entities_of(documents))

    assert isinstance(foreign, BatchExtractor)
    assert len(together) == len(documents)
    for doc, found in zip(documents, together, strict=True):
        assert [(entity.span, entity.label) for entity in found] == [
            (entity.span, entity.label) for entity in foreign.entities(doc)
        ]


def test_no_documents_give_nothing(foreign):
    assert list(foreign.entities_of([])) == []


def test_no_mention_reaches_over_a_cell(foreign):
    doc = table(("severe", "headache"), ("took aspirin", "ibuprofen"))

    assert all("\t" not in text and "\n" not in text for text, _ in quoted(foreign.entities(doc), doc))


def test_types_and_least_score_restrict_what_is_reported(foreign_folder):  # noqa: F811
    settings = {"model": str(foreign_folder), "backend": "torch", "labels": LABELS}
    doc = document(LETTER)

    drugs = NerExtractor(**settings, types=["drug"])
    assert {entity.label for entity in drugs.entities(doc)} == {"drug"}
    assert list(NerExtractor(**settings, min_probability=1.0).entities(doc)) == []


def test_a_byte_level_model_is_read(tmp_path):
    import torch
    from transformers import RobertaConfig, RobertaForTokenClassification

    made.byte_level(tmp_path)
    torch.manual_seed(2)
    config = RobertaConfig(
        vocab_size=400, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=40, pad_token_id=1, bos_token_id=0, eos_token_id=2, type_vocab_size=1,
        id2label={0: "O", 1: "B-Drug", 2: "I-Drug"}, label2id={"O": 0, "B-Drug": 1, "I-Drug": 2},
        initializer_range=0.5,
    )  # fmt: skip
    RobertaForTokenClassification(config).save_pretrained(str(tmp_path))
    doc = document("Naïve patients took 5 mg of aspirin " * 20 + "x" * 300)

    entities = list(NerExtractor(model=str(tmp_path), backend="torch", labels={"Drug": "drug"}).entities(doc))

    assert entities
    assert all(entity.span.of(doc.text).strip() == entity.span.of(doc.text) for entity in entities)


def test_an_own_model_carries_calibrated_probabilities(own_folder):  # noqa: F811
    extractor = NerExtractor(model=str(own_folder))
    entities = list(extractor.entities(document(LETTER * 5)))
    fitted = load_model(str(own_folder), extractor="ner", version="1.0").calibration

    assert entities
    for entity in entities:
        assert entity.probability == pytest.approx(fitted[entity.label].probability(entity.score))
    assert extractor.maker.model == "tiny"


def test_half_precision_and_eight_bit_weights_say_nearly_the_same(own_folder):  # noqa: F811
    doc = document(LETTER * 5)
    by_torch = NerExtractor(model=str(own_folder), backend="torch", device="cpu", precision="fp16")
    by_onnx = NerExtractor(model=str(own_folder))

    first, second = ({(e.span, e.label) for e in each.entities(doc)} for each in (by_torch, by_onnx))

    assert len(first & second) / len(first | second) > 0.6  # random weights: every word is a close call


def test_the_registry_knows_it_and_settings_are_checked(foreign_folder):  # noqa: F811
    assert load("extractors", "ner") is NerExtractor
    with pytest.raises(ConfigError, match="give labels"):
        NerExtractor(model=str(foreign_folder), backend="torch")
