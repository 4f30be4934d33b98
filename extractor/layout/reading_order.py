"""Reading order of a page: columns are read one after the other, everything else line by line.

A gutter is looked for at the left edges that several fragments share. Between
two things that cross it (a title, a wide table) it parts the page into two
columns when both sides read as running text, or when their lines are not
level. Aligned pairs (a form, a list of keys and values) stay in rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from statistics import median

from extractor.layout.geometry import Fragment, outline
from extractor.layout.ruling import cluster
from extractor.layout.table import FoundTable

Item = tuple[float, float, float, float, "Fragment | FoundTable"]
"""A fragment or a table with its rectangle in front."""

MIN_LINES = 3
"""A column has at least this many lines."""

EDGE_PT = 3.0
"""Left edges this near to one another are one edge."""


WIDE = 9
"""A column of running text is at least this wide, in heights of a word."""

SOLID_LINES = 16
"""So many fragments, at least, show whether a column is justified text."""

SOLID_SHARE = 0.35
"""A strip of a column in which less of the height is print belongs to a gutter."""

SOLID_FILL = 0.7
"""The share of print in a column of justified text, gutters left out."""


def split_columns(items: Sequence[Item], height: float) -> list[list[Item]]:
    """Regions in reading order; within a region there are no columns.

    ``height`` is the typical height of a word on this page.
    """
    if len(items) < 2 * MIN_LINES:
        return [list(items)] if items else []
    best: tuple[int, list[Item], list[Item], list[Item], list[Item]] | None = None
    for cut in _candidates(items):
        found = _split_at(items, cut, height)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    if best is None:
        return [list(items)]
    return [region for part in best[1:] for region in split_columns(part, height)]


def _candidates(items: Sequence[Item]) -> list[float]:
    """Left edges that at least three fragments share, without the leftmost, fullest first."""
    edges = [item[0] for item in items if not isinstance(item[4], FoundTable)]
    places = cluster(edges, EDGE_PT)
    leftmost = min(item[0] for item in items) + EDGE_PT
    counts = [0] * len(places)
    for edge in edges:
        index = bisect_left(places, edge)
        near = min(
            (i for i in (index - 1, index) if 0 <= i < len(places)), key=lambda i: abs(places[i] - edge)
        )
        counts[near] += 1
    found = [
        (count, place)
        for count, place in zip(counts, places, strict=True)
        if count >= MIN_LINES and place > leftmost
    ]
    found.sort(reverse=True)
    return [place for _, place in found[:12]]


def _split_at(
    items: Sequence[Item], place: float, height: float
) -> tuple[int, list[Item], list[Item], list[Item], list[Item]] | None:
    """The fullest run of two columns parted just left of ``place``: size, above, left, right, below."""
    cut = place - EDGE_PT
    edge = cut - 0.8 * height  # a hanging quotation mark stands this far out
    crossing = sorted((item[1] + item[3]) / 2 for item in items if item[0] < edge and item[2] > place)
    runs: dict[int, tuple[list[Item], list[Item]]] = {}
    for item in items:
        if item[0] < edge and item[2] > place:
            continue
        run = runs.setdefault(bisect_left(crossing, (item[1] + item[3]) / 2), ([], []))
        run[item[0] >= edge].append(item)
    best: tuple[int, float, float] | None = None
    for left, right in runs.values():
        trimmed = _trim(left, right, height)
        if trimmed is None:
            continue
        size, top, bottom = trimmed
        if best is None or size > best[0]:
            best = trimmed
    if best is None:
        return None
    size, top, bottom = best
    parts: tuple[list[Item], list[Item], list[Item], list[Item]] = ([], [], [], [])
    for item in items:
        middle = (item[1] + item[3]) / 2
        if middle < top:
            parts[0].append(item)
        elif middle > bottom:
            parts[3].append(item)
        else:
            parts[2 if item[0] >= edge else 1].append(item)
    if not parts[1] or not parts[2]:
        return None
    return (size, *parts)


def _trim(left: list[Item], right: list[Item], height: float) -> tuple[int, float, float] | None:
    """Where the two columns run side by side: number of items, top, bottom; None if they are no columns.

    Short ends that a white band parts from the rest (running headers, a line of
    signatures) do not belong to the columns.
    """
    sections: list[tuple[list[Item], list[Item]]] = []
    reach = float("-inf")
    for item in sorted(left + right, key=lambda item: item[1]):
        if item[1] > reach + 0.8 * height:
            sections.append(([], []))
        sections[-1][any(item is other for other in right)].append(item)
        reach = max(reach, item[3])
    while (
        sections
        and _weight(sections[0][0], height) < MIN_LINES
        and _weight(sections[0][1], height) < MIN_LINES
    ):
        sections.pop(0)
    while (
        sections
        and _weight(sections[-1][0], height) < MIN_LINES
        and _weight(sections[-1][1], height) < MIN_LINES
    ):
        sections.pop()
    left = [item for section in sections for item in section[0]]
    right = [item for section in sections for item in section[1]]
    if _weight(left, height) < MIN_LINES or _weight(right, height) < MIN_LINES:
        return None
    _, left_top, _, left_bottom = outline(left)
    _, right_top, _, right_bottom = outline(right)
    beside = min(left_bottom, right_bottom) - max(left_top, right_top)
    if beside < 2.5 * height or not _are_columns(left, right, height):
        return None
    return len(left) + len(right), min(left_top, right_top), max(left_bottom, right_bottom)


def _weight(items: Sequence[Item], height: float) -> int:
    """How many lines the items make; a table counts as a column's worth."""
    tables = sum(1 for item in items if isinstance(item[4], FoundTable))
    lines = {round((item[1] + item[3]) / height) for item in items if not isinstance(item[4], FoundTable)}
    return MIN_LINES * tables + len(lines)


