"""A second look at the places of a page that the first engine doubted or missed.

Reading a whole page again costs several times the first reading; the doubtful
words and the unread letters of an otherwise good page are a few short strips.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from extractor.layout.geometry import Placed, join_fragments
from extractor.ocr.marks import dash_of
from extractor.ports import OcrWord

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from extractor.ocr.ink import Boxes, Ink
    from extractor.ports import Image

MOST_PLACES = 90
"""Of more doubtful places than this, the most doubtful are looked at again: the time per page has a bound."""

_ACCEPT = 0.85
"""The second reading replaces a doubtful first one from this confidence on."""

_AS_SURE = 0.03
"""The second reading of a suspect sign may be less sure than the first by this much."""

_GLUED = 0.2
"""A gap between words of less than so many letters is no space."""

_ONE_RUN = 1.2
"""Doubtful words of one line are read together up to this gap, in heights of a word."""

_MOST_BRIDGED = 6.0
"""Gaps of up to so many letters are looked into for letters that were passed over."""

_MOST_OF_A_LETTER = 1.6
"""Blobs larger than so many typical letters are no letters of a cell."""

_ACCEPT_MISSED = 0.75
_ACCEPT_MISSED_SIGN = 0.9
_SIGNS = frozenset("≥≤±+<>%°=")
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "−": "-", "`": "'"})  # noqa: RUF001

Rect = tuple[float, float, float, float]


@runtime_checkable
class LineReader(Protocol):
    """An engine that can also read pictures of single lines."""

    def read_lines(self, lines: Sequence[Image], *, timeout_s: float) -> list[tuple[OcrWord, ...]]:
        """The words of each line, in pixels of its own picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A strip of the picture to read again, instead of the words with these indexes.

    ``letters`` says that the strip is drawn around letters, not words: unread
    ones, or those of a column of cells that was taken for one word on end.
    """

    box: Rect
    words: tuple[int, ...]
    letters: bool = False


def is_upended(word: OcrWord, letter_px: float) -> bool:
    """Whether a short word is much higher than a line and narrow: the same letter in several rows, read as one."""
    height, width = word.y1_px - word.y0_px, word.x1_px - word.x0_px
    return len(word.text) <= 8 and height > 2.3 * letter_px and height > 1.3 * width


def lost_columns(words: Sequence[OcrWord], ink: Ink, *, scale: float) -> int:
    """How many upended words hold two or more unread letters of ordinary size: cells, not a seal or a drawing."""
    letters = unread(ink, words, scale=scale)
    fit = letters[(letters[:, 2:4] < _MOST_OF_A_LETTER * ink.size_px).all(axis=1)]
    x, y = (fit[:, 0] + fit[:, 2] / 2) * scale, (fit[:, 1] + fit[:, 3] / 2) * scale
    return sum(
        int(((word.x0_px <= x) & (x <= word.x1_px) & (word.y0_px <= y) & (y <= word.y1_px)).sum()) >= 2
        for word in words
        if is_upended(word, ink.size_px * scale)
    )


def unread(ink: Ink, words: Sequence[OcrWord], *, scale: float) -> Boxes:
    """The letters (pixels of the ink's own mask) that lie in no word; ``scale`` takes these to words' pixels."""
    import numpy as np

    letters = ink.characters
    if not len(letters):
        return letters
    height, width = ink.mask.shape
    covered = np.zeros((height, width), dtype=bool)
    reach = 0.15 * ink.size_px
    for word in words:
        if is_upended(word, ink.size_px * scale):
            continue
        x0, y0 = max(0, int(word.x0_px / scale - reach)), max(0, int(word.y0_px / scale - reach))
        x1, y1 = int(word.x1_px / scale + reach) + 1, int(word.y1_px / scale + reach) + 1
        covered[y0:y1, x0:x1] = True
    longer = np.maximum(letters[:, 2], letters[:, 3])
    of_size = (longer > 0.35 * ink.size_px) & (longer < 2.5 * ink.size_px)
    x = letters[:, 0] + letters[:, 2] // 2
    y = letters[:, 1] + letters[:, 3] // 2
    found: Boxes = letters[of_size & ~covered[y, x]]
    return found


def find_places(
    words: Sequence[OcrWord], ink: Ink, *, scale: float, doubtful: Collection[int]
) -> list[Place]:
    """Runs of doubtful words on one line, and groups of unread letters, in pixels of the words.

    ``doubtful`` are indexes of words; ``scale`` takes the pixels of ``ink`` to
    those of the words.
    """
    letter_px = ink.size_px * scale
    left = unread(ink, words, scale=scale)
    upended = [index for index, word in enumerate(words) if is_upended(word, letter_px)]
    missed = [
        (x * scale, y * scale, (x + width) * scale, (y + height) * scale, index)
        for index, (x, y, width, height) in enumerate(left[:, :4].tolist())
    ]
    places: list[Place] = []
    items: list[Placed] = []  # words, and groups of unread letters as if they were words
    for fragment in join_fragments(missed, 1.0):
        group = fragment[:4]
        within = [index for index in upended if _inside(group, words[index])]
        if within:
            places.append(Place(box=group, words=(within[0],), letters=True))
        else:
            items.append((*group, len(words) + len(items)))
    taken = {index for place in places for index in place.words}
    items += [
        (word.x0_px, word.y0_px, word.x1_px, word.y1_px, index)
        for index, word in enumerate(words)
        if index not in taken
    ]
    for fragment in join_fragments(items, _MOST_BRIDGED / 2):
        line = fragment[4]
        low = [item[4] >= len(words) or item[4] in doubtful for item in line]
        # Pieces without a space between them are one word: doubt spreads over all of them.
        glued = [
            after[0] - before[2] < _GLUED * letter_px
            or (after[0] - before[2] < _MOST_BRIDGED * letter_px and _is_bridged(before, after, ink, scale))
            for before, after in pairwise(line)
        ]
        for at, together in enumerate(glued):
            low[at + 1] = low[at + 1] or (together and low[at])
        for at, together in reversed(list(enumerate(glued))):
            low[at] = low[at] or (together and low[at + 1])
        first = 0
        for at in range(len(line)):
            apart = at + 1 == len(line) or not (
                glued[at] or line[at + 1][0] - line[at][2] < _ONE_RUN * (line[at][3] - line[at][1])
            )
            if low[at] and (apart or not low[at + 1]):
                places.append(_run(line, first, at, len(words)))
                first = at + 1
            elif not low[at]:
                first = at + 1
    return places


def _is_bridged(
    before: tuple[float, float, float, float, int],
    after: tuple[float, float, float, float, int],
    ink: Ink,
    scale: float,
) -> bool:
    """Whether there is ink between two words of a line: letters nobody read; an underline is none."""
    x0, x1 = round(before[2] / scale) + 1, round(after[0] / scale) - 1
    top = max(before[1], after[1])
    foot = min(before[3], after[3])
    y0, y1 = round(top / scale), round((foot - 0.25 * (foot - top)) / scale)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return False
    return float(ink.mask[y0:y1, x0:x1].any(axis=0).mean()) > 0.5


def _inside(group: Rect, word: OcrWord) -> bool:
    x, y = (group[0] + group[2]) / 2, (group[1] + group[3]) / 2
    return word.x0_px <= x <= word.x1_px and word.y0_px <= y <= word.y1_px


def _run(
    line: Sequence[tuple[float, float, float, float, int]], first: int, last: int, word_count: int
) -> Place:
    """The strip of items ``first`` to ``last`` of a line, up to half way to its neighbours."""
    own = line[first : last + 1]
    x0, x1 = own[0][0], own[-1][2]
    y0, y1 = min(item[1] for item in own), max(item[3] for item in own)
    indexes = tuple(item[4] for item in own if item[4] < word_count)
    if not indexes:
        return Place(box=(x0, y0, x1, y1), words=(), letters=True)
    room = 0.35 * (y1 - y0)
    before = line[first - 1][2] if first else x0 - 2 * room
    after = line[last + 1][0] if last + 1 < len(line) else x1 + 2 * room
    x0 = max(x0 - room, min(x0, (before + x0) / 2))
    x1 = min(x1 + room, max(x1, (after + x1) / 2))
    return Place(box=(x0, y0, x1, y1), words=indexes)


def strip_of(image: Image, place: Place) -> tuple[Image, float, float]:
    """The picture of a place with a little paper around it, and its left top corner."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = place.box
    pad = 0.15 * (y1 - y0) + 2
    side = 0.3 * (y1 - y0) + 2 if place.letters else 0.0
    left, top = max(0, int(x0 - side)), max(0, int(y0 - pad))
    right, bottom = min(width, int(x1 + side) + 1), min(height, int(y1 + pad) + 1)
    return image[top:bottom, left:right], float(left), float(top)


def merge(
    words: Sequence[OcrWord],
    places: Sequence[Place],
    readings: Sequence[Sequence[OcrWord]],
    *,
    letter_px: float,
) -> list[OcrWord]:
    """The words with each place's better reading; ``readings`` are in pixels of the page picture.

    Where both engines read the same signs the first one's words stay (its
    spaces are the better ones) with the higher confidence. A first reading is
    never dropped for nothing.
    """
    out: list[OcrWord | None] = list(words)
    extra: list[OcrWord] = []
    for place, found in zip(places, readings, strict=True):
        if place.letters:
            seen = _missed(place, found, letter_px)
            extra += seen
            for index in place.words if seen else ():
                out[index] = None
            continue
        old = [words[index] for index in place.words]
        sure = _confidence(found)
        if not found or not _is_latin(found):
            continue
        if _bare(old) == _bare(found):
            for index in place.words:
                out[index] = replace(words[index], confidence=max(words[index].confidence, sure))
        elif sure >= max(_ACCEPT, _confidence(old) - _AS_SURE):
            for index in place.words:
                out[index] = None
            extra += found
    return [word for word in out if word is not None] + extra


def _missed(place: Place, found: Sequence[OcrWord], letter_px: float) -> list[OcrWord]:
    """What stands in a group of letters that the first engine did not read at all."""
    x0, y0, x1, y1 = place.box
    dash = dash_of(x1 - x0, y1 - y0, letter_px)
    if dash is not None:
        return [OcrWord(text=dash, x0_px=x0, y0_px=y0, x1_px=x1, y1_px=y1, confidence=_ACCEPT_MISSED)]
    if not _is_latin(found):
        return []
    return [
        word
        for word in found
        if word.confidence >= (_ACCEPT_MISSED if len(word.text) > 1 else _ACCEPT_MISSED_SIGN)
        and any(sign.isalnum() or sign in _SIGNS for sign in word.text)
    ]


def _confidence(words: Sequence[OcrWord]) -> float:
    weight = sum(len(word.text) for word in words)
    return sum(word.confidence * len(word.text) for word in words) / weight if weight else 0.0


def _bare(words: Sequence[OcrWord]) -> str:
    return "".join(word.text for word in words).translate(_QUOTES)


def _is_latin(words: Sequence[OcrWord]) -> bool:
    """Whether no letter is of a script other than Latin and Greek."""
    return all(
        not sign.isalpha()
        or sign.isascii()
        or unicodedata.name(sign, "").startswith(("LATIN", "GREEK", "MICRO", "MASCULINE", "FEMININE"))
        for word in words
        for sign in word.text
    )
