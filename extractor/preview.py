"""``extractor preview``: what the engine finds in one document, on the terminal or as one page of HTML."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.rule import Rule
from rich.table import Table as RichTable
from rich.text import Text

from extractor.document import Document, Page
from extractor.errors import ConfigError, InputError
from extractor.preview_marks import (
    Marks,
    Piece,
    TypeMark,
    iter_pieces,
    meaning,
    page_state,
    printable,
    type_marks,
)
from extractor.records import Entity, Relation
from extractor.spans import Span

if TYPE_CHECKING:
    from extractor.config import Config
    from extractor.inspection import Inspection

_PIPE_WIDTH = 160
_MAX_PLACES = 6


def preview(
    inspection: Inspection, file: Path, *, config: Config, html: Path | None = None, pages: int | None = None
) -> None:
    """Show an inspected document on stdout, or write the page ``html``; at most ``pages`` pages of it.

    Raises:
        InputError: the file changed since it was inspected, or is gone.
        ConfigError: ``html`` cannot be written.
    """
    if html is None:
        console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
        render_terminal(
            inspection.document, inspection.entities, console, pages=pages, relations=inspection.relations
        )
        return
    from extractor.preview_html import render_html

    page = render_html(
        inspection.document,
        inspection.entities,
        content=_content(file, inspection.document.doc_id),
        config=config,
        pages=pages,
    )
    try:
        html.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the page cannot be written ({type(error).__name__})", hint="You: name another file."
        ) from None
    sys.stderr.write(
        f"{len(inspection.entities)} entities, {len(page) / 2**20:.1f} MB; the page holds document content\n"
    )


def render_terminal(
    document: Document,
    entities: Sequence[Entity],
    console: Console,
    *,
    pages: int | None = None,
    relations: Sequence[Relation] = (),
) -> None:
    """Print the first ``pages`` pages with entities marked and tables drawn, then the entities and their links.

    On a console without colours a mention stands as ``[words|type]``. Lengths
    of text are never cut; controls in the text are shown, not obeyed.
    """
    shown = document.pages[:pages]
    page_numbers = {page.page_no for page in shown}
    found = [entity for entity in entities if document.page_no_at(entity.span.start) in page_numbers]
    painter = _Painter(document, found, colour=console.color_system is not None and not console.no_color)
    _print_head(document, len(shown), len(found), console)
    if painter.types:
        console.print(painter.legend(), end="\n\n")
    failures = {failure.page_no: failure.code for failure in document.failures}
    for page in shown:
        console.print(_page_rule(page))
        state = page_state(page, failures.get(page.page_no))
        if state:
            console.print(Text(f"! {state}", style="bold red"))
        for piece in iter_pieces(document, page):
            if piece.table is not None or painter.stands_apart(piece):
                console.print()
            console.print(painter.piece(piece))
        console.print()
    if found:
        console.print(Rule("entities", style="dim", characters="-"))
        console.print(painter.listing(found))
    linked = [one for one in relations if document.page_no_at(one.head.span.start) in page_numbers]
    if linked:
        console.print(Rule("relations", style="dim", characters="-"))
        console.print(_links(document, linked))


def _links(document: Document, relations: Sequence[Relation]) -> RichTable:
    """One row for each different link, with its best probability and its pages."""
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    for name in ("relation", "head", "tail", "probability", "pages", "relator"):
        table.add_column(name, overflow="fold", min_width=len(name))
    groups: dict[tuple[str, ...], list[Relation]] = {}
    for one in relations:
        ends = (printable(" ".join(end.span.of(document.text).split())) for end in (one.head, one.tail))
        groups.setdefault((one.label, *ends, one.maker.made_by), []).append(one)
    for (label, head, tail, maker), found in sorted(groups.items()):
        best = max((one.probability for one in found if one.probability is not None), default=None)
        table.add_row(
            *(Text(part) for part in (label, head, tail, "" if best is None else f"{best:.2f}")),
            Text(_places([document.page_no_at(one.head.span.start) for one in found])),
            Text(maker, style="dim"),
        )
    return table


def _print_head(document: Document, shown: int, entity_count: int, console: Console) -> None:
    tables = sum(len(page.tables) for page in document.pages[:shown])
    pages = f"{len(document.pages)} pages" if len(document.pages) != 1 else "1 page"
    if shown < len(document.pages):
        pages += f" (the first {shown} shown)"
    head = Text(f"document {document.doc_id[:12]}", style="bold")
    head.append(
        f"  {document.media_type}, {pages}, {entity_count} entities, {tables} tables", style="not bold"
    )
    console.print(head)
    for failure in document.failures:
        console.print(Text(f"! page {failure.page_no} could not be read: {failure.code}", style="bold red"))


def _page_rule(page: Page) -> Rule:
    parts = [f"page {page.page_no}", page.source]
    if page.width_pt is not None and page.height_pt is not None:
        parts.append(f"{page.width_pt:.0f} x {page.height_pt:.0f} pt")
    if page.rotation_deg:
        parts.append(f"turned {page.rotation_deg} degrees")
    if page.confidence is not None:
        parts.append(f"OCR confidence {page.confidence:.2f}")
    return Rule(Text(", ".join(parts)), style="dim", characters="-", align="left")


class _Painter:
    """Makes the renderables of one document."""

    def __init__(self, document: Document, entities: Sequence[Entity], *, colour: bool) -> None:
        self.types = type_marks(entities)
        self._document = document
        self._entities = entities
        self._marks = Marks(entities)
        self._by_label = {mark.label: mark for mark in self.types}
        self._colour = colour

    def legend(self) -> Text:
        legend = Text()
        for mark in self.types:
            if legend:
                legend.append("   ")
            legend.append_text(self._chip(mark))
            legend.append(f" {mark.count}")
        return legend

    def stands_apart(self, piece: Piece) -> bool:
        """Whether a blank line is printed before the piece."""
        if piece.span is None:
            return True
        source = self._document.text
        gap = source[len(source[: piece.span.start].rstrip()) : piece.span.start]
        return "\n\n" in gap or piece.kind == "heading"

    def piece(self, piece: Piece) -> Text | Group:
        if piece.table is not None:
            return Group(self._table_title(piece), self._table(piece))
        assert piece.span is not None
        text = self._text(piece.span)
        if piece.kind == "heading":
            text.stylize("bold")
        elif piece.kind == "margin":
            text.stylize("dim")
        return text

    def listing(self, entities: Sequence[Entity]) -> RichTable:
        """One row for each different finding, with its pages."""
        table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
        for name in ("type", "text", "normalised", "code", "quantity", "pages", "extractor"):
            table.add_column(name, overflow="fold", min_width=len(name))
        places: dict[tuple[str, ...], list[int]] = {}
        for entity in entities:
            quote = printable(" ".join(entity.span.of(self._document.text).split()))
            extras = tuple(printable(part) for part in meaning(entity))
            key = (entity.label, quote, *extras, entity.maker.made_by)
            places.setdefault(key, []).append(self._document.page_no_at(entity.span.start))
        ordered = sorted(places.items(), key=lambda item: (item[0][0], -len(item[1]), item[0]))
        for (label, quote, normalised, code, quantity, maker), page_numbers in ordered:
            table.add_row(
                self._chip(self._by_label[label]),
                *(Text(part) for part in (quote, normalised, code, quantity)),
                Text(_places(page_numbers)),
                Text(maker, style="dim"),
            )
        return table

    def _chip(self, mark: TypeMark) -> Text:
        return Text(f" {mark.label} " if self._colour else mark.label, style=self._style(mark.label))

    def _style(self, label: str) -> str:
        return f"#000000 on {self._by_label[label].colour}" if self._colour else ""

    def _text(self, span: Span) -> Text:
        source = self._document.text
        text = Text()
        for start, end, covering in self._marks.runs(span):
            part = printable(source[start:end])
            if not covering:
                text.append(part)
                continue
            label = self._entities[covering[0]].label
            if self._colour:
                text.append(part, style=self._style(label))
                continue
            over = [self._entities[index] for index in covering]
            opening = "[" * sum(entity.span.start == start for entity in over)
            closing = "".join(f"|{entity.label}]" for entity in over if entity.span.end == end)
            text.append(f"{opening}{part}{closing}")
        return text

    def _table_title(self, piece: Piece) -> Text:
        assert piece.table is not None
        title = (
            f"table {piece.table.table_no}: {piece.table.row_count} rows, {piece.table.column_count} columns"
        )
        return Text(title + (", continued" if piece.table.continues else ""), style="dim italic")

    def _table(self, piece: Piece) -> RichTable:
        table = piece.table
        assert table is not None
        drawn = RichTable(box=box.SQUARE, show_header=False, show_lines=True, border_style="dim")
        for _ in range(table.column_count):
            drawn.add_column(overflow="fold")
        rows = [[Text() for _ in range(table.column_count)] for _ in range(table.row_count)]
        for cell, span in zip(table.cells, piece.cells, strict=True):
            if span is None:
                continue
            text = self._text(span)
            if cell.header or cell.row_no <= table.header_row_count:
                text.stylize("bold")
            rows[cell.row_no - 1][cell.column_no - 1] = text
        for row in rows:
            drawn.add_row(*row)
        return drawn


def _places(page_numbers: Sequence[int]) -> str:
    pages = sorted(set(page_numbers))
    places = ", ".join(str(page_no) for page_no in pages[:_MAX_PLACES])
    more = f" and {len(pages) - _MAX_PLACES} more" if len(pages) > _MAX_PLACES else ""
    times = f" ({len(page_numbers)} times)" if len(page_numbers) > len(pages) else ""
    return f"{places}{more}{times}"


def _content(file: Path, doc_id: str) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"the file cannot be read ({type(error).__name__})", code="input.unreadable"
        ) from None
    if hashlib.sha256(content).hexdigest() != doc_id:
        raise InputError("the file changed while it was read", code="input.changed", doc_id=doc_id)
    return content
