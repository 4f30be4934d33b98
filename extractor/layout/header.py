"""Which rows at the top of a table are its header."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from extractor.layout.table import FoundCell, FoundTable

Shade = tuple[float, float, float, float, float]
"""A filled area: x0, y0, x1, y1, grey 0 (black) to 1 (white); later ones lie on top."""

MAX_HEADER_ROWS = 3


def count_header_rows(
    table: FoundTable, texts: Sequence[str], *, bold: Collection[int], shades: Sequence[Shade]
) -> int:
    """The number of leading rows that are a header, 0..3, never all rows.

    Signs, the strongest first: a ground that no later row has; bold type that
    later rows have not; labels above columns of numbers.
    """
    if table.row_count < 2:
        return 0
    rows: list[list[FoundCell]] = [[] for _ in range(table.row_count)]
    for cell in table.cells:
        rows[cell.row].append(cell)
    limit = min(MAX_HEADER_ROWS, table.row_count - 1)
    return (
        _by_shade(rows, limit, _inside(shades, table))
        or _by_weight(rows, limit, bold)
        or _by_content(rows, texts, table.column_count)
    )


def _inside(shades: Sequence[Shade], table: FoundTable) -> list[Shade]:
    x0, y0, x1, y1 = table.box
    return [shade for shade in shades if shade[0] < x1 and x0 < shade[2] and shade[1] < y1 and y0 < shade[3]]


def _by_shade(rows: list[list[FoundCell]], limit: int, shades: list[Shade]) -> int:
    if not shades:
        return 0
    first = _ground(rows[0], shades)
    if first is None or first > 0.97:
        return 0
    count = 1
    while count <= limit and _same(_ground(rows[count], shades), first):
        count += 1
    if count > limit or any(_same(_ground(row, shades), first) for row in rows[count:]):
        return 0
    return count if len(rows) > 2 or first < 0.9 else 0


def _same(one: float | None, other: float) -> bool:
    return one is not None and abs(one - other) < 0.02


def _ground(row: list[FoundCell], shades: list[Shade]) -> float | None:
    """The grey under all cells of a row; None when it is white paper or differs from cell to cell."""
    found: set[float] = set()
    for cell in row:
        x, y = (cell.box[0] + cell.box[2]) / 2, (cell.box[1] + cell.box[3]) / 2
        grey = next(
            (
                shade[4]
                for shade in reversed(shades)
                if shade[0] <= x <= shade[2] and shade[1] <= y <= shade[3]
            ),
            1.0,
        )
        found.add(round(grey, 2))
    return found.pop() if len(found) == 1 else None


def _by_weight(rows: list[list[FoundCell]], limit: int, bold: Collection[int]) -> int:
    if not bold:
        return 0
    count = 0
    while count <= limit and _all_bold(rows[count], bold) and (count == 0 or _filled(rows[count]) > 1):
        count += 1
    if not 0 < count <= limit or _filled(rows[0]) < 2 or _is_form(rows, bold):
        return 0
    later = [row for row in rows[count:] if _filled(row) > 1]  # a single cell is the title of a section
    return count if sum(1 for row in later if _all_bold(row, bold)) <= 0.2 * len(later) else 0


def _filled(row: list[FoundCell]) -> int:
    return sum(1 for cell in row if cell.words)


def _is_form(rows: list[list[FoundCell]], bold: Collection[int]) -> bool:
    """Two columns with bold labels on the left: the first row is one of them, whatever its value looks like."""
    if any(len(row) != 2 for row in rows):
        return False
    labels = sum(1 for row in rows[1:] if _all_bold(row[:1], bold))
    return labels >= 0.8 * (len(rows) - 1)


def _all_bold(row: list[FoundCell], bold: Collection[int]) -> bool:
    words = [word for cell in row for word in cell.words]
    return bool(words) and all(word[4] in bold for word in words)


def _by_content(rows: list[list[FoundCell]], texts: Sequence[str], column_count: int) -> int:
    """One row of labels, no cell of it blank or a number, over at least one column of numbers."""
    first = rows[0]
    if len(first) < column_count or len(rows) < 3 or not all(cell.words for cell in first):
        return 0
    if any(_is_number(cell, texts) or texts[cell.words[-1][4]][-1] == ":" for cell in first):
        return 0
    for column in range(column_count):
        cells = [cell for row in rows[1:] for cell in row if cell.column == column and cell.words]
        if len(cells) >= 2 and sum(1 for cell in cells if _is_number(cell, texts)) >= 0.6 * len(cells):
            return 1
    return 0


def _is_number(cell: FoundCell, texts: Sequence[str]) -> bool:
    text = "".join(texts[word[4]] for word in cell.words)
    digits = sum(1 for character in text if character.isdigit())
    return bool(text) and digits >= 0.4 * len(text)
