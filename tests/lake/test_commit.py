"""A batch is seen whole or not at all, however often it is offered and whoever writes beside it."""

import pickle
import sys
from dataclasses import replace

import pyarrow as pa
import pytest

from extractor.errors import CommitConflictError, ContractError, LakeError
from extractor.lake import delta
from extractor.lake.commit import add_sources, append_run, commit
from extractor.lake.ledger import Ledger
from extractor.lake.store import Lake
from extractor.lake.work import Work
from extractor.tables.catalogue import table_named
from tests.faults.lake import Interleaving, lose_answers
from tests.lake.factory import doc_id, extraction_id, make_batch, run_row, settings

A, B, C, D = (doc_id(number) for number in range(4))


def versions(lake):
    return {name: lake.version(name) for name in ("page_text", "entities", "sources", "documents", "ledger")}


def owners(lake, table="entities"):
    rows = lake.read(table, columns=["doc_id", "run_id"]).to_pylist()
    return {(row["doc_id"], row["run_id"]) for row in rows}


def test_a_lake_that_is_not_there_is_empty_and_is_not_made_by_looking(lake, tmp_path):
    assert (lake.exists(), lake.current(), lake.read("entities").num_rows) == (False, {}, 0)
    assert not (tmp_path / "lake").exists()


def test_a_batch_lands_in_every_table_and_the_ledger_tells_where(lake, findings):
    done = commit(lake, make_batch([A, B], statuses={B: "quarantined"}))

    assert {one.table: one.rows for one in done.commits} == {
        "page_text": 2, "entities": 6, "quarantine": 1, "sources": 2, "documents": 2,
    }  # fmt: skip
    row = lake.read("ledger", where="state = 'complete'").to_pylist()[0]
    told = {one["table"]: (one["rows"], one["version"]) for one in row["commits"]}
    assert told == {one.table: (one.rows, one.version) for one in done.commits}
    assert lake.read("entities", version=done.commits[1].version - 1).num_rows == 0
    assert {doc: (one.status, one.status_code) for doc, one in lake.current().items()} == {
        A: ("extracted", None),
        B: ("quarantined", "input.corrupt"),
    }
    assert findings(lake) == {}


def test_the_same_batch_again_adds_nothing_even_from_another_process_view(lake):
    commit(lake, make_batch([A, B]))
    before = versions(lake)

    done = commit(Lake(lake.uri, settings()), make_batch([A, B], run_id="run-2"))

    assert (done.batch_id, done.already) == (None, {A, B})
    assert versions(lake) == before


