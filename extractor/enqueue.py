"""``extractor enqueue``: sources into a queue, each with what is known of its governance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from extractor.delivery import Priority, QueuedJob
from extractor.errors import ConfigError
from extractor.governance.inventory import Entry, Inventory
from extractor.ports import Queue
from extractor.queues.message import job_id_of
from extractor.sources import Source

_STATED = {"manifest", "rule"}


def enqueue(
    sources: Sequence[Source],
    queue: Queue,
    *,
    inventory: Inventory,
    tenant: str,
    priority: Priority,
) -> int:
    """Put every source into the queue; how many were added (where the queue can tell, those that wait already are not).

    Nothing is read: a manifest that names a document by its digest alone must be given to the worker.

    Raises:
        ConfigError: the manifest names documents by digest only.
        QueueError: the broker cannot be reached or refuses; repeating the call adds no document twice to the lake.
    """
    if inventory.by_doc_id and not inventory.by_address:
        raise ConfigError(
            "the manifest names documents by doc_id only: give it to `extractor worker --manifest`"
        )
    return queue.put(_jobs(sources, inventory, tenant, priority))


def _jobs(
    sources: Sequence[Source], inventory: Inventory, tenant: str, priority: Priority
) -> Iterator[QueuedJob]:
    for source in sources:
        entry = inventory.entry(source.address, "")
        yield QueuedJob(
            job_id=job_id_of(source.address, _version(source)),
            address=source.address,
            byte_count=source.byte_count,
            tenant=tenant,
            priority=priority,
            entry=_columns(entry) if entry.source in _STATED else {},
        )


def _version(source: Source) -> str:
    """What changes with the bytes, as far as it can be told without reading them: size and time."""
    if source.store is None:
        with suppress(OSError):
            return f"{source.byte_count}-{Path(source.address).stat().st_mtime_ns}"
    return str(source.byte_count)


def _columns(entry: Entry) -> dict[str, str]:
    """The entry as manifest columns."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in entry.columns().items()
        if value is not None and name != "governance_source"
    }
