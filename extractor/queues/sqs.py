"""A queue on Amazon SQS: one SQS queue per priority and lane, and one for dead letters.

``sqs://REGION/NAME``; options: ``endpoint`` (the address of a service like
SQS), ``create=false`` where the queues are made by somebody else, ``lanes`` (1)
per priority, ``events``: existing queues, parted by commas, that an object
store notifies. boto3 finds the credentials where it always does.
"""

from __future__ import annotations

import heapq
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import cycle
from typing import Any, Final

from extractor.delivery import PRIORITIES, DeadLetter, Delivery, QueuedJob, QueueStatus
from extractor.errors import ConfigError, QueueMessageError
from extractor.queues.address import NAME
from extractor.queues.broker_url import parse_broker_url
from extractor.queues.chunks import chunks
from extractor.queues.lanes import MAX_LANES, Turns, home_of, lane_of
from extractor.queues.message import decode, encode
from extractor.queues.sqs_client import (
    MAX_BATCH,
    MAX_BYTES,
    MAX_DELAY_S,
    MAX_VISIBILITY_S,
    Outgoing,
    SqsClient,
)

_TRIES: Final = "extractor-tries"
_CODE: Final = "extractor-code"
_DIED_AT: Final = "extractor-died-at"

_CHUNK: Final = 500
_FULL_PAUSE_S: Final = 2
"""How long a message of a tenant that is full is out of sight."""

