"""The ``documents`` table: the inventory, the root of policy, one row per document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extractor.schema import Column, Rule, Table
from extractor.tables.governed import INHERITED_COLUMNS, PARTITION

if TYPE_CHECKING:
    import polars as pl

STATUSES = ("extracted", "partial", "quarantined", "withdrawn")


def _status() -> pl.Expr:
    import polars as pl

    return pl.col("status").is_in(list(STATUSES))


def _reason() -> pl.Expr:
    import polars as pl

    return (pl.col("status") == "extracted") == pl.col("status_code").is_null()


def _pages() -> pl.Expr:
    import polars as pl

    return pl.col("page_count").is_null() | (
        pl.col("pages_ok") + pl.col("pages_failed") == pl.col("page_count")
    )


DOCUMENTS = Table(
    name="documents",
    zone="governed",
    description="Every document the engine has seen, with its governance, its state and its current extraction.",
    key=("doc_id",),
    partition_by=PARTITION,
    columns=(
        Column(name="doc_id", dtype="string", nullable=False, description="sha256 of the document's bytes."),
        Column(
            name="source_ref",
            dtype="string",
            nullable=False,
            description="Opaque reference into the restricted table sources.",
        ),
        Column(
            name="parent_doc_id", dtype="string", description="The document that carried this one, or null."
        ),
        Column(name="media_type", dtype="string", description="By content; null when it could not be told."),
        Column(name="byte_count", dtype="int64", nullable=False, description="Size in bytes."),
        Column(name="page_count", dtype="int32", description="Pages the document has; null when unknown."),
        Column(name="record_type", dtype="string", description="Kind of record, from the inventory."),
        Column(name="modality", dtype="string", description="Modality, from the inventory."),
        *INHERITED_COLUMNS,
        Column(name="site_id", dtype="string", description="Site, from the inventory."),
        Column(name="sample_id", dtype="string", description="Sample, from the inventory."),
        Column(name="owner", dtype="string", description="Owner of the data, from the inventory."),
        Column(name="received_at", dtype="timestamp", description="When the document was received, UTC."),
        Column(
            name="governance_source",
            dtype="string",
            nullable=False,
            description="Where its governance comes from: manifest, rule, parent or default (strictest).",
        ),
        Column(name="status", dtype="string", nullable=False, description=", ".join(STATUSES) + "."),
        Column(
            name="status_code", dtype="string", description="Why the status is not extracted: an error code."
        ),
        Column(name="pages_ok", dtype="int32", nullable=False, description="Pages read."),
        Column(
            name="pages_failed", dtype="int32", nullable=False, description="Pages that could not be read."
        ),
        Column(name="failed_pages", dtype="ints", nullable=False, description="Their numbers."),
        Column(name="pages_poor", dtype="int32", nullable=False, description="Pages too poor to trust."),
        Column(
            name="ocr_confidence", dtype="float64", description="Mean over OCR pages, weighted by characters."
        ),
        Column(name="attachment_count", dtype="int32", nullable=False, description="Files carried inside."),
        Column(name="extraction_id", dtype="string", nullable=False, description="The current extraction."),
        Column(name="pipeline_version", dtype="string", nullable=False, description="Its pipeline."),
        Column(name="run_id", dtype="string", nullable=False, description="The run that wrote it."),
        Column(name="extracted_at", dtype="timestamp", nullable=False, description="When, UTC."),
        Column(
            name="text_extraction_id",
            dtype="string",
            description="The extraction that read the document, whose page_text is current; null: extraction_id.",
        ),
        Column(name="text_run_id", dtype="string", description="The run that read it; null: run_id."),
    ),
    rules=(
        Rule(
            rule_id="documents.status", description="status is one of " + ", ".join(STATUSES), check=_status
        ),
        Rule(rule_id="documents.reason", description="every status but extracted has a code", check=_reason),
        Rule(rule_id="documents.pages", description="pages_ok + pages_failed = page_count", check=_pages),
    ),
)
