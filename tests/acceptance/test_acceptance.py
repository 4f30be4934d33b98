"""From registration to use: who may, what passes, what is left on record."""

import shutil
import threading

import pytest

import extractor.acceptance as verbs
from extractor.acceptance import evaluate, promote, register, roll_back
from extractor.acceptance.criteria import load_criteria
from extractor.config import load_config
from extractor.errors import (
    AccessDeniedError,
    CommitConflictError,
    ConfigError,
    MissingToolError,
    PolicyError,
)
from extractor.governance.policy import Policy
from extractor.lake.models import history, promoted, read_models
from extractor.lake.store import Lake
from tests.acceptance import made
from tests.lake.factory import settings


@pytest.fixture
def criteria(tmp_path):
    return load_criteria(made.write_criteria(tmp_path / "acceptance"))


@pytest.fixture(scope="session")
def config():
    return load_config()


@pytest.fixture
def use(lake, steward, config, criteria):
    """Register and promote a version."""

    def both(model, **more):
        register(lake, steward, model)
        return promote(lake, steward, model, why="looked at", config=config, criteria=criteria, **more)

    return both


def kinds(lake):
    return [(event.event, event.version) for event in history(lake)]


def role(**more):
    base = {"description": "d", "classes": ["public"], "minimum_consent": "none", "tables": ["models"]}
    found = {"classes": ["public", "PHI"], "consent_scopes": ["none"], "roles": {"one": {**base, **more}},
             "principals": {"ann": ["one"]}}  # fmt: skip
    return Policy.model_validate(found).access("ann")


def test_a_registration_holds_digest_use_risk_who_and_why(bare_models, lake, steward):
    made.bare(bare_models)

    event, is_new = register(lake, steward, "tiny", why="first")

    assert is_new
    assert history(lake) == (event,)
    assert (event.model, event.principal, event.why) == ("tiny/1.0.0", "steward", "first")
    assert (event.intended_use, event.risk_class) == (made.USE, made.RISK)
    assert len(event.sha256) == 64


def test_registering_again_changes_nothing(bare_models, lake, steward):
    made.bare(bare_models)
    first, _ = register(lake, steward, "tiny")
    version = lake.version("models")

    assert register(lake, steward, "tiny/1.0.0") == (first, False)
    assert lake.version("models") == version


def test_without_a_version_the_newest_is_registered(bare_models, lake, steward):
    made.bare(bare_models)
    made.bare(bare_models, version="1.1.0")

    assert register(lake, steward, "tiny")[0].version == "1.1.0"


def test_what_a_model_does_not_declare_is_given_by_option(bare_models, lake, steward):
    made.bare(bare_models, card="# Nothing\n")

    with pytest.raises(PolicyError, match=r"tiny/1\.0\.0 declares no intended use") as caught:
        register(lake, steward, "tiny")
    assert (caught.value.code, caught.value.exit_code) == ("model.undeclared", 8)
    assert "--intended-use" in caught.value.hint
    with pytest.raises(PolicyError, match="declares no risk class"):
        register(lake, steward, "tiny", intended_use="x")
    assert lake.version("models") is None

    event, _ = register(lake, steward, "tiny", intended_use="x", risk_class="y")
    assert (event.intended_use, event.risk_class) == ("x", "y")


def test_an_option_may_repeat_and_not_contradict(bare_models, lake, steward):
    made.bare(bare_models)

    with pytest.raises(ConfigError, match="declares another risk class"):
        register(lake, steward, "tiny", risk_class="low")
    assert register(lake, steward, "tiny", risk_class=made.RISK.upper())[1]


def test_a_registered_use_stays(bare_models, lake, steward):
    made.bare(bare_models, card="# Nothing\n")
    register(lake, steward, "tiny", intended_use="x", risk_class="y")

    with pytest.raises(ConfigError, match="registered for another use"):
        register(lake, steward, "tiny", intended_use="z", risk_class="y")


