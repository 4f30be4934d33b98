"""Whether links are right: between the same mentions, or between the same concepts of a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from extractor.evaluation.bootstrap import Counts, score
from extractor.evaluation.concepts import Concept, concept_of, concepts_of, is_one_of
from extractor.evaluation.labels import RelationRule
from extractor.evaluation.matching import Match, Place, compatible_pairs
from extractor.evaluation.mentions import Case
from extractor.records import Entity, Relation

Ends = tuple[Place, Place]
ConceptPair = tuple[frozenset[Concept], frozenset[Concept]]


@dataclass(slots=True)
class RelationTally:
    """Counts per evaluated relation, document by document, and what could not be compared."""

    match: Match
    documents: list[Mapping[str, Counts]] = field(default_factory=list)
    without_code: int = 0
    gold_unplaced: int = 0

    def add(self, case: Case, relations: Sequence[Relation], *, given: bool) -> None:
        """One document's links; ``given``: between annotated mentions, whose concepts are then known."""
        self.documents.append(
            {
                name: self._concepts(case, name, rule, relations, given=given)
                if rule.compare == "concepts"
                else self._mentions(case, name, rule, relations)
                for name, rule in case.labels.relations.items()
            }
        )

    def as_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """Scores over all evaluated relations, and of each."""
        scores = score(self.documents, names)
        return {
            "micro": scores.micro.as_dict(),
            "macro": scores.macro.as_dict(),
            "types": {name: each.as_dict() for name, each in scores.types.items()},
            "without_code": self.without_code,
        }

    def _mentions(self, case: Case, name: str, rule: RelationRule, relations: Sequence[Relation]) -> Counts:
        wanted: set[Ends] = set()
        for relation in case.gold.relations:
            if case.labels.gold_relations.get(relation.type) != name:
                continue
            ends = [_place_at(case, end) for end in (relation.arg1, relation.arg2)]
            if ends[0] is None or ends[1] is None:
                self.gold_unplaced += 1
                continue
            wanted.add((ends[1], ends[0]) if rule.reversed else (ends[0], ends[1]))
        mine: set[Ends] = set()
        for link in relations:
            if link.label in rule.ours:
                head, tail = _our_place(case, link.head), _our_place(case, link.tail)
                if head is not None and tail is not None:
                    mine.add((head, tail))
        if self.match == "strict":
            right = len(wanted & mine)
        else:
            right = len(compatible_pairs(sorted(wanted), sorted(mine), _share_characters))
        return right, len(mine), len(wanted)

    def _concepts(
        self, case: Case, name: str, rule: RelationRule, relations: Sequence[Relation], *, given: bool
    ) -> Counts:
        wanted: set[ConceptPair] = set()
        for relation in case.gold.relations:
            if case.labels.gold_relations.get(relation.type) == name:
                ends = [_concepts_at(case, end) for end in (relation.arg1, relation.arg2)]
                if not ends[0] or not ends[1]:
                    self.gold_unplaced += 1
                    continue
                wanted.add((ends[1], ends[0]) if rule.reversed else (ends[0], ends[1]))
        mine: set[tuple[Concept, Concept]] = set()
        for link in relations:
            if link.label not in rule.ours:
                continue
            heads, tails = (_our_concepts(case, end, given=given) for end in (link.head, link.tail))
            if not heads or not tails:
                self.without_code += 1
            mine.update((head, tail) for head in heads for tail in tails)
        right = compatible_pairs(
            sorted(wanted, key=lambda pair: (sorted(pair[0]), sorted(pair[1]))),
            sorted(mine),
            lambda gold, ours: is_one_of(ours[0], gold[0]) and is_one_of(ours[1], gold[1]),
        )
        return len(right), len(mine), len(wanted)


def _place_at(case: Case, end: int | str) -> Place | None:
    if isinstance(end, str):
        return None
    entity = case.gold.entities[end]
    kind = case.labels.gold.get(entity.type)
    return Place(kind, entity.span) if kind is not None and entity.contiguous else None


def _our_place(case: Case, entity: Entity) -> Place | None:
    kind = case.labels.ours.get(entity.label)
    return None if kind is None else Place(kind, entity.span)


def _concepts_at(case: Case, end: int | str) -> frozenset[Concept]:
    return concepts_of(end if isinstance(end, str) else case.gold.entities[end].concept)


def _our_concepts(case: Case, entity: Entity, *, given: bool) -> frozenset[Concept]:
    if given:
        kind = case.labels.ours.get(entity.label)
        return case.concepts.get(Place(kind, entity.span), frozenset()) if kind is not None else frozenset()
    concept = concept_of(entity.code)
    return frozenset() if concept is None else frozenset({concept})


def _share_characters(gold: Ends, mine: Ends) -> bool:
    return all(
        one.type == other.type and one.span.overlaps(other.span)
        for one, other in zip(gold, mine, strict=True)
    )
