"""Fitting logistic regressions over named features; numpy only, and the same numbers every time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

CORRECTIONS = 8
"""Steps that L-BFGS remembers (Nocedal and Wright 2006, algorithm 7.4)."""
SMALLEST = 0.01
"""Weights nearer to nothing are left out of a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Bias and one weight for each feature; :meth:`raw` is the log odds."""

    bias: float
    weights: dict[str, float]

    def raw(self, features: Sequence[str]) -> float:
        """Log odds of a pair."""
        get = self.weights.get
        return self.bias + sum(get(name, 0.0) for name in features)


def fit(rows: Sequence[Sequence[str]], labels: Sequence[bool], *, l2: float, min_count: int) -> Fitted:
    """Minimise the log loss plus ``l2 / 2`` times the squared weights (not the bias).

    Features that fewer than ``min_count`` rows have are left out.
    """
    import numpy as np

    counts = Counter(name for row in rows for name in set(row))
    names = sorted(name for name, count in counts.items() if count >= min_count)
    index = {name: place for place, name in enumerate(names)}
    flat = [[index[name] for name in row if name in index] for row in rows]
    columns = np.array([place for row in flat for place in row], dtype=np.int64)
    row_of = np.repeat(np.arange(len(flat)), [len(row) for row in flat])
    target = np.array(labels, dtype=np.float64)

    def loss(w: Vector) -> tuple[float, Vector]:
        raw = w[-1] + np.bincount(row_of, weights=w[columns], minlength=len(flat))
        value = float(np.sum(np.logaddexp(0.0, raw) - target * raw) + l2 / 2 * np.dot(w[:-1], w[:-1]))
        error = 1 / (1 + np.exp(-np.clip(raw, -500, 500))) - target
        gradient = np.empty_like(w)
        gradient[:-1] = np.bincount(columns, weights=error[row_of], minlength=len(names)) + l2 * w[:-1]
        gradient[-1] = error.sum()
        return value, gradient

    w = _lbfgs(loss, np.zeros(len(names) + 1))
    return Fitted(
        bias=round(float(w[-1]), 4),
        weights={
            name: round(float(w[place]), 3) for name, place in index.items() if abs(w[place]) >= SMALLEST
        },
    )


def platt(raw: Sequence[float], labels: Sequence[bool]) -> tuple[float, float]:
    """Slope and intercept that turn log odds into calibrated log odds (Platt 1999, smoothed targets)."""
    import numpy as np

    positive = sum(labels)
    negative = len(labels) - positive
    high, low = (positive + 1) / (positive + 2), 1 / (negative + 2)
    x = np.array(raw)
    target = np.where(np.array(labels), high, low)

    def loss(w: Vector) -> tuple[float, Vector]:
        out = w[0] * x + w[1]
        error = 1 / (1 + np.exp(-np.clip(out, -500, 500))) - target
        value = float(np.sum(np.logaddexp(0.0, out) - target * out))
        return value, np.array([float(np.dot(error, x)), float(error.sum())])

    slope, intercept = _lbfgs(loss, np.array([1.0, 0.0]))
    return round(float(slope), 4), round(float(intercept), 4)


def sigmoid(raw: float) -> float:
    """The probability of log odds."""
    return 1 / (1 + math.exp(-raw)) if raw > -500 else 0.0


def _lbfgs(loss: Callable[[Vector], tuple[float, Vector]], w: Vector, *, steps: int = 200) -> Vector:
    """Limited-memory BFGS with a backtracking line search."""
    import numpy as np

    value, gradient = loss(w)
    memory: list[tuple[Vector, Vector, float]] = []
    for _ in range(steps):
        if float(np.abs(gradient).max()) < 1e-3:
            break
        direction = -_two_loops(gradient, memory)
        slope = float(np.dot(direction, gradient))
        size = 1.0 if memory else min(1.0, 1.0 / float(np.linalg.norm(gradient)))
        while True:
            moved = w + size * direction
            new_value, new_gradient = loss(moved)
            if new_value <= value + 1e-4 * size * slope or size < 1e-10:
                break
            size /= 2
        s, y = moved - w, new_gradient - gradient
        curvature = float(np.dot(s, y))
        if curvature > 1e-10:
            memory = [*memory[-(CORRECTIONS - 1) :], (s, y, 1 / curvature)]
        is_flat = value - new_value <= 1e-7 * max(1.0, abs(value))
        w, value, gradient = moved, new_value, new_gradient
        if is_flat:
            break
    return w


def _two_loops(gradient: Vector, memory: Sequence[tuple[Vector, Vector, float]]) -> Vector:
    import numpy as np

    q = gradient.copy()
    alphas = []
    for s, y, rho in reversed(memory):
        alpha = rho * float(np.dot(s, q))
        q -= alpha * y
        alphas.append(alpha)
    if memory:
        s, y, _ = memory[-1]
        q *= float(np.dot(s, y)) / float(np.dot(y, y))
    for (s, y, rho), alpha in zip(memory, reversed(alphas), strict=True):
        q += s * (alpha - rho * float(np.dot(y, q)))
    return q
