"""DOCX: the document's story in order, with tables, notes, headers and footers.

Pages: a new page starts at each page break that the author set and at each
that Word noted when it last laid the document out; a break before any text is
none. Files by other programs mostly have neither and are one page. A table
stays on the page where it starts. Page headers come first on the first page
and footers last on the last one, each text once, as margin blocks; footnotes
and endnotes close the page that refers to them; text boxes follow their
paragraph. Comments are not printed and not read. The pictures of a document
without any word (pasted scans) are attachments, to be read by OCR.

The parts are read straight from the package: this sees tracked changes,
content controls, text boxes and notes, which python-docx does not offer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from extractor.document import Page
from extractor.errors import CorruptError, EmptyInputError, LimitError
from extractor.ports import Reading, ReadLimits
from extractor.readers.container import Package, local_name
from extractor.readers.flow import CellText, FlowBuilder, FlowReading, check_pages
from extractor.readers.wordml import PAGE_BREAK_MARK, alternative, child, is_on, read_inline, value_of

_HEADING_STYLE = re.compile(r"(?:heading\s*\d|title|subtitle)$", re.IGNORECASE)
_TRANSPARENT = {"sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag"}
_MAX_SPAN = 1_000
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*")
_MAX_DEPTH = 120


class DocxReader:
    """Reads DOCX (and DOCM and DOTX) documents."""

    def open(self, content: bytes, *, media_type: str, limits: ReadLimits) -> Reading:
        package = Package(content, limits)
        try:
            pages = _Story(package, limits).pages()
        except RecursionError:
            raise LimitError("nested too deep", code="limit.depth") from None
        wordless = not any(page.words for page in pages)
        attached = list(_attached(package, pictures=wordless))
        if len(attached) > limits.max_attachments:
            raise LimitError("more attachments than limits.max_attachments allows", code="limit.attachments")
        if wordless and not attached:
            raise EmptyInputError("the document holds no word")
        return FlowReading(
            media_type=media_type,
            page_count=len(pages),
            make_pages=lambda: iter(pages),
            make_attachments=lambda: iter(attached),
        )


def _attached(package: Package, *, pictures: bool) -> Iterator[bytes]:
    """Embedded documents, parts in other formats that Word shows inside the text, and ``pictures``."""
    yield from package.embedded("word/embeddings/")
    if pictures:
        for name in package.names:
            if name.lower().startswith("word/media/"):
                content = package.read(name)
                if content.startswith(_PICTURES):
                    yield content
    for kind, part in package.targets(package.main_part("word/document.xml")).values():
        if kind == "aFChunk" and part in package:
            yield package.read(part)


@dataclass(slots=True)
class _Styles:
    """Which paragraph styles are headings, by style id."""

    headings: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, root: etree._Element | None) -> _Styles:
        names: dict[str, str] = {}
        bases: dict[str, str] = {}
        outlined: set[str] = set()
        for style in root if root is not None else ():
            identity = value_of(style, "styleId")
            if local_name(style) != "style" or identity is None:
                continue
            names[identity] = value_of(child(style, "name")) or ""
            base = value_of(child(style, "basedOn"))
            if base:
                bases[identity] = base
            if _is_outline(child(style, "pPr", "outlineLvl")):
                outlined.add(identity)
        found: set[str] = set()
        for identity in names:
            current: str | None = identity
            for _ in range(20):  # styles may name each other in a circle
                if current is None:
                    break
                if current in outlined or _HEADING_STYLE.match(names.get(current, "")):
                    found.add(identity)
                    break
                current = bases.get(current)
        return cls(headings=found)


def _is_outline(element: etree._Element | None) -> bool:
    level = value_of(element)
    return level is not None and level.isdecimal() and int(level[:3]) < 9


class _Story:
    """Walks the body and fills pages."""

    def __init__(self, package: Package, limits: ReadLimits) -> None:
        self._limits = limits
        self._package = package
        main = package.main_part("word/document.xml")
        self._targets = package.targets(main)
        body = child(package.xml(main), "body")
        if body is None:
            raise CorruptError("the document has no body")
        self._body = body
        self._styles = _Styles.read(self._part("styles"))
        self._notes: dict[tuple[str, str], etree._Element] = {}
        for kind in ("footnote", "endnote"):
            root = self._part(f"{kind}s")
            for note in root if root is not None else ():
                self._notes[kind, value_of(note, "id") or ""] = note
        self._done: list[Page] = []
        self._builder = FlowBuilder(1)
        self._pending: list[tuple[str, str]] = []
        self._in_list = False

    def pages(self) -> tuple[Page, ...]:
        """All pages; at least one, which may have no word."""
        self._margins("header")
        self._blocks(self._body, 0)
        self._close_notes()
        self._margins("footer")
        self._done.append(self._builder.page())
        return tuple(self._done)

    def _part(self, kind: str) -> etree._Element | None:
        """The root of a side part by its relationship; None if it is absent."""
        for found, part in self._targets.values():
            if found == kind and part in self._package:
                return self._package.xml(part)
        return None

    def _blocks(self, parent: etree._Element, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise LimitError("nested too deep", code="limit.depth")
        for element in parent:
            name = local_name(element)
            if name == "p":
                self._paragraph(element, depth)
            elif name == "tbl":
                self._table(element, depth)
            elif name == "AlternateContent":
                self._blocks(alternative(element), depth + 1)
            elif name in _TRANSPARENT:
                self._blocks(element, depth + 1)

    def _paragraph(self, element: etree._Element, depth: int) -> None:
        properties = child(element, "pPr")
        inline = read_inline(element)
        if is_on(child(properties, "pageBreakBefore")):
            self._break()
        style = value_of(child(properties, "pStyle"))
        heading = style in self._styles.headings or _is_outline(child(properties, "outlineLvl"))
        in_list = child(properties, "numPr") is not None
        gap = "\n" if in_list and self._in_list else "\n\n"
        self._in_list = in_list
        for number, text in enumerate(inline.text.split(PAGE_BREAK_MARK)):
            if number:
                self._break()
            self._builder.add(text, "heading" if heading else "paragraph", gap=gap)
        self._pending.extend(inline.notes)
        for box in inline.boxes:
            self._blocks(box, depth + 1)

    def _break(self) -> None:
        """Start a new page, unless the page has no word yet."""
        if not len(self._builder):
            return
        self._close_notes()
        self._done.append(self._builder.page())
        check_pages(len(self._done) + 1, self._limits)
        self._builder = FlowBuilder(len(self._done) + 1)

    def _close_notes(self) -> None:
        pending, self._pending = self._pending, []
        for key in pending:
            note = self._notes.pop(key, None)  # each once, however often it is referred to
            if note is not None:
                self._builder.add(self._text_of(note, 0))
        self._pending.clear()

    def _margins(self, kind: str) -> None:
        """Headers or footers that are printed, each text once."""
        settings = self._part("settings")
        even = is_on(child(settings, "evenAndOddHeaders"))
        seen: set[str] = set()
        for section in self._body.iter():
            if local_name(section) != "sectPr":
                continue
            first = is_on(child(section, "titlePg"))
            for reference in section:
                shown_on = value_of(reference, "type") or "default"
                if local_name(reference) != f"{kind}Reference" or (shown_on, True) in (
                    ("first", not first),
                    ("even", not even),
                ):
                    continue
                _, part = self._targets.get(value_of(reference, "id") or "", ("", ""))
                if part in seen or part not in self._package:
                    continue
                text = self._text_of(self._package.xml(part), 0)
                if text not in seen:
                    self._builder.add(text, "margin")
                seen |= {part, text}

    def _text_of(self, parent: etree._Element, depth: int) -> str:
        """All text under an element, a line per paragraph, tabs between table cells."""
        if depth > _MAX_DEPTH:
            raise LimitError("nested too deep", code="limit.depth")
        lines: list[str] = []
        for element in parent:
            name = local_name(element)
            if name == "p":
                inline = read_inline(element)
                self._pending.extend(inline.notes)
                lines.append(inline.text.replace(PAGE_BREAK_MARK, "\n"))
                lines.extend(self._text_of(box, depth + 1) for box in inline.boxes)
            elif name == "tbl":
                lines.extend(
                    "\t".join(" ".join(self._text_of(cell, depth + 1).split()) for cell in row_cells(row))
                    for row in table_rows(element)
                )
            elif name == "AlternateContent":
                lines.append(self._text_of(alternative(element), depth + 1))
            elif name in _TRANSPARENT:
                lines.append(self._text_of(element, depth + 1))
        return "\n".join(line for line in lines if line.strip())

    def _table(self, element: etree._Element, depth: int) -> None:
        self._in_list = False
        rows = [(row, row_cells(row)) for row in table_rows(element)]
        if max((len(cells) for _, cells in rows), default=0) <= 1:  # a frame around text
            for _, cells in rows:
                for cell in cells:
                    self._blocks(cell, depth + 1)
            return
        placed = [_placed(row, cells) for row, cells in rows]
        heads = 0
        while heads < len(rows) and is_on(child(rows[heads][0], "trPr", "tblHeader")):
            heads += 1
        if heads == 0 and len(rows) > 1 and _is_bold(rows[0][0]) and not _is_bold(rows[1][0]):
            heads = 1
        texts: list[list[CellText]] = []
        for row_index, row in enumerate(placed):
            texts.append([])
            for column, (tc, columns, merged) in row.items():
                if merged == "continue" and row_index and _merge(placed[row_index - 1], column) is not None:
                    continue
                height = 1
                while (
                    merged is not None
                    and row_index + height < len(placed)
                    and _merge(placed[row_index + height], column) == "continue"
                ):
                    height += 1
                text = self._text_of(tc, depth + 1) if tc is not None else ""
                texts[-1].append(CellText(text=text, row_span=height, column_span=columns))
        self._builder.add_table(texts, header_row_count=heads if heads < len(rows) else 0)


_PlacedRow = dict[int, tuple[etree._Element | None, int, str | None]]  # noqa: SLF001 - lxml's only name for it


def table_rows(table: etree._Element) -> list[etree._Element]:
    """The rows of a table without deleted ones."""
    return [row for row in _inside(table, "tr") if child(row, "trPr", "del") is None]


def row_cells(row: etree._Element) -> list[etree._Element]:
    """The cells of a row, those in content controls included."""
    return list(_inside(row, "tc"))


def _inside(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    stack = list(reversed(parent))
    while stack:
        element = stack.pop()
        if local_name(element) == name:
            yield element
        elif local_name(element) in _TRANSPARENT:
            stack.extend(reversed(element))


def _placed(row: etree._Element, cells: list[etree._Element]) -> _PlacedRow:
    """First column -> (cell, columns, vertical merge) of a row; columns left out before it are a blank cell."""
    found: _PlacedRow = {}
    column = 1
    before = _number(value_of(child(row, "trPr", "gridBefore")), 0)
    if before:
        found[column] = (None, before, None)
        column += before
    for cell in cells:
        columns = max(1, _number(value_of(child(cell, "tcPr", "gridSpan")), 1))
        merge = child(cell, "tcPr", "vMerge")
        found[column] = (cell, columns, None if merge is None else value_of(merge) or "continue")
        column += columns
    return found


def _merge(row: _PlacedRow, column: int) -> str | None:
    return row[column][2] if column in row else None


def _number(text: str | None, default: int) -> int:
    return min(int(text[:6]), _MAX_SPAN) if text is not None and text.isdecimal() else default


def _is_bold(row: etree._Element) -> bool:
    """Whether all text of a row is in bold runs."""
    runs = [run for run in row.iter() if local_name(run) == "r" and child(run, "t") is not None]
    return bool(runs) and all(is_on(child(run, "rPr", "b")) for run in runs)
