"""SQL under policy: the only door for principals.

A fresh in-memory DuckDB holds nothing but relations of what the principal may
see: rows of granted classes and consents, of documents whose batch is
complete, without columns that are hidden. There is no base table behind them,
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
from extractor.tables.catalogue import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

    from extractor.lake.relation import Pair
    from extractor.schema import Table


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Rows; whether they were cut; how many documents were left out because a writer is at them."""

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
        ReadableTable(name=name, description=contract.description, columns=_columns(access, contract))
        for name, contract in TABLES.items()
        if _visible_pairs(access, contract)
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
        view = snapshot(lake, wanted | {"documents" for name in wanted if _inherits(TABLES[name])})
        for name in wanted:
            door.register(name, _relation(view, access, TABLES[name], granted[name], failures))
        with time_limit(door, limits.seconds), sql_errors():
            rows, truncated = collect(door.sql(sql).to_arrow_reader(BATCH_ROWS), limits)
        return Answer(rows=rows, truncated=truncated, documents_in_work=len(view.hidden))
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


def _visible_pairs(access: Access, contract: Table, *, restricted: bool = False) -> frozenset[Pair]:
    """Class and consent of rows that some grant lets through; with ``restricted``, some restricted grant."""
    scopes = access.policy.consent_scopes
    return frozenset(
        (classification, scope)
        for grant in access.grants(contract.name, restricted_zone=contract.zone == "restricted")
        if grant.restricted or not restricted
        for classification in grant.classes
        for scope in scopes
        if classification in grant.consent_free or scope in grant.consent_scopes
    )


def _columns(access: Access, contract: Table) -> tuple[str, ...]:
    """Columns to show: restricted ones only where a restricted grant covers every visible row."""
    shows_all = _visible_pairs(access, contract) <= _visible_pairs(access, contract, restricted=True)
    return tuple(
        column.name for column in contract.columns if shows_all or column.classification != "restricted"
    )


def _inherits(contract: Table) -> bool:
    """Whether rows are of documents and do not say themselves of which class they are."""
    return "doc_id" in contract.column_names and "classification" not in contract.column_names


def _relation(
    view: Snapshot, access: Access, contract: Table, columns: tuple[str, ...], failures: list[LakeError]
) -> Any:
    """What a principal sees of a table; a failure to read it later on is put into ``failures``."""
    import pyarrow as pa

    from extractor.lake.relation import VisibleRows, pairs_predicate

    pairs = _visible_pairs(access, contract)
    full = contract.arrow_schema()
    schema = pa.schema([full.field(name).with_nullable(True) for name in columns])
    if _inherits(contract):
        return _of_visible_documents(view, contract, schema, pairs_predicate(pairs))
    where = pairs_predicate(pairs) if "classification" in contract.column_names else None
    rows = partial(view.batches, contract.name, where=where)
    return VisibleRows(rows, schema, failures)


def _of_visible_documents(view: Snapshot, contract: Table, schema: pa.Schema, where: str) -> pa.Table:
    """Rows without governance columns of their own are as visible as their documents; held in memory."""
    import pyarrow as pa
    import pyarrow.compute as pc

    documents = [batch.column(0) for batch in view.batches("documents", ["doc_id"], where=where)]
    visible = pa.chunked_array(documents, pa.string())
    rows = pa.Table.from_batches(view.batches(contract.name, schema.names), schema=schema)
    return rows.filter(pc.is_in(rows.column("doc_id"), value_set=visible))