def _are_columns(left: Sequence[Item], right: Sequence[Item], height: float) -> bool:
    """Whether the two sides are read one after the other rather than row by row."""
    left_lines = [item for item in left if not isinstance(item[4], FoundTable)]
    right_lines = [item for item in right if not isinstance(item[4], FoundTable)]
    if not left_lines or not right_lines or _tables_beside(left, right):
        return True
    wide = WIDE * height
    left_is_wide = median([item[2] - item[0] for item in left_lines]) >= wide
    right_is_wide = median([item[2] - item[0] for item in right_lines]) >= wide
    if left_is_wide and right_is_wide and _is_full(left_lines, height):
        return True
    few, many = sorted((left_lines, right_lines), key=len)
    middles = sorted((item[1] + item[3]) / 2 for item in many)
    level = 0
    for item in few:
        middle = (item[1] + item[3]) / 2
        index = bisect_left(middles, middle)
        if any(abs(middles[i] - middle) < 0.2 * height for i in (index - 1, index) if 0 <= i < len(middles)):
            level += 1
    share = level / len(few)
    if share < 0.5 if left_is_wide or right_is_wide else share < 0.35 and len(few) > 4:
        return True
    return _is_solid(left_lines, height, on_the_right=True) and _is_solid(
        right_lines, height, on_the_right=False
    )


def _is_full(lines: Sequence[Item], height: float) -> bool:
    """Whether half of the printed lines reach the right edge, as running text does, in one column or several."""
    edge = max([line[2] for line in lines])
    width = median([line[2] - line[0] for line in lines])
    reach: dict[int, float] = {}
    for line in lines:
        row = round((line[1] + line[3]) / 2 / height)
        reach[row] = max(reach.get(row, 0.0), line[2])
    return sum(1 for end in reach.values() if end >= edge - 0.2 * width) >= 0.5 * len(reach)


def _is_solid(lines: Sequence[Item], height: float, *, on_the_right: bool) -> bool:
    """Whether the band of print at one edge of ``lines`` is a column of justified text.

    Justified lines may fall apart into words, but leave no gutter and little
    white: nothing that is set in rows and columns is so wide and so full.
    """
    if len(lines) < SOLID_LINES:
        return False
    start = min([line[0] for line in lines])
    covered = [0.0] * (int((max([line[2] for line in lines]) - start) / height) + 2)
    for x0, _, x1, _, _ in lines:
        first, last = int((x0 - start) / height), int((x1 - start) / height)
        if first == last:
            covered[first] += x1 - x0
            continue
        covered[first] += height * (first + 1) - (x0 - start)
        covered[last] += (x1 - start) - height * last
        for bin_no in range(first + 1, last):
            covered[bin_no] += height
    order = range(len(covered))
    band: list[int] = []
    least = SOLID_SHARE * height * len({round((line[1] + line[3]) / 2 / height) for line in lines})
    for bin_no in reversed(order) if on_the_right else order:
        if covered[bin_no] >= least:
            band.append(bin_no)
        elif band:  # a gutter ends the band
            break
    if len(band) < WIDE:
        return False
    x0, x1 = start + height * min(band), start + height * (max(band) + 1)
    rows = {round((line[1] + line[3]) / 2 / height) for line in lines if line[2] > x0 and line[0] < x1}
    return sum([covered[bin_no] for bin_no in band]) >= SOLID_FILL * height * len(band) * len(rows)


def _tables_beside(left: Sequence[Item], right: Sequence[Item]) -> bool:
    """Whether a table on the left stands beside one on the right: nobody reads across two tables."""
    return any(
        isinstance(one[4], FoundTable)
        and isinstance(other[4], FoundTable)
        and min(one[3], other[3]) - max(one[1], other[1]) > 0.5 * min(one[3] - one[1], other[3] - other[1])
        for one in left
        for other in right
    )
