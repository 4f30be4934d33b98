"""Rows of figures between two drawn lines: grids that rule only every few rows, or none of them."""

from __future__ import annotations

from collections.abc import Sequence

from extractor.layout.geometry import Line, join_lines
from extractor.layout.ruling import cluster
from extractor.layout.table import FoundCell, FoundTable

MIN_ROWS = 3
"""Fewer level lines than this may be one row of wrapped text."""

MIN_COLUMNS = 3
"""Fewer columns than this do not prove a row."""

FULL = 0.75
"""A row starts where this share of the columns in use has a line."""

FIGURES = 0.5
"""The share of entries that are mostly digits from which wrapped text is ruled out."""


def split_rows(table: FoundTable, texts: Sequence[str]) -> None:
    """Part each drawn row whose cells hold several level lines of figures into as many rows.

    Only rows without merged cells are looked at. Lines between the level ones
    belong to the row above.
    """
    rows: dict[int, list[FoundCell]] = {}
    for cell in table.cells:
        rows.setdefault(cell.row, []).append(cell)
    shift = 0
    cells: list[FoundCell] = []
    for row in sorted(rows):
        group = rows[row]
        for cell in group:
            cell.row += shift
        parts = _parts(group, texts)
        if parts:
            cells.extend(parts)
            added = max(cell.row for cell in parts) - group[0].row
            for cell in cells:  # a cell that reaches into this row from above grows with it
                if cell.row < group[0].row < cell.row + cell.row_span:
                    cell.row_span += added
            shift += added
        else:
            cells.extend(group)
    if shift:
        table.row_count += shift
        table.cells = cells
        table.finish()


def _parts(group: list[FoundCell], texts: Sequence[str]) -> list[FoundCell]:
    filled = [cell for cell in group if cell.words]
    if len(filled) < MIN_COLUMNS or any(cell.row_span > 1 for cell in group):
        return []
    lines = [join_lines([(*word[:4], (word,)) for word in cell.words]) for cell in filled]
    if sum(1 for found in lines if len(found) >= MIN_ROWS) < FULL * len(filled):
        return []
    height = lines[0][0][3] - lines[0][0][1]
    places = cluster([_middle(line) for found in lines for line in found], 0.25 * height)
    counts = [
        sum(1 for found in lines if any(abs(_middle(line) - place) <= 0.4 * height for line in found))
        for place in places
    ]
    starts = [place for place, count in zip(places, counts, strict=True) if count >= FULL * len(filled)]
    if len(starts) < MIN_ROWS or starts[0] != places[0]:
        return []
    entries = [
        "".join(texts[word[4]] for fragment in line[4] for word in fragment[4])
        for found in lines
        for line in found
    ]
    if sum(1 for entry in entries if _is_figure(entry)) < FIGURES * len(entries):
        return []
    tops = [start - height / 2 for start in starts]
    parts: list[FoundCell] = []
    for cell in group:
        x0, y0, x1, y1 = cell.box
        edges = [y0, *tops[1:], y1]
        split = [
            FoundCell(
                row=cell.row + number,
                column=cell.column,
                row_span=1,
                column_span=cell.column_span,
                box=(x0, edges[number], x1, max(edges[number], edges[number + 1])),
            )
            for number in range(len(starts))
        ]
        for word in cell.words:
            middle = (word[1] + word[3]) / 2
            number = max((i for i, top in enumerate(tops) if middle >= top), default=0)
            split[number].words.append(word)
        parts.extend(split)
    return parts


def _is_figure(entry: str) -> bool:
    digits = sum(1 for sign in entry if sign.isdigit())
    return digits > sum(1 for sign in entry if sign.isalpha())


def _middle(line: Line) -> float:
    return (line[1] + line[3]) / 2
