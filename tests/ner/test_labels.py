"""Labels: spans go in and come out again, and malformed labels say nothing."""

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from extractor.ner.labels import TYPES, LabelSet

LABELS = LabelSet(("drug", "disease", "dose"))


@st.composite
def spans_without_overlap(draw):
    length = draw(st.integers(0, 30))
    cuts = sorted(draw(st.sets(st.integers(0, length))))
    return length, [
        (first, last, draw(st.sampled_from(LABELS.types)))
        for first, last in zip(cuts[::2], cuts[1::2], strict=False)
    ]


@given(spans_without_overlap())
def test_spans_survive_the_round_trip(made):
    length, spans = made

    labels = LABELS.encode(length, spans)

    assert len(labels) == length
    assert LABELS.spans(labels) == spans


@given(st.lists(st.integers(0, len(LABELS.names) - 1), max_size=30))
def test_any_labels_give_spans_in_order_without_overlap(labels):
    spans = LABELS.spans(labels)

    assert all(first < last for first, last, _ in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert LABELS.spans(LABELS.encode(len(labels), spans)) == spans


def test_outside_comes_first_and_each_type_has_four_labels():
    assert LABELS.names[:5] == ("O", "B-drug", "I-drug", "E-drug", "S-drug")
    assert len(LabelSet().names) == 1 + 4 * len(TYPES)
    assert all(LABELS.names[place] == name for name, place in LABELS.index.items())


@pytest.mark.parametrize("kind", LABELS.types)
@pytest.mark.parametrize("part", ["B", "I", "E", "S"])
def test_of_names_the_place_of_a_label(kind, part):
    assert LABELS.names[LABELS.of(kind, part)] == f"{part}-{kind}"


@pytest.mark.parametrize(
    "spans", [[(0, 2, "drug"), (1, 3, "dose")], [(-1, 1, "drug")], [(2, 2, "drug")], [(3, 5, "drug")]]
)
def test_spans_that_overlap_or_leave_the_words_are_refused(spans):
    with pytest.raises(ValueError, match="overlap or leave"):
        LABELS.encode(4, spans)


@pytest.mark.parametrize(
    "names",
    [["I-drug", "E-drug"], ["B-drug", "E-dose"], ["B-drug", "O", "E-drug"], ["B-drug", "I-dose", "E-drug"]],
)
def test_malformed_labels_are_left_out(names):
    assert LABELS.spans([LABELS.index[name] for name in names]) == []
