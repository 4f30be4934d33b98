"""Small files become one, whoever else compacts, replaces or appends at the same time."""

import pytest

from extractor.lake import compact as compact_module
from extractor.lake.commit import commit
from extractor.lake.compact import compact, small_files
from extractor.lake.store import Lake
from tests.lake.factory import doc_id, make_batch, settings

A, B, C = (doc_id(name) for name in "abc")


@pytest.fixture
def filled(lake):
    for document in (A, B):
        commit(lake, make_batch([document]))
    commit(lake, make_batch([C], classification="public", consent_scope="none"))
    return lake


def opened(lake, table="entities"):
    return Lake(lake.uri, settings()).handle(table)


def rows(lake):
    return sorted(map(str, lake.read("entities").to_pylist()))


def names(lake, folder):
    handle = opened(lake)
    return {uri.rpartition("/")[2] for uri in handle.file_uris()}, {
        path.name for path in folder.rglob("*.parquet")
    }


def test_files_of_a_partition_are_merged_with_their_statistics_and_partition(filled):
    before = rows(filled)
    handle = opened(filled)
    assert small_files(handle, "entities", 128) == 1

    assert compact(handle, "entities", target_file_mb=128) == 2

    assert rows(filled) == before
    assert small_files(opened(filled), "entities", 128) == 0
    assert len(opened(filled).file_uris(file_pruning_predicate="classification = 'public'")) == 1
    low, high = sorted([A, B])
    for wanted, files in ((low, 1), (high, 1), ("0", 0), ("g", 0)):
        where = f"classification = 'PHI' AND doc_id = '{wanted}'"
        assert len(opened(filled).file_uris(file_pruning_predicate=where)) == files


def test_two_compactions_at_once_leave_every_row_once_and_no_file_behind(filled, tmp_path, findings):
    before = rows(filled)
    first, second = opened(filled), opened(filled)

    assert (
        compact(first, "entities", target_file_mb=128),
        compact(second, "entities", target_file_mb=128),
    ) == (2, 0)

    assert rows(filled) == before
    live, stored = names(filled, tmp_path / "lake/governed/entities")
    assert len(stored - live) == 2  # the merged ones, until vacuum takes them
    assert findings(filled) == {}


@pytest.mark.parametrize("documents", [[A], [doc_id("new")]], ids=["a file replaced", "a file added"])
def test_a_writer_that_gets_there_first_is_not_undone(filled, monkeypatch, findings, documents):
    real = compact_module._merge

    def overtaken(*arguments):
        added = real(*arguments)
        commit(
            Lake(filled.uri, settings()), make_batch(documents, run_id="run-2", pipeline="2.0+bbbbbbbbbbbb")
        )
        return added

    monkeypatch.setattr(compact_module, "_merge", overtaken)
    merged = compact(opened(filled), "entities", target_file_mb=128)

    assert merged == (0 if documents == [A] else 2)
    owners = {(row["doc_id"], row["run_id"]) for row in filled.read("entities").to_pylist()}
    assert (documents[0], "run-2") in owners
    assert len(owners) == len({owner for owner, _ in owners})
    assert findings(filled) == {}


def test_a_writer_with_an_older_view_cannot_undo_a_compaction(filled, findings):
    stale = Lake(filled.uri, settings())
    stale.current()
    stale.handle("entities")
    compact(opened(filled), "entities", target_file_mb=128)

    commit(stale, make_batch([A], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"))

    assert filled.read("entities").num_rows == 18
    assert findings(filled) == {}


def test_groups_have_the_target_size_and_large_files_stay():
    def file(name, megabytes, partition="x"):
        return compact_module.StoredFile(
            path=name, size_bytes=megabytes * 2**20, partition={"p": partition}, figures={}
        )

    files = [
        file("a", 4),
        file("b", 4),
        file("big", 9),
        file("c", 4),
        file("d", 1, "y"),
        file("e", 4),
        file("f", 3),
    ]
    groups = [[one.path for one in group] for group in compact_module._groups(files, 10)]
    assert groups == [["a", "b"], ["c", "e"]]
