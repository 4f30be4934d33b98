"""Scores are what counting by hand gives, and their intervals hold the truth."""

import random

import pytest

from extractor.evaluation.bootstrap import accuracy, score


def test_scores_are_those_of_counting_by_hand():
    documents = [{"drug": (2, 4, 3), "disease": (0, 1, 0)}, {"drug": (1, 1, 2)}, {"disease": (1, 1, 4)}]
    scores = score(documents, ["drug", "disease", "dose"])

    drug, disease = scores.types["drug"], scores.types["disease"]
    assert (drug.precision, drug.recall, drug.f1) == (3 / 5, 3 / 5, pytest.approx(0.6))
    assert (disease.precision, disease.recall, disease.f1) == (1 / 2, 1 / 4, pytest.approx(1 / 3))
    assert (drug.support, drug.predicted, drug.right) == (5, 5, 3)
    assert (scores.micro.precision, scores.micro.recall) == (pytest.approx(4 / 7), pytest.approx(4 / 9))
    assert scores.macro.f1 == pytest.approx((0.6 + 1 / 3) / 2), (
        "a type without support is no part of the mean"
    )


def test_a_ratio_of_nothing_is_no_number():
    nothing = score([{}], ["drug"]).types["drug"]
    missed = score([{"drug": (0, 0, 2)}], ["drug"]).types["drug"]
    invented = score([{"drug": (0, 3, 0)}], ["drug"]).types["drug"]

    assert (nothing.precision, nothing.recall, nothing.f1, nothing.low) == (None, None, None, None)
    assert (missed.precision, missed.recall, missed.f1) == (0.0, 0.0, 0.0)
    assert (invented.precision, invented.recall, invented.f1) == (0.0, None, 0.0)
    assert score([], ["drug"]).micro.f1 is None


def test_intervals_are_the_same_each_time_and_hold_the_score():
    random.seed(1)
    documents = [
        {"drug": (n := random.randint(0, 5), n + random.randint(0, 2), n + random.randint(0, 2))}
        for _ in range(80)
    ]
    first, second = score(documents, ["drug"]), score(documents, ["drug"])

    assert first == second
    assert first.micro.low < first.micro.f1 < first.micro.high
    assert score(documents, ["drug"], seed=5).micro.low != first.micro.low


def test_intervals_agree_with_drawing_documents_one_by_one():
    random.seed(2)
    documents = [
        (n := random.randint(0, 4), n + random.randint(0, 3), n + random.randint(0, 3)) for _ in range(60)
    ]
    drawn = []
    for _ in range(4000):
        right, mine, gold = map(sum, zip(*random.choices(documents, k=len(documents)), strict=True))
        drawn.append(2 * right / (mine + gold))
    drawn.sort()
    found = score([{"x": each} for each in documents], ["x"], resamples=4000).micro

    assert found.low == pytest.approx(drawn[100], abs=0.01)
    assert found.high == pytest.approx(drawn[3900], abs=0.01)


def test_more_documents_narrow_the_interval():
    few = [{"x": (n % 2, 1, 1)} for n in range(20)]

    def width(score):
        return score.micro.high - score.micro.low

    assert width(score(few * 16, ["x"])) < width(score(few, ["x"])) / 2


def test_an_accuracy_is_the_share_of_right_ones():
    found = accuracy([(1, 2), (0, 0), (5, 6)])

    assert (found.recall, found.support, found.right) == (6 / 8, 8, 6)
