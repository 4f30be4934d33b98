"""Text that does not run from left to right: turned by a right angle, slanting, or right to left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from extractor.layout.geometry import Box, Placed
from extractor.layout.ruling import Segment
from extractor.layout.table import FoundTable, in_reading_order

SLANTING = -1
"""Stands for every angle that is no multiple of a right angle."""


def right_angle(angle_deg: float) -> int:
    """0, 90, 180 or 270 when ``angle_deg`` is within five degrees of it, else SLANTING."""
    nearest = round(angle_deg / 90) * 90
    return nearest % 360 if abs(angle_deg - nearest) <= 5 else SLANTING


def main_angle(turned: Mapping[int, int], count: int) -> int:
    """The right angle by which more than half of a page's ``count`` words are turned, else 0."""
    if 2 * len(turned) <= count:
        return 0
    angle, number = Counter(turned.values()).most_common(1)[0]
    return angle if angle != SLANTING and 2 * number > count else 0


def turn_box(box: Sequence[float], angle: int, width: float, height: float) -> Box:
    """A box of the page as it stands after the page was turned back by ``angle`` degrees clockwise."""
    x0, y0, x1, y1 = box[:4]
    if angle == 90:
        return (y0, width - x1, y1, width - x0)
    if angle == 270:
        return (height - y1, x0, height - y0, x1)
    if angle == 180:
        return (width - x1, height - y1, width - x0, height - y0)
    return (x0, y0, x1, y1)


def turn_back(box: Sequence[float], angle: int, width: float, height: float) -> Box:
    """The inverse of :func:`turn_box`; ``width`` and ``height`` are those of the page as shown."""
    x0, y0, x1, y1 = box[:4]
    if angle == 90:
        return (width - y1, x0, width - y0, x1)
    if angle == 270:
        return (y0, height - x1, y1, height - x0)
    return turn_box(box, angle, width, height)


def turn_lines(
    horizontal: Sequence[Segment], vertical: Sequence[Segment], angle: int, width: float, height: float
) -> tuple[list[Segment], list[Segment]]:
    """Lines of the page after it was turned back, horizontal and vertical again, sorted."""
    found: tuple[list[Segment], list[Segment]] = ([], [])
    for y, low, high in horizontal:
        _add(found, turn_box((low, y, high, y), angle, width, height))
    for x, low, high in vertical:
        _add(found, turn_box((x, low, x, high), angle, width, height))
    return sorted(found[0]), sorted(found[1])


def _add(found: tuple[list[Segment], list[Segment]], box: Box) -> None:
    x0, y0, x1, y1 = box
    if x1 - x0 >= y1 - y0:
        found[0].append((y0, x0, x1))
    else:
        found[1].append((x0, y0, y1))


def order_turned(words: Sequence[Placed], turned: Mapping[int, int]) -> list[Placed]:
    """Words of one place that may be turned: each direction in its own reading order, level words first.

    Slanting words keep the order in which they were given.
    """
    by_angle: dict[int, list[Placed]] = {}
    for word in words:
        by_angle.setdefault(turned.get(word[4], 0), []).append(word)
    ordered: list[Placed] = []
    for angle in sorted(by_angle, key=lambda item: (item != 0, item)):
        group = by_angle[angle]
        if angle == SLANTING:
            ordered.extend(sorted(group, key=lambda word: word[4]))
        else:
            originals = {word[4]: word for word in group}
            upright = [(*turn_box(word, angle, 0.0, 0.0), word[4]) for word in group]
            ordered.extend(originals[word[4]] for word in in_reading_order(upright))
    return ordered


def order_cells(table: FoundTable, turned: Mapping[int, int]) -> None:
    """Put turned words of a table's cells in reading order."""
    for cell in table.cells:
        if any(word[4] in turned for word in cell.words):
            cell.words = order_turned(cell.words, turned)


def right_to_left(texts: Sequence[str]) -> set[int]:
    """The indexes of texts that hold a letter of a script written from right to left."""
    return {
        index
        for index, text in enumerate(texts)
        if not text.isascii()
        and any(
            "\u0590" <= letter <= "\u08ff" or "\ufb1d" <= letter <= "\ufdff" or "\ufe70" <= letter <= "\ufefc"
            for letter in text
        )
    }


def in_logical_order(words: list[Placed], leftward: Collection[int], texts: Sequence[str]) -> list[Placed]:
    """The words of one line, given from left to right, in the order in which they are read.

    The direction of a line is that of most of its words with letters; runs of
    the other direction are read their own way (a simplification of the Unicode
    bidirectional algorithm, UAX 9, without embeddings).
    """
    flags = [word[4] in leftward for word in words]
    if not any(flags):
        return words
    lettered = sum(1 for word in words if any(letter.isalpha() for letter in texts[word[4]]))
    mostly = 2 * sum(flags) > lettered
    source = words[::-1] if mostly else words
    ordered: list[Placed] = []
    run: list[Placed] = []
    for word in source:
        if (word[4] in leftward) != mostly:
            run.append(word)
        else:
            ordered.extend(reversed(run))
            run = []
            ordered.append(word)
    ordered.extend(reversed(run))
    return ordered
