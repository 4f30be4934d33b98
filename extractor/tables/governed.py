"""The columns that every governed row carries, and how they are filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extractor.governance.inventory import Entry
from extractor.lineage import Pipeline, digest
from extractor.records import ALIGNMENTS
from extractor.schema import Column, Rule
from extractor.spans import BBox, Span

if TYPE_CHECKING:
    from extractor.document import Document
    from extractor.records import Maker

PARTITION = ("classification", "consent_scope")
"""Files hold rows of one class and one consent scope, so that a policy reads only what it allows."""

INHERITED_COLUMNS = (
    Column(name="study_id", dtype="string", description="Study of the document, from the inventory."),
    Column(
        name="subject_id",
        dtype="string",
        description="Study pseudonym of the subject; never a record number.",
    ),
    Column(
        name="classification",
        dtype="string",
        nullable=False,
        description="Class of the row: the strictest of its sources, as declared in the policy.",
    ),
    Column(
        name="consent_scope",
        dtype="string",
        nullable=False,
        description="What consent allows; never wider than the document's.",
    ),
)

IDENTITY_COLUMNS = (
    Column(
        name="row_id", dtype="string", nullable=False, description="Digest of doc_id, table, type and spans."
    ),
    Column(name="doc_id", dtype="string", nullable=False, description="sha256 of the document's bytes."),
    Column(
        name="extraction_id",
        dtype="string",
        nullable=False,
        description="Digest of doc_id and pipeline: which extraction of the document made the row.",
    ),
    Column(name="run_id", dtype="string", nullable=False, description="The run that wrote the row."),
)

EVIDENCE_COLUMNS = (
    Column(name="page_no", dtype="int32", nullable=False, description="Page of the first character, from 1."),
    Column(
        name="char_start",
        dtype="int32",
        nullable=False,
        description="First code point in the canonical text, from 0.",
    ),
    Column(name="char_end", dtype="int32", nullable=False, description="Code point after the last one."),
    Column(
        name="boxes",
        dtype="boxes",
        nullable=False,
        description="Box of each word, in points of the upright page, origin top left; empty without page geometry.",
    ),
    Column(
        name="source_text",
        dtype="string",
        classification="inherit",
        nullable=False,
        description="The words as read; masked as [type] where they hold a direct identifier.",
    ),
    Column(name="score", dtype="float64", description="The extractor's own number 0..1; null for rules."),
    Column(
        name="probability", dtype="float64", description="Calibrated probability; null where not calibrated."
    ),
    Column(
        name="alignment",
        dtype="string",
        nullable=False,
        description="How the value was located: exact, normalised or fuzzy.",
    ),
    Column(
        name="review_status",
        dtype="string",
        nullable=False,
        description="none, pending (the page is poor or the value unsure), accepted, corrected or rejected.",
    ),
)

MAKER_COLUMNS = (
    Column(
        name="extractor",
        dtype="string",
        nullable=False,
        description="Extractor and version that made the row.",
    ),
    Column(name="model", dtype="string", description="Model, rule pack or vocabulary behind it."),
    Column(name="model_version", dtype="string", description="Its version."),
    Column(name="model_sha256", dtype="string", description="sha256 of its manifest, which pins every file."),
    Column(
        name="pipeline_version",
        dtype="string",
        nullable=False,
        description="Code version and digest of settings and models.",
    ),
)


def evidence_rules(table: str) -> tuple[Rule, ...]:
    """The promises every row with evidence keeps."""
    import polars as pl

    return (
        Rule(
            rule_id=f"{table}.span",
            description="0 <= char_start < char_end",
            check=lambda: (pl.col("char_start") >= 0) & (pl.col("char_start") < pl.col("char_end")),
        ),
        Rule(
            rule_id=f"{table}.page", description="page_no counts from 1", check=lambda: pl.col("page_no") >= 1
        ),
        Rule(
            rule_id=f"{table}.alignment",
            description="alignment is exact, normalised or fuzzy",
            check=lambda: pl.col("alignment").is_in(list(ALIGNMENTS)),
        ),
        Rule(
            rule_id=f"{table}.numbers",
            description="score and probability are null or 0..1",
            check=lambda: (
                (pl.col("score").is_null() | pl.col("score").is_between(0, 1))
                & (pl.col("probability").is_null() | pl.col("probability").is_between(0, 1))
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inheritance:
    """What each row of a document takes from its inventory entry and its extraction."""

    doc_id: str
    extraction_id: str
    run_id: str
    pipeline_version: str
    study_id: str | None
    subject_id: str | None
    classification: str
    consent_scope: str

    @classmethod
    def of(cls, doc_id: str, entry: Entry, *, pipeline: Pipeline, run_id: str) -> Inheritance:
        """What the rows take that a pipeline makes, in a run, of a document with this entry."""
        return cls(
            doc_id=doc_id,
            extraction_id=pipeline.extraction_id(doc_id),
            run_id=run_id,
            pipeline_version=pipeline.version,
            study_id=entry.study_id,
            subject_id=entry.subject_id,
            classification=entry.classification,
            consent_scope=entry.consent_scope,
        )

    def columns(self) -> dict[str, Any]:
        """The inherited columns of one row."""
        return {
            "doc_id": self.doc_id,
            "extraction_id": self.extraction_id,
            "run_id": self.run_id,
            "pipeline_version": self.pipeline_version,
            "study_id": self.study_id,
            "subject_id": self.subject_id,
            "classification": self.classification,
            "consent_scope": self.consent_scope,
        }


def row_id(doc_id: str, table: str, kind: str, *spans: Span) -> str:
    """The name of a row: equal document, table, type and spans give the equal name."""
    return digest(doc_id, table, kind, *(f"{span.start}-{span.end}" for span in spans))


def evidence_columns(document: Document, span: Span, *, mask: str | None = None) -> dict[str, Any]:
    """page_no, char_start, char_end, boxes, source_text and review_status of one span.

    ``mask`` replaces the words where they hold a direct identifier. Rows of a
    page that the quality gate did not find good wait for review.
    """
    page_no = document.page_no_at(span.start)
    last_page_no = document.page_no_at(span.end - 1)
    doubtful = any(page.quality != "good" for page in document.pages[page_no - 1 : last_page_no])
    return {
        "page_no": page_no,
        "char_start": span.start,
        "char_end": span.end,
        "boxes": boxes_column(document.boxes_of(span)),
        "source_text": mask if mask is not None else span.of(document.text),
        "review_status": "pending" if doubtful else "none",
    }


def maker_columns(maker: Maker) -> dict[str, Any]:
    """extractor, model, model_version and model_sha256 of one row."""
    return {
        "extractor": maker.made_by,
        "model": maker.model,
        "model_version": maker.model_version,
        "model_sha256": maker.model_sha256,
    }


def boxes_column(boxes: Sequence[tuple[int, BBox]]) -> list[dict[str, Any]]:
    """Boxes as stored: points rounded to hundredths."""
    return [
        {
            "page_no": page_no,
            "x0_pt": round(box.x0_pt, 2),
            "y0_pt": round(box.y0_pt, 2),
            "x1_pt": round(box.x1_pt, 2),
            "y1_pt": round(box.y1_pt, 2),
        }
        for page_no, box in boxes
    ]
