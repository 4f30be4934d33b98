"""From texts to mentions: places are exact, seams hold, order stays, memory is bounded."""

import pytest
from hypothesis import given, strategies as st

from extractor.ner import recogniser as module
from extractor.ner.features import Features
from extractor.ner.labels import LabelSet
from extractor.ner.pieces import Pieces
from extractor.ner.recogniser import Recogniser, Text
from extractor.ner.words import words_of
from tests.ner import made
from tests.ner.test_features import vocabulary

LABELS = LabelSet(("drug", "disease"))
TABLE = {
    "aspirin": "S-drug",
    "severe": "B-disease",
    "mild": "B-disease",
    "headache": "E-disease",
    "fever": "S-disease",
}


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    return Pieces(made.word_piece(tmp_path_factory.mktemp("pieces")))


def reader(pieces, *, features=None, **settings):
    backend = made.SpellingBackend(LABELS, TABLE)
    return Recogniser(backend, pieces, LABELS, features, **settings), backend


def read(recogniser, *texts):
    return [
        [(text[mention.start : mention.end], mention.kind) for mention in mentions]
        for text, mentions in zip(
            texts, recogniser.mentions(Text(words=words_of(text)) for text in texts), strict=True
        )
    ]


def test_mentions_quote_the_text(pieces):
    recogniser, _ = reader(pieces)

    assert read(recogniser, "The patient took ASPIRIN\x00 after severe\n headache; no fever.") == [
        [("ASPIRIN", "drug"), ("severe\n headache", "disease"), ("fever", "disease")]
    ]


def test_scores_are_probabilities(pieces):
    recogniser, _ = reader(pieces)
    (mentions,) = recogniser.mentions([Text(words=words_of("aspirin"))])

    assert 0.99 < mentions[0].score <= 1.0


def test_no_mention_reaches_over_a_seam(pieces):
    recogniser, _ = reader(pieces)
    words = words_of("severe headache")

    assert len(next(recogniser.mentions([Text(words=words)]))) == 1
    (mentions,) = recogniser.mentions([Text(words=words, seams=(1,))])

    assert all(mention.end <= 6 or mention.start >= 7 for mention in mentions)


def test_places_count_from_the_offset_of_the_words(pieces):
    recogniser, _ = reader(pieces)
    (mentions,) = recogniser.mentions([Text(words=words_of("no fever", offset=1000))])

    assert [(mention.start, mention.end) for mention in mentions] == [(1003, 1008)]


FILLER = st.sampled_from(["the", "zzz", "\x00", "x9", ".", ".", "patient", "\u05d0\u05d1", "and"])
NAMED = st.sampled_from(["aspirin", "severe headache", "mild headache", "fever"])


@given(st.lists(st.lists(st.one_of(FILLER, NAMED), max_size=25), min_size=1, max_size=5), st.integers(6, 60))
def test_windows_and_batches_change_nothing(pieces, drawn, limit):
    texts = [" and ".join(parts) for parts in drawn]
    recogniser, backend = reader(pieces, window_pieces=limit, batch_pieces=3 * limit)

    found = read(recogniser, *texts)

    expected = [[part for part in parts if part.split()[0] in TABLE] for parts in drawn]
    assert [[quoted for quoted, _ in mentions] for mentions in found] == expected
    assert all(width <= 3 * limit + 2 for _, width in backend.shapes)


def test_batches_keep_within_their_bound(pieces):
    recogniser, backend = reader(pieces, window_pieces=20, batch_pieces=100)
    read(recogniser, " ".join(["The patient took aspirin."] * 100))

    assert len(backend.shapes) > 3
    assert all(rows * width <= 100 for rows, width in backend.shapes)


def test_documents_are_read_group_by_group_and_keep_their_order(pieces, monkeypatch):
    monkeypatch.setattr(module, "GROUP_WORDS", 10)
    recogniser, _ = reader(pieces)
    asked = []

    def texts():
        for number in range(20):
            asked.append(number)
            yield Text(words=words_of("aspirin " * (number % 3) + "and then"))

    found = recogniser.mentions(texts())
    first = next(found)

    assert first == []
    assert len(asked) < 10  # the rest is not touched before it is wanted
    assert [len(mentions) for mentions in found] == [number % 3 for number in range(1, 20)]


def test_an_empty_text_has_no_mentions_and_a_text_of_control_characters_neither(pieces):
    recogniser, backend = reader(pieces)

    assert read(recogniser, "", "\x00\x01", "aspirin") == [[], [], [("aspirin", "drug")]]
    assert len(backend.shapes) == 1


def test_an_endless_word_is_cut_for_the_model_and_keeps_its_place(pieces):
    recogniser, backend = reader(pieces, window_pieces=10, word_pieces=15)

    assert read(recogniser, "fever " + "x9" * 40 + " aspirin") == [
        [("fever", "disease"), ("aspirin", "drug")]
    ]
    assert max(width for _, width in backend.shapes) == 17


def test_features_of_a_word_stand_on_each_of_its_pieces(pieces):
    recogniser, backend = reader(pieces, features=Features(vocabulary("xy"), vocabulary()))
    read(recogniser, "took xy")

    assert backend.features == [0, 0, 5, 5, 0]  # marks around, lower-case unknown, "drug begins" twice
