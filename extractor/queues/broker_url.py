"""A broker's URL taken apart, for libraries that want its parts; and their errors without their texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from extractor.errors import ConfigError, QueueError, QueueRefusedError
from extractor.queues.address import DEFAULT_NAME, scheme_of, split_options


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerUrl:
    """``scheme://user:password@host:port/path?options``; a representation shows the name of the queue alone."""

    name: str
    scheme: str = field(repr=False)
    host: str = field(repr=False)
    port: int | None = field(repr=False)
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    path: str = field(repr=False)
    options: Mapping[str, str] = field(repr=False)

    def number(self, option: str, *, least: int, most: int) -> int:
        """An option that is a whole number between two bounds.

        Raises:
            ConfigError: it is not.
        """
        raw = self.options[option]
        if not raw.isascii() or not raw.isdigit() or not least <= int(raw) <= most:
            raise ConfigError(f"the option {option} of the queue's URL is a number from {least} to {most}")
        return int(raw)

    def one_of(self, option: str, *choices: str) -> str:
        """An option that is one of a few words.

        Raises:
            ConfigError: it is not.
        """
        raw = self.options[option]
        if raw not in choices:
            raise ConfigError(f"the option {option} of the queue's URL is one of: {', '.join(choices)}")
        return raw


def parse_broker_url(url: str, options: Mapping[str, str]) -> BrokerUrl:
    """The parts of a URL that has no options but ``queue`` and these, given with their defaults.

    Raises:
        ConfigError: the URL is malformed, or has an option that nobody knows.
    """
    rest, given = split_options(url, {"queue": DEFAULT_NAME, **options})
    parts = urlsplit(rest)
    if parts.query or parts.fragment:
        raise ConfigError(f"the options of this queue's URL are: {', '.join(sorted(given))}")
    return BrokerUrl(
        name=given["queue"],
        scheme=scheme_of(url),
        host=parts.hostname or "",
        port=parts.port,
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        path=unquote(parts.path.removeprefix("/")),
        options=given,
    )


def failure(broker: str, error: Exception, *, retryable: bool, because: str = "") -> QueueError:
    """An error of a broker's library in our words: its kind alone, for its text may quote addresses."""
    says = "cannot be reached or does not answer" if retryable else "refuses"
    reason = f": {because}" if because else ""
    kind = QueueError if retryable else QueueRefusedError
    return kind(f"{broker} {says} ({type(error).__name__}){reason}")
