"""Gates: what was needed, what was seen, and that nothing measured is nothing passed."""

import json

import pytest

from extractor.acceptance.criteria import load_criteria
from extractor.acceptance.gate import gates_of, measure
from extractor.config import load_config
from extractor.errors import ConfigError
from tests.acceptance import made

PERFECT = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "low": 1.0, "high": 1.0}


def score(f1, support=5, precision=None, recall=None):
    return {"precision": f1 if precision is None else precision, "recall": f1 if recall is None else recall,
            "f1": f1, "low": None, "high": None, "support": support, "predicted": 5, "right": 5}  # fmt: skip


def figures(micro=1.0, drug=1.0, *, support=5, ece=0.1, seconds=2.0, tokens=100):
    return {
        "sentences": {
            "documents": 4,
            "tokens": tokens,
            "seconds": seconds,
            "micro": score(micro, 9),
            "types": {"drug": score(drug, support), "dose": score(None, 0)},
            "calibration": {"all": {"ece": ece}, "drug": {"ece": 0.3}, "dose": {"ece": None}},
        },
    }


def criteria(tmp_path, **gold):
    def change(found):
        found["minimum_tokens_per_s"] = gold.pop("speed", None)
        found["gold"][0].update(gold)

    return load_criteria(made.write_criteria(tmp_path, change))


def outcomes(gates):
    return [(gate.what, gate.measure, gate.passed) for gate in gates]


def test_floors_hold_per_type_and_over_all(tmp_path):
    gates = gates_of(figures(micro=0.59, drug=0.95), criteria(tmp_path))

    assert outcomes(gates) == [
        ("micro", "support", True),
        ("micro", "f1", False),
        ("drug", "support", True),
        ("drug", "precision", True),
        ("drug", "recall", True),
    ]
    assert gates[1].sentence() == "sentences micro f1 0.590 (at least 0.600)"


def test_a_value_at_its_floor_passes(tmp_path):
    assert all(gate.passed for gate in gates_of(figures(micro=0.6, drug=0.9), criteria(tmp_path)))


def test_too_few_annotated_mentions_fail_however_good_the_score(tmp_path):
    failed = [gate for gate in gates_of(figures(support=3), criteria(tmp_path)) if not gate.passed]

    assert [(gate.what, gate.measure, gate.needed, gate.seen) for gate in failed] == [
        ("drug", "support", 4, 3)
    ]


def test_nothing_measured_is_nothing_passed(tmp_path):
    floors = {"types": {"dose": {"minimum_support": 1, "f1": 0.1}}, "calibration": {"types": {"dose": 0.9}}}
    gates = gates_of(figures(), criteria(tmp_path, **floors))

    assert ("dose", "f1", False) in outcomes(gates)
    assert ("dose", "ece", False) in outcomes(gates)
    assert (
        "dose f1 nothing (at least 0.100)"
        in next(g for g in gates if g.measure == "f1" and g.what == "dose").sentence()
    )


def test_calibration_is_a_greatest_value_and_speed_a_least_one(tmp_path):
    demands = criteria(tmp_path, calibration={"ece": 0.2, "types": {"drug": 0.2}}, speed=60)

    gates = gates_of(figures(ece=0.2), demands)

    assert outcomes(gates)[-3:] == [
        ("all", "ece", True),
        ("drug", "ece", False),
        ("speed", "tokens/s", False),
    ]
    assert gates[-2].sentence() == "sentences drug ece 0.300 (at most 0.200)"
    assert gates[-1].seen == 50.0


@pytest.mark.parametrize(("micro", "passed"), [(0.86, True), (0.85, True), (0.84, False)])
def test_a_margin_against_the_promoted_is_in_points_of_f1(tmp_path, micro, passed):
    gates = gates_of(figures(micro=micro), criteria(tmp_path), promoted=figures(micro=0.9))

    assert outcomes(gates)[-1] == ("micro", "f1 beside the promoted", passed)
    assert gates[-1].needed == pytest.approx(0.85)


def test_a_type_may_have_a_margin_of_its_own_and_no_score_of_the_promoted_demands_none(tmp_path):
    demands = criteria(tmp_path, no_worse_than_promoted_by={"types": {"drug": 0, "dose": 0}})

    gates = gates_of(figures(drug=0.95), demands, promoted=figures(drug=0.96))

    assert outcomes(gates)[-1] == ("drug", "f1 beside the promoted", False)
    assert not any(gate.what == "dose" for gate in gates)


def test_without_a_promoted_version_nothing_is_compared(tmp_path):
    assert not any("promoted" in gate.measure for gate in gates_of(figures(), criteria(tmp_path)))


def test_a_model_is_measured_alone_on_every_gold_set(installed, tmp_path):
    found = measure("tiny/1.1.0", criteria(tmp_path), load_config())["sentences"]

    assert (found["documents"], found["micro"]["support"], found["labels"]) == (4, 9, "equal names")
    assert {kind: PERFECT.items() <= found["types"][kind].items() for kind in found["types"]} == {
        "drug": True, "severity": True, "sign_symptom": True,
    }  # fmt: skip
    assert found["calibration"]["all"]["ece"] < 0.1
    assert found["tokens"] > 0 < found["seconds"]
    assert json.loads(json.dumps(found)) == found


def test_the_version_that_is_named_is_the_one_that_is_measured(installed, tmp_path):
    found = measure("tiny/1.0.0", criteria(tmp_path), load_config())["sentences"]

    assert found["types"]["severity"]["recall"] == 0.0
    assert found["types"]["drug"]["f1"] == 1.0


def test_options_of_the_criteria_are_the_extractors(installed, tmp_path):
    demands = load_criteria(
        made.write_criteria(tmp_path, lambda found: found.update(options={"types": ["drug"]}))
    )

    assert (
        measure("tiny/1.1.0", demands, load_config())["sentences"]["types"]["sign_symptom"]["predicted"] == 0
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.update(options={"min_probabilty": 0.5}), "did you mean 'min_probability'"),
        (
            lambda found: found["gold"][0]["types"].update(durg={"minimum_support": 1, "f1": 0.1}),
            "did you mean 'drug'",
        ),
        (
            lambda found: found["gold"][0].update(calibration={"types": {"sevrity": 0.1}}),
            "did you mean 'severity'",
        ),
    ],
    ids=["option", "type", "type of a limit"],
)
def test_names_that_nobody_knows_are_refused_with_the_nearest(installed, tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        measure("tiny/1.1.0", load_criteria(made.write_criteria(tmp_path, change)), load_config())
