"""The evidence chain: from a row of the lake back to the place on the page, and to all that made it.

A row is found through the query door only, so it is visible here exactly when
it is visible there. A row that may not be seen and a row that does not exist
give the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from extractor.errors import AccessDeniedError
from extractor.schema import plain
from extractor.spans import BBox, Span
from extractor.tables.catalogue import TABLES
from extractor.tables.governed import EVIDENCE_COLUMNS, IDENTITY_COLUMNS, INHERITED_COLUMNS, MAKER_COLUMNS

if TYPE_CHECKING:
    from extractor.governance.policy import Access
    from extractor.lake.store import Lake

CONTEXT_CHARACTERS = 120
_ROW_ID = re.compile(r"[0-9a-f]{64}")
_ROW_ID_START = re.compile(r"[0-9a-f]{12,64}")
_FRAME = frozenset(
    column.name
    for columns in (IDENTITY_COLUMNS, INHERITED_COLUMNS, EVIDENCE_COLUMNS, MAKER_COLUMNS)
    for column in columns
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLink:
    """The document behind a row. ``classification`` and ``consent_scope`` are the document's own."""

    doc_id: str
    source_ref: str
    media_type: str | None
    page_count: int | None
    status: str
    classification: str
    consent_scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLink:
    """The run that made a row; the parts from ``runs`` are None while it has not ended."""

    run_id: str
    kind: str | None = None
    started_at: datetime | None = None
    code_version: str | None = None
    config_sha256: str | None = None
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitLink:
    """A Delta version of the row's table that holds the row as a batch wrote it."""

    kind: str
    version: int
    batch_id: str
    committed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The canonical text around a row's span, for roles that may see restricted text."""

    before: str
    quote: str
    after: str


@dataclass(frozen=True, kw_only=True)
class EvidenceChain:
    """Everything between a value and the paper. ``commits`` begin with the one that wrote the row."""

    row_id: str
    table: str
    values: Mapping[str, Any]
    source_text: str
    span: Span
    page_no: int
    boxes: tuple[tuple[int, BBox], ...]
    alignment: str
    score: float | None
    probability: float | None
    review_status: str
    classification: str
    consent_scope: str
    study_id: str | None
    subject_id: str | None
    extraction_id: str
    extractor: str
    model: str | None
    model_version: str | None
    model_sha256: str | None
    pipeline_version: str
    document: DocumentLink
    run: RunLink
    commits: tuple[CommitLink, ...]
    context: Context | None

    def as_dict(self) -> dict[str, Any]:
        """The chain for JSON: decimals as written, times in ISO 8601."""
        boxes = [
            {"page_no": page_no, "box_pt": [box.x0_pt, box.y0_pt, box.x1_pt, box.y1_pt]}
            for page_no, box in self.boxes
        ]
        return {
            "row_id": self.row_id,
            "table": self.table,
            "values": {name: plain(value) for name, value in self.values.items()},
            "evidence": {
                "source_text": self.source_text,
                "page_no": self.page_no,
                "char_start": self.span.start,
                "char_end": self.span.end,
                "boxes": boxes,
                "alignment": self.alignment,
                "score": self.score,
                "probability": self.probability,
                "review_status": self.review_status,
            },
            "governance": {
                "classification": self.classification,
                "consent_scope": self.consent_scope,
                "study_id": self.study_id,
                "subject_id": self.subject_id,
            },
            "document": {name: getattr(self.document, name) for name in DocumentLink.__slots__},
            "maker": {
                name: getattr(self, name)
                for name in ("extractor", "model", "model_version", "model_sha256", "pipeline_version")
            },
            "extraction_id": self.extraction_id,
            "run": {name: plain(getattr(self.run, name)) for name in RunLink.__slots__},
            "commits": [
                {name: plain(getattr(commit, name)) for name in CommitLink.__slots__}
                for commit in self.commits
            ],
            "context": None
            if self.context is None
            else {name: getattr(self.context, name) for name in Context.__slots__},
        }


