"""Plain tuples for the inner loops of layout: words, fragments, lines.

Units are points of the upright page, origin top left, y downwards. Words are
known by their index in the sequence that the caller gave.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

Placed = tuple[float, float, float, float, int]
"""A word: x0, y0, x1, y1, index."""

Box = tuple[float, float, float, float]
"""A rectangle: x0, y0, x1, y1."""

Fragment = tuple[float, float, float, float, tuple[Placed, ...]]
"""Words of one line without a wide gap: x0, y0, x1, y1, words from left to right."""

Line = tuple[float, float, float, float, tuple[Fragment, ...]]
"""One printed line of a column: x0, y0, x1, y1, fragments from left to right."""

GAP = 0.85
"""The widest space between words of one fragment, in heights of the words."""


def outline(boxes: Iterable[tuple[float, float, float, float, *tuple[Any, ...]]]) -> Box:
    """The smallest rectangle around rectangles whose first four items are x0, y0, x1, y1; at least one."""
    found = list(boxes)
    return (
        min([box[0] for box in found]),
        min([box[1] for box in found]),
        max([box[2] for box in found]),
        max([box[3] for box in found]),
    )


def typical_height(words: Sequence[Placed]) -> float:
    """The median height of ``words``, at least one point; 10 where there are none."""
    if not words:
        return 10.0
    return max(1.0, median([word[3] - word[1] for word in words]))


def join_fragments(words: Sequence[Placed], gap: float = GAP) -> list[Fragment]:
    """Chain words to the right as long as they stand on one line and no wide gap parts them.

    Two words stand on one line when they share more than half of the smaller
    one's height. Words of neighbouring columns whose lines are not level stay
    apart, whatever order the words came in.
    """
    if not words:
        return []
    step = typical_height(words)
    open_by_band: dict[int, list[list[Placed]]] = {}
    chains: list[list[Placed]] = []
    for word in sorted(words):
        x0, y0, x1, y1, _ = word
        height = y1 - y0
        band = int((y0 + y1) / 2 / step)
        best: list[Placed] | None = None
        best_shared = 0.0
        for near in (band - 1, band, band + 1):
            chain_list = open_by_band.get(near)
            if not chain_list:
                continue
            for chain in chain_list:
                last = chain[-1]
                last_height = last[3] - last[1]
                smaller = min(height, last_height)
                space = x0 - last[2]
                if space > gap * max(smaller, 0.6 * max(height, last_height)) or x1 < last[0]:
                    continue
                if space < -max(0.6 * smaller, 0.5 * min(x1 - x0, last[2] - last[0])):
                    continue  # printed on top of each other: not neighbours
                shared = min(y1, last[3]) - max(y0, last[1])
                if shared > 0.5 * smaller and shared > best_shared * max(smaller, 0.001):
                    best, best_shared = chain, shared / max(smaller, 0.001)
        if best is None:
            best = []
            chains.append(best)
        else:
            last = best[-1]
            open_by_band[int((last[1] + last[3]) / 2 / step)].remove(best)
        best.append(word)
        open_by_band.setdefault(band, []).append(best)
    return [(*outline(chain), tuple(chain)) for chain in chains]


def join_lines(fragments: Sequence[Fragment]) -> list[Line]:
    """Group the fragments of one column to lines, top to bottom; in a line left to right."""
    lines: list[Line] = []
    current: list[Fragment] = []
    top = bottom = 0.0
    for fragment in sorted(fragments, key=lambda item: (item[1] + item[3], item[0])):
        y0, y1 = fragment[1], fragment[3]
        if current:
            shared = min(bottom, y1) - max(top, y0)
            if shared > 0.5 * min(bottom - top, y1 - y0):
                current.append(fragment)
                if y1 - y0 > bottom - top and (y1 - y0) < 1.6 * (bottom - top):
                    top, bottom = y0, y1
                continue
            lines.append(_line(current))
        current = [fragment]
        top, bottom = y0, y1
    if current:
        lines.append(_line(current))
    return lines


def _line(fragments: list[Fragment]) -> Line:
    ordered = tuple(sorted(fragments, key=lambda item: item[0]))
    return (*outline(ordered), ordered)


def words_of(lines: Iterable[Line]) -> list[Placed]:
    """The words of ``lines`` in their order."""
    return [word for line in lines for fragment in line[4] for word in fragment[4]]
