"""What is found in a document: entities, records, their evidence, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from extractor.spans import BBox, Span

Alignment = Literal["exact", "normalised", "fuzzy"]
ALIGNMENTS: tuple[Alignment, ...] = ("exact", "normalised", "fuzzy")
ParseStatus = Literal["ok", "unknown", "ambiguous"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Who made a row: an extractor and, where it has one, its model, pinned by digest.

    ``model_sha256`` is the digest of the model's manifest, or of the rule pack or
    vocabulary that the extractor reads.
    """

    extractor: str
    version: str
    model: str | None = None
    model_version: str | None = None
    model_sha256: str | None = None

    @property
    def made_by(self) -> str:
        return f"{self.extractor}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A concept of a code system, with the release it was looked up in."""

    system: str
    code: str
    display: str
    vocabulary_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number measured on paper.

    ``value_text`` keeps the digits as written ("7.20"); ``value`` is the exact
    decimal, ``value_high`` the upper end of a range, both None unless
    ``parse_status`` is ``ok``. ``unit_ucum`` is the case-sensitive UCUM code.
    """

    value_text: str
    value: Decimal | None = None
    value_high: Decimal | None = None
    comparator: str | None = None
    unit_source: str | None = None
    unit_ucum: str | None = None
    parse_status: ParseStatus = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What the text says about a mention (ConText); None where nobody looked.

    ``certainty`` is certain, uncertain or hypothetical; ``temporality`` current,
    historical or future; ``experiencer`` patient, family or other.
    """

    negated: bool | None = None
    certainty: str | None = None
    temporality: str | None = None
    experiencer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A typed mention at one place of one document.

    ``score`` is the extractor's own number 0..1, None for rules. ``probability``
    is set only where someone calibrated it. ``normalised`` is the canonical
    form where the extractor knows one (long form, ISO date, preferred name).
    ``language`` is the BCP 47 code of the text around it, None where unsure.
    """

    doc_id: str
    span: Span
    label: str
    maker: Maker
    alignment: Alignment = "exact"
    score: float | None = None
    probability: float | None = None
    normalised: str | None = None
    code: Code | None = None
    quantity: Quantity | None = None
    assertion: Assertion = Assertion()
    section: str | None = None
    language: str | None = None

    def __post_init__(self) -> None:
        for number in (self.score, self.probability):
            if number is not None and not 0.0 <= number <= 1.0:
                raise ValueError("score and probability are 0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A typed link from one entity to another of the same document.

    ``score`` and ``probability`` as in :class:`Entity`.
    """

    doc_id: str
    head: Entity
    tail: Entity
    label: str
    maker: Maker
    score: float | None = None
    probability: float | None = None

    def __post_init__(self) -> None:
        if not self.doc_id == self.head.doc_id == self.tail.doc_id:
            raise ValueError("a relation stays in one document")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a value stands: its span and the (page_no, box) of each word the span touches."""

    doc_id: str
    span: Span
    boxes: tuple[tuple[int, BBox], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of a typed table, each value with evidence or named in ``derived``.

    ``key`` is the digest of doc_id, table and spans: a rerun gives the same key.
    """

    table: str
    key: str
    values: dict[str, Any]
    evidence: dict[str, Evidence]
    derived: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        bare = {
            name
            for name, value in self.values.items()
            if value is not None and name not in self.evidence and name not in self.derived
        }
        if bare:
            raise ValueError(f"values without evidence: {', '.join(sorted(bare))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Something that was refused: a pointer and a code; never a value or a quote."""

    doc_id: str
    stage: str
    code: str
    page_no: int | None = None
    span: Span | None = None
    table: str | None = None
