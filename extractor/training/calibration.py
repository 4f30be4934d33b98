"""How a recogniser's scores become probabilities: per type a temperature and a bias, fitted on gold mentions.

Platt scaling of the score's log odds by Newton's method (Platt 1999, with his
smoothed targets; Lin, Lin and Weng 2007). A type with too few mentions or
errors takes the fit over all types.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from extractor.document import Document
from extractor.evaluation.documents import text_document
from extractor.evaluation.labels import LabelMap
from extractor.evaluation.mentions import Case
from extractor.gold import GoldDocument
from extractor.ports import BatchExtractor

MIN_MENTIONS, MIN_ERRORS = 60, 20
Judged = tuple[float, bool]


def judged_mentions(
    extractor: BatchExtractor, documents: Sequence[GoldDocument], labels: LabelMap
) -> dict[str, list[Judged]]:
    """Score and whether span and type are right, of every mention of a type that the map names, by our type."""
    cases = [Case(gold, text_document(gold.text), labels) for gold in documents if gold.annotated]
    texts: list[Document] = [case.document for case in cases]
    found: dict[str, list[Judged]] = {}
    for case, entities in zip(cases, extractor.entities_of(texts), strict=True):
        for place, entity in case.predicted(entities).items():
            if entity.score is not None:
                found.setdefault(entity.label, []).append((entity.score, place in case.wanted))
    return found


def fit_all(judged: Mapping[str, Sequence[Judged]], types: Sequence[str]) -> dict[str, dict[str, float]]:
    """``{type: {temperature, bias}}`` for each of ``types``."""
    together = fit([each for mentions in judged.values() for each in mentions])
    fitted: dict[str, dict[str, float]] = {}
    for kind in types:
        mentions = judged.get(kind, ())
        errors = sum(not right for _, right in mentions)
        enough = len(mentions) >= MIN_MENTIONS and MIN_ERRORS <= errors <= len(mentions) - MIN_ERRORS
        slope, bias = fit(mentions) if enough else together
        fitted[kind] = {"temperature": round(1 / slope, 4), "bias": round(bias, 4)}
    return fitted


def fit(judged: Sequence[Judged]) -> tuple[float, float]:
    """Slope and bias of the log odds; (1, 0) where there is nothing to fit. The slope is at least 0.05."""
    right = sum(outcome for _, outcome in judged)
    wrong = len(judged) - right
    if not right or not wrong:
        return 1.0, 0.0
    high, low = (right + 1) / (right + 2), 1 / (wrong + 2)
    points = [(_logit(score), high if outcome else low) for score, outcome in judged]
    slope, bias = 1.0, 0.0
    loss = _loss(points, slope, bias)
    for _ in range(100):
        g0 = g1 = h01 = 0.0
        h00 = h11 = 1e-9
        for x, target in points:
            p = _sigmoid(slope * x + bias)
            weight = p * (1 - p)
            g0 += (p - target) * x
            g1 += p - target
            h00 += weight * x * x
            h01 += weight * x
            h11 += weight
        determinant = h00 * h11 - h01 * h01
        step0 = (h11 * g0 - h01 * g1) / determinant
        step1 = (h00 * g1 - h01 * g0) / determinant
        size = 1.0
        while size > 1e-6:  # a full step may overshoot: halve it until the loss falls
            tried = _loss(points, slope - size * step0, bias - size * step1)
            if tried < loss:
                break
            size /= 2
        else:
            break
        slope, bias, gained, loss = slope - size * step0, bias - size * step1, loss - tried, tried
        if gained < 1e-9 * len(points):
            break
    return max(slope, 0.05), bias


def _loss(points: Sequence[tuple[float, float]], slope: float, bias: float) -> float:
    total = 0.0
    for x, target in points:
        margin = slope * x + bias
        total += max(margin, 0.0) - margin * target + math.log1p(math.exp(-abs(margin)))
    return total


def _sigmoid(margin: float) -> float:
    return 1 / (1 + math.exp(-max(-500.0, min(500.0, margin))))


def _logit(score: float) -> float:
    bounded = min(max(score, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))
