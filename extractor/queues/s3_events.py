"""What an object store tells about new objects: S3 notifications, plain, through SNS or EventBridge.

S3, MinIO and Ceph send ``Records``; SNS wraps that text into an envelope;
EventBridge has a form of its own. Only created objects ask for work. Test
events, removals, folder markers (``…/``) and names that begin with a dot ask
for nothing, as :mod:`extractor.sources` passes them over in a listing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import unquote_plus

from extractor.delivery import QueuedJob
from extractor.errors import QueueMessageError

JobId = Callable[[str, str], str]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_CREATED = re.compile(r"(s3:)?ObjectCreated:\w+")
_MAX_KEY_BYTES = 1_024  # of S3 itself
_MAX_RECORDS = 1_000


def is_event(raw: Mapping[str, Any]) -> bool:
    """Whether this JSON object has the outline of an event or of an envelope around one."""
    return (
        "Records" in raw
        or "detail-type" in raw
        or raw.get("Event") == "s3:TestEvent"
        or raw.get("Type") == "Notification"
    )


def event_jobs(raw: Mapping[str, Any], *, job_id_of: JobId) -> tuple[QueuedJob, ...]:
    """A job for each object that was created, once; its version is the version id, else the etag.

    Raises:
        QueueMessageError: a field that is needed is missing or malformed, or the event is of another major version.
    """
    if raw.get("Type") == "Notification":
        raw = _unwrapped(raw)
    if raw.get("Event") == "s3:TestEvent":
        return ()
    if "Records" in raw:
        found = _of_records(raw["Records"], job_id_of)
    elif "detail-type" in raw:
        found = _of_bridge(raw, job_id_of)
    else:
        _refuse("the envelope holds no event")
    return tuple({job.job_id: job for job in found}.values())


def _unwrapped(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        inner = json.loads(raw["Message"])
    except (KeyError, TypeError, ValueError, RecursionError):
        _refuse("the envelope's message is not JSON")
    if not isinstance(inner, dict):
        _refuse("the envelope's message is not an object")
    return inner


def _of_records(records: object, job_id_of: JobId) -> Iterator[QueuedJob]:
    if not isinstance(records, list) or len(records) > _MAX_RECORDS:
        _refuse("Records is not a list")
    for record in records:
        if not str(_at(record, "eventSource")).endswith(":s3"):
            _refuse("a record is not of an object store")
        if str(_at(record, "eventVersion")).partition(".")[0] != "2":
            _refuse("a record is of an unknown version")
        if not _CREATED.fullmatch(str(_at(record, "eventName"))):
            continue
        bucket, found = _at(record, "s3", "bucket"), _fields(_at(record, "s3", "object"))
        try:
            # as of a form: S3 and MinIO write '+' for a space and %2B for a plus
            key = unquote_plus(_text(found, "key"), errors="strict")
        except UnicodeDecodeError:
            _refuse("a key is not UTF-8")
        version = found.get("versionId") or found.get("eTag") or found.get("sequencer")
        yield from _jobs(bucket, key, found.get("size"), version, record.get("eventTime"), job_id_of)


def _of_bridge(raw: Mapping[str, Any], job_id_of: JobId) -> Iterator[QueuedJob]:
    if raw.get("source") != "aws.s3":
        _refuse("the event is not of an object store")
    if raw["detail-type"] != "Object Created":
        return
    bucket, found = _at(raw, "detail", "bucket"), _fields(_at(raw, "detail", "object"))
    version = found.get("version-id") or found.get("etag") or found.get("sequencer")
    # EventBridge quotes keys as they are: a plus is a plus
    yield from _jobs(bucket, _text(found, "key"), found.get("size"), version, raw.get("time"), job_id_of)


def _jobs(
    bucket: object, key: str, size: object, version: object, at: object, job_id_of: JobId
) -> Iterator[QueuedJob]:
    name = _text(bucket, "name")
    if not _BUCKET.fullmatch(name):
        _refuse("a bucket's name is malformed")
    try:
        length = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        _refuse("a key is not UTF-8")
    if not 0 < length <= _MAX_KEY_BYTES or "\0" in key:
        _refuse("a key is empty, too long or not text")
    if not isinstance(version, str) or not version:
        _refuse("a record names no version, etag or sequencer")
    if size is not None and (type(size) is not int or not 0 <= size < 2**63):
        _refuse("a size is not a number of bytes")
    if key.endswith("/") or key.rpartition("/")[2].startswith("."):
        return
    address = f"s3://{name}/{key}"
    yield QueuedJob(
        job_id=job_id_of(address, version),
        address=address,
        byte_count=size,
        enqueued_at=utc_of(at) or datetime.now(UTC),  # the store's clock, where it tells
    )


def _at(raw: object, *names: str) -> Any:
    for name in names:
        if not isinstance(raw, dict) or name not in raw:
            _refuse(f"a record has no {name}")
        raw = raw[name]
    return raw


def _fields(raw: object) -> dict[str, Any]:
    if not isinstance(raw, dict):
        _refuse("a record's object is malformed")
    return raw


def _text(raw: object, name: str) -> str:
    value = _at(raw, name)
    if not isinstance(value, str):
        _refuse(f"{name} of a record is not text")
    return value


def utc_of(raw: object) -> datetime | None:
    """A moment written as ISO 8601 with an offset, in UTC; None for anything else."""
    if not isinstance(raw, str) or len(raw) > 40:
        return None
    try:
        moment = datetime.fromisoformat(raw)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _refuse(reason: str) -> NoReturn:
    raise QueueMessageError(f"an event was refused: {reason}") from None
