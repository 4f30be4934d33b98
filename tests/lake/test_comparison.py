"""What differs between two states, for whoever asks."""

from datetime import UTC, datetime

import pytest

from extractor.errors import AccessDeniedError, ConfigError, LakeError
from extractor.lake import comparison
from extractor.lake.commit import commit
from extractor.lake.comparison import compare_states
from extractor.lake.difference import Counts
from extractor.lake.maintain import maintain
from extractor.lake.retag import Tags, retag
from extractor.lake.snapshots import create_snapshot
from extractor.lake.states import state
from extractor.lake.store import Lake
from extractor.lake.work import Work
from tests.lake.factory import doc_id, make_batch, settings

A, B, C = (doc_id(name) for name in "abc")
NEW = {"run_id": "run-2", "pipeline": "2.0+bbbbbbbbbbbb"}


def tags(**changes):
    values = {"study_id": "S-1", "subject_id": "SUBJ-1", "classification": "PHI", "consent_scope": "none"}
    return Tags(**{**values, **changes})


@pytest.fixture
def compare(lake, policy):
    def between(before, after="now", principal="steward", **options):
        return compare_states(state(lake, before), state(lake, after), policy.access(principal), **options)

    return between


def totals(found):
    return {name: table.total for name, table in found.tables.items() if not table.is_empty}


def test_versions_of_tables_are_compared_alone(lake, compare):
    commit(lake, make_batch([A]))
    version = lake.version("entities")
    commit(lake, make_batch([A], pages=1, **NEW))

    found = compare(f"entities@{version}")

    assert totals(found) == {"entities": Counts(before=6, after=3, removed=3)}
    assert found.tables.keys() == {"entities"}
    with pytest.raises(LakeError) as caught:
        compare("entities@99")
    assert caught.value.code == "lake.gone"


def test_nothing_differs_between_a_state_and_itself_or_its_compacted_self(lake, compare):
    for number in range(4):
        commit(lake, make_batch([doc_id(number)], run_id=f"run-{number}"))
    create_snapshot(lake, "first", by="steward")

    assert compare("first", "first").is_empty
    maintain(lake, run_id="run-m")
    found = compare("first")
    assert found.is_empty
    assert found.tables["entities"].total == Counts(before=24, after=24)
    assert found.left_out == 0


def test_an_extraction_that_finds_the_same_differs_in_nothing(lake, compare):
    commit(lake, make_batch([A, B]))
    create_snapshot(lake, "first", by="steward")
    commit(lake, make_batch([A, B], **NEW))

    assert compare("first").is_empty


def test_documents_that_came_and_pages_that_went_are_told_by_table_and_type(lake, compare):
    commit(lake, make_batch([A, B]))
    create_snapshot(lake, "first", by="steward")
    commit(lake, make_batch([A], pages=1, **NEW))
    commit(lake, make_batch([C], statuses={C: "quarantined"}, run_id="run-3"))

    found = compare("first")

    assert found.tables["entities"].kinds["email"] == Counts(before=4, after=3, removed=1)
    assert totals(found) == {
        "page_text": Counts(before=4, after=3, removed=1),
        "entities": Counts(before=12, after=9, removed=3),
        "quarantine": Counts(after=1, added=1),
        "sources": Counts(before=2, after=3, added=1),
        "documents": Counts(before=2, after=3, added=1, changed=1),
    }
    assert found.tables["documents"].fields == {"page_count": 1, "pages_ok": 1}
    assert compare("now", "first").tables["entities"].total.added == 3


def test_a_retag_changes_rows_for_who_sees_both_and_adds_them_for_who_did_not(lake, compare):
    commit(lake, make_batch([A, B], classification="PHI"))
    create_snapshot(lake, "first", by="steward")
    retag(lake, {A: tags(classification="public")}, run_id="run-3")

    everything = compare("first", tables=["entities"]).tables["entities"]
    assert everything.total == Counts(before=12, after=12, changed=6)
    assert everything.fields == {"classification": 6, "consent_scope": 6}
    assert compare("first", principal="partner").tables["entities"].total == Counts(after=6, added=6)


def test_a_document_that_became_stricter_is_in_neither_state_for_who_may_not_see_it_now(lake, compare):
    commit(lake, make_batch([A, B], classification="public"))
    create_snapshot(lake, "first", by="steward")
    retag(lake, {A: tags(classification="PHI")}, run_id="run-3")

    found = compare("first", principal="partner", examples=9)

    assert found.tables["entities"].total == Counts(before=6, after=6)
    assert found.tables["entities"].examples == ()