def evidence_chain(lake: Lake, access: Access, row_id: str) -> EvidenceChain:
    """The chain behind a row of any table that holds evidence.

    ``row_id`` may be its first characters, at least twelve, where no other visible row begins so.

    Raises:
        AccessDeniedError: there is no such row, or the principal may not see it.
        LakeError: the lake cannot be read.
    """
    found = _visible_row(lake, access, row_id)
    if found is None:
        raise AccessDeniedError("there is no such row, or this principal may not see it")
    table, row = found
    documents = lake.read(
        "documents", columns=list(DocumentLink.__slots__), doc_ids=[row["doc_id"]]
    ).to_pylist()
    if not documents:
        raise AccessDeniedError("there is no such row, or this principal may not see it")
    return EvidenceChain(
        row_id=row["row_id"],
        table=table,
        values={name: value for name, value in row.items() if name not in _FRAME and value is not None},
        source_text=row["source_text"],
        span=Span(row["char_start"], row["char_end"]),
        page_no=row["page_no"],
        boxes=tuple(
            (box["page_no"], BBox(box["x0_pt"], box["y0_pt"], box["x1_pt"], box["y1_pt"]))
            for box in row["boxes"]
        ),
        **{
            name: row[name]
            for name in (
                "alignment",
                "score",
                "probability",
                "review_status",
                "classification",
                "consent_scope",
                "study_id",
                "subject_id",
                "extraction_id",
                "extractor",
                "model",
                "model_version",
                "model_sha256",
                "pipeline_version",
            )
        },
        document=DocumentLink(**documents[0]),
        run=_run(lake, row["run_id"]),
        commits=_commits(lake, table, row["doc_id"], row["run_id"]),
        context=_context(lake, access, row),
    )


def _visible_row(lake: Lake, access: Access, row_id: str) -> tuple[str, dict[str, Any]] | None:
    from extractor.lake.query import query, readable_tables

    if not _ROW_ID_START.fullmatch(row_id):
        return None
    readable = {table.name for table in readable_tables(access)}
    evidence_names = {column.name for column in EVIDENCE_COLUMNS}
    for table in TABLES.values():
        if table.name not in readable or not evidence_names <= set(table.column_names):
            continue
        sql = f"select * from {table.name} where row_id >= '{row_id}' and row_id <= '{row_id}g' limit 2"  # noqa: S608  # checked above
        rows: list[dict[str, Any]] = query(lake, access, sql).rows.to_pylist()
        if len(rows) > 1:
            raise AccessDeniedError(
                "more than one row begins so", code="policy.ambiguous", hint="You: give the whole row_id."
            )
        if rows:
            return table.name, rows[0]
    return None


def _run(lake: Lake, run_id: str) -> RunLink:
    names = ("kind", "started_at", "code_version", "config_sha256", "models")
    rows = lake.read("runs", columns=names, where=_equal("run_id", run_id)).to_pylist()
    if not rows:
        return RunLink(run_id=run_id)
    return RunLink(run_id=run_id, **{**rows[0], "models": tuple(rows[0]["models"])})


def _commits(lake: Lake, table: str, doc_id: str, run_id: str) -> tuple[CommitLink, ...]:
    """The batch of the run that wrote the document's rows, and those that rewrote them later."""
    names = ("batch_id", "kind", "run_id", "sequence_no", "committed_at", "doc_ids", "commits")
    rows = lake.read("ledger", columns=names, where="state = 'complete' AND kind <> 'maintain'").to_pylist()
    of_document = sorted(
        (row for row in rows if doc_id in row["doc_ids"]), key=lambda row: int(row["sequence_no"])
    )
    wrote = max((index for index, row in enumerate(of_document) if row["run_id"] == run_id), default=None)
    if wrote is None:
        return ()
    return tuple(
        CommitLink(
            kind=row["kind"],
            version=commit["version"],
            batch_id=row["batch_id"],
            committed_at=row["committed_at"],
        )
        for row in of_document[wrote:]
        for commit in row["commits"]
        if commit["table"] == table
    )


def _context(lake: Lake, access: Access, row: Mapping[str, Any]) -> Context | None:
    from extractor.lake.query import query, readable_tables

    if not access.restricted or "page_text" not in {table.name for table in readable_tables(access)}:
        return None
    doc_id = row["doc_id"]
    if not _ROW_ID.fullmatch(doc_id):
        return None
    start, end = row["char_start"], row["char_end"]
    pages = query(
        lake,
        access,
        "select char_start, text from page_text "  # noqa: S608  # a digest and numbers
        f"where doc_id = '{doc_id}' and page_no >= {int(row['page_no'])} and char_start < {int(end)} order by page_no",
    ).rows.to_pylist()
    if not pages:
        return None
    base = pages[0]["char_start"]
    text = "\f".join(page["text"] for page in pages)
    first = max(0, start - base - CONTEXT_CHARACTERS)
    return Context(
        before=text[first : start - base],
        quote=text[start - base : end - base],
        after=text[end - base : end - base + CONTEXT_CHARACTERS],
    )


def _equal(column: str, value: str) -> str:
    from extractor.lake.delta import literal

    return f"{column} = {literal(value)}"
