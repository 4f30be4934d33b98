"""A queue in one SQLite file, for the processes of one machine: a lease table.

``sqlite:///relative.db`` or ``sqlite:////absolute.db``. The file lies on a local
disk: write-ahead logging needs memory that all processes share, which network
file systems do not give. Each write is on the disk before a call returns. All
processes read the same clock; if it is set back, leases last longer by so much.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice, zip_longest
from pathlib import Path
from urllib.parse import unquote, urlsplit

from extractor.delivery import PRIORITIES, DeadLetter, Delivery, QueuedJob, QueueStatus
from extractor.errors import ConfigError, QueueMessageError, QueueRefusedError
from extractor.queues.message import decode, encode
from extractor.queues.sqlite_file import end, opened, translated

PUT_ROWS = 2_000
"""Jobs of one transaction: few syncs for the sender, short waits for everybody else."""

WAKE_ROWS = 2_000
"""Ended delays and leases that one call sees to; the next call sees to more."""

_READY, _DELAYED = 0, 1

_PUT = """
INSERT INTO jobs (job_id, priority, tenant, enqueued_at, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (job_id) DO NOTHING
"""

_WAKE = """
UPDATE jobs SET state = 0, due_at = NULL WHERE id IN (
    SELECT id FROM jobs INDEXED BY jobs_due WHERE state > 0 AND due_at <= ? ORDER BY due_at LIMIT ?
)
"""
"""Those that ended first. The token stays: until somebody else takes it, its holder may still finish."""

_ANY = """
SELECT EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_ready WHERE state = 0)
    OR EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_due WHERE state > 0 AND due_at <= ?)
"""

_TENANTS = """
WITH RECURSIVE waiting (tenant) AS (
    SELECT min(tenant) FROM jobs WHERE state = 0 AND priority = :priority
    UNION ALL
    SELECT (SELECT min(jobs.tenant) FROM jobs
            WHERE state = 0 AND priority = :priority AND jobs.tenant > waiting.tenant)
    FROM waiting WHERE waiting.tenant IS NOT NULL
)
SELECT tenant FROM waiting LEFT JOIN turns USING (tenant) WHERE tenant IS NOT NULL
ORDER BY coalesce(turn, 0), (SELECT min(id) FROM jobs
                             WHERE state = 0 AND priority = :priority AND jobs.tenant = waiting.tenant)
