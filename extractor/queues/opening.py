"""Opens a queue by its URL: ``sqlite:///jobs.db``, ``postgresql://host/base?queue=intake`` ..."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

from extractor.errors import ConfigError, MissingToolError
from extractor.ports import Queue
from extractor.queues.address import scheme_of
from extractor.registry import QUEUES, load

ALIASES: Mapping[str, str] = {"postgres": "postgresql", "amqps": "amqp", "rediss": "redis"}
"""Schemes that mean the adapter of another: its older name, or the same over TLS."""

LIBRARIES: Mapping[str, frozenset[str]] = {
    "amqp": frozenset({"kombu", "amqp"}),
    "redis": frozenset({"redis"}),
    "postgresql": frozenset({"psycopg", "psycopg_binary", "psycopg_c"}),
    "sqs": frozenset({"boto3", "botocore"}),
}
"""What an adapter imports that only the extra of its name brings."""


def open_queue(url: str, *, plugins: Collection[str] = ()) -> Queue:
    """The queue at ``url``. ``plugins`` names the distributions and packages that may bring adapters.

    Raises:
        ConfigError: the URL is malformed, or no adapter has its scheme.
        MissingToolError: the adapter's library is not installed.
        QueueError: the adapter connects at once, and the broker cannot be reached.
    """
    scheme = scheme_of(url)
    name = ALIASES.get(scheme, scheme)
    try:
        return cast("Queue", _adapter(name, scheme, plugins)(url))
    except ImportError as error:  # on loading the adapter, or when it connects
        if not _is_of_extra(name, error):
            raise
        raise MissingToolError(
            f"the queue {name} needs a library that is not installed: pip install 'lifescience-extractor[{name}]'"
        ) from error


def _adapter(name: str, scheme: str, plugins: Collection[str]) -> Any:
    try:
        return load("queues", name, plugins=plugins)
    except ConfigError:
        known = ", ".join(sorted({*QUEUES, *ALIASES}))
        raise ConfigError(f"no queue has the scheme {scheme!r}; known: {known}") from None


def _is_of_extra(name: str, error: ImportError) -> bool:
    """Whether the extra of this name brings what could not be imported; psycopg without its libpq names nothing."""
    module = (error.name or "").partition(".")[0]
    return module in LIBRARIES.get(name, ()) or (name == "postgresql" and not module)
