"""A spreadsheet number as its cell shows it: digits after the point, thousands, percent, dates.

Dates and times are shown in ISO form (``2024-03-05 13:30:00``) whatever their
format's order, since a printed 03/05 is ambiguous and the cell's value is not.
Fractions, conditions and anything else not understood fall back to the plain
number in at most 15 significant digits, which is what the file's double holds.
Format codes: ECMA-376 part 1, section 18.8.31.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from functools import lru_cache

_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.')
_SECTIONS = re.compile(r'((?:"[^"]*"|\\.|\[[^\]]*\]|[^;"\\\[]|["\[\\])*)(?:;|$)')
_TOKEN = re.compile(
    r'"([^"]*)"|\\(.)|_.|\*.|\[\$([^\]\-]*)[^\]]*\]|\[[^\]]*\]|([0#?][0#?,.]*|\.[0#?]+)|([eE][+-]0+)|(.)'
)


def shown(value: str, code: str, *, since_1904: bool = False) -> str:
    """The number ``value`` (as stored) under the format ``code``."""
    try:
        number = Decimal(format(float(value), ".15g"))
    except (ValueError, InvalidOperation, OverflowError):
        return value
    if not number.is_finite():
        return value
    date_parts = _date_parts(code)
    if date_parts:
        return _date(float(value), date_parts, since_1904=since_1904) or _general(number)
    try:
        with localcontext(prec=400):
            return _formatted(number, code)
    except (InvalidOperation, OverflowError):
        return _general(number)


def _general(number: Decimal) -> str:
    if number and not Decimal("1e-9") <= abs(number) < Decimal("1e21"):
        return f"{number:E}"
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _formatted(number: Decimal, code: str) -> str:
    sections: list[str] = _SECTIONS.findall(code)
    while len(sections) > 1 and not sections[-1]:
        sections.pop()
    if any(re.search(r"\[[<>=]", section) for section in sections):
        return _general(number)
    sign = ""
    section = sections[0]
    if number < 0 and len(sections) > 1:
        section, number = sections[1], -number
    elif number == 0 and len(sections) > 2:
        section = sections[2]
    elif number < 0:
        sign, number = "-", -number
    if "general" in section.lower() or section in ("", "@"):
        return sign + _general(number)
    tokens = _TOKEN.findall(section)
    if any(other == "/" for *_, other in tokens):
        return sign + _general(number)
    number *= Decimal(100) ** sum(other == "%" for *_, other in tokens)
    exponent = next((exponent for *_, exponent, _ in tokens if exponent), "")
    pieces: list[str] = []
    done = False
    for quoted, escaped, currency, digits, _, other in tokens:
        if digits and not done:
            pieces.append(_digits(number, digits, exponent))
            done = True
        elif other != "@":
            pieces.append(quoted or escaped or currency or other)
    if done and re.search(r"[1-9]", "".join(pieces)) is None:
        sign = ""  # rounds to nothing
    return sign + "".join(pieces).strip()


def _digits(number: Decimal, pattern: str, exponent: str) -> str:
    whole, _, fraction = pattern.partition(".")
    scaled = len(pattern) - len(pattern.rstrip(","))
    number = number.scaleb(-3 * scaled)
    fraction = fraction.replace(",", "")
    power = 0
    if exponent and number:
        power = number.adjusted()
        number = number.scaleb(-power)
    number = number.quantize(Decimal(1).scaleb(-len(fraction)), rounding=ROUND_HALF_UP)
    left, _, right = f"{number:f}".partition(".")
    needed = whole.replace(",", "").count("0")
    left = left.lstrip("0").rjust(needed, "0")
    if "," in whole.rstrip(","):
        left = f"{int(left):,}".rjust(needed, "0") if left else left
    kept = len(fraction.rstrip("#?"))
    while len(right) > kept and right.endswith("0"):
        right = right[:-1]
    text = (left or ("0" if not right else "")) + (f".{right}" if right else "")
    if exponent:
        text += (
            f"E{'-' if power < 0 else '+' if exponent[1] == '+' else ''}{abs(power):0{len(exponent) - 2}d}"
        )
    return text


@lru_cache(maxsize=1_000)
def _date_parts(code: str) -> str:
    """``date``, ``time``, ``both`` or ``span`` for a format of dates and times; else empty."""
    section = _LITERAL.sub("", code.partition(";")[0]).lower()
    if re.search(r"\[[hms]+\]", section):
        return "span"
    section = re.sub(r"\[[^\]]*\]", "", section)
    section = re.sub(r"am/pm|a/p", "", section)
    if "general" in section or re.search(r"[0#?]", section.replace(".0", "")):
        return ""
    time = "h" in section or "s" in section
    date = "y" in section or "d" in section or ("m" in section and not time)
    return "both" if date and time else "date" if date else "time" if time else ""


def _date(value: float, parts: str, *, since_1904: bool) -> str | None:
    """ISO text of a serial day number; None outside the years 1900 to 9999."""
    seconds = round(value * 86_400, 3)
    if seconds < 0 or value >= 2_958_466:
        return None
    whole_s = round(seconds)
    if parts == "span":
        return f"{whole_s // 3600}:{whole_s // 60 % 60:02d}:{whole_s % 60:02d}"
    if parts == "time":
        return str(dt.timedelta(seconds=whole_s % 86_400)).rjust(8, "0")
    first = dt.datetime(1904, 1, 1) if since_1904 else dt.datetime(1899, 12, 30)  # noqa: DTZ001 - no zone in a cell
    if not since_1904 and value < 60:
        first += dt.timedelta(days=1)  # the format counts a 29 February 1900 that never was
    moment = first + dt.timedelta(seconds=whole_s)
    return moment.isoformat(sep=" ") if parts == "both" else moment.date().isoformat()
