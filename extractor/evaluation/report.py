"""What an evaluation says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from extractor.evaluation.bootstrap import Scores
from extractor.evaluation.calibration import Calibration
from extractor.evaluation.labels import Unit
from extractor.evaluation.matching import Match


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All figures of one evaluation; a part is None where the corpus or the configuration has nothing for it.

    ``tested`` names what was measured: an extractor, or ``engine``. ``left_out``
    counts what was not compared, by reason. ``notes`` are sentences for people.
    """

    scores: Scores
    linking: dict[str, Any] | None
    assertion: dict[str, Any] | None
    relations: dict[str, Any] | None
    calibration: dict[str, Calibration]
    tokens: int
    characters: int
    documents: int
    seconds: float
    extract_s: float
    refine_s: float
    tested: str
    labels: str
    match: Match
    unit: Unit
    left_out: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def tokens_per_s(self) -> float | None:
        """Words and signs of the texts per second of wall time spent finding."""
        return round(self.tokens / self.seconds, 1) if self.seconds > 0 and self.tokens else None

    def as_dict(self) -> dict[str, Any]:
        """As ``extractor evaluate --json`` prints it."""
        names = ("precision", "recall", "f1", "low", "high")
        micro, macro = self.scores.micro.as_dict(), self.scores.macro.as_dict()
        return {
            "micro": {name: micro[name] for name in names},
            "macro": {name: macro[name] for name in names},
            "types": {kind: each.as_dict() for kind, each in self.scores.types.items()},
            "linking": self.linking,
            "assertion": self.assertion,
            "relations": self.relations,
            "calibration": {kind: each.as_dict() for kind, each in self.calibration.items()},
            "tokens_per_s": self.tokens_per_s,
            "tested": self.tested,
            "labels": self.labels,
            "match": self.match,
            "unit": self.unit,
            "documents": self.documents,
            "tokens": self.tokens,
            "seconds": {"extract": round(self.extract_s, 3), "refine_and_relate": round(self.refine_s, 3)},
            "left_out": self.left_out,
            "notes": list(self.notes),
        }
