"""Words of a text with exact places, and the windows in which a model reads them.

A word is a run of letters and digits (with the marks that combine with them) or
one other character; white space parts words and is no word. These are the
pieces that BERT's own pre-tokeniser makes (Devlin et al. 2019), so a model's
word pieces never reach over two words. Offsets are code points.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass

WORD = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+|[^\w\s]|_")
_SENTENCE_END = frozenset(".!?\u3002\uff01\uff1f")
_CLOSING = frozenset(")]}\"'\u2019\u201d")
_NO_END = frozenset(
    (
        "dr",
        "mr",
        "mrs",
        "ms",
        "prof",
        "st",
        "vs",
        "e.g",
        "i.e",
        "fig",
        "figs",
        "no",
        "approx",
        "ca",
        "al",
        "etc",
        "spp",
        "sp",
        "subsp",
        "var",
        "cf",
        "resp",
        "inc",
        "ltd",
    )
)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one text: ``texts[i]`` is ``text[starts[i]:ends[i]]``.

    ``breaks`` holds, in order, each word index at which a new sentence, line
    group or cell begins; 0 is not among them.
    """

    texts: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    breaks: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.texts)


def words_of(text: str, borders: Collection[int] = (), *, offset: int = 0) -> Words:
    """Words of a text and the places where it may be cut.

    ``borders`` are code points at which something new begins whatever the
    punctuation says (a block, a cell, a page). ``offset`` is added to starts and ends.
    """
    texts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    breaks: list[int] = []
    wanted = sorted(borders)
    end_before = 0
    passed = bisect_right(wanted, 0)
    for found in WORD.finditer(text):
        start, end = found.span()
        here = len(texts)
        if here:
            reached = bisect_right(wanted, start)
            gap = text[end_before:start]
            if (
                reached > passed
                or "\f" in gap
                or gap.count("\n") > 1
                or _ends_sentence(texts, gap, found.group())
            ):
                breaks.append(here)
            passed = reached
        texts.append(found.group())
        starts.append(start + offset)
        ends.append(end + offset)
        end_before = end
    return Words(tuple(texts), tuple(starts), tuple(ends), tuple(breaks))


def _ends_sentence(texts: Sequence[str], gap: str, following: str) -> bool:
    """Whether the words so far end a sentence before ``following``: a full stop, space, no small letter."""
    if not gap or following[0].islower():
        return False
    last = len(texts) - 1
    while last > 0 and texts[last] in _CLOSING and len(texts) - last < 3:
        last -= 1
    if texts[last] not in _SENTENCE_END:
        return False
    before = texts[last - 1].lower() if last else ""
    return texts[last] != "." or not (before in _NO_END or (len(before) == 1 and before.isalpha()))


@dataclass(frozen=True, slots=True)
class Window:
    """Words ``first`` to ``last`` (half-open) that a model reads together; ``keep_*`` is the part it answers for."""

    first: int
    last: int
    keep_first: int
    keep_last: int


def windows_of(words: Words, lengths: Sequence[int], *, limit: int, overlap: int = 32) -> list[Window]:
    """Cover all words by windows of at most ``limit`` word pieces, cut where sentences begin.

    ``lengths[i]`` is the number of word pieces of word ``i``. A sentence longer
    than the limit is read in windows that share ``overlap`` pieces, each word
    answered for by the window in which it stands further from the edge. Every
    word is answered for by exactly one window.
    """
    total = len(words)
    found: list[Window] = []
    bounds = (*words.breaks, total)
    first = 0
    while first < total:
        size, last = 0, first
        while last < total and (size + lengths[last] <= limit or last == first):
            size += lengths[last]
            last += 1
        if last < total:
            at = bisect_right(bounds, last) - 1
            cut = bounds[at] if at >= 0 else 0
            if cut > first:
                last = cut
            else:
                back, shared = last, 0
                while back > first + 1 and shared < overlap:
                    back -= 1
                    shared += lengths[back]
                if back > first + 1 and shared < size:
                    found.append(Window(first, last, first, last))
                    first = back
                    continue
        found.append(Window(first, last, first, last))
        first = last
    return _parted(found)


def _parted(windows: list[Window]) -> list[Window]:
    """Each shared word is kept by one window: the overlap is halved."""
    kept: list[Window] = []
    for place, window in enumerate(windows):
        keep_first = kept[-1].keep_last if kept else 0
        following = windows[place + 1].first if place + 1 < len(windows) else window.last
        keep_last = (window.last + following + 1) // 2 if following < window.last else window.last
        kept.append(Window(window.first, window.last, keep_first, keep_last))
    return kept
