"""SQL under policy: the only door for principals.

A fresh in-memory DuckDB holds nothing but relations of what the principal may
see: rows of granted classes and consents, of documents whose batch is
complete, without columns that are hidden. Of a lake at an earlier moment, rows
of documents besides that the principal may see today. There is no base table behind them,
no file, no network, no extension, no Python variable to reach for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any

from extractor.errors import AccessDeniedError, LakeError, PolicyError
from extractor.governance.policy import Access
from extractor.lake.snapshot import Snapshot, snapshot
from extractor.lake.sql import (
    ASK_FOR_ONE_SELECT,
    BATCH_ROWS,
    QueryLimits,
    collect,
    connection,
    named_tables,
    sql_errors,
    time_limit,
)
from extractor.lake.store import Lake
from extractor.lake.visible import Visible, inherits, visible_columns, visible_pairs
from extractor.tables.catalogue import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

    from extractor.schema import Table


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Rows; whether they were cut; how many documents were left out because a writer is, or then was, at them."""

    rows: pa.Table
    truncated: bool
    documents_in_work: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableTable:
    """A table and the columns a principal may read."""

    name: str
    description: str
    columns: tuple[str, ...]


def readable_tables(access: Access) -> tuple[ReadableTable, ...]:
    """The tables a principal may read, whether or not they hold rows yet."""
    return tuple(
        ReadableTable(name=name, description=contract.description, columns=visible_columns(access, contract))
        for name, contract in TABLES.items()
        if visible_pairs(access, contract)
    )


def query(lake: Lake, access: Access, sql: str, limits: QueryLimits | None = None) -> Answer:
    """Run one SELECT over the tables that a principal may read.

    Raises:
        AccessDeniedError: a table that exists is not granted.
        PolicyError: the statement is refused (``query.refused``), wrong (``query.invalid``), or takes more time
            (``query.time``) or memory (``query.memory``) than allowed. Values of rows are never quoted.
        LakeError: the lake cannot be read.
    """
    import duckdb

    limits = limits or QueryLimits()
    failures: list[LakeError] = []
    granted = {table.name: table.columns for table in readable_tables(access)}
    if not granted:
        raise AccessDeniedError(f"principal {access.principal!r} is granted no table")
    lake.require()
    door = connection(limits)
    try:
        with sql_errors():
            named, own = named_tables(door, sql)
        _check_named(named - own, granted, access)
        wanted = named & granted.keys()
        view = snapshot(lake, wanted | {"documents" for name in wanted if inherits(TABLES[name])})
        for name in wanted:
            door.register(name, _relation(view, access, TABLES[name], granted[name], failures))
        with time_limit(door, limits.seconds), sql_errors():
            rows, truncated = collect(door.sql(sql).to_arrow_reader(BATCH_ROWS), limits)
        left_out = view.hidden if view.today is None else view.hidden | view.today.in_work
        return Answer(rows=rows, truncated=truncated, documents_in_work=len(left_out))
    except duckdb.Error as error:
        if failures:
            raise failures[0] from None
        raise PolicyError(
            f"the query failed: {type(error).__name__}", code="query.invalid", hint=ASK_FOR_ONE_SELECT
        ) from None
    finally:
        door.close()


def _check_named(named: frozenset[str], granted: Mapping[str, Any], access: Access) -> None:
    for name in sorted(named - granted.keys()):
        if name in TABLES:
            raise AccessDeniedError(f"table {name} is not granted to principal {access.principal!r}")
        near = get_close_matches(name, granted, n=1)
        hint = f"did you mean {near[0]}?" if near else f"readable: {', '.join(granted)}"
        raise PolicyError(f"no table {name[:60]!r}; {hint}", code="query.invalid", hint=ASK_FOR_ONE_SELECT)


def _relation(
    view: Snapshot, access: Access, contract: Table, columns: tuple[str, ...], failures: list[LakeError]
) -> Any:
    """What a principal sees of a table; a failure to read it later on is put into ``failures``."""
    import pyarrow as pa

    from extractor.lake.relation import VisibleRows

    full = contract.arrow_schema()
    schema = pa.schema([full.field(name).with_nullable(True) for name in columns])
    rows = Visible(view=view, access=access, today=view.today)
    return VisibleRows(partial(rows.batches, contract.name), schema, failures)
