"""Numbers with units: single values, ranges, tolerances and limits.

"2-8 °C" and "2 °C to 8 °C" give ``value`` 2 and ``value_high`` 8; "7.2 ± 0.1"
gives the ends 7.1 and 7.3 with the comparator "±" (which is a tolerance or a
spread: the text decides), and so does a tolerance in per cent of a value with a
unit of its own: "196.0 mg ± 3 %" gives 190.12 and 201.88 mg. Ends in different
units are ambiguous. "NMT 0.5 %" gives the comparator "<=". A pair such as
"120/80 mmHg" keeps its text and unit, with ``parse_status`` unknown. Digits
stay as written in ``value_text``; values are exact decimals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Literal

from extractor.document import Document
from extractor.extractors.numbers import (
    NUMBER,
    Mark,
    bare_power,
    document_mark,
    exponent,
    parse_number,
    power,
)
from extractor.extractors.units import PACK, load_units, normalised_quantity
from extractor.records import Entity, Maker, Quantity
from extractor.spans import Span
from extractor.text.tokens import borders_of

VERSION = "1.2"

COMPARATORS = {
    "nmt": "<=", "not more than": "<=", "no more than": "<=", "not exceeding": "<=", "at most": "<=",
    "not above": "<=", "not over": "<=", "not greater than": "<=", "not higher than": "<=", "not exceed": "<=",
    "no greater than": "<=", "no higher than": "<=", "not to exceed": "<=",
    "up to": "<=", "maximum": "<=", "max.": "<=", "max": "<=", "\u2264": "<=", "<=": "<=", "=<": "<=",
    "not below": ">=", "not under": ">=", "not lower than": ">=", "no lower than": ">=",
    "nlt": ">=", "not less than": ">=", "no less than": ">=", "at least": ">=", "minimum": ">=",
    "\u2265": ">=", ">=": ">=", "=>": ">=",
    "less than": "<", "below": "<", "under": "<", "<": "<",
    "more than": ">", "greater than": ">", "above": ">", "over": ">", ">": ">",
    "approximately": "~", "approx.": "~", "about": "~", "ca.": "~", "~": "~", "\u2248": "~", "\u223c": "~",
}  # fmt: skip
"""Words and signs before a number, and the comparator each becomes."""

_MINUS = ("-", "\u2212")
_BLANK = r"[ \u00a0\u202f\u2009]"
_COMPARATOR = "|".join(
    rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])" if word[0].isalpha() else re.escape(word)
    for word in sorted(COMPARATORS, key=lambda word: (-len(word), word))
).replace(r"\ ", r"\s")


class MeasurementExtractor:
    """Entities ``measurement`` with a quantity; ``normalised`` is value and UCUM code where both are known.

    ``decimal_mark`` fixes how numbers are read: "." or ","; "auto" decides per
    document.
    """

    def __init__(self, *, decimal_mark: Literal["auto", ".", ","] = "auto") -> None:
        self._mark = decimal_mark
        self._units = load_units()
        self._pattern = re.compile(_measurement(self._units.pattern))
        self.maker = Maker(
            extractor="measurement",
            version=VERSION,
            model=PACK,
            model_version=self._units.version,
            model_sha256=self._units.sha256,
        )

    def entities(self, document: Document) -> Iterator[Entity]:
        """Measurements in order; none crosses a table cell, and a line break only before its unit."""
        text = document.text
        mark: Mark | None = document_mark(document.text) if self._mark == "auto" else self._mark
        borders: frozenset[int] | None = None
        for found in self._matches(text, mark):
            if "\n" in found.group():
                if borders is None:
                    borders = borders_of(document)
                if any(at in borders for at in range(found.start() + 1, found.end())):
                    continue
            quantity = self._quantity(found, mark)
            if quantity is None:
                continue
            yield Entity(
                doc_id=document.doc_id,
                span=Span(found.start(), found.end()),
                label="measurement",
                maker=self.maker,
                alignment="normalised" if "\n" in found.group() else "exact",
                normalised=normalised_quantity(quantity),
                quantity=quantity,
            )

    def _matches(self, text: str, mark: Mark | None) -> Iterator[re.Match[str]]:
        """Matches in order; "fell from 1.9 mg/dL to 1.1 mg/dL" is no range but two values."""
        for found in self._pattern.finditer(text):
            if found["high"] and found["low_unit"] and self._quantity(found, mark) is None:
                ends = (
                    self._pattern.match(text, found.start(), found.end("low_unit")),
                    self._pattern.match(text, found.start("high_sign" if found["high_sign"] else "high")),
                )
                yield from (one for one in ends if one is not None)
            else:
                yield found

    def _quantity(self, found: re.Match[str], mark: Mark | None) -> Quantity | None:
        group = found.groupdict()
        unit = group["unit"] or ("pH" if group["ph"] else None)
        if unit is None or not self._unit_fits(found, unit):
            return None
        ucum = "[pH]" if unit == "pH" else self._units.ucum(unit)
        comparator = (
            COMPARATORS[" ".join(group["comparator"].lower().split())] if group["comparator"] else None
        )
        start = found.start("sign") if group["sign"] else found.start("low")
        last = next(
            name
            for name in (
                *("second", "tolerance", "high_power", "high_bare", "high"),
                *("low_power", "low_bare", "low"),
            )
            if group[name]
        )
        value_text = found.string[start : found.end(last)]
        same = ucum is not None and re.fullmatch(r"([^/]+)/\(\d+\.\1\)", ucum)
        if group["second"] or same:  # "120/80 mmHg"; "49 mg/51 mg" are two doses, not a ratio
            ucum = None if same else ucum
            return Quantity(value_text=value_text, unit_source=unit, unit_ucum=ucum, comparator=comparator)
        low, high = self._end(group, "low", mark), None
        status: Literal["ok", "unknown", "ambiguous"] = "ok"
        if low is not None and group["sign"] in _MINUS:
            low = -low
        if group["high"]:
            high = self._end(group, "high", mark)
            if high is not None and group["high_sign"]:
                high = -high
            if not self._same(group["low_unit"], ucum):
                low = high = None
        if group["tolerance"]:
            spread = parse_number(group["tolerance"], mark)
            comparator = "\u00b1"
            if low is None or spread is None:
                low = high = None
            elif self._same(group["of"], ucum):
                low, high = low - spread, low + spread
            elif ucum == "%":
                unit, ucum = group["of"], self._units.ucum(group["of"])
                spread = abs(low) * spread / 100
                low, high = low - spread, low + spread
            else:
                low = high = None
        if low is None or ((group["high"] or group["tolerance"]) and high is None):
            low, high, status = None, None, "ambiguous"
        elif high is not None and high < low:
            return None  # "10-5 mg" is no range
        if ucum is None and status == "ok":
            low, high, status = None, None, "unknown"
        return Quantity(
            value_text=value_text,
            value=low,
            value_high=high,
            comparator=comparator,
            unit_source=unit,
            unit_ucum=ucum,
            parse_status=status,
        )

    def _end(self, group: Mapping[str, str | None], name: str, mark: Mark | None) -> Decimal | None:
        """One end, without its sign."""
        if group[f"{name}_bare"]:
            return Decimal(1).scaleb(exponent(group[f"{name}_bare"]))
        number = parse_number(group[name] or "", mark)
        power_of_ten = group[f"{name}_power"] or (group["high_power"] if name == "low" else None)
        return None if number is None else number.scaleb(exponent(power_of_ten))

    def _same(self, unit: str | None, ucum: str | None) -> bool:
        """Whether a unit written at the first number, if any, is that of the whole; "20\u00b0-25\u00b0C" counts."""
        if unit is None:
            return True
        own = self._units.ucum(unit)
        return own == ucum or (own == "deg" and ucum in {"Cel", "[degF]"})

    def _unit_fits(self, found: re.Match[str], unit: str) -> bool:
        """Whether a weak unit (one letter, a word) really belongs to the number."""
        if unit in self._units.weak:
            between = found.string[found.end("unit") - len(unit) - 1]
            after = found.string[found.end() : found.end() + 2]
            if "\n" in found.group() or not (between == " " or between.isdigit()):
                return False
            if between.isdigit() and (
                unit == "s" or re.search(r"\d{3}$", found.string[: found.end("unit") - 1])
            ):
                return False  # "the 130s", "form 356h"
            return not re.match(r"[.]?[A-Za-z0-9]|['\u2019-]\w", after)
        return True


def _measurement(unit: str) -> str:
    number = rf"(?:{NUMBER})"
    gap = rf"(?:{_BLANK}?|-|{_BLANK}?\n{_BLANK}?)"
    return (
        rf"(?:(?P<comparator>(?i:{_COMPARATOR}))\s?)?"
        rf"(?:(?P<ph>(?<![A-Za-z])pH{_BLANK}?(?:of{_BLANK}|[:=]{_BLANK}?)?)(?:(?i:{_COMPARATOR}){_BLANK}?)?)?"
        rf"(?<![\w.,])(?<!\d[/:*^])(?<![A-Za-z)][-\u2013\u2212])(?P<sign>[-\u2212+](?=\d))?(?<![\d])"
        rf"(?P<low>{number})(?:{power('low_power')}|{bare_power('low_bare')})?(?!\d)"
        rf"(?:(?:{_BLANK}?(?P<low_unit>{unit}))?{_BLANK}?(?:-|\u2013|\u2014|\u2212|to|\.\.){_BLANK}?(?P<high_sign>[-\u2212](?=\d))?"
        rf"(?P<high>{number})(?:{power('high_power')}|{bare_power('high_bare')})?(?![\d])"
        rf"|(?:{_BLANK}?(?P<of>{unit}))?{_BLANK}?(?:\u00b1|\+/-|\+-){_BLANK}?(?P<tolerance>{number})(?!\d)"
        rf"|/(?P<second>\d{{2,3}})(?=\s?mm\s?Hg))?"
        rf"(?:{gap}(?P<unit>{unit})|(?(ph)(?![\w.,]\d|\w)|(?!)))"
    )