_LOOK_S: Final = 300.0
_LOOK_AT_MOST: Final = 5_000
"""Dead letters that are looked at in one call: SQS shows them only by handing them out."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Held:
    """A message under lease: ``tries`` before this one; times on the clock of time.monotonic, taken before the call."""

    url: str
    handle: str = field(repr=False)
    body: str = field(repr=False)
    tries: int
    since: float
    ends: float

    @property
    def left_s(self) -> float:
        """For how long SQS lets it be held at most."""
        return self.since + MAX_VISIBILITY_S - time.monotonic()


class SqsQueue:
    """Implements :class:`extractor.ports.Queue` with boto3."""

    def __init__(self, url: str) -> None:
        options = {"endpoint": "", "create": "true", "lanes": "1", "events": ""}
        where = parse_broker_url(url, options)
        self._name = where.path or where.name
        self._events = [one for one in where.options["events"].split(",") if one]
        for name in (self._name, *self._events):
            if not NAME.fullmatch(name) or "." in name:
                raise ConfigError(
                    "the name of an SQS queue is a letter, then at most 39 letters, digits, - or _"
                )
        self._region = where.host
        if not self._region:
            raise ConfigError("the host of an SQS URL is the region: sqs://eu-central-1/NAME")
        self._endpoint = where.options["endpoint"] or None
        self._creates = where.one_of("create", "true", "false") == "true"
        self._lane_count = where.number("lanes", least=1, most=MAX_LANES)
        self._lanes = {
            priority: [
                f"{self._name}-{priority}" + (f"-{number}" if self._lane_count > 1 else "")
                for number in range(self._lane_count)
            ]
            for priority in PRIORITIES
        }
        read = {**self._lanes, "normal": [*self._lanes["normal"], *self._events]}
        self._read = [lane for priority in PRIORITIES for lane in read[priority]]
        self._turns = Turns(read)
        self._long_polls = cycle([(priority, lane) for priority in PRIORITIES for lane in read[priority]])
        self._urls: dict[str, str] = {}
        self._opened: SqsClient | None = None

    def __repr__(self) -> str:
        return f"SqsQueue({self._name!r})"

    def put(self, jobs: Iterable[QueuedJob]) -> int:
        """As the port says; SQS does not know which job_ids wait already: all are added."""
        added = 0
        for chunk in chunks(jobs, count=_CHUNK):
            by_lane: dict[str, list[Outgoing]] = defaultdict(list)
            for job in chunk:
                message = Outgoing(body=encode(job).decode())
                if message.size_bytes > MAX_BYTES:
                    raise QueueMessageError(f"a message is larger than the {MAX_BYTES} bytes that SQS takes")
                by_lane[lane_of(job, self._lanes)].append(message)
            for lane, messages in by_lane.items():
                self._client.send(self._url(lane), messages)
            added += len(chunk)
        return added

    def receive_batch(
        self, limit: int, *, lease_s: float, wait_s: float = 0.0, full_tenants: Collection[str] = ()
    ) -> list[Delivery]:
        """As the port says; order is as SQS has it, and a wait asks one queue after the other for a second."""
        until, full = time.monotonic() + wait_s, frozenset(full_tenants)
        while True:
            found = self._sweep(limit, lease_s, full)
            left = until - time.monotonic()
            if found or left <= 0 or limit <= 0:
                return found
            if left < 1:
                time.sleep(min(left, 0.2))
                continue
            priority, lane = next(self._long_polls)
            found = self._from(lane, limit, lease_s, full, wait_s=1)[0]
            if found:
                self._turns.served(priority, lane)
                return found

    def extend(self, deliveries: Sequence[Delivery], *, lease_s: float) -> list[Delivery]:
        """As the port says; SQS ends every lease twelve hours after the message was received."""
        lost = [one for one in deliveries if not _holds(one.receipt)]
        now = time.monotonic()
        for url, ones in _by_url([one.receipt for one in deliveries if _holds(one.receipt)]):
            seconds = [min(lease_s, held.left_s) for held in ones]
            gone = self._client.hide(url, [held.handle for held in ones], seconds=seconds)
            for place, held in enumerate(ones):
                held.ends = 0.0 if place in gone else now + seconds[place]
        return lost + [one for one in deliveries if one not in lost and not _holds(one.receipt)]

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        self._done([one.receipt for one in deliveries])

    def nack(self, delivery: Delivery, *, delay_s: float, code: str, counted: bool = True) -> None:  # noqa: ARG002  # the code is for logs and metrics of the caller
        """As the port says, in whole seconds; a try that does not count waits fifteen minutes at most.

        SQS counts every delivery, and cannot tell a message that waits for its next
        try from one under lease. So a copy is sent that says how many tries there
        were, delayed by what SQS calls a delay; longer ones than it allows are leases.
        """
        held: _Held = delivery.receipt
        if not _holds(held):
            return
        if counted and not 0 < delay_s <= MAX_DELAY_S:
            self._client.hide(held.url, [held.handle], seconds=[min(delay_s, held.left_s)])
            held.ends = 0.0
        else:
            self._send_again([held], delay_s=delay_s, counted=counted)

    def dead(self, delivery: Delivery, *, code: str) -> None:
        if _holds(delivery.receipt):
            self._bury(delivery.receipt, code)

    def status(self) -> QueueStatus:
        """About: SQS counts on many servers. Delays of more than fifteen minutes are counted as leases."""
        lanes = [self._client.counts(self._url(lane)) for lane in self._read]
        return QueueStatus(
            ready=sum(one.ready for one in lanes),
            delayed=sum(one.delayed for one in lanes),
            leased=sum(one.leased for one in lanes),
            dead=self._client.counts(self._dead_url).ready,
        )

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """As the port says, among the first 5,000 that SQS hands out."""
        letters = list(self._dead_ones())
        self._client.hide(self._dead_url, _handles(letters), seconds=[0.0] * len(letters))
        return heapq.nlargest(limit, map(_letter, letters), key=lambda letter: letter.died_at)

    def retry_dead(self, *, code: str | None = None) -> int:
        moved, others = 0, []
        for portion in chunks(self._dead_ones(), count=MAX_BATCH):
            wanted = [one for one in portion if code is None or _letter(one).code == code]
            others += [one for one in portion if one not in wanted]
            for message in wanted:
                self._client.send(
                    self._url(home_of(message["Body"], self._lanes)), [Outgoing(body=message["Body"])]
                )
            self._client.delete(self._dead_url, _handles(wanted))
            moved += len(wanted)
        self._client.hide(self._dead_url, _handles(others), seconds=[0.0] * len(others))
        return moved

    def purge(self, *, dead: bool = False) -> int:
        """As the port says; what waits for its next try cannot be had and stays."""
        # The call PurgeQueue would take what is leased, too
        gone = 0
        for url in [self._dead_url] if dead else map(self._url, self._read):
            # Only an answer after a wait has asked all of the servers behind a queue
            while found := self._client.receive(url, MAX_BATCH, visibility_s=_LOOK_S, wait_s=1):
                self._client.delete(url, _handles(found))
                gone += len(found)
        return gone

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    @property
    def _client(self) -> SqsClient:
        if self._opened is None:
            self._opened = SqsClient(region=self._region, endpoint=self._endpoint)
        return self._opened

    def _url(self, name: str) -> str:
        if name not in self._urls:
            creates = self._creates and name not in self._events
            self._urls[name] = self._client.queue_url(name, create=creates)
        return self._urls[name]

    @cached_property
    def _dead_url(self) -> str:
        return self._url(f"{self._name}-dead")

    def _sweep(self, limit: int, lease_s: float, full: frozenset[str]) -> list[Delivery]:
        found: list[Delivery] = []
        for priority in PRIORITIES:
            asked = self._turns.order(priority)
            while asked and len(found) < limit:
                # As many of each lane as there would be if all had some
                share = -((len(found) - limit) // len(asked))
                for lane in list(asked):
                    if len(found) >= limit:
                        break
                    wanted = min(share, limit - len(found), MAX_BATCH)
                    deliveries, received = self._from(lane, wanted, lease_s, full)
                    found += deliveries
                    if received < wanted or not deliveries:
                        asked.remove(lane)
                    if deliveries:
                        self._turns.served(priority, lane)
        return found

    def _from(
        self, lane: str, count: int, lease_s: float, full: frozenset[str], *, wait_s: int = 0
    ) -> tuple[list[Delivery], int]:
        """What may be delivered of a lane, and how many messages it gave."""
        url, since = self._url(lane), time.monotonic()
        messages = self._client.receive(url, count, visibility_s=lease_s, wait_s=wait_s)
        deliveries: list[Delivery] = []
        waiting: list[_Held] = []
        for message in messages:
            held = _Held(
                url=url,
                handle=message["ReceiptHandle"],
                body=message["Body"],
                tries=_number(message, _TRIES) + int(message["Attributes"]["ApproximateReceiveCount"]) - 1,
                since=since,
                ends=since + lease_s,
            )
            try:
                jobs = decode(held.body)
            except QueueMessageError as error:
                self._bury(held, error.code)
                continue
            if any(job.tenant in full for job in jobs):
                waiting.append(held)
            else:
                deliveries.append(Delivery(jobs=jobs, attempt=held.tries + 1, receipt=held))
        self._send_again(waiting, delay_s=_FULL_PAUSE_S)
        return deliveries, len(messages)

    def _send_again(self, ones: Sequence[_Held], *, delay_s: float, counted: bool = False) -> None:
        """Copies first, for they may come twice and must not be lost; events go to a lane of ours."""
        delay = min(MAX_DELAY_S, -int(-delay_s // 1))
        for held in ones:
            copy = Outgoing(body=held.body, attributes={_TRIES: held.tries + int(counted)}, delay_s=delay)
            self._client.send(self._url(home_of(held.body, self._lanes)), [copy])
        self._done(ones)

    def _bury(self, held: _Held, code: str) -> None:
        died_at = datetime.now(UTC).isoformat()
        letter = Outgoing(body=held.body, attributes={_TRIES: held.tries + 1, _CODE: code, _DIED_AT: died_at})
        self._client.send(self._dead_url, [letter])
        self._done([held])

    def _done(self, ones: Sequence[_Held]) -> None:
        """Delete what is still held. SQS would delete the rest, too, although somebody else has it."""
        for url, mine in _by_url([held for held in ones if _holds(held)]):
            self._client.delete(url, [held.handle for held in mine])
            for held in mine:
                held.ends = 0.0

    def _dead_ones(self) -> Iterator[Mapping[str, Any]]:
        """Dead letters, each once; hidden from everybody for a while."""
        seen: set[str] = set()
        expected = self._client.counts(self._dead_url).ready
        wait_s = 0
        while len(seen) < min(expected, _LOOK_AT_MOST):
            found = self._client.receive(self._dead_url, MAX_BATCH, visibility_s=_LOOK_S, wait_s=wait_s)
            if not found and wait_s:
                return
            wait_s = 0 if found else 1
            yield from (one for one in found if one["MessageId"] not in seen)
            seen.update(one["MessageId"] for one in found)


def _holds(held: _Held) -> bool:
    return time.monotonic() < held.ends


def _by_url(ones: Sequence[_Held]) -> Iterator[tuple[str, list[_Held]]]:
    grouped: dict[str, list[_Held]] = defaultdict(list)
    for held in dict.fromkeys(ones):
        grouped[held.url].append(held)
    yield from grouped.items()


def _handles(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    return [message["ReceiptHandle"] for message in messages]


def _text(message: Mapping[str, Any], name: str) -> str:
    return str(message.get("MessageAttributes", {}).get(name, {}).get("StringValue", ""))


def _number(message: Mapping[str, Any], name: str) -> int:
    raw = _text(message, name)
    return int(raw) if raw.isascii() and raw.isdigit() else 0


def _letter(message: Mapping[str, Any]) -> DeadLetter:
    try:
        jobs = decode(message["Body"])
    except QueueMessageError:
        jobs = ()
    first = jobs[0] if jobs else QueuedJob(job_id="")
    try:
        died_at = datetime.fromisoformat(_text(message, _DIED_AT))
    except ValueError:
        died_at = datetime.fromtimestamp(0, UTC)
    return DeadLetter(
        job_id=first.job_id,
        tenant=first.tenant,
        priority=first.priority,
        code=_text(message, _CODE) or "queue.failed",
        attempts=_number(message, _TRIES),
        died_at=died_at,
    )
