"""A run can be taken back: its documents say again what they said before, under today's rules."""

import pytest

from extractor.errors import ConfigError, LakeError
from extractor.lake.changes import compare_rows
from extractor.lake.commit import commit
from extractor.lake.maintain import maintain
from extractor.lake.retag import Tags, retag
from extractor.lake.rollback import rollback
from extractor.lake.store import Lake
from extractor.lake.work import Work
from tests.lake.factory import doc_id, make_batch, settings
from tests.lake.reprocessed import decide, reprocess_batch

A, B, C, D = (doc_id(name) for name in "abcd")
TABLES = ("page_text", "entities", "quarantine", "documents")
STRICT = Tags(study_id="S-9", subject_id=None, classification="PHI", consent_scope="none")


def rows_of(lake, *doc_ids):
    return {table: lake.read(table, doc_ids=doc_ids) for table in TABLES}


def same(before, after):
    return all(compare_rows(table, before[table], after[table]).is_empty for table in TABLES)


def fewer(row):
    """Another model: no measurements, and other scores."""
    return [] if row["type"] == "measurement" else [row | {"score": 0.5}]


def statuses(lake):
    return {doc_id: one.run_id for doc_id, one in lake.current().items()}


def dying(at):
    real = Work.replace

    def replace_rows(work, contract, make_rows, *, create):
        if contract.name == at:
            raise LakeError("power cut")
        real(work, contract, make_rows, create=create)

    return replace_rows


def test_a_reprocess_is_taken_back_row_by_row_and_nothing_else_moves(lake, findings):
    commit(lake, make_batch([A, B, C], statuses={B: "partial"}))
    before = rows_of(lake, A, B, C)
    commit(lake, reprocess_batch(lake, [A, B], change=fewer))
    assert not same(before, rows_of(lake, A, B, C))
    version = lake.version("page_text")

    done = rollback(lake, "run-2", own_run_id="run-3")

    assert (done.restored, done.seen, done.rows) == (
        2,
        2,
        {"documents": 2, "entities": 12, "page_text": 0, "quarantine": 1},
    )
    assert same(before, rows_of(lake, A, B, C))
    assert statuses(lake) == dict.fromkeys((A, B, C), "run-1")
    assert lake.version("page_text") == version
    assert findings(lake) == {}


def test_a_run_that_read_documents_again_is_taken_back_with_its_text(lake, findings):
    commit(lake, make_batch([A, B], pages=3))
    before = rows_of(lake, A, B)
    commit(lake, make_batch([A, B, C], run_id="run-2", pipeline="2.0", pages=1))

    done = rollback(lake, "run-2", own_run_id="run-3")

    assert (done.restored, done.created) == (2, 1)
    assert same(before, rows_of(lake, A, B))
    assert statuses(lake) == {A: "run-1", B: "run-1", C: "run-2"}
    assert findings(lake) == {}


def test_of_several_batches_each_is_taken_back_to_its_own_past(lake, findings):
    commit(lake, make_batch([A], run_id="run-0"))
    commit(lake, make_batch([B, C], run_id="run-1"))
    before = rows_of(lake, A, B, C)
    for group in ([A, B], [C]):
        commit(lake, reprocess_batch(lake, group, run_id="run-2", change=fewer))

    done = rollback(lake, "run-2", own_run_id="run-3")

    assert done.restored == 3
    assert same(before, rows_of(lake, A, B, C))
    assert statuses(lake) == {A: "run-0", B: "run-1", C: "run-1"}
    assert findings(lake) == {}


def test_a_rollback_can_be_taken_back_and_done_again(lake, findings):
    commit(lake, make_batch([A, B]))
    before = rows_of(lake, A, B)
    commit(lake, reprocess_batch(lake, [A, B], change=fewer))
    after = rows_of(lake, A, B)
    rollback(lake, "run-2", own_run_id="run-3")

    assert rollback(lake, "run-3", own_run_id="run-4").restored == 2
    assert same(after, rows_of(lake, A, B))
    assert statuses(lake) == dict.fromkeys((A, B), "run-2")
    assert findings(lake) == {}

    assert rollback(lake, "run-4", own_run_id="run-5").restored == 2
    assert same(before, rows_of(lake, A, B))
    assert findings(lake) == {}


