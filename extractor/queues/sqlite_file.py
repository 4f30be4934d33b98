"""The file under a SQLite queue: its tables, how it is opened and made, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from extractor.errors import QueueError, QueueRefusedError

BUSY_TIMEOUT_S = 30.0
"""How long a call waits for another process's write before it raises."""

APPLICATION_ID = 0x4C535145  # "LSQE" in the file's header: this file is such a queue
LAYOUT = 1

_TABLES = (
    # state: 0 ready, 1 delayed, 2 leased; due_at: when it is ready again, unless it is
    # token: of the last delivery, until it is handed back
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        job_id TEXT NOT NULL UNIQUE,
        priority INTEGER NOT NULL,
        tenant TEXT NOT NULL,
        enqueued_at REAL NOT NULL,
        state INTEGER NOT NULL DEFAULT 0,
        due_at REAL,
        attempt INTEGER NOT NULL DEFAULT 0,
        token TEXT,
        body BLOB NOT NULL
    )
    """,
    "CREATE INDEX jobs_ready ON jobs (priority, tenant, id, enqueued_at) WHERE state = 0",
    "CREATE INDEX jobs_due ON jobs (due_at, state) WHERE state > 0",
    "CREATE TABLE turns (tenant TEXT PRIMARY KEY, turn INTEGER NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE dead (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        job_id TEXT NOT NULL,
        priority INTEGER NOT NULL,
        tenant TEXT NOT NULL,
        enqueued_at REAL NOT NULL,
        attempts INTEGER NOT NULL,
        code TEXT NOT NULL,
        died_at REAL NOT NULL,
        body BLOB NOT NULL
    )
    """,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {LAYOUT}",
)

_FOR_GOOD = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_ERROR,  # a table or column is missing
    }
)
"""What waiting does not change; a lock, a full disk and a failed read or write may pass."""


def opened(path: Path) -> sqlite3.Connection:
    """A connection to the queue in the file, which is made with mode 0600 where it is not there.

    Raises:
        QueueRefusedError: it cannot be made or opened, or it holds something else.
        QueueError: others kept it locked.
    """
    _make(path)
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        with translated():
            # rw: never made here, where the mode would be the umask's
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
            )
            try:
                _prepare(connection)
            except sqlite3.OperationalError as error:
                connection.close()
                # SQLite does not wait by itself while another process switches to the write-ahead log
                if _primary(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            except BaseException:
                connection.close()
                raise
            else:
                return connection


def end(connection: sqlite3.Connection) -> None:
    """Undo a transaction that is still open."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


@contextmanager
def translated() -> Iterator[None]:
    """Errors of SQLite as errors of a queue; they tell SQLite's result code alone."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = _primary(error)
        if code is None:  # a wrong use of the library, not the file
            raise
        name = getattr(error, "sqlite_errorname", "an unknown result")
        if code in _FOR_GOOD:
            raise QueueRefusedError(f"SQLite says {name} of the queue's file") from None
        raise QueueError(f"SQLite says {name} of the queue's file") from None


def _primary(error: sqlite3.Error) -> int | None:
    """SQLite's result code without its details."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _make(path: Path) -> None:
    try:
        # not opened and closed: closing would drop the locks that another connection of this process holds
        os.mknod(path, stat.S_IFREG | 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise QueueRefusedError(
            f"the queue's file cannot be made ({type(error).__name__})",
            hint="Operator: check that the folder in --queue exists and may be written.",
        ) from None


def _prepare(connection: sqlite3.Connection) -> None:
    _is_new(connection)  # before anything of somebody else's file is changed
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _is_new(connection):
            for statement in _TABLES:
                connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        end(connection)


def _is_new(connection: sqlite3.Connection) -> bool:
    """Whether the file is empty.

    Raises:
        QueueRefusedError: it holds something that is not a queue of this layout.
    """
    application, layout, tables = connection.execute(
        "SELECT (SELECT application_id FROM pragma_application_id), "
        "(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_master)"
    ).fetchone()
    if tables == 0 and application == 0:
        return True
    if application != APPLICATION_ID:
        raise QueueRefusedError("the file holds a database that is not a queue")
    if layout != LAYOUT:
        raise QueueRefusedError(f"the queue's file has layout {layout}; this release knows {LAYOUT}")
    return False
