"""One self-contained page of HTML: page pictures with boxes, entities beside them, linked both ways.

Everything that comes from the document is escaped; besides, the page forbids
every script and style but its own by their digests, and every address. Text
of formats without page geometry is laid out in place of a picture.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from extractor import __version__
from extractor.document import Document, Page
from extractor.page_image import PagePicture, has_pictures, page_pictures, turn_of
from extractor.preview_marks import (
    PALETTE,
    Marks,
    Piece,
    TypeMark,
    iter_pieces,
    line_boxes,
    meaning,
    page_state,
    printable,
    type_marks,
)
from extractor.records import Entity
from extractor.spans import BBox, Span

if TYPE_CHECKING:
    from extractor.config import Config

DEFAULT_PAGES = 50
DPI = 120
_MAX_PICTURE_PIXELS = 4_000_000


def render_html(
    document: Document,
    entities: Sequence[Entity],
    *,
    content: bytes,
    config: Config,
    pages: int | None = None,
    dpi: int = DPI,
) -> str:
    """The preview of the first ``pages`` pages (``DEFAULT_PAGES`` without a number).

    ``content`` are the document's bytes, from which pages are drawn in a
    process of its own; a page that cannot be drawn is shown as text.
    """
    shown = document.pages[: pages or DEFAULT_PAGES]
    numbers = {page.page_no for page in shown}
    found = [entity for entity in entities if document.page_no_at(entity.span.start) in numbers]
    pictures: dict[int, PagePicture] = {}
    if has_pictures(document.media_type):
        limits = config.limits.for_reading()
        pictures, _ = page_pictures(
            content,
            document.media_type,
            turns={
                page.page_no: turn_of(page.source, page.rotation_deg)
                for page in shown
                if page.width_pt is not None or page.quality == "unreadable"
            },
            dpi=dpi,
            limits=replace(limits, max_page_pixels=min(limits.max_page_pixels, _MAX_PICTURE_PIXELS)),
            page_time_s=config.limits.page_time_s,
            memory_mb=config.limits.worker_memory_mb,
            plugins=config.plugins,
        )
    return _Writer(document, found, pictures).page(
        shown, pipeline=f"{__version__}+{config.extraction_sha256()[:12]}"
    )


class _Writer:
    """Writes the parts of one document's preview."""

    def __init__(
        self, document: Document, entities: Sequence[Entity], pictures: dict[int, PagePicture]
    ) -> None:
        self._document = document
        self._entities = entities
        self._pictures = pictures
        self._marks = Marks(entities)
        self._types = type_marks(entities)
        self._type_of = {mark.label: mark for mark in self._types}
        self._marked: set[int] = set()
        self._failures = {failure.page_no: failure.code for failure in document.failures}
        self._on_page: dict[int, list[tuple[int, list[BBox]]]] = {}
        for index, entity in enumerate(entities):
            for page_no, boxes in line_boxes(document.boxes_of(entity.span)):
                self._on_page.setdefault(page_no, []).append((index, boxes))

    def page(self, shown: Sequence[Page], *, pipeline: str) -> str:
        document = self._document
        style = _data("preview_page.css") + "".join(
            f".t{index}{{background:{colour};fill:{colour};stroke:{colour}}}\n"
            for index, colour in enumerate(PALETTE)
        )
        script = _data("preview_page.js")
        count = str(len(document.pages))
        has_outlines = any(table.box for page in shown for table in page.tables)
        slots = {
            "style": style,
            "script": script,
            "style_hash": _csp_hash(style),
            "script_hash": _csp_hash(script),
            "doc_id": _text(document.doc_id),
            "short_id": _text(document.doc_id[:12]),
            "facts": self._facts(shown, pipeline),
            "page_options": "".join(f"<option>{page.page_no}</option>" for page in shown),
            "page_count": count
            if len(shown) == len(document.pages)
            else f"{count} (the first {len(shown)} shown)",
            "tables_hidden": "" if has_outlines else " hidden",
            "none_hidden": " hidden" if self._entities else "",
            "pages": "".join(self._page(page) for page in shown),
            "chips": "".join(self._chip_button(mark) for mark in self._types),
            "rows": "".join(self._row(index, entity) for index, entity in enumerate(self._entities)),
        }
        return re.sub(r"\{\{(\w+)\}\}", lambda slot: slots[slot[1]], _data("preview_page.html"))

    def _facts(self, shown: Sequence[Page], pipeline: str) -> str:
        tables = sum(len(page.tables) for page in shown)
        facts = {
            "Type": self._document.media_type,
            "Pages": str(len(self._document.pages)),
            "Entities": str(len(self._entities)),
            "Tables": str(tables),
            "Pipeline": pipeline,
        }
        if self._failures:
            facts["Pages not read"] = ", ".join(
                f"{page_no} ({code})" for page_no, code in self._failures.items()
            )
        return "".join(f"<div><dt>{name}</dt><dd>{_text(value)}</dd></div>" for name, value in facts.items())

    def _chip_button(self, mark: TypeMark) -> str:
        return (
            f'<button type="button" class="chip t{mark.colour_index}" data-t="{_text(mark.label)}"'
            f' aria-pressed="true">{_text(mark.label)} <b>{mark.count}</b></button>'
        )

    def _row(self, index: int, entity: Entity) -> str:
        mark = self._type_of[entity.label]
        quote = " ".join(entity.span.of(self._document.text).split())
        cells = (quote, *meaning(entity), str(self._document.page_no_at(entity.span.start)))
        maker = _text(entity.maker.made_by).replace("@", "<wbr>@")
        return (
            f'<tr tabindex="0" data-e="{index}" data-t="{_text(mark.label)}">'
            f'<td><span class="chip t{mark.colour_index}">{_text(mark.label)}</span></td>'
            + "".join(f"<td>{_text(cell)}</td>" for cell in cells)
            + f"<td>{maker}</td></tr>"
        )

    def _page(self, page: Page) -> str:
        state = page_state(page, self._failures.get(page.page_no))
        title = [f"Page {page.page_no}", page.source]
        if page.confidence is not None:
            title.append(f"OCR confidence {page.confidence:.2f}")
        note = f'<span class="poor">{_text(state)}</span>' if state else ""
        picture = self._pictures.get(page.page_no)
        body = self._flow(page) if picture is None else self._sheet(page, picture)
        return f'<article class="page z3"><h2>{_text(" · ".join(title))}{note}</h2>{body}</article>'

    def _sheet(self, page: Page, picture: PagePicture) -> str:
        width = page.width_pt or picture.width_px
        height = page.height_pt or picture.height_px
        boxes = "".join(
            f'<rect class="outline" x="{box.x0_pt:.1f}" y="{box.y0_pt:.1f}" width="{box.width_pt:.1f}"'
            f' height="{box.height_pt:.1f}"/>'
            for box in (table.box for table in page.tables)
            if box is not None
        )
        boxes += "".join(self._box(index, lines) for index, lines in self._on_page.get(page.page_no, []))
        data = b64encode(picture.content).decode("ascii")
        return (
            f'<div class="sheet"><img alt="Page {page.page_no}" width="{picture.width_px}"'
            f' height="{picture.height_px}" src="data:{picture.media_type};base64,{data}">'
            f'<svg viewBox="0 0 {width:.2f} {height:.2f}" preserveAspectRatio="none">{boxes}</svg></div>'
        )

    def _box(self, index: int, lines: Iterable[BBox]) -> str:
        entity = self._entities[index]
        mark = self._type_of[entity.label]
        name = f"{entity.label}: {' '.join(entity.span.of(self._document.text).split())}"
        rects = "".join(
            f'<rect x="{box.x0_pt - 1:.1f}" y="{box.y0_pt - 0.5:.1f}" width="{box.width_pt + 2:.1f}"'
            f' height="{box.height_pt + 1:.1f}" rx="1.5"/>'
            for box in lines
        )
        return (
            f'<g class="t{mark.colour_index}" data-e="{index}" tabindex="0" role="button"'
            f' aria-label="{_text(name)}"><title>{_text(name)}</title>{rects}</g>'
        )

    def _flow(self, page: Page) -> str:
        pieces = (self._piece(piece) for piece in iter_pieces(self._document, page))
        return f'<div class="sheet flow">{"".join(pieces)}</div>'

    def _piece(self, piece: Piece) -> str:
        if piece.table is not None:
            return self._table(piece)
        assert piece.span is not None
        tag = "h3" if piece.kind == "heading" else "p"
        return f'<{tag} class="{piece.kind}">{self._marked_text(piece.span)}</{tag}>'

    def _table(self, piece: Piece) -> str:
        table = piece.table
        assert table is not None
        rows: list[list[str]] = [[] for _ in range(table.row_count)]
        ordered = sorted(
            zip(table.cells, piece.cells, strict=True), key=lambda pair: (pair[0].row_no, pair[0].column_no)
        )
        for cell, span in ordered:
            tag = "th" if cell.header or cell.row_no <= table.header_row_count else "td"
            spans = (f' rowspan="{cell.row_span}"' if cell.row_span > 1 else "") + (
                f' colspan="{cell.column_span}"' if cell.column_span > 1 else ""
            )
            inner = self._marked_text(span) if span is not None else ""
            rows[cell.row_no - 1].append(f"<{tag}{spans}>{inner}</{tag}>")
        return "<table>" + "".join(f"<tr>{''.join(row)}</tr>" for row in rows) + "</table>"

    def _marked_text(self, span: Span) -> str:
        source = self._document.text
        parts = []
        for start, end, covering in self._marks.runs(span):
            part = _text(source[start:end])
            if covering:
                colour = self._type_of[self._entities[covering[0]].label].colour_index
                numbers = " ".join(map(str, covering))
                reach = ' tabindex="0" role="button"' if not self._marked.issuperset(covering) else ""
                self._marked.update(covering)
                labels = _text(", ".join(self._entities[index].label for index in covering))
                part = (
                    f'<mark class="t{colour}" data-c="{colour}" data-e="{numbers}" title="{labels}"{reach}>'
                    f"{part}</mark>"
                )
            parts.append(part)
        return "".join(parts)


def _text(text: str) -> str:
    return escape(printable(text), quote=True)


def _data(name: str) -> str:
    return files("extractor").joinpath(name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