"""
"""Tenants with ready work, the one served longest ago first; one seek of the index for each, not one for each row."""

_OLDEST = """
SELECT id FROM jobs INDEXED BY jobs_ready
WHERE state = 0 AND priority = ? AND tenant = ? ORDER BY id LIMIT ?
"""

_LEASE = """
UPDATE jobs SET state = 2, attempt = attempt + 1, token = ?, due_at = ? WHERE id = ? RETURNING attempt, body
"""

_SERVED = """
INSERT INTO turns (tenant, turn) VALUES (?, ?) ON CONFLICT (tenant) DO UPDATE SET turn = excluded.turn
"""

_EXTEND = "UPDATE jobs SET state = 2, due_at = ? WHERE id = ? AND token = ?"

_ACK = "DELETE FROM jobs WHERE id = ? AND token = ?"

_NACK = """
UPDATE jobs SET state = ?, due_at = ?, attempt = attempt - ?, token = NULL WHERE id = ? AND token = ?
"""

_BURY = """
INSERT INTO dead (job_id, priority, tenant, enqueued_at, attempts, code, died_at, body)
SELECT job_id, priority, tenant, enqueued_at, attempt, ?, ?, body FROM jobs WHERE id = ? AND token = ?
"""

_STATUS = """
SELECT tenant, sum(number), min(oldest) FROM (
    SELECT tenant, count(*) AS number, min(enqueued_at) AS oldest
    FROM jobs INDEXED BY jobs_ready WHERE state = 0 GROUP BY tenant
    UNION ALL
    SELECT tenant, count(*), min(enqueued_at)
    FROM jobs INDEXED BY jobs_due WHERE state > 0 AND due_at <= ? GROUP BY tenant
) GROUP BY tenant
"""

_HELD = """
SELECT coalesce(sum(state = 1), 0), coalesce(sum(state = 2), 0)
FROM jobs INDEXED BY jobs_due WHERE state > 0 AND due_at > ?
"""

_DEAD_LETTERS = """
SELECT job_id, tenant, priority, code, attempts, died_at FROM dead ORDER BY id DESC LIMIT ?
"""

_RETRY_DEAD = """
INSERT INTO jobs (job_id, priority, tenant, enqueued_at, body)
SELECT job_id, priority, tenant, enqueued_at, body FROM dead WHERE :code IS NULL OR code = :code ORDER BY id
ON CONFLICT (job_id) DO NOTHING
"""


class SqliteQueue:
    """A queue in the file that the URL names, made when it is not there (mode 0600: addresses may hold names).

    The file is one queue; for another, take another file. The file is opened
    on the first call. After a fork the child opens one of its own.

    Raises:
        ConfigError: the URL names no file, or an option.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        path = unquote(parts.path.removeprefix("/"))
        if parts.netloc or not path:
            raise ConfigError(
                "a SQLite queue is sqlite:///relative.db or sqlite:////absolute.db: the slashes are not three or four"
            )
        if parts.query or parts.fragment:
            raise ConfigError("a SQLite queue takes no options: one file is one queue")
        self._path = Path(path)
        self._open: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        return "SqliteQueue()"

    def put(self, jobs: Iterable[QueuedJob]) -> int:
        rows = map(_row, jobs)
        added = 0
        for first in rows:
            some = list(chain([first], islice(rows, PUT_ROWS - 1)))
            with self._writing() as connection:
                before = connection.total_changes
                connection.executemany(_PUT, some)
                added += connection.total_changes - before
        return added

    def receive_batch(
        self, limit: int, *, lease_s: float, wait_s: float = 0.0, full_tenants: Collection[str] = ()
    ) -> list[Delivery]:
        full = frozenset(full_tenants)
        deadline = time.monotonic() + wait_s
        pause_s = 0.02
        while True:
            found = self._receive(limit, lease_s, full)
            left_s = deadline - time.monotonic()
            if found or left_s <= 0:
                return found
            time.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, 0.25)

    def _receive(self, limit: int, lease_s: float, full: frozenset[str]) -> list[Delivery]:
        with self._reading() as connection:
            # an empty queue that many wait for is looked at, not locked
            if not connection.execute(_ANY, (time.time(),)).fetchone()[0]:
                return []
        found: list[Delivery] = []
        picked = True
        while picked and not found:  # again, when all that was picked was damaged
            with self._writing() as connection:
                now = time.time()  # under the lock: waiting for it does not shorten the lease
                connection.execute(_WAKE, (now, WAKE_ROWS))
                picks = _pick(connection, limit, full)
                picked = bool(picks)
                found = _lease(connection, picks, now, lease_s)
        return found

    def extend(self, deliveries: Sequence[Delivery], *, lease_s: float) -> list[Delivery]:
        if not deliveries:
            return []
        with self._writing() as connection:
            due_at = time.time() + lease_s
            return [
                one for one in deliveries if connection.execute(_EXTEND, (due_at, *one.receipt)).rowcount == 0
            ]

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            with self._writing() as connection:
                connection.executemany(_ACK, [one.receipt for one in deliveries])

    def nack(self, delivery: Delivery, *, delay_s: float, code: str, counted: bool = True) -> None:  # noqa: ARG002  # the code is for whoever logs it; a delayed job's is not kept
        with self._writing() as connection:
            delayed = delay_s > 0
            due_at = time.time() + delay_s if delayed else None
            state = _DELAYED if delayed else _READY
            connection.execute(_NACK, (state, due_at, 0 if counted else 1, *delivery.receipt))

    def dead(self, delivery: Delivery, *, code: str) -> None:
        with self._writing() as connection:
            _bury(connection, delivery.receipt, code, time.time())

    def status(self) -> QueueStatus:
        with self._reading() as connection:
            now = time.time()
            delayed, leased = connection.execute(_HELD, (now,)).fetchone()
            rows = connection.execute(_STATUS, (now,)).fetchall()
            dead = connection.execute("SELECT count(*) FROM dead").fetchone()[0]
        return QueueStatus(
            ready=sum(number for _tenant, number, _oldest in rows),
            delayed=delayed,
            leased=leased,
            dead=dead,
            oldest_s=max(0.0, now - min(oldest for _tenant, _number, oldest in rows)) if rows else None,
            tenants={tenant: number for tenant, number, _oldest in rows},
        )

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        with self._reading() as connection:
            rows = connection.execute(_DEAD_LETTERS, (limit,)).fetchall()
        return [
            DeadLetter(
                job_id=job_id,
                tenant=tenant,
                priority=PRIORITIES[priority],
                code=code,
                attempts=attempts,
                died_at=datetime.fromtimestamp(died_at, UTC),
            )
            for job_id, tenant, priority, code, attempts, died_at in rows
        ]

    def retry_dead(self, *, code: str | None = None) -> int:
        with self._writing() as connection:
            added = connection.execute(_RETRY_DEAD, {"code": code}).rowcount
            connection.execute("DELETE FROM dead WHERE :code IS NULL OR code = :code", {"code": code})
        return added

    def purge(self, *, dead: bool = False) -> int:
        with self._writing() as connection:
            if dead:
                return connection.execute("DELETE FROM dead").rowcount
            now = time.time()
            return connection.execute("DELETE FROM jobs WHERE state < 2 OR due_at <= ?", (now,)).rowcount

    def close(self) -> None:
        connection, self._open = self._open, None
        if connection is not None:
            with translated():
                connection.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One moment's view of the file."""
        with self._in("BEGIN") as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside; on the disk when it ends, or not done at all."""
        with self._in("BEGIN IMMEDIATE") as connection:
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _in(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            if self._open is None:
                self._open = opened(self._path)
            with translated():
                self._open.execute(begin)
                try:
                    yield self._open
                finally:
                    end(self._open)
        except QueueRefusedError:
            self.close()  # the next call looks at the file anew
            raise


def _row(job: QueuedJob) -> tuple[str, int, str, float, bytes]:
    body = encode(job)  # refuses what could not be a row
    return job.job_id, PRIORITIES.index(job.priority), job.tenant, job.enqueued_at.timestamp(), body


def _pick(connection: sqlite3.Connection, limit: int, full: frozenset[str]) -> list[tuple[int, str]]:
    """Which ready rows come next, with their tenants: by priority, then in turns, oldest first within a tenant."""
    picks: list[tuple[int, str]] = []
    for priority in range(len(PRIORITIES)):
        left = limit - len(picks)
        if left <= 0:
            break
        tenants = [
            tenant for (tenant,) in connection.execute(_TENANTS, {"priority": priority}) if tenant not in full
        ]
        waiting = [
            ((row_id, tenant) for (row_id,) in connection.execute(_OLDEST, (priority, tenant, left)))
            for tenant in tenants[:left]
        ]
        rounds = chain.from_iterable(zip_longest(*waiting))
        picks += islice((pick for pick in rounds if pick is not None), left)
    return picks


def _lease(
    connection: sqlite3.Connection, picks: Sequence[tuple[int, str]], now: float, lease_s: float
) -> list[Delivery]:
    """Deliveries of these rows; a damaged one is buried instead."""
    turn = connection.execute("SELECT coalesce(max(turn), 0) FROM turns").fetchone()[0]
    found = []
    for row_id, tenant in picks:
        turn += 1
        connection.execute(_SERVED, (tenant, turn))
        receipt = (row_id, secrets.token_hex(8))
        ((attempt, body),) = connection.execute(_LEASE, (receipt[1], now + lease_s, row_id)).fetchall()
        try:
            found.append(Delivery(jobs=decode(body), attempt=attempt, receipt=receipt))
        except QueueMessageError as error:
            _bury(connection, receipt, error.code, now)
    return found


def _bury(connection: sqlite3.Connection, receipt: tuple[int, str], code: str, now: float) -> None:
    connection.execute(_BURY, (code, now, *receipt))
    connection.execute(_ACK, receipt)