def test_a_version_is_one_set_of_files(bare_models, lake, steward):
    folder = made.bare(bare_models)
    register(lake, steward, "tiny")
    (folder / "weights").write_text("better ones")
    made.describe(folder)
    made.forget()

    with pytest.raises(MissingToolError, match="its manifest differs"):
        register(lake, steward, "tiny")
    assert len(history(lake)) == 1


def test_an_altered_model_is_not_registered(bare_models, lake, steward):
    (made.bare(bare_models) / "weights").write_text("others")

    with pytest.raises(MissingToolError, match="absent or altered"):
        register(lake, steward, "tiny")
    assert lake.version("models") is None


def test_an_evaluation_is_on_record_and_changes_nothing(installed, lake, steward, config, criteria):
    register(lake, steward, "tiny/1.1.0")

    event, verdict = evaluate(lake, steward, "tiny/1.1.0", config=config, criteria=criteria)

    assert verdict.passed
    assert kinds(lake) == [("registered", "1.1.0"), ("evaluated", "1.1.0")]
    assert history(lake)[-1] == event
    assert event.criteria_sha256 == criteria.sha256
    assert event.figures["gold"]["sentences"]["micro"]["f1"] == 1.0
    assert all(gate["passed"] for gate in event.figures["gates"])
    assert promoted(lake) == {}


def test_a_model_that_passes_is_used_from_then_on(installed, lake, steward, use):
    event = use("tiny/1.0.0")

    assert promoted(lake) == {"tiny": "1.0.0"}
    assert kinds(lake) == [("registered", "1.0.0"), ("promoted", "1.0.0")]
    assert (event.principal, event.why, event.intended_use) == ("steward", "looked at", made.USE)
    assert event.figures["passed"] is True


def test_figures_on_record_are_used_again_only_for_the_same_files_criteria_and_code(
    installed, tmp_path, lake, steward, config, criteria, monkeypatch
):
    measured = []
    monkeypatch.setattr(verbs, "measure", _counted(verbs.measure, measured))
    register(lake, steward, "tiny/1.1.0")
    evaluate(lake, steward, "tiny/1.1.0", config=config, criteria=criteria)

    def again(criteria):
        before = len(measured)
        promote(lake, steward, "tiny/1.1.0", why="w", config=config, criteria=criteria)
        return len(measured) - before

    assert again(criteria) == 0
    other = made.write_criteria(tmp_path / "other", lambda found: found["gold"][0]["micro"].update(f1=0.5))
    assert again(load_criteria(other)) == 1
    monkeypatch.setattr(verbs, "__version__", "99.0")
    assert again(criteria) == 1


def _counted(function, calls):
    def counted(*arguments):
        calls.append(arguments[0])
        return function(*arguments)

    return counted


def test_an_evaluation_is_always_made_anew(installed, lake, steward, config, criteria, monkeypatch):
    measured = []
    monkeypatch.setattr(verbs, "measure", _counted(verbs.measure, measured))
    register(lake, steward, "tiny/1.1.0")
    for _ in range(2):
        evaluate(lake, steward, "tiny/1.1.0", config=config, criteria=criteria)

    assert measured == ["tiny/1.1.0"] * 2


def test_a_model_below_a_floor_is_refused_and_nothing_changes(
    installed, tmp_path, lake, steward, config, use
):
    use("tiny/1.0.0")
    register(lake, steward, "tiny/1.1.0")
    strict = load_criteria(
        made.write_criteria(
            tmp_path / "strict", lambda f: f["gold"][0]["types"]["drug"].update(minimum_support=5)
        )
    )
    told = []

    with pytest.raises(PolicyError, match=r"fails 1 of \d+ gates: sentences drug support 4\.000") as caught:
        promote(lake, steward, "tiny/1.1.0", why="w", config=config, criteria=strict, on_verdict=told.append)

    assert (caught.value.code, caught.value.exit_code) == ("model.gate", 8)
    assert kinds(lake)[-1] == ("refused", "1.1.0")
    assert promoted(lake) == {"tiny": "1.0.0"}
    assert history(lake)[-1].figures["passed"] is False
    assert [verdict.passed for verdict in told] == [False]


