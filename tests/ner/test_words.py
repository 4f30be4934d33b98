"""Words and windows: every word quotes itself, every word is answered for once."""

import pytest
from hypothesis import given, strategies as st

from extractor.ner.words import Words, windows_of, words_of

TEXT = st.text(
    st.one_of(
        st.sampled_from("ab Z9.,;!?()\n\t\f-_/\u0301\u0308\U0001f48a\u05d0\u0645\u200f\u00df\x00\x1f\u4e2d"),
        st.characters(blacklist_categories=("Cs",)),
    ),
    max_size=120,
)


@given(TEXT, st.lists(st.integers(0, 120), max_size=6), st.integers(0, 1000))
def test_each_word_quotes_itself_and_only_white_space_is_between(text, borders, offset):
    words = words_of(text, borders, offset=offset)

    end = 0
    for word, start, stop in zip(words.texts, words.starts, words.ends, strict=True):
        assert text[start - offset : stop - offset] == word
        assert text[end : start - offset].strip() == ""
        end = stop - offset
    assert text[end:].strip() == ""
    assert list(words.breaks) == sorted(set(words.breaks))
    assert all(0 < place < len(words) for place in words.breaks)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5-FU, 10mg/kg", ["5", "-", "FU", ",", "10mg", "/", "kg"]),
        ("cafe\u0301 naïve", ["cafe\u0301", "naïve"]),
        ("\U0001f48a\U0001f9ec pill", ["\U0001f48a", "\U0001f9ec", "pill"]),
        ("\u05db\u05d0\u05d1 \u0623\u0644\u0645", ["\u05db\u05d0\u05d1", "\u0623\u0644\u0645"]),
        ("a\x00b", ["a", "\x00", "b"]),
        ("IL_2", ["IL", "_", "2"]),
        (" \n\t ", []),
        ("", []),
    ],
)
def test_text_parts_into_words(text, expected):
    assert list(words_of(text).texts) == expected


def broken(text, borders=()):
    words = words_of(text, borders)
    return [words.texts[place] for place in words.breaks]


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("It hurt. She left.", ["She"]),
        ("Is it (so?) Yes.", ["Yes"]),
        ("Seen by Dr. Smith today.", []),
        ("cf. Fig. 2 and J. Doe et al. Nature", []),
        ("pH of 7.4 was 3.Then", []),
        ("dose of 5 mg. then more", []),
        ("first\n\nsecond", ["second"]),
        ("first\nsecond", []),
        ("one\ftwo", ["two"]),
        ("Ende\uff01 Neu", ["Neu"]),
    ],
)
def test_sentences_begin_where_a_reader_would_say(text, begins):
    assert broken(text) == begins


def test_a_border_begins_something_new_whatever_the_punctuation():
    assert broken("potassium 4.1 sodium 140", [14]) == ["sodium"]


def covered(words, lengths, limit, overlap=32):
    windows = windows_of(words, lengths, limit=limit, overlap=overlap)
    kept = [place for window in windows for place in range(window.keep_first, window.keep_last)]
    return windows, kept


@st.composite
def sized_words(draw):
    lengths = draw(st.lists(st.integers(0, 9), max_size=60))
    count = len(lengths)
    breaks = draw(st.sets(st.integers(1, count - 1))) if count > 1 else set()
    places = tuple(range(count))
    words = Words(("w",) * count, places, tuple(place + 1 for place in places), tuple(sorted(breaks)))
    return words, lengths


@given(sized_words(), st.integers(1, 40), st.integers(0, 20))
def test_windows_keep_every_word_exactly_once_and_within_the_limit(made, limit, overlap):
    words, lengths = made

    windows, kept = covered(words, lengths, limit, overlap)

    assert kept == list(range(len(words)))
    for window in windows:
        assert window.first <= window.keep_first <= window.keep_last <= window.last
        size = sum(lengths[window.first : window.last])
        assert size <= limit or window.last - window.first == 1


def test_windows_are_cut_where_sentences_begin():
    words = words_of("One two three. Four five six. Seven eight.")
    windows, _ = covered(words, [1] * len(words), 9)

    assert [words.texts[window.first] for window in windows] == ["One", "Seven"]


def test_a_long_sentence_is_read_in_windows_that_overlap_and_share_the_words_in_the_middle():
    words = words_of(" ".join(["word"] * 100))
    windows, kept = covered(words, [1] * 100, 40, overlap=10)

    assert [(window.first, window.last) for window in windows] == [(0, 40), (30, 70), (60, 100)]
    assert [(window.keep_first, window.keep_last) for window in windows] == [(0, 35), (35, 65), (65, 100)]
    assert kept == list(range(100))


def test_an_endless_word_has_a_window_of_its_own():
    words = words_of("a b c")
    windows, _ = covered(words, [1, 500, 1], 10, overlap=0)

    assert [(window.first, window.last) for window in windows] == [(0, 1), (1, 2), (2, 3)]
