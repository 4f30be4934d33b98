"""What differs between two sets of rows, and who is shown an example of it."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from extractor.errors import ContractError
from extractor.lake.changes import MAKER, NOT_COMPARED, Counts, compare_rows, difference
from extractor.lake.difference import TableDifference
from extractor.tables.catalogue import TABLES, table_named
from tests.lake.factory import doc_id, make_batch

A, B = doc_id("a"), doc_id("b")


def entities(*doc_ids, **options):
    return make_batch(doc_ids, **options).tables["entities"]


def changed(rows, which, **values):
    """Rows with other values where ``which`` says so."""
    contract = table_named("entities")
    return contract.to_arrow([{**row, **values} if which(row) else row for row in rows.to_pylist()])


def is_drug(row):
    return row["type"] == "drug"


def test_rows_of_another_run_and_extraction_that_say_the_same_do_not_differ():
    found = compare_rows("entities", entities(A), entities(A, run_id="run-2", pipeline="2.0+bbbbbbbbbbbb"))

    assert found.is_empty
    assert found.total == Counts(before=6, after=6)
    assert found.fields == {}


def test_added_removed_and_changed_rows_are_counted_by_type_and_field():
    before = entities(A)
    after = changed(before, is_drug, code="D001241", score=0.5)
    after = after.filter(pa.array([row["type"] != "email" for row in after.to_pylist()]))
    after = pa.concat_tables([after, entities(B).slice(0, 2)])

    found = compare_rows("entities", before, after)

    assert found.kinds == {
        "drug": Counts(before=2, after=3, added=1, changed=2),
        "email": Counts(before=2, removed=2),
        "measurement": Counts(before=2, after=3, added=1),
    }
    assert found.total == Counts(before=6, after=6, added=2, removed=2, changed=2)
    assert found.fields == {"code": 2, "score": 2}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("boxes", [{"page_no": 1, "x0_pt": 1.0, "y0_pt": 1.0, "x1_pt": 9.5, "y1_pt": 5.0}]),
        ("boxes", []),
        ("value", Decimal("7.200000000001")),
        ("negated", True),
        ("score", 0.0),
        ("classification", "public"),
        ("review_status", "accepted"),
    ],
    ids=str,
)
def test_a_change_of_any_kind_of_value_is_seen(field, value):
    before = entities(A)

    found = compare_rows(
        "entities", before, changed(before, lambda row: row["type"] == "measurement", **{field: value})
    )

    assert found.fields == {field: 2}
    assert found.total.changed == 2


def test_a_row_that_another_model_made_the_same_is_remade_not_changed():
    before = entities(A)
    after = changed(before, is_drug, model="ner", model_version="2", model_sha256="0" * 64)
    after = changed(after, lambda row: is_drug(row) and row["page_no"] == 1, text="Aspirin")

    found = compare_rows("entities", before, after)

    assert found.kinds["drug"] == Counts(before=2, after=2, changed=1, remade=1)
    assert found.fields == {"model": 2, "model_sha256": 2, "model_version": 2, "text": 1}


def test_what_is_not_compared_are_columns_of_some_table():
    """A renamed column must not silently become a difference."""
    columns = {column for table in TABLES.values() for column in table.column_names}

    assert columns >= NOT_COMPARED
    assert columns >= MAKER


def test_a_column_that_one_side_lacks_is_null_there_and_one_that_both_lack_is_not_compared():
    rows = entities(A)
    before = rows.drop_columns(["parse_status", "boxes"])
    after = changed(rows, is_drug, boxes=[]).drop_columns(["boxes"])

    found = compare_rows("entities", before, after)

    assert found.fields == {"parse_status": 2}


def test_rows_to_compare_need_their_key():
    with pytest.raises(ContractError, match="lack row_id"):
        compare_rows("entities", entities(A).drop_columns(["row_id"]), entities(A))


def test_a_row_that_is_there_twice_on_one_side_is_one_added():
    rows = entities(A)

    found = compare_rows("entities", rows, pa.concat_tables([rows, rows.slice(0, 1)]))

    assert found.kinds["drug"] == Counts(before=2, after=3, added=1)


def test_documents_are_matched_by_their_digest_and_refusals_told_apart_by_code():
    before = make_batch([A, B], statuses={A: "quarantined"}).tables
    after = make_batch([B]).tables

    found = difference(before, after)

    assert found.tables["documents"].kinds == {"": Counts(before=2, after=1, removed=1)}
    assert found.tables["quarantine"].kinds == {"input.corrupt": Counts(before=1, removed=1)}
    assert found.tables["sources"].total.removed == 1
    assert not found.is_empty


def test_a_table_that_only_one_side_has_is_all_added_or_removed():
    tables = make_batch([A]).tables

    assert difference({}, {"entities": tables["entities"]}).tables["entities"].total == Counts(
        after=6, added=6
    )
    assert difference(tables, {}).tables["page_text"].total == Counts(before=2, removed=2)


@given(
    before=st.sets(st.integers(0, 11)),
    after=st.sets(st.integers(0, 11)),
    recoded=st.sets(st.integers(0, 11)),
    remade=st.sets(st.integers(0, 11)),
)
def test_every_row_is_counted_once_and_documents_may_be_compared_apart(before, after, recoded, remade):
    rows = entities(A, B).to_pylist()
    contract = table_named("entities")

    def table(chosen):
        return contract.to_arrow([rows[index] for index in sorted(chosen)])

    for index in sorted(recoded):
        rows[index] = {**rows[index], "text": "else"}
    for index in sorted(remade):
        rows[index] = {**rows[index], "model_version": "9"}
    new = table(after)
    rows = entities(A, B).to_pylist()
    old = table(before)

    found = compare_rows("entities", old, new)

    both = before & after
    assert found.total == Counts(
        before=len(before),
        after=len(after),
        added=len(after - before),
        removed=len(before - after),
        changed=len(both & recoded),
        remade=len(both & remade - recoded),
    )
    parts = [
        compare_rows("entities", *(side.filter(pa.compute.equal(side["doc_id"], one)) for side in (old, new)))
        for one in (A, B)
    ]
    merged = parts[0].merged(parts[1])
    assert (merged.kinds, merged.fields) == (found.kinds, found.fields)


def test_differences_of_two_tables_do_not_add_up():
    with pytest.raises(ValueError, match="do not add up"):
        TableDifference(table="entities").merged(TableDifference(table="relations"))


def test_differences_of_groups_of_documents_merge_table_by_table():
    first, second = (difference({}, make_batch([one]).tables) for one in (A, B))

    merged = first.merged(second)

    assert merged.tables["entities"].total.added == 12
    assert merged.as_dict()["tables"][0]["table"] == "page_text"


# -- examples


def examples(principal, before, after, policy, count=2):
    return compare_rows("entities", before, after, examples=count, access=policy.access(principal)).examples


def test_nobody_is_shown_an_example_who_does_not_say_who_asks(policy):
    assert compare_rows("entities", entities(A), entities(B), examples=5).examples == ()
    assert compare_rows("entities", entities(A), entities(B), access=policy.access("steward")).examples == ()


def test_an_example_shows_the_row_before_and_after_in_the_fields_that_differ(policy):
    before = entities(A)
    after = changed(before, lambda row: is_drug(row) and row["page_no"] == 2, code="D001241", boxes=[])

    (example,) = examples("steward", before, after, policy)

    assert (example.act, example.kind, example.doc_id, example.fields) == (
        "changed",
        "drug",
        A,
        ("code", "boxes"),
    )
    assert example.before == {"text": "aspirin", "source_text": "aspirin", "page_no": 2}
    assert example.after == {**example.before, "code": "D001241"}


def test_so_many_examples_of_each_act_are_kept_over_all_groups(policy):
    parts = [
        compare_rows("entities", *rows, examples=2, access=policy.access("steward"))
        for rows in ((entities(A), entities(A).slice(0, 0)), (entities(B), entities(B).slice(0, 3)))
    ]

    merged = parts[0].merged(parts[1])

    assert merged.total.removed == 9
    assert [change.act for change in merged.examples] == ["removed", "removed"]


@pytest.mark.parametrize("principal", ["analyst", "partner", "manufacturing"])
def test_rows_that_a_principal_may_not_see_on_both_sides_are_no_examples(policy, principal):
    hidden = entities(A, classification="PHI")
    shown = entities(A, classification="public")

    assert examples(principal, hidden, shown, policy) == ()
    assert examples(principal, shown, hidden, policy) == ()
    assert examples(principal, shown, shown.slice(0, 1), policy) != ()
    assert examples(principal, hidden, hidden.slice(0, 1), policy) == ()


def test_consent_decides_about_examples_too(policy):
    rows = entities(A, classification="de-identified", consent_scope="none")

    assert examples("analyst", rows, rows.slice(0, 1), policy) == ()
    assert examples("clinician", rows, rows.slice(0, 1), policy) != ()


def test_addresses_are_examples_only_for_those_who_see_everything(policy):
    rows = make_batch([A], classification="public").tables["sources"]

    for principal, count in (("steward", 1), ("analyst", 0)):
        found = compare_rows("sources", rows, rows.slice(0, 0), examples=3, access=policy.access(principal))
        assert (found.total.removed, len(found.examples)) == (1, count)


def test_long_texts_are_cut(policy):
    before = entities(A)

    found = examples("steward", before, changed(before, is_drug, normalised="x" * 500), policy, count=1)

    assert len(found[0].after["normalised"]) == 201
