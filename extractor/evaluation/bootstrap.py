"""Precision, recall and F1 with bootstrap intervals over documents.

Documents are drawn with replacement (Efron 1979), 1000 times from a fixed
seed; low and high are the 2.5th and 97.5th percentile of F1. A ratio of
nothing to nothing is None, not a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

RESAMPLES = 1000
SEED = 20240
_CHUNK = 50

Counts = tuple[int, int, int]
"""Right, predicted, annotated: of one type in one document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Precision, recall, F1 and its 95 % interval; None where there is nothing to divide."""

    precision: float | None
    recall: float | None
    f1: float | None
    low: float | None
    high: float | None
    support: int | None = None
    predicted: int | None = None
    right: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name, rounded to six places; counts only where they are known."""
        found = {
            name: None if value is None else round(value, 6)
            for name in ("precision", "recall", "f1", "low", "high")
            for value in (getattr(self, name),)
        }
        counts = {name: getattr(self, name) for name in ("support", "predicted", "right")}
        return found | {name: value for name, value in counts.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores by type, over all mentions (micro) and as the mean over types with support (macro)."""

    types: dict[str, Score]
    micro: Score
    macro: Score


def score(
    documents: Sequence[Mapping[str, Counts]],
    types: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Scores:
    """Scores of per-document counts; the order of the documents decides which are drawn together."""
    import numpy as np

    counts = np.array(
        [[document.get(kind, (0, 0, 0)) for kind in types] for document in documents], dtype=np.float64
    ).reshape(len(documents), len(types), 3)
    drawn = _drawn(counts, resamples, seed)
    total = counts.sum(axis=0)
    ratios, drawn_ratios = _ratios(total), _ratios(drawn)
    supported = np.flatnonzero(total[:, 2])
    return Scores(
        types={
            kind: _score(ratios[place], drawn_ratios[:, place, 2], total[place])
            for place, kind in enumerate(types)
        },
        micro=_score(_ratios(total.sum(axis=0)), _ratios(drawn.sum(axis=1))[:, 2], total.sum(axis=0)),
        macro=_score(
            _mean(ratios[supported], axis=0),
            _mean(drawn_ratios[:, supported, 2], axis=1),
            None,
        ),
    )


def accuracy(documents: Sequence[tuple[int, int]], *, resamples: int = RESAMPLES, seed: int = SEED) -> Score:
    """Share of right ones among all, per document (right, all), as a score whose f1 is that share."""
    return score(
        [{"": (right, count, count)} for right, count in documents], [""], resamples=resamples, seed=seed
    ).micro


def _drawn(counts: Numbers, resamples: int, seed: int) -> Numbers:
    """Summed counts of each resample: (resamples, types, 3)."""
    import numpy as np

    size, types, _ = counts.shape
    if not size or not types or not counts.any():
        return np.zeros((0, types, 3))
    random = np.random.default_rng(seed)
    flat = counts.reshape(size, types * 3)
    parts = []
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        picks = random.integers(0, size, size=(rows, size)) + np.arange(rows)[:, None] * size
        weights = np.bincount(picks.ravel(), minlength=rows * size).reshape(rows, size)
        parts.append(weights.astype(np.float64) @ flat)
    return np.concatenate(parts).reshape(-1, types, 3)


def _ratios(counts: Numbers) -> Numbers:
    """Precision, recall, F1 along the last axis; nan where there is neither annotation nor prediction."""
    import numpy as np

    right, predicted, gold = counts[..., 0], counts[..., 1], counts[..., 2]
    nothing = (predicted + gold) == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(predicted > 0, right / predicted, np.where(gold > 0, 0.0, np.nan))
        recall = np.where(gold > 0, right / gold, np.nan)
        f1 = np.where(nothing, np.nan, 2 * right / (predicted + gold))
    return np.stack([precision, recall, f1], axis=-1)


def _mean(values: Numbers, *, axis: int) -> Numbers:
    """Mean over what is a number; nan where nothing is."""
    import numpy as np

    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(axis=axis) / count, dtype=np.float64)


def _score(ratios: Numbers, drawn: Numbers, counts: Numbers | None) -> Score:
    import numpy as np

    known = drawn[~np.isnan(drawn)]
    low, high = (float(np.percentile(known, edge)) for edge in (2.5, 97.5)) if len(known) else (None, None)
    precision, recall, f1 = (None if np.isnan(value) else float(value) for value in ratios)
    right, predicted, gold = (int(value) for value in counts) if counts is not None else (None, None, None)
    return Score(
        precision=precision,
        recall=recall,
        f1=f1,
        low=low,
        high=high,
        support=gold,
        predicted=predicted,
        right=right,
    )
