"""Documents are found in the files that hold them, without a look at the rest of the table."""

import pytest

from extractor.errors import LakeError
from extractor.lake.commit import commit
from extractor.lake.files import DocumentFiles, iter_documents, read_rows
from extractor.lake.maintain import maintain
from extractor.lake.retag import Tags, retag
from extractor.lake.store import Lake
from tests.lake.factory import doc_id, make_batch, settings

IDS = [doc_id(number) for number in range(12)]


@pytest.fixture
def filled(lake):
    """Three files of four documents, in two partitions."""
    for number in range(3):
        commit(
            lake, make_batch(IDS[4 * number : 4 * number + 4], classification="public" if number else "PHI")
        )
    return lake


def opened_names(files, doc_ids):
    return sorted(file.path for file in files.holding(doc_ids))


def test_the_files_of_some_documents_are_named_and_no_others(filled):
    files = DocumentFiles(lake=filled, table="entities")
    files.refresh()

    assert len(opened_names(files, IDS)) == 3
    assert len(opened_names(files, IDS[:4])) == 1
    assert len(opened_names(files, [IDS[0], IDS[11]])) == 2
    assert opened_names(files, [doc_id("unknown")]) == []
    assert sorted(int(one.rows.sum()) for one in files.held.values()) == [24, 24, 24]


def test_rows_come_back_as_the_table_has_them(filled):
    files = DocumentFiles(lake=filled, table="entities")
    files.refresh()
    wanted = [IDS[1], IDS[5]]

    found = [
        row
        for batch in read_rows(
            files.handle, "entities", files.holding(wanted), filled.schema("entities"), wanted
        )
        for row in batch.to_pylist()
    ]

    expected = filled.read("entities", doc_ids=wanted).to_pylist()
    assert sorted(found, key=lambda row: row["row_id"]) == sorted(expected, key=lambda row: row["row_id"])
    assert {row["classification"] for row in found} == {"PHI", "public"}


def test_what_was_rewritten_compacted_or_moved_is_found_where_it_is_now(filled):
    files = DocumentFiles(lake=filled, table="page_text")
    files.refresh()
    before = opened_names(files, IDS[:1])
    other = Lake(filled.uri, settings(vacuum_hours=0))
    commit(other, make_batch(IDS[:2], run_id="run-2", pipeline="2.0"))
    moved = Tags(study_id="S-9", subject_id=None, classification="public", consent_scope="none")
    retag(other, {IDS[2]: moved}, run_id="run-3")
    maintain(other, run_id="m")

    found = dict(iter_documents(files, dict.fromkeys(IDS, 2)))

    assert found.keys() == set(IDS)
    assert found[IDS[2]].column("classification").to_pylist() == ["public", "public"]
    assert found[IDS[0]].column("run_id").to_pylist() == ["run-2", "run-2"]
    assert opened_names(files, IDS[:1]) != before


def test_files_that_delta_rs_rewrote_on_its_own_are_read_too(filled):
    filled.handle("entities").delete(f"doc_id = '{IDS[0]}' AND type = 'drug'")
    filled.handle("entities").update({"score": "0.5"}, predicate=f"doc_id = '{IDS[5]}'")

    found = dict(iter_documents(DocumentFiles(lake=filled, table="entities"), dict.fromkeys(IDS, 6)))

    assert {name: rows.num_rows for name, rows in found.items()} == dict.fromkeys(IDS, 6) | {IDS[0]: 4}
    assert found[IDS[5]].column("score").to_pylist() == [0.5] * 6


def test_a_document_comes_whole_and_one_with_missing_rows_comes_last(filled):
    rows_of = dict.fromkeys(IDS[:4], 2) | {IDS[0]: 5, doc_id("unknown"): 1}

    found = list(iter_documents(DocumentFiles(lake=filled, table="page_text"), rows_of))

    assert {name: table.num_rows for name, table in found} == dict.fromkeys(IDS[:4], 2)
    assert found[-1][0] == IDS[0]


def test_a_table_that_is_not_there_has_no_documents(lake):
    assert list(iter_documents(DocumentFiles(lake=lake, table="page_text"), {IDS[0]: 1})) == []


def test_a_file_that_is_gone_is_a_failure_of_the_lake(filled):
    files = DocumentFiles(lake=filled, table="entities")
    files.refresh()
    gone = files.holding(IDS[:1])
    other = Lake(filled.uri, settings(vacuum_hours=0))
    commit(other, make_batch(IDS[:1], run_id="run-2", pipeline="2.0"))
    maintain(other, run_id="m")

    with pytest.raises(LakeError, match="cannot be read"):
        list(read_rows(files.handle, "entities", gone, filled.schema("entities"), IDS[:1]))