def test_what_another_run_wrote_since_stays(lake, findings):
    commit(lake, make_batch([A, B]))
    commit(lake, reprocess_batch(lake, [A, B]))
    commit(lake, reprocess_batch(lake, [A], run_id="run-3", pipeline="3.0"))

    done = rollback(lake, "run-2", own_run_id="run-4")

    assert (done.restored, done.superseded) == (1, 1)
    assert statuses(lake) == {A: "run-3", B: "run-1"}
    assert rollback(lake, "run-2", own_run_id="run-5").restored == 0
    assert findings(lake) == {}


def test_todays_governance_holds_over_the_rows_that_come_back(lake, findings):
    commit(lake, make_batch([A, B], classification="public", consent_scope="unrestricted"))
    commit(lake, reprocess_batch(lake, [A, B], change=fewer))
    retag(lake, {A: STRICT}, run_id="run-3")
    retag(lake, {A: {"owner": "lab 3"}}, run_id="run-4")

    rollback(lake, "run-2", own_run_id="run-5")

    for table in ("page_text", "entities", "documents"):
        tags = {
            (row["study_id"], row["subject_id"], row["classification"], row["consent_scope"])
            for row in lake.read(table, doc_ids=[A]).to_pylist()
        }
        assert tags == {("S-9", None, "PHI", "none")}
    assert lake.read("documents", doc_ids=[A]).column("owner").to_pylist() == ["lab 3"]
    assert lake.read("entities", doc_ids=[A]).num_rows == 6
    assert lake.current()[B].classification == "public"
    assert findings(lake) == {}


def test_a_withdrawn_document_does_not_come_back(lake):
    commit(lake, make_batch([A, B]))
    commit(lake, reprocess_batch(lake, [A, B], change=fewer))
    lake.handle("documents").update(
        {"status": "'withdrawn'", "status_code": "'consent.withdrawn'"}, predicate=f"doc_id = '{A}'"
    )
    lake.handle("entities").delete(f"doc_id = '{A}'")

    done = rollback(lake, "run-2", own_run_id="run-3")

    assert (done.restored, done.withdrawn) == (1, 1)
    assert lake.read("entities", doc_ids=[A]).num_rows == 0
    assert lake.current()[A].status == "withdrawn"


def test_what_people_decided_since_stays(lake, findings):
    commit(lake, make_batch([A, B]))
    commit(lake, reprocess_batch(lake, [A, B]))
    decide(lake, f"doc_id = '{A}' AND type = 'drug' AND page_no = 1", "corrected", code="D001241")

    done = rollback(lake, "run-2", own_run_id="run-3")

    assert (done.reviews["entities"].kept, done.reviews["entities"].gave_way) == (1, 1)
    (row,) = lake.read("entities", where="review_status = 'corrected'").to_pylist()
    assert (row["code"], row["run_id"], row["score"]) == ("D001241", "run-1", 0.9)
    assert lake.read("entities").num_rows == 12
    assert findings(lake) == {}


def test_a_run_that_finished_what_another_left_is_taken_back_beyond_both(lake, findings, monkeypatch):
    commit(lake, make_batch([A, B]))
    before = rows_of(lake, A, B)
    for at in ("relations", "documents"):
        with monkeypatch.context() as patch:
            patch.setattr(Work, "replace", dying(at))
            with pytest.raises(LakeError):
                commit(
                    Lake(lake.uri, settings()), reprocess_batch(lake, [A], run_id=f"dead-{at}", change=fewer)
                )
    commit(lake, reprocess_batch(lake, [A, B], run_id="run-3", change=fewer))

    done = rollback(lake, "run-3", own_run_id="run-4")

    assert done.restored == 2
    assert same(before, rows_of(lake, A, B))
    assert findings(lake) == {}


@pytest.mark.parametrize("at", ["entities", "documents"])
def test_an_interrupted_rollback_is_completed_by_the_next(lake, findings, monkeypatch, at):
    commit(lake, make_batch([A, B]))
    before = rows_of(lake, A, B)
    commit(lake, make_batch([A, B], run_id="run-2", pipeline="2.0", pages=1))
    with monkeypatch.context() as patch:
        patch.setattr(Work, "replace", dying(at))
        with pytest.raises(LakeError):
            rollback(Lake(lake.uri, settings()), "run-2", own_run_id="run-3")
    assert lake.current() == {}

    assert rollback(lake, "run-2", own_run_id="run-4").restored == 2

    assert same(before, rows_of(lake, A, B))
    assert findings(lake) == {}