def test_a_model_worse_than_the_promoted_one_is_refused_though_it_reaches_every_floor(installed, lake, use):
    use("tiny/1.1.0")

    with pytest.raises(PolicyError, match="sentences micro f1 beside the promoted"):
        use("tiny/1.0.0")

    assert promoted(lake) == {"tiny": "1.1.0"}
    assert history(lake)[-1].figures["compared_with"] == "tiny/1.1.0"


def test_a_better_one_takes_the_place_of_the_promoted(installed, lake, use):
    use("tiny/1.0.0")
    event = use("tiny/1.1.0")

    assert promoted(lake) == {"tiny": "1.1.0"}
    assert event.figures["compared_with"] == "tiny/1.0.0"


def test_the_promoted_one_must_be_there_unless_its_figures_are_on_record(
    installed, tmp_path, lake, steward, config, use
):
    use("tiny/1.0.0")
    register(lake, steward, "tiny/1.1.0")
    shutil.rmtree(installed / "tiny" / "1.0.0")
    made.forget()
    other = made.write_criteria(tmp_path / "other", lambda found: found["gold"][0]["micro"].update(f1=0.5))

    with pytest.raises(MissingToolError):
        promote(lake, steward, "tiny/1.1.0", why="w", config=config, criteria=load_criteria(other))
    assert promoted(lake) == {"tiny": "1.0.0"}

    use("tiny/1.1.0")
    assert promoted(lake) == {"tiny": "1.1.0"}


def test_another_use_than_that_of_the_criteria_is_refused(installed, tmp_path, lake, steward, config):
    register(lake, steward, "tiny/1.1.0")
    other = load_criteria(made.write_criteria(tmp_path / "o", lambda found: found.update(risk_class="high")))

    with pytest.raises(PolicyError, match="card risk class is not the one of the criteria"):
        promote(lake, steward, "tiny/1.1.0", why="w", config=config, criteria=other)


def test_criteria_of_another_model_are_refused(installed, tmp_path, lake, steward, config):
    register(lake, steward, "tiny/1.1.0")
    other = load_criteria(made.write_criteria(tmp_path / "o", lambda found: found.update(model="huge")))

    with pytest.raises(ConfigError, match="of the model 'huge'"):
        evaluate(lake, steward, "tiny/1.1.0", config=config, criteria=other)


@pytest.mark.parametrize("verb", ["evaluate", "promote"])
def test_what_is_not_registered_goes_no_further(installed, lake, steward, config, criteria, verb):
    more = {"why": "w"} if verb == "promote" else {}

    with pytest.raises(PolicyError, match="not registered") as caught:
        getattr(verbs, verb)(lake, steward, "tiny/1.1.0", config=config, criteria=criteria, **more)
    assert caught.value.code == "model.unregistered"
    with pytest.raises(ConfigError, match="names no version"):
        getattr(verbs, verb)(lake, steward, "tiny", config=config, criteria=criteria, **more)
    assert lake.version("models") is None


def test_files_that_changed_since_registration_are_not_promoted(installed, lake, steward, config, criteria):
    register(lake, steward, "tiny/1.1.0")
    evaluate(lake, steward, "tiny/1.1.0", config=config, criteria=criteria)
    (installed / "tiny" / "1.1.0" / "card.md").write_text(made.CARD + "\nMore.\n")
    made.describe(installed / "tiny" / "1.1.0")
    made.forget()

    with pytest.raises(MissingToolError, match="its manifest differs"):
        promote(lake, steward, "tiny/1.1.0", why="w", config=config, criteria=criteria)
    assert promoted(lake) == {}


