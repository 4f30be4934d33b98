"""The lake's record of models: appended, ordered, and decided on the newest state."""

import threading
from dataclasses import replace

import pytest

from extractor.errors import AccessDeniedError, CommitConflictError
from extractor.lake.commit import commit
from extractor.lake.maintain import maintain
from extractor.lake.models import ModelEvent, append_event, history, promoted, read_models
from extractor.lake.query import query
from extractor.lake.store import Lake
from tests.lake.factory import doc_id, make_batch, settings

BASE = ModelEvent(
    name="tiny",
    version="1.0.0",
    sha256="a" * 64,
    event="registered",
    principal="ann",
    intended_use="u",
    risk_class="r",
)


def put(lake, event="registered", version="1.0.0", **more):
    made = replace(
        BASE, event=event, version=version, event_id=f"{event}-{version}-{len(history(lake))}", **more
    )
    return append_event(lake, lambda _: made)


def decide(lake, *steps):
    """Promotions by version; ``-VERSION`` rolls back to it."""
    for step in steps:
        put(lake, "rolled-back" if step.startswith("-") else "promoted", step.lstrip("-"))


def test_a_lake_without_the_table_has_no_models_and_gets_no_table(lake):
    assert promoted(lake) == {}
    assert history(lake) == ()
    assert lake.version("models") is None


def test_events_come_back_as_they_were_put_in_their_order(lake):
    first = put(lake, why="because", figures={"gold": {"é": 0.5}}, criteria_sha256="b" * 64)
    second = put(lake, "promoted")
    other = put(lake, name="other")

    assert history(Lake(lake.uri, settings())) == (first, second, other)
    assert history(lake, "other") == (other,)
    assert [event.sequence_no for event in history(lake)] == sorted(
        event.sequence_no for event in history(lake)
    )


@pytest.mark.parametrize(
    ("steps", "now", "before"),
    [
        ((), None, None),
        (("1.0.0",), "1.0.0", None),
        (("1.0.0", "1.1.0"), "1.1.0", "1.0.0"),
        (("1.0.0", "1.1.0", "-1.0.0"), "1.0.0", None),
        (("1.0.0", "1.1.0", "1.2.0", "-1.1.0"), "1.1.0", "1.0.0"),
        (("1.0.0", "1.1.0", "1.2.0", "-1.1.0", "-1.0.0"), "1.0.0", None),
        (("1.0.0", "1.1.0", "1.0.0"), "1.0.0", "1.1.0"),
        (("1.0.0", "1.1.0", "-1.0.0", "1.2.0"), "1.2.0", "1.0.0"),
        (("1.0.0", "1.1.0", "1.1.0"), "1.1.0", "1.0.0"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else str(value),
)
def test_promotions_are_a_pile_and_a_rollback_takes_the_uppermost_off(lake, steps, now, before):
    put(lake)
    decide(lake, *steps)

    models = read_models(lake)
    assert (models.promoted("tiny").version if now else models.promoted("tiny")) == now
    assert (models.before_promoted("tiny").version if before else models.before_promoted("tiny")) == before
    assert promoted(lake) == ({"tiny": now} if now else {})


def test_models_do_not_mix(lake):
    decide(lake, "1.0.0", "1.1.0")
    put(lake, "promoted", "7.0.0", name="other")

    assert promoted(lake) == {"other": "7.0.0", "tiny": "1.1.0"}
    assert read_models(lake).names == {"other", "tiny"}
    assert read_models(lake).last_change("nobody") == -1


def test_what_the_decision_raises_leaves_nothing(lake):
    put(lake)

    def refuse(models):
        raise CommitConflictError

    with pytest.raises(CommitConflictError):
        append_event(lake, refuse)
    assert append_event(lake, lambda _: None) is None
    assert len(history(lake)) == 1


def test_a_decision_is_made_again_on_the_newer_state_after_a_lost_race(lake):
    put(lake)
    rival = Lake(lake.uri, settings())
    seen = []

    def decide_slowly(models):
        seen.append([event.event for event in models.events])
        if len(seen) == 1:
            put(rival, "evaluated")
        return replace(BASE, event="promoted", event_id="slow")

    append_event(lake, decide_slowly)

    assert seen == [["registered"], ["registered", "evaluated"]]
    assert [event.event for event in history(lake)] == ["registered", "evaluated", "promoted"]


def test_no_event_is_lost_or_doubled_when_many_write_at_once(lake):
    put(lake)
    failures = []

    def write(number):
        own = Lake(lake.uri, settings(commit_retries=200))
        try:
            for step in range(3):
                made = replace(BASE, event="evaluated", event_id=f"{number}-{step}")
                append_event(own, lambda _, made=made: made)
        except CommitConflictError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    events = history(lake)
    assert not failures
    assert {event.event_id for event in events[1:]} == {f"{n}-{s}" for n in range(4) for s in range(3)}
    assert len({event.sequence_no for event in events}) == len(events) == 13


def test_maintenance_keeps_the_order_and_what_comes_after_it(lake):
    decide(lake, "1.0.0", "1.1.0", "1.2.0")
    before = history(lake)

    maintain(lake, run_id="m")
    decide(lake, "-1.1.0")

    assert history(lake)[:3] == before
    assert promoted(lake) == {"tiny": "1.1.0"}


def test_a_principal_reads_the_table_through_the_policy_alone(lake, policy):
    commit(lake, make_batch([doc_id(1)]))
    put(lake, why="because")
    sql = "select name, event, principal, happened_at, why from models"

    rows = query(lake, policy.access("steward"), sql).rows.to_pylist()

    assert [(row["name"], row["event"], row["principal"], row["why"]) for row in rows] == [
        ("tiny", "registered", "ann", "because")
    ]
    with pytest.raises(AccessDeniedError, match="table models is not granted"):
        query(lake, policy.access("analyst"), sql)
