"""Numbers as they are printed, read exactly: never a float.

A comma or a point before exactly three digits may part thousands or decimals.
:func:`decimal_mark` decides once per document from the numbers that can mean
only one thing ("7,2", "0.35", "1,234.5"); where it finds nothing, or both, such
a number stays ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

Mark = Literal[".", ","]

_GROUPED = (
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:[\u00a0\u202f\u2009]\d{3})+(?:[.,]\d+)?"
)
_POWER = (
    r"(?:\s?[x\u00d7*\u00b7]\s?10(?:\^|\*\*|\*)?\s?"
    r"(?P<{0}>[-\u2212+]?\d{{1,2}}|[\u207b\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+))"
)
_BARE = r"(?:(?<=(?<![\d.,])10)(?P<{0}>\^[-\u2212]?\d{{1,2}}|[\u207b\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+))"
_SUPERSCRIPTS = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u2212", "0123456789--"
)

NUMBER = rf"(?:{_GROUPED}|\d+(?:[.,]\d+)?|\.\d+)"
"""Pattern of a number without its sign; no groups."""


def power(name: str) -> str:
    """Pattern of a power of ten after a number ("x 10^6"), its exponent as group ``name``."""
    return _POWER.format(name)


def bare_power(name: str) -> str:
    """Pattern of what follows a 10 that is a power of ten itself ("10^6"), as group ``name``."""
    return _BARE.format(name)


def exponent(text: str | None) -> int:
    """The exponent written in a power of ten; 0 where there is none."""
    return int(text.lstrip("^").translate(_SUPERSCRIPTS)) if text else 0


def decimal_mark(numbers: Iterable[str]) -> Mark | None:
    """The decimal mark of a document by its unambiguous numbers; None without or with mixed evidence."""
    points = commas = False
    for number in numbers:
        if "." in number and "," in number:
            points |= number.rfind(".") > number.rfind(",")
            commas |= number.rfind(",") > number.rfind(".")
        elif (found := re.fullmatch(r"(\d*)([.,])(\d+)", number)) is not None:
            whole, mark, fraction = found.groups()
            if len(fraction) != 3 or not 1 <= len(whole) <= 3 or whole.startswith("0"):
                points |= mark == "."
                commas |= mark == ","
        elif number.count(",") > 1:
            points = True
        elif number.count(".") > 1:
            commas = True
    return None if points == commas else "." if points else ","


def parse_number(text: str, mark: Mark | None) -> Decimal | None:
    """The exact value of a number as written, None where it can be read in two ways.

    ``mark`` is the document's decimal mark, None when unknown. Without evidence
    a point before three digits is a decimal point, as in English; a comma there
    is ambiguous.
    """
    number = re.sub(r"[\u00a0\u202f\u2009]", "", text)
    points, commas = number.count("."), number.count(",")
    if points and commas:
        thousands = "," if number.rfind(".") > number.rfind(",") else "."
        return Decimal(number.replace(thousands, "").replace(",", "."))
    if commas > 1 or points > 1:
        return Decimal(number.replace(",", "").replace(".", ""))
    if not points and not commas:
        return Decimal(number)
    whole, _, fraction = number.replace(",", ".").partition(".")
    written: Mark = "," if commas else "."
    could_group = len(fraction) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0")
    if could_group and mark is not None and mark != written:
        return Decimal(whole + fraction)
    if could_group and mark is None and written == ",":
        return None
    return Decimal(f"{whole or '0'}.{fraction}")


def document_mark(text: str) -> Mark | None:
    """The decimal mark that the numbers of a document agree on."""
    return decimal_mark(found.group() for found in _DECIMALS.finditer(text))


_DECIMALS = re.compile(
    r"(?<![\w.,/:-])(?:\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:\.\d{3})+,\d+|\d+[.,]\d+)(?![\w.,/:-]?\d)"
)
