"""Tables from ruling lines: lines that touch form a grid, missing edges merge its cells."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from extractor.layout.geometry import Box, Placed
from extractor.layout.ruling import Segment, cluster
from extractor.layout.table import FoundCell, FoundTable, compress

TOUCH_PT = 3.0
"""Two lines meet when the gap between them is no wider than this."""

OPEN_SIDE_PT = 8.0
"""Row lines that reach this far past the outermost column line form one more column without a border."""

MAX_CELLS = 20_000
"""A finer grid than this is graph paper or hatching."""


def find_grids(
    words: Sequence[Placed], horizontal: Sequence[Segment], vertical: Sequence[Segment]
) -> tuple[list[FoundTable], list[Placed], set[int]]:
    """The ruled tables, the words outside them, and the numbers of the horizontal lines they used up.

    A grid needs two columns with words in two of its cells. Where one grid lies
    inside another, the one with more cells is the table.
    """
    accepted: list[tuple[FoundTable, list[int]]] = []
    for h_numbers, v_numbers in sorted(
        _components(horizontal, vertical), key=lambda item: len(item[0]) * len(item[1])
    ):
        table = _grid([horizontal[i] for i in h_numbers], [vertical[i] for i in v_numbers])
        if table is not None:
            accepted.append((table, h_numbers))
    accepted.sort(key=lambda item: (item[0].box[2] - item[0].box[0]) * (item[0].box[3] - item[0].box[1]))
    kept: list[tuple[FoundTable, list[int]]] = []
    for table, h_numbers in accepted:
        inner = [item for item in kept if _inside(item[0].box, table.box)]
        if inner and sum(len(item[0].cells) for item in inner) >= len(table.cells):
            continue
        kept = [item for item in kept if item not in inner]
        kept.append((table, h_numbers))

    rest: list[Placed] = list(words)
    tables: list[FoundTable] = []
    used: set[int] = set()
    for table, h_numbers in kept:
        rest = _fill(table, rest)
        if _is_table(table) and compress(table):
            table.finish()
            tables.append(table)
            used.update(h_numbers)
        else:
            rest.extend(table.words)
    return tables, rest, used


def _components(
    horizontal: Sequence[Segment], vertical: Sequence[Segment]
) -> list[tuple[list[int], list[int]]]:
    """Groups of lines that touch one another: at least two of each direction."""
    count = len(horizontal)
    parent = list(range(count + len(vertical)))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    places = [segment[0] for segment in horizontal]
    for number, (x, y0, y1) in enumerate(vertical):
        first = bisect_left(places, y0 - TOUCH_PT)
        last = bisect_right(places, y1 + TOUCH_PT)
        for index in range(first, last):
            _, x0, x1 = horizontal[index]
            if x0 - TOUCH_PT <= x <= x1 + TOUCH_PT:
                a, b = root(index), root(count + number)
                if a != b:
                    parent[b] = a
    groups: dict[int, tuple[list[int], list[int]]] = {}
    for index in range(count):
        groups.setdefault(root(index), ([], []))[0].append(index)
    for number in range(len(vertical)):
        groups.setdefault(root(count + number), ([], []))[1].append(number)
    return [group for group in groups.values() if len(group[0]) > 1 and group[1]]


def _grid(horizontal: list[Segment], vertical: list[Segment]) -> FoundTable | None:
    """The cells that touching lines enclose, without words yet."""
    xs = cluster([segment[0] for segment in vertical], TOUCH_PT)
    ys = cluster([segment[0] for segment in horizontal], TOUCH_PT)
    left = sorted(segment[1] for segment in horizontal)[len(horizontal) // 2]
    right = sorted(segment[2] for segment in horizontal)[len(horizontal) // 2]
    top = sorted(segment[1] for segment in vertical)[len(vertical) // 2]
    bottom = sorted(segment[2] for segment in vertical)[len(vertical) // 2]
    xs = _open_sides(xs, left, right)
    ys = _open_sides(ys, top, bottom)
    row_count, column_count = len(ys) - 1, len(xs) - 1
    if row_count < 1 or column_count < 2 or row_count * column_count > MAX_CELLS:
        return None
    upright = _by_place(vertical, xs)
    level = _by_place(horizontal, ys)
    right_edge = [
        [_covers(upright[column + 1], ys[row], ys[row + 1]) for column in range(column_count)]
        for row in range(row_count)
    ]
    bottom_edge = [
        [_covers(level[row + 1], xs[column], xs[column + 1]) for column in range(column_count)]
        for row in range(row_count)
    ]
    cells = [
        FoundCell(
            row=row,
            column=column,
            row_span=row_span,
            column_span=column_span,
            box=(xs[column], ys[row], xs[column + column_span], ys[row + row_span]),
        )
        for row, column, row_span, column_span in _merge(right_edge, bottom_edge)
    ]
    return FoundTable(
        box=(xs[0], ys[0], xs[-1], ys[-1]), row_count=row_count, column_count=column_count, cells=cells
    )


def _open_sides(places: list[float], low: float, high: float) -> list[float]:
    if low < places[0] - OPEN_SIDE_PT:
        places = [low, *places]
    if high > places[-1] + OPEN_SIDE_PT:
        places = [*places, high]
    return places


def _by_place(segments: list[Segment], places: list[float]) -> list[list[Segment]]:
    """The segments that lie on each of ``places``."""
    found: list[list[Segment]] = [[] for _ in places]
    for segment in segments:
        index = bisect_left(places, segment[0])
        near = min(
            (i for i in (index - 1, index) if 0 <= i < len(places)), key=lambda i: abs(places[i] - segment[0])
        )
        found[near].append(segment)
    return found


def _covers(segments: list[Segment], start: float, end: float) -> bool:
    """Whether the segments cover more than half of the way from ``start`` to ``end``."""
    covered = 0.0
    for _, low, high in segments:
        shared = min(high, end) - max(low, start)
        if shared > 0:
            covered += shared
    return covered > 0.5 * (end - start)


def _merge(right_edge: list[list[bool]], bottom_edge: list[list[bool]]) -> list[tuple[int, int, int, int]]:
    """Rectangles of places without a line between them: row, column, row span, column span.

    A group of places that is no rectangle falls apart into pieces of one row.
    """
    row_count, column_count = len(right_edge), len(right_edge[0])
    seen = [[False] * column_count for _ in range(row_count)]
    merged: list[tuple[int, int, int, int]] = []
    for row in range(row_count):
        for column in range(column_count):
            if seen[row][column]:
                continue
            places = [(row, column)]
            seen[row][column] = True
            for r, c in places:  # grows while it is walked
                for next_r, next_c, is_open in (
                    (r, c + 1, c + 1 < column_count and not right_edge[r][c]),
                    (r, c - 1, c > 0 and not right_edge[r][c - 1]),
                    (r + 1, c, r + 1 < row_count and not bottom_edge[r][c]),
                    (r - 1, c, r > 0 and not bottom_edge[r - 1][c]),
                ):
                    if is_open and not seen[next_r][next_c]:
                        seen[next_r][next_c] = True
                        places.append((next_r, next_c))
            if len(places) == 1:
                merged.append((row, column, 1, 1))
                continue
            rows = sorted({r for r, _ in places})
            columns = sorted({c for _, c in places})
            height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
            if height * width == len(places):
                merged.append((rows[0], columns[0], height, width))
            else:
                merged.extend(_runs(places))
    return merged


def _runs(places: list[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    runs: list[list[int]] = []
    for row, column in sorted(places):
        if runs and runs[-1][0] == row and runs[-1][1] + runs[-1][3] == column:
            runs[-1][3] += 1
        else:
            runs.append([row, column, 1, 1])
    return [(row, column, row_span, column_span) for row, column, row_span, column_span in runs]


def _inside(inner: Box, outer: Box) -> bool:
    return (
        inner[0] >= outer[0] - TOUCH_PT
        and inner[1] >= outer[1] - TOUCH_PT
        and inner[2] <= outer[2] + TOUCH_PT
        and inner[3] <= outer[3] + TOUCH_PT
    )


def _fill(table: FoundTable, words: list[Placed]) -> list[Placed]:
    """Give each word to the cell that holds its centre; the words left over."""
    x0, y0, x1, y1 = table.box
    xs = sorted({cell.box[0] for cell in table.cells} | {cell.box[2] for cell in table.cells})
    ys = sorted({cell.box[1] for cell in table.cells} | {cell.box[3] for cell in table.cells})
    owner: dict[tuple[int, int], FoundCell] = {}
    x_index = {place: number for number, place in enumerate(xs)}
    y_index = {place: number for number, place in enumerate(ys)}
    for cell in table.cells:
        for row in range(y_index[cell.box[1]], y_index[cell.box[3]]):
            for column in range(x_index[cell.box[0]], x_index[cell.box[2]]):
                owner[row, column] = cell
    rest: list[Placed] = []
    for word in words:
        x = (word[0] + word[2]) / 2
        y = (word[1] + word[3]) / 2
        if x0 < x < x1 and y0 < y < y1:
            found = owner.get((bisect_right(ys, y) - 1, bisect_right(xs, x) - 1))
            if found is not None:
                found.words.append(word)
                continue
        rest.append(word)
    return rest


def _is_table(table: FoundTable) -> bool:
    """Whether enough of the grid carries words: plots and hatchings do not."""
    filled = sum(1 for cell in table.cells if cell.words)
    return filled > 1 and filled >= 0.04 * len(table.cells)
