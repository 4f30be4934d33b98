"""One SELECT in a DuckDB that holds nothing but what is registered: what is refused, bounds, errors."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extractor.errors import PolicyError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_ROWS = 8_192
ASK_FOR_ONE_SELECT = "Analyst: write one SELECT over the tables that `extractor tables` lists."


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLimits:
    """Bounds of one query; ``rows`` of None gives all rows, otherwise the answer is cut and says so."""

    seconds: float = 60
    memory_mb: int = 1024
    threads: int = 2
    rows: int | None = None


def connection(limits: QueryLimits) -> duckdb.DuckDBPyConnection:
    """A DuckDB without files, network, extensions and Python variables, whose settings are locked."""
    import duckdb

    connection = duckdb.connect(
        config={
            "threads": limits.threads,
            "memory_limit": f"{limits.memory_mb}MiB",
            "python_enable_replacements": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        },
    )
    # The order matters: directories are emptied while that is still allowed, the lock comes last.
    connection.execute("SET temp_directory = ''")
    connection.execute("SET allowed_paths = []")
    connection.execute("SET allowed_directories = []")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series"})
"""Functions that may stand in FROM: none of them reads anything but its arguments."""

REFUSED_FUNCTIONS = frozenset({"current_setting", "getenv", "getvariable", "query", "query_table"})


def named_tables(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[frozenset[str], frozenset[str]]:
    """What one SELECT names, in lower case: tables, and common table expressions of its own.

    Everything else is refused here, before anything is bound.
    """
    import duckdb

    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise _refused("only one SELECT statement is answered")
    try:
        tree = json.loads(connection.execute("SELECT json_serialize_sql($1)", [sql]).fetchall()[0][0])
    except RecursionError:
        raise _refused("the statement is nested too deeply") from None
    if tree["error"]:
        raise _refused("only a plain SELECT is answered")
    tables: set[str] = set()
    own: set[str] = set()
    for node in _nodes(tree):
        kind = node.get("type")
        source = str(node["function"]["function_name"]).lower() if kind == "TABLE_FUNCTION" else None
        called = str(node.get("function_name", "")).lower()
        if called in REFUSED_FUNCTIONS or (source is not None and source not in TABLE_FUNCTIONS):
            raise _refused(f"function {(source or called)[:60]} is not available")
        if kind == "BASE_TABLE":
            schema = str(node.get("schema_name", "")).lower()
            name = str(node["table_name"]).lower()
            tables.add(name if schema in {"", "main"} else f"{schema}.{name}")
        if "cte_map" in node:
            own.update(str(entry["key"]).lower() for entry in node["cte_map"]["map"])
    return frozenset(tables), frozenset(own)


def _refused(detail: str) -> PolicyError:
    return PolicyError(detail, code="query.refused", hint=ASK_FOR_ONE_SELECT)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def collect(reader: pa.RecordBatchReader, limits: QueryLimits) -> tuple[pa.Table, bool]:
    """The answer, cut at the row limit, never larger than the memory limit."""
    import pyarrow as pa

    batches: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in reader:
        if limits.rows is not None and rows + batch.num_rows > limits.rows:
            batches.append(batch.slice(0, limits.rows - rows))
            return pa.Table.from_batches(batches, schema=reader.schema), True
        batches.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if size > limits.memory_mb * 2**20:
            raise _over_memory()
    return pa.Table.from_batches(batches, schema=reader.schema), False


def _over_memory() -> PolicyError:
    return PolicyError(
        "the query needs more memory than allowed",
        code="query.memory",
        hint="Analyst: ask for fewer rows or columns, or aggregate.",
    )


@contextmanager
def time_limit(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt the query when its time is over."""
    import duckdb

    over = threading.Event()

    def stop() -> None:
        over.set()
        connection.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        if not over.is_set():
            raise
        raise PolicyError(
            f"the query took longer than {seconds:g} s",
            code="query.time",
            hint="Analyst: ask for less, or ask the operator for a longer time limit.",
        ) from None
    finally:
        timer.cancel()
        timer.join()  # a thread that outlives the query would keep the connection alive to the process's end


@contextmanager
def sql_errors() -> Iterator[None]:
    """Tell what is wrong with a statement; errors met while rows are read do not say which value it was."""
    import duckdb

    try:
        yield
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
        first = str(error).splitlines()[0]
        raise PolicyError(first, code="query.invalid", hint=ASK_FOR_ONE_SELECT) from None
    except duckdb.OutOfMemoryException:
        raise _over_memory() from None
