"""Tables without column lines: columns aligned over several lines, with clear gutters between them.

Conservative: without any drawn line a table has at least three columns over
three rows of short cells; between two drawn lines two columns over two rows
will do.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from extractor.layout.geometry import Line, outline
from extractor.layout.ruling import Segment
from extractor.layout.table import FoundCell, FoundTable

MIN_GUTTER = 0.8
"""The narrowest gutter, in heights of a word."""

MAX_CELL_WORDS = 8.0
"""More words than this in the mean cell are running text."""

ALIGN_PT = 3.5
"""Edges this near to one another are aligned."""

Gutter = tuple[float, float]


def find_aligned(
    lines: Sequence[Line], horizontal: Sequence[Segment], height: float
) -> list[Line | FoundTable]:
    """The lines of one region, with every run of aligned lines replaced by the table it is."""
    found: list[Line | FoundTable] = []
    index = 0
    while index < len(lines):
        if len(lines[index][4]) > 1:
            end, gutters = _run(lines, index, height)
            if end - index > 1:
                table = _table(lines[index:end], gutters, horizontal, height)
                if table is not None:
                    found.append(table)
                    index = end
                    continue
        found.append(lines[index])
        index += 1
    return found


def _run(lines: Sequence[Line], start: int, height: float) -> tuple[int, list[Gutter]]:
    """How far the gutters of the line at ``start`` go down, and the part of them that stays free."""
    gutters = _gutters(lines[start], height)
    end = start + 1
    last_full = end
    thin = 0
    for index in range(start + 1, len(lines)):
        line = lines[index]
        if line[1] - lines[index - 1][3] > 2.2 * height or not gutters:
            break
        left = _narrow(gutters, line, height)
        if len(left) < len(gutters) and (len(left) < 0.5 * len(gutters) or index - start >= 3):
            break
        if len(line[4]) == 1:
            thin += 1
            if thin > 2:
                break
        else:
            thin = 0
            last_full = index + 1
        gutters = left
        end = index + 1
    end = min(end, last_full)
    # the lines that were trimmed may have narrowed the gutters: that does no harm
    return end, gutters


def _gutters(line: Line, height: float) -> list[Gutter]:
    fragments = line[4]
    return [
        (one[2], other[0]) for one, other in pairwise(fragments) if other[0] - one[2] >= MIN_GUTTER * height
    ]


def _narrow(gutters: list[Gutter], line: Line, height: float) -> list[Gutter]:
    """What the fragments of ``line`` leave free of each gutter; gutters that become too narrow are gone."""
    free: list[Gutter] = []
    for low, high in gutters:
        for x0, _, x1, _, _ in line[4]:
            if x1 <= low or x0 >= high:
                continue
            if x0 <= low and x1 >= high:
                low = high  # noqa: PLW2901 - the gutter shrinks
                break
            if x0 - low >= high - x1:
                high = x0  # noqa: PLW2901
            else:
                low = x1  # noqa: PLW2901
        if high - low >= MIN_GUTTER * height:
            free.append((low, high))
    return free


def _table(
    lines: Sequence[Line], gutters: list[Gutter], horizontal: Sequence[Segment], height: float
) -> FoundTable | None:
    columns = len(gutters) + 1
    full = [line for line in lines if len(line[4]) > 1]
    box = outline(lines)
    rules = [
        segment[0]
        for segment in horizontal
        if segment[1] <= box[0] + height
        and segment[2] >= box[2] - height
        and box[1] - 1.5 * height <= segment[0] <= box[3] + 1.5 * height
    ]
    middle = (box[1] + box[3]) / 2
    between = any(rule <= lines[0][1] + 0.3 * height for rule in rules) and any(
        rule >= lines[-1][3] - 0.3 * height for rule in rules if rule > middle
    )
    if columns < (2 if between else 3) or len(full) < (2 if between else 3):
        return None
    rows = _rows(lines, rules if between else [], gutters, height)
    if len(rows) < 2:
        return None
    cuts = [(low + high) / 2 for low, high in gutters]
    edges = [box[0], *cuts, box[2]]
    table = FoundTable(box=box, row_count=len(rows), column_count=columns, cells=[], ruled=False)
    tops = [outline(row) for row in rows]
    for number, row in enumerate(rows):
        y0 = box[1] if number == 0 else (tops[number - 1][3] + tops[number][1]) / 2
        y1 = box[3] if number == len(rows) - 1 else (tops[number][3] + tops[number + 1][1]) / 2
        cells = [
            FoundCell(
                row=number,
                column=column,
                row_span=1,
                column_span=1,
                box=(edges[column], min(y0, y1), edges[column + 1], max(y0, y1)),
            )
            for column in range(columns)
        ]
        for line in row:
            for fragment in line[4]:
                for word in fragment[4]:
                    cells[bisect_right(cuts, (word[0] + word[2]) / 2)].words.append(word)
        table.cells.extend(cells)
    table.finish()
    return table if _looks_like_one(table, between=between) else None


def _rows(
    lines: Sequence[Line], rules: list[float], gutters: list[Gutter], height: float
) -> list[list[Line]]:
    """Lines to rows: by the drawn lines where there are enough of them, else a row a line.

    A line without a first cell that stands closer to the line above than rows
    stand to one another goes on from the row above.
    """
    rules = sorted(rules)
    if len(rules) >= 4 and len(rules) >= 0.4 * len(lines):
        groups: dict[int, list[Line]] = {}
        for line in lines:
            groups.setdefault(bisect_left(rules, (line[1] + line[3]) / 2), []).append(line)
        return [groups[key] for key in sorted(groups)]
    gaps = [lower[1] - upper[3] for upper, lower in pairwise(lines) if lower[0] < gutters[0][0]]
    usual = median(gaps) if gaps else 0.0
    rows: list[list[Line]] = []
    for line in lines:
        if rows and line[0] >= gutters[0][0] and line[1] - rows[-1][-1][3] < usual - 0.15 * height:
            rows[-1].append(line)
        else:
            rows.append([line])
    return rows


def _looks_like_one(table: FoundTable, *, between: bool) -> bool:
    filled = [cell for cell in table.cells if cell.words]
    if sum(len(cell.words) for cell in filled) > MAX_CELL_WORDS * len(filled):
        return False
    for column in range(table.column_count):
        cells = [cell for cell in filled if cell.column == column]
        if len(cells) < 0.5 * table.row_count and not (between and len(cells) > 1):
            return False
        if not _is_aligned([outline(cell.words) for cell in cells]):
            return False
    return True


def _is_aligned(boxes: Sequence[tuple[float, float, float, float]]) -> bool:
    """Whether most boxes share a left edge, a right edge or a middle."""
    for places in (
        [box[0] for box in boxes],
        [box[2] for box in boxes],
        [(box[0] + box[2]) / 2 for box in boxes],
    ):
        centre = median(places)
        if sum(1 for place in places if abs(place - centre) <= ALIGN_PT) >= 0.6 * len(places):
            return True
    return False
