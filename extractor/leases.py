"""What a worker holds of a queue: leases that are renewed, and answers that outlive a broker's absence."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from extractor.delivery import Delivery
from extractor.errors import QueueError
from extractor.ports import Queue

log = logging.getLogger(__name__)

_RENEWALS = 3
"""A lease is renewed so many times within its own length."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 15.0


@dataclass(slots=True, kw_only=True, eq=False)
class Ticket:
    """One delivery on its way: how many of its jobs are not settled yet, and what is to become of it.

    ``code`` is set when the message is to be given up once the lake says so too;
    ``closed`` when the queue got its answer, or the lease is lost.
    """

    delivery: Delivery
    waiting: int
    code: str | None = None
    closed: bool = False

    @property
    def tenant(self) -> str:
        return self.delivery.jobs[0].tenant if self.delivery.jobs else ""

    @property
    def job_id(self) -> str:
        return self.delivery.jobs[0].job_id if self.delivery.jobs else ""


@dataclass(slots=True, kw_only=True)
class Leases:
    """The deliveries that one worker holds.

    While the broker is away nothing is received, and answers wait in order; a
    lease that ends meanwhile costs a repeated delivery, never a document.
    """

    queue: Queue
    lease_s: float
    held: dict[int, Ticket] = field(default_factory=dict)
    lost: int = 0
    _answers: deque[Callable[[], None]] = field(default_factory=deque)
    _done: list[Ticket] = field(default_factory=list)
    _renewed_s: float = field(default_factory=time.monotonic)
    _failures: int = 0
    _wait_until_s: float = 0.0

    @property
    def reachable(self) -> bool:
        """Whether the broker answered last time."""
        return self._failures == 0

    def tenants(self) -> Counter[str]:
        """How many deliveries of each tenant are held."""
        return Counter(ticket.tenant for ticket in self.held.values())

    def receive(self, limit: int, *, wait_s: float, full_tenants: Collection[str]) -> list[Ticket]:
        """At most ``limit`` more deliveries; none while the broker is away."""
        if time.monotonic() < self._wait_until_s:
            time.sleep(min(wait_s, max(0.0, self._wait_until_s - time.monotonic())))
            return []
        found: list[Delivery] = []

        def ask() -> None:
            found.extend(
                self.queue.receive_batch(
                    limit, lease_s=self.lease_s, wait_s=wait_s, full_tenants=full_tenants
                )
            )

        self._try(ask)
        tickets = [Ticket(delivery=delivery, waiting=len(delivery.jobs)) for delivery in found]
        self.held.update((id(ticket), ticket) for ticket in tickets)
        return tickets

    def settle(self, ticket: Ticket) -> None:
        """One job of a delivery is in the lake; with its last one the delivery is acknowledged, or given up."""
        ticket.waiting -= 1
        if ticket.waiting <= 0 and not ticket.closed:
            self._close(ticket)
            if ticket.code is None:
                self._done.append(ticket)
            else:
                code = ticket.code
                self._answers.append(lambda: self.queue.dead(ticket.delivery, code=code))

    def hand_back(self, ticket: Ticket, *, delay_s: float, code: str, counted: bool) -> None:
        """Let the queue deliver it again after ``delay_s``."""
        if not ticket.closed:
            self._close(ticket)
            self._answers.append(
                lambda: self.queue.nack(ticket.delivery, delay_s=delay_s, code=code, counted=counted)
            )

    def tend(self) -> None:
        """Send what answers wait, and renew leases that are due; to be called every second or so."""
        if time.monotonic() < self._wait_until_s:
            return
        if self._done:
            done, self._done = tuple(self._done), []
            self._answers.append(lambda: self.queue.ack([ticket.delivery for ticket in done]))
        while self._answers:
            if not self._try(self._answers[0]):
                return
            self._answers.popleft()
        now = time.monotonic()
        if self.held and now - self._renewed_s >= self.lease_s / _RENEWALS:
            self._renewed_s = now
            self._try(self._renew)

    def unanswered(self) -> int:
        """Answers that the broker did not get yet."""
        return len(self._done) + len(self._answers)

    def _renew(self) -> None:
        tickets = list(self.held.values())
        lost = self.queue.extend([ticket.delivery for ticket in tickets], lease_s=self.lease_s)
        gone = {id(delivery) for delivery in lost}
        for ticket in tickets:
            if id(ticket.delivery) in gone:
                log.warning("job %s: the lease was lost; another worker will have it", ticket.job_id)
                self._close(ticket)
                self.lost += 1

    def _close(self, ticket: Ticket) -> None:
        ticket.closed = True
        self.held.pop(id(ticket), None)

    def _try(self, call: Callable[[], None]) -> bool:
        """Whether a call to the broker went through; after a failure that may pass, nothing is asked for a while.

        Raises:
            QueueError: waiting cannot help.
        """
        try:
            call()
        except QueueError as error:
            if not error.retryable:
                raise
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self._failures)
            self._failures += 1
            self._wait_until_s = time.monotonic() + pause_s
            log.warning("the queue does not answer (%s), try %d", error.code, self._failures)
            return False
        self._failures = 0
        return True
