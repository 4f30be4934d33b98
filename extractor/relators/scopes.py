"""Where two mentions may be linked: sentences, and rows of tables.

Sentences never cross a blank line, a page, a table cell or an item of a list.
A single line break is a border after a short line before a capital, a bullet
or a digit (a list without bullets), and a mere wrap elsewhere.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from extractor.document import Cell, Document
from extractor.records import Entity

SHORT_LINE = 50
"""Lines of running text are longer than this; shorter ones end where the author ended them."""

_CLOSING = "\"')]\u2019\u201d"
_BREAK = re.compile(
    r"(?P<hard>\n[^\S\n]*\n\s*|\f\s*)"
    rf"|(?P<stop>[.!?][{re.escape(_CLOSING)}]*)\s+(?=[\"'(\[\u2018\u201c]*[A-Z0-9])"
    r"|(?P<line>\n)[^\S\n]*(?=(?P<bullet>[-*\u2022\u00b7\u2013]\s|\d{1,2}[.)]\s)|[A-Z0-9])"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Za-z]|Dr|Mr|Mrs|Ms|Prof|St|Fig|Figs|No|Nos|vs|cf|ca|approx|al|resp|e\.g|i\.e|[ip]\.[vmo]|s\.c)$"
)


def sentence_starts(document: Document) -> list[int]:
    """Offsets at which a sentence begins, ascending, 0 first."""
    text = document.text
    starts = {0}
    for found in _BREAK.finditer(text):
        if found["stop"]:
            before = text[max(0, found.start() - 12) : found.start()]
            if found["stop"] == "." and _ABBREVIATION.search(before) and "\n" not in found.group():
                continue
        elif found["line"] and not found["bullet"]:
            line_start = max(text.rfind("\n", 0, found.start()), text.rfind("\f", 0, found.start())) + 1
            if found.start() - line_start >= SHORT_LINE:
                continue
        starts.add(found.end())
    for cells in _tables(document):
        for _, start, end in cells:
            starts.update((start, end))
    return sorted(starts)


def by_sentence(starts: Sequence[int], entities: Sequence[Entity]) -> Iterator[tuple[int, int, list[Entity]]]:
    """(first offset, last offset, mentions) of each sentence that holds mentions; ``entities`` are sorted.

    A mention that runs over a border belongs to the sentence in which it begins.
    """
    group: list[Entity] = []
    current = -1
    for entity in entities:
        index = bisect_right(starts, entity.span.start) - 1
        if index != current and group:
            yield _bounds(starts, current, group)
            group = []
        current = index
        group.append(entity)
    if group:
        yield _bounds(starts, current, group)


def _bounds(starts: Sequence[int], index: int, group: list[Entity]) -> tuple[int, int, list[Entity]]:
    last = max(entity.span.end for entity in group)
    end = starts[index + 1] if index + 1 < len(starts) else last + 200
    return starts[index], max(end, last), group


@dataclass(frozen=True, slots=True)
class Placed:
    """A mention in a table: row and column of its cell, whether the cell is a header."""

    entity: Entity
    row_no: int
    column_no: int
    header: bool


@dataclass(frozen=True, slots=True)
class Grid:
    """The mentions of one table in order, and the words at the top of each column."""

    placed: tuple[Placed, ...]
    titles: tuple[str, ...]


def grids(document: Document, entities: Sequence[Entity]) -> Iterator[Grid]:
    """Each table that holds at least two mentions; ``entities`` are sorted by start."""
    offsets = [entity.span.start for entity in entities]
    titles: tuple[str, ...] = ()
    for page_no, table_no, cells in _tables_named(document):
        table = document.pages[page_no - 1].tables[table_no]
        if not table.continues:
            titles = ()
        top: dict[int, str] = {}
        placed = []
        for cell, start, end in cells:
            header = cell.header or cell.row_no <= table.header_row_count
            if cell.row_no == 1 and (header or not titles):
                for column in range(cell.column_no, cell.column_no + cell.column_span):
                    top[column] = document.text[start:end].lower()
            index = bisect_right(offsets, start - 1)
            while index < len(entities) and offsets[index] < end:
                placed.append(Placed(entities[index], cell.row_no, cell.column_no, header))
                index += 1
        if top:
            titles = tuple(top.get(column, "") for column in range(1, table.column_count + 1))
        if len(placed) > 1:
            yield Grid(tuple(placed), titles)


def _tables(document: Document) -> Iterator[list[tuple[Cell, int, int]]]:
    for _, _, cells in _tables_named(document):
        yield cells


def _tables_named(document: Document) -> Iterator[tuple[int, int, list[tuple[Cell, int, int]]]]:
    """(page_no, place among the page's tables, cells with their offsets); blank cells are left out."""
    base = 0
    for page in document.pages:
        for table_no, table in enumerate(page.tables):
            cells = []
            for cell in table.cells:
                if cell.first < cell.last:
                    start = document.word_starts[base + cell.first]
                    last = base + cell.last - 1
                    end = document.word_starts[last] + len(page.words[cell.last - 1].text)
                    cells.append((cell, start, end))
            yield page.page_no, table_no, cells
        base += len(page.words)
