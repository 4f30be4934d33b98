"""Short forms that a document explains without defining them in the usual way.

"acute liver failure (ALF)" is a definition that others find (Schwartz and Hearst
2003). Here are the rest: "CPA (cyproterone acetate)", two mentions side by side
of which one is short; and a short form whose letters are the initials of a
mention of the same label anywhere in the document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_BETWEEN = re.compile(r"\s*[(\[]\s*|\s*,\s*(?:or\s+)?|\s+or\s+")
_MOST_LETTERS = 8
_SMALL = frozenset(("of", "the", "and", "in", "with", "or", "to", "for", "by", "a"))


@dataclass(frozen=True, slots=True, order=True)
class Mention:
    """A mention of a document: where it stands, what it says, its label."""

    start: int
    end: int
    text: str
    label: str


def is_short(text: str) -> bool:
    """Whether a mention looks like an abbreviation: one word of few letters, two of them capitals."""
    return " " not in text and 2 <= len(text) <= _MOST_LETTERS and sum(map(str.isupper, text)) >= 2


def explained(text: str, mentions: Sequence[Mention], defined: Mapping[str, str]) -> dict[str, str]:
    """Short form to long form: ``defined`` and what the mentions of ``text`` explain beside it."""
    found = dict(defined)
    ordered = sorted(set(mentions))
    for one, other in pairwise(ordered):
        if one.label != other.label or other.start - one.end > _MOST_LETTERS:
            continue
        if not _BETWEEN.fullmatch(text[one.end : other.start]):
            continue
        for short, long in ((one.text, other.text), (other.text, one.text)):
            if is_short(short) and not is_short(long) and _fits(short, long):
                found.setdefault(short, long)
    long_of = {
        (initials(mention.text), mention.label): mention.text
        for mention in reversed(ordered)
        if " " in mention.text or "-" in mention.text
    }
    for mention in ordered:
        short = mention.text.removesuffix("s")
        if is_short(short) and short not in found and len(short) > 2:
            same_initials = long_of.get((short.upper(), mention.label))
            if same_initials is not None:
                found[short] = same_initials
    return found


def initials(text: str) -> str:
    """The capital initials of the words of a mention, small words left out."""
    words = re.split(r"[\s/-]+", text)
    return "".join(word[0].upper() for word in words if word and word.lower() not in _SMALL)


def _fits(short: str, long: str) -> bool:
    """Whether the letters of ``short`` follow one another in ``long``, the first at its start."""
    letters = [letter for letter in short.lower().removesuffix("s") if letter.isalnum()]
    rest = long.lower()
    if not letters or not rest.startswith(letters[0]) or len(long) <= len(short):
        return False
    at = 0
    for letter in letters:
        at = rest.find(letter, at) + 1
        if at == 0:
            return False
    return True
