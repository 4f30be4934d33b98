"""Each promise of the lake, broken on purpose behind the engine's back, is found."""

import pytest

from extractor.lake import verify as verify_module
from extractor.lake.commit import commit
from extractor.lake.store import Lake
from extractor.lake.verify import CHECKS, verify
from tests.lake.factory import doc_id, make_batch, settings

A, B = doc_id("a"), doc_id("b")


def append(lake, table, rows):
    from deltalake import write_deltalake

    handle = lake.handle(table)
    write_deltalake(handle, rows.cast(lake.schema(table)), mode="append")


def delete(lake, table, where):
    lake.handle(table).delete(where)


def update(lake, table, where, **values):
    lake.handle(table).update(
        updates={
            name: f"'{value}'" if isinstance(value, str) else str(value) for name, value in values.items()
        },
        predicate=where,
    )


OF_A = f"doc_id = '{A}'"
TAMPERINGS = {
    ("lost", "documents"): lambda lake: delete(lake, "documents", OF_A),
    ("orphan", "entities"): lambda lake: append(lake, "entities", make_batch([doc_id("x")]).tables["entities"].slice(0, 1)),
    ("unrecorded", "documents"): lambda lake: append(lake, "documents", make_batch([doc_id("x")]).tables["documents"]),
    ("stale", "entities"): lambda lake: update(lake, "entities", OF_A, run_id="other"),
    ("double", "entities"): lambda lake: append(lake, "entities", lake.read("entities", doc_ids=[A]).slice(0, 1)),
    ("double", "documents"): lambda lake: append(lake, "documents", lake.read("documents", doc_ids=[A])),
    ("double", "sources"): lambda lake: append(lake, "sources", lake.read("sources", doc_ids=[A])),
    ("count", "entities"): lambda lake: delete(lake, "entities", f"{OF_A} AND page_no = 2"),
    ("count", "page_text"): lambda lake: delete(lake, "page_text", OF_A),
    ("pages", "page_text"): lambda lake: update(lake, "page_text", f"{OF_A} AND page_no = 2", char_start=3),
    ("evidence", "entities"): lambda lake: update(lake, "entities", f"{OF_A} AND type = 'drug' AND page_no = 1", char_start=0),
    ("mask", "entities"): lambda lake: update(lake, "entities", f"{OF_A} AND type = 'email'", source_text="jane@example.org"),
    ("class", "entities"): lambda lake: update(lake, "entities", OF_A, classification="public"),
    ("consent", "entities"): lambda lake: update(lake, "entities", OF_A, consent_scope="unrestricted"),
    ("tags", "entities"): lambda lake: update(lake, "entities", OF_A, subject_id="SUBJ-2"),
}  # fmt: skip


@pytest.mark.parametrize("broken", TAMPERINGS, ids=" of ".join)
def test_it_finds(lake, policy, broken):
    commit(lake, make_batch([A, B]))
    TAMPERINGS[broken](lake)

    report = verify(lake, class_order=policy.classes, scope_order=policy.consent_scopes)

    found = {(finding.check, finding.table): finding for finding in report.findings}
    assert broken in found
    assert found[broken].count >= 1
    assert found[broken].detail == CHECKS[broken[0]]
    assert not any(
        "aspirin" in example or "@" in example for one in report.findings for example in one.examples
    )


def test_every_check_but_unfinished_has_its_tampering():
    assert {check for check, _ in TAMPERINGS} == set(CHECKS) - {"unfinished"}


def test_a_sound_lake_is_clean_and_the_report_counts_what_was_checked(lake, policy):
    commit(lake, make_batch([A, B]))

    report = verify(lake, class_order=policy.classes)

    assert (report.documents, report.evidence_checked, report.evidence_masked, report.findings) == (
        2,
        8,
        4,
        (),
    )
    assert report.rows == {"page_text": 4, "entities": 12, "sources": 2, "documents": 2}


def test_a_row_may_be_stricter_than_its_document_where_the_order_is_known(lake, policy):
    commit(lake, make_batch([A], classification="public", consent_scope="unrestricted"))
    update(lake, "entities", OF_A, classification="PHI", consent_scope="none")

    assert verify(lake, class_order=policy.classes, scope_order=policy.consent_scopes).findings == ()
    assert {one.check for one in verify(lake).findings} == {"class", "consent"}


def test_documents_are_checked_in_groups_and_a_large_document_stands_alone(lake, monkeypatch):
    monkeypatch.setattr(verify_module, "GROUP_DOCUMENTS", 2)
    monkeypatch.setattr(verify_module, "GROUP_PAGES", 5)
    commit(lake, make_batch([doc_id(number) for number in range(5)]))
    commit(lake, make_batch([A], run_id="run-2", pages=9))
    sizes = []
    real = verify_module._Check.group

    def group(self, doc_ids):
        sizes.append(len(doc_ids))
        real(self, doc_ids)

    monkeypatch.setattr(verify_module._Check, "group", group)
    assert verify(lake).findings == ()
    assert sum(sizes) == 6
    assert max(sizes) == 2
    assert 1 in sizes


def test_a_writer_at_work_while_the_lake_is_checked_raises_no_false_alarm(lake, policy, monkeypatch):
    commit(lake, make_batch([A]))
    other = Lake(lake.uri, settings())
    real = verify_module.snapshot

    def then_written(*arguments):
        view = real(*arguments)
        commit(other, make_batch([A, B], run_id="run-2", pipeline="2.0+bbbbbbbbbbbb", pages=3))
        return view

    monkeypatch.setattr(verify_module, "snapshot", then_written)
    report = verify(lake, class_order=policy.classes, scope_order=policy.consent_scopes)
    assert (report.documents, report.findings) == (1, ())