def test_a_rollback_goes_to_the_one_promoted_before_and_further(installed, lake, steward, use):
    use("tiny/1.0.0")
    use("tiny/1.1.0")

    event, left = roll_back(lake, steward, "tiny", why="too many alarms")

    assert promoted(lake) == {"tiny": "1.0.0"}
    assert (event.version, left.version, event.why, event.principal) == (
        "1.0.0",
        "1.1.0",
        "too many alarms",
        "steward",
    )
    assert event.figures["from"]["version"] == "1.1.0"
    with pytest.raises(PolicyError, match="no earlier") as caught:
        roll_back(lake, steward, "tiny", why="w")
    assert caught.value.code == "model.no_earlier"
    use("tiny/1.1.0")
    assert promoted(lake) == {"tiny": "1.1.0"}


def test_a_rollback_to_files_that_are_gone_is_refused(installed, lake, steward, use):
    use("tiny/1.0.0")
    use("tiny/1.1.0")
    shutil.rmtree(installed / "tiny" / "1.0.0")
    made.forget()

    with pytest.raises(MissingToolError):
        roll_back(lake, steward, "tiny", why="w")
    assert promoted(lake) == {"tiny": "1.1.0"}


@pytest.mark.parametrize("why", ["", "  \n"])
def test_a_decision_needs_a_reason(installed, lake, steward, config, criteria, why):
    register(lake, steward, "tiny/1.1.0")

    with pytest.raises(ConfigError, match="no reason"):
        promote(lake, steward, "tiny/1.1.0", why=why, config=config, criteria=criteria)
    with pytest.raises(ConfigError, match="no reason"):
        roll_back(lake, steward, "tiny", why=why)


def test_the_table_is_enough_to_register_and_measure_and_not_to_decide(installed, lake, config, criteria):
    modeller = role()
    register(lake, modeller, "tiny/1.1.0")
    evaluate(lake, modeller, "tiny/1.1.0", config=config, criteria=criteria)

    with pytest.raises(AccessDeniedError, match="'ann' may promote"):
        promote(lake, modeller, "tiny/1.1.0", why="w", config=config, criteria=criteria)
    with pytest.raises(AccessDeniedError):
        roll_back(lake, modeller, "tiny", why="w")
    assert kinds(lake) == [("registered", "1.1.0"), ("evaluated", "1.1.0")]

    promote(lake, role(may_promote=True), "tiny/1.1.0", why="w", config=config, criteria=criteria)
    assert promoted(lake) == {"tiny": "1.1.0"}


def test_a_role_without_the_table_may_do_nothing(bare_models, lake, config, criteria):
    made.bare(bare_models)
    stranger = role(tables=["entities"], may_promote=True)

    for verb in (
        lambda: register(lake, stranger, "tiny"),
        lambda: evaluate(lake, stranger, "tiny/1.0.0", config=config, criteria=criteria),
        lambda: promote(lake, stranger, "tiny/1.0.0", why="w", config=config, criteria=criteria),
        lambda: roll_back(lake, stranger, "tiny", why="w"),
        lambda: verbs.list_models(lake, stranger),
    ):
        with pytest.raises(AccessDeniedError, match="table models is not granted"):
            verb()
    assert lake.version("models") is None


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(installed, lake, steward, config, criteria):
    for model in ("tiny/1.0.0", "tiny/1.1.0"):
        register(lake, steward, model)
        evaluate(lake, steward, model, config=config, criteria=criteria)
    both_decided = threading.Barrier(2, timeout=60)
    ended = {}

    def go(model):
        own = Lake(lake.uri, settings())
        try:
            ended[model] = promote(
                own, steward, model, why="w", config=config, criteria=criteria,
                on_verdict=lambda _: both_decided.wait(),
            )  # fmt: skip
        except CommitConflictError as error:
            ended[model] = error

    threads = [threading.Thread(target=go, args=(model,)) for model in ("tiny/1.0.0", "tiny/1.1.0")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    lost = [error for error in ended.values() if isinstance(error, CommitConflictError)]
    won = [model for model, found in ended.items() if not isinstance(found, CommitConflictError)]
    assert (len(lost), len(won)) == (1, 1)
    assert "came first" in str(lost[0])
    assert read_models(lake).promoted("tiny").model == won[0]
    assert [event.event for event in history(lake)].count("promoted") == 1
