"""Each prediction and each annotation is used once, and as many as possible are."""

from itertools import permutations

import hypothesis.strategies as st
from hypothesis import given

from extractor.evaluation.matching import Place, pair_up, without_alternatives
from extractor.spans import Span


def place(start, end, kind="drug"):
    return Place(kind, Span(start, end))


spans = st.tuples(st.integers(0, 12), st.integers(1, 5)).map(lambda pair: (pair[0], pair[0] + pair[1]))
sides = st.lists(
    st.builds(lambda span, kind: place(*span, kind), spans, st.sampled_from("ab")), max_size=5, unique=True
)


def most_pairs(gold, predicted):
    """The size of the best pairing, by trying them all."""
    short, long = sorted((gold, predicted), key=len)
    return max(
        sum(
            one.type == two.type and one.span.overlaps(two.span)
            for one, two in zip(short, order, strict=False)
        )
        for order in permutations(long)
    )


def test_strict_needs_the_same_span_and_type():
    gold = [place(0, 5), place(8, 12)]

    assert pair_up(gold, [place(0, 5, "disease"), place(8, 11), place(8, 12)], "strict") == [(1, 2)]


def test_a_long_prediction_over_two_annotations_counts_once():
    assert len(pair_up([place(0, 3), place(4, 8)], [place(0, 8)], "overlap")) == 1


def test_equal_spans_are_paired_before_others():
    assert pair_up([place(0, 8), place(4, 8)], [place(4, 8)], "overlap") == [(1, 0)]


def test_touching_spans_share_no_character():
    assert pair_up([place(0, 4)], [place(4, 8)], "overlap") == []


@given(sides, sides)
def test_overlap_finds_as_many_pairs_as_can_be(gold, predicted):
    pairs = pair_up(gold, predicted, "overlap")

    assert len({g for g, _ in pairs}) == len({p for _, p in pairs}) == len(pairs)
    assert all(
        gold[g].type == predicted[p].type and gold[g].span.overlaps(predicted[p].span) for g, p in pairs
    )
    assert len(pairs) == most_pairs(gold, predicted)


@given(sides, sides, st.randoms())
def test_the_order_of_either_side_changes_no_count(gold, predicted, random):
    shuffled = random.sample(gold, len(gold)), random.sample(predicted, len(predicted))

    for match in ("strict", "overlap"):
        assert len(pair_up(gold, predicted, match)) == len(pair_up(*shuffled, match))


def test_other_readings_of_a_mention_are_left_away_and_the_found_one_is_kept():
    readings = [place(0, 12), place(0, 5), place(6, 12), place(20, 24)]

    assert without_alternatives(readings, []) == [place(0, 5), place(6, 12), place(20, 24)]
    assert without_alternatives(readings, [place(0, 12)]) == [place(0, 12), place(20, 24)]
    assert without_alternatives(readings, [place(6, 12)]) == [place(0, 5), place(6, 12), place(20, 24)]
