"""What travels through a queue: jobs, their deliveries, and what a queue can tell about itself.

An address may hold names of people: it is never part of a log line, a metric
or an error. ``job_id`` is what everybody speaks of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Priority = Literal["urgent", "normal", "backfill"]

PRIORITIES: tuple[Priority, ...] = ("urgent", "normal", "backfill")
"""From first to last: somebody waits for it; ordinary work; what may take weeks."""

DEFAULT_TENANT = "default"

JobKind = Literal["extract", "reprocess"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedJob:
    """A piece of work as it stands in a queue.

    ``extract``: the document at ``address`` (absolute path or object-store URI).
    ``reprocess``: the documents ``doc_ids`` of the lake, from their stored text.
    ``entry`` is what the sender knows about the document's governance, by
    manifest column; the receiver checks it against its own policy.
    """

    job_id: str
    kind: JobKind = "extract"
    address: str = field(default="", repr=False)
    doc_ids: tuple[str, ...] = ()
    byte_count: int | None = None
    tenant: str = DEFAULT_TENANT
    priority: Priority = "normal"
    entry: Mapping[str, str] = field(default_factory=dict, repr=False)
    enqueued_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message held under a lease: its jobs, and how often it was tried.

    ``attempt`` counts from 1 and includes this delivery. ``jobs`` is empty for a
    message that asks for nothing (an object store's test event); it is
    acknowledged like any other. ``receipt`` belongs to the queue that gave it.
    """

    jobs: tuple[QueuedJob, ...]
    attempt: int
    receipt: Any = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that was given up: why, when, after how many tries."""

    job_id: str
    tenant: str
    priority: str
    code: str
    attempts: int
    died_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """How many messages stand where. A number that the broker cannot tell is None.

    ``ready`` may be taken now, ``delayed`` wait for their next try, ``leased``
    are with a worker, ``dead`` were given up. ``oldest_s`` is the age of the
    oldest ready message in seconds since it was enqueued.
    """

    ready: int
    delayed: int | None
    leased: int | None
    dead: int
    oldest_s: float | None = None
    tenants: Mapping[str, int] = field(default_factory=dict)
    """Ready messages by tenant, where the broker can tell."""
