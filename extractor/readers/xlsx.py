"""XLSX: each sheet a table, in pages of a few hundred rows, cells as they are shown.

A sheet starts a page, with its name as heading; a long one goes on over pages.
Hidden sheets, rows and columns are read like any other. Formulas give the value
that was last computed; one never computed is blank. Blank rows are dropped
only after the last row that has a value. Comments and charts are not read.
Sheets stream; only the shared strings are held.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from extractor.document import Page
from extractor.errors import CorruptError, EmptyInputError, LimitError
from extractor.ports import Reading, ReadLimits
from extractor.readers.container import ZIP_ERRORS, Package, local_name, xml_error
from extractor.readers.flow import (
    MAX_COLUMNS,
    CellText,
    FlowReading,
    check_pages,
    grid_pages,
    header_rows,
    rows_per_page,
)
from extractor.readers.markup import superscript
from extractor.readers.number_format import shown

_MAX_ROWS = 1_048_576
_MAX_MERGES = 100_000
_PLACE = re.compile(r"([A-Za-z]{1,3})(\d{1,7})$")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_ID = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"

Merge = tuple[int, int, int, int]  # first row, first column, last row, last column


@dataclass(frozen=True, slots=True)
class _Survey:
    """What one pass over a sheet tells: its used size, its merged cells, its first rows."""

    row_count: int
    column_count: int
    merges: list[Merge]
    start: list[list[str]]


@dataclass(slots=True)
class _Book:
    package: Package
    strings: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    since_1904: bool = False


class XlsxReader:
    """Reads XLSX workbooks."""

    def open(self, content: bytes, *, media_type: str, limits: ReadLimits) -> Reading:
        package = Package(content, limits)
        main = package.main_part("xl/workbook.xml")
        book = _Book(package=package)
        sheets = _sheets(book, main)
        surveys = [_survey(book, part) for _, part in sheets]
        if not sheets or not any(survey.row_count for survey in surveys):
            raise EmptyInputError("no sheet has a value")
        counts = [max(1, -(-survey.row_count // rows_per_page(survey.column_count))) for survey in surveys]
        check_pages(sum(counts), limits)

        def pages() -> Iterator[Page]:
            page_no = 1
            for (name, part), survey, count in zip(sheets, surveys, counts, strict=True):
                page_rows = rows_per_page(survey.column_count)
                yield from grid_pages(
                    _grid(book, part, survey, page_rows),
                    page_rows=page_rows,
                    column_count=survey.column_count,
                    header_row_count=header_rows(survey.start),
                    first_page_no=page_no,
                    title=name,
                )
                page_no += count

        return FlowReading(
            media_type=media_type,
            page_count=sum(counts),
            make_pages=pages,
            make_attachments=lambda: package.embedded("xl/embeddings/"),
        )


def _sheets(book: _Book, main: str) -> list[tuple[str, str]]:
    """(name, part) of the worksheets in the order of the tabs; fills in strings and formats."""
    targets = book.package.targets(main)
    found: list[tuple[str, str]] = []
    for element in book.package.xml(main).iter():
        name = local_name(element)
        if name == "workbookPr":
            book.since_1904 = element.get("date1904", "0").lower() in ("1", "true")
        elif name == "sheet":
            kind, part = targets.get(element.get(_ID) or element.get(_STRICT_ID) or "", ("", ""))
            if kind == "worksheet":
                found.append((element.get("name", ""), part))
    for kind, part in targets.values():
        if kind == "sharedStrings" and part in book.package:
            book.strings = [_rich_text(item) for item in _elements(book.package, part, "si")]
        elif kind == "styles" and part in book.package:
            book.formats = _formats(book.package.xml(part))
    return found


def _elements(package: Package, part: str, *tags: str) -> Iterator[etree._Element]:
    """The elements of these names in a part, each forgotten once the next is asked for.

    Raises:
        CorruptError: the part cannot be inflated or is not XML.
    """
    try:
        with package.stream(part) as stream:
            for _, element in etree.iterparse(
                stream,
                events=("end",),
                tag=[f"{{*}}{tag}" for tag in tags],
                resolve_entities=False,
                no_network=True,
                load_dtd=False,
            ):
                yield element
                element.clear()
                while element.getprevious() is not None:
                    parent: Any = element.getparent()
                    del parent[0]
    except etree.XMLSyntaxError as error:
        raise xml_error(error) from None
    except ZIP_ERRORS:
        raise CorruptError("a part of the workbook cannot be read") from None


def _rich_text(item: etree._Element) -> str:
    """The text of a string item: its runs in order, without phonetic hints."""
    pieces: list[str] = []
    for element in item:
        name = local_name(element)
        if name == "t":
            pieces.append(element.text or "")
        elif name == "r":
            raised = any(
                local_name(part) == "vertAlign" and part.get("val") == "superscript"
                for part in element.iter()
            )
            text = "".join(part.text or "" for part in element if local_name(part) == "t")
            pieces.append(superscript(text) if raised else text)
    return _ESCAPE.sub(lambda match: _char(match.group(1)), "".join(pieces))


def _char(code: str) -> str:
    value = int(code, 16)
    return "\ufffd" if 0xD800 <= value < 0xE000 else chr(value)


def _formats(styles: etree._Element) -> list[str]:
    """The format code of each cell style."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS

    codes: dict[str, str] = {str(number): code for number, code in BUILTIN_FORMATS.items()}
    found: list[str] = []
    for element in styles.iter():
        name = local_name(element)
        if name == "numFmt":
            codes[element.get("numFmtId", "")] = element.get("formatCode", "General")
        elif name == "cellXfs":
            found = [codes.get(style.get("numFmtId", "0"), "General") for style in element]
    return found