def test_a_withdrawn_document_is_in_neither_state(lake, compare):
    commit(lake, make_batch([A, B]))
    create_snapshot(lake, "first", by="steward")
    commit(lake, make_batch([A], statuses={A: "withdrawn"}, pages=1, **NEW))

    assert compare("first").is_empty


def test_examples_are_rows_that_the_principal_may_see(lake, compare):
    commit(lake, make_batch([A], classification="public"))
    commit(lake, make_batch([B], classification="PHI"))
    create_snapshot(lake, "first", by="steward")
    commit(lake, make_batch([A], classification="public", pages=1, **NEW))
    commit(lake, make_batch([B], classification="PHI", pages=1, **NEW))

    def owners(principal):
        found = compare("first", principal=principal, examples=9, tables=["entities"])
        return {change.doc_id for change in found.tables["entities"].examples}

    assert owners("partner") == {A}
    assert owners("steward") == {A, B}
    assert compare("first").tables["entities"].examples == ()


def test_tables_that_are_not_granted_are_not_compared(lake, compare):
    commit(lake, make_batch([A], classification="public"))

    assert compare("now", principal="partner").tables.keys() == {"entities", "relations"}
    with pytest.raises(AccessDeniedError, match="page_text is not granted"):
        compare("now", principal="partner", tables=["page_text"])
    with pytest.raises(ConfigError, match="no rows of documents"):
        compare("now", tables=["ledger"])


def test_documents_that_a_writer_is_at_are_left_out_of_both_states(lake, compare, monkeypatch):
    commit(lake, make_batch([A, B]))
    create_snapshot(lake, "first", by="steward")

    def die(_work):
        raise LakeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Work, "complete", die)
        with pytest.raises(LakeError, match="power cut"):
            commit(lake, make_batch([B, C], pages=1, **NEW))

    found = compare("first")

    assert found.is_empty
    assert (found.left_out, found.tables["documents"].total.before) == (2, 1)


def test_addresses_are_compared_as_far_as_their_documents_are_seen(lake, policy):
    role = policy.roles["steward"].model_copy(update={"minimum_consent": "research_only"})
    changed = policy.model_copy(update={"roles": {"half": role}, "principals": {"h": ("half",)}})
    commit(lake, make_batch([A, B], consent_scope="none"))
    create_snapshot(lake, "first", by="steward")
    retag(lake, {A: tags(consent_scope="unrestricted")}, run_id="run-3")

    found = compare_states(lake.at("first"), lake, changed.access("h"), tables=["sources"])

    assert found.tables["sources"].total == Counts(after=1, added=1)


def test_only_documents_in_files_that_the_states_do_not_share_are_read_and_in_groups(
    lake, compare, monkeypatch
):
    monkeypatch.setattr(comparison, "GROUP_DOCUMENTS", 2)
    monkeypatch.setattr(comparison, "GROUP_PAGES", 5)
    for number in range(4):
        commit(lake, make_batch([doc_id(number), doc_id(f"other {number}")], run_id=f"run-{number}"))
    commit(lake, make_batch([A], pages=9))
    create_snapshot(lake, "first", by="steward")
    commit(lake, make_batch([doc_id(0), doc_id(1), A], pages=1, **NEW))
    read = []
    real = comparison._Side.rows

    def rows(side, contract, doc_ids):
        found = real(side, contract, doc_ids)
        read.append((set(doc_ids), found.num_rows))
        return found

    monkeypatch.setattr(comparison._Side, "rows", rows)
    found = compare("first", tables=["entities"])

    assert found.tables["entities"].total == Counts(before=75, after=45, removed=30)
    assert len(read) == 6
    assert max(len(doc_ids) for doc_ids, _ in read) == 2
    neighbours = {doc_id("other 0"), doc_id("other 1")}  # they were in files that were written anew
    assert set().union(*(doc_ids for doc_ids, _ in read)) == {doc_id(0), doc_id(1), A} | neighbours
    assert sum(count for _, count in read) == (12 + 12 + 27) + (12 + 9)


def test_a_state_that_maintenance_took_apart_says_so(tmp_path, policy):
    lake = Lake(str(tmp_path / "lake"), settings(vacuum_hours=0))
    commit(lake, make_batch([A]))
    first = datetime.now(UTC).isoformat()
    commit(lake, make_batch([A], pages=1, **NEW))
    maintain(lake, run_id="run-m")

    with pytest.raises(LakeError) as caught:
        compare_states(state(lake, first), lake, policy.access("steward"))
    assert caught.value.code == "lake.gone"
    assert "snapshot create" in caught.value.hint
