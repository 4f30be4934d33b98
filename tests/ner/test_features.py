"""Features: what a word looks like and whether a vocabulary knows it."""

import pytest
from hypothesis import given, strategies as st

from extractor.ner.features import KNOWN, ROWS, SHAPES, Features, shape_of, shapes
from extractor.vocabulary import Vocabulary


def vocabulary(*forms, capitals=()):
    longest = {}
    for form in (*forms, *capitals):
        first = form.split(" ")[0]
        longest[first] = max(longest.get(first, 0), form.count(" ") + 1)
    return Vocabulary(
        name="made", version="1", sha256="", codes=(), measured=frozenset(), trusted=frozenset(), longest=longest,
        forms=dict.fromkeys(forms, 0), capitals=dict.fromkeys(capitals, 0),
    )  # fmt: skip


FEATURES = Features(
    vocabulary("aspirin", "acetylsalicylic acid", "iron"),
    vocabulary("headache", "iron deficiency anemia", capitals=("ckd",)),
)


def told(text):
    return [divmod(number, len(SHAPES)) for number in FEATURES.of(text.split())]


def known(text):
    return [KNOWN[row] for row, _ in told(text)]


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("aspirin", "lower"), ("Aspirin", "title"), ("A", "title"), ("NSAID", "upper"), ("IL6", "upper"),
        ("pH", "mixed"), ("il6", "mixed"), ("Il6", "mixed"), ("500", "digit"), ("-", "lower"), ("", "lower"),
    ],
)  # fmt: skip
def test_shapes(word, shape):
    assert SHAPES[shape_of(word)] == shape
    assert shapes([word]) == [shape_of(word)]


def test_a_name_of_several_words_begins_and_goes_on():
    assert known("took Acetylsalicylic acid daily") == ["unknown", "drug begins", "drug goes on", "unknown"]


def test_the_longest_name_wins_over_the_kind():
    assert known("iron deficiency anemia") == ["disease begins", "disease goes on", "disease goes on"]
    assert known("iron tablets") == ["drug begins", "unknown"]


def test_a_hyphen_inside_a_name_is_skipped():
    assert known("iron - deficiency anemia")[0] == "disease begins"


def test_a_form_in_capitals_counts_in_capitals_only():
    assert known("CKD") == ["disease begins"]
    assert known("ckd") == ["unknown"]


def test_case_is_told_beside_the_vocabulary():
    ((row, shape),) = told("ASPIRIN")

    assert (KNOWN[row], SHAPES[shape]) == ("drug begins", "upper")


@given(st.lists(st.text(min_size=1, max_size=8), max_size=20))
def test_every_word_has_one_number_below_the_size_of_the_table(words):
    found = FEATURES.of(words)

    assert len(found) == len(words)
    assert all(0 <= number < ROWS for number in found)
