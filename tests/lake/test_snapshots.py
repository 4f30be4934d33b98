"""A named state stays as it was, through rewriting and maintenance, and is no way around today's governance."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from extractor.errors import AccessDeniedError, ConfigError, LakeError
from extractor.lake import delta, snapshots
from extractor.lake.commit import append_run, commit
from extractor.lake.maintain import maintain
from extractor.lake.query import query
from extractor.lake.retag import Tags, retag
from extractor.lake.snapshot import snapshot
from extractor.lake.snapshots import create_snapshot, drop_snapshot, find_snapshot, live_snapshots
from extractor.lake.store import Lake
from extractor.lake.verify import verify
from extractor.lake.work import Work
from tests.lake.factory import doc_id, make_batch, run_row, settings

A, B, C = (doc_id(name) for name in "abc")
NEW = {"run_id": "run-2", "pipeline": "2.0+bbbbbbbbbbbb"}
TABLES = ("page_text", "entities", "documents", "sources", "quarantine")


def rows(lake):
    return {name: sorted(map(str, lake.read(name).to_pylist())) for name in TABLES}


def ask(lake, policy, principal, sql):
    return query(lake, policy.access(principal), sql).rows.to_pylist()


def seen(lake, policy, principal, table="entities"):
    return {row["doc_id"] for row in ask(lake, policy, principal, f"select distinct doc_id from {table}")}


def tags(**changes):
    values = {"study_id": "S-1", "subject_id": "SUBJ-1", "classification": "PHI", "consent_scope": "none"}
    return Tags(**{**values, **changes})


def age(folder, days):
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - days * 86_400,) * 2)


# -- reading


def test_a_snapshot_reads_as_the_lake_was_however_much_changed_since(lake):
    commit(lake, make_batch([A, B]))
    append_run(lake, run_row("run-1"))
    create_snapshot(lake, "first", by="steward")
    before = rows(lake)
    documents = lake.current()

    commit(lake, make_batch([A, C], pages=3, **NEW))
    retag(lake, {B: tags(classification="public")}, run_id="run-3")
    append_run(lake, run_row("run-2"))

    then = lake.at("first")
    assert rows(then) == before
    assert rows(lake) != before
    assert then.current() == documents
    assert then.read("runs").num_rows == 1
    assert then.version("ledger") == find_snapshot(lake, "first").ledger_version
    assert lake.at(None) is lake
    assert then.now.read("runs").num_rows == lake.read("runs").num_rows == 2


def test_every_reader_sees_the_snapshot(lake, policy):
    commit(lake, make_batch([A], classification="public"))
    create_snapshot(lake, "first", by="steward")
    commit(lake, make_batch([A], classification="public", pages=4, **NEW))
    commit(lake, make_batch([B], classification="public", **NEW))

    then = lake.at("first")
    assert ask(then, policy, "partner", "select count(*) as n from entities") == [{"n": 6}]
    assert ask(lake, policy, "partner", "select count(*) as n from entities") == [{"n": 18}]
    assert ask(then, policy, "steward", "select count(*) as n from ledger") == [{"n": 2}]
    assert {path.split("/")[-1][:8] for path in (row["uri"] for row in then.read("sources").to_pylist())} == {
        A[:8]
    }
    assert verify(then, class_order=policy.classes, scope_order=policy.consent_scopes).rows["entities"] == 6
    assert verify(then).findings == ()
    assert set(snapshot(then, ["entities", "snapshots"]).handles) == {"entities", "snapshots"} & set(
        find_snapshot(lake, "first").versions
    )


def test_a_table_that_came_later_is_not_there(lake):
    commit(lake, make_batch([A]))
    create_snapshot(lake, "first", by="steward")
    append_run(lake, run_row("run-1"))

    assert lake.at("first").handle("runs") is None
    assert lake.at("first").read("runs").num_rows == 0
    assert "runs" not in find_snapshot(lake, "first").versions


@pytest.mark.parametrize(
    "write",
    [
        lambda lake: commit(lake, make_batch([C])),
        lambda lake: retag(lake, {A: tags()}, run_id="run-3"),
        lambda lake: append_run(lake, run_row("run-9")),
        lambda lake: maintain(lake, run_id="run-m"),
        lambda lake: create_snapshot(lake, "second", by="steward"),
        lambda lake: drop_snapshot(lake, "first", by="steward"),
        lambda lake: lake.writable("entities"),
    ],
    ids=["commit", "retag", "runs", "maintain", "create", "drop", "writable"],
)
def test_nothing_is_written_through_a_snapshot(lake, write):
    commit(lake, make_batch([A]))
    create_snapshot(lake, "first", by="steward")
    versions = {table: lake.version(table) for table in (*TABLES, "ledger", "snapshots")}

    with pytest.raises(LakeError) as caught:
        write(lake.at("first"))

    assert caught.value.code == "lake.read_only"
    assert {table: lake.version(table) for table in versions} == versions


# -- writers at work


def die(_work):
    raise LakeError("power cut")


def test_documents_that_a_writer_was_at_are_hidden_for_good(lake, policy, monkeypatch):
    commit(lake, make_batch([A, B]))
    with monkeypatch.context() as patch:
        patch.setattr(Work, "complete", die)
        with pytest.raises(LakeError, match="power cut"):
            commit(lake, make_batch([B, C], **NEW))
    created = create_snapshot(lake, "first", by="steward")
    commit(lake, make_batch([B, C], run_id="run-3", pipeline="3.0+cccccccccccc"))

    then = lake.at("first")
    assert set(created.hidden) == {B, C}
    assert then.current().keys() == {A}
    assert seen(then, policy, "steward") == {A}
    assert set(then.read("entities").column("doc_id").to_pylist()) == {A}
    report = verify(then)
    assert (report.documents, report.findings) == (1, ())
    assert query(then, policy.access("steward"), "select 1 from entities").documents_in_work == 2


def test_a_batch_that_ends_while_the_versions_are_taken_is_hidden(lake, monkeypatch):
    commit(lake, make_batch([A]))
    other = Lake(lake.uri, settings())
    real = delta.open_table

    def then_written(uri, options, *, name, version=None):
        handle = real(uri, options, name=name, version=version)
        if name == "entities" and version is None and not done:
            done.append(name)
            commit(other, make_batch([A, B], **NEW))
        return handle

    done = []
    for table in (*TABLES, "ledger", "snapshots"):
        lake.writable(table)
    monkeypatch.setattr(delta, "open_table", then_written)
    created = create_snapshot(lake, "first", by="steward")
    monkeypatch.undo()

    assert done
    assert set(created.hidden) == {A, B}
    assert verify(lake.at("first")).findings == ()


# -- names


def test_what_is_told_of_a_snapshot(lake):
    commit(lake, make_batch([A, B]))

    created = create_snapshot(lake, "2026-q1.final_v2", by="steward", note="submission")

    assert live_snapshots(lake) == (created,)
    assert (created.by, created.note, created.hidden) == ("steward", "submission", ())
    assert created.rows["entities"] == 12
    assert created.versions.keys() >= {"page_text", "entities", "documents", "sources", "ledger"}
    assert abs(created.at - datetime.now(UTC)) < timedelta(minutes=1)
    stored = lake.read("snapshots").to_pylist()
    assert [(row["name"], row["event"], row["sequence_no"]) for row in stored] == [
        ("2026-q1.final_v2", "created", lake.version("snapshots"))
    ]


@pytest.mark.parametrize("name", ["", "now", "Big", "-x", ".x", "a b", "a/b", "x" * 65, "ü", "a\n"])
def test_what_cannot_be_a_name(lake, name):
    commit(lake, make_batch([A]))

    with pytest.raises(ConfigError):
        create_snapshot(lake, name, by="steward")


def test_a_living_name_is_taken_and_a_dropped_one_is_free_again(lake):
    commit(lake, make_batch([A]))
    create_snapshot(lake, "first", by="steward")
    with pytest.raises(LakeError) as caught:
        create_snapshot(lake, "first", by="steward")
    assert caught.value.code == "lake.snapshot_exists"

    drop_snapshot(lake, "first", by="other", note="done")
    with pytest.raises(LakeError) as caught:
        lake.at("first")
    assert caught.value.code == "lake.no_snapshot"
    with pytest.raises(LakeError):
        drop_snapshot(lake, "first", by="other")
    commit(lake, make_batch([B]))
    create_snapshot(lake, "first", by="steward")

    assert lake.at("first").current().keys() == {A, B}
    events = sorted(lake.read("snapshots").to_pylist(), key=lambda row: row["sequence_no"])
    assert [(row["event"], row["by"]) for row in events] == [
        ("created", "steward"),
        ("dropped", "other"),
        ("created", "steward"),
    ]


def test_a_snapshot_of_no_lake_is_refused(lake):
    with pytest.raises(LakeError, match="no lake"):
        create_snapshot(lake, "first", by="steward")
    with pytest.raises(LakeError):
        lake.at("first")
    assert live_snapshots(lake) == ()


def test_of_several_creators_of_one_name_exactly_one_wins(lake):
    commit(lake, make_batch([A]))
    lake.writable("snapshots")
    start = threading.Barrier(4)
    said = []

    def create(number):
        mine = Lake(lake.uri, settings())
        start.wait()
        try:
            said.append(create_snapshot(mine, "first", by=f"p{number}").by)
        except LakeError as error:
            said.append(error.code)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert said.count("lake.snapshot_exists") == 3
    assert [one.by for one in live_snapshots(lake)] == [who for who in said if who.startswith("p")]
    assert lake.read("snapshots").num_rows == 1


# -- maintenance


@pytest.fixture
def strict_lake(tmp_path):
    """A lake whose replaced files may go at once."""
    return Lake(str(tmp_path / "lake"), settings(vacuum_hours=0))


def replaced_often(lake, count=3):
    for number in range(count):
        commit(lake, make_batch([A, B], run_id=f"again-{number}", pipeline=f"{number}.9+dddddddddddd"))


def test_maintenance_keeps_the_files_of_a_snapshot_and_no_others(strict_lake, tmp_path, policy):
    lake = strict_lake
    commit(lake, make_batch([A]))
    commit(lake, make_batch([B]))
    lost = lake.version("entities")
    replaced_often(lake, 1)
    create_snapshot(lake, "first", by="steward")
    before = rows(lake)
    replaced_often(lake)

    for _ in range(2):
        maintain(lake, run_id="run-m")
    age(tmp_path / "lake", 3)
    replaced_often(lake, 1)
    maintain(lake, run_id="run-m")

    assert rows(lake.at("first")) == before
    assert verify(lake.at("first"), class_order=policy.classes).findings == ()
    with pytest.raises(LakeError) as caught:
        lake.read("entities", version=lost)
    assert caught.value.code == "lake.gone"
    assert verify(lake).findings == ()


def test_compaction_leaves_a_snapshot_its_small_files(strict_lake):
    lake = strict_lake
    for number in range(5):
        commit(lake, make_batch([doc_id(number)]))
    create_snapshot(lake, "first", by="steward")
    before = rows(lake)

    maintain(lake, run_id="run-m")

    assert len(lake.handle("entities").file_uris()) == 1
    assert len(lake.at("first").handle("entities").file_uris()) == 5
    assert rows(lake.at("first")) == before


def test_after_a_drop_the_next_maintenance_removes_what_only_that_state_needed(strict_lake, tmp_path):
    lake = strict_lake
    commit(lake, make_batch([A, B]))
    create_snapshot(lake, "first", by="steward")
    pinned = set(lake.handle("entities").file_uris())
    replaced_often(lake)
    maintain(lake, run_id="run-m")
    age(tmp_path / "lake", 3)
    maintain(lake, run_id="run-m")
    there = {str(path) for path in (tmp_path / "lake/governed/entities").rglob("*.parquet")}
    assert pinned <= there

    drop_snapshot(lake, "first", by="steward")
    maintain(lake, run_id="run-m")

    left = {
        str(path)
        for path in (tmp_path / "lake/governed/entities").rglob("*.parquet")
        if "_delta_log" not in path.parts
    }
    assert left == set(lake.handle("entities").file_uris())


def test_two_snapshots_may_pin_one_version_and_one_stays_when_the_other_goes(strict_lake, tmp_path):
    lake = strict_lake
    commit(lake, make_batch([A, B]))
    create_snapshot(lake, "first", by="steward")
    create_snapshot(lake, "second", by="steward")
    before = rows(lake)
    replaced_often(lake)
    drop_snapshot(lake, "first", by="steward")
    age(tmp_path / "lake", 3)

    maintain(lake, run_id="run-m")

    assert rows(lake.at("second")) == before


def test_nothing_is_removed_while_a_pinned_version_cannot_be_opened(strict_lake, tmp_path):
    lake = strict_lake
    commit(lake, make_batch([A]))
    create_snapshot(lake, "first", by="steward")
    replaced_often(lake)
    lake.handle("entities").create_checkpoint()
    for number in range(lake.version("entities")):
        (tmp_path / f"lake/governed/entities/_delta_log/{number:020}.json").unlink()
    files = len(list((tmp_path / "lake/governed/entities").rglob("*.parquet")))

    with pytest.raises(LakeError) as caught:
        maintain(lake, run_id="run-m", compact=False)

    assert caught.value.code == "lake.gone"
    assert "snapshot drop first" in caught.value.hint
    assert len(list((tmp_path / "lake/governed/entities").rglob("*.parquet"))) == files


def log_of(tmp_path, table="governed/entities"):
    return sorted(path.name for path in (tmp_path / "lake" / table / "_delta_log").glob("*.json"))


def test_an_expired_log_stays_while_an_old_snapshot_needs_it_and_goes_when_it_is_dropped(
    lake, tmp_path, monkeypatch
):
    commit(lake, make_batch([A]))
    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "_now", lambda: datetime.now(UTC) - timedelta(days=400))
        create_snapshot(lake, "first", by="steward")
    before = rows(lake)
    replaced_often(lake)
    maintain(lake, run_id="run-m")
    replaced_often(lake, 1)
    age(tmp_path / "lake", 390)
    replaced_often(lake, 1)

    maintain(lake, run_id="run-m", compact=False)
    assert rows(lake.at("first")) == before
    assert log_of(tmp_path)[0] == f"{0:020}.json"

    drop_snapshot(lake, "first", by="steward")
    maintain(lake, run_id="run-m", compact=False)
    assert log_of(tmp_path)[0] > f"{0:020}.json"
    assert verify(lake).findings == ()


def test_a_young_snapshot_of_an_idle_table_outlives_the_log_before_it(lake, tmp_path):
    commit(lake, make_batch([A]))
    replaced_often(lake)
    maintain(lake, run_id="run-m")
    replaced_often(lake, 1)
    age(tmp_path / "lake", 400)
    create_snapshot(lake, "first", by="steward")
    before = rows(lake)
    replaced_often(lake)

    maintain(lake, run_id="run-m")

    assert rows(lake.at("first")) == before
    assert log_of(tmp_path)[0] > f"{0:020}.json"


def test_a_table_from_before_snapshots_were_known_gets_a_log_that_stays(lake, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(delta, "KEEP_LOG", {})
        commit(lake, make_batch([A]))
    create_snapshot(lake, "first", by="steward")
    before = rows(lake)
    replaced_often(lake)
    lake.handle("entities").create_checkpoint()
    age(tmp_path / "lake", 400)
    replaced_often(lake, 1)

    lake.handle("entities").create_checkpoint()

    assert rows(lake.at("first")) == before


def test_a_snapshot_in_an_object_store_outlives_maintenance(s3):
    s3.put("snapshots/folder", b"")
    lake = Lake("s3://snapshots/lake", settings(storage_options=s3.lake_options, vacuum_hours=0))
    commit(lake, make_batch([A, B]))
    create_snapshot(lake, "first", by="steward")
    before = rows(lake)
    replaced_often(lake, 2)

    removed = {one.table: one.files_removed for one in maintain(lake, run_id="run-m")}

    assert removed["entities"] == 1
    assert rows(lake.at("first")) == before


# -- today's governance


def test_a_document_that_became_stricter_is_stricter_in_every_snapshot(lake, policy):
    commit(lake, make_batch([A, B], classification="public"))
    create_snapshot(lake, "first", by="steward")
    retag(lake, {A: tags(classification="PHI")}, run_id="run-3")

    then = lake.at("first")
    assert seen(then, policy, "partner") == {B}
    for table in ("entities", "documents"):
        assert seen(then, policy, "manufacturing", table) == {B}
    assert seen(then, policy, "steward") == {A, B}
    classes = {
        row["classification"] for row in ask(then, policy, "steward", "select classification from entities")
    }
    assert classes == {"public"}


def test_a_document_that_became_laxer_stays_as_strict_as_it_was_pinned(lake, policy):
    commit(lake, make_batch([A], classification="PHI"))
    create_snapshot(lake, "first", by="steward")
    retag(lake, {A: tags(classification="public", consent_scope="unrestricted")}, run_id="run-3")

    assert seen(lake, policy, "partner") == {A}
    assert seen(lake.at("first"), policy, "partner") == set()
    assert seen(lake.at("first"), policy, "clinician") == {A}


def test_consent_that_was_taken_back_is_taken_back_in_every_snapshot(lake, policy):
    commit(lake, make_batch([A, B], classification="de-identified", consent_scope="research_only"))
    create_snapshot(lake, "first", by="steward")
    retag(lake, {A: tags(classification="de-identified", consent_scope="none")}, run_id="run-3")

    assert seen(lake.at("first"), policy, "analyst") == {B}
    assert ask(lake.at("first"), policy, "analyst", "select count(*) as n from quarantine") == [{"n": 0}]


def test_nobody_sees_a_withdrawn_document_in_a_snapshot(lake, policy):
    commit(lake, make_batch([A, B], classification="public"))
    create_snapshot(lake, "first", by="steward")
    commit(lake, make_batch([A], classification="public", statuses={A: "withdrawn"}, **NEW))

    for principal in ("steward", "clinician", "partner"):
        assert seen(lake.at("first"), policy, principal) == {B}
    for table in ("page_text", "sources", "documents"):
        assert seen(lake.at("first"), policy, "steward", table) == {B}


def test_a_document_that_is_gone_from_the_inventory_is_seen_by_nobody(lake, policy):
    commit(lake, make_batch([A, B], classification="public"))
    create_snapshot(lake, "first", by="steward")
    lake.handle("documents").delete(f"doc_id = '{A}'")

    assert seen(lake.at("first"), policy, "steward") == {B}


def test_addresses_follow_todays_class_of_their_documents(lake, policy):
    role = policy.roles["steward"].model_copy(update={"minimum_consent": "research_only"})
    changed = policy.model_copy(update={"roles": {"half": role}, "principals": {"h": ("half",)}})
    commit(lake, make_batch([A, B], consent_scope="research_only"))
    create_snapshot(lake, "first", by="steward")
    retag(lake, {A: tags(consent_scope="none")}, run_id="run-3")

    assert seen(lake.at("first"), changed, "h", "sources") == {B}


def test_a_row_laxer_than_its_document_does_not_slip_through_a_snapshot(lake, policy):
    commit(lake, make_batch([A, B], classification="PHI"))
    lake.handle("entities").update(updates={"classification": "'public'"}, predicate=f"doc_id = '{A}'")
    create_snapshot(lake, "first", by="steward")

    assert seen(lake.at("first"), policy, "partner") == set()


def test_documents_that_a_writer_is_at_now_are_left_out_and_counted(lake, policy, monkeypatch):
    commit(lake, make_batch([A, B], classification="public"))
    create_snapshot(lake, "first", by="steward")
    with monkeypatch.context() as patch:
        patch.setattr(Work, "complete", die)
        with pytest.raises(LakeError, match="power cut"):
            retag(lake, {A: tags()}, run_id="run-3")

    answer = query(lake.at("first"), policy.access("steward"), "select distinct doc_id from entities")

    assert answer.rows.column(0).to_pylist() == [B]
    assert answer.documents_in_work == 1


def test_grants_are_those_of_today(lake, policy):
    commit(lake, make_batch([A], classification="public"))
    create_snapshot(lake, "first", by="steward")

    with pytest.raises(AccessDeniedError, match="not granted"):
        ask(lake.at("first"), policy, "partner", "select * from page_text")
