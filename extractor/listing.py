"""Lists for people: documents and what was refused, through the policy's own door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extractor.governance.policy import Access
from extractor.lake.query import query
from extractor.tables.documents import STATUSES

if TYPE_CHECKING:
    import pyarrow as pa

    from extractor.lake.store import Lake


def list_documents(lake: Lake, access: Access, *, status: str | None, limit: int) -> pa.Table:
    """Documents with their state and governance, by doc_id; ``status`` is one of ``STATUSES`` or None for all."""
    where = f"where status = '{STATUSES[STATUSES.index(status)]}'" if status else ""
    return query(
        lake,
        access,
        "select doc_id, media_type, page_count, status, status_code, classification, consent_scope, study_id, "
        f"subject_id, record_type, pages_failed, pages_poor from documents {where} "  # a declared status
        f"order by doc_id limit {int(limit)}",
    ).rows


def list_quarantine(lake: Lake, access: Access, *, code: str | None) -> pa.Table:
    """What was refused, with code and hint; one code or all."""
    import pyarrow.compute as pc

    rows = query(
        lake,
        access,
        "select code, scope, stage, doc_id, page_no, retryable, hint from quarantine order by code, doc_id, page_no",
    ).rows
    return rows if code is None else rows.filter(pc.equal(rows["code"], code))
