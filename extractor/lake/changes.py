"""What differs between two states of some rows: added, removed, changed, and which field changed how often.

Rows are matched by their table's key. What every extraction writes anew (ids of
runs and extractions, the pipeline, the engine's own clock) is not compared. A
row that differs only in who made it counts as *remade*, not as changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from extractor.errors import ContractError
from extractor.lake.difference import ACTS, Counts, Difference, RowChange, TableDifference
from extractor.lake.visible import visible_columns, visible_mask
from extractor.tables.catalogue import table_named
from extractor.tables.governed import MAKER_COLUMNS

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from extractor.governance.policy import Access
    from extractor.schema import Table

__all__ = ["Counts", "Difference", "RowChange", "TableDifference", "compare_rows", "difference"]

NOT_COMPARED = frozenset(
    {
        *("run_id", "extraction_id", "pipeline_version", "text_run_id", "text_extraction_id"),
        *("extracted_at", "committed_at", "started_at", "ended_at"),
    }
)
"""Columns that differ between any two extractions: who wrote when. Times that a document tells are compared."""

MAKER = frozenset({column.name for column in MAKER_COLUMNS} - NOT_COMPARED | {"vocabulary_version"})
"""Columns that name the maker of a row."""

SHOWN = ("text", "source_text", "tail_source_text", "page_no")
"""Columns that tell a person which row an example is, changed or not."""

LONGEST_VALUE = 200
"""Characters of a value in an example."""

_AFTER = "_after"
_THERE = "_there"
_NTH = "_nth"
_KIND = "_kind"
_ACT = "_act"
_SEEN = "_seen"
"""No column of a contract begins with an underscore."""


def difference(
    before: Mapping[str, pa.Table],
    after: Mapping[str, pa.Table],
    *,
    examples: int = 0,
    access: Access | None = None,
) -> Difference:
    """What differs between two sets of rows by table; a table that only one side has is empty on the other.

    Give all rows of some documents at a time, and put the answers together
    with :meth:`Difference.merged`: memory then holds one group of documents.
    """
    names = list(dict.fromkeys([*before, *after]))
    empty = {name: table_named(name).to_arrow([]) for name in names}
    return Difference(
        tables={
            name: compare_rows(
                name,
                before.get(name, empty[name]),
                after.get(name, empty[name]),
                examples=examples,
                access=access,
            )
            for name in names
        }
    )


def compare_rows(
    table: str,
    before: pa.Table,
    after: pa.Table,
    *,
    examples: int = 0,
    access: Access | None = None,
) -> TableDifference:
    """What differs between two sets of rows of one table.

    Both hold whole documents and the table's key; any other column may be
    missing, in one (where it is null) or in both (where it is not compared).
    ``examples`` rows of each act are told, of those that ``access`` lets
    through before and after; none without an access. Rows of one key beyond
    the first are matched by their order.

    Raises:
        ContractError: the rows have not the table's key.
    """
    contract = table_named(table)
    offered = {*before.column_names, *after.column_names}
    compared = [
        name
        for name in contract.column_names
        if name in offered and name not in NOT_COMPARED and name not in contract.key
    ]
    verdict = _verdict(contract, compared, before, after, access if examples else None)
    found = TableDifference(
        table=table,
        kinds=_kinds(verdict),
        fields={name: count for name in compared if (count := int(verdict[_differs(name)].sum()))},
        examples=_examples(contract, compared, verdict, (before, after), examples, access),
        example_limit=examples,
    )
    return found.merged()


def kind_column(contract: Table) -> str | None:
    """The column that tells the kinds of a table's rows apart; None where all are of one kind."""
    names = {"relations": "relation_type", "quarantine": "code"}
    name = names.get(contract.name, "type")
    return name if name in contract.column_names else None


def _differs(name: str) -> str:
    return f"_differs.{name}"


def _verdict(
    contract: Table, compared: Sequence[str], before: pa.Table, after: pa.Table, access: Access | None
) -> pl.DataFrame:
    """One row per key: its kind, what became of it, where it stands on each side, and which columns differ."""
    import polars as pl

    left, right = (_frame(contract, rows, compared, access) for rows in (before, after))
    both = left.join(
        right,
        on=[*contract.key, _NTH],
        how="full",
        suffix=_AFTER,
        coalesce=True,
        nulls_equal=True,
    )
    was, is_there = (pl.col(name).is_not_null() for name in (_THERE, _THERE + _AFTER))
    kind = kind_column(contract)
    said = pl.lit("") if kind not in compared else pl.coalesce(kind, f"{kind}{_AFTER}").fill_null("")
    differing = [
        (was & is_there & pl.col(name).ne_missing(pl.col(name + _AFTER))).alias(_differs(name))
        for name in compared
    ]
    maker = [_differs(name) for name in compared if name in MAKER]
    content = [_differs(name) for name in compared if name not in MAKER]
    never = pl.lit(value=False)
    return both.select(
        *contract.key,
        _THERE,
        _THERE + _AFTER,
        said.alias(_KIND),
        pl.all_horizontal(pl.col(_SEEN, _SEEN + _AFTER).fill_null(value=True)).alias(_SEEN),
        *differing,
    ).with_columns(
        pl.when(pl.col(_THERE).is_null())
        .then(pl.lit("added"))
        .when(pl.col(_THERE + _AFTER).is_null())
        .then(pl.lit("removed"))
        .when(pl.any_horizontal(never, *content))
        .then(pl.lit("changed"))
        .when(pl.any_horizontal(never, *maker))
        .then(pl.lit("remade"))
        .otherwise(pl.lit("same"))
        .alias(_ACT)
    )


