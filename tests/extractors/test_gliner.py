"""GLiNER: passages and places are exact, and a tiny random model runs through the real library."""

import warnings

import pytest
from hypothesis import given, strategies as st

from extractor.errors import ConfigError, MissingToolError
from extractor.extractors.gliner import (
    LONGEST_WORD,
    Found,
    GlinerExtractor,
    passages,
    placed,
    without_overlap,
)
from extractor.registry import load
from tests.extractors.made import document, table
from tests.ner import made

TEXT = st.text(st.sampled_from("ab Z9.,;\n-_\u0301\U0001f48a\u05d0"), max_size=150)


@given(TEXT, st.integers(1, 30), st.integers(0, 10), st.integers(0, 99))
def test_passages_quote_the_stretch_and_answer_once_for_each_word(text, limit, overlap, offset):
    made_of = list(passages(offset, text, limit=limit, overlap=overlap))

    answered = []
    for passage in made_of:
        begin = passage.offset - offset
        assert text[begin : begin + len(passage.text)] == passage.text
        for word, start, end in zip(
            passage.words.texts, passage.words.starts, passage.words.ends, strict=True
        ):
            assert text[start - offset : end - offset] == word
        answered.extend(passage.words.starts[passage.keep_first : passage.keep_last])
    assert answered == sorted(set(answered))
    assert len(answered) == sum(1 for _ in passages(0, text, limit=1, overlap=0))


def test_what_the_model_finds_is_placed_in_the_document():
    (passage,) = passages(100, "took aspirin today", limit=10, overlap=2)

    (mention,) = placed(passage, [{"start": 5, "end": 12, "label": "drug", "score": 0.75}])

    assert mention == Found(105, 112, "drug", 0.75)


def test_a_part_of_a_word_becomes_the_word_and_white_space_nothing():
    (passage,) = passages(0, "cafe\u0301 aspirin", limit=10, overlap=2)

    assert [(each.start, each.end) for each in placed(passage, [
        {"start": 0, "end": 4, "label": "x", "score": 0.5}, {"start": 5, "end": 6, "label": "x", "score": 0.5},
    ])] == [(0, 5)]  # fmt: skip


def test_a_mention_in_the_shared_words_is_given_once():
    text = " ".join(f"w{number}" for number in range(30))
    first, second, *_ = passages(0, text, limit=20, overlap=10)
    start = text.index("w12")
    given_by_both = [
        list(placed(each, [{"start": start - each.offset, "end": start + 3 - each.offset, "label": "x", "score": 0.9}]))
        for each in (first, second)
    ]  # fmt: skip

    assert sum(len(found) for found in given_by_both) == 1


def test_of_an_endless_word_the_model_sees_the_beginning_and_the_mention_covers_it_whole():
    text = "gene " + "ACGT" * 1000 + " end"
    (passage,) = passages(0, text, limit=10, overlap=2)

    assert len(passage.text) == len(text)
    assert len(passage.text.split()[1]) == LONGEST_WORD
    (mention,) = placed(passage, [{"start": 5, "end": 105, "label": "x", "score": 0.9}])
    assert text[mention.start : mention.end] == "ACGT" * 1000


def test_of_two_that_overlap_the_likelier_stands():
    likely, long, apart = Found(3, 6, "x", 0.9), Found(0, 5, "y", 0.6), Found(7, 9, "x", 0.5)

    assert without_overlap([long, likely, apart]) == [likely, apart]
    assert without_overlap([Found(0, 3, "x", 0.5), Found(0, 5, "x", 0.5)]) == [Found(0, 5, "x", 0.5)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A GLiNER model with random weights, saved as such models are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries, at import
        import torch
        from gliner import GLiNER
        from transformers import PreTrainedTokenizerFast

    base = tmp_path_factory.mktemp("gliner")
    made.bert(base / "encoder", ("O",), places=512)
    PreTrainedTokenizerFast(
        tokenizer_file=str(base / "encoder" / "tokenizer.json"), pad_token="[PAD]", unk_token="[UNK]",
        cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
    ).save_pretrained(str(base / "encoder"))  # fmt: skip
    torch.manual_seed(4)
    settings = {
        "model_name": str(base / "encoder"),
        "name": "tiny",
        "hidden_size": 32,
        "max_width": 3,
        "max_len": 40,
        "span_mode": "markerV0",
    }
    model = GLiNER.from_config(settings, backbone_from_pretrained=False)
    model.save_pretrained(str(base / "tiny-gliner"), safe_serialization=True)
    return base / "tiny-gliner"


LABELS = {"medicine": "drug", "illness": "disease"}
LETTER = (
    "The patient took ASPIRIN for naïve \U0001f48a fever.\fSevere\nheadache after ibuprofen. "
    + "and nausea " * 60
)


@pytest.fixture(scope="module")
def extractor(folder):
    return GlinerExtractor(model=str(folder), labels=LABELS, threshold=0.3, device="cpu", window_words=30)


def test_a_real_model_gives_scored_mentions_on_whole_words_in_order(extractor):
    doc = document(LETTER)
    entities = list(extractor.entities(doc))

    assert len(entities) > 10
    assert {entity.label for entity in entities} <= {"drug", "disease"}
    assert all(0.3 <= entity.score <= 1.0 and entity.probability is None for entity in entities)
    ends = [0, *(entity.span.end for entity in entities)]
    assert all(end <= entity.span.start for end, entity in zip(ends, entities, strict=False))
    assert all(entity.span.of(doc.text) == entity.span.of(doc.text).strip() for entity in entities)
    assert max(entity.span.start for entity in entities) > 400  # the text beyond one window is read too


def test_no_mention_reaches_over_a_cell_or_page(extractor):
    for doc in (table(("severe", "headache"), ("took", "aspirin")), document("one two\fthree four")):
        quoted = [entity.span.of(doc.text) for entity in extractor.entities(doc)]
        assert quoted
        assert not any(mark in text for text in quoted for mark in "\t\n\f")


def test_the_same_document_gives_the_same(extractor):
    assert list(extractor.entities(document(LETTER))) == list(extractor.entities(document(LETTER)))


def test_the_maker_names_the_model_and_pins_its_files(extractor):
    assert extractor.maker.model == "tiny-gliner"
    assert len(extractor.maker.model_sha256) == 64


def test_nothing_is_found_in_nothing(extractor):
    assert list(extractor.entities(document(""))) == []


@pytest.mark.parametrize(
    "change", [{"labels": {}}, {"threshold": 1.5}, {"overlap_words": 500}, {"window_words": 0}]
)
def test_settings_out_of_range_are_told(folder, change):
    with pytest.raises(ConfigError, match="gliner extractor"):
        GlinerExtractor(**{"model": str(folder), "labels": LABELS, **change})


def test_a_folder_that_is_no_such_model_is_a_missing_tool(folder, tmp_path):
    with pytest.raises(MissingToolError, match="no GLiNER model"):
        GlinerExtractor(model=str(tmp_path), labels=LABELS)


def test_the_registry_knows_it():
    assert load("extractors", "gliner") is GlinerExtractor
