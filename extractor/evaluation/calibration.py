"""Whether a probability means what it says: expected calibration error, and whether it ranks.

ECE with 15 bins of equal count (Nguyen and O'Connor 2015); mentions of equal
probability share their outcomes evenly, so that the order of the input does
not matter. AUROC of probability against right or wrong counts ties as half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BINS = 15
MIN_ERRORS = 100
"""Below so many errors an AUROC says nothing that holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """ECE and AUROC over predicted mentions, and the number of errors behind them.

    ``auroc`` is None unless there are at least ``MIN_ERRORS`` errors and one
    right mention; ``verdict`` says so plainly.
    """

    mentions: int
    errors: int
    without_probability: int
    ece: float | None
    auroc: float | None
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name, rounded to six places."""
        return {
            "ece": None if self.ece is None else round(self.ece, 6),
            "auroc": None if self.auroc is None else round(self.auroc, 6),
            "errors": self.errors,
            "mentions": self.mentions,
            "without_probability": self.without_probability,
            "verdict": self.verdict,
        }


def calibrate(judged: Sequence[tuple[float | None, bool]]) -> Calibration:
    """Calibration of predicted mentions, each its probability (None: nobody gave one) and whether it is right."""
    known = [(probability, right) for probability, right in judged if probability is not None]
    errors = sum(not right for _, right in known)
    rankable = errors >= MIN_ERRORS and errors < len(known)
    if not known:
        verdict = "cannot rank: no probability" if judged else "cannot rank: no mention"
        errors = sum(not right for _, right in judged)
    elif errors < MIN_ERRORS:
        verdict = f"cannot rank: {errors} errors, {MIN_ERRORS} needed"
    elif not rankable:
        verdict = "cannot rank: nothing is right"
    else:
        verdict = "ranks"
    return Calibration(
        mentions=len(judged),
        errors=errors,
        without_probability=len(judged) - len(known),
        ece=expected_error(known) if known else None,
        auroc=auroc(known) if rankable else None,
        verdict=verdict,
    )


def expected_error(judged: Sequence[tuple[float, bool]], *, bins: int = BINS) -> float:
    """Mean over bins, weighted by size, of how far the mean probability is from the share of right ones."""
    import numpy as np

    probability = np.array([each[0] for each in judged], dtype=np.float64)
    right = np.array([each[1] for each in judged], dtype=np.float64)
    values, group, count = np.unique(probability, return_inverse=True, return_counts=True)
    share = np.bincount(group, weights=right, minlength=len(values)) / count
    sorted_probability, sorted_right = np.repeat(values, count), np.repeat(share, count)
    parts = np.array_split(np.arange(len(judged)), min(bins, len(judged)))
    gaps = [
        abs(float(sorted_probability[part].mean() - sorted_right[part].mean())) * len(part) for part in parts
    ]
    return float(sum(gaps) / len(judged))


def auroc(judged: Sequence[tuple[float, bool]]) -> float:
    """Chance that a right mention has a higher probability than a wrong one; both kinds must be there."""
    import numpy as np

    probability = np.array([each[0] for each in judged], dtype=np.float64)
    right = np.array([each[1] for each in judged], dtype=bool)
    _, group, count = np.unique(probability, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    ranks = (ends - (count - 1) / 2)[group]
    positives = int(right.sum())
    negatives = len(judged) - positives
    return float((ranks[right].sum() - positives * (positives + 1) / 2) / (positives * negatives))
