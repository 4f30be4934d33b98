"""The URL of a queue: where the broker is, and the adapter's own options after the question mark.

A URL may hold a password: nothing here quotes one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from extractor.errors import ConfigError

DEFAULT_NAME = "extractor"

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
"""A queue's name: short enough to be part of the names of tables and keys."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def scheme_of(url: str) -> str:
    """The scheme in lower case.

    Raises:
        ConfigError: there is none.
    """
    found = _SCHEME.match(url)
    if found is None:
        raise ConfigError(
            "the queue's address is not a URL: it begins with a scheme, as sqlite:///jobs.db does"
        )
    return found[1].lower()


def split_options(url: str, own: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The URL without the options in ``own``, and those: as given, else their default there.

    What is not in ``own`` stays in the URL, for the broker's library. The value
    of ``queue`` is checked to be a name.

    Raises:
        ConfigError: the URL is malformed, an option stands twice, or the queue's name is none.
    """
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        _ = parts.port
    except ValueError:
        raise ConfigError("the queue's URL is malformed") from None
    names = [name for name, _value in pairs]
    for name in own:
        if names.count(name) > 1:
            raise ConfigError(f"the option {name} stands twice in the queue's URL")
    options = {**own, **{name: value for name, value in pairs if name in own}}
    if "queue" in own and not NAME.fullmatch(options["queue"]):
        raise ConfigError("the queue's name (?queue=) is a letter, then at most 39 letters, digits or _.-")
    rest = urlencode([(name, value) for name, value in pairs if name not in own])
    return urlunsplit(parts._replace(query=rest)), options


__all__ = ["DEFAULT_NAME", "NAME", "scheme_of", "split_options"]
