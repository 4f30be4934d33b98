"""A job as bytes, and back: JSON with a version, small enough for every broker.

A message is one object with exactly the fields of :class:`QueuedJob`, beside
``format`` and ``version``. What is not understood completely is refused: a
field nobody knows may be one that changes what must be done. Refusals name the
field and never quote the message, which may hold names of people.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn, get_args

from extractor.delivery import PRIORITIES, JobKind, QueuedJob
from extractor.errors import QueueMessageError
from extractor.queues.s3_events import event_jobs, is_event, utc_of

FORMAT = "extractor.job"
VERSION = 1

KINDS: tuple[JobKind, ...] = get_args(JobKind)

MAX_BODY_BYTES = 262_144
"""256 KiB: the least that the brokers take (SQS for most of its life)."""

MAX_ADDRESS_CHARS = 8_192
MAX_DOC_IDS = 3_000
"""So many sha256 digests fit into the largest body."""

MAX_ENTRY_FIELDS = 64
MAX_ENTRY_CHARS = 4_096

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
"""A job or document as everybody may speak of it: no spaces, no slashes."""

TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")

_ENTRY_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_URI = re.compile(r"[a-z][a-z0-9+.-]*://[^/].*|file:///.+", re.DOTALL)

_UNSTORABLE = re.compile("[\\x00\\ud800-\\udfff]")

_WRITER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))

_FIELDS = (
    "format",
    "version",
    "job_id",
    "kind",
    "address",
    "doc_ids",
    "byte_count",
    "tenant",
    "priority",
    "entry",
    "enqueued_at",
)


def job_id_of(address: str, version: str) -> str:
    """The id of the job to read what stood at ``address`` in this ``version``.

    ``version`` is whatever changes when the bytes may have changed: the store's
    version id or etag, else modification time and size. The same address in the
    same version gives the same id, wherever it is asked.
    """
    return hashlib.sha256(f"{len(address)}:{address}:{version}".encode("utf-8", "surrogatepass")).hexdigest()


def encode(job: QueuedJob) -> bytes:
    """The message that carries a job: ASCII, at most ``MAX_BODY_BYTES``.

    Raises:
        QueueMessageError: :func:`decode` would refuse it.
    """
    raw = {
        "format": FORMAT,
        "version": VERSION,
        "job_id": job.job_id,
        "kind": job.kind,
        "address": job.address,
        "doc_ids": list(job.doc_ids),
        "byte_count": job.byte_count,
        "tenant": job.tenant,
        "priority": job.priority,
        "entry": dict(job.entry),
        "enqueued_at": job.enqueued_at.isoformat(),
    }
    _job(raw)
    body = _WRITER.encode(raw).encode("ascii")
    if len(body) > MAX_BODY_BYTES:
        _refuse(f"it is longer than {MAX_BODY_BYTES} bytes")
    return body


def decode(body: bytes | str) -> tuple[QueuedJob, ...]:
    """The jobs of a message: one of ours, or those that an object store's event asks for (perhaps none).

    Raises:
        QueueMessageError: it is neither, or one of a version or with a value that this code does not know.
    """
    if len(body) > MAX_BODY_BYTES:
        _refuse(f"it is longer than {MAX_BODY_BYTES} bytes")
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
        raw = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except QueueMessageError:
        raise
    except (ValueError, RecursionError):
        _refuse("it is not JSON")
    if not isinstance(raw, dict):
        _refuse("it is not a JSON object")
    if "format" not in raw and is_event(raw):
        return event_jobs(raw, job_id_of=job_id_of)
    return (_job(raw),)


def _job(raw: Mapping[str, Any]) -> QueuedJob:
    if raw.get("format") != FORMAT:
        _refuse("it is neither a job nor an event of an object store")
    if type(raw.get("version")) is not int or raw["version"] != VERSION:
        _refuse(f"its version is not {VERSION}: the sender is of another release")
    if set(raw) != set(_FIELDS):
        _refuse("a field is missing or unknown")
    kind = next((known for known in KINDS if known == raw["kind"]), None)
    if kind is None:
        _refuse("its kind is unknown")
    priority = next((known for known in PRIORITIES if known == raw["priority"]), None)
    if priority is None:
        _refuse("its priority is unknown")
    if not _is(ID, raw["job_id"]):
        _refuse("its job_id is not an id")
    if not _is(TENANT, raw["tenant"]):
        _refuse("its tenant is not a name of letters, digits and ._@-")
    byte_count = raw["byte_count"]
    if byte_count is not None and (type(byte_count) is not int or not 0 <= byte_count < 2**63):
        _refuse("its byte_count is not a number of bytes")
    doc_ids = _doc_ids(raw["doc_ids"])
    address = _address(raw["address"])
    if (kind == "extract") != bool(address) or (kind == "reprocess") != bool(doc_ids):
        _refuse("extract needs an address and reprocess doc_ids, and neither the other's")
    return QueuedJob(
        job_id=raw["job_id"],
        kind=kind,
        address=address,
        doc_ids=doc_ids,
        byte_count=byte_count,
        tenant=raw["tenant"],
        priority=priority,
        entry=_entry(raw["entry"]),
        enqueued_at=_moment(raw["enqueued_at"]),
    )


def _address(raw: object) -> str:
    if not isinstance(raw, str) or len(raw) > MAX_ADDRESS_CHARS or not _storable(raw):
        _refuse("its address is not text, or too long")
    if raw and not raw.startswith("/") and not _URI.fullmatch(raw):
        _refuse("its address is neither an absolute path nor a URI")
    return raw


def _doc_ids(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(_is(ID, one) for one in raw):
        _refuse("its doc_ids are not a list of ids")
    if len(raw) > MAX_DOC_IDS or len(set(raw)) != len(raw):
        _refuse(f"its doc_ids repeat, or are more than {MAX_DOC_IDS}")
    return tuple(raw)


def _entry(raw: object) -> dict[str, str]:
    if not isinstance(raw, dict) or len(raw) > MAX_ENTRY_FIELDS:
        _refuse(f"its entry is not an object of at most {MAX_ENTRY_FIELDS} fields")
    for name, value in raw.items():
        if not _is(_ENTRY_FIELD, name):
            _refuse("its entry has a field that is no column name")
        if not isinstance(value, str) or len(value) > MAX_ENTRY_CHARS or not _storable(value):
            _refuse("its entry has a value that is not text, or too long")
    return raw


def _moment(raw: object) -> datetime:
    moment = utc_of(raw)
    if moment is None:
        _refuse("its enqueued_at is not a time with an offset")
    return moment


def _is(pattern: re.Pattern[str], raw: object) -> bool:
    return isinstance(raw, str) and pattern.fullmatch(raw) is not None


def _storable(text: str) -> bool:
    """No NUL, which PostgreSQL cannot hold, and no half of a surrogate pair, which UTF-8 cannot."""
    return _UNSTORABLE.search(text) is None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse("a field stands in it twice")
    return found


def _no_constant(_name: str) -> NoReturn:
    _refuse("it holds a number that is none")


def _refuse(reason: str) -> NoReturn:
    raise QueueMessageError(f"a message was refused: {reason}") from None
