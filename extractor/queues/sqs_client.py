"""The calls to Amazon SQS that a queue needs, ten messages at a time; errors in our words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError as BotoConnectionError,
    HTTPClientError,
)

from extractor.errors import QueueError
from extractor.queues.broker_url import failure
from extractor.queues.chunks import chunks

MAX_BATCH: Final = 10
MAX_BYTES: Final = 262_144
MAX_VISIBILITY_S: Final = 43_200
"""A message may be held for twelve hours in all."""

MAX_DELAY_S: Final = 900
MAX_WAIT_S: Final = 20

_RETENTION_S: Final = 1_209_600  # fourteen days: the most that there is
_OVERHEAD_BYTES: Final = 512  # for the attributes of a message, which count as its size

_ABSENT: Final = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
_THROTTLED: Final = frozenset(
    {"ThrottlingException", "Throttling", "RequestThrottled", "OverLimit", "KmsThrottled", "RequestTimeout"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to send: its text, what stands beside it, and for how long nobody shall see it."""

    body: str = field(repr=False)
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    delay_s: int = 0

    @property
    def size_bytes(self) -> int:
        return len(self.body.encode()) + _OVERHEAD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Messages that may be received, that are delayed, and that somebody holds."""

    ready: int
    delayed: int
    leased: int


class SqsClient:
    """Implements the calls with boto3, which finds the credentials and tries again a few times."""

    def __init__(self, *, region: str, endpoint: str | None) -> None:
        settings = Config(
            connect_timeout=10,
            read_timeout=MAX_WAIT_S + 15,
            retries={"mode": "standard", "max_attempts": 3},
            user_agent_extra="lifescience-extractor",
        )
        with _translated():
            self._client = boto3.session.Session().client(
                "sqs", region_name=region, endpoint_url=endpoint, config=settings
            )

    def queue_url(self, name: str, *, create: bool) -> str:
        """Where a queue is; it is made when it is absent and ``create`` says so."""
        with _translated():
            try:
                return str(self._client.get_queue_url(QueueName=name)["QueueUrl"])
            except ClientError as error:
                if not create or _code(error) not in _ABSENT:
                    raise
            attributes = {"MessageRetentionPeriod": str(_RETENTION_S)}
            return str(self._client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def send(self, url: str, messages: Sequence[Outgoing]) -> None:
        """Send messages; when this returns, all of them are safe.

        Raises:
            QueueError: some were refused; which ones were sent is not known.
        """
        for portion in chunks(messages, count=MAX_BATCH, total=MAX_BYTES, size=lambda one: one.size_bytes):
            entries = [
                {
                    "Id": str(place),
                    "MessageBody": one.body,
                    "DelaySeconds": one.delay_s,
                    "MessageAttributes": {
                        name: {"DataType": "String", "StringValue": str(value)}
                        for name, value in one.attributes.items()
                    },
                }
                for place, one in enumerate(portion)
            ]
            with _translated():
                answer = self._client.send_message_batch(QueueUrl=url, Entries=entries)
            for failed in answer.get("Failed", ()):
                raise _refused(failed)

    def receive(
        self, url: str, count: int, *, visibility_s: float, wait_s: int = 0
    ) -> list[Mapping[str, Any]]:
        """At most ten messages, unseen by others for so long."""
        with _translated():
            answer = self._client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(MAX_BATCH, count),
                VisibilityTimeout=_seconds(visibility_s, MAX_VISIBILITY_S),
                WaitTimeSeconds=wait_s,
                AttributeNames=["ApproximateReceiveCount"],
                MessageAttributeNames=["All"],
            )
        found: list[Mapping[str, Any]] = answer.get("Messages", [])
        return found

    def hide(self, url: str, handles: Sequence[str], *, seconds: Sequence[float]) -> set[int]:
        """Let nobody see each for so long from now; the places of those that are held no longer."""

        def entry(place: int) -> Mapping[str, Any]:
            visible_in = _seconds(seconds[place], MAX_VISIBILITY_S)
            return {"ReceiptHandle": handles[place], "VisibilityTimeout": visible_in}

        return self._each(self._client.change_message_visibility_batch, url, len(handles), entry)

    def delete(self, url: str, handles: Sequence[str]) -> None:
        """Done with these; one that is held no longer is left alone."""
        self._each(
            self._client.delete_message_batch,
            url,
            len(handles),
            lambda place: {"ReceiptHandle": handles[place]},
        )

    def counts(self, url: str) -> Counts:
        """About how many messages of a queue stand where."""
        names = {
            "ready": "ApproximateNumberOfMessages",
            "delayed": "ApproximateNumberOfMessagesDelayed",
            "leased": "ApproximateNumberOfMessagesNotVisible",
        }
        with _translated():
            answer = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=list(names.values()))
        return Counts(**{state: int(answer["Attributes"][name]) for state, name in names.items()})

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    @staticmethod
    def _each(
        call: Callable[..., Any], url: str, count: int, entry: Callable[[int], Mapping[str, Any]]
    ) -> set[int]:
        lost: set[int] = set()
        for places in chunks(range(count), count=MAX_BATCH):
            entries = [{"Id": str(place), **entry(place)} for place in places]
            with _translated():
                answer = call(QueueUrl=url, Entries=entries)
            for failed in answer.get("Failed", ()):
                if not failed.get("SenderFault"):
                    raise _refused(failed)
                lost.add(int(failed["Id"]))
        return lost


def _seconds(seconds: float, most: int) -> int:
    """Whole seconds, never fewer than asked unless SQS forbids so many."""
    return max(0, min(most, math.ceil(seconds)))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(failed: Mapping[str, Any]) -> QueueError:
    refusal = ClientError({"Error": {"Code": str(failed.get("Code", ""))}}, "batch")
    retryable = not failed.get("SenderFault")
    return failure("SQS", refusal, retryable=retryable, because=f"code {_code(refusal)}")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = _code(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        retryable = status >= 500 or code in _THROTTLED
        raise failure("SQS", error, retryable=retryable, because=f"code {code}") from error
    except (BotoConnectionError, HTTPClientError, OSError) as error:
        raise failure("SQS", error, retryable=True) from error
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no address
        raise failure("SQS", error, retryable=False) from error
