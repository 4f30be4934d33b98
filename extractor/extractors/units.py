"""Units as they are printed, and their codes in the Unified Code for Units of Measure.

The spellings come from the rule pack ``rules-units``; compound units are put
together here: ``mg/kg/day`` gives ``mg/kg/d``, ``mL/min/1.73 m2`` gives
``mL/min/{1.73_m2}``, ``mg/5 mL`` gives ``mg/(5.mL)``. Grammar: UCUM
specification, sections 2.2 to 2.4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from extractor.errors import MissingToolError
from extractor.records import Quantity
from extractor.resources import manifest, model_folder, model_sha256

PACK = "rules-units"

_EXPONENTS = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u2212", "0123456789--"
)
_TEN = r"10(?:[*^]\d{1,2}|[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]{1,2})"
_FOOTNOTE = "\u2070\u00b9\u00b2\u00b3\u2074-\u2079"
"""Raised digits after a unit that are no exponent of it are the mark of a footnote."""
_RAISED = r"\u207b[\u00b9\u00b2\u00b3]|(?:(?<=m)|(?<=in)|(?<=ft))[\u00b2\u00b3]"
"""Raised exponents: negative ones of any unit, squares and cubes of lengths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """The unit table with the pattern that finds a unit, simple or compound.

    ``pattern`` has no named groups and matches the whole unit; ``weak`` are the
    one-letter and word spellings that need a number right before them, ``forms``
    those of dose forms (tablet, puff).
    """

    version: str
    sha256: str
    codes: dict[str, str]
    pattern: str
    weak: frozenset[str]
    forms: frozenset[str]

    def ucum(self, text: str) -> str | None:
        """The UCUM code of a unit as written, None where a part is unknown."""
        return _compose(text, self.codes)


@cache
def load_units() -> Units:
    """The unit table of the newest ``rules-units`` pack.

    Raises:
        MissingToolError: absent, altered, or not of this format.
    """
    path = model_folder(PACK)
    codes: dict[str, str] = {}
    flagged: dict[str, str] = {}
    for line in (path / "units.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            parts = line.split("\t")
            if len(parts) != 3:
                raise MissingToolError(
                    "model 'rules-units': units.tsv needs three columns", code="tool.model"
                )
            codes[parts[0]] = parts[1]
            flagged[parts[0]] = parts[2]
    compound_only = {spelling for spelling, flags in flagged.items() if "c" in flags}
    every = _alternatives(codes)
    alone = _alternatives(set(codes) - compound_only)
    counted = _alternatives({spelling for spelling in codes if "%" not in spelling})
    power = rf"(?:\^?[-\u2212]?[1-4](?![\d.,/])|{_RAISED})"
    end = rf"(?![^\W{_FOOTNOTE}])"
    over = (
        r"(?:\s?/\s?|\sper\s)"
        rf"(?:1\.73\s?m(?:2|\u00b2|\^2)|(?:{every}|\d{{1,4}}\s?(?:{counted})){power}?{end})"
    )
    edge = rf"(?![^\W{_FOOTNOTE}]|\u00b0)"
    compound = rf"(?!N/A\b)(?:{every}){power}?(?:{over}){{1,3}}{edge}"
    return Units(
        version=manifest(path)["version"],
        sha256=model_sha256(path),
        codes=codes,
        pattern=(
            rf"(?:{compound}"
            rf"|(?:{_TEN})?/(?:{every}){power}?{edge}"
            rf"|(?:{alone}){power}?{edge})"
        ),
        weak=frozenset(spelling for spelling, flags in flagged.items() if "w" in flags),
        forms=frozenset(spelling for spelling, flags in flagged.items() if "f" in flags),
    )


def _alternatives(spellings: set[str] | dict[str, str]) -> str:
    return "|".join(
        re.escape(spelling).replace(r"\ ", r"\s")
        for spelling in sorted(spellings, key=lambda s: (-len(s), s))
    )


def _compose(text: str, codes: dict[str, str]) -> str | None:
    whole = " ".join(text.split())
    if whole in codes:
        return codes[whole]
    parts = re.split(r"\s?/\s?|\sper\s", whole)
    found: list[str] = []
    for index, part in enumerate(parts):
        if not part and index == 0:
            found.append("")
            continue
        code = _simple(part, codes)
        if code is None:
            return None
        if index and re.search(r"[/.]", re.sub(r"\{[^}]*\}", "", code)):
            code = f"({code})"
        found.append(code)
    return "/".join(found)


def _simple(part: str, codes: dict[str, str]) -> str | None:
    if part in codes:
        return codes[part]
    if re.fullmatch(_TEN, part):
        return f"10*{part[2:].lstrip('*^').translate(_EXPONENTS)}"
    if re.fullmatch(r"1\.73\s?m(?:2|\u00b2|\^2)", part):
        return "{1.73_m2}"
    if (counted := re.fullmatch(r"(\d{1,4})\s?(\D.*)", part)) is not None:
        unit = _simple(counted.group(2), codes)
        return None if unit is None else unit if counted.group(1) == "1" else f"{counted.group(1)}.{unit}"
    raised = re.fullmatch(r"(.*?)(?:\^?([-\u2212]?[1-4])|(\u207b?[\u00b9\u00b2\u00b3]))", part)
    if raised is not None and raised.group(1) in codes:
        exponent = (raised.group(2) or raised.group(3)).translate(_EXPONENTS)
        unit = codes[raised.group(1)]
        return f"{unit}{exponent}" if re.fullmatch(r"[A-Za-z]+|\[\w+\]", unit) else None
    return None


def normalised_quantity(quantity: Quantity) -> str | None:
    """Value or ends and UCUM code, with the comparator in front; None where either is unknown."""
    if quantity.value is None or quantity.unit_ucum is None:
        return None
    ends = [quantity.value] if quantity.value_high is None else [quantity.value, quantity.value_high]
    written = "..".join(_plain(end) for end in ends)
    sign = quantity.comparator if quantity.comparator not in {None, "\u00b1"} else ""
    return f"{sign}{written} {quantity.unit_ucum}"


def _plain(value: Decimal) -> str:
    return format(value, "f")
