"""A queue on Redis: leases by the server's clock, every step one script.

``redis://[USER:PASSWORD@]HOST[:PORT][/DB]?queue=NAME``, ``rediss://`` with TLS;
``cluster=true`` for a Redis Cluster, ``ca=PATH`` for certificates of your own.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import AuthenticationError, AuthorizationError, RedisError, ResponseError
from redis.retry import Retry

from extractor.delivery import PRIORITIES, DeadLetter, Delivery, QueuedJob, QueueStatus
from extractor.errors import ConfigError, QueueMessageError
from extractor.queues import redis_scripts as scripts
from extractor.queues.broker_url import BrokerUrl, failure, parse_broker_url
from extractor.queues.chunks import chunks
from extractor.queues.message import decode, encode

_ANSWER_S: Final = 30.0
_CONNECT_S: Final = 10.0
_POLL_S: Final = 0.1
_CHUNK: Final = 250  # messages a script handles at once: a few milliseconds of the server

_PASSING_KINDS: Final = frozenset(
    {"OutOfMemoryError", "ReadOnlyError", "MasterDownError", "ClusterDownError", "TryAgainError"}
)
_PASSING_TEXTS: Final = ("OOM", "MISCONF", "NOREPLICAS", "BUSY", "UNKILLABLE")
"""Refusals that end when the server is mended: no memory, no disk, no master."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A message under lease: whoever knows the token of its hash holds it."""

    message_id: str
    token: str


class RedisQueue:
    """Implements :class:`extractor.ports.Queue` with redis-py.

    Nothing is tried twice behind the caller's back; a connection that died is
    opened anew by the next call.
    """

    def __init__(self, url: str) -> None:
        where = parse_broker_url(url, {"cluster": "false", "ca": ""})
        self._name = where.name
        self._base = f"{{extractor:{self._name}}}:"
        with _translated():
            self._client = _client(where)
        self._scripts: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"RedisQueue({self._name!r})"

    def put(self, jobs: Iterable[QueuedJob]) -> int:
        """As the port says; a job_id that waits, is delayed or leased is left out."""
        added = 0
        for chunk in chunks(jobs, count=_CHUNK):
            arguments: list[Any] = []
            for job in chunk:
                body = encode(job)  # which checks it
                at_ms = round(job.enqueued_at.timestamp() * 1000)
                arguments += (job.job_id, PRIORITIES.index(job.priority), job.tenant, at_ms, body)
            added += self._run(scripts.PUT, *arguments)
        return added

    def receive_batch(
        self, limit: int, *, lease_s: float, wait_s: float = 0.0, full_tenants: Collection[str] = ()
    ) -> list[Delivery]:
        until = time.monotonic() + wait_s
        while limit > 0:
            token = uuid4().hex
            taken = self._run(scripts.RECEIVE, limit, _ms(lease_s), token, *sorted(full_tenants))
            deliveries = [one for row in taken if (one := self._delivery(row, token)) is not None]
            left = until - time.monotonic()
            # Without deliveries but with rows, all were damaged: there may be more behind them
            if deliveries or (not taken and left <= 0):
                return deliveries
            if not taken:
                time.sleep(min(_POLL_S, left))
        return []

    def extend(self, deliveries: Sequence[Delivery], *, lease_s: float) -> list[Delivery]:
        lost: list[Delivery] = []
        for chunk in chunks(deliveries, count=_CHUNK):
            places = self._run(scripts.EXTEND, _ms(lease_s), *_held(chunk))
            lost += (chunk[place] for place in places)
        return lost

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        for chunk in chunks(deliveries, count=_CHUNK):
            self._run(scripts.ACK, *_held(chunk))

    def nack(self, delivery: Delivery, *, delay_s: float, code: str, counted: bool = True) -> None:  # noqa: ARG002  # the code is for logs and metrics of the caller
        self._run(scripts.NACK, *_held([delivery]), _ms(delay_s), int(counted))

    def dead(self, delivery: Delivery, *, code: str) -> None:
        self._run(scripts.DEAD, *_held([delivery]), code)

    def status(self) -> QueueStatus:
        delayed, leased, dead, age_ms, tenants = self._run(scripts.STATUS)
        ready: dict[str, int] = {}
        for tenant, count in tenants:
            ready[tenant.decode()] = ready.get(tenant.decode(), 0) + count
        return QueueStatus(
            ready=sum(ready.values()),
            delayed=delayed,
            leased=leased,
            dead=dead,
            oldest_s=None if age_ms < 0 else age_ms / 1000,
            tenants=ready,
        )

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        return [
            DeadLetter(
                job_id=job_id.decode(),
                tenant=tenant.decode(),
                priority=PRIORITIES[int(rank)],
                code=code.decode(),
                attempts=int(tries),
                died_at=datetime.fromtimestamp(int(died_ms) / 1000, UTC),
            )
            for job_id, tenant, rank, code, tries, died_ms in self._run(scripts.LETTERS, limit)
        ]

    def retry_dead(self, *, code: str | None = None) -> int:
        """As the port says; a letter whose job_id waits already is forgotten and not counted."""
        with _translated():
            newest = self._client.zrange(f"{self._base}dead", -1, -1)
        looked_at, after, moved = 1, "-inf", 0
        while newest and looked_at:
            looked_at, after, added = self._run(scripts.RETRY, code or "", after, newest[0])
            moved += added
        return moved

    def purge(self, *, dead: bool = False) -> int:
        gone = 0
        while found := self._run(scripts.PURGE_DEAD if dead else scripts.PURGE):
            gone += found
        return gone

    def close(self) -> None:
        with _translated():
            self._client.close()

    def _delivery(self, row: Sequence[Any], token: str) -> Delivery | None:
        message_id, tries, body = row[0].decode(), int(row[1]), row[2]
        held = _Held(message_id=message_id, token=token)
        try:
            return Delivery(jobs=decode(body), attempt=tries, receipt=held)
        except QueueMessageError as error:
            self._run(scripts.DEAD, message_id, token, error.code)
            return None

    def _run(self, script: str, *arguments: Any) -> Any:
        with _translated():
            known = self._scripts.setdefault(script, self._client.register_script(script))
            return known(keys=[self._base], args=arguments)


