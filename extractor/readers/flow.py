"""Pages of flowing text: what the readers of formats without page geometry share.

:class:`FlowBuilder` turns paragraphs, headings, key-values and tables into one
:class:`Page`; :class:`FlowReading` streams such pages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Self

from extractor.document import PAGE_BREAK, Block, BlockKind, Cell, Page, PageFailure, Table, Word
from extractor.errors import LimitError
from extractor.ports import Attachment, ReadLimits
from extractor.readers.decoding import plain

MAX_COLUMNS = 16_384
PAGE_ROWS = 500
PAGE_CELLS = 50_000
_WORDS = re.compile(r"(\s*)(\S+)")
_NUMERIC = re.compile(r"[<>≤≥~±+\-]?\s*[\d.,:/\-\s]*\d[\d.,:/\-\s]*%?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellText:
    """One cell to place: its text and how many rows and columns it covers."""

    text: str
    row_span: int = 1
    column_span: int = 1
    header: bool = False


class FlowBuilder:
    """Collects the words, blocks and tables of one page, in reading order."""

    def __init__(self, page_no: int) -> None:
        self._page_no = page_no
        self._words: list[Word] = []
        self._blocks: list[Block] = []
        self._tables: list[Table] = []

    def __len__(self) -> int:
        return len(self._words)

    def add(self, text: str, kind: BlockKind = "paragraph", *, gap: str = "\n\n") -> None:
        """One block: ``text`` with its inner white space, ``gap`` before it unless it is the first.

        White space around ``text`` is dropped, form feeds become line ends;
        text without a word adds nothing.
        """
        first = len(self._words)
        self._take(text.replace(PAGE_BREAK, "\n"), gap)
        if len(self._words) > first:
            self._blocks.append(Block(kind=kind, first=first, last=len(self._words)))

    def add_table(
        self,
        rows: Sequence[Sequence[CellText]],
        *,
        header_row_count: int = 0,
        continues: bool = False,
        column_count: int = 0,
    ) -> None:
        """A table of ``rows``, each with the cells that start in it, left to right.

        Cells covered by a row span from above are skipped as HTML does. In the
        text a row is a line and a tab parts its cells that hold words; white space inside a
        cell becomes single spaces. Blank cells are cells, and a table without
        any word is a table. It has at least ``column_count`` columns.

        Raises:
            LimitError: more than ``MAX_COLUMNS`` columns.
        """
        start = len(self._words)
        cells: list[Cell] = []
        covered: dict[int, int] = {}  # column -> rows still covered from above
        for row_no, row in enumerate(rows, start=1):
            column = 1
            gap = "\n" if row_no > 1 else "\n\n"
            for cell in row:
                while covered.get(column, 0):
                    column += 1
                span = max(1, cell.column_span)
                rows_left = len(rows) - row_no + 1
                height = min(max(1, cell.row_span), rows_left)
                if column + span - 1 > MAX_COLUMNS:
                    raise LimitError(f"a table has more than {MAX_COLUMNS} columns", code="limit.columns")
                first = len(self._words)
                self._take(" ".join(cell.text.split()), gap)
                if len(self._words) > first:
                    gap = "\t"
                cells.append(
                    Cell(
                        row_no=row_no,
                        column_no=column,
                        first=first,
                        last=len(self._words),
                        row_span=height,
                        column_span=span,
                        header=cell.header or row_no <= header_row_count,
                    )
                )
                if height > 1:
                    for place in range(column, column + span):
                        covered[place] = height
                column += span
                column_count = max(column_count, column - 1)
            covered = {place: left - 1 for place, left in covered.items() if left > 1}
        if not rows or not column_count:
            return
        table_no = len(self._tables) + 1
        self._tables.append(
            Table(
                table_no=table_no,
                row_count=len(rows),
                column_count=column_count,
                cells=tuple(cells),
                header_row_count=header_row_count,
                continues=continues,
            )
        )
        if len(self._words) > start:
            self._blocks.append(Block(kind="table", first=start, last=len(self._words), table_no=table_no))

    def add_page(self, page: Page) -> None:
        """The words, blocks and tables of a page made elsewhere, after a blank line."""
        base, tables = len(self._words), len(self._tables)
        for index, word in enumerate(page.words):
            self._words.append(replace(word, before="\n\n" if base else "") if index == 0 else word)
        for block in page.blocks:
            table_no = block.table_no + tables if block.table_no is not None else None
            self._blocks.append(
                replace(block, first=block.first + base, last=block.last + base, table_no=table_no)
            )
        for table in page.tables:
            cells = tuple(
                replace(cell, first=cell.first + base, last=cell.last + base) for cell in table.cells
            )
            self._tables.append(replace(table, table_no=table.table_no + tables, cells=cells))

    def page(self) -> Page:
        """The page as collected so far."""
        return Page(
            page_no=self._page_no,
            words=tuple(self._words),
            blocks=tuple(self._blocks),
            tables=tuple(self._tables),
        )

    def _take(self, text: str, gap: str) -> None:
        words = self._words
        before: str | None = gap if words else ""
        for part in _WORDS.finditer(plain(text)):
            space, word = part.groups()
            words.append(Word(text=word, before=space if before is None else before))
            before = None


class FlowReading:
    """A reading whose pages a function makes, one at a time."""

    def __init__(
        self,
        *,
        media_type: str,
        page_count: int,
        make_pages: Callable[[], Iterable[Page | PageFailure]],
        make_attachments: Callable[[], Iterable[bytes]] = tuple,
    ) -> None:
        self.media_type = media_type
        self.page_count = page_count
        self._make_pages = make_pages
        self._make_attachments = make_attachments

    def pages(self, skip: Collection[int] = ()) -> Iterator[Page | PageFailure]:
        for page in self._make_pages():
            if page.page_no not in skip:
                yield page

    def attachments(self) -> Iterator[Attachment]:
        for attachment_no, content in enumerate(self._make_attachments(), start=1):
            yield Attachment(content=content, attachment_no=attachment_no)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return None


def header_rows(rows: Sequence[Sequence[str]]) -> int:
    """1 if the first of these rows reads as column names, else 0.

    Names: at least two, none blank, none a number or date, all different and
    short; and there is a row below.
    """
    if len(rows) < 2:
        return 0
    names = [name.strip() for name in rows[0]]
    while names and not names[-1]:
        names.pop()
    fits = (
        len(names) >= 2
        and all(names)
        and len(set(names)) == len(names)
        and not any(len(name) > 80 or _NUMERIC.fullmatch(name) for name in names)
    )
    return 1 if fits else 0


def rows_per_page(column_count: int) -> int:
    """How many rows of a grid make a page, so that a page stays small however wide the grid."""
    return max(1, min(PAGE_ROWS, PAGE_CELLS // max(1, column_count)))


def grid_pages(
    rows: Iterable[Sequence[str | CellText]],
    *,
    page_rows: int,
    column_count: int,
    header_row_count: int = 0,
    first_page_no: int = 1,
    title: str = "",
) -> Iterator[Page]:
    """Pages of ``page_rows`` rows and ``column_count`` columns each, the table of every page but the first going on.

    ``title`` is a heading on the first page. At least one page is made.
    """
    source = iter(rows)
    page_no = first_page_no
    while True:
        block = [
            [cell if isinstance(cell, CellText) else CellText(text=cell) for cell in row]
            for row in islice(source, page_rows)
        ]
        first = page_no == first_page_no
        if not block and not first:
            return
        builder = FlowBuilder(page_no)
        if first and title:
            builder.add(title, "heading")
        builder.add_table(
            block,
            header_row_count=header_row_count if first else 0,
            continues=not first,
            column_count=column_count,
        )
        yield builder.page()
        page_no += 1


def check_expanded(byte_count: int, limits: ReadLimits) -> None:
    """Refuse what would take more room than allowed.

    Raises:
        LimitError: ``byte_count`` is over ``max_expanded_bytes``.
    """
    if byte_count > limits.max_expanded_bytes:
        raise LimitError("more bytes than limits.max_expanded_bytes allows", code="limit.expanded")


def check_pages(page_count: int, limits: ReadLimits) -> None:
    """Refuse more pages than allowed.

    Raises:
        LimitError: ``page_count`` is over ``max_pages``.
    """
    if page_count > limits.max_pages:
        raise LimitError("more pages than limits.max_pages allows", code="limit.pages")
