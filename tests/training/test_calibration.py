"""Scores become probabilities that hold."""

import math
import random

import pytest
from hypothesis import given, strategies as st

from extractor.ner.model import Calibration
from extractor.training.calibration import fit, fit_all


def judged(slope, bias, count=4000, seed=1):
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        score = rng.uniform(0.02, 0.98)
        truth = 1 / (1 + math.exp(-(slope * math.log(score / (1 - score)) + bias)))
        made.append((score, rng.random() < truth))
    return made


def test_the_fit_finds_the_slope_and_bias_that_made_the_outcomes():
    slope, bias = fit(judged(0.6, -0.5))

    assert slope == pytest.approx(0.6, abs=0.1)
    assert bias == pytest.approx(-0.5, abs=0.12)


def test_calibrated_probabilities_agree_with_the_share_that_is_right():
    mentions = judged(0.5, -1.0)
    fitted = fit_all({"drug": mentions}, ["drug"])["drug"]
    calibration = Calibration(**fitted)

    sure = [(calibration.probability(score), right) for score, right in mentions if score > 0.8]
    expected = sum(probability for probability, _ in sure) / len(sure)
    assert expected == pytest.approx(sum(right for _, right in sure) / len(sure), abs=0.04)


def test_a_type_with_few_mentions_takes_the_fit_over_all():
    fitted = fit_all({"drug": judged(0.6, -0.5), "dose": [(0.9, True)] * 5}, ["drug", "dose", "route"])

    assert set(fitted) == {"drug", "dose", "route"}
    assert fitted["dose"] == fitted["route"]


def test_nothing_to_fit_changes_nothing():
    assert fit([]) == fit([(0.9, True)]) == fit([(0.2, False)] * 3) == (1.0, 0.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40))
def test_any_outcomes_give_a_finite_rising_curve(mentions):
    slope, bias = fit(mentions)

    assert slope >= 0.05
    assert math.isfinite(slope)
    assert math.isfinite(bias)


def test_scores_near_one_with_few_errors_still_give_a_finite_fit():
    sure = [(0.9999, True)] * 900 + [(0.99, False)] * 30 + [(0.2, False)] * 40 + [(0.3, True)] * 20
    fitted = fit_all({"drug": sure}, ["drug"])["drug"]

    assert 0.05 < fitted["temperature"] < 20
    assert abs(fitted["bias"]) < 10