def test_a_document_that_a_writer_is_at_is_left_to_it(lake, findings, monkeypatch):
    commit(lake, make_batch([A, B]))
    commit(lake, reprocess_batch(lake, [A, B]))
    with monkeypatch.context() as patch:
        patch.setattr(Work, "replace", dying("documents"))
        with pytest.raises(LakeError):
            commit(Lake(lake.uri, settings()), make_batch([A], run_id="run-3", pipeline="3.0"))

    done = rollback(lake, "run-2", own_run_id="run-4")

    assert (done.restored, done.in_work) == (1, 1)
    commit(lake, make_batch([A], run_id="run-5", pipeline="3.0"))
    assert statuses(lake) == {A: "run-5", B: "run-1"}
    assert findings(lake) == {}


def test_compaction_in_between_changes_nothing(lake, findings):
    for document in (A, B, C, D):
        commit(lake, make_batch([document]))
    before = rows_of(lake, A, B, C, D)
    commit(lake, reprocess_batch(lake, [A, C], change=fewer))
    maintain(lake, run_id="m")

    rollback(lake, "run-2", own_run_id="run-3")

    assert same(before, rows_of(lake, A, B, C, D))
    assert findings(lake) == {}


@pytest.mark.parametrize("lost", ["files", "log"])
def test_where_the_earlier_rows_are_gone_nothing_is_changed_and_it_is_said_why(
    lake, findings, tmp_path, lost
):
    commit(lake, make_batch([A]))
    commit(lake, make_batch([B]))
    commit(lake, reprocess_batch(lake, [A], change=fewer))
    commit(lake, reprocess_batch(lake, [B], change=fewer))
    if lost == "files":
        maintain(Lake(lake.uri, settings(vacuum_hours=0)), run_id="m")
    else:
        log = tmp_path / "lake/governed/entities/_delta_log"
        (log / f"{lake.version('entities'):020}.json").unlink()
    lake = Lake(lake.uri, settings())
    ledger = lake.version("ledger")

    with pytest.raises(LakeError, match="gone") as failure:
        rollback(lake, "run-2", own_run_id="run-3")

    assert "maintain" in failure.value.hint
    assert lake.version("ledger") == ledger
    assert statuses(lake) == dict.fromkeys((A, B), "run-2")


def test_earlier_rows_that_do_not_add_up_are_not_put_back(lake):
    commit(lake, make_batch([A]))
    lake.handle("entities").delete("page_no = 2")  # behind the engine's back
    commit(lake, reprocess_batch(lake, [A]))
    ledger = lake.version("ledger")

    with pytest.raises(LakeError, match="do not add up"):
        rollback(lake, "run-2", own_run_id="run-3")

    assert lake.version("ledger") == ledger


def test_a_run_that_no_batch_is_of_and_a_lake_that_is_not_there_are_said_to_be_so(lake):
    with pytest.raises(LakeError, match="no lake"):
        rollback(lake, "run-1", own_run_id="run-2")
    commit(lake, make_batch([A]))
    retag(lake, {A: STRICT}, run_id="run-tags")
    for run_id in ("nobody's", "run-tags"):
        with pytest.raises(ConfigError, match="no batch"):
            rollback(lake, run_id, own_run_id="run-3")


@pytest.mark.parametrize("lost", [False, True], ids=["there", "gone"])
def test_a_lake_in_an_object_store_is_taken_back_too(s3, findings, lost):
    s3.client.create_bucket(Bucket="bucket")
    options = settings(storage_options=s3.lake_options)
    lake = Lake("s3://bucket/lake", options)
    commit(lake, make_batch([A, B]))
    before = rows_of(lake, A, B)
    commit(lake, reprocess_batch(lake, [A], change=fewer))
    if lost:
        maintain(
            Lake("s3://bucket/lake", settings(storage_options=s3.lake_options, vacuum_hours=0)), run_id="m"
        )
        with pytest.raises(LakeError, match="gone"):
            rollback(lake, "run-2", own_run_id="run-3")
        return

    assert rollback(lake, "run-2", own_run_id="run-3").restored == 1

    assert same(before, rows_of(lake, A, B))
    assert findings(lake) == {}
