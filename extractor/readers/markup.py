"""Marked-up text to blocks: HTML and the narrative of clinical XML share one walk.

The walk is a loop, so depth costs no stack. Scripts, styles and hidden parts
are left out. Superscript digits become superscript characters (``10<sup>9</sup>``
is printed 10⁹ and must not be read 109); subscripts stay plain.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from extractor.document import BlockKind
from extractor.errors import CorruptError, LimitError
from extractor.readers.container import local_name
from extractor.readers.decoding import decode_text
from extractor.readers.flow import CellText, FlowBuilder, header_rows

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "title"})
_BLOCKS = _HEADINGS | frozenset(
    (  # noqa: SIM905 - a list of names reads better than a list of strings
        "address article aside blockquote body button caption center col colgroup dd details dialog dir div dl dt"
        " fieldset figcaption figure footer form header hr html item legend li list main menu nav ol optgroup"
        " option p paragraph pre section select summary table tbody td textarea tfoot th thead tr ul"
    ).split(" ")
)
_LINES = frozenset(
    {"div", "tr", "td", "th", "dt", "dd", "li", "item", "option", "address", "summary", "legend", "button"}
)
_DROPPED = frozenset(
    (  # noqa: SIM905
        "script style head noscript template iframe object embed applet svg canvas audio video map link meta"
        " datalist"
    ).split(" ")
)
_SPACE = re.compile(r"[ \t\n\r\f]+")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)
_SUPERSCRIPT = str.maketrans("0123456789+-\u2212()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾")
_MAX_SPAN = 1_000
_META_CHARSET = re.compile(
    rb"<(?:meta|\?xml)[^>]{0,300}?(?:charset|encoding)\s*=\s*[\"']?\s*([\w\-:.]{2,40})", re.IGNORECASE
)
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WEB_NAMES = {
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
}


def superscript(text: str) -> str:
    """``text`` in superscript characters if it is digits and signs; else as it is."""
    stripped = text.strip()
    if (
        stripped
        and all(char in "0123456789+-\u2212()" for char in stripped)
        and any(map(str.isdigit, stripped))
    ):
        return stripped.translate(_SUPERSCRIPT)
    return text


def html_text(content: bytes) -> str:
    """The characters of an HTML file.

    The byte order mark decides, else the file's own ``<meta>``, else the rule for plain text.
    """
    declared = _META_CHARSET.search(content[:4_096])
    if declared is not None and not content.startswith(_MARKS) and b"\0" not in content[:4]:
        name = declared.group(1).decode("ascii", "replace").lower()
        try:
            text = content.decode(_WEB_NAMES.get(name, name), "strict")
        except (LookupError, UnicodeError, ValueError):
            return decode_text(content)
        if isinstance(text, str):
            return text
    return decode_text(content)


def add_html(text: str, builder: FlowBuilder) -> None:
    """Add the blocks and tables of an HTML text to a page.

    Raises:
        LimitError: nested deeper than 2,000 levels, where the parser stops.
        CorruptError: the parser finds nothing to read.
    """
    import lxml.html

    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text.replace("\0", " "))
    if not text.strip():
        return
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True, remove_pis=True)
    try:
        root = lxml.html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:
        return  # comments only: a page without a word
    except (etree.XMLSyntaxError, AssertionError, ValueError, TypeError):
        raise CorruptError("the HTML cannot be parsed") from None
    for entry in parser.error_log:
        if entry.type_name == "ERR_RESOURCE_LIMIT":
            raise LimitError("HTML nested too deep", code="limit.depth")
    add_markup(root, builder)


def add_markup(root: etree._Element, builder: FlowBuilder) -> None:
    """Add the blocks and tables under ``root`` in reading order."""
    _Walk(builder).run(root)


class _Walk:
    def __init__(self, builder: FlowBuilder) -> None:
        self._builder = builder
        self._pieces: list[str] = []
        self._gap = "\n\n"
        self._heading = 0
        self._pre = 0
        self._notes: list[str] = []

    def run(self, root: etree._Element) -> None:
        walker = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
        for event, element in walker:
            if event in ("comment", "pi"):
                self._text(element.tail)
                continue
            name = local_name(element).lower()
            if event == "end":
                self._end(element, name)
                if element is not root:
                    self._text(element.tail)
            elif self._start(element, name):
                walker.skip_subtree()
        self._flush()

    def _start(self, element: etree._Element, name: str) -> bool:
        """Open an element; True if all it holds has been dealt with."""
        if is_dropped(element, name):
            return True
        if name == "table":
            rows = table_rows(element) if is_data_table(element) else None
            if rows is not None:
                self._flush()
                self._table(element, rows)
                return True
        if name == "footnote":
            self._notes.append(cell_text(element))
            return True
        if name == "select":
            self._flush()
            self._pieces.append(_chosen(element))
            self._flush()
            return True
        if name in _BLOCKS:
            self._flush()
            self._gap = "\n" if name in _LINES else "\n\n"
            self._heading += name in _HEADINGS
            self._pre += name in ("pre", "textarea")
        if name == "br":
            self._pieces.append("\n")
        elif name == "input":
            self._pieces.append(_control(element))
        elif name == "sup":
            self._pieces.append(superscript(cell_text(element)))
            return True
        self._text(element.text)
        return False

    def _end(self, element: etree._Element, name: str) -> None:
        if name not in _BLOCKS or is_dropped(element, name):
            return
        if name == "select" or (name == "table" and is_data_table(element)):
            self._gap = "\n\n"
            return
        self._flush()
        self._heading -= name in _HEADINGS
        self._pre -= name in ("pre", "textarea")
        if name not in _LINES:
            self._gap = "\n\n"
        elif self._gap != "\n\n":
            self._gap = "\n"

    def _text(self, text: str | None) -> None:
        if text:
            self._pieces.append(text if self._pre else _SPACE.sub(" ", text))

    def _flush(self) -> None:
        text = "".join(self._pieces)
        self._pieces.clear()
        if not self._pre:
            text = re.sub(r" *\n *", "\n", re.sub(r"  +", " ", text))
            text = re.sub(r"\n{3,}", "\n\n", text)
        before = len(self._builder)
        kind: BlockKind = "heading" if self._heading else "paragraph"
        self._builder.add(text, kind, gap=self._gap)
        if len(self._builder) > before:
            self._gap = "\n"
        if self._notes:
            notes, self._notes = self._notes, []
            for note in notes:
                self._builder.add(note, gap="\n")

    def _table(self, element: etree._Element, rows: list[list[CellText]]) -> None:
        for caption in element.iter():
            if local_name(caption).lower() == "caption":
                self._builder.add(cell_text(caption), gap="\n\n")
                break
        heads = 0
        while heads < len(rows) and rows[heads] and all(cell.header for cell in rows[heads]):
            heads += 1
        if heads == 0:
            heads = header_rows([[cell.text for cell in row] for row in rows])
        self._builder.add_table(rows, header_row_count=heads if heads < len(rows) else 0)
        for note in element.iter():
            if local_name(note).lower() == "footnote":
                self._builder.add(cell_text(note), gap="\n")
        self._gap = "\n\n"


def is_dropped(element: etree._Element, name: str) -> bool:
    """Whether an element is never shown."""
    if not name or name in _DROPPED:
        return True
    if element.get("hidden") is not None or (name == "input" and element.get("type", "").lower() == "hidden"):
        return True
    style = element.get("style")
    return style is not None and _HIDDEN_STYLE.search(style) is not None


def is_data_table(table: etree._Element) -> bool:
    """Whether a table holds rows and columns of values rather than the layout of a page.

    A table around other tables is layout, and so is one of a single column or
    one that says it is for presentation.
    """
    if table.get("role") in ("presentation", "none"):
        return False
    columns = rows = 0
    inside = table.iter()
    next(inside)
    current = 0
    for element in inside:
        name = local_name(element).lower()
        if name == "table":
            return False
        if name == "tr":
            rows += 1
            current = 0
        elif name in ("td", "th"):
            current += 1
            columns = max(columns, current)
    return columns > 1 and rows > 0


def table_rows(table: etree._Element) -> list[list[CellText]]:
    """The rows in the order of the document, the table's foot last."""
    rows: list[list[CellText]] = []
    foot: list[list[CellText]] = []
    for row in table.iter():
        if local_name(row).lower() != "tr" or is_dropped(row, "tr"):
            continue
        parent = row.getparent()
        section = local_name(parent).lower() if parent is not None else ""
        cells = [
            CellText(
                text=cell_text(cell, notes=False),
                row_span=_span(cell.get("rowspan"), 65_534),
                column_span=_span(cell.get("colspan"), _MAX_SPAN),
                header=section == "thead" or local_name(cell).lower() == "th",
            )
            for cell in row
            if local_name(cell).lower() in ("td", "th") and not is_dropped(cell, "td")
        ]
        (foot if section == "tfoot" else rows).append(cells)
    return rows + foot


