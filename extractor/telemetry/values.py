"""What may stand in a log line, a label or a span: ids, codes and short names. Anything else is replaced.

The callers hand in ids and codes. These functions are the second door: a value
with a space, a slash or a letter outside ASCII (an address, a name, a sentence)
does not pass it, whatever mistake brought it here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NOT_AN_ID = "invalid"
OTHER = "other"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,127}")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}(\.[A-Za-z0-9_]{1,64}){0,3}")


def as_id(value: str) -> str:
    """The id, or :data:`NOT_AN_ID` where the value is none: letters, digits and ``_.:@+-``, at most 128."""
    return value if _ID.fullmatch(value) else NOT_AN_ID


def as_code(value: str) -> str:
    """The code or short name, or :data:`OTHER`: words of letters, digits and ``_``, parted by at most three dots."""
    return value if _CODE.fullmatch(value) else OTHER


def as_ids(values: Mapping[str, str | None]) -> dict[str, str]:
    """Those ids that are given, each as :func:`as_id`."""
    return {name: as_id(value) for name, value in values.items() if value}
