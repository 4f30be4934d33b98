"""The harmonised entity types and how spans of them are written as labels of words (BIOES).

BIOES: ``B`` begins, ``I`` goes on, ``E`` ends, ``S`` is a mention of one word,
``O`` is outside (Ratinov and Roth 2009, where it is called BILOU). A label set
fixes the order of labels, so that a row of scores means the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

TYPES: tuple[str, ...] = (
    "drug",
    "disease",
    "sign_symptom",
    "adverse_effect",
    "dose",
    "frequency",
    "route",
    "duration",
    "lab_test",
    "lab_value",
    "diagnostic_procedure",
    "therapeutic_procedure",
    "anatomy",
    "severity",
    "age",
    "sex",
    "date",
    "gene",
    "variant",
    "species",
    "cell_line",
    "cell_type",
)
"""The harmonised types; ``drug`` covers chemicals, ``gene`` gene products, ``lab_test`` vital signs."""

KIN: tuple[frozenset[str], ...] = (
    frozenset({"disease", "sign_symptom", "adverse_effect"}),
    frozenset({"lab_test", "diagnostic_procedure"}),
    frozenset({"cell_line", "cell_type"}),
)
"""Types that corpora part differently: where a mention is, is surer than which of them it is."""

OUTSIDE = "O"
PARTS = ("B", "I", "E", "S")


@dataclass(frozen=True)
class LabelSet:
    """Labels ``O, B-t1, I-t1, E-t1, S-t1, B-t2, ...`` over ``types``."""

    types: tuple[str, ...] = TYPES

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All labels in the order of a model's outputs."""
        return (OUTSIDE, *(f"{part}-{kind}" for kind in self.types for part in PARTS))

    @cached_property
    def index(self) -> dict[str, int]:
        """Place of each label among :attr:`names`."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def kin(self) -> tuple[tuple[int, ...], ...]:
        """For each type the places of the types that share its score: itself and its :data:`KIN`."""
        groups = {kind: group for group in KIN for kind in group}
        return tuple(
            tuple(place for place, other in enumerate(self.types) if other in groups.get(kind, {kind}))
            for kind in self.types
        )

    def of(self, kind: str, part: str) -> int:
        """Place of ``part`` (B, I, E or S) of a type."""
        return 1 + 4 * self.types.index(kind) + PARTS.index(part)

    def encode(self, length: int, spans: Iterable[tuple[int, int, str]]) -> list[int]:
        """Labels of ``length`` words; spans are half-open word ranges with a type and must not overlap.

        Raises:
            ValueError: two spans overlap, or one leaves the words.
        """
        labels = [0] * length
        for first, last, kind in spans:
            if not 0 <= first < last <= length or any(labels[first:last]):
                raise ValueError("spans overlap or leave the text")
            if last - first == 1:
                labels[first] = self.of(kind, "S")
                continue
            labels[first] = self.of(kind, "B")
            labels[last - 1] = self.of(kind, "E")
            for place in range(first + 1, last - 1):
                labels[place] = self.of(kind, "I")
        return labels

    def spans(self, labels: Sequence[int]) -> list[tuple[int, int, str]]:
        """Word ranges of well-formed labels; what is not well formed is left out."""
        found: list[tuple[int, int, str]] = []
        begun: tuple[int, int] | None = None
        for place, label in enumerate(labels):
            if label == 0:
                begun = None
                continue
            kind, part = divmod(label - 1, 4)
            match PARTS[part]:
                case "S":
                    found.append((place, place + 1, self.types[kind]))
                    begun = None
                case "B":
                    begun = (place, kind)
                case "E":
                    if begun is not None and begun[1] == kind:
                        found.append((begun[0], place + 1, self.types[kind]))
                    begun = None
                case _:
                    if begun is None or begun[1] != kind:
                        begun = None
        return found
