"""States of a lake by name, time and version."""

from datetime import UTC, datetime, timedelta

import pytest

from extractor.errors import ConfigError, LakeError
from extractor.lake.commit import commit
from extractor.lake.maintain import maintain
from extractor.lake.snapshots import create_snapshot
from extractor.lake.states import pin_at, state
from extractor.lake.verify import verify
from extractor.lake.work import Work
from tests.lake.factory import doc_id, make_batch

A, B, C = (doc_id(name) for name in "abc")
NEW = {"run_id": "run-2", "pipeline": "2.0+bbbbbbbbbbbb"}
OLD = datetime(2020, 1, 1, tzinfo=UTC)


def test_a_time_names_the_state_after_the_last_batch_until_then(lake):
    commit(lake, make_batch([A]))
    first = datetime.now(UTC)
    commit(lake, make_batch([A, B], pages=3, **NEW))
    maintain(lake, run_id="run-m")

    then = state(lake, first.isoformat())
    assert then.current().keys() == {A}
    assert then.read("entities").num_rows == 6
    assert verify(then).findings == ()
    assert state(lake, (first + timedelta(days=9)).isoformat()).read("entities").num_rows == 18
    assert state(lake, "now").pin is None


def test_a_time_without_a_zone_is_utc_and_a_day_is_its_first_moment(lake):
    commit(lake, make_batch([A]))
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()

    assert state(lake, tomorrow).pin == state(lake, f"{tomorrow}T00:00:00").pin
    assert state(lake, tomorrow).pin == state(lake, f"{tomorrow}T05:00:00+05:00").pin


def test_a_time_in_the_middle_of_a_batch_hides_its_documents(lake, monkeypatch):
    commit(lake, make_batch([A, B]))
    real = Work.complete
    seen = []

    def noted(work):
        seen.append(datetime.now(UTC))
        real(work)

    monkeypatch.setattr(Work, "complete", noted)
    commit(lake, make_batch([B, C], pages=5, **NEW))

    pin = pin_at(lake, seen[0])

    assert pin.hidden == {B, C}
    then = lake.pinned(pin)
    assert then.current().keys() == {A}
    assert (verify(then).documents, verify(then).findings) == (1, ())


def test_a_time_before_the_lake_was_made_names_nothing(lake):
    commit(lake, make_batch([A]))

    with pytest.raises(LakeError) as caught:
        state(lake, OLD.isoformat())
    assert caught.value.code == "lake.no_state"


def test_a_snapshot_whose_name_is_a_date_comes_before_the_date(lake):
    commit(lake, make_batch([A]))
    create_snapshot(lake, "2020-01-01", by="steward")
    commit(lake, make_batch([B]))

    assert state(lake, "2020-01-01").current().keys() == {A}


@pytest.mark.parametrize(
    ("said", "kind"),
    [("Not a state", ConfigError), ("no-such-name", LakeError), ("tables@1", ConfigError), ("", ConfigError)],
    ids=["words", "name", "table", "nothing"],
)
def test_what_names_no_state(lake, said, kind):
    commit(lake, make_batch([A]))

    with pytest.raises(kind):
        state(lake, said)
