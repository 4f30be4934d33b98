"""A queue on RabbitMQ: one queue of the broker per priority and lane, read in turns.

``amqp://USER:PASSWORD@HOST[:PORT][/VHOST]?queue=NAME``, ``amqps://`` with TLS.
Options: ``lanes`` (8) per priority, ``type`` (``quorum``, or ``classic`` for
brokers without them), ``heartbeat`` in seconds (20), ``ca`` for certificates.

The broker knows no leases: what was got and not acknowledged belongs to the
connection, and goes back with its end. This adapter keeps leases for it.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from extractor.delivery import PRIORITIES, DeadLetter, Delivery, QueuedJob, QueueStatus
from extractor.errors import QueueError, QueueMessageError
from extractor.queues.amqp_link import Link
from extractor.queues.amqp_message import CODE, DIED_AT, TRIES, body_of, letter_of, tries_of
from extractor.queues.broker_url import parse_broker_url
from extractor.queues.chunks import chunks
from extractor.queues.lanes import MAX_LANES, Turns, deal, home_of, lane_of
from extractor.queues.message import decode, encode

_SHORT_PAUSE_S: Final = 0.05
_LONG_PAUSE_S: Final = 0.5
_CHUNK: Final = 250  # messages that wait for their confirmation at once
_DELAYS_S: Final = (*(2**step for step in range(13)), 16_384, 65_536)
"""The delays that there are: up to 68 minutes by doubling, then 4.5 and 18 hours."""

_NO_LIMIT: Final = 1_000_000  # RabbitMQ 4 gives a message up after 20 deliveries unless told


@dataclass(slots=True, kw_only=True, eq=False)
class _Held:
    """A message that this connection holds: ``tries`` before this one, ``ends`` on the clock of time.monotonic."""

    tag: int
    lane: str
    body: bytes = field(repr=False)
    jobs: tuple[QueuedJob, ...] = field(repr=False)
    tries: int
    ends: float

    def is_of(self, tenants: frozenset[str]) -> bool:
        return any(job.tenant in tenants for job in self.jobs)


class AmqpQueue:
    """Implements :class:`extractor.ports.Queue` with kombu's pyamqp transport."""

    def __init__(self, url: str) -> None:
        options = {"lanes": "8", "type": "quorum", "heartbeat": "20", "ca": ""}
        self._where = parse_broker_url(url, options)
        self._lane_count = self._where.number("lanes", least=1, most=MAX_LANES)
        self._heartbeat_s = self._where.number("heartbeat", least=1, most=3600)
        self._quorum = self._where.one_of("type", "quorum", "classic") == "quorum"
        self._lanes = {
            priority: [f"{self._where.name}.{priority}.{number}" for number in range(self._lane_count)]
            for priority in PRIORITIES
        }
        self._delays = {seconds: f"{self._where.name}.delay.{seconds}" for seconds in _DELAYS_S}
        self._all_lanes = [lane for lanes in self._lanes.values() for lane in lanes]
        self._dead = f"{self._where.name}.dead"
        self._turns = Turns(self._lanes)
        self._link: Link | None = None
        self._held: set[_Held] = set()
        self._aside: list[_Held] = []  # got for tenants that were full
        self._unsure: set[str] = set()  # lanes with acknowledgements since a message was got

    def __repr__(self) -> str:
        return f"AmqpQueue({self._where.name!r})"

    def put(self, jobs: Iterable[QueuedJob]) -> int:
        """As the port says; RabbitMQ does not know which job_ids wait already: all are added."""
        added = 0
        for chunk in chunks(jobs, count=_CHUNK):
            bodies = [encode(job) for job in chunk]  # which checks them, before any is sent
            with self._using() as link:
                for job, body in zip(chunk, bodies, strict=True):
                    link.publish(body, to=lane_of(job, self._lanes), headers={TRIES: 0})
                link.settle()
            added += len(bodies)
        return added

    def receive_batch(
        self, limit: int, *, lease_s: float, wait_s: float = 0.0, full_tenants: Collection[str] = ()
    ) -> list[Delivery]:
        until, pause_s = time.monotonic() + wait_s, _SHORT_PAUSE_S
        with self._using() as link:
            self._give_back_expired(link)
            while True:
                deliveries = self._sweep(link, limit, lease_s, frozenset(full_tenants))
                self._tell_leases(link)
                left = until - time.monotonic()
                if deliveries or left <= 0:
                    return deliveries
                time.sleep(min(pause_s, left))
                pause_s = min(2 * pause_s, _LONG_PAUSE_S)

    def extend(self, deliveries: Sequence[Delivery], *, lease_s: float) -> list[Delivery]:
        """As the port says; when the connection broke, all that was held on it is lost."""
        if self._link is not None and deliveries:
            try:
                self._link.sync()
            except QueueError:
                self._drop()
        lost: list[Delivery] = []
        for delivery in deliveries:
            if delivery.receipt in self._held:
                delivery.receipt.ends = time.monotonic() + lease_s
            else:
                lost.append(delivery)
        self._tell_leases(self._link)
        return lost

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        mine = [held for held in dict.fromkeys(one.receipt for one in deliveries) if held in self._held]
        if mine:
            with self._using() as link:
                self._release(link, mine)

    def nack(self, delivery: Delivery, *, delay_s: float, code: str, counted: bool = True) -> None:  # noqa: ARG002  # the code is for logs and metrics of the caller
        """As the port says; delays are rounded up to the next that there is: see ``_DELAYS_S``."""
        held: _Held = delivery.receipt
        if held in self._held:
            with self._using() as link:
                self._send_again(link, held, tries=held.tries + int(counted), delay_s=delay_s)
                self._release(link, [held])

    def dead(self, delivery: Delivery, *, code: str) -> None:
        held: _Held = delivery.receipt
        if held in self._held:
            with self._using() as link:
                self._bury(link, held, code)

    def status(self) -> QueueStatus:
        with self._using() as link:
            return QueueStatus(
                ready=sum(link.count(lane) for lane in self._all_lanes),
                delayed=sum(link.count(queue) for queue in self._delays.values()),
                leased=None,
                dead=link.count(self._dead),
            )

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """As the port says; RabbitMQ has to hand out all of them to find the newest."""
        with self._using() as link, link.browse(self._dead) as letters:
            found = (letter_of(message) for message in letters)
            return heapq.nlargest(limit, found, key=lambda letter: letter.died_at)

    def retry_dead(self, *, code: str | None = None) -> int:
        moved = 0
        with self._using() as link, link.browse(self._dead) as letters:
            wanted = (one for one in letters if code is None or letter_of(one).code == code)
            for portion in chunks(wanted, count=_CHUNK):
                for message in portion:
                    link.publish(
                        body_of(message), to=home_of(body_of(message), self._lanes), headers={TRIES: 0}
                    )
                link.settle()
                letters.ack([message.delivery_tag for message in portion])
                moved += len(portion)
        return moved

    def purge(self, *, dead: bool = False) -> int:
        with self._using() as link:
            if dead:
                return link.purge(self._dead)
            gone = len(self._aside)
            self._release(link, self._aside)
            return gone + sum(link.purge(queue) for queue in (*self._all_lanes, *self._delays.values()))

    def close(self) -> None:
        """Let go of the connection: RabbitMQ gives what is held on it to others at once."""
        if self._link is not None:
            # A connection that broke has nothing left to give back
            with suppress(QueueError):
                self._make_sure(self._link)
                self._give_back(self._link, self._aside)
                self._link.close()
        self._drop()

    @contextmanager
    def _using(self) -> Iterator[Link]:
        """The connection, opened if need be; after any error it is dropped and with it all that is held."""
        try:
            if self._link is None:
                self._link = Link(self._where, heartbeat_s=self._heartbeat_s)
                self._declare(self._link)
            yield self._link
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        self._held.clear()
        self._aside.clear()
        self._unsure.clear()
        if self._link is not None:
            self._link.drop()
        self._link = None

    def _declare(self, link: Link) -> None:
        kind = {"x-queue-type": "quorum" if self._quorum else "classic"}
        # An empty queue that keeps the number of lanes: the broker refuses whoever counts otherwise, and
        # would read lanes that nobody fills
        link.declare(
            f"{self._where.name}.lanes", {"x-queue-type": "classic", "x-max-length": self._lane_count}
        )
        link.declare(self._dead, {**kind, **self._endless()})
        for lane in self._all_lanes:
            # Whatever makes the broker itself give up a message, it becomes a dead letter
            to_dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": self._dead}
            link.declare(lane, {**kind, **self._endless(), **to_dead})

        # A delay is a queue that nobody reads: what has waited its time there goes on to its lane. It never
        # expires, as an unused queue may: what it held would go with it
        surely = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
        for seconds, queue in self._delays.items():
            times = {"x-message-ttl": seconds * 1000, "x-dead-letter-exchange": ""}
            link.declare(queue, {**kind, **times, **(surely if self._quorum else {})}, fanout=queue)

    def _endless(self) -> Mapping[str, Any]:
        return {"x-delivery-limit": _NO_LIMIT} if self._quorum else {}

    def _sweep(self, link: Link, limit: int, lease_s: float, full: frozenset[str]) -> list[Delivery]:
        found: list[Delivery] = []
        for priority in PRIORITIES:
            if len(found) >= limit:
                break
            stock = {lane: self._in_stock(link, lane, full) for lane in self._turns.order(priority)}
            while dealt := deal(stock, limit - len(found)):
                portions = {}
                for lane, count in Counter(dealt).items():
                    portions[lane] = self._taken(link, lane, count, lease_s, full)
                    stock[lane] -= count
                for lane in dealt:
                    if portions[lane]:
                        held = portions[lane].popleft()
                        held.ends = time.monotonic() + lease_s
                        self._held.add(held)
                        found.append(Delivery(jobs=held.jobs, attempt=held.tries + 1, receipt=held))
                        self._turns.served(priority, lane)
        return found

    def _in_stock(self, link: Link, lane: str, full: frozenset[str]) -> int:
        """How many messages a lane may give: asking that is cheap, and a quorum queue syncs its disk to say no."""
        aside = [held.is_of(full) for held in self._aside if held.lane == lane]
        # Behind a message of a full tenant there may be as many more: no more are got while one waits here
        return aside.count(False) + (0 if True in aside else link.count(lane))

    def _taken(self, link: Link, lane: str, count: int, lease_s: float, full: frozenset[str]) -> deque[_Held]:
        """Messages of a lane, those first that were put aside; those of full tenants are put aside."""
        usable = [held for held in self._aside if held.lane == lane and not held.is_of(full)][:count]
        self._aside = [held for held in self._aside if held not in usable]
        taken = deque(usable)
        if len(taken) < count:
            for message in link.take(lane, count - len(taken)):
                held = self._understood(link, lane, message)
                if held is None:
                    continue
                if held.is_of(full):
                    held.ends = time.monotonic() + lease_s
                    self._aside.append(held)
                else:
                    taken.append(held)
        return taken

    def _understood(self, link: Link, lane: str, message: Any) -> _Held | None:
        """A message that was got; None when it went to the dead letters or back."""
        body = body_of(message)
        held = _Held(
            tag=message.delivery_tag, lane=lane, body=body, jobs=(), tries=tries_of(message), ends=0.0
        )
        if not self._quorum and message.delivery_info.get("redelivered"):
            # A classic queue tells only that it was tried before; written down, no message is tried for ever
            self._send_again(link, held, tries=held.tries + 1)
            self._release(link, [held])
            return None
        try:
            held.jobs = decode(body)
        except QueueMessageError as error:
            self._bury(link, held, error.code)
            return None
        return held

    def _give_back_expired(self, link: Link) -> None:
        now = time.monotonic()
        for held in [one for one in self._held if one.ends <= now]:
            link.requeue(held.tag)
            self._held.discard(held)
        self._give_back(link, [one for one in self._aside if one.ends <= now])

    def _give_back(self, link: Link, ones: Sequence[_Held]) -> None:
        """Messages that were got and not delivered go to the end of their lane: that is no try."""
        for held in ones:
            self._send_again(link, held, tries=held.tries)
        self._release(link, ones)

    def _make_sure(self, link: Link) -> None:
        """Wait until the broker has done what was acknowledged.

        A quorum queue forgets some of many acknowledgements when the channel is
        closed at once (rabbitmq-server issue 10327). It gives a message only when
        it has done all that came before; the first time it may have kept some back.
        """
        for lane in [*self._unsure] * 2 if self._quorum else ():
            for message in link.take(lane, 1):
                held = self._understood(link, lane, message)
                self._give_back(link, [] if held is None else [held])
        self._unsure.clear()

    def _send_again(self, link: Link, held: _Held, *, tries: int, delay_s: float = 0.0) -> None:
        step = next((seconds for seconds in _DELAYS_S if seconds >= delay_s), _DELAYS_S[-1])
        through = self._delays[step] if delay_s > 0 else ""
        link.publish(held.body, to=held.lane, headers={TRIES: tries}, through=through)
        link.settle()

    def _bury(self, link: Link, held: _Held, code: str) -> None:
        headers = {TRIES: held.tries + 1, CODE: code, DIED_AT: datetime.now(UTC).isoformat()}
        link.publish(held.body, to=self._dead, headers=headers)
        link.settle()
        self._release(link, [held])

    def _release(self, link: Link, ones: Sequence[_Held]) -> None:
        """Acknowledge messages that this connection holds, and forget them."""
        for held in ones:
            self._held.discard(held)
        self._aside = [held for held in self._aside if held not in ones]
        link.ack([held.tag for held in ones])
        self._unsure |= {held.lane for held in ones}
        self._tell_leases(link)

    def _tell_leases(self, link: Link | None) -> None:
        if link is not None:
            link.leased_until = max((one.ends for one in (*self._held, *self._aside)), default=None)
