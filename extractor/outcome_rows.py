"""The rows of a batch: what came of its documents, with inventory, quarantine and sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from extractor.errors import ContractError
from extractor.governance.inventory import Entry
from extractor.item import Item
from extractor.lineage import Run
from extractor.pipeline import Outcome, advice
from extractor.records import Rejection
from extractor.tables.governed import Inheritance
from extractor.tables.operations import quarantine_row, source_ref


def batch_tables(
    items: Iterable[tuple[Item, Outcome]], run: Run, entries: Mapping[str, Entry]
) -> dict[str, Any]:
    """The Arrow tables of one batch: data tables, then quarantine, sources and documents."""
    import pyarrow as pa

    from extractor.tables.catalogue import TABLES

    parts: dict[str, list[Any]] = {}
    rows: dict[str, list[dict[str, Any]]] = {"quarantine": [], "sources": [], "documents": []}
    for item, outcome in items:
        entry = entries[item.doc_id]
        for name, table in outcome.tables.items():
            parts.setdefault(name, []).append(table)
        rows["documents"].append(_document_row(item, outcome, entry, run))
        rows["quarantine"].extend(_quarantine_rows(outcome, entry, run))
        rows["sources"].append(
            {
                "source_ref": source_ref(item.doc_id),
                "doc_id": item.doc_id,
                "uri": item.address,
                "attachment_no": item.attachment_no,
                "run_id": run.run_id,
            },
        )
    tables = {name: pa.concat_tables(found) for name, found in parts.items()}
    for name, found in rows.items():
        contract = TABLES[name]
        good, bad = contract.split(contract.to_arrow(found))
        if bad:
            rules = sorted({rule for one in bad for rule in one.rule_ids})
            raise ContractError(f"table {name}: own rows break {', '.join(rules)}", code="bug.contract")
        tables[name] = good
    return tables


def _document_row(item: Item, outcome: Outcome, entry: Entry, run: Run) -> dict[str, Any]:
    return {
        **entry.columns(),
        "doc_id": item.doc_id,
        "source_ref": source_ref(item.doc_id),
        "parent_doc_id": item.parent.doc_id if item.parent else None,
        "media_type": outcome.media_type,
        "byte_count": item.byte_count,
        "page_count": outcome.page_count,
        "status": outcome.status,
        "status_code": outcome.code,
        "pages_ok": outcome.pages_ok if outcome.page_count else 0,
        "pages_failed": len(outcome.failures),
        "failed_pages": [failure.page_no for failure in outcome.failures],
        "pages_poor": outcome.pages_poor,
        "ocr_confidence": outcome.ocr_confidence,
        "attachment_count": len(outcome.attachments),
        "extraction_id": run.pipeline.extraction_id(item.doc_id),
        "pipeline_version": run.pipeline.version,
        "run_id": run.run_id,
        "extracted_at": datetime.now(UTC),
    }


def _quarantine_rows(outcome: Outcome, entry: Entry, run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if outcome.status == "quarantined":
        found.append(
            quarantine_row(
                Rejection(doc_id=outcome.doc_id, stage=outcome.stage or "read", code=outcome.code or ""),
                scope="document",
                hint=outcome.hint or "",
                retryable=outcome.retryable,
            ),
        )
    for failure in outcome.failures:
        hint, retryable = advice(failure.code)
        stage = "ocr" if failure.code.startswith("ocr.") else "read"
        rejection = Rejection(doc_id=outcome.doc_id, stage=stage, code=failure.code, page_no=failure.page_no)
        found.append(quarantine_row(rejection, scope="page", hint=hint or "", retryable=retryable))
    found.extend(
        quarantine_row(
            rejection,
            scope="row",
            hint="Developer of the extractor: the row broke the rule that the code names.",
            retryable=False,
        )
        for rejection in outcome.rejections
    )
    inherited = Inheritance.of(outcome.doc_id, entry, pipeline=run.pipeline, run_id=run.run_id).columns()
    unique = {row["row_id"]: row for row in found}
    return [{**row, **inherited} for row in unique.values()]
