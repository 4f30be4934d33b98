"""Rows move to another class, consent, study or subject without being extracted again."""

import pytest

from extractor.errors import ContractError, LakeError
from extractor.lake.commit import commit
from extractor.lake.retag import Tags, retag
from extractor.lake.store import Lake
from extractor.lake.work import Work
from tests.lake.factory import doc_id, make_batch, settings

A, B, C = (doc_id(name) for name in "abc")
PUBLIC = Tags(study_id="S-9", subject_id=None, classification="public", consent_scope="none")


def tags_of(lake, table, document):
    names = ("study_id", "subject_id", "classification", "consent_scope")
    return {tuple(row[name] for name in names) for row in lake.read(table, doc_ids=[document]).to_pylist()}


def test_every_row_of_the_document_moves_and_nothing_else_changes(lake, findings):
    commit(lake, make_batch([A, B], statuses={A: "partial"}))
    before = {
        name: lake.read(name).num_rows
        for name in ("page_text", "entities", "quarantine", "sources", "documents")
    }
    ids = sorted(lake.read("entities").column("row_id").to_pylist())

    done = retag(lake, {A: PUBLIC}, run_id="run-2")

    assert {one.table: one.rows for one in done.commits} == {
        "page_text": 2, "entities": 6, "quarantine": 1, "documents": 1,
    }  # fmt: skip
    for table in ("page_text", "entities", "quarantine", "documents"):
        assert tags_of(lake, table, A) == {("S-9", None, "public", "none")}
    assert tags_of(lake, "entities", B) == {("S-1", "SUBJ-1", "PHI", "research+model")}
    assert {name: lake.read(name).num_rows for name in before} == before
    assert sorted(lake.read("entities").column("row_id").to_pylist()) == ids
    assert lake.current()[A].run_id == "run-1"
    assert findings(lake) == {}


def test_inventory_columns_of_documents_can_be_set_by_name(lake, findings):
    commit(lake, make_batch([A]))

    retag(
        lake, {A: {"owner": "lab 3", "classification": "public", "governance_source": "rule"}}, run_id="run-2"
    )

    row = lake.read("documents").to_pylist()[0]
    assert (row["owner"], row["classification"], row["study_id"], row["governance_source"]) == (
        "lab 3",
        "public",
        "S-1",
        "rule",
    )
    assert findings(lake) == {}


@pytest.mark.parametrize(
    "tags", [{"status": "extracted"}, {"nonsense": 1}, {"classification": 7}, {"classification": None}]
)
def test_other_columns_and_other_types_are_refused(lake, tags):
    commit(lake, make_batch([A]))
    with pytest.raises(ContractError):
        retag(lake, {A: tags}, run_id="run-2")


def test_an_interrupted_call_hides_the_document_and_is_completed_by_the_next(lake, findings, monkeypatch):
    commit(lake, make_batch([A, B]))
    real = Work.replace

    def die(work, contract, make_rows, *, create):
        if contract.name == "documents":
            raise LakeError("power cut")
        real(work, contract, make_rows, create=create)

    with monkeypatch.context() as patch:
        patch.setattr(Work, "replace", die)
        with pytest.raises(LakeError):
            retag(lake, {A: PUBLIC}, run_id="run-2")
    assert lake.current().keys() == {B}

    retag(Lake(lake.uri, settings()), {A: PUBLIC}, run_id="run-3")

    assert lake.current()[A].classification == "public"
    assert findings(lake) == {}


def test_a_document_whose_extraction_is_unfinished_or_unknown_is_left_alone(lake, findings, monkeypatch):
    commit(lake, make_batch([A]))

    def die(_work):
        raise LakeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Work, "complete", die)
        with pytest.raises(LakeError):
            commit(lake, make_batch([B], run_id="run-2"))

    done = retag(lake, {A: PUBLIC, B: PUBLIC, C: PUBLIC}, run_id="run-3")

    assert done.yielded == {B, C}
    assert tags_of(lake, "entities", B) == {("S-1", "SUBJ-1", "PHI", "research+model")}
    assert retag(lake, {C: PUBLIC}, run_id="run-4").batch_id is None


def test_extraction_after_retagging_and_retagging_after_extraction_agree(lake, findings):
    commit(lake, make_batch([A]))
    retag(lake, {A: PUBLIC}, run_id="run-2")
    again = commit(lake, make_batch([A], run_id="run-3"))
    assert again.already == frozenset()  # the governance offered is another one
    assert tags_of(lake, "page_text", A) == {("S-1", "SUBJ-1", "PHI", "research+model")}
    assert findings(lake) == {}
