"""Table contracts: columns with type, class and meaning, rules, and the split into good and bad rows.

A contract is the one place where a table's columns are named. The Delta
schema, the column metadata, the reference documentation and the checks are
made from it. A rule that comes out null counts as broken: unknown is a failure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from extractor.errors import ContractError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

Zone = Literal["governed", "restricted", "operations"]
DType = Literal[
    "string", "int32", "int64", "float32", "float64", "bool", "decimal", "timestamp",
    "strings", "ints", "boxes", "words", "commits",
]  # fmt: skip
ColumnClass = Literal["open", "inherit", "restricted"]
"""``open``: ids and codes of the engine, shown to every role that sees the row; ``inherit``: content,
as strict as the row's classification; ``restricted``: only roles that may see the strictest class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its name, type, meaning, and how strictly it is guarded."""

    name: str
    dtype: DType
    description: str
    classification: ColumnClass = "open"
    nullable: bool = True

    def arrow_type(self) -> pa.DataType:
        """The Arrow type; ``decimal`` is decimal(38, 12), ``timestamp`` is UTC microseconds."""
        import pyarrow as pa

        box = [("page_no", pa.int32())] + [
            (name, pa.float64()) for name in ("x0_pt", "y0_pt", "x1_pt", "y1_pt")
        ]
        word = [("start", pa.int32()), ("end", pa.int32())]
        word += [(name, pa.float32()) for name in ("x0_pt", "y0_pt", "x1_pt", "y1_pt", "confidence")]
        commit = [("table", pa.string()), ("rows", pa.int64()), ("version", pa.int64())]
        commit += [("document_rows", pa.list_(pa.int64()))]
        types: dict[str, pa.DataType] = {
            "string": pa.string(),
            "int32": pa.int32(),
            "int64": pa.int64(),
            "float32": pa.float32(),
            "float64": pa.float64(),
            "bool": pa.bool_(),
            "decimal": pa.decimal128(38, 12),
            "timestamp": pa.timestamp("us", tz="UTC"),
            "strings": pa.list_(pa.string()),
            "ints": pa.list_(pa.int32()),
            "boxes": pa.list_(pa.struct(box)),
            "words": pa.list_(pa.struct(word)),
            "commits": pa.list_(pa.struct(commit)),
        }
        return types[self.dtype]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A promise about each row. ``check`` builds a Boolean polars expression; null means broken."""

    rule_id: str
    description: str
    check: Callable[[], pl.Expr]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that broke its contract: its place among the offered rows and the rules it broke."""

    index: int
    rule_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """The contract of one table.

    ``key`` names the columns that identify a row within one extraction.
    ``partition_by`` are the governance attributes that lay out its files.
    """

    name: str
    zone: Zone
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    partition_by: tuple[str, ...] = ()

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """Names in table order."""
        return tuple(column.name for column in self.columns)

    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema; each field carries ``description`` and ``classification`` as metadata."""
        return self._arrow_schema

    @cached_property
    def _arrow_schema(self) -> pa.Schema:
        import pyarrow as pa

        return pa.schema(
            [
                pa.field(
                    column.name,
                    column.arrow_type(),
                    nullable=column.nullable,
                    metadata={"comment": column.description, "classification": column.classification},
                )
                for column in self.columns
            ],
        )

    @cached_property
    def _offered_schema(self) -> pa.Schema:
        """The schema of rows that nobody checked yet: every column may be null."""
        import pyarrow as pa

        return pa.schema([field.with_nullable(True) for field in self.arrow_schema()])

    def to_arrow(self, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        """Rows as an Arrow table of this contract; a missing key is null.

        Raises:
            ContractError: a row has an unknown column or a value of the wrong type.
        """
        import pyarrow as pa

        known = set(self.column_names)
        for row in rows:
            if unknown := row.keys() - known:
                raise ContractError(f"table {self.name}: unknown columns {', '.join(sorted(unknown))}")
        schema = self._offered_schema
        try:
            return pa.Table.from_arrays(
                [
                    pa.array([row.get(name) for row in rows], kind)
                    for name, kind in zip(schema.names, schema.types, strict=True)
                ],
                schema=schema,
            )
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError):
            raise ContractError(f"table {self.name}: a value does not fit its column's type") from None

    def split(self, offered: pa.Table) -> tuple[pa.Table, tuple[BadRow, ...]]:
        """Good rows, and the bad ones with the ids of the rules they broke.

        Checked: columns that may not be null, the key's uniqueness among the
        offered rows (all but the first of equal keys are bad), and ``rules``.
        ``len(good) + len(bad) == len(offered)`` always.
        """
        import polars as pl

        if offered.num_rows == 0:
            return offered.cast(self.arrow_schema()), ()
        checks = self._checks
        verdict = pl.DataFrame(offered.select(self._checked_columns)).select(**checks)
        good = verdict.select(pl.all_horizontal(pl.all())).to_series()
        if good.all():
            return offered.cast(self.arrow_schema()), ()
        bad = tuple(
            BadRow(
                index=index,
                rule_ids=tuple(name for name, kept in verdict.row(index, named=True).items() if not kept),
            )
            for index in (~good).arg_true()
        )
        return offered.filter(good.to_arrow()).cast(self.arrow_schema()), bad

    @cached_property
    def _checks(self) -> Mapping[str, pl.Expr]:
        """All that :meth:`split` checks, by rule id; an answer of null is a no."""
        import polars as pl

        checks = {
            f"{column.name}.required": pl.col(column.name).is_not_null()
            for column in self.columns
            if not column.nullable
        }
        if self.key:
            checks[f"{self.name}.unique"] = pl.struct(self.key).is_first_distinct()
        return checks | {rule.rule_id: rule.check().fill_null(value=False) for rule in self.rules}

    @cached_property
    def _checked_columns(self) -> list[str]:
        """The columns that :attr:`_checks` looks at: only they are handed to polars."""
        return sorted({name for check in self._checks.values() for name in check.meta.root_names()})

    def metadata_json(self) -> str:
        """Description and key of the table as JSON, stored with the Delta table."""
        return json.dumps({"description": self.description, "key": self.key, "zone": self.zone})


def plain(value: object) -> Any:
    """A column's value as JSON and CSV hold it: decimals without needless zeros as text, times in ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, str | int | float | list | dict) or value is None:
        return value
    return str(value)
