"""From a model's scores to spans: the best well-formed BIOES path, and what the model thinks of each span.

Viterbi over the allowed successions only (Forney 1973): after ``B`` or ``I`` of a
type comes ``I`` or ``E`` of the same type, after anything else ``O`` or a beginning.
Because a type can only be entered at ``B`` and left at ``E``, one state per type
and one for outside are enough: a step costs the number of types, not its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Counted = NDArray[np.bool_]
"""Which labels have a probability of their own. False: the label repeats another one's (foreign models)."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Words ``first`` to ``last`` (half-open) of a sequence, the place of the type, and the model's own number 0..1.

    ``score`` is the smallest probability, over the words, of the word's part of such a mention, of the type or its kin.
    """

    first: int
    last: int
    kind: int
    score: float


def log_softmax(logits: Scores, counted: Counted | None = None) -> Scores:
    """Log probabilities over the last axis; only labels that are ``counted`` share the whole."""
    shifted: Scores = logits - logits.max(axis=-1, keepdims=True)
    shares = np.exp(shifted) if counted is None else np.exp(shifted[..., counted])
    found: Scores = shifted - np.log(shares.sum(axis=-1, keepdims=True))
    return found


def decode(sequences: Sequence[Scores], kin: Sequence[tuple[int, ...]] | None = None) -> list[list[Scored]]:
    """Spans of each sequence of log probabilities, shape (words, labels) in the order of ``LabelSet.names``.

    ``kin`` gives for each type the types (itself among them) that share its score; by default itself alone.
    """
    found: list[list[Scored]] = [[] for _ in sequences]
    filled = [place for place, scores in enumerate(sequences) if len(scores)]
    for begin in range(0, len(filled), 64):
        group = filled[begin : begin + 64]
        for place, spans in zip(group, _viterbi([sequences[place] for place in group], kin), strict=True):
            found[place] = spans
    return found


def _viterbi(sequences: list[Scores], kin: Sequence[tuple[int, ...]] | None) -> list[list[Scored]]:
    count = len(sequences)
    longest = max(map(len, sequences))
    kinds = (sequences[0].shape[1] - 1) // 4
    outside = np.zeros((count, longest), dtype=np.float32)
    parts = np.full((4, count, longest, kinds), -np.inf, dtype=np.float32)
    for row, scores in enumerate(sequences):
        size = len(scores)
        outside[row, :size] = scores[:, 0]
        parts[:, row, :size] = scores[:, 1:].reshape(size, kinds, 4).transpose(2, 0, 1)
    begin, inside, end, single = parts
    free = np.zeros(count, dtype=np.float32)  # best path whose last word closes or is outside
    held = np.full((count, kinds), -np.inf, dtype=np.float32)  # best path inside a mention of a type
    came_free = np.empty(
        (longest, count), dtype=np.int32
    )  # 0: outside, 1 + kind: single, 1 + kinds + kind: end
    came_held = np.empty((longest, count, kinds), dtype=bool)  # True: began here
    for at in range(longest):
        closing = np.concatenate(
            [(free + outside[:, at])[:, None], free[:, None] + single[:, at], held + end[:, at]], axis=1
        )
        came_free[at] = closing.argmax(axis=1)
        starting, going = free[:, None] + begin[:, at], held + inside[:, at]
        came_held[at] = starting >= going
        held = np.maximum(starting, going)
        free = closing.max(axis=1)
    return [
        _traced(came_free[:, row], came_held[:, row], kinds, scores, kin)
        for row, scores in enumerate(sequences)
    ]


def _traced(
    came_free: NDArray[np.int32],
    came_held: NDArray[np.bool_],
    kinds: int,
    scores: Scores,
    kin: Sequence[tuple[int, ...]] | None,
) -> list[Scored]:
    spans: list[Scored] = []
    at = len(scores) - 1
    while at >= 0:
        choice = int(came_free[at])
        if choice == 0:
            at -= 1
            continue
        kind = (choice - 1) % kinds
        first = at
        if choice > kinds:
            first -= 1
            while not came_held[first, kind]:
                first -= 1
        spans.append(
            Scored(first, at + 1, kind, _score(scores[first : at + 1], kin[kind] if kin else (kind,)))
        )
        at = first - 1
    spans.reverse()
    return spans


def _score(scores: Scores, kinds: tuple[int, ...]) -> float:
    parts = [3] if len(scores) == 1 else [0, *[1] * (len(scores) - 2), 2]
    shares = sum(
        np.exp(scores[np.arange(len(scores)), [1 + 4 * kind + part for part in parts]]) for kind in kinds
    )
    return float(min(1.0, np.min(shares)))
