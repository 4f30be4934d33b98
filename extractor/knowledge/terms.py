"""What every vocabulary is read into, and the comparable form of names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from extractor.vocabulary import fold, singular

GROUPS = ("disorder", "finding", "chemical", "anatomy", "procedure", "laboratory", "organism", "other")
"""Coarse semantic groups; a concept may be in several."""

GROUP_BIT = {group: 1 << place for place, group in enumerate(GROUPS)}

LONGEST_NAME = 300
"""Characters beyond which neither a name nor a mention is looked up."""

_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_INVERTED = re.compile(r",\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One concept as one source gives it.

    ``same`` are (system, code) pairs of other systems that the source calls
    equivalent; ``trees`` are MeSH tree numbers; ``groups`` are of :data:`GROUPS`.
    """

    system: str
    code: str
    name: str
    synonyms: tuple[str, ...] = ()
    groups: tuple[str, ...] = ("other",)
    trees: tuple[str, ...] = ()
    same: tuple[tuple[str, str], ...] = ()


@lru_cache(maxsize=65_536)
def name_key(name: str) -> str:
    """The comparable form of a name or mention: folded pieces in the singular, Roman numbers from ii as digits.

    Empty where nothing is left or the name is longer than :data:`LONGEST_NAME`.
    """
    if len(name) > LONGEST_NAME:
        return ""
    pieces = fold(name).split()
    return " ".join(_ROMAN.get(piece) or singular(piece) for piece in pieces)


def natural_order(name: str) -> str:
    """An inverted index heading as prose has it: ``Abdomen, Acute`` gives ``Acute Abdomen``."""
    parts = _INVERTED.split(name)
    return " ".join(reversed(parts)) if 1 < len(parts) <= 4 else name


def key_of_heading(name: str) -> str:
    """The key of a vocabulary's name, inverted headings turned round."""
    return name_key(natural_order(name))


def groups_of_trees(trees: tuple[str, ...]) -> tuple[str, ...]:
    """The groups of a MeSH descriptor by its tree numbers."""
    found: set[str] = set()
    for tree in trees:
        if tree.startswith(("C23", "F01", "G")):
            found.add("finding")
            if tree.startswith("C23"):
                found.add("disorder")
        elif tree.startswith(("C", "F03")):
            found.add("disorder")
        elif tree.startswith("D"):
            found.add("chemical")
        elif tree.startswith("A"):
            found.add("anatomy")
        elif tree.startswith("B"):
            found.add("organism")
        elif tree.startswith("E"):
            found.add("procedure")
            if tree.startswith("E01.370.225"):
                found.add("laboratory")
        else:
            found.add("other")
    return tuple(group for group in GROUPS if group in found) or ("other",)
