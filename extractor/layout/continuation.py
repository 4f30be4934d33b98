"""What only all pages together show: running headers and footers, and tables over a page break."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from extractor.document import Page, Table
from extractor.layout.margin import PLACE_PT, mark_margins, needed_repeats, normalised

EDGE_SHARE = 0.012
"""Column borders on two pages agree within this share of the page width."""

REACHES_DOWN = 0.66
"""A table goes on only when it ends below this share of the page height."""


def link_tables(pages: Sequence[Page]) -> tuple[Page, ...]:
    """All pages of one document with running headers and footers marked and tables linked.

    A table continues the last table of the page before when nothing but
    running headers and footers stands between them, its columns stand at the
    same places, and its own header, if it has one, is the same. A repeated
    header is marked as header rows. Pages come in order; words, their order
    and the tables' cells stay as they are.
    """
    linked = list(mark_margins(pages))
    running = _running_tables(linked)
    header: list[list[str]] = []
    for index, page in enumerate(linked):
        if not page.tables:
            continue
        first = _first_table(page, running)
        if index and first is not None:
            before = _last_table(linked[index - 1], running)
            if before is not None and _go_on(linked[index - 1], before, page, first):
                if not before.continues:
                    header = before.grid(linked[index - 1])[: before.header_row_count]
                joined = _joined(page, first, header)
                if joined is not None:
                    linked[index] = replace(
                        page, tables=tuple(joined if table is first else table for table in page.tables)
                    )
    return tuple(linked)


def _running_tables(pages: Sequence[Page]) -> set[tuple[int, int]]:
    """(page_no, table_no) of tables with the same words at one place of many pages: boxed headers and footers."""
    places: dict[str, list[tuple[float, int, int]]] = defaultdict(list)
    for page in pages:
        for table in page.tables:
            box, height = table.box, page.height_pt
            if box is None or height is None or 0.3 * height < box.y0_pt < 0.75 * height:
                continue
            text = "\t".join(cell for row in table.grid(page) for cell in row)
            places[normalised(text)].append((box.y0_pt, page.page_no, table.table_no))
    needed = needed_repeats(len(pages))
    running: set[tuple[int, int]] = set()
    for found in places.values():
        usual = median([place for place, _, _ in found])
        near = [(page_no, table_no) for place, page_no, table_no in found if abs(place - usual) <= PLACE_PT]
        if len({page_no for page_no, _ in near}) >= needed:
            running.update(near)
    return running


def _first_table(page: Page, running: set[tuple[int, int]]) -> Table | None:
    for block in page.blocks:
        if block.kind == "margin" or (block.table_no and (page.page_no, block.table_no) in running):
            continue
        return page.tables[block.table_no - 1] if block.table_no else None
    return None


def _last_table(page: Page, running: set[tuple[int, int]]) -> Table | None:
    for block in reversed(page.blocks):
        if block.kind == "margin" or (block.table_no and (page.page_no, block.table_no) in running):
            continue
        return page.tables[block.table_no - 1] if block.table_no else None
    return None


def _go_on(page_before: Page, before: Table, page: Page, table: Table) -> bool:
    if before.column_count != table.column_count or before.box is None or table.box is None:
        return False
    width, height = page.width_pt, page_before.height_pt
    if width is None or height is None or page_before.width_pt is None:
        return False
    if abs(width - page_before.width_pt) > 2 or before.box.y1_pt < REACHES_DOWN * height:
        return False
    tolerance = max(3.0, EDGE_SHARE * width)
    return all(
        abs(one - other) <= tolerance
        for one, other in zip(_column_starts(before), _column_starts(table), strict=True)
    )


def _column_starts(table: Table) -> list[float]:
    """Where each column starts, in points; a column in which no cell starts has the place of its right neighbour."""
    starts: dict[int, float] = {}
    end = table.box.x1_pt if table.box else 0.0
    for cell in table.cells:
        if cell.box is not None:
            starts[cell.column_no] = min(starts.get(cell.column_no, end), cell.box.x0_pt)
    places: list[float] = []
    for column_no in range(table.column_count, 0, -1):
        places.append(starts.get(column_no, places[-1] if places else end))
    return [*reversed(places), end]


def _joined(page: Page, table: Table, header: list[list[str]]) -> Table | None:
    """``table`` as a continuation under ``header``; None when it has another header of its own."""
    rows = table.grid(page)
    count = len(header)
    if (
        count
        and len(rows) > count
        and [_plain(row) for row in rows[:count]] == [_plain(row) for row in header]
    ):
        return _with_header(replace(table, continues=True), count)
    if table.header_row_count and count:
        return None
    return replace(table, continues=True)


def _plain(row: Sequence[str]) -> list[str]:
    return ["".join(cell.split()).casefold() for cell in row]


def _with_header(table: Table, count: int) -> Table:
    cells = tuple(
        cell if cell.header == (cell.row_no <= count) else replace(cell, header=cell.row_no <= count)
        for cell in table.cells
    )
    return replace(table, cells=cells, header_row_count=count)
