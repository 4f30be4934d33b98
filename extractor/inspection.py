"""One document looked at without a lake: read and extracted in a worker process of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extractor.config import Config
from extractor.document import Document, Page, Table
from extractor.errors import CorruptError, ExtractorError, InputError, LimitError, OcrError
from extractor.governance.inventory import Entry
from extractor.pipeline import Job, Outcome
from extractor.pool import process_one
from extractor.records import Entity, Relation


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A document, its mentions with their links, and what became of it."""

    document: Document
    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]
    outcome: Outcome


def inspect(file: Path, config: Config) -> Inspection:
    """Read one file, with the same limits as a run.

    Raises:
        InputError: the document would be quarantined; its code says why.
    """
    try:
        if file.stat().st_size > config.limits.max_file_bytes:
            raise LimitError("more bytes than limits.max_file_bytes allows", code="limit.bytes")
        content = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"the file cannot be read ({type(error).__name__})",
            code="input.unreadable",
            hint="You: check the path and the file's permissions.",
        ) from None
    job = Job(
        doc_id=hashlib.sha256(content).hexdigest(),
        content=content,
        entry=Entry(classification="", consent_scope=""),  # nothing is stored, so nothing is classified
        want_rows=False,
    )
    outcome = process_one(config, job)
    if outcome.status == "quarantined" or outcome.document is None:
        raise _error_of(outcome)
    return Inspection(
        document=outcome.document,
        entities=outcome.findings.entities,
        relations=outcome.findings.relations,
        outcome=outcome,
    )


def document_as_dict(document: Document) -> dict[str, Any]:
    """The document as ``extractor text --json`` prints it: offsets count code points of the whole text."""
    failures = {failure.page_no: failure.code for failure in document.failures}
    starts = iter(document.word_starts)
    pages = []
    for page, start in zip(document.pages, document.page_starts, strict=True):
        words = []
        for word in page.words:
            at = next(starts)
            box = word.box
            words.append(
                {
                    "text": word.text,
                    "start": at,
                    "end": at + len(word.text),
                    "box": None
                    if box is None
                    else [round(value, 2) for value in (box.x0_pt, box.y0_pt, box.x1_pt, box.y1_pt)],
                    "confidence": None if word.confidence is None else round(word.confidence, 4),
                },
            )
        pages.append(
            {
                "page_no": page.page_no,
                "width_pt": page.width_pt,
                "height_pt": page.height_pt,
                "rotation_deg": page.rotation_deg,
                "source": page.source,
                "quality": page.quality,
                "failure": failures.get(page.page_no),
                "start": start,
                "text": page.text,
                "words": words,
                "blocks": [
                    {"kind": block.kind, "first": block.first, "last": block.last, "table_no": block.table_no}
                    for block in page.blocks
                ],
                "tables": [_table_as_dict(table, page) for table in page.tables],
                "confidence": None if page.confidence is None else round(page.confidence, 4),
            },
        )
    return {
        "doc_id": document.doc_id,
        "media_type": document.media_type,
        "status": "partial" if failures else "extracted",
        "pages": pages,
    }


def _table_as_dict(table: Table, page: Page) -> dict[str, Any]:
    return {
        "table_no": table.table_no,
        "row_count": table.row_count,
        "column_count": table.column_count,
        "header_row_count": table.header_row_count,
        "continues": table.continues,
        "box": None
        if table.box is None
        else [
            round(value, 2) for value in (table.box.x0_pt, table.box.y0_pt, table.box.x1_pt, table.box.y1_pt)
        ],
        "rows": table.grid(page),
        "cells": [
            {
                "row_no": cell.row_no,
                "column_no": cell.column_no,
                "row_span": cell.row_span,
                "column_span": cell.column_span,
                "header": cell.header,
                "text": page.quote(cell.first, cell.last),
                "first": cell.first,
                "last": cell.last,
            }
            for cell in table.cells
        ],
    }


def _error_of(outcome: Outcome) -> ExtractorError:
    code = outcome.code or CorruptError.code
    family = code.split(".")[0]
    kinds: dict[str, type[ExtractorError]] = {"ocr": OcrError, "limit": LimitError}
    kind = ExtractorError if outcome.is_bug else kinds.get(family, InputError)
    return kind(
        f"the document cannot be read ({outcome.stage})", doc_id=outcome.doc_id, code=code, hint=outcome.hint
    )
