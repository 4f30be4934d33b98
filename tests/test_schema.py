import polars as pl
import pytest
from hypothesis import given, strategies as st

from extractor.errors import ContractError
from extractor.schema import Column, Rule, Table
from extractor.tables.catalogue import TABLES

POSITIVE = Table(
    name="positive",
    zone="governed",
    description="Numbers above zero.",
    key=("row_id",),
    columns=(
        Column(name="row_id", dtype="string", nullable=False, description="Name."),
        Column(name="number", dtype="int32", description="A number."),
    ),
    rules=(Rule(rule_id="positive.number", description="number > 0", check=lambda: pl.col("number") > 0),),
)


@given(st.lists(st.tuples(st.none() | st.sampled_from("abcd"), st.none() | st.integers(-2, 2))))
def test_accepted_and_rejected_rows_are_all_the_rows_offered(rows):
    offered = POSITIVE.to_arrow([{"row_id": name, "number": number} for name, number in rows])

    good, bad = POSITIVE.split(offered)

    assert good.num_rows + len(bad) == len(rows)
    assert all(row["row_id"] is not None and row["number"] > 0 for row in good.to_pylist())
    assert len({row["row_id"] for row in good.to_pylist()}) == good.num_rows


def test_a_rule_that_comes_out_null_counts_as_broken():
    _, bad = POSITIVE.split(POSITIVE.to_arrow([{"row_id": "a"}]))

    assert [one.rule_ids for one in bad] == [("positive.number",)]


def test_an_unknown_column_is_refused_by_name():
    with pytest.raises(ContractError, match="unknown columns colour"):
        POSITIVE.to_arrow([{"row_id": "a", "colour": "red"}])


def test_a_value_of_the_wrong_type_is_refused_without_being_quoted():
    with pytest.raises(ContractError) as caught:
        POSITIVE.to_arrow([{"row_id": "a", "number": "Jane Roe"}])

    assert "Jane" not in str(caught.value)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_contract_describes_its_columns_and_has_its_key(table):
    assert len(set(table.column_names)) == len(table.columns)
    assert set(table.key) <= set(table.column_names)
    assert set(table.partition_by) <= set(table.column_names)
    for field in table.arrow_schema():
        assert field.metadata[b"comment"]
        assert field.metadata[b"classification"] in {b"open", b"inherit", b"restricted"}
