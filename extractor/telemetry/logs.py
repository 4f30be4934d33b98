"""Log lines for people or for a log collector, which never hold what a document says.

Four rules make that so, for lines of text and of JSON alike. An exception is
shown by type and places, never by its message. Fields handed over with
``extra`` are not shown. A library's own message is withheld, since nobody here
decided what is in it; its logger, level and place are shown, from warning on.
Ids come from :func:`bound` alone.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from extractor.errors import ExtractorError
from extractor.telemetry.values import as_ids

ID_FIELDS = ("job_id", "doc_id", "run_id", "batch_id", "trace_id")
"""What :func:`bound` can bind, in the order in which a line shows it."""

_CAUSES = 5
"""An error is shown with so many of its causes at most."""

_bound: ContextVar[Mapping[str, str]] = ContextVar("extractor_log_ids", default={})  # noqa: B039  # never changed


def configure(
    level: str,
    log_format: Literal["text", "json"],
    stream: TextIO,
    *,
    own: Collection[str] = ("extractor",),
) -> None:
    """Send all log records of this process to ``stream``; called again, the new settings hold alone.

    ``level`` (debug, info, warning, error) is for the loggers of ``own``
    packages; the others speak from warning on, and without their messages.
    Text is ``LEVEL logger message``, then the bound ids as ``name=id``. JSON is
    one object a line: ``time`` (UTC, milliseconds), ``level``, ``logger``,
    ``message``, the bound ids, and ``error`` where an exception came along.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _Handler):
            root.removeHandler(handler)
    handler = _Handler(stream, tuple(own))
    handler.setFormatter(_Json(handler.is_own) if log_format == "json" else _Text(handler.is_own))
    root.addHandler(handler)
    root.setLevel(level.upper())


@contextmanager
def bound(
    *,
    job_id: str | None = None,
    doc_id: str | None = None,
    run_id: str | None = None,
    batch_id: str | None = None,
    trace_id: str | None = None,
) -> Iterator[None]:
    """Show these ids in every line written inside, beside those bound outside; None leaves an id as it is.

    Ids hold for this thread (or task) alone: a thread started inside begins with
    none. A value that does not look like an id is shown as ``invalid``.
    """
    told = {"job_id": job_id, "doc_id": doc_id, "run_id": run_id, "batch_id": batch_id, "trace_id": trace_id}
    token = _bound.set({**_bound.get(), **as_ids(told)})
    try:
        yield
    finally:
        _bound.reset(token)


def bound_ids() -> dict[str, str]:
    """The ids that hold here, in the order of :data:`ID_FIELDS`."""
    ids = _bound.get()
    return {name: ids[name] for name in ID_FIELDS if name in ids}


def frames_of(error: BaseException) -> str:
    """Type and places of an error, without its message, which could quote the document."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(
        f"{frame.name}:{frame.lineno} ({_module(frame.filename)})" for frame in reversed(frames)
    )
    return f"{type(error).__name__} in {places}"


def _module(filename: str) -> str:
    return "/".join(filename.replace("\\", "/").split("/")[-2:])


def _with_causes(error: BaseException) -> str:
    """The error and what led to it; of the engine's own errors the code as well."""
    told: list[str] = []
    current: BaseException | None = error
    while current is not None and len(told) <= _CAUSES:
        code = f"[{current.code}] " if isinstance(current, ExtractorError) else ""
        told.append(f"{code}{frames_of(current)}")
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)
    return " caused by ".join(told)


def _shown(value: Any) -> Any:
    """An argument of a message; an exception by its type, unless it is one of the engine's own."""
    if isinstance(value, ExtractorError):
        return str(value)  # ids, codes, numbers and setting names: that is its contract
    if isinstance(value, BaseException):
        return type(value).__name__
    if isinstance(value, list | tuple | set | frozenset) and any(
        isinstance(part, BaseException) for part in value
    ):
        return [_shown(part) for part in value]
    return value


def _message(record: logging.LogRecord) -> str:
    template = str(_shown(record.msg))
    if not record.args:
        return template
    arguments: Any
    if isinstance(record.args, Mapping):
        arguments = {name: _shown(value) for name, value in record.args.items()}
    else:
        arguments = tuple(_shown(value) for value in record.args)
    try:
        return str(template % arguments)
    except (TypeError, ValueError, KeyError):
        return f"message with wrong arguments at {_place(record)}"


def _place(record: logging.LogRecord) -> str:
    return f"{record.module}:{record.lineno}"


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to one stream; what cannot be written is dropped instead of being quoted on stderr."""

    def __init__(self, stream: TextIO, own: tuple[str, ...]) -> None:
        super().__init__(stream)
        self._own = own
        self.addFilter(lambda record: record.levelno >= logging.WARNING or self.is_own(record))

    def is_own(self, record: logging.LogRecord) -> bool:
        return any(record.name == name or record.name.startswith(f"{name}.") for name in self._own)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name logging calls
        """Nothing: the inherited one prints the message and its arguments."""


class _Formatter(logging.Formatter):
    def __init__(self, is_own: Any) -> None:
        super().__init__()
        self._is_own = is_own

    def _parts(self, record: logging.LogRecord) -> tuple[str, str | None]:
        """The message, and the error where one came along."""
        message = _message(record) if self._is_own(record) else f"message withheld, at {_place(record)}"
        error = record.exc_info[1] if record.exc_info else None
        return message, None if error is None else _with_causes(error)


class _Text(_Formatter):
    """``LEVEL logger message``, one line whatever the message holds."""

    def format(self, record: logging.LogRecord) -> str:
        message, error = self._parts(record)
        line = f"{record.levelname} {record.name} {message}"
        if error is not None:
            line += f": {error}"
        line += "".join(f" {name}={value}" for name, value in bound_ids().items())
        return line.replace("\r", "\\r").replace("\n", "\\n")


class _Json(_Formatter):
    """One JSON object a line, ASCII only."""

    def format(self, record: logging.LogRecord) -> str:
        message, error = self._parts(record)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, str] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
            **bound_ids(),
        }
        if error is not None:
            line["error"] = error
        return json.dumps(line)
