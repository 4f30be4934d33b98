"""What stands beside the body of a message on RabbitMQ: its tries, and why and when it died."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from extractor.delivery import DeadLetter, QueuedJob
from extractor.errors import QueueMessageError
from extractor.queues.message import decode

TRIES: Final = "x-extractor-tries"
CODE: Final = "x-extractor-code"
DIED_AT: Final = "x-extractor-died-at"


def body_of(message: Any) -> bytes:
    """As it was sent; the library decodes those that name an encoding."""
    body: bytes | str = message.body
    return body.encode() if isinstance(body, str) else body


def _headers(message: Any) -> Mapping[str, Any]:
    return message.properties.get("application_headers") or {}


def _number(raw: object) -> int:
    return raw if type(raw) is int and raw > 0 else 0


def tries_of(message: Any) -> int:
    """Tries before this one: those that were written down, and those that ended without a word since.

    Before RabbitMQ 4.3 x-delivery-count counts every delivery; since then x-acquired-count does, and
    x-delivery-count those that failed.
    """
    headers = _headers(message)
    silent = max(_number(headers.get("x-delivery-count")), _number(headers.get("x-acquired-count")))
    return _number(headers.get(TRIES)) + silent


def letter_of(message: Any) -> DeadLetter:
    """What a message of the dead letters tells."""
    headers = _headers(message)
    try:
        jobs = decode(body_of(message))
    except QueueMessageError:
        jobs = ()
    first = jobs[0] if jobs else QueuedJob(job_id="")
    code, died = headers.get(CODE), headers.get(DIED_AT)
    if not isinstance(code, str):
        # The broker itself gave it up: delivery_limit, rejected, maxlen
        code = f"queue.{headers.get('x-first-death-reason', 'failed')}"
    return DeadLetter(
        job_id=first.job_id,
        tenant=first.tenant,
        priority=first.priority,
        code=code,
        attempts=_number(headers.get(TRIES)),
        died_at=_moment(died),
    )


def _moment(raw: object) -> datetime:
    try:
        return datetime.fromisoformat(raw if isinstance(raw, str) else "")
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
