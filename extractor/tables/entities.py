"""The ``entities`` table: one row per typed mention."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from extractor.schema import Column, Rule, Table
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
    from extractor.records import Entity

MASKED_LABELS = frozenset({"email", "phone", "url", "identifier"})
"""Types that are direct identifiers of people: a governed row holds where they stand, not what they say."""


def _has_quantity_state() -> Any:
    import polars as pl

    state = pl.col("parse_status")
    return (state.is_null() & pl.col("value").is_null()) | state.is_in(["ok", "unknown", "ambiguous"])


ENTITIES = Table(
    name="entities",
    zone="governed",
    description="Typed mentions found in documents, each with its place, its maker and its meaning.",
    key=("row_id",),
    partition_by=PARTITION,
    columns=(
        *IDENTITY_COLUMNS,
        *INHERITED_COLUMNS,
        Column(
            name="type",
            dtype="string",
            nullable=False,
            description="Entity type, such as drug or measurement.",
        ),
        Column(
            name="text",
            dtype="string",
            classification="inherit",
            nullable=False,
            description="The mention with white space made single; masked like source_text.",
        ),
        Column(
            name="normalised",
            dtype="string",
            classification="inherit",
            description="Canonical form where known: ISO date, long form, preferred name.",
        ),
        Column(
            name="code_system", dtype="string", description="Code system of code, such as MESH or DRUGBANK."
        ),
        Column(name="code", dtype="string", classification="inherit", description="Concept code."),
        Column(
            name="code_display",
            dtype="string",
            classification="inherit",
            description="Preferred name of the code.",
        ),
        Column(
            name="vocabulary_version", dtype="string", description="Release in which the code was looked up."
        ),
        Column(
            name="value_text",
            dtype="string",
            classification="inherit",
            description="A number's digits as written.",
        ),
        Column(
            name="value", dtype="decimal", classification="inherit", description="The exact decimal, or null."
        ),
        Column(
            name="value_high",
            dtype="decimal",
            classification="inherit",
            description="Upper end of a range, or null.",
        ),
        Column(
            name="comparator",
            dtype="string",
            classification="inherit",
            description="<, <=, >, >=, ±, ~ or null.",
        ),
        Column(
            name="unit_source", dtype="string", classification="inherit", description="The unit as written."
        ),
        Column(name="unit_ucum", dtype="string", description="The unit as a case-sensitive UCUM code."),
        Column(
            name="parse_status",
            dtype="string",
            description="ok, unknown or ambiguous; null without a number.",
        ),
        Column(
            name="negated",
            dtype="bool",
            description="Whether the text denies the mention; null: not examined.",
        ),
        Column(
            name="certainty",
            dtype="string",
            description="certain, uncertain or hypothetical; null: not examined.",
        ),
        Column(
            name="temporality",
            dtype="string",
            description="current, historical or future; null: not examined.",
        ),
        Column(
            name="experiencer", dtype="string", description="patient, family or other; null: not examined."
        ),
        Column(
            name="section",
            dtype="string",
            description="Section of the document; null: before the first heading, or not examined.",
        ),
        Column(
            name="language",
            dtype="string",
            description="BCP 47 code of the text around the mention; null: unsure or not examined. Not en: low trust.",
        ),
        *EVIDENCE_COLUMNS,
        *MAKER_COLUMNS,
    ),
    rules=(
        *evidence_rules("entities"),
        Rule(
            rule_id="entities.quantity",
            description="a value has a parse status of ok, unknown or ambiguous",
            check=_has_quantity_state,
        ),
    ),
)


def entity_rows(
    document: Document, entities: Iterable[Entity], inheritance: Inheritance
) -> list[dict[str, Any]]:
    """Rows of the ``entities`` table, in order of their spans."""
    rows = []
    for entity in entities:
        mask = f"[{entity.label}]" if entity.label in MASKED_LABELS else None
        code, quantity, assertion = entity.code, entity.quantity, entity.assertion
        evidence = evidence_columns(document, entity.span, mask=mask)
        rows.append(
            {
                **inheritance.columns(),
                **evidence,
                **maker_columns(entity.maker),
                "row_id": row_id(document.doc_id, "entities", entity.label, entity.span),
                "type": entity.label,
                "text": " ".join(evidence["source_text"].split()),
                "normalised": None if mask else entity.normalised,
                "code_system": code.system if code else None,
                "code": code.code if code else None,
                "code_display": code.display if code else None,
                "vocabulary_version": code.vocabulary_version if code else None,
                "value_text": quantity.value_text if quantity else None,
                "value": quantity.value if quantity else None,
                "value_high": quantity.value_high if quantity else None,
                "comparator": quantity.comparator if quantity else None,
                "unit_source": quantity.unit_source if quantity else None,
                "unit_ucum": quantity.unit_ucum if quantity else None,
                "parse_status": quantity.parse_status if quantity else None,
                "negated": assertion.negated,
                "certainty": assertion.certainty,
                "temporality": assertion.temporality,
                "experiencer": assertion.experiencer,
                "section": entity.section,
                "language": entity.language,
                "score": entity.score,
                "probability": entity.probability,
                "alignment": entity.alignment,
            },
        )
    return rows
