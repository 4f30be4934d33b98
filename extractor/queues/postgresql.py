"""A queue in three tables of a PostgreSQL database: a lease table for any number of machines.

``postgresql://user@host/database?queue=NAME&schema=SCHEMA``; all other
parameters are libpq's. The tables are made on first use. Every call is one or
two statements, each a transaction of its own, so that no client holds a lock
while it thinks; rows that another consumer is taking are passed over. Leases
and delays run by the server's clock alone.
"""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain, islice
from typing import Any, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict

from extractor.delivery import PRIORITIES, DeadLetter, Delivery, QueuedJob, QueueStatus
from extractor.errors import ConfigError, QueueError, QueueMessageError
from extractor.queues.address import DEFAULT_NAME, split_options
from extractor.queues.message import decode, encode
from extractor.queues.postgresql_tables import CONNECTING, Connection, Tables, connected, translated

PUT_ROWS = 2_000
"""Jobs of one statement."""

CROWDED_TRIES = 20
"""How often a call looks again when others were taking every row that it chose."""

_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")

_PUT = """
INSERT INTO {jobs} (job_id, priority, tenant, enqueued_at, body)
SELECT job_id, priority, tenant, enqueued_at, body
FROM unnest(%b::text[], %b::smallint[], %b::text[], %b::timestamptz[], %b::bytea[])
    WITH ORDINALITY AS new (job_id, priority, tenant, enqueued_at, body, place)
ORDER BY place
ON CONFLICT (job_id) DO NOTHING
"""

_WAKE = """
WITH ended AS (
    SELECT id FROM {jobs} WHERE state > 0 AND due_at <= now() ORDER BY due_at LIMIT 2000 FOR UPDATE SKIP LOCKED
)
UPDATE {jobs} AS job SET state = 0, due_at = NULL FROM ended WHERE job.id = ended.id
"""
"""Those that ended first. The token stays: until somebody else takes it, its holder may still finish."""

_RECEIVE = """
WITH RECURSIVE waiting AS (
    (SELECT priority, tenant, id FROM {jobs} WHERE state = 0 ORDER BY priority, tenant, id LIMIT 1)
    UNION ALL
    SELECT next.priority, next.tenant, next.id FROM waiting CROSS JOIN LATERAL (
        SELECT priority, tenant, id FROM {jobs}
        WHERE state = 0 AND (priority, tenant) > (waiting.priority, waiting.tenant)
        ORDER BY priority, tenant, id LIMIT 1
    ) AS next
), heads AS (
    SELECT priority, tenant, row_number() OVER (ORDER BY priority, coalesce(turn, 0), id) AS place
    FROM waiting LEFT JOIN {turns} USING (tenant) WHERE tenant <> ALL (%(full)s::text[])
    ORDER BY place LIMIT %(limit)s
), chosen AS (
    SELECT job.id, row_number() OVER (ORDER BY heads.priority, job.round, heads.place) AS rank
    FROM heads CROSS JOIN LATERAL (
        SELECT id, row_number() OVER (ORDER BY id) AS round FROM (
            SELECT id FROM {jobs}
            WHERE state = 0 AND priority = heads.priority AND tenant = heads.tenant
            ORDER BY id LIMIT (SELECT greatest(%(limit)s, 4 * %(limit)s / count(*)) FROM heads)
        ) AS oldest
    ) AS job
    ORDER BY rank LIMIT 4 * %(limit)s
), locked AS (
    SELECT job.id, chosen.rank FROM chosen JOIN {jobs} AS job USING (id)
    WHERE job.state = 0 ORDER BY chosen.rank LIMIT %(limit)s FOR UPDATE OF job SKIP LOCKED
), taken AS (
    UPDATE {jobs} AS job SET state = 2, attempt = attempt + 1, token = %(token)s,
        due_at = now() + %(lease_s)s * interval '1 second'
    FROM locked WHERE job.id = locked.id RETURNING locked.rank, job.id, job.attempt, job.body, job.tenant
), served AS (
    INSERT INTO {turns} (tenant, turn)
    SELECT tenant, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint + max(rank) FROM taken
    GROUP BY tenant ORDER BY tenant
    ON CONFLICT (tenant) DO UPDATE SET turn = excluded.turn
)
SELECT rank, id, attempt, body FROM taken
UNION ALL SELECT NULL, NULL, NULL, NULL WHERE EXISTS (SELECT 1 FROM chosen) AND NOT EXISTS (SELECT 1 FROM taken)
ORDER BY rank
"""
"""Ready rows by priority, then in turns, the tenant served longest ago first. Four times as many are chosen as are
taken, so that consumers who come together take different ones; a row of NULLs says that even so none was left."""

