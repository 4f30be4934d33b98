"""From mentions to concepts: candidates, a linear ranker, and NIL where nothing is sure enough.

The ranker is a conditional logit: a candidate's score is the weighted sum of
its features, NIL has the score 0, and the softmax over both gives the
probability that a candidate is the one. The most probable candidate is the
answer unless its probability is below the threshold, which was chosen on
training text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from extractor.errors import MissingToolError
from extractor.knowledge.base import KnowledgeBase
from extractor.knowledge.candidates import FEATURES, Candidate, Candidates, Context

NIL_THRESHOLD = 0.3
"""Where a pack says none."""


@dataclass(frozen=True, slots=True)
class Link:
    """A concept row and the ranker's probability that it is the one meant."""

    row: int
    probability: float


class Linking:
    """Links mentions to the concepts of one knowledge base.

    ``threshold`` overrides the pack's; ``learned`` says whether the names that
    annotated text taught are used.

    Raises:
        MissingToolError: the pack's ranker does not fit this version.
    """

    def __init__(self, base: KnowledgeBase, *, threshold: float | None = None, learned: bool = True) -> None:
        self.base = base
        self.candidates = Candidates(base, learned=learned)
        way = "learned" if learned and base.lexicon else "plain"
        ranker: Mapping[str, Any] = base.ranker.get(way) or {}
        weights: Mapping[str, float] = ranker.get("weights") or {}
        if set(weights) - set(FEATURES):
            raise MissingToolError(
                f"model {base.name!r}: its ranker is of another version", code="tool.model"
            )
        self._weights = tuple(float(weights.get(feature, 0.0)) for feature in FEATURES)
        self._threshold = float(ranker.get("threshold", NIL_THRESHOLD)) if threshold is None else threshold

    def best(self, mention: str, label: str, context: Context) -> Link | None:
        """The concept of a mention, None for NIL."""
        return self.choose(self.candidates.of(mention, label, context))

    def choose(self, candidates: Sequence[Candidate]) -> Link | None:
        """The answer among candidates that were looked up already."""
        ranked = self.ranked(candidates)
        return ranked[0] if ranked and ranked[0].probability >= self._threshold else None

    def ranked(self, candidates: Sequence[Candidate]) -> list[Link]:
        """The candidates with their probabilities, the likeliest first; ties by row."""
        scores = [
            sum(weight * value for weight, value in zip(self._weights, candidate.features, strict=True))
            for candidate in candidates
        ]
        top = max(scores, default=0.0)
        top = max(top, 0.0)
        powers = [math.exp(score - top) for score in scores]
        total = sum(powers) + math.exp(-top)
        links = [
            Link(candidate.row, power / total) for candidate, power in zip(candidates, powers, strict=True)
        ]
        return sorted(links, key=lambda link: (-link.probability, link.row))
