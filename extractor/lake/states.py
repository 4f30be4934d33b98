"""States of a lake by name, by time or by version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from extractor.errors import ConfigError, LakeError
from extractor.lake.ledger import unfinished
from extractor.lake.snapshots import NAME
from extractor.lake.store import Lake, Pin
from extractor.tables.catalogue import table_named

_VERSIONS = re.compile(r"[a-z_]+@[0-9]+(,[a-z_]+@[0-9]+)*")


def state(lake: Lake, said: str) -> Lake:
    """The lake as somebody names a state of it.

    ``now``; the name of a snapshot; a time in ISO 8601 (UTC unless it says
    otherwise); or versions of single tables, ``entities@12,relations@5``, where
    nothing is hidden that a writer was at then.

    Raises:
        ConfigError: it is none of these.
        LakeError: there is no such snapshot, or the lake is younger than that time.
    """
    lake.require()
    if said == "now":
        return lake.now
    if _VERSIONS.fullmatch(said):
        pairs = (one.split("@") for one in said.split(","))
        return lake.pinned(Pin(versions={table_named(name).name: int(version) for name, version in pairs}))
    when = _time(said)
    try:
        return lake.at(said) if NAME.fullmatch(said) else lake.pinned(pin_at(lake, _required(when)))
    except LakeError as error:
        if when is None or error.code != "lake.no_snapshot":
            raise
    return lake.pinned(pin_at(lake, when))


def pin_at(lake: Lake, when: datetime) -> Pin:
    """The moment after the last row that the ledger got until a time, by the clocks of its writers.

    Tables are as the batches left them that were complete then; documents of
    those that were not are hidden. Tables that no batch writes are as maintenance
    last left them.

    Raises:
        LakeError: the lake held nothing then.
    """
    until = -1
    complete: list[tuple[int, Mapping[str, int]]] = []
    columns = ["state", "sequence_no", "committed_at", "commits"]
    for batch in lake.now.iter_batches("ledger", columns=columns):
        for row in batch.to_pylist():
            if row["committed_at"] <= when:
                until = max(until, row["sequence_no"])
            if row["state"] == "complete":
                commits = {one["table"]: int(one["version"]) for one in row["commits"]}
                complete.append((row["sequence_no"], commits))
    if until < 0:
        raise LakeError(
            "the lake held nothing at that time", code="lake.no_state", hint="You: name a later time."
        )
    versions: dict[str, int] = {"ledger": until}
    for sequence_no, found in complete:
        if sequence_no <= until:
            for table, version in found.items():
                if table != "ledger":  # maintenance records its own, which is older than its row
                    versions[table] = max(version, versions.get(table, -1))
    ledger_then = lake.pinned(Pin(versions={"ledger": until}))
    return Pin(versions=versions, hidden=unfinished(ledger_then).doc_ids)


def _time(said: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(said)
    except ValueError:
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when


def _required(when: datetime | None) -> datetime:
    if when is None:
        raise ConfigError(
            "this names no state of the lake",
            hint="You: give the name of a snapshot, a time such as 2026-05-17T08:30:00, 'now', or table@version.",
        )
    return when
