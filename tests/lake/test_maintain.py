"""Maintenance changes files, never rows, and never disturbs the bookkeeping."""

import os
import time

from extractor.errors import LakeError
from extractor.lake.commit import commit
from extractor.lake.ledger import unfinished
from extractor.lake.maintain import maintain
from extractor.lake.store import Lake
from extractor.lake.work import Work
from tests.lake.factory import doc_id, make_batch, settings


def rows(lake):
    return {
        name: sorted(map(str, lake.read(name).to_pylist()))
        for name in ("page_text", "entities", "documents", "sources")
    }


def test_small_files_become_few_and_every_row_stays(lake, findings):
    for number in range(4):
        commit(lake, make_batch([doc_id(number)], run_id=f"run-{number}"))
    before = rows(lake)

    done = {one.table: one for one in maintain(lake, run_id="run-m")}

    assert (done["entities"].files_before, done["entities"].files_after) == (4, 1)
    assert done["ledger"].files_after == 1
    assert rows(lake) == before
    assert findings(lake) == {}
    kinds = lake.read("ledger", where="kind = 'maintain'").to_pylist()
    assert {one["table"]: one["version"] for one in kinds[0]["commits"]} == {
        t: one.version for t, one in done.items()
    }


def test_writers_that_were_open_before_go_on_after_maintenance(lake, findings):
    other = Lake(lake.uri, settings(vacuum_hours=0))
    commit(lake, make_batch([doc_id(0), doc_id(1)]))
    maintain(other, run_id="run-m")

    commit(lake, make_batch([doc_id(1), doc_id(2)], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"))

    assert lake.current().keys() == {doc_id(number) for number in range(3)}
    assert lake.read("entities").num_rows == 18
    assert findings(lake) == {}


def test_replaced_files_go_after_their_time_and_files_that_no_log_names_after_a_day(tmp_path):
    lake = Lake(str(tmp_path / "lake"), settings(vacuum_hours=0))
    commit(lake, make_batch([doc_id(0)]))
    commit(lake, make_batch([doc_id(0)], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"))
    folder = next((tmp_path / "lake/governed/entities").glob("classification=*/consent_scope=*"))
    for name, age_s in (("part-orphan-new.parquet", 60), ("part-orphan-old.parquet", 3 * 86_400)):
        (folder / name).write_bytes(b"left by a writer that was killed")
        os.utime(folder / name, (time.time() - age_s,) * 2)

    done = {one.table: one for one in maintain(lake, run_id="run-m")}

    assert done["entities"].files_removed == 2
    assert {path.name for path in folder.glob("part-orphan*")} == {"part-orphan-new.parquet"}
    assert lake.read("entities").num_rows == 6


def test_replaced_files_stay_within_their_time(lake):
    commit(lake, make_batch([doc_id(0)]))
    commit(lake, make_batch([doc_id(0)], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"))

    assert sum(one.files_removed for one in maintain(lake, run_id="run-m")) == 0
    assert lake.read("entities", version=1).num_rows == 6


def test_a_dead_claim_is_closed_once_later_batches_completed_its_documents(lake, findings, monkeypatch):
    def die(_work):
        raise LakeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Work, "complete", die)
        for documents in ([doc_id(0)], [doc_id(1)]):
            try:
                commit(lake, make_batch(documents))
            except LakeError:
                continue
    commit(lake, make_batch([doc_id(0)], run_id="run-2"))
    assert (len(unfinished(lake).claims), len(unfinished(lake).superseded)) == (1, 1)

    maintain(lake, run_id="run-m")

    assert (len(unfinished(lake).claims), len(unfinished(lake).superseded)) == (1, 0)
    assert findings(lake) == {("unfinished", "ledger"): 1}
    assert lake.current().keys() == {doc_id(0)}


def test_writers_put_many_small_files_together_and_writers_beside_them_go_on(lake, findings, monkeypatch):
    monkeypatch.setattr("extractor.lake.work.SMALL_FILES", 6)
    other = Lake(lake.uri, settings())
    for number in range(5):
        commit(lake, make_batch([doc_id(number)], run_id=f"run-{number}"))
        commit(other, make_batch([doc_id(number), doc_id(f"other {number}")], run_id=f"other-{number}"))

    for table in ("ledger", "entities", "documents", "sources"):
        assert len(lake.handle(table).file_uris()) < 7
    assert lake.read("ledger").num_rows == 20
    assert len(lake.current()) == 10
    assert findings(lake) == {}