def _client(where: BrokerUrl) -> Any:
    database = where.path or "0"
    if not database.isascii() or not database.isdigit():
        raise ConfigError("the path of a Redis URL is the number of a database")
    settings: dict[str, Any] = {
        "host": where.host or "127.0.0.1",
        "port": where.port or 6379,
        "username": where.user or None,
        "password": where.password,
        "socket_timeout": _ANSWER_S,
        "socket_connect_timeout": _CONNECT_S,
        "socket_keepalive": True,
        "health_check_interval": 30,
    }
    if where.scheme == "rediss":
        settings |= {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
        if where.options["ca"]:
            settings["ssl_ca_certs"] = where.options["ca"]
    if where.one_of("cluster", "true", "false") == "true":
        return RedisCluster(**settings)
    settings |= {"db": int(database), "retry": Retry(NoBackoff(), 0)}
    return redis.Redis(**settings)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (AuthenticationError, AuthorizationError) as error:
        raise failure("Redis", error, retryable=False) from error
    except ResponseError as error:
        raise failure("Redis", error, retryable=_passes(error)) from error
    except (RedisError, OSError) as error:
        raise failure("Redis", error, retryable=True) from error


def _passes(error: ResponseError) -> bool:
    return type(error).__name__ in _PASSING_KINDS or str(error).startswith(_PASSING_TEXTS)


def _held(deliveries: Iterable[Delivery]) -> list[str]:
    return [part for one in deliveries for part in (one.receipt.message_id, one.receipt.token)]


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
