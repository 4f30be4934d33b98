"""The restricted ``page_text`` table: what was read, so that nobody need read the document again.

A page's row holds all of its :class:`~extractor.document.Page`; a document
comes back from its rows exactly as it was assembled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from extractor.document import Block, Cell, Document, Page, PageFailure, Table as PageTable, Word
from extractor.schema import Column, Rule, Table
from extractor.spans import BBox
from extractor.tables.governed import IDENTITY_COLUMNS, INHERITED_COLUMNS, PARTITION, Inheritance, row_id

if TYPE_CHECKING:
    import polars as pl


def _page_rule() -> pl.Expr:
    import polars as pl

    return (pl.col("page_no") >= 1) & (pl.col("char_start") >= 0)


PAGE_TEXT = Table(
    name="page_text",
    zone="restricted",
    description="Canonical text, word boxes, blocks and tables of each page, for running better models without "
    "opening the document.",
    key=("row_id",),
    partition_by=PARTITION,
    columns=(
        *IDENTITY_COLUMNS,
        *INHERITED_COLUMNS,
        Column(name="media_type", dtype="string", nullable=False, description="Media type of the document."),
        Column(name="page_no", dtype="int32", nullable=False, description="From 1."),
        Column(
            name="char_start", dtype="int32", nullable=False, description="Offset of the page in the text."
        ),
        Column(
            name="text",
            dtype="string",
            classification="restricted",
            nullable=False,
            description="The page's part of the canonical text; the document's text is these, parted by form feeds.",
        ),
        Column(
            name="width_pt", dtype="float64", description="Width of the upright page; null without geometry."
        ),
        Column(name="height_pt", dtype="float64", description="Height of the upright page."),
        Column(
            name="rotation_deg",
            dtype="int32",
            nullable=False,
            description="Clockwise turn that made it upright.",
        ),
        Column(
            name="source", dtype="string", nullable=False, description="text-layer, flow or the OCR engine."
        ),
        Column(name="confidence", dtype="float64", description="Mean OCR confidence weighted by characters."),
        Column(name="quality", dtype="string", nullable=False, description="good, poor or unreadable."),
        Column(
            name="failure",
            dtype="string",
            description="Code of the error that kept the page from being read.",
        ),
        Column(
            name="words",
            dtype="words",
            classification="restricted",
            nullable=False,
            description="Offsets (in the page's text), box and OCR confidence of each word.",
        ),
        Column(
            name="layout",
            dtype="string",
            classification="restricted",
            nullable=False,
            description="Blocks and tables over the words, as JSON.",
        ),
        Column(name="pipeline_version", dtype="string", nullable=False, description="As in every row."),
    ),
    rules=(
        Rule(rule_id="page_text.place", description="page and offset are counted right", check=_page_rule),
    ),
)


def page_text_rows(document: Document, inheritance: Inheritance) -> list[dict[str, Any]]:
    """One row per page, failed pages included."""
    failures = {failure.page_no: failure.code for failure in document.failures}
    rows = []
    for page, start in zip(document.pages, document.page_starts, strict=True):
        rows.append(
            {
                **inheritance.columns(),
                "row_id": row_id(document.doc_id, "page_text", str(page.page_no)),
                "media_type": document.media_type,
                "page_no": page.page_no,
                "char_start": start,
                "text": page.text,
                "width_pt": page.width_pt,
                "height_pt": page.height_pt,
                "rotation_deg": page.rotation_deg,
                "source": page.source,
                "confidence": page.confidence,
                "quality": page.quality,
                "failure": failures.get(page.page_no),
                "words": _words_out(page),
                "layout": _layout_out(page),
            },
        )
    return rows


def document_from_rows(rows: Iterable[Mapping[str, Any]]) -> Document:
    """The document whose pages these rows are, as it was assembled (boxes to float32 precision).

    Raises:
        ValueError: pages are missing.
    """
    ordered = sorted(rows, key=lambda row: row["page_no"])
    pages = [_page_in(row) for row in ordered]
    return Document.assemble(
        doc_id=ordered[0]["doc_id"],
        media_type=ordered[0]["media_type"],
        pages=pages,
        failures=[
            PageFailure(page_no=row["page_no"], code=row["failure"]) for row in ordered if row["failure"]
        ],
    )


def _words_out(page: Page) -> list[dict[str, Any]]:
    words = []
    offset = 0
    for word in page.words:
        offset += len(word.before)
        box = word.box
        words.append(
            {
                "start": offset,
                "end": offset + len(word.text),
                "x0_pt": box.x0_pt if box else None,
                "y0_pt": box.y0_pt if box else None,
                "x1_pt": box.x1_pt if box else None,
                "y1_pt": box.y1_pt if box else None,
                "confidence": word.confidence,
            },
        )
        offset += len(word.text)
    return words


def _page_in(row: Mapping[str, Any]) -> Page:
    text: str = row["text"]
    width_pt, height_pt = row["width_pt"], row["height_pt"]
    words = []
    end = 0
    for word in row["words"]:
        box = None
        if word["x0_pt"] is not None:
            box = BBox(word["x0_pt"], word["y0_pt"], word["x1_pt"], word["y1_pt"]).clamp(width_pt, height_pt)
        words.append(
            Word(
                text=text[word["start"] : word["end"]],
                before=text[end : word["start"]],
                box=box,
                confidence=None if word["confidence"] is None else min(1.0, word["confidence"]),
            ),
        )
        end = word["end"]
    layout = json.loads(row["layout"])
    return Page(
        page_no=row["page_no"],
        width_pt=width_pt,
        height_pt=height_pt,
        words=tuple(words),
        blocks=tuple(
            Block(kind=kind, first=first, last=last, table_no=table_no)
            for kind, first, last, table_no in layout["blocks"]
        ),
        tables=tuple(_table_in(table) for table in layout["tables"]),
        source=row["source"],
        rotation_deg=row["rotation_deg"],
        after=text[end:],
        confidence=row["confidence"],
        quality=row["quality"],
    )


def _layout_out(page: Page) -> str:
    """Blocks and tables as JSON: blocks and cells as lists, in the order of their fields here."""
    return json.dumps(
        {
            "blocks": [[block.kind, block.first, block.last, block.table_no] for block in page.blocks],
            "tables": [
                {
                    "table_no": table.table_no,
                    "row_count": table.row_count,
                    "column_count": table.column_count,
                    "header_row_count": table.header_row_count,
                    "continues": table.continues,
                    "box": _box_out(table.box),
                    "cells": [
                        [
                            cell.row_no,
                            cell.column_no,
                            cell.first,
                            cell.last,
                            cell.row_span,
                            cell.column_span,
                            cell.header,
                            _box_out(cell.box),
                        ]
                        for cell in table.cells
                    ],
                }
                for table in page.tables
            ],
        },
        separators=(",", ":"),
    )


def _table_in(table: dict[str, Any]) -> PageTable:
    cells = tuple(
        Cell(
            row_no=row_no,
            column_no=column_no,
            first=first,
            last=last,
            row_span=row_span,
            column_span=column_span,
            header=header,
            box=_box_in(box),
        )
        for row_no, column_no, first, last, row_span, column_span, header, box in table["cells"]
    )
    return PageTable(**{**table, "cells": cells, "box": _box_in(table["box"])})


def _box_out(box: BBox | None) -> list[float] | None:
    return None if box is None else [box.x0_pt, box.y0_pt, box.x1_pt, box.y1_pt]


def _box_in(box: list[float] | None) -> BBox | None:
    return None if box is None else BBox(*box)
