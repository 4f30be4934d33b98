"""How a recogniser's scores become probabilities: per type a temperature and a bias, fitted on gold mentions.

Platt scaling of the score's log odds (Platt 1999, with his smoothed targets), as
for the links. A type with too few mentions or
errors takes the fit over all types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from extractor.document import Document
from extractor.evaluation.documents import text_document
from extractor.evaluation.labels import LabelMap
from extractor.evaluation.mentions import Case
from extractor.gold import GoldDocument
from extractor.ner.model import log_odds
from extractor.ports import BatchExtractor
from extractor.relators.fitting import platt

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
    slope, bias = platt([log_odds(score) for score, _ in judged], [outcome for _, outcome in judged])
    return max(slope, 0.05), bias
