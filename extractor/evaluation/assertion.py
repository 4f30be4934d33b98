"""Whether assertions are right, on given mentions: one marked value per attribute against all others.

``negation``: negated. ``temporality``: historical. ``experiencer``: anybody but
the patient. A mention of which the corpus says nothing is left out of that
attribute; one of which we say nothing counts as unmarked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from extractor.evaluation.bootstrap import Counts, score
from extractor.evaluation.matching import Place
from extractor.evaluation.mentions import Case
from extractor.gold import GoldEntity
from extractor.records import Assertion, Entity

MARKED = {"negation": "negated", "temporality": "historical", "experiencer": "not the patient"}
_HISTORICAL = frozenset({"historical", "history", "past"})
_PATIENT = frozenset({"patient", "self"})


@dataclass(slots=True)
class AssertionTally:
    """Counts per attribute, document by document."""

    documents: list[Mapping[str, Counts]] = field(default_factory=list)
    judged: dict[str, int] = field(default_factory=dict)
    agreed: dict[str, int] = field(default_factory=dict)

    def add(self, case: Case, refined: Mapping[Place, Entity]) -> None:
        """One document whose annotated mentions were given and refined."""
        counts = {attribute: [0, 0, 0] for attribute in MARKED}
        for place, gold in case.wanted.items():
            entity = refined.get(place)
            ours = _ours(entity.assertion if entity is not None else Assertion())
            for attribute, wanted in _gold(gold).items():
                if wanted is None:
                    continue
                mine = ours[attribute]
                self.judged[attribute] = self.judged.get(attribute, 0) + 1
                self.agreed[attribute] = self.agreed.get(attribute, 0) + (mine == wanted)
                right, predicted, annotated = counts[attribute]
                counts[attribute] = [right + (mine and wanted), predicted + mine, annotated + wanted]
        self.documents.append({name: (each[0], each[1], each[2]) for name, each in counts.items()})

    def as_dict(self) -> dict[str, Any] | None:
        """Scores per attribute; None where the corpus has no assertions."""
        if not self.judged:
            return None
        scores = score(self.documents, list(MARKED)).types
        return {
            attribute: {
                **scores[attribute].as_dict(),
                "marked": MARKED[attribute],
                "mentions": self.judged[attribute],
                "accuracy": round(self.agreed[attribute] / self.judged[attribute], 6),
            }
            for attribute in MARKED
            if attribute in self.judged
        }


def _gold(entity: GoldEntity) -> dict[str, bool | None]:
    return {
        "negation": entity.negated,
        "temporality": None if entity.temporality is None else entity.temporality in _HISTORICAL,
        "experiencer": None if entity.experiencer is None else entity.experiencer not in _PATIENT,
    }


def _ours(assertion: Assertion) -> dict[str, bool]:
    return {
        "negation": assertion.negated is True,
        "temporality": assertion.temporality == "historical",
        "experiencer": assertion.experiencer not in (None, "patient"),
    }
