"""Named snapshots: one consistent version of all tables, kept by maintenance until it is dropped.

The table ``snapshots`` is append-only. Each event is put by compare-and-swap on
the events that it was decided on, so that of two creators of one name one wins
and the other is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from extractor import __version__
from extractor.errors import ConfigError, LakeError
from extractor.lake import delta
from extractor.lake.snapshot import snapshot
from extractor.lake.store import Lake, Pin
from extractor.lake.work import fitting, read_schema, retried
from extractor.tables.catalogue import TABLES
from extractor.tables.snapshots import SNAPSHOTS

if TYPE_CHECKING:
    from deltalake import DeltaTable

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
RESERVED = frozenset({"now"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSnapshot:
    """A state that has a name: who gave it when, the Delta version of each table, and the rows stored there.

    ``hidden`` are documents that a writer was at; their rows are among
    ``rows``, but no reader of the snapshot sees them.
    """

    name: str
    event_id: str
    sequence_no: int
    at: datetime
    by: str
    note: str | None
    versions: Mapping[str, int]
    rows: Mapping[str, int]
    hidden: tuple[str, ...]
    code_version: str

    @property
    def ledger_version(self) -> int:
        """The version of the ledger that closes the last batch that counts."""
        return self.versions["ledger"]

    def pin(self) -> Pin:
        """The moment, for :meth:`Lake.pinned`."""
        return Pin(versions=self.versions, hidden=frozenset(self.hidden))


def create_snapshot(lake: Lake, name: str, *, by: str, note: str | None = None) -> NamedSnapshot:
    """Give the newest complete state of all tables a name.

    Documents that a writer is at are hidden in it for good.

    Raises:
        ConfigError: the name is no name.
        LakeError: there is no lake, or a snapshot of that name lives (``lake.snapshot_exists``).
        CommitConflictError: other writers kept winning.
    """
    if not NAME.fullmatch(name) or name in RESERVED:
        raise ConfigError(
            "this cannot be the name of a snapshot",
            hint="You: use up to 64 of a-z, 0-9, '_', '.' and '-', beginning with a letter or digit; not 'now'.",
        )
    lake.require()
    lake.require_writable()
    for table in (*TABLES.values(), SNAPSHOTS):
        retried(lake, table.name, lambda name=table.name: _keep_log(lake, name))  # type: ignore[misc]

    def once() -> NamedSnapshot:
        handle = lake.writable("snapshots")
        if name in _live(_events(handle)):
            raise LakeError(
                f"snapshot {name} exists",
                code="lake.snapshot_exists",
                hint="You: choose another name, or drop that one: `extractor snapshot drop`.",
            )
        view = snapshot(lake, [table for table in TABLES if table != "ledger"])
        handles = dict(view.handles)
        ledger = lake.handle("ledger", version=view.ledger_version)
        assert ledger is not None
        handles["ledger"] = ledger
        commits = [
            {
                "table": table,
                "rows": _rows(handles[table], table),
                "version": int(handles[table].version()),
                "document_rows": [],
            }
            for table in TABLES
            if table in handles
        ]
        return _put(
            handle,
            name=name,
            event="created",
            by=by,
            note=note,
            commits=commits,
            ledger_version=view.ledger_version,
            hidden=sorted(view.hidden),
        )

    return retried(lake, "snapshots", once)


def drop_snapshot(lake: Lake, name: str, *, by: str, note: str | None = None) -> NamedSnapshot:
    """Take the name back: maintenance may remove what only that state needs. The state as it was named.

    Raises:
        LakeError: no snapshot of that name lives (``lake.no_snapshot``).
        CommitConflictError: other writers kept winning.
    """
    lake.require()
    lake.require_writable()

    def once() -> NamedSnapshot:
        handle = lake.handle("snapshots")
        found = find_snapshot(lake, name)
        assert handle is not None  # somewhere the name was found
        _put(handle, name=name, event="dropped", by=by, note=note, commits=[], ledger_version=None, hidden=[])
        return found

    return retried(lake, "snapshots", once)


def live_snapshots(lake: Lake) -> tuple[NamedSnapshot, ...]:
    """The snapshots that were not dropped, oldest first."""
    handle = lake.now.handle("snapshots")
    return () if handle is None else tuple(_live(_events(handle)).values())


def find_snapshot(lake: Lake, name: str) -> NamedSnapshot:
    """The living snapshot of a name.

    Raises:
        LakeError: there is none (``lake.no_snapshot``).
    """
    for found in live_snapshots(lake):
        if found.name == name:
            return found
    raise LakeError(
        f"there is no snapshot {name[:64]!r} here",
        code="lake.no_snapshot",
        hint="You: `extractor snapshot list` tells the names; a dropped one does not come back.",
    )


def pin_of(lake: Lake, name: str) -> Pin:
    """The moment that a name stands for."""
    return find_snapshot(lake, name).pin()


def kept_versions(lake: Lake, table: str) -> list[int]:
    """Versions of a table whose files and log must stay.

    Raises:
        LakeError: one of them cannot be opened (``lake.gone``): nothing is removed until its name is dropped.
    """
    names = {one.versions[table]: one.name for one in live_snapshots(lake) if table in one.versions}
    for version, name in names.items():
        try:
            lake.handle(table, version=version)
        except LakeError as error:
            if error.code != "lake.gone":
                raise
            raise LakeError(
                f"snapshot {name}: table {table} has no version {version} any more",
                code=error.code,
                hint=f"Steward: bring its log back from a copy, or give it up: `extractor snapshot drop {name}`.",
            ) from None
    return sorted(names)


def _keep_log(lake: Lake, table: str) -> None:
    handle = lake.handle(table)
    if handle is not None:
        delta.keep_log(handle, TABLES[table])


def _rows(handle: DeltaTable, table: str) -> int:
    with delta.translated(f"table {table}: rows cannot be counted"):
        return int(handle.count())


def _put(handle: DeltaTable, **values: Any) -> NamedSnapshot:
    """Append an event to the version that it was decided on.

    Raises:
        StaleError: somebody else wrote an event meanwhile.
    """
    row = {
        **values,
        "event_id": uuid4().hex,
        "sequence_no": int(handle.version()) + 1,
        "at": _now(),
        "code_version": __version__,
    }
    delta.write(handle, SNAPSHOTS, fitting(SNAPSHOTS, SNAPSHOTS.to_arrow([row])))
    return _named(row)


def _now() -> datetime:
    return datetime.now(UTC)


def _events(handle: DeltaTable) -> list[dict[str, Any]]:
    schema = read_schema(SNAPSHOTS, SNAPSHOTS.column_names)
    batches = delta.scan(handle, schema, what="table snapshots cannot be read")
    return sorted(
        (row for batch in batches for row in batch.to_pylist()), key=lambda row: int(row["sequence_no"])
    )


def _live(events: Sequence[Mapping[str, Any]]) -> dict[str, NamedSnapshot]:
    """The names that the last event of each leaves alive, in the order in which they were given."""
    found: dict[str, NamedSnapshot] = {}
    for row in events:
        found.pop(row["name"], None)
        if row["event"] == "created":
            found[row["name"]] = _named(row)
    return found


def _named(row: Mapping[str, Any]) -> NamedSnapshot:
    return NamedSnapshot(
        versions={one["table"]: int(one["version"]) for one in row["commits"]},
        rows={one["table"]: int(one["rows"]) for one in row["commits"]},
        hidden=tuple(row["hidden"]),
        **{
            name: row[name]
            for name in ("name", "event_id", "sequence_no", "at", "by", "note", "code_version")
        },
    )