def test_a_new_pipeline_replaces_old_rows_and_appends_new_documents_in_one_commit_per_table(lake, findings):
    commit(lake, make_batch([A, B]))
    before = versions(lake)

    commit(lake, make_batch([B, C], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb", pages=3))

    after = versions(lake)
    assert all(after[name] == before[name] + 1 for name in ("page_text", "entities", "documents"))
    assert owners(lake) == owners(lake, "page_text") == {(A, "run-1"), (B, "run-2"), (C, "run-2")}
    assert lake.read("entities", doc_ids=[B]).num_rows == 9
    assert findings(lake) == {}


def test_equal_extraction_with_other_governance_is_written_again(lake, findings):
    commit(lake, make_batch([A], classification="public"))

    commit(lake, make_batch([A], run_id="run-2", classification="PHI"))

    assert set(lake.read("entities").column("classification").to_pylist()) == {"PHI"}
    assert findings(lake) == {}


def test_a_second_try_improves_a_document_and_a_worse_one_does_not_spoil_it(lake, findings):
    commit(lake, make_batch([A], statuses={A: "quarantined"}))

    better = commit(lake, make_batch([A], run_id="run-2"))
    worse = commit(lake, make_batch([A], run_id="run-3", statuses={A: "partial"}))

    assert (better.already, worse.already) == (frozenset(), {A})
    assert lake.current()[A].status == "extracted"
    assert lake.read("quarantine").num_rows == 0
    assert findings(lake) == {}


@pytest.mark.parametrize("step", ["replace", "complete"])
def test_an_unfinished_batch_does_not_count_until_it_is_offered_again(lake, findings, monkeypatch, step):
    commit(lake, make_batch([A]))
    real = getattr(Work, step)

    def die(work, *arguments, **options):
        if step == "complete" or arguments[0].name == "documents":
            raise LakeError("power cut")
        return real(work, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Work, step, die)
        with pytest.raises(LakeError):
            commit(lake, make_batch([A, B], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"))

    assert lake.current() == {}
    assert findings(lake) == {("unfinished", "ledger"): 1}
    again = commit(
        Lake(lake.uri, settings()), make_batch([A, B], run_id="run-3", pipeline="2.0+bbbbbbbbbbbb")
    )
    assert again.already == frozenset()
    assert owners(lake) == {(A, "run-3"), (B, "run-3")}
    assert findings(lake) == {}


def test_a_document_taken_over_by_a_later_claim_is_left_to_it(lake, findings, monkeypatch):
    other = Lake(lake.uri, settings())
    real = Work.complete
    results = []

    def complete(work):
        monkeypatch.setattr(Work, "complete", real)
        results.append(commit(other, make_batch([B, C], run_id="run-2")))
        real(work)

    monkeypatch.setattr(Work, "complete", complete)
    commit(lake, make_batch([A, B], run_id="run-1"))

    assert results[0].already == frozenset()
    assert owners(lake) == {(A, "run-1"), (B, "run-2"), (C, "run-2")}
    assert findings(lake) == {}


@pytest.mark.parametrize("moment", ["between handle and ledger", "between ledger and commit"])
def test_a_later_writer_that_overtakes_at_the_worst_moment_is_seen(lake, findings, monkeypatch, moment):
    other = Lake(lake.uri, settings())
    owner, name = (Lake, "handle") if moment == "between handle and ledger" else (Ledger, "refresh")
    real = getattr(owner, name)

    def then_overtaken(self, *arguments, **options):
        result = real(self, *arguments, **options)
        frame = sys._getframe(1)
        if getattr(self, "lake", self) is lake and "Work._handle" in {
            frame.f_code.co_qualname,
            *_callers(frame),
        }:
            monkeypatch.setattr(owner, name, real)
            commit(other, make_batch([A, C], run_id="run-2"))
        return result

    monkeypatch.setattr(owner, name, then_overtaken)
    done = commit(lake, make_batch([A, B]))

    assert done.yielded == {A}
    assert owners(lake) == owners(lake, "page_text") == {(A, "run-2"), (B, "run-1"), (C, "run-2")}
    assert lake.read("page_text").num_rows == 6
    assert findings(lake) == {}


def _callers(frame):
    while frame is not None:
        yield frame.f_code.co_qualname
        frame = frame.f_back


@pytest.mark.parametrize("seed", range(6))
def test_writers_that_interleave_leave_every_document_whole_and_once(tmp_path, findings, monkeypatch, seed):
    uri = str(tmp_path / "lake")
    commit(Lake(uri, settings()), make_batch([A], run_id="old", pipeline="0.9+cccccccccccc"))

    def writer(run_id, doc_ids, pipeline="1.0+aaaaaaaaaaaa"):
        return lambda: commit(Lake(uri, settings()), make_batch(doc_ids, run_id=run_id, pipeline=pipeline))

    with Interleaving(seed).hooks(monkeypatch) as turns:
        turns.run(
            writer("run-1", [A, B]), writer("run-2", [B, C, A]), writer("run-3", [D, B], "2.0+bbbbbbbbbbbb")
        )

    lake = Lake(uri, settings())
    assert lake.current().keys() == {A, B, C, D}
    assert lake.read("entities").num_rows == 24
    assert lake.read("sources").num_rows == 4
    assert findings(lake) == {}


def test_a_commit_whose_answer_was_lost_counts_once(lake, findings, monkeypatch):
    lose_answers(monkeypatch, every=2)

    commit(lake, make_batch([A, B]))
    commit(lake, make_batch([B, C], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"))

    assert lake.read("entities").num_rows == 18
    assert findings(lake) == {}


@pytest.mark.parametrize("guard", ["retries", "transaction"])
def test_of_two_handles_on_one_version_the_second_cannot_commit(lake, guard):
    import deltalake

    commit(lake, make_batch([A]))
    contract = table_named("runs")
    first, second = (Lake(lake.uri, settings()).writable("runs") for _ in range(2))
    rows = [contract.to_arrow([run_row(name)]).cast(contract.arrow_schema()) for name in ("r1", "r2")]
    if guard == "retries":
        delta.write(first, contract, rows[0])
        with pytest.raises(delta.StaleError):
            delta.write(second, contract, rows[1])
    else:  # were the library to retry on its own, the application transaction would still stop it
        for handle, row in ((first, rows[0]), (second, rows[1])):
            properties = deltalake.CommitProperties(
                app_transactions=[deltalake.Transaction(delta.APP_ID, handle.version() + 1)]
            )
            if handle is first:
                deltalake.write_deltalake(handle, row, mode="append", commit_properties=properties)
            else:
                with pytest.raises(deltalake.exceptions.CommitFailedError):
                    deltalake.write_deltalake(handle, row, mode="append", commit_properties=properties)
    assert lake.read("runs").column("run_id").to_pylist() == ["r1"]


def test_a_writer_that_always_loses_gives_up_with_a_retryable_error(lake, monkeypatch):
    def lose(*_, **__):
        raise delta.StaleError

    monkeypatch.setattr(delta, "write", lose)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(CommitConflictError) as caught:
        commit(lake, make_batch([A]))
    assert caught.value.retryable
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_other_addresses_of_a_document_are_added_and_none_is_lost_when_it_is_extracted_again(lake, findings):
    batch = make_batch([A])
    commit(lake, batch)
    first = batch.tables["sources"].to_pylist()[0]
    row = {**first, "uri": "/elsewhere/copy.pdf"}
    elsewhere = table_named("sources").to_arrow([row])

    assert add_sources(lake, elsewhere).rows == 1
    assert add_sources(lake, elsewhere) is None
    commit(lake, make_batch([A], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"))

    assert sorted(lake.read("sources").column("uri").to_pylist()) == ["/elsewhere/copy.pdf", first["uri"]]
    assert findings(lake) == {}


def test_a_run_is_written_once(lake):
    assert [append_run(lake, run_row("r")).rows for _ in range(2)] == [1, 0]
    assert lake.read("runs").num_rows == 1


def bad_batches():
    good = make_batch([A, B])
    documents = good.tables["documents"]

    def with_table(name, table):
        return replace(good, tables={**good.tables, name: table})

    entities = good.tables["entities"]
    index = entities.schema.get_field_index("type")
    nulls = pa.nulls(entities.num_rows, pa.string())
    no_type = entities.set_column(index, entities.schema.field(index), nulls)
    return {
        "an unknown table": with_table("nonsense", documents),
        "a document without its row": with_table("documents", documents.slice(0, 1)),
        "a document twice": replace(good, tables={**good.tables, "documents": documents.take([0, 0, 1])}),
        "rows of a stranger": with_table("entities", make_batch([C]).tables["entities"]),
        "rows of another extraction": replace(good, extractions={A: "x", B: extraction_id(B, "y")}),
        "rows of another run": replace(good, run_id="other"),
        "a null where none may be": with_table("entities", no_type),
        "a missing column": with_table("entities", entities.drop_columns(["type"])),
    }


@pytest.mark.parametrize("name", bad_batches())
def test_a_batch_with(lake, name):
    with pytest.raises(ContractError):
        commit(lake, bad_batches()[name])
    assert not lake.exists()


def test_rows_lie_by_class_and_consent_sorted_by_study_and_document(lake):
    from urllib.parse import unquote

    import pyarrow.parquet as pq

    commit(lake, make_batch([B, A, C], study_id="S-2"))

    files = lake.handle("entities").file_uris()
    assert [
        "classification=PHI/consent_scope=research+model" in unquote(unquote(file)) for file in files
    ] == [True]
    order = pq.ParquetFile(files[0]).read(columns=["doc_id"]).column("doc_id").to_pylist()
    assert order == sorted(order)
