"""The document as everybody after the readers sees it: pages of words, and one text.

Scanned pages, digital pages and flowing text (plain text, HTML, DOCX, XML,
e-mail) become the same :class:`Page`. The canonical text is built once, in
:meth:`Document.assemble`; every offset in the lake counts its code points.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from extractor.spans import BBox, Span

PAGE_BREAK = "\f"

BlockKind = Literal["paragraph", "heading", "key_value", "margin", "table"]
BLOCK_KINDS: tuple[BlockKind, ...] = ("paragraph", "heading", "key_value", "margin", "table")

Quality = Literal["good", "poor", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    r"""One word as printed.

    ``before`` is the white space printed before it (``" "`` on one line,
    ``"\n"`` at a new line, ``"\n\n"`` at a new block, ``"\t"`` at the next
    table cell), so that the text of a page is the words and nothing else.
    ``box`` is in points of the upright page, or None where the format has no
    page geometry. ``confidence`` is 0..1 from OCR, None when the word was not
    read by OCR.
    """

    text: str
    before: str = " "
    box: BBox | None = None
    confidence: float | None = None

    def __post_init__(self) -> None:
        if not self.text or PAGE_BREAK in self.text or PAGE_BREAK in self.before:
            raise ValueError("a word has text and never a page break")
        if self.before and not self.before.isspace():
            raise ValueError("only white space comes before a word")
        if self.confidence is not None and not 0.0 <= self.confidence <= 1.0:
            raise ValueError("confidence is 0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Words ``first`` to ``last`` (half-open, in reading order) that belong together.

    A block of kind ``table`` covers all words of one :class:`Table`, whose
    number on the page is ``table_no`` (from 1; None for other kinds).
    """

    kind: BlockKind
    first: int
    last: int
    table_no: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.last:
            raise ValueError("a block covers at least one word")
        if (self.kind == "table") != (self.table_no is not None):
            raise ValueError("exactly the table blocks have a table_no")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a table: words ``first`` to ``last`` (half-open) of the page.

    ``first == last`` is a blank cell: a blank is a value. ``row_no`` and
    ``column_no`` count from 1 and name the top left corner of a merged cell.
    """

    row_no: int
    column_no: int
    first: int
    last: int
    row_span: int = 1
    column_span: int = 1
    header: bool = False
    box: BBox | None = None

    def __post_init__(self) -> None:
        if self.row_no < 1 or self.column_no < 1 or self.row_span < 1 or self.column_span < 1:
            raise ValueError("rows and columns count from 1")
        if not 0 <= self.first <= self.last:
            raise ValueError("a cell needs 0 <= first <= last")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table on one page; cells in row order, words of a row contiguous.

    ``continues`` says that this table goes on from the last table of the page
    before: same columns, and its own header only if it is printed again.
    """

    table_no: int
    row_count: int
    column_count: int
    cells: tuple[Cell, ...]
    header_row_count: int = 0
    box: BBox | None = None
    continues: bool = False

    def __post_init__(self) -> None:
        for cell in self.cells:
            if (
                cell.row_no + cell.row_span - 1 > self.row_count
                or cell.column_no + cell.column_span - 1 > self.column_count
            ):
                raise ValueError("a cell lies outside its table")

    def grid(self, page: Page) -> list[list[str]]:
        """Cell texts as ``row_count`` lists of ``column_count`` strings.

        A merged cell's text stands in its top left place, the others are empty.
        """
        rows = [[""] * self.column_count for _ in range(self.row_count)]
        for cell in self.cells:
            rows[cell.row_no - 1][cell.column_no - 1] = page.quote(cell.first, cell.last)
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: words in reading order, with blocks and tables over them.

    ``source`` is ``text-layer``, ``flow`` (formats without pages) or the name
    of the OCR engine. ``width_pt`` and ``height_pt`` are those of the upright
    page, None for flowing formats. ``rotation_deg`` (0, 90, 180, 270) is the
    clockwise turn that made the stored page upright. ``after`` is the white
    space after the last word. ``confidence`` is the mean OCR confidence
    weighted by characters, None when OCR was not used.
    """

    page_no: int
    width_pt: float | None = None
    height_pt: float | None = None
    words: tuple[Word, ...] = ()
    blocks: tuple[Block, ...] = ()
    tables: tuple[Table, ...] = ()
    source: str = "flow"
    rotation_deg: int = 0
    after: str = ""
    confidence: float | None = None
    quality: Quality = "good"

    def __post_init__(self) -> None:
        if self.page_no < 1:
            raise ValueError("page_no counts from 1")
        if (self.width_pt is None) != (self.height_pt is None):
            raise ValueError("a page has both sizes or none")
        if self.width_pt is None:
            if any(word.box is not None for word in self.words):
                raise ValueError("boxes need a page size")
        else:
            assert self.height_pt is not None
            for word in self.words:
                box = word.box
                if box is not None and (
                    box.x0_pt < -0.01
                    or box.y0_pt < -0.01
                    or box.x1_pt > self.width_pt + 0.01
                    or box.y1_pt > self.height_pt + 0.01
                ):
                    raise ValueError("a word lies outside its page")
        count = len(self.words)
        if any(block.last > count for block in self.blocks) or any(
            cell.last > count for table in self.tables for cell in table.cells
        ):
            raise ValueError("a block or cell covers words that the page does not have")

    @property
    def text(self) -> str:
        """The page's words with the white space between them, verbatim."""
        return "".join([part for word in self.words for part in (word.before, word.text)]) + self.after

    def quote(self, first: int, last: int) -> str:
        """The text of words ``first`` to ``last`` (half-open), without the white space before the first."""
        words = self.words[first:last]
        if not words:
            return ""
        return words[0].text + "".join([part for word in words[1:] for part in (word.before, word.text)])


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFailure:
    """A page that could not be read: its number and the error's code."""

    page_no: int
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document's pages and its canonical text, fixed at assembly.

    ``doc_id`` is the sha256 of the document's bytes in hexadecimal. Pages are
    parted by a form feed in ``text``. ``failures`` are the pages that could
    not be read; each still has its (empty) page between two form feeds, so
    page numbers and form feeds always agree. ``word_starts[i]`` is the offset
    of the i-th word of the document, ``page_starts[i]`` that of page i + 1.
    """

    doc_id: str
    media_type: str
    text: str
    pages: tuple[Page, ...]
    failures: tuple[PageFailure, ...] = ()
    attachments: tuple[str, ...] = ()
    page_starts: tuple[int, ...] = ()
    word_starts: tuple[int, ...] = field(default=(), repr=False)

    @classmethod
    def assemble(
        cls,
        *,
        doc_id: str,
        media_type: str,
        pages: Sequence[Page],
        failures: Sequence[PageFailure] = (),
        attachments: Sequence[str] = (),
    ) -> Document:
        """Fix the canonical text of ``pages``, which must be numbered 1, 2, 3 ... without a gap.

        Failed pages are among ``pages`` as empty ones. ``attachments`` are the
        doc_ids of files carried inside this one.
        """
        if [page.page_no for page in pages] != list(range(1, len(pages) + 1)):
            raise ValueError("pages are numbered from 1 without a gap")
        parts: list[str] = []
        page_starts: list[int] = []
        word_starts: list[int] = []
        offset = 0
        for index, page in enumerate(pages):
            if index:
                parts.append(PAGE_BREAK)
                offset += 1
            page_starts.append(offset)
            for word in page.words:
                parts.append(word.before)
                parts.append(word.text)
                offset += len(word.before)
                word_starts.append(offset)
                offset += len(word.text)
            parts.append(page.after)
            offset += len(page.after)
        return cls(
            doc_id=doc_id,
            media_type=media_type,
            text="".join(parts),
            pages=tuple(pages),
            failures=tuple(failures),
            attachments=tuple(attachments),
            page_starts=tuple(page_starts),
            word_starts=tuple(word_starts),
        )

    def page_no_at(self, offset: int) -> int:
        """The number of the page that holds code point ``offset``."""
        return max(1, bisect_right(self.page_starts, offset))

    def iter_words(self) -> Iterator[tuple[int, Word]]:
        """Every word with its page number, in reading order."""
        for page in self.pages:
            for word in page.words:
                yield page.page_no, word

    def words_in(self, span: Span) -> Iterator[tuple[int, Word, Span]]:
        """The words that ``span`` touches: page number, word, the word's own span."""
        first = max(0, bisect_right(self.word_starts, span.start) - 1)
        last = bisect_left(self.word_starts, span.end)
        page_no = self.page_no_at(span.start) if first < last else 1
        base = self._word_base(page_no)
        while first < base and page_no > 1:  # the first word may end on the page before
            page_no -= 1
            base = self._word_base(page_no)
        for index in range(first, last):
            while index >= base + len(self.pages[page_no - 1].words):
                base += len(self.pages[page_no - 1].words)
                page_no += 1
            word = self.pages[page_no - 1].words[index - base]
            start = self.word_starts[index]
            if start + len(word.text) > span.start:
                yield page_no, word, Span(start, start + len(word.text))

    def boxes_of(self, span: Span) -> tuple[tuple[int, BBox], ...]:
        """(page_no, box) of each word that ``span`` touches; words without geometry are left out."""
        return tuple((page_no, word.box) for page_no, word, _ in self.words_in(span) if word.box is not None)

    def _word_base(self, page_no: int) -> int:
        return bisect_left(self.word_starts, self.page_starts[page_no - 1])


def empty_page(page_no: int, *, like: Page | None = None) -> Page:
    """A page without words, standing for one that could not be read."""
    page = Page(page_no=page_no, quality="unreadable")
    if like is None:
        return page
    return replace(page, width_pt=like.width_pt, height_pt=like.height_pt)
