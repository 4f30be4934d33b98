"""Small made batches: documents with pages, entities that quote them, a refused page, an address."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from extractor.config import LakeSettings
from extractor.lake.commit import Batch
from extractor.lineage import digest
from extractor.tables.catalogue import table_named
from extractor.tables.entities import MASKED_LABELS
from extractor.tables.operations import source_ref

WHEN = datetime(2024, 5, 17, 8, 30, tzinfo=UTC)


def settings(**changes: Any) -> LakeSettings:
    values = {
        "batch_documents": 64,
        "batch_pages": 2000,
        "batch_seconds": 60,
        "commit_retries": 20,
        "storage_options": {},
        "target_file_mb": 128,
        "vacuum_hours": 168,
    }
    return LakeSettings.model_validate({**values, **changes})


def doc_id(number: int | str) -> str:
    return hashlib.sha256(f"document {number}".encode()).hexdigest()


def extraction_id(document: str, pipeline: str) -> str:
    return digest(document, pipeline)


def pages_of(document: str, count: int) -> list[str]:
    return [
        f"Page {no} of {document[:6]}: aspirin 7.20 mg, call jane@example.org" for no in range(1, count + 1)
    ]


def make_batch(
    doc_ids: Iterable[str],
    *,
    run_id: str = "run-1",
    pipeline: str = "1.0+aaaaaaaaaaaa",
    pages: int = 2,
    statuses: Mapping[str, str] | None = None,
    **governance: str | None,
) -> Batch:
    """A batch whose documents have ``pages`` pages with three entities each and one address."""
    tags = {
        "study_id": "S-1",
        "subject_id": "SUBJ-1",
        "classification": "PHI",
        "consent_scope": "research+model",
        **governance,
    }
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("page_text", "entities", "quarantine", "sources", "documents")
    }
    extractions = {}
    for document in doc_ids:
        extractions[document] = extraction_id(document, pipeline)
        common = {
            "doc_id": document,
            "extraction_id": extractions[document],
            "run_id": run_id,
            "pipeline_version": pipeline,
            **tags,
        }
        status = (statuses or {}).get(document, "extracted")
        texts = [] if status == "quarantined" else pages_of(document, pages)
        start = 0
        for page_no, text in enumerate(texts, start=1):
            rows["page_text"].append(_page(common, page_no, start, text))
            for label, quote in (
                ("drug", "aspirin"),
                ("measurement", "7.20 mg"),
                ("email", "jane@example.org"),
            ):
                rows["entities"].append(_entity(common, label, page_no, start + text.index(quote), quote))
            start += len(text) + 1
        if status != "extracted":
            rows["quarantine"].append(_refusal(common, status))
        rows["sources"].append(
            {
                "source_ref": source_ref(document),
                "doc_id": document,
                "uri": f"/in/{document[:8]}.pdf",
                "attachment_no": "",
                "run_id": run_id,
            },
        )
        rows["documents"].append(_document(common, status, len(texts)))
    tables = {name: table_named(name).to_arrow(found) for name, found in rows.items()}
    return Batch(run_id=run_id, extractions=extractions, tables=tables)


def run_row(run_id: str) -> dict[str, Any]:
    counts = dict.fromkeys(("seen", "done", "partial", "quarantined", "skipped", "bugs", "pages"), 1)
    return {
        "run_id": run_id,
        "kind": "run",
        "started_at": WHEN,
        "ended_at": WHEN,
        "pipeline_version": "1.0+aaaaaaaaaaaa",
        "code_version": "1.0",
        "config_sha256": "0" * 64,
        "models": ["m@1=0"],
        "seconds": 1.5,
        **counts,
    }


def _page(common: dict[str, Any], page_no: int, start: int, text: str) -> dict[str, Any]:
    return {
        **common,
        "row_id": digest(common["doc_id"], "page_text", page_no),
        "media_type": "application/pdf",
        "page_no": page_no,
        "char_start": start,
        "text": text,
        "width_pt": 595.0,
        "height_pt": 842.0,
        "rotation_deg": 0,
        "source": "text-layer",
        "quality": "good",
        "words": [
            {"start": 0, "end": 4, "x0_pt": 1.0, "y0_pt": 1.0, "x1_pt": 9.0, "y1_pt": 5.0, "confidence": 0.9}
        ],
        "layout": '{"blocks":[],"tables":[]}',
    }


def _entity(common: dict[str, Any], label: str, page_no: int, start: int, quote: str) -> dict[str, Any]:
    text = f"[{label}]" if label in MASKED_LABELS else quote
    is_number = label == "measurement"
    return {
        **common,
        "row_id": digest(common["doc_id"], "entities", label, start),
        "type": label,
        "text": text,
        "value_text": "7.20" if is_number else None,
        "value": Decimal("7.20") if is_number else None,
        "parse_status": "ok" if is_number else None,
        "page_no": page_no,
        "char_start": start,
        "char_end": start + len(quote),
        "boxes": [{"page_no": page_no, "x0_pt": 1.0, "y0_pt": 1.0, "x1_pt": 9.0, "y1_pt": 5.0}],
        "source_text": text,
        "alignment": "exact",
        "review_status": "none",
        "extractor": "made@1",
    }


def _refusal(common: dict[str, Any], status: str) -> dict[str, Any]:
    return {
        **common,
        "row_id": digest(common["doc_id"], "quarantine", status),
        "scope": "document" if status == "quarantined" else "page",
        "stage": "read",
        "code": "input.corrupt",
        "hint": "Sender: send it again.",
        "retryable": False,
    }


def _document(common: dict[str, Any], status: str, pages: int) -> dict[str, Any]:
    is_whole = status == "extracted"
    return {
        **common,
        "source_ref": source_ref(common["doc_id"]),
        "media_type": "application/pdf",
        "byte_count": 1234,
        "page_count": pages,
        "received_at": WHEN,
        "governance_source": "manifest",
        "status": status,
        "status_code": None if is_whole else "input.corrupt",
        "pages_ok": pages,
        "pages_failed": 0,
        "failed_pages": [],
        "pages_poor": 0,
        "attachment_count": 0,
        "extracted_at": WHEN,
    }
