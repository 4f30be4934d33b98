"""The tables under a PostgreSQL queue: how they are reached and made, and what the server's errors mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from extractor.errors import QueueError, QueueRefusedError

Connection = psycopg.Connection[TupleRow]

LAYOUT = "extractor queue, layout 1"
"""The comment on the table of jobs."""

CONNECTING: Mapping[str, str] = {
    "application_name": "extractor",
    "connect_timeout": "10",
    # a server that vanished without a word is noticed within half a minute
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""Settings of libpq, where the URL does not say otherwise."""

_DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)

_TABLES = (
    # state: 0 ready, 1 delayed, 2 leased; due_at: when it is ready again, unless it is
    # token: of the last delivery, until it is handed back
    """
    CREATE TABLE {jobs} (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        job_id text NOT NULL UNIQUE,
        priority smallint NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        enqueued_at timestamptz NOT NULL,
        state smallint NOT NULL DEFAULT 0,
        due_at timestamptz,
        attempt integer NOT NULL DEFAULT 0,
        token text,
        body bytea NOT NULL
    ) WITH (autovacuum_vacuum_scale_factor = 0.02)
    """,
    "CREATE INDEX {ready} ON {jobs} (priority, tenant, id) INCLUDE (enqueued_at) WHERE state = 0",
    "CREATE INDEX {due} ON {jobs} (due_at) WHERE state > 0",
    'CREATE TABLE {turns} (tenant text COLLATE "C" PRIMARY KEY, turn bigint NOT NULL)',
    """
    CREATE TABLE {dead} (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        job_id text NOT NULL,
        priority smallint NOT NULL,
        tenant text NOT NULL,
        enqueued_at timestamptz NOT NULL,
        attempts integer NOT NULL,
        code text NOT NULL,
        died_at timestamptz NOT NULL DEFAULT now(),
        body bytea NOT NULL
    )
    """,
)

_COMMENT = """
SELECT obj_description(pg_class.oid, 'pg_class')
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relname = %(name)s
    AND CASE WHEN %(schema)s::text IS NULL THEN nspname = ANY (current_schemas(false)) ELSE nspname = %(schema)s END
ORDER BY array_position(current_schemas(false), nspname) LIMIT 1
"""
"""Read from the catalogue's rows: to_regclass() remembers that there was no table beyond the wait for a lock."""

_FOR_GOOD = ("0A", "28", "3D", "3F", "42", "XX001", "XX002")
"""Beginnings of SQLSTATEs that waiting does not change: not supported, no such login, database or schema, no right
or not such a table, damaged data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The names of one queue's tables, in a schema or in the first of the server's search path."""

    queue: str
    schema: str | None

    def statement(self, text: LiteralString) -> sql.Composed:
        """The SQL with the names of the tables in the place of ``{jobs}``, ``{dead}`` and ``{turns}``."""
        return sql.SQL(text).format(
            jobs=self._table("jobs"),
            dead=self._table("dead"),
            turns=self._table("turns"),
            ready=sql.Identifier(f"{self.queue}_jobs_ready"),
            due=sql.Identifier(f"{self.queue}_jobs_due"),
        )

    def make(self, connection: Connection) -> None:
        """Make the tables where they are not there; processes that start together make them once.

        Raises:
            QueueRefusedError: tables of these names are not a queue of this layout.
        """
        if self._are_there(connection):
            return
        with connection.transaction():
            connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                (f"extractor {self.schema or ''}.{self.queue}",),
            )
            if self._are_there(connection):
                return
            if self.schema is not None:
                row = connection.execute(
                    "SELECT 1 FROM pg_namespace WHERE nspname = %s", (self.schema,)
                ).fetchone()
                if row is None:
                    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self.schema)))
            for one in _TABLES:
                connection.execute(self.statement(one))
            connection.execute(
                sql.SQL("COMMENT ON TABLE {} IS {}").format(self._table("jobs"), sql.Literal(LAYOUT))
            )

    def _are_there(self, connection: Connection) -> bool:
        row = connection.execute(_COMMENT, {"schema": self.schema, "name": f"{self.queue}_jobs"}).fetchone()
        if row is not None and row[0] != LAYOUT:
            raise QueueRefusedError(
                "the tables of this name are not a queue of a layout that this release knows"
            )
        return row is not None

    def _table(self, kind: str) -> sql.Identifier:
        name = f"{self.queue}_{kind}"
        return sql.Identifier(name) if self.schema is None else sql.Identifier(self.schema, name)


def connected(settings: Mapping[str, Any], tables: Tables) -> Connection:
    """A connection on which each statement is a transaction of its own, to tables that are there.

    Raises:
        QueueError: the server cannot be reached or refuses.
    """
    with translated():
        # statements are not prepared: a pooler between may hand each to another session
        connection = psycopg.connect(**settings, autocommit=True, prepare_threshold=None)
        try:
            connection.execute(_DURABLE)
            tables.make(connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the server as errors of a queue; they tell the SQLSTATE alone, since details quote rows."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.DatabaseError) as error:
        state = error.sqlstate
        if state is None:
            if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                raise QueueError("PostgreSQL cannot be reached, or the connection to it broke") from None
            raise  # a wrong use of the library, not the server
        told = f"PostgreSQL says {state} ({type(error).__name__})"
        # tables that somebody dropped are made anew by the next call
        if state.startswith(_FOR_GOOD) and not isinstance(error, psycopg.errors.UndefinedTable):
            raise QueueRefusedError(told) from None
        raise QueueError(told) from None