def _survey(book: _Book, part: str) -> _Survey:
    row_count = column_count = 0
    merges: list[Merge] = []
    start: list[list[str]] = []
    row_no = 0
    for element in _elements(book.package, part, "row", "mergeCell"):
        if local_name(element) == "mergeCell":
            merge = _area(element.get("ref", ""))
            if merge is not None:
                merges.append(merge)
            if len(merges) > _MAX_MERGES:
                raise LimitError(f"a sheet with more than {_MAX_MERGES} merged cells", code="limit.parts")
            continue
        row_no = _row_no(element, row_no)
        cells = _row(book, element)
        filled = [column for column, text in cells.items() if text and not text.isspace()]
        if filled:
            row_count = row_no
            column_count = max(column_count, *filled)
            if len(start) < 5:
                start.append([cells.get(column, "") for column in range(1, max(filled) + 1)])
    merges = [
        (first_row, first, min(last_row, row_count), min(last, column_count))
        for first_row, first, last_row, last in sorted(merges)
        if first_row <= row_count and first <= column_count
    ]
    return _Survey(row_count, column_count, merges, start)


def _grid(book: _Book, part: str, survey: _Survey, page_rows: int) -> Iterator[list[CellText]]:
    """The rows of a sheet up to its last value; a merge that a page break cuts ends there."""
    waiting = list(reversed(survey.merges))
    active: list[Merge] = []
    expected = 1
    for row_no, cells in _rows(book, part, survey.row_count):
        for blank in range(expected, row_no):
            active = _activate(active, waiting, blank)
            yield _placed({}, active, blank, page_rows)
        active = _activate(active, waiting, row_no)
        yield _placed(cells, active, row_no, page_rows)
        expected = row_no + 1


def _activate(active: list[Merge], waiting: list[Merge], row_no: int) -> list[Merge]:
    """The merges that touch a row; ``waiting`` is sorted with the next one last."""
    while waiting and waiting[-1][0] <= row_no:
        active = [*active, waiting.pop()]
    return [merge for merge in active if merge[2] >= row_no] if active else active


def _placed(cells: dict[int, str], active: Iterable[Merge], row_no: int, page_rows: int) -> list[CellText]:
    """The cells that start in a row, in order, without those that a merge covers."""
    if not active:
        return [CellText(text=cells.get(column, "")) for column in range(1, max(cells, default=0) + 1)]
    page_start = row_no - (row_no - 1) % page_rows
    spans: dict[int, tuple[int, int]] = {}
    covered: set[int] = set()
    last_column = max(cells, default=0)
    for first_row, first, last_row, last in active:
        if first in covered or first in spans:
            continue
        columns = range(first, last + 1)
        if first_row == row_no:
            spans[first] = (last_row - first_row + 1, last - first + 1)
            covered.update(columns[1:])
            last_column = max(last_column, first)
        elif first_row >= page_start:
            covered.update(columns)
    return [
        CellText(
            text=cells.get(column, ""),
            row_span=spans.get(column, (1, 1))[0],
            column_span=spans.get(column, (1, 1))[1],
        )
        for column in range(1, last_column + 1)
        if column not in covered
    ]


def _rows(book: _Book, part: str, row_count: int) -> Iterator[tuple[int, dict[int, str]]]:
    row_no = 0
    for element in _elements(book.package, part, "row"):
        row_no = _row_no(element, row_no)
        if row_no > row_count:
            return
        yield row_no, _row(book, element)


def _row_no(element: etree._Element, before: int) -> int:
    """The row's number; one that goes backwards or is absent follows the row before."""
    stated = element.get("r", "")
    number = int(stated) if stated.isdecimal() and len(stated) <= 7 else 0
    number = number if number > before else before + 1
    if number > _MAX_ROWS:
        raise CorruptError("a row outside of any sheet")
    return number


def _row(book: _Book, row: etree._Element) -> dict[int, str]:
    """Column number -> shown text of a row's cells that have a text."""
    found: dict[int, str] = {}
    column = 0
    for cell in row:
        if local_name(cell) != "c":
            continue
        place = _PLACE.match(cell.get("r", ""))
        column = _column(place.group(1)) if place else column + 1
        if column > MAX_COLUMNS:
            raise CorruptError("a column outside of any sheet")
        text = _value(book, cell)
        if text:
            found[column] = text
    return found


def _value(book: _Book, cell: etree._Element) -> str:
    kind = cell.get("t", "n")
    value = ""
    for element in cell:
        name = local_name(element)
        if name == "is":
            return _rich_text(element)
        if name == "v":
            value = (element.text or "").strip() if kind != "str" else element.text or ""
    if kind == "s":
        index = int(value) if value.isdecimal() and len(value) < 10 else -1
        if not 0 <= index < len(book.strings):
            if not value:
                return ""
            raise CorruptError("a cell names a string that the workbook does not have")
        return book.strings[index]
    if kind == "str":
        return _ESCAPE.sub(lambda match: _char(match.group(1)), value)
    if kind == "b":
        return {"1": "TRUE", "0": "FALSE"}.get(value, value)
    if kind == "n" and value:
        style = cell.get("s", "0")
        index = int(style) if style.isdecimal() and len(style) < 10 else 0
        code = book.formats[index] if index < len(book.formats) else "General"
        return shown(value, code, since_1904=book.since_1904)
    return value


def _area(reference: str) -> Merge | None:
    first, _, last = reference.partition(":")
    start, end = _PLACE.match(first), _PLACE.match(last or first)
    if start is None or end is None:
        return None
    rows = sorted((int(start.group(2)), int(end.group(2))))
    columns = sorted((_column(start.group(1)), _column(end.group(1))))
    if rows[0] < 1 or (rows[0] == rows[1] and columns[0] == columns[1]):
        return None
    return rows[0], columns[0], rows[1], columns[1]


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number