def _frame(contract: Table, rows: pa.Table, compared: Sequence[str], access: Access | None) -> pl.DataFrame:
    """Key and compared columns in the contract's types, each row's place, and whether it may be shown."""
    import polars as pl
    import pyarrow as pa

    if missing := set(contract.key) - set(rows.column_names):
        raise ContractError(f"table {contract.name}: rows to compare lack {', '.join(sorted(missing))}")
    schema = contract.arrow_schema()
    columns = {
        name: rows.column(name).cast(schema.field(name).type)
        if name in rows.column_names
        else pa.nulls(rows.num_rows, schema.field(name).type)
        for name in (*contract.key, *compared)
    }
    seen = (
        False
        if access is None
        else pl.Series(visible_mask(access, contract, rows).to_pylist(), dtype=pl.Boolean)
    )
    return pl.DataFrame(pl.from_arrow(pa.table(columns))).with_columns(
        pl.int_range(pl.len()).over(contract.key).alias(_NTH),
        pl.int_range(pl.len()).alias(_THERE),
        pl.lit(seen).alias(_SEEN),
    )


def _kinds(verdict: pl.DataFrame) -> dict[str, Counts]:
    import polars as pl

    acts = [(pl.col(_ACT) == act).sum().alias(act) for act in ACTS]
    there = [
        pl.col(column).is_not_null().sum().alias(name)
        for name, column in (("before", _THERE), ("after", _THERE + _AFTER))
    ]
    counted = verdict.group_by(_KIND).agg(*there, *acts).sort(_KIND)
    return {row.pop(_KIND): Counts(**row) for row in counted.to_dicts()}


def _examples(
    contract: Table,
    compared: Sequence[str],
    verdict: pl.DataFrame,
    rows: tuple[pa.Table, pa.Table],
    limit: int,
    access: Access | None,
) -> tuple[RowChange, ...]:
    """The first rows of each act, by key, that are visible wherever they are."""
    import polars as pl

    if limit <= 0 or access is None:
        return ()
    nested = {"boxes", "words", "commits", "ints", "strings"}
    columns = visible_columns(access, contract)
    tellable = [
        column.name
        for column in contract.columns
        if column.name in columns and column.name in compared and column.dtype not in nested
    ]
    seen = verdict.filter(pl.col(_SEEN))
    examples = []
    for act in ACTS:
        for row in seen.filter(pl.col(_ACT) == act).sort(*contract.key).head(limit).to_dicts():
            differing = tuple(name for name in compared if row[_differs(name)] and name in columns)
            told = [name for name in tellable if name in (*SHOWN, *differing) or act in {"added", "removed"}]
            before, after = (
                _told(table, row[place], told)
                for table, place in zip(rows, (_THERE, _THERE + _AFTER), strict=True)
            )
            examples.append(
                RowChange(
                    act=act,
                    kind=row[_KIND],
                    key=tuple(str(row[name]) for name in contract.key if name in columns),
                    doc_id=_owner(rows, (row[_THERE], row[_THERE + _AFTER])),
                    fields=differing,
                    before=before,
                    after=after,
                )
            )
    return tuple(examples)


def _told(rows: pa.Table, index: int | None, names: Sequence[str]) -> dict[str, Any] | None:
    if index is None:
        return None
    row = rows.slice(index, 1).select([name for name in names if name in rows.column_names]).to_pylist()[0]
    return {
        name: value[:LONGEST_VALUE] + "…" if isinstance(value, str) and len(value) > LONGEST_VALUE else value
        for name, value in row.items()
        if value is not None
    }


def _owner(rows: tuple[pa.Table, pa.Table], places: tuple[int | None, int | None]) -> str | None:
    for table, place in zip(rows, places, strict=True):
        if place is not None and "doc_id" in table.column_names:
            return str(table.column("doc_id")[place].as_py())
    return None