_EXTEND = """
UPDATE {jobs} AS job SET state = 2, due_at = now() + %s * interval '1 second'
FROM unnest(%s::bigint[], %s::text[]) AS held (id, token)
WHERE job.id = held.id AND job.token = held.token RETURNING job.id
"""

_ACK = """
DELETE FROM {jobs} AS job USING unnest(%s::bigint[], %s::text[]) AS held (id, token)
WHERE job.id = held.id AND job.token = held.token
"""

_NACK = """
UPDATE {jobs} SET state = CASE WHEN %(delay_s)s > 0 THEN 1 ELSE 0 END,
    due_at = CASE WHEN %(delay_s)s > 0 THEN now() + %(delay_s)s * interval '1 second' END,
    attempt = attempt - %(less)s, token = NULL
WHERE id = %(id)s AND token = %(token)s
"""

_DEAD = """
WITH gone AS (DELETE FROM {jobs} WHERE id = %s AND token = %s RETURNING *)
INSERT INTO {dead} (job_id, priority, tenant, enqueued_at, attempts, code, body)
SELECT job_id, priority, tenant, enqueued_at, attempt, %s, body FROM gone
"""

_STATUS = """
SELECT 0 AS state, tenant, count(*), extract(epoch FROM now() - min(enqueued_at)) FROM {jobs}
WHERE state = 0 GROUP BY tenant
UNION ALL
SELECT CASE WHEN due_at <= now() THEN 0 ELSE state END, tenant, count(*),
    extract(epoch FROM now() - min(enqueued_at)) FROM {jobs}
WHERE state > 0 GROUP BY 1, 2
UNION ALL
SELECT 3, '', count(*), 0 FROM {dead}
"""

_DEAD_LETTERS = """
SELECT job_id, tenant, priority, code, attempts, died_at FROM {dead} ORDER BY id DESC LIMIT %s
"""

_RETRY_DEAD = """
WITH gone AS (DELETE FROM {dead} WHERE %(code)s::text IS NULL OR code = %(code)s RETURNING *)
INSERT INTO {jobs} (job_id, priority, tenant, enqueued_at, body)
SELECT job_id, priority, tenant, enqueued_at, body FROM gone ORDER BY id
ON CONFLICT (job_id) DO NOTHING
"""


