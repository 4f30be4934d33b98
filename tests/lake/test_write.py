"""A batch that leaves tables alone, keeps what people decided, and gives way to whoever changed the document."""

from dataclasses import replace

import pytest

from extractor.errors import CommitConflictError, ContractError, LakeError
from extractor.lake.commit import commit
from extractor.lake.retag import Tags, retag
from extractor.lake.rollback import rollback
from extractor.lake.store import Lake
from extractor.lake.work import Work
from extractor.tables.catalogue import table_named
from tests.faults.lake import Interleaving
from tests.lake.factory import doc_id, make_batch, settings
from tests.lake.reprocessed import decide, reprocess_batch

A, B, C = (doc_id(name) for name in "abc")
PUBLIC = Tags(study_id="S-9", subject_id=None, classification="public", consent_scope="none")


def facts(lake, table, *columns, **options):
    return {tuple(row[name] for name in columns) for row in lake.read(table, **options).to_pylist()}


def dying(at):
    """A Work.replace that dies when it comes to a table."""
    real = Work.replace

    def replace_rows(work, contract, make_rows, *, create):
        if contract.name == at:
            raise LakeError("power cut")
        real(work, contract, make_rows, create=create)

    return replace_rows


def test_the_text_stays_to_the_byte_and_the_document_says_who_read_it(lake, findings):
    commit(lake, make_batch([A, B, C]))
    first = lake.current()[A]
    version = lake.version("page_text")

    done = commit(lake, reprocess_batch(lake, [A, B]))

    assert {one.table: one.rows for one in done.commits} == {"page_text": 0, "entities": 12, "documents": 2}
    assert lake.version("page_text") == version
    assert facts(lake, "page_text", "run_id") == {("run-1",)}
    (row,) = lake.read("documents", doc_ids=[A]).to_pylist()
    assert (row["run_id"], row["text_run_id"]) == ("run-2", "run-1")
    assert (row["extraction_id"] != first.extraction_id, row["text_extraction_id"]) == (
        True,
        first.extraction_id,
    )
    assert facts(lake, "entities", "doc_id", "run_id", "score") == {
        (A, "run-2", 0.9),
        (B, "run-2", 0.9),
        (C, "run-1", None),
    }
    assert findings(lake) == {}


def test_the_text_keeps_its_reader_over_many_reprocesses_and_loses_it_when_the_document_is_read_again(
    lake, findings
):
    commit(lake, make_batch([A]))
    read = lake.current()[A].extraction_id
    for number in (2, 3):
        commit(lake, reprocess_batch(lake, [A], run_id=f"run-{number}", pipeline=f"{number}.0"))
        assert facts(lake, "documents", "text_extraction_id", "text_run_id") == {(read, "run-1")}
        assert findings(lake) == {}

    commit(lake, make_batch([A], run_id="run-4", pipeline="4.0"))

    assert facts(lake, "documents", "text_extraction_id", "run_id") == {(None, "run-4")}
    assert facts(lake, "page_text", "run_id") == {("run-4",)}
    assert findings(lake) == {}


def test_text_of_another_extraction_than_the_document_names_is_found(lake, findings):
    commit(lake, make_batch([A]))
    commit(lake, reprocess_batch(lake, [A]))
    lake.handle("documents").update({"text_extraction_id": "'other'"})

    assert findings(lake) == {("stale", "page_text"): 2}


def test_text_that_went_missing_is_found_although_the_last_batch_did_not_write_it(lake, findings):
    commit(lake, make_batch([A]))
    commit(lake, reprocess_batch(lake, [A]))
    lake.handle("page_text").delete("page_no = 2")

    assert findings(lake)["count", "page_text"] == 1


def test_retagging_moves_a_reprocessed_document_with_its_older_text(lake, findings):
    commit(lake, make_batch([A]))
    commit(lake, reprocess_batch(lake, [A]))

    retag(lake, {A: PUBLIC}, run_id="run-3")

    for table in ("page_text", "entities", "documents"):
        assert facts(lake, table, "study_id", "classification") == {("S-9", "public")}
    assert findings(lake) == {}


