"""Which documents are run through a newer model, and how they are put together."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, strategies as st

from extractor.errors import ConfigError, LakeError
from extractor.lake import files as files_module
from extractor.lake.commit import commit
from extractor.lake.compact import StoredFile
from extractor.lake.files import DocumentFiles, Held, hashes_of
from extractor.lake.selection import Which, plan, select
from extractor.lake.work import Work
from tests.lake.factory import WHEN, doc_id, make_batch
from tests.lake.reprocessed import reprocess_batch

A, B, C, D = (doc_id(name) for name in "abcd")


def chosen(lake, **which):
    return set(select(lake, Which(**which)).extractions)


@pytest.fixture
def filled(lake):
    commit(lake, make_batch([A], study_id="S-1", pipeline="1.0"))
    commit(lake, make_batch([B], study_id="S-2", pipeline="1.0", classification="public"))
    commit(lake, make_batch([C, D], statuses={C: "partial", D: "quarantined"}, pipeline="2.0"))
    model = {"model": "'ner'", "model_version": "'1.0.0'"}
    lake.handle("entities").update({**model, "score": "0.3"}, predicate=f"doc_id = '{A}' AND type = 'drug'")
    lake.handle("entities").update({**model, "score": "0.8"}, predicate=f"doc_id = '{B}' AND type = 'drug'")
    lake.handle("entities").update({"score": "0.1"}, predicate=f"doc_id = '{B}' AND type = 'email'")
    return lake


def test_everything_with_text_is_chosen_and_the_rest_is_counted(filled):
    found = select(filled, Which())

    assert set(found.extractions) == {A, B, C}
    assert found.extractions[A] == filled.current()[A].extraction_id
    assert (found.without_text, found.in_work, found.begun) == (1, 0, frozenset())


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({"study": "S-2"}, {B}),
        ({"classification": "PHI"}, {A, C}),
        ({"pipeline": "1.0"}, {A, B}),
        ({"model": "ner"}, {A, B}),
        ({"model": "ner@1.0.0"}, {A, B}),
        ({"model": "ner@2.0.0"}, set()),
        ({"entity_type": "drug"}, {A, B, C}),
        ({"score_below": 0.5}, {A, B}),
        ({"score_below": 0.5, "entity_type": "drug"}, {A}),
        ({"score_below": 0.5, "model": "ner", "classification": "public"}, set()),
        ({"where": "status = 'partial'"}, {C}),
        ({"where": "page_count > 1 AND study_id IS NOT NULL", "study": "S-1"}, {A, C}),
        ({"where": "study_id = 'S-1' OR study_id = 'S-2'", "classification": "public"}, {B}),
        ({"since": WHEN}, {A, B, C}),
        ({"since": WHEN + timedelta(seconds=1)}, set()),
        ({"until": WHEN}, set()),
        ({"until": datetime(2024, 5, 18, tzinfo=UTC)}, {A, B, C}),
        ({"study": "O'Neill"}, set()),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_all_that_is_asked_must_hold(filled, which, expected):
    assert chosen(filled, **which) == expected


@pytest.mark.parametrize("where", ["no_such_column = 1", "status =", "SELECT 1", "study_id = 7 +"])
def test_a_wrong_predicate_is_the_operators_to_mend(filled, where):
    with pytest.raises(ConfigError, match="--where"):
        select(filled, Which(where=where))


def test_a_lake_that_is_not_there_is_said_to_be_so(lake):
    with pytest.raises(LakeError, match="no lake"):
        select(lake, Which())


def test_some_documents_only(filled):
    assert set(select(filled, Which(), doc_ids=[A, D]).extractions) == {A}


def die(_work):
    raise LakeError("power cut")


def test_what_a_reprocess_left_half_written_is_always_among_the_chosen(filled, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Work, "complete", die)
        with pytest.raises(LakeError):
            commit(filled, reprocess_batch(filled, [A]))

    found = select(filled, Which(study="S-2"))

    assert (set(found.extractions), found.begun) == ({A, B}, {A})
    assert set(select(filled, Which(), begun=False).extractions) == {B, C}


def test_what_another_writer_is_at_is_left_to_it(filled, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Work, "complete", die)
        with pytest.raises(LakeError):
            commit(filled, make_batch([A], pipeline="9.0", run_id="run-9"))

    found = select(filled, Which())

    assert (set(found.extractions), found.in_work) == ({B, C}, 1)


class MadeFiles(DocumentFiles):
    """Files as they are told: name -> {document: rows}."""

    def __init__(self, told):
        super().__init__(lake=None, table="entities")
        for name, counts in told.items():
            hashes = hashes_of(counts)
            order = np.argsort(hashes)
            rows = np.array(list(counts.values()), np.int64)[order]
            file = StoredFile(path=name, size_bytes=1, partition={}, figures={})
            self.held[name] = Held(file=file, hashes=hashes[order], rows=rows)

    def refresh(self):
        pass


def groups(told, doc_ids, documents=100, rows=1000):
    found = plan(MadeFiles(told), doc_ids, documents=documents, rows=rows)
    return [set(group.doc_ids) for group in found.groups], dict(found.rewrites)


def test_a_group_takes_whole_files():
    told = {"one": {"a": 1, "b": 1}, "two": {"c": 1, "d": 1}, "three": {"e": 1}}

    assert groups(told, "abcde", documents=3) == ([{"a", "b"}, {"c", "d", "e"}], {1: 3})
    assert groups(told, "abcde", documents=4) == ([{"a", "b", "c", "d"}, {"e"}], {1: 3})


def test_a_file_larger_than_a_group_is_split_and_said_to_be_rewritten_more_than_once():
    told = {"one": dict.fromkeys("abcde", 10), "two": {"f": 10}}

    found, rewrites = groups(told, "abcdef", rows=20)

    assert found == [{"a", "b"}, {"c", "d"}, {"e", "f"}]
    assert rewrites == {1: 1, 3: 1}


def test_files_that_share_a_document_go_together():
    told = {"one": {"a": 1, "b": 1}, "two": {"c": 1}, "three": {"b": 1, "d": 1}}

    assert groups(told, "abcd", documents=3) == ([{"a", "b", "d"}, {"c"}], {1: 3})


def test_documents_without_rows_come_last_and_unselected_ones_not_at_all():
    told = {"one": {"a": 1, "x": 500}, "two": {"b": 1}}

    assert groups(told, "abz", documents=2) == ([{"a", "b"}, {"z"}], {1: 2})
    assert groups({}, "z") == ([{"z"}], {})
    assert groups(told, "") == ([], {})


def test_a_document_with_more_rows_than_a_group_stands_alone():
    told = {"one": {"a": 1, "b": 5000, "c": 1}}

    assert {"b"} in groups(told, "abc")[0]


@given(
    told=st.dictionaries(
        st.sampled_from(["f1", "f2", "f3", "f4"]),
        st.dictionaries(st.sampled_from("abcdefghij"), st.integers(1, 9), min_size=1),
    ),
    doc_ids=st.sets(st.sampled_from("abcdefghijk")),
    documents=st.integers(1, 6),
    rows=st.integers(1, 30),
)
def test_every_document_is_in_exactly_one_group_and_no_group_is_too_large(told, doc_ids, documents, rows):
    found = plan(MadeFiles(told), doc_ids, documents=documents, rows=rows).groups

    together = [doc_id for group in found for doc_id in group.doc_ids]
    assert sorted(together) == sorted(doc_ids)
    for group in found:
        own = {doc_id: sum(counts.get(doc_id, 0) for counts in told.values()) for doc_id in group.doc_ids}
        assert group.rows == sum(own.values())
        assert len(own) <= documents
        assert group.rows <= rows or len(own) == 1


def test_the_plan_of_a_real_table_rewrites_each_file_once(lake, monkeypatch):
    monkeypatch.setattr(files_module, "READ_ROWS", 2)
    ids = [doc_id(number) for number in range(20)]
    for first in range(0, 20, 5):
        commit(lake, make_batch(ids[first : first + 5]))

    found = plan(DocumentFiles(lake=lake, table="entities"), ids, documents=10, rows=10_000)

    assert [len(group.doc_ids) for group in found.groups] == [10, 10]
    assert found.rewrites == {1: 4}
    assert [group.rows for group in found.groups] == [60, 60]
