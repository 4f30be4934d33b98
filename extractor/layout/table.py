"""A table while it is being found: cells over a grid, and the reading order inside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from extractor.layout.geometry import Box, Placed, join_lines, words_of


@dataclass(slots=True, kw_only=True)
class FoundCell:
    """A cell with its top left place in the grid (from 0), its rectangle and its words."""

    row: int
    column: int
    row_span: int
    column_span: int
    box: Box
    words: list[Placed] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class FoundTable:
    """A table on one page; ``cells`` in row order."""

    box: Box
    row_count: int
    column_count: int
    cells: list[FoundCell]
    header_row_count: int = 0
    ruled: bool = True

    def finish(self) -> None:
        """Put the cells in row order and the words of each cell in reading order."""
        self.cells.sort(key=lambda cell: (cell.row, cell.column))
        for cell in self.cells:
            if len(cell.words) > 1:
                cell.words = in_reading_order(cell.words)

    @property
    def words(self) -> list[Placed]:
        """All words, row by row, cell by cell."""
        return [word for cell in self.cells for word in cell.words]


def in_reading_order(words: Sequence[Placed]) -> list[Placed]:
    """The words of one cell: line by line, from left to right."""
    ordered = sorted(words)
    top = max([word[1] for word in ordered])
    bottom = min([word[3] for word in ordered])
    if bottom - top > 0.5 * min([word[3] - word[1] for word in ordered]):
        return ordered
    return words_of(join_lines([(*word[:4], (word,)) for word in ordered]))


def compress(table: FoundTable) -> bool:
    """Take out rows and columns in which no cell starts; whether at least two columns are left."""
    rows = {row: number for number, row in enumerate(sorted({cell.row for cell in table.cells}))}
    columns = {column: number for number, column in enumerate(sorted({cell.column for cell in table.cells}))}
    row_starts = sorted(rows)
    column_starts = sorted(columns)
    for cell in table.cells:
        cell.row_span = sum(1 for row in row_starts if cell.row <= row < cell.row + cell.row_span)
        cell.column_span = sum(
            1 for column in column_starts if cell.column <= column < cell.column + cell.column_span
        )
        cell.row = rows[cell.row]
        cell.column = columns[cell.column]
    table.row_count = len(rows)
    table.column_count = len(columns)
    return table.column_count > 1