def test_the_same_reprocess_again_writes_nothing(lake):
    commit(lake, make_batch([A, B]))
    commit(lake, reprocess_batch(lake, [A, B]))
    version = lake.version("entities")

    again = commit(Lake(lake.uri, settings()), reprocess_batch(lake, [A, B], run_id="run-3"))

    assert (again.batch_id, again.already, lake.version("entities")) == (None, {A, B}, version)


def test_a_document_that_changed_since_it_was_seen_is_not_written(lake, findings):
    commit(lake, make_batch([A, B, C]))
    batch = reprocess_batch(lake, [A, B, C])
    other = Lake(lake.uri, settings())
    commit(other, make_batch([A], run_id="run-x", pipeline="9.0"))  # read again
    retag(other, {B: PUBLIC}, run_id="run-y")  # made open: rows made for the old class must not land

    done = commit(lake, batch)

    assert done.changed == {A, B}
    assert facts(lake, "entities", "doc_id", "run_id") == {(A, "run-x"), (B, "run-1"), (C, "run-2")}
    assert findings(lake) == {}


@pytest.mark.parametrize("kind", ["extract", "retag"])
def test_a_document_that_another_writer_is_at_is_left_to_it(lake, findings, monkeypatch, kind):
    commit(lake, make_batch([A, B]))
    batch = reprocess_batch(lake, [A, B])
    other = Lake(lake.uri, settings())

    def write(run_id):
        if kind == "extract":
            commit(other, make_batch([A], run_id=run_id, pipeline="9.0"))
        else:
            retag(other, {A: PUBLIC}, run_id=run_id)

    with monkeypatch.context() as patch:
        patch.setattr(Work, "replace", dying("documents"))
        with pytest.raises(LakeError):
            write("run-x")

    done = commit(lake, batch)

    assert done.changed == {A}
    assert lake.current().keys() == {B}
    write("run-z")
    assert findings(lake) == {}


@pytest.mark.parametrize("at", ["entities", "relations", "documents"])
def test_a_reprocess_that_died_is_taken_over_by_the_next(lake, findings, monkeypatch, at):
    commit(lake, make_batch([A, B]))
    with monkeypatch.context() as patch:
        patch.setattr(Work, "replace", dying(at))
        with pytest.raises(LakeError):
            commit(Lake(lake.uri, settings()), reprocess_batch(lake, [A]))
    assert lake.current().keys() == {B}

    done = commit(lake, reprocess_batch(lake, [A, B], run_id="run-3"))

    assert (done.already, done.changed) == (frozenset(), frozenset())
    assert {one.run_id for one in lake.current().values()} == {"run-3"}
    assert findings(lake) == {}


def test_what_people_decided_stays_when_a_model_runs_again_and_when_a_document_is_read_again(lake, findings):
    commit(lake, make_batch([A, B]))
    decide(lake, f"doc_id = '{A}' AND type = 'drug' AND page_no = 1", "corrected", code="D001241")
    decide(lake, f"doc_id = '{A}' AND type = 'measurement' AND page_no = 2", "rejected")

    done = commit(lake, reprocess_batch(lake, [A, B]))

    assert (done.reviews["entities"].kept, done.reviews["entities"].gave_way) == (2, 2)
    decided = {("corrected", "D001241", None), ("rejected", None, None)}
    where = "review_status <> 'none'"
    assert facts(lake, "entities", "review_status", "code", "score", where=where) == decided
    assert findings(lake) == {}

    commit(lake, make_batch([A, B], run_id="run-3", pipeline="3.0"))

    assert facts(lake, "entities", "review_status", "code", "score", where=where) == decided
    assert facts(lake, "entities", "run_id") == {("run-3",)}
    assert findings(lake) == {}