def cell_text(element: etree._Element, *, notes: bool = True) -> str:
    """All shown text of an element on one line; blocks and breaks become spaces."""
    pieces: list[str] = []
    walker: Any = etree.iterwalk(element, events=("start", "end", "comment", "pi"))
    for event, part in walker:
        if event in ("comment", "pi"):
            pieces.append(part.tail or "")
            continue
        name = local_name(part).lower()
        block = part is not element and (name in _BLOCKS or name == "br")
        if event == "start":
            if part is not element and (is_dropped(part, name) or (name == "footnote" and not notes)):
                walker.skip_subtree()
                continue
            if block:
                pieces.append(" ")
            if name == "input":
                pieces.append(_control(part))
            if name == "select":
                pieces.append(_chosen(part))
                walker.skip_subtree()
            elif name == "sup" and part is not element and len(part) == 0:
                pieces.append(superscript(part.text or ""))
            else:
                pieces.append(part.text or "")
        else:
            if block:
                pieces.append(" ")
            if part is not element:
                pieces.append(part.tail or "")
    return _SPACE.sub(" ", "".join(pieces)).strip()


def _control(element: etree._Element) -> str:
    """What a form control shows: a tick box, or the text typed into it."""
    kind = element.get("type", "text").lower()
    if kind in ("checkbox", "radio"):
        return "[x] " if element.get("checked") is not None else "[ ] "
    if kind in ("hidden", "password", "image", "file"):
        return ""
    return f" {element.get('value', '')} "


def _chosen(element: etree._Element) -> str:
    """The shown options of a select: the chosen ones, else the first."""
    options = list(_iter_named(element, "option"))
    chosen = [option for option in options if option.get("selected") is not None] or options[:1]
    return " ".join("".join(option.itertext()) for option in chosen if isinstance(option.tag, str))


def _iter_named(element: etree._Element, name: str) -> Iterator[etree._Element]:
    return (part for part in element.iter() if local_name(part).lower() == name)


def _span(value: str | None, most: int) -> int:
    """A span as HTML reads it: digits, at least 1, bounded."""
    match = re.match(r"\s*(\d{1,6})", value or "")
    return min(max(1, int(match.group(1))), most) if match else 1