class PostgresqlQueue:
    """A queue in tables ``NAME_jobs``, ``NAME_dead`` and ``NAME_turns``; it connects on the first call.

    After an error the connection is made anew by the next call.

    Raises:
        ConfigError: the URL is malformed, or a name in it is not one.
    """

    def __init__(self, url: str) -> None:
        rest, options = split_options(url, {"queue": DEFAULT_NAME, "schema": ""})
        if options["schema"] and not _SCHEMA.fullmatch(options["schema"]):
            raise ConfigError(
                "the schema of a PostgreSQL queue (?schema=) is a letter, then letters, digits or _"
            )
        try:
            settings = conninfo_to_dict(rest)
        except psycopg.ProgrammingError:
            raise ConfigError(
                "the URL of the PostgreSQL queue is malformed, or has an unknown option"
            ) from None
        self._settings: dict[str, Any] = {**CONNECTING, **settings}
        self._tables = Tables(queue=options["queue"], schema=options["schema"] or None)
        self._open: Connection | None = None

    def __repr__(self) -> str:
        return f"PostgresqlQueue(queue={self._tables.queue!r})"

    def put(self, jobs: Iterable[QueuedJob]) -> int:
        rows = map(_row, jobs)
        added = 0
        for first in rows:
            some = chain([first], islice(rows, PUT_ROWS - 1))
            added += self._put([list(column) for column in zip(*some, strict=True)])
        return added

    def _put(self, columns: list[list[Any]]) -> int:
        while True:
            with self._server() as connection:
                try:
                    return connection.execute(self._tables.statement(_PUT), columns).rowcount
                except psycopg.errors.DeadlockDetected:
                    continue  # a sender of the same jobs in another order was let through first

    def receive_batch(
        self, limit: int, *, lease_s: float, wait_s: float = 0.0, full_tenants: Collection[str] = ()
    ) -> list[Delivery]:
        deadline = time.monotonic() + wait_s
        pause_s = 0.05
        while True:
            found = self._receive(limit, lease_s, sorted(full_tenants))
            left_s = deadline - time.monotonic()
            if found or left_s <= 0:
                return found
            time.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, 0.5)

    def _receive(self, limit: int, lease_s: float, full: list[str]) -> list[Delivery]:
        tries = 0
        while True:
            token = secrets.token_hex(16)
            asked = {"limit": limit, "lease_s": float(lease_s), "token": token, "full": full}
            self._execute(_WAKE, ())
            rows = self._execute(_RECEIVE, asked)
            if rows and rows[0][1] is None:  # others were taking all that was chosen
                tries += 1
                if tries == CROWDED_TRIES:
                    return []
                time.sleep(random.uniform(0.001, 0.01))  # noqa: S311  # to part consumers that came together
                continue
            found = []
            for _rank, row_id, attempt, body in rows:
                receipt = (row_id, token)
                try:
                    found.append(Delivery(jobs=decode(body), attempt=attempt, receipt=receipt))
                except QueueMessageError as error:
                    self._execute(_DEAD, (*receipt, error.code))
            if found or not rows:  # else all were damaged
                return found

    def extend(self, deliveries: Sequence[Delivery], *, lease_s: float) -> list[Delivery]:
        if not deliveries:
            return []
        renewed = {row_id for (row_id,) in self._execute(_EXTEND, (float(lease_s), *_receipts(deliveries)))}
        return [one for one in deliveries if one.receipt[0] not in renewed]

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            self._execute(_ACK, _receipts(deliveries))

    def nack(self, delivery: Delivery, *, delay_s: float, code: str, counted: bool = True) -> None:  # noqa: ARG002  # the code is for whoever logs it; a delayed job's is not kept
        row_id, token = delivery.receipt
        less = 0 if counted else 1
        self._execute(_NACK, {"delay_s": float(delay_s), "less": less, "id": row_id, "token": token})

    def dead(self, delivery: Delivery, *, code: str) -> None:
        self._execute(_DEAD, (*delivery.receipt, code))

    def status(self) -> QueueStatus:
        counts = [0, 0, 0, 0]
        tenants: dict[str, int] = {}
        oldest_s: list[float] = []
        for state, tenant, number, age_s in self._execute(_STATUS, ()):
            counts[state] += number
            if state == 0:
                tenants[tenant] = tenants.get(tenant, 0) + number
                oldest_s.append(max(0.0, float(age_s)))
        return QueueStatus(
            ready=counts[0],
            delayed=counts[1],
            leased=counts[2],
            dead=counts[3],
            oldest_s=max(oldest_s, default=None),
            tenants=tenants,
        )

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        return [
            DeadLetter(
                job_id=job_id,
                tenant=tenant,
                priority=PRIORITIES[priority],
                code=code,
                attempts=attempts,
                died_at=died_at,
            )
            for job_id, tenant, priority, code, attempts, died_at in self._execute(_DEAD_LETTERS, (limit,))
        ]

    def retry_dead(self, *, code: str | None = None) -> int:
        with self._server() as connection:
            return connection.execute(self._tables.statement(_RETRY_DEAD), {"code": code}).rowcount

    def purge(self, *, dead: bool = False) -> int:
        statement: LiteralString = (
            "DELETE FROM {dead}" if dead else "DELETE FROM {jobs} WHERE state < 2 OR due_at <= now()"
        )
        with self._server() as connection:
            return connection.execute(self._tables.statement(statement)).rowcount

    def close(self) -> None:
        connection, self._open = self._open, None
        if connection is not None:
            with suppress(psycopg.Error):  # the server went first
                connection.close()

    def _execute(self, statement: LiteralString, values: Sequence[Any] | dict[str, Any]) -> list[Any]:
        with self._server() as connection:
            cursor = connection.execute(self._tables.statement(statement), values)
            return [] if cursor.description is None else cursor.fetchall()

    @contextmanager
    def _server(self) -> Iterator[Connection]:
        """The connection, made if there is none; given up when anything on it failed."""
        try:
            if self._open is None:
                self._open = connected(self._settings, self._tables)
            with translated():
                yield self._open
        except QueueError:
            self.close()
            raise


def _row(job: QueuedJob) -> tuple[str, int, str, datetime, bytes]:
    body = encode(job)  # refuses what could not be a row
    return job.job_id, PRIORITIES.index(job.priority), job.tenant, job.enqueued_at, body


def _receipts(deliveries: Sequence[Delivery]) -> tuple[list[int], list[str]]:
    return [one.receipt[0] for one in deliveries], [one.receipt[1] for one in deliveries]