def test_a_decision_that_its_new_text_does_not_bear_out_goes_and_is_told(lake, findings):
    commit(lake, make_batch([A], pages=2))
    decide(lake, "page_no = 2 AND type IN ('drug', 'email')", "accepted")
    gone = {row["row_id"] for row in lake.read("entities", where="review_status = 'accepted'").to_pylist()}

    done = commit(lake, make_batch([A], pages=1, run_id="run-2", pipeline="2.0"))

    assert set(done.reviews["entities"].unplaced) == gone
    assert lake.read("entities").num_rows == 3
    assert findings(lake) == {}


def test_tables_can_be_replaced_one_without_the_other(lake, findings):
    commit(lake, make_batch([A]))
    batch = reprocess_batch(lake, [A], restamped=frozenset({"entities"}))
    tables = {name: table for name, table in batch.tables.items() if name != "entities"}
    batch = replace(batch, tables=tables)

    commit(lake, batch)

    assert facts(lake, "entities", "run_id", "pipeline_version", "score") == {
        ("run-2", "2.0+bbbbbbbbbbbb", None)
    }
    assert findings(lake) == {}


@pytest.mark.parametrize("which", ["kept", "restamped"])
def test_rows_for_a_table_that_is_left_alone_are_refused(lake, which):
    commit(lake, make_batch([A]))
    batch = replace(reprocess_batch(lake, [A]), **{which: frozenset({"page_text", "entities"})})

    with pytest.raises(ContractError, match="leaves it alone"):
        commit(lake, batch)


def test_an_early_writer_cannot_leave_rows_where_a_later_one_has_none(lake, findings, monkeypatch):
    """The late one finds nothing to replace and nothing to write; the early one must not write afterwards."""
    commit(lake, make_batch([B], run_id="run-0"))
    quiet = make_batch([A], run_id="run-2", pipeline="2.0")
    quiet = replace(quiet, tables=quiet.tables | {"entities": table_named("entities").to_arrow([])})
    real = Work._handle
    began = []

    def handle(work, contract, *, create):
        found = real(work, contract, create=create)
        if work.claim.run_id == "run-1" and contract.name == "entities" and not began:
            began.append(True)
            commit(Lake(lake.uri, settings()), quiet)  # begins and ends while the early one holds its handle
        return found

    monkeypatch.setattr(Work, "_handle", handle)
    done = commit(lake, make_batch([A], run_id="run-1"))

    assert (began, done.yielded) == ([True], {A})
    assert facts(lake, "entities", "doc_id") == {(B,)}
    assert lake.current()[A].run_id == "run-2"
    assert findings(lake) == {}


@pytest.mark.parametrize("seed", range(12))
def test_whatever_writers_do_at_the_same_time_the_lake_keeps_its_promises(lake, findings, monkeypatch, seed):
    commit(lake, make_batch([A, B, C]))
    commit(lake, reprocess_batch(lake, [A, B], run_id="run-2"))
    decide(lake, f"doc_id = '{A}' AND type = 'drug'", "accepted")
    view = Lake(lake.uri, settings())
    one = reprocess_batch(view, [A, B, C], run_id="run-3", pipeline="3.0")
    two = reprocess_batch(view, [C, A], run_id="run-4", pipeline="4.0")

    def patiently(act):
        def writer():
            own = Lake(lake.uri, settings(commit_retries=200))
            while True:
                try:
                    act(own)
                except CommitConflictError:
                    continue
                return

        return writer

    writers = [
        patiently(lambda own: commit(own, one)),
        patiently(lambda own: commit(own, two)),
        patiently(lambda own: commit(own, make_batch([B, C], run_id="run-5", pipeline="5.0"))),
        patiently(lambda own: rollback(own, "run-2", own_run_id="run-6")),
        patiently(lambda own: retag(own, {A: PUBLIC, C: PUBLIC}, run_id="run-7")),
    ]
    with Interleaving(seed).hooks(monkeypatch) as interleaving:
        interleaving.run(*writers)

    found = Lake(lake.uri, settings())
    assert found.current().keys() == {A, B, C}
    assert findings(found) == {}
    accepted = found.read("entities", where="review_status = 'accepted'")
    assert set(accepted.column("doc_id").to_pylist()) == {A}
    assert accepted.num_rows == 2
