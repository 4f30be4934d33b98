"""The ``relations`` table: one row per typed link between two mentions of one document.

The evidence of a link is its two mentions, not the text between them: that
text may be pages long and hold what other rows mask. The evidence columns that
every table has quote the head, the ``tail_`` ones the tail, and ``boxes`` hold
the words of both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from extractor.schema import Column, Rule, Table
from extractor.tables.entities import MASKED_LABELS
from extractor.tables.governed import (
    EVIDENCE_COLUMNS,
    IDENTITY_COLUMNS,
    INHERITED_COLUMNS,
    MAKER_COLUMNS,
    PARTITION,
    Inheritance,
    evidence_columns,
    evidence_rules,
    maker_columns,
    row_id,
)

if TYPE_CHECKING:
    from extractor.document import Document
    from extractor.records import Entity, Relation


def _tail_span() -> Any:
    import polars as pl

    return (pl.col("tail_char_start") >= 0) & (pl.col("tail_char_start") < pl.col("tail_char_end"))


def _two_ends() -> Any:
    import polars as pl

    return pl.col("head_row_id") != pl.col("tail_row_id")


def _end_columns(end: str) -> tuple[Column, ...]:
    """The columns that head and tail both have, as the entities' rows hold them."""
    return (
        Column(
            name=f"{end}_row_id",
            dtype="string",
            nullable=False,
            description=f"The {end}'s row in entities.",
        ),
        Column(name=f"{end}_type", dtype="string", nullable=False, description=f"Entity type of the {end}."),
        Column(
            name=f"{end}_text",
            dtype="string",
            classification="inherit",
            nullable=False,
            description=f"The {end} with white space made single; masked like source_text.",
        ),
        Column(
            name=f"{end}_normalised",
            dtype="string",
            classification="inherit",
            description=f"Canonical form of the {end} where known; a quantity with its UCUM unit.",
        ),
        Column(name=f"{end}_code_system", dtype="string", description=f"Code system of {end}_code."),
        Column(
            name=f"{end}_code",
            dtype="string",
            classification="inherit",
            description=f"Concept code of the {end}.",
        ),
    )


RELATIONS = Table(
    name="relations",
    zone="governed",
    description=(
        "Typed links between two mentions of one document, such as drug to dose. The evidence columns quote "
        "the head, the tail_ columns the tail; boxes hold the words of both."
    ),
    key=("row_id",),
    partition_by=PARTITION,
    columns=(
        *IDENTITY_COLUMNS,
        *INHERITED_COLUMNS,
        Column(
            name="relation_type",
            dtype="string",
            nullable=False,
            description="Type of the link, such as drug_dose or lab_test_value.",
        ),
        *_end_columns("head"),
        *_end_columns("tail"),
        Column(
            name="tail_page_no",
            dtype="int32",
            nullable=False,
            description="Page of the tail's first character, from 1.",
        ),
        Column(
            name="tail_char_start",
            dtype="int32",
            nullable=False,
            description="The tail's first code point in the canonical text, from 0.",
        ),
        Column(
            name="tail_char_end",
            dtype="int32",
            nullable=False,
            description="Code point after the tail's last one.",
        ),
        Column(
            name="tail_source_text",
            dtype="string",
            classification="inherit",
            nullable=False,
            description="The tail's words as read; masked as [type] where they hold a direct identifier.",
        ),
        *EVIDENCE_COLUMNS,
        *MAKER_COLUMNS,
    ),
    rules=(
        *evidence_rules("relations"),
        Rule(
            rule_id="relations.tail_span",
            description="0 <= tail_char_start < tail_char_end",
            check=_tail_span,
        ),
        Rule(
            rule_id="relations.ends",
            description="head and tail are two mentions",
            check=_two_ends,
        ),
    ),
)

_ALIGNMENT_ORDER = ("exact", "normalised", "fuzzy")


def relation_rows(
    document: Document, relations: Iterable[Relation], inheritance: Inheritance
) -> list[dict[str, Any]]:
    """Rows of the ``relations`` table, in the order given; of equal links the first stands."""
    rows: dict[str, dict[str, Any]] = {}
    for relation in relations:
        head, tail = relation.head, relation.tail
        own = row_id(
            document.doc_id,
            "relations",
            f"{relation.label} {head.label} {tail.label}",
            head.span,
            tail.span,
        )
        if own in rows:
            continue
        evidence, tail_evidence = _evidence(document, head), _evidence(document, tail)
        rows[own] = {
            **inheritance.columns(),
            **evidence,
            **maker_columns(relation.maker),
            "row_id": own,
            "relation_type": relation.label,
            **_end(document, head, "head", evidence),
            **_end(document, tail, "tail", tail_evidence),
            "tail_page_no": tail_evidence["page_no"],
            "tail_char_start": tail_evidence["char_start"],
            "tail_char_end": tail_evidence["char_end"],
            "tail_source_text": tail_evidence["source_text"],
            "boxes": evidence["boxes"] + tail_evidence["boxes"],
            "review_status": max(
                (evidence["review_status"], tail_evidence["review_status"]), key=("none", "pending").index
            ),
            "score": relation.score,
            "probability": relation.probability,
            "alignment": max((head.alignment, tail.alignment), key=_ALIGNMENT_ORDER.index),
        }
    return list(rows.values())


def _evidence(document: Document, entity: Entity) -> dict[str, Any]:
    return evidence_columns(
        document, entity.span, mask=f"[{entity.label}]" if entity.label in MASKED_LABELS else None
    )


def _end(document: Document, entity: Entity, end: str, evidence: dict[str, Any]) -> dict[str, Any]:
    is_masked = entity.label in MASKED_LABELS
    return {
        f"{end}_row_id": row_id(document.doc_id, "entities", entity.label, entity.span),
        f"{end}_type": entity.label,
        f"{end}_text": " ".join(evidence["source_text"].split()),
        f"{end}_normalised": None if is_masked else entity.normalised,
        f"{end}_code_system": entity.code.system if entity.code else None,
        f"{end}_code": entity.code.code if entity.code else None,
    }
