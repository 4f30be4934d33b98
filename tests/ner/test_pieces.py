"""Word pieces, word by word, as an encoder's own tokeniser makes them."""

import json

import pytest

from extractor.errors import MissingToolError
from extractor.ner import pieces
from extractor.ner.pieces import Pieces
from tests.ner import made


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return Pieces(made.word_piece(tmp_path_factory.mktemp("bert")))


def test_known_words_are_one_piece_and_others_are_spelled(bert):
    aspirin, odd = bert.of(["Aspirin", "xy"])

    assert [made.VOCABULARY[place] for place in aspirin] == ["aspirin"]
    assert [made.VOCABULARY[place] for place in odd] == ["x", "##y"]
    assert (bert.begin, bert.end, bert.pad) == (2, 3, 0)


def test_a_control_character_has_no_piece(bert):
    assert bert.of(["\x00"]) == [()]


def test_what_is_remembered_stays_bounded(bert, monkeypatch):
    monkeypatch.setattr(pieces, "KEPT_WORDS", 3)
    words = ["a", "b", "c", "d", "e", "a"]

    before = bert.of(words)
    assert bert.of(words) == before
    bert.of(["f"])

    assert len(bert._known) == 1


def test_a_tokeniser_of_bytes_reads_every_word_as_one_within_a_sentence(tmp_path):
    roberta = Pieces(made.byte_level(tmp_path))
    tokens = [roberta._tokenizer.id_to_token(place) for place in roberta.of(["ab"])[0]]

    assert tokens == ["Ġa", "b"]
    assert (roberta.begin, roberta.end, roberta.pad) == (0, 2, 1)


def test_a_tokeniser_of_bytes_within_a_sequence_gets_its_blank_too(tmp_path):
    path = made.byte_level(tmp_path)
    described = json.loads(path.read_text())
    described["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, described["pre_tokenizer"]],
    }
    path.write_text(json.dumps(described))

    assert Pieces(path).of(["a"]) == [(Pieces(path)._tokenizer.token_to_id("Ġa"),)]


@pytest.mark.parametrize("content", [None, "no json", "without marks"])
def test_what_is_no_tokeniser_of_an_encoder_is_a_missing_tool(tmp_path, content):
    path = made.word_piece(tmp_path)
    if content is None:
        path.unlink()
    elif content == "no json":
        path.write_text("{")
    else:
        path.write_text(json.dumps({**json.loads(path.read_text()), "post_processor": None}))

    with pytest.raises(MissingToolError, match=r"tokenizer\.json"):
        Pieces(path)
