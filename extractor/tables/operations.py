"""Tables about the engine's own work: runs, ledger, quarantine, and where documents came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from extractor.lineage import digest
from extractor.schema import Column, Table
from extractor.tables.governed import INHERITED_COLUMNS, PARTITION

if TYPE_CHECKING:
    from extractor.records import Rejection

RUNS = Table(
    name="runs",
    zone="operations",
    description="Each start of the engine: settings, code, models and what came of it.",
    key=("run_id",),
    columns=(
        Column(name="run_id", dtype="string", nullable=False, description="Name of the run."),
        Column(
            name="kind",
            dtype="string",
            nullable=False,
            description="run, retry, worker, reprocess or rollback.",
        ),
        Column(name="started_at", dtype="timestamp", nullable=False, description="UTC."),
        Column(name="ended_at", dtype="timestamp", nullable=False, description="UTC."),
        Column(name="pipeline_version", dtype="string", nullable=False, description="Pipeline that ran."),
        Column(name="code_version", dtype="string", nullable=False, description="Version of the engine."),
        Column(name="config_sha256", dtype="string", nullable=False, description="Digest of the settings."),
        Column(
            name="models", dtype="strings", nullable=False, description="name@version=sha256 of each model."
        ),
        *(
            Column(name=name, dtype="int64", nullable=False, description=f"Documents: {meaning}.")
            for name, meaning in (
                ("seen", "all that were offered"),
                ("done", "extracted whole"),
                ("partial", "extracted but for named pages"),
                ("quarantined", "not readable"),
                ("skipped", "already current, or the same bytes twice"),
                ("bugs", "stopped by an error nobody expected"),
            )
        ),
        Column(name="pages", dtype="int64", nullable=False, description="Pages read."),
        Column(name="seconds", dtype="float64", nullable=False, description="Wall time."),
    ),
)

LEDGER = Table(
    name="ledger",
    zone="operations",
    description="Two rows per batch: one that claims its documents before anything is written, one when all its tables "
    "are written. A batch without the second is not complete. Maintenance has the second only.",
    key=("batch_id", "state"),
    columns=(
        Column(name="batch_id", dtype="string", nullable=False, description="Name of one try at a batch."),
        Column(name="state", dtype="string", nullable=False, description="claimed or complete."),
        Column(
            name="sequence_no",
            dtype="int64",
            nullable=False,
            description="Delta version of the ledger that this row made; of two claims on a document the later holds.",
        ),
        Column(
            name="kind",
            dtype="string",
            nullable=False,
            description="extract, reprocess, rollback, retag or maintain.",
        ),
        Column(name="run_id", dtype="string", nullable=False, description="The run that wrote it."),
        Column(name="committed_at", dtype="timestamp", nullable=False, description="UTC."),
        Column(
            name="doc_ids",
            dtype="strings",
            nullable=False,
            description="Documents claimed, or completed, sorted; a completed batch leaves out those that a later "
            "claim took over.",
        ),
        Column(
            name="commits",
            dtype="commits",
            nullable=False,
            description="For each table written: rows, Delta version, and rows of each document in the order of "
            "doc_ids. A table without an entry got no rows. Empty for a claim.",
        ),
    ),
)

QUARANTINE = Table(
    name="quarantine",
    zone="operations",
    description="Documents, pages and rows that were refused: pointers and codes, never a value or a quote.",
    key=("row_id",),
    partition_by=PARTITION,
    columns=(
        Column(
            name="row_id",
            dtype="string",
            nullable=False,
            description="Digest of doc_id, stage, code and place.",
        ),
        Column(name="doc_id", dtype="string", nullable=False, description="sha256 of the document's bytes."),
        Column(
            name="extraction_id",
            dtype="string",
            nullable=False,
            description="The extraction that refused it.",
        ),
        Column(name="run_id", dtype="string", nullable=False, description="The run that wrote the row."),
        *INHERITED_COLUMNS,
        Column(name="scope", dtype="string", nullable=False, description="document, page or row."),
        Column(
            name="stage",
            dtype="string",
            nullable=False,
            description="read, ocr, extract, tables or contract.",
        ),
        Column(name="code", dtype="string", nullable=False, description="Error code or rule id."),
        Column(name="hint", dtype="string", nullable=False, description="Who must do what."),
        Column(name="retryable", dtype="bool", nullable=False, description="Whether trying again can help."),
        Column(name="page_no", dtype="int32", description="The page, or null."),
        Column(name="char_start", dtype="int32", description="Place in the canonical text, or null."),
        Column(name="char_end", dtype="int32", description="Place in the canonical text, or null."),
        Column(name="table_name", dtype="string", description="The table that refused a row, or null."),
        Column(name="pipeline_version", dtype="string", nullable=False, description="As in every row."),
    ),
)

SOURCES = Table(
    name="sources",
    zone="restricted",
    description="Where each document was found. Addresses may hold names of people: restricted.",
    key=("doc_id", "uri", "attachment_no"),
    columns=(
        Column(
            name="source_ref",
            dtype="string",
            nullable=False,
            description="The reference that documents holds.",
        ),
        Column(name="doc_id", dtype="string", nullable=False, description="sha256 of the document's bytes."),
        Column(
            name="uri",
            dtype="string",
            classification="restricted",
            nullable=False,
            description="Absolute path or object-store address; for attachments that of the outermost document.",
        ),
        Column(
            name="attachment_no",
            dtype="string",
            nullable=False,
            description='Place inside that document, such as "2" or "1/3"; empty for the document itself.',
        ),
        Column(name="run_id", dtype="string", nullable=False, description="The run that first saw it."),
    ),
)


def source_ref(doc_id: str) -> str:
    """The opaque reference that stands for a document's addresses."""
    return f"src_{doc_id[:24]}"


def quarantine_row(rejection: Rejection, *, scope: str, hint: str, retryable: bool) -> dict[str, Any]:
    """A refused document, page or row as a pointer; inherited columns are added by the caller."""
    span = rejection.span
    place = (rejection.page_no, span.start if span else None, span.end if span else None, rejection.table)
    return {
        "row_id": digest(rejection.doc_id, "quarantine", rejection.stage, rejection.code, *place),
        "doc_id": rejection.doc_id,
        "scope": scope,
        "stage": rejection.stage,
        "code": rejection.code,
        "hint": hint,
        "retryable": retryable,
        "page_no": rejection.page_no,
        "char_start": span.start if span else None,
        "char_end": span.end if span else None,
        "table_name": rejection.table,
    }
