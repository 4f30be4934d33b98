"""One annotated document beside what was found in it, both in evaluated types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from extractor import __version__
from extractor.document import Document
from extractor.evaluation.concepts import Concept, concepts_of
from extractor.evaluation.labels import LabelMap
from extractor.evaluation.matching import Match, Place, pair_up, without_alternatives
from extractor.gold import GoldDocument, GoldEntity
from extractor.records import Code, Entity, Maker
from extractor.spans import Span

GIVEN = Maker(extractor="gold", version=__version__)
"""The maker of mentions that are given."""
_ANYWHERE = Span(0, 1)


@dataclass(frozen=True)
class Case:
    """One document: its annotations under a label map, and the places that count.

    Annotations of one type at one place count once; their concepts are joined.
    """

    gold: GoldDocument
    document: Document
    labels: LabelMap

    @cached_property
    def wanted(self) -> dict[Place, GoldEntity]:
        """The annotated mentions that count, by place; mentions in pieces are left out."""
        found: dict[Place, GoldEntity] = {}
        for entity in self.gold.entities:
            kind = self.labels.gold.get(entity.type)
            if kind is not None and entity.contiguous:
                found.setdefault(self._place(kind, entity.span), entity)
        return found

    @cached_property
    def terms_without_place(self) -> dict[Place, frozenset[Concept]]:
        """Annotated terms whose place nobody tells; they count where terms are counted."""
        if self.labels.unit != "term":
            return {}
        found: dict[Place, frozenset[Concept]] = {}
        for mention in self.gold.failed:
            kind = self.labels.gold.get(mention.type)
            if kind is not None and mention.text.strip():
                place = Place(kind, _ANYWHERE, _folded(mention.text))
                found[place] = found.get(place, frozenset()) | concepts_of(mention.concept)
        return {place: known for place, known in found.items() if place not in self.wanted}

    @cached_property
    def concepts(self) -> dict[Place, frozenset[Concept]]:
        """The concepts of each annotated place; none where the corpus gives none."""
        found = dict(self.terms_without_place)
        for entity in self.gold.entities:
            kind = self.labels.gold.get(entity.type)
            if kind is not None and entity.contiguous:
                place = self._place(kind, entity.span)
                found[place] = found.get(place, frozenset()) | concepts_of(entity.concept)
        return found

    def predicted(self, entities: Iterable[Entity]) -> dict[Place, Entity]:
        """Our mentions that count, by place; of several at one place the most probable, then the one with a code."""
        found: dict[Place, Entity] = {}
        for entity in entities:
            kind = self.labels.ours.get(entity.label)
            if kind is None:
                continue
            place = self._place(kind, entity.span)
            before = found.get(place)
            if before is None or _weight(entity) > _weight(before):
                found[place] = entity
        return dict(sorted(found.items()))

    def pairs(
        self, predicted: Iterable[Place], match: Match
    ) -> tuple[list[Place], list[tuple[Place, Place]]]:
        """The annotated places that count, and the (annotated, predicted) pairs that match."""
        ours = list(predicted)
        places = sorted(self.wanted) + sorted(self.terms_without_place)
        if self.labels.alternatives:
            places = without_alternatives(places, [places[g] for g, _ in pair_up(places, ours, match)])
        return places, [(places[g], ours[p]) for g, p in pair_up(places, ours, match)]

    def given(self) -> list[Entity]:
        """The annotated mentions as ours, sorted by start, longer first."""
        spans = {
            (entity.span, self.labels.given[self.labels.gold[entity.type]])
            for entity in self.gold.entities
            if entity.contiguous and entity.type in self.labels.gold
        }
        return [
            Entity(doc_id=self.document.doc_id, span=span, label=label, maker=GIVEN)
            for span, label in sorted(spans, key=lambda each: (each[0].start, -each[0].end, each[1]))
        ]

    def refined(self, entities: Sequence[Entity]) -> dict[Place, Entity]:
        """What refiners made of :meth:`given`, by place; mentions they added elsewhere are left out."""
        found = self.predicted(entities)
        return {place: entity for place, entity in found.items() if place in self.wanted}

    def with_concepts(self, entities: Iterable[Entity]) -> list[Entity]:
        """Refined given mentions with the annotated concept for a code (of a composite the first), where there is one.

        So the errors of linking are no errors of what comes after it.
        """
        found: list[Entity] = []
        for entity in entities:
            kind = self.labels.ours.get(entity.label)
            concepts = self.concepts.get(self._place(kind, entity.span)) if kind is not None else None
            if concepts:
                system, code = min(concepts)
                given = Code(system=system, code=code, display=code, vocabulary_version=GIVEN.made_by)
                found.append(replace(entity, code=given))
            else:
                found.append(entity)
        return found

    def _place(self, kind: str, span: Span) -> Place:
        if self.labels.unit == "term":
            return Place(kind, _ANYWHERE, _folded(span.of(self.document.text)))
        return Place(kind, span)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _weight(entity: Entity) -> tuple[float, bool, str]:
    code = entity.code
    return (entity.probability or 0.0, code is not None, code.code if code else "")
