"""Whether a probability can be believed, and whether it ranks."""

import random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from extractor.evaluation.calibration import auroc, calibrate, expected_error

judged = st.lists(st.tuples(st.integers(0, 10).map(lambda n: n / 10), st.booleans()), min_size=1, max_size=60)


@given(judged.filter(lambda each: len({right for _, right in each}) == 2))
def test_auroc_is_the_chance_that_a_right_one_stands_above_a_wrong_one(judged):
    right = [probability for probability, is_right in judged if is_right]
    wrong = [probability for probability, is_right in judged if not is_right]
    wins = sum((a > b) + (a == b) / 2 for a in right for b in wrong)

    assert auroc(judged) == pytest.approx(wins / (len(right) * len(wrong)))


@given(judged, st.randoms())
def test_the_order_of_the_mentions_does_not_matter(judged, random):
    assert expected_error(judged) == pytest.approx(expected_error(random.sample(judged, len(judged))))


def test_the_expected_error_is_that_of_counting_by_hand():
    judged = [(0.9, True)] * 3 + [(0.9, False)] + [(0.2, False)] * 4

    assert expected_error(judged, bins=2) == pytest.approx((abs(0.9 - 0.75) + 0.2) / 2)


def test_a_probability_that_comes_true_has_a_small_error():
    random.seed(3)
    drawn = [random.random() for _ in range(6000)]
    honest = [(p, random.random() < p) for p in drawn]
    boasting = [(p**0.3, right) for p, right in honest]

    assert calibrate(honest).ece < 0.03 < 0.15 < calibrate(boasting).ece
    assert calibrate(honest).auroc == pytest.approx(calibrate(boasting).auroc), "ranking is another matter"
    assert calibrate(honest).verdict == "ranks"


def test_what_cannot_rank_is_said_plainly():
    assert calibrate([(None, False)] * 200).verdict == "cannot rank: no probability"
    assert calibrate([]).verdict == "cannot rank: no mention"
    few = calibrate([(0.9, True)] * 500 + [(0.1, False)] * 99)
    assert (few.verdict, few.auroc, few.errors) == ("cannot rank: 99 errors, 100 needed", None, 99)
    assert few.ece is not None
    enough = calibrate([(0.9, True)] * 500 + [(0.1, False)] * 100 + [(None, True)])
    assert (enough.verdict, enough.auroc, enough.without_probability) == ("ranks", 1.0, 1)
    assert calibrate([(0.9, False)] * 100).verdict == "cannot rank: nothing is right"
