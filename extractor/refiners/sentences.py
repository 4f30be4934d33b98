"""Where sentences begin: the stretches inside which a trigger may speak about a mention.

Block, cell and page borders, blank lines, tabs, list items and headings always
begin one; a full stop, a question or exclamation mark does unless it belongs to an
abbreviation or an initial; a line break does where the line before it is short
and does not end in a word that asks for more. No model: a rule pack could not
say more about text that is half telegram style.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from extractor.document import Document
from extractor.refiners.sections import Section
from extractor.text.tokens import borders_of

LONGEST = 1_500
"""Characters; a longer stretch without any border is cut at a blank, else hard."""

_SHORT_LINE = 50
_ABBREVIATIONS = frozenset(
    (
        "dr", "mr", "mrs", "ms", "prof", "st", "vs", "e.g", "i.e", "etc", "al", "approx", "ca",
        "cf", "fig", "figs", "tab", "vol", "resp", "incl", "excl", "dept", "pt", "pts", "hx", "dx",
        "tx", "rx", "fx", "sx", "p.o", "b.i.d", "t.i.d", "q.i.d", "q.d", "q.h.s", "p.r.n", "i.v",
        "i.m", "s.c", "a.m", "p.m", "u.s", "y.o", "h.o", "r.o", "s.p", "w.o", "o.d", "o.s", "o.u",
        "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "inc",
        "ltd", "co", "corp", "jr", "sr", "ph.d", "m.d", "d.o", "r.n", "min", "max", "temp", "wt",
        "ht", "lat", "med",
    )
)  # fmt: skip
_BORDER = re.compile(
    r"""
    (?P<hard>\n[^\S\n]*\n\s*|[\t\f\v\x1c-\x1e\u2028\u2029]+\s*|\r(?!\n))   # blank line, cell, page
    |(?P<item>\n\s*(?=[-*\u2022\u2023\u25aa\u25cf\u00b7]\s|\(?\d{1,2}[.)]\s|[A-Za-z][)]\s|\[[ xX]?\]|[\u2610-\u2612]))
    |(?P<line>\n\s*)
    |(?P<stop>[.!?]["')\]\u201d]{0,2}(?:\s+|,\s*(?=[A-Z][A-Za-z ]{2,})))
    """,
    re.VERBOSE,
)
_UNFINISHED = re.compile(
    r"(?:[,/&-]|\b(?:and|or|nor|of|no|not|any|for|with|without|the|an?|to|in|on|at|by|from|denies|denied|has|had|have|"
    r"is|was|were|are|history|evidence|negative|positive|but|that|which|his|her|as|than|due|possible|likely))$",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"(?:no|yes|none|nil|denies|denied|negative|positive|absent|present|unknown)\b", re.IGNORECASE
)


class Sentences:
    """The sentences of one document, by offset."""

    def __init__(self, document: Document, sections: Sequence[Section] = ()) -> None:
        self._length = len(document.text)
        starts = set(borders_of(document))
        starts.update(section.span.start for section in sections)
        starts.update(_starts_in(document.text))
        starts.add(0)
        self._starts = _bounded(document.text, sorted(starts))

    def around(self, offset: int) -> tuple[int, int]:
        """Start and end (exclusive) of the sentence that holds ``offset``."""
        at = bisect_right(self._starts, offset)
        end = self._starts[at] if at < len(self._starts) else self._length
        return self._starts[max(0, at - 1)], end

    def after(self, offset: int) -> tuple[int, int] | None:
        """The sentence that follows the one of ``offset``, None at the end."""
        _, end = self.around(offset)
        return self.around(end) if end < self._length else None


def _starts_in(text: str) -> list[int]:
    starts = []
    line_start = 0
    for found in _BORDER.finditer(text):
        kind, end = found.lastgroup, found.end()
        if kind == "stop":
            if _ends_sentence(text, found.start(), end):
                starts.append(end)
            if "\n" in found.group():
                line_start = end
            continue
        if kind != "line" or _ends_line(
            text[max(line_start, found.start() - 200) : found.start()], text[end : end + 1]
        ):
            starts.append(end)
        line_start = end
    return starts


def _ends_line(line: str, following: str) -> bool:
    """Whether a line break after ``line`` parts two statements."""
    stripped = line.rstrip()
    if not stripped or stripped[-1] in ".!?:":
        return True
    starts_anew = following.isupper() or following.isdigit() or not following.isalnum()
    return len(stripped) < _SHORT_LINE and starts_anew and not _UNFINISHED.search(stripped)


def _ends_sentence(text: str, mark: int, following: int) -> bool:
    """Whether the mark at offset ``mark`` ends a sentence; ``following`` is where the next would begin."""
    after = text[following : following + 1]
    if text[mark] == "?" and _ANSWER.match(text, following):
        return False  # "Fever? No."
    if text[mark] != ".":
        return True
    if after.islower():
        return False
    before = text[max(0, mark - 14) : mark]
    word = before.split()[-1].lower().lstrip("([\"'") if before.strip() else ""
    if word in {"no", "nos"} and after.isdigit():
        return False  # "No. 5"
    if word in _ABBREVIATIONS:
        # "p.o. The patient": a dose may end a sentence, a title never does
        return "." in word and after.isupper() and word not in {"e.g", "i.e", "u.s"}
    return not (len(word) == 1 and word.isalpha() and after.isupper() and word != "i")


def _bounded(text: str, starts: list[int]) -> list[int]:
    bounded = []
    for at, start in enumerate(starts):
        end = starts[at + 1] if at + 1 < len(starts) else len(text)
        here = start
        bounded.append(here)
        while end - here > LONGEST:
            cut = text.rfind(" ", here + LONGEST // 2, here + LONGEST)
            here = cut + 1 if cut > here else here + LONGEST
            bounded.append(here)
    return bounded
