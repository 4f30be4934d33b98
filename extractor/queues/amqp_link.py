"""One connection to RabbitMQ: what is published is confirmed, what was got is acknowledged.

Nothing here tries again. An error leaves the link unusable: its owner drops it
and opens another; the broker gives back what was held on it.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from kombu.connection import Connection
from kombu.exceptions import KombuError
from kombu.transport import pyamqp

from extractor.errors import QueueError
from extractor.queues.broker_url import BrokerUrl, failure
from extractor.queues.chunks import chunks

CONNECT_S: Final = 10.0
ANSWER_S: Final = 60.0
"""A broker that is silent for so long does not answer: one that is out of memory or disk, for example."""

_TAKEN_S: Final = 0.1
"""Messages that stand in a queue come at once; after so long without one, others have taken them."""

_LEASE_TICK_S: Final = 0.5
"""How exactly the end of the leases is kept."""

ERRORS: tuple[type[Exception], ...] = (
    KombuError,
    OSError,
    *pyamqp.Transport.connection_errors,
    *pyamqp.Transport.channel_errors,
)
_PRECONDITION: Final = 406
_OTHERWISE: Final = "the queue was made with other options; lanes and type of the URL must be those"
_REFUSALS: Final = frozenset({403, _PRECONDITION, 530})
"""No right to it, it exists with other properties, no such virtual host: waiting does not help."""


class Link:
    """A connection with one channel for messages.

    While the leases of its owner run (``leased_until``, on the clock of
    ``time.monotonic``; None when nothing is held) a thread keeps the connection
    alive, so that a long computation loses no message. When all of them have
    ended the thread cuts the connection, and the broker gives back what was
    held on it. It does so too after one to two heartbeats without a sign of
    life: a machine that is gone.
    """

    def __init__(self, where: BrokerUrl, *, heartbeat_s: int) -> None:
        self.leased_until: float | None = None
        self._waiting: set[int] = set()
        self._published = 0
        self._refused = False
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        with _translated():
            self._broker = _broker(where, heartbeat_s)
            self._raw = self._broker.connection
            self._socket = self._raw.sock
        self._pulse = threading.Thread(target=self._beat, args=(heartbeat_s / 4,), daemon=True)
        self._pulse.start()
        try:
            with self._use():
                # Without it, a broker that accepts and never answers would be waited for without end
                self._socket.settimeout(ANSWER_S)
                self._channel = self._raw.channel()
                self._channel.confirm_select()
                self._channel.events["basic_ack"].add(self._on_confirmed)
                self._channel.events["basic_nack"].add(self._on_refused)
                self._channel.events["basic_return"].add(self._on_returned)
        except QueueError:
            self.drop()
            raise

    def declare(self, queue: str, arguments: Mapping[str, Any], *, fanout: str | None = None) -> None:
        """A durable queue, and if asked for a fanout exchange that leads to it."""
        with self._use():
            self._channel.queue_declare(
                queue, durable=True, exclusive=False, auto_delete=False, arguments=dict(arguments)
            )
            if fanout is not None:
                self._channel.exchange_declare(fanout, "fanout", durable=True, auto_delete=False)
                self._channel.queue_bind(queue, fanout)

    def count(self, queue: str) -> int:
        """How many messages are ready in a queue that exists."""
        with self._use():
            return int(self._channel.queue_declare(queue, passive=True).message_count)

    def publish(self, body: bytes, *, to: str, headers: Mapping[str, Any], through: str = "") -> None:
        """Send a persistent message; it is safe only after :meth:`settle`."""
        with self._use():
            message = self._channel.prepare_message(
                body,
                content_type="application/json",
                headers=dict(headers),
                properties={"delivery_mode": 2},
            )
            self._channel.basic_publish(message, through, to, mandatory=True)
            # Its confirmation cannot have been read yet: that happens before sending and in `settle`
            self._published += 1
            self._waiting.add(self._published)

    def settle(self) -> None:
        """Wait until the broker has everything published so far on its disks.

        Raises:
            QueueError: it refused a message or had no queue for it; which ones it has is not known.
        """
        until = time.monotonic() + ANSWER_S
        with self._use():
            while self._waiting:
                self._raw.drain_events(timeout=max(0.001, until - time.monotonic()))
        if self._refused:
            self._refused = False
            raise QueueError("RabbitMQ did not take a message: a queue is full, gone or without its majority")

    def take(self, queue: str, count: int) -> list[Any]:
        """At most ``count`` messages, held by this link until they are acknowledged.

        Fewer when others were faster: the queue should have so many. Several are
        consumed in one go, for a quorum queue syncs its disk for each that is asked for.
        """
        if count == 1:
            message = self.get(queue)
            return [] if message is None else [message]
        come: list[Any] = []
        take: Callable[[Any], None] = come.append
        with self._use():
            self._channel.basic_qos(0, count, a_global=False)
            consumer = self._channel.basic_consume(queue, callback=take)
            with suppress(TimeoutError):
                while len(come) < count:
                    self._raw.drain_events(timeout=_TAKEN_S)
            self._channel.basic_cancel(consumer)
        return come

    def get(self, queue: str) -> Any | None:
        """The next message of a queue, held as above."""
        with self._use():
            return self._channel.basic_get(queue)

    def ack(self, tags: Iterable[int]) -> None:
        """Done with these of the messages that were got."""
        with self._use():
            for tag in tags:
                self._channel.basic_ack(tag)
            self._sync()

    def requeue(self, tag: int) -> None:
        """Give a message back as one that failed."""
        with self._use():
            self._channel.basic_reject(tag, requeue=True)

    def sync(self) -> None:
        """Return when the broker has read everything that was sent; keeps the connection alive, too."""
        with self._use():
            self._sync()

    def _sync(self) -> None:
        # Without a consumer this changes nothing; what counts is the answer
        self._channel.basic_qos(0, 0, a_global=False)

    def purge(self, queue: str) -> int:
        """Remove the ready messages of a queue; how many."""
        with self._use():
            return int(self._channel.queue_purge(queue) or 0)

    @contextmanager
    def browse(self, queue: str) -> Iterator[Browse]:
        """Look at all messages that are ready now; those not acknowledged go back when the block ends."""
        with self._use():
            channel = self._raw.channel()
            letters = Browse(self._raw, channel, queue, self.count(queue))
            try:
                yield letters
            finally:
                channel.close()
            # A quorum queue takes them back a moment later; whoever asks next shall see them
            until = time.monotonic() + _QUIET_S
            while self.count(queue) < letters.open and time.monotonic() < until:
                time.sleep(0.01)

    def close(self) -> None:
        """Say goodbye; what is held goes back."""
        try:
            with self._use():
                self._broker.release()
        finally:
            self.drop()

    def drop(self) -> None:
        """Close without a word: for a connection that failed."""
        self._stopped.set()
        with self._lock, suppress(*ERRORS):
            self._raw.collect()
        self._pulse.join()

    @contextmanager
    def _use(self) -> Iterator[None]:
        """One thread at a time; the errors of the libraries in our words."""
        with self._lock, _translated():
            # The library would connect again by itself, and forget what was held
            if not self._raw.connected:
                raise ConnectionResetError
            yield

    def _beat(self, every_s: float) -> None:
        last = time.monotonic()
        while not self._stopped.wait(min(every_s, _LEASE_TICK_S)):
            # A thread that holds the lock is talking to the broker anyway
            if not self._lock.acquire(blocking=False):
                continue
            try:
                now = time.monotonic()
                if self._stopped.is_set() or not self._raw.connected:
                    return
                if self.leased_until is not None and self.leased_until <= now:
                    self._socket.shutdown(socket.SHUT_RDWR)
                    return
                if now - last >= every_s:
                    self._raw.send_heartbeat()
                    last = now
            except ERRORS:
                return
            finally:
                self._lock.release()

    def _on_confirmed(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._waiting = {one for one in self._waiting if one > tag}
        else:
            self._waiting.discard(tag)

    def _on_refused(self, tag: int, multiple: bool) -> None:
        self._refused = True
        self._on_confirmed(tag, multiple)

    def _on_returned(self, *_returned: object) -> None:
        # The confirmation follows, although the message is in no queue
        self._refused = True


class Browse:
    """The messages of one queue, each once, in its order; ``open`` counts those seen and not acknowledged."""

    def __init__(self, raw: Any, channel: Any, queue: str, count: int) -> None:
        self._raw = raw
        self._channel = channel
        self._queue = queue
        self._count = count
        self.open = 0
        self._come: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        """Raw messages; ends early when others take them away."""
        if self._count == 0:
            return
        take: Callable[[Any], None] = self._come.append
        consumer = self._channel.basic_consume(self._queue, callback=take)
        seen = 0
        try:
            while seen < self._count:
                if not self._come and not self._more():
                    return
                message = self._come.pop(0)
                seen += 1
                self.open += 1
                yield message
        finally:
            self._channel.basic_cancel(consumer)

    def _more(self) -> bool:
        try:
            self._raw.drain_events(timeout=_QUIET_S)
        except TimeoutError:
            return False
        return True

    def ack(self, tags: Sequence[int]) -> None:
        """These shall not go back."""
        for few in chunks(tags, count=_ACKS_AT_ONCE):
            for tag in few:
                self._channel.basic_ack(tag)
            self.open -= len(few)
            # A quorum queue forgets some of many acknowledgements when the channel is closed at once
            # (rabbitmq-server issue 10327). It gives a message only when it has done all that came before.
            if self._channel.basic_get(self._queue) is not None:
                self.open += 1


_ACKS_AT_ONCE: Final = 16
"""Half of what a quorum queue takes before it lets them wait."""

_QUIET_S: Final = 2.0
"""As above, for looking at all of them."""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ERRORS as error:
        code = getattr(error, "reply_code", None)
        because = _OTHERWISE if code == _PRECONDITION else ""
        raise failure("RabbitMQ", error, retryable=code not in _REFUSALS, because=because) from error


def _broker(where: BrokerUrl, heartbeat_s: int) -> Any:
    open_connection: Any = Connection  # a library without types
    return open_connection(
        hostname=where.host or "127.0.0.1",
        port=where.port or (5671 if where.scheme == "amqps" else 5672),
        userid=where.user or "guest",
        password=where.password or "guest",
        virtual_host=where.path or "/",
        ssl=_tls(where),
        transport=pyamqp.Transport,
        connect_timeout=CONNECT_S,
        heartbeat=heartbeat_s,
        # py-amqp's own second is too short for a network that stumbles
        transport_options={"socket_settings": {socket.TCP_USER_TIMEOUT: heartbeat_s * 1000}},
    )


def _tls(where: BrokerUrl) -> dict[str, Any] | bool:
    if where.scheme != "amqps":
        return False
    return {
        "cert_reqs": ssl.CERT_REQUIRED,
        "ca_certs": where.options["ca"] or None,
        "server_hostname": where.host,
    }
