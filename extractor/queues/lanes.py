"""Tenants over a fixed number of lanes, for brokers whose queues know no tenants.

A lane is a queue of the broker. Every tenant has one lane per priority; several
tenants share one when there are more of them than lanes. Lanes are read in
turns, so that a tenant with a million messages holds up nobody but those who
share its lane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from extractor.delivery import DEFAULT_TENANT, PRIORITIES, Priority, QueuedJob
from extractor.errors import QueueMessageError
from extractor.queues.message import decode

MAX_LANES = 64
"""Per priority. Every lane is asked when there is nothing to do."""


def lane_no(tenant: str, lanes: int) -> int:
    """The lane of a tenant, 0 to ``lanes`` - 1: the same in every process and release."""
    return int.from_bytes(blake2b(tenant.encode(), digest_size=8).digest(), "big") % lanes


def lane_of(job: QueuedJob, lanes: Mapping[Priority, Sequence[str]]) -> str:
    """The lane of a job: that of its tenant among those of its priority."""
    own = lanes[job.priority]
    return own[lane_no(job.tenant, len(own))]


def home_of(body: bytes | str, lanes: Mapping[Priority, Sequence[str]]) -> str:
    """The lane for a message of any kind; what names no job goes where nobody said anything."""
    try:
        jobs = decode(body)
    except QueueMessageError:
        jobs = ()
    normal = lanes["normal"]
    return lane_of(jobs[0], lanes) if jobs else normal[lane_no(DEFAULT_TENANT, len(normal))]


def deal(stock: Mapping[str, int], limit: int) -> list[str]:
    """Whose message comes when: each lane one in turn, in the order given, while it has any; at most ``limit``."""
    left = dict(stock)
    dealt: list[str] = []
    while len(dealt) < limit:
        givers = [lane for lane, count in left.items() if count > 0][: limit - len(dealt)]
        if not givers:
            break
        for lane in givers:
            left[lane] -= 1
        dealt += givers
    return dealt


class Turns:
    """Whose turn it is: of each priority, the lane that was served longest ago comes first."""

    def __init__(self, lanes: Mapping[Priority, Sequence[str]]) -> None:
        self._lanes = {priority: list(lanes[priority]) for priority in PRIORITIES}

    def order(self, priority: Priority) -> list[str]:
        """The lanes of a priority as they should be asked."""
        return list(self._lanes[priority])

    def served(self, priority: Priority, lane: str) -> None:
        """This lane gave something: it comes last from now on."""
        self._lanes[priority].remove(lane)
        self._lanes[priority].append(lane)
