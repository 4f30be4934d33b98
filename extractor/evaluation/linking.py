"""Whether codes are right: for given mentions, and end to end.

A composite annotation counts as right when the code is one of its parts, since
a mention carries one code; ``accuracy_all_parts`` counts composites as wrong.
A mention that the corpus gives no concept (NIL) is no part of the accuracy;
``nil`` says how many such mentions rightly stayed without a code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from extractor.evaluation.bootstrap import Counts, accuracy, score
from extractor.evaluation.concepts import Concept, concept_of, is_one_of
from extractor.evaluation.matching import Place
from extractor.evaluation.mentions import Case
from extractor.records import Entity


@dataclass(slots=True)
class LinkingTally:
    """Counts over all documents, document by document."""

    given: list[tuple[int, int]] = field(default_factory=list)
    mentions: list[Mapping[str, Counts]] = field(default_factory=list)
    documents: list[Mapping[str, Counts]] = field(default_factory=list)
    by_type: dict[str, Counter[str]] = field(default_factory=dict)
    by_system: dict[str, Counter[str]] = field(default_factory=dict)
    total: Counter[str] = field(default_factory=Counter)
    matched: Counter[str] = field(default_factory=Counter)

    def add_given(self, case: Case, refined: Mapping[Place, Entity]) -> None:
        """One document whose annotated mentions were given and refined."""
        right = count = 0
        for place in case.wanted:
            wanted = case.concepts[place]
            entity = refined.get(place)
            mine = concept_of(entity.code) if entity is not None else None
            if not wanted:
                self.total["nil"] += 1
                self.total["nil_right"] += mine is None
                continue
            hit = is_one_of(mine, wanted)
            right, count = right + hit, count + 1
            self.total["without_code"] += mine is None
            self.total["composites"] += len(wanted) > 1
            self.total["right_single"] += hit and len(wanted) == 1
            system = "+".join(sorted({name or "unnamed" for name, _ in wanted}))
            for table, key in ((self.by_type, place.type), (self.by_system, system)):
                table.setdefault(key, Counter()).update(
                    mentions=1, right=int(hit), without_code=int(mine is None)
                )
        self.given.append((right, count))

    def add_found(
        self, case: Case, predicted: Mapping[Place, Entity], pairs: Sequence[tuple[Place, Place]]
    ) -> None:
        """One document with what was found in it, and which of it matches which annotation."""
        counts: dict[str, Counter[str]] = {}
        for place, wanted in case.concepts.items():
            counts.setdefault(place.type, Counter())["gold"] += bool(wanted)
        for place, entity in predicted.items():
            counts.setdefault(place.type, Counter())["mine"] += concept_of(entity.code) is not None
        for wanted_place, place in pairs:
            wanted = case.concepts[wanted_place]
            mine = concept_of(predicted[place].code)
            if wanted:
                hit = is_one_of(mine, wanted)
                counts[place.type]["right"] += hit
                self.matched.update(mentions=1, right=int(hit), without_code=int(mine is None))
        self.mentions.append({kind: (c["right"], c["mine"], c["gold"]) for kind, c in counts.items()})
        self.documents.append(_sets(case, predicted))

    def as_dict(self, *, types: Sequence[str], refined: bool) -> dict[str, Any] | None:
        """All figures; None where the corpus names no concept."""
        if not any(counts[2] for document in self.mentions for counts in document.values()):
            return None
        whole = score(self.mentions, types)
        return {
            "given": self._given() if refined else None,
            "end_to_end": {
                **whole.micro.as_dict(),
                "types": {kind: each.as_dict() for kind, each in whole.types.items() if each.support},
            },
            "documents": score(self.documents, types).micro.as_dict(),
            "found": _share(self.matched),
        }

    def _given(self) -> dict[str, Any]:
        share = accuracy(self.given)
        total = self.total
        count = share.support or 0
        return {
            "accuracy": _round(share.recall),
            "low": _round(share.low),
            "high": _round(share.high),
            "right": share.right,
            "mentions": count,
            "without_code": total["without_code"],
            "composites": total["composites"],
            "accuracy_all_parts": _ratio(total["right_single"], count),
            "nil": {"mentions": total["nil"], "right": total["nil_right"]},
            "types": {kind: _share(each) for kind, each in sorted(self.by_type.items())},
            "systems": {system: _share(each) for system, each in sorted(self.by_system.items())},
        }


def _sets(case: Case, predicted: Mapping[Place, Entity]) -> dict[str, Counts]:
    """Counts over the distinct concepts that the document states, by type."""
    wanted: dict[str, set[Concept]] = {}
    for place, concepts in case.concepts.items():
        wanted.setdefault(place.type, set()).update(concepts)
    mine: dict[str, set[Concept]] = {}
    for place, entity in predicted.items():
        concept = concept_of(entity.code)
        if concept is not None:
            mine.setdefault(place.type, set()).add(concept)
    found: dict[str, Counts] = {}
    for kind in wanted.keys() | mine.keys():
        known = frozenset(wanted.get(kind, ()))
        right = sum(is_one_of(concept, known) for concept in mine.get(kind, ()))
        found[kind] = (right, len(mine.get(kind, ())), len(known))
    return found


def _share(counts: Mapping[str, int]) -> dict[str, Any]:
    return {
        "accuracy": _ratio(counts.get("right", 0), counts.get("mentions", 0)),
        "right": counts.get("right", 0),
        "mentions": counts.get("mentions", 0),
        "without_code": counts.get("without_code", 0),
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
