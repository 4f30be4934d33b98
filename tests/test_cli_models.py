"""``extractor models`` from the command line."""

import json

import pytest
import yaml
from click.testing import CliRunner

from extractor.cli import main
from extractor.lake.models import promoted
from extractor.lake.store import Lake
from extractor.resources import folder
from tests.acceptance import made
from tests.lake.factory import settings


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    return made.models(tmp_path_factory.getbasetemp())


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    """Settings with a policy and criteria beside them, tiny models, and an empty lake's address."""
    made.install(monkeypatch, trained, tmp_path / "models")
    made.write_criteria(tmp_path / "acceptance")
    policy = yaml.safe_load((folder("configs") / "policy.yaml").read_text())
    policy["roles"]["modeller"] = {**policy["roles"]["analyst"], "tables": ["models"]}
    policy["principals"]["mia"] = ["modeller"]
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy))
    (tmp_path / "config.yaml").write_text("policy: policy.yaml\n")
    for name in ("EXTRACTOR_LAKE", "EXTRACTOR_PRINCIPAL", "EXTRACTOR_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    made.forget()


@pytest.fixture
def models(place):
    def run(*words, who="steward"):
        where = ["--lake", str(place / "lake"), "--config", str(place / "config.yaml"), "--as", who]
        return CliRunner().invoke(main, ["models", *words, *where], catch_exceptions=False)

    return run


def used(place):
    return promoted(Lake(str(place / "lake"), settings()))


def test_a_model_goes_from_the_folder_into_use_and_back(models, place):
    assert "tiny/1.0.0 registered, sha256" in models("register", "tiny/1.0.0", "--why", "first").stdout
    assert "was registered before" in models("register", "tiny/1.0.0").stdout
    done = models("promote", "tiny/1.0.0", "--why", "good enough")
    assert (done.exit_code, used(place)) == (0, {"tiny": "1.0.0"})
    assert "tiny/1.0.0 passes; criteria" in done.stdout
    assert "tiny/1.0.0 is promoted" in done.stderr

    assert models("register", "tiny").exit_code == 0
    done = models("promote", "tiny/1.1.0", "--why", "better")
    assert "tiny/1.1.0 passes, compared with tiny/1.0.0" in done.stdout
    assert used(place) == {"tiny": "1.1.0"}

    done = models("rollback", "tiny", "--why", "second thoughts")
    assert "tiny/1.0.0 is in use again, tiny/1.1.0 no longer" in done.stdout
    assert used(place) == {"tiny": "1.0.0"}
    listed = {row["model"]: row for row in json.loads(models("list", "--json").stdout)}
    assert {model: row["state"] for model, row in listed.items()} == {
        "tiny/1.0.0": "promoted",
        "tiny/1.1.0": "was promoted",
    }
    assert listed["tiny/1.0.0"]["why"] == "second thoughts"


def test_the_gates_are_shown_one_by_one(models):
    models("register", "tiny/1.1.0")

    done = models("evaluate", "tiny/1.1.0")

    assert done.exit_code == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["sentences", "micro", "f1", ">=", "0.600", "1.000", "yes"] in rows
    assert ["sentences", "drug", "support", ">=", "4", "4", "yes"] in rows
    assert ["card", "risk", "class", "as", "in", "the", "criteria", "the", "same", "yes"] in rows


def test_a_model_that_fails_is_refused_with_its_gates(models, place):
    made.write_criteria(place / "acceptance", lambda found: found["gold"][0]["micro"].update(f1=0.99))
    models("register", "tiny/1.0.0")

    done = models("promote", "tiny/1.0.0", "--why", "hurry")

    assert done.exit_code == 8
    assert "[model.gate] model tiny/1.0.0 fails 1 of" in done.stderr
    assert "Owner of the model" in done.stderr
    assert "tiny/1.0.0 fails; criteria" in done.stdout
    assert used(place) == {}
    (row,) = json.loads(models("list", "--json").stdout)
    assert (row["state"], row["why"]) == ("refused", "hurry")
    assert models("evaluate", "tiny/1.0.0").exit_code == 8


def test_an_evaluation_as_json_holds_every_figure_and_every_gate(models):
    models("register", "tiny/1.1.0")

    done = models("evaluate", "tiny/1.1.0", "--json")
    found = json.loads(done.stdout)

    assert found["passed"] is True
    assert found["gold"]["sentences"]["types"]["drug"]["f1"] == 1.0
    assert {"gold", "what", "measure", "needed", "seen", "passed", "at_most"} == set(found["gates"][0])
    history = json.loads(models("list", "--history", "--json").stdout)
    assert [event["event"] for event in history] == ["registered", "evaluated"]
    assert history[1]["figures"] == found


def test_history_is_a_table_of_events(models):
    models("register", "tiny/1.1.0", "--why", "a reason")

    done = models("list", "--history")

    assert "registered" in done.stdout
    assert "a reason" in done.stdout
    assert "1 row" in done.stdout


def test_criteria_may_be_named(models, place):
    models("register", "tiny/1.1.0")
    other = made.write_criteria(
        place / "other", lambda found: found["gold"][0]["types"]["drug"].update(minimum_support=99)
    )

    done = models("evaluate", "tiny/1.1.0", "--criteria", str(other))

    assert done.exit_code == 8
    assert "drug support 4.000 (at least 99.000)" in done.stderr


def test_who_may_see_the_table_may_measure_and_not_decide(models, place):
    assert models("register", "tiny/1.1.0", who="mia").exit_code == 0
    assert models("evaluate", "tiny/1.1.0", who="mia").exit_code == 0

    done = models("promote", "tiny/1.1.0", "--why", "w", who="mia")

    assert done.exit_code == 8
    assert "no role of principal 'mia' may promote models" in done.stderr
    assert models("rollback", "tiny", "--why", "w", who="mia").exit_code == 8
    assert used(place) == {}


@pytest.mark.parametrize(
    "command", [["list"], ["register", "tiny"], ["evaluate", "tiny/1.0.0"]], ids=lambda c: c[0]
)
def test_who_may_not_see_the_table_may_do_nothing(models, command):
    done = models(*command, who="analyst")

    assert done.exit_code == 8
    assert "[policy.denied] table models is not granted" in done.stderr


def test_a_lake_without_models_lists_none(models, place):
    assert json.loads(models("list", "--json").stdout) == []
    assert not (place / "lake").exists()


@pytest.mark.parametrize("command", [["promote", "tiny/1.0.0"], ["rollback", "tiny"]], ids=lambda c: c[0])
def test_a_decision_without_a_reason_is_a_wrong_command(models, command):
    assert models(*command).exit_code == 2


def test_a_model_without_criteria_is_not_measured(models, place):
    (place / "acceptance" / "tiny.yaml").unlink()
    models("register", "tiny/1.0.0")

    done = models("evaluate", "tiny/1.0.0")

    assert done.exit_code == 2
    assert "no acceptance criteria for the model 'tiny'" in done.stderr


def test_the_shipped_recogniser_passes_the_shipped_criteria(tmp_path, monkeypatch):
    for name in ("EXTRACTOR_CONFIG", "EXTRACTOR_MODELS"):
        monkeypatch.delenv(name, raising=False)
    made.forget()
    where = ["--lake", str(tmp_path / "lake"), "--as", "steward"]

    def models(*words):
        return CliRunner().invoke(main, ["models", *words, *where], catch_exceptions=False)

    assert models("register", "ner-biomedical").exit_code == 0
    done = models("promote", "ner-biomedical/1.0.0", "--why", "it ships", "--json")

    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["passed"] is True
    assert found["gold"]["admissions"]["micro"]["f1"] > 0.7
    assert used(tmp_path) == {"ner-biomedical": "1.0.0"}
