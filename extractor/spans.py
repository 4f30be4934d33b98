"""Geometry of text and of the page: one ruler each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters ``start`` to ``end`` of one document's canonical text.

    Offsets count Unicode code points, as Python strings do. ``end`` is
    exclusive. A span is never empty, so it always quotes something.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span needs 0 <= start < end, not {self.start}..{self.end}")

    def __len__(self) -> int:
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """Whether the two spans share at least one code point."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: Span) -> bool:
        """Whether every code point of ``other`` is in this span."""
        return self.start <= other.start and other.end <= self.end

    def of(self, text: str) -> str:
        """The code points of ``text`` that this span quotes."""
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True, order=True)
class BBox:
    """A rectangle on a page, in PDF points (1/72 inch).

    The origin is the top left corner of the page, upright as shown; x grows to
    the right, y downwards. A box may be flat (a line) but never inverted.
    """

    x0_pt: float
    y0_pt: float
    x1_pt: float
    y1_pt: float

    def __post_init__(self) -> None:
        if not (self.x0_pt <= self.x1_pt and self.y0_pt <= self.y1_pt):
            raise ValueError("a box needs x0 <= x1 and y0 <= y1, all finite")
        if not all(map(math.isfinite, (self.x0_pt, self.y0_pt, self.x1_pt, self.y1_pt))):
            raise ValueError("a box needs finite coordinates")

    @property
    def width_pt(self) -> float:
        return self.x1_pt - self.x0_pt

    @property
    def height_pt(self) -> float:
        return self.y1_pt - self.y0_pt

    @property
    def centre_pt(self) -> tuple[float, float]:
        return ((self.x0_pt + self.x1_pt) / 2, (self.y0_pt + self.y1_pt) / 2)

    def clamp(self, width_pt: float, height_pt: float) -> BBox:
        """The part of this box inside a page; a box wholly outside is flattened onto the edge."""
        x0 = min(max(self.x0_pt, 0.0), width_pt)
        y0 = min(max(self.y0_pt, 0.0), height_pt)
        return BBox(x0, y0, min(max(self.x1_pt, x0), width_pt), min(max(self.y1_pt, y0), height_pt))

    def overlaps(self, other: BBox) -> bool:
        """Whether the two boxes share an area or an edge."""
        return (
            self.x0_pt <= other.x1_pt
            and other.x0_pt <= self.x1_pt
            and self.y0_pt <= other.y1_pt
            and other.y0_pt <= self.y1_pt
        )

    @classmethod
    def around(cls, boxes: Iterable[BBox]) -> BBox:
        """The smallest box that holds all of ``boxes``; at least one is needed."""
        found = list(boxes)
        if not found:
            raise ValueError("no boxes to go around")
        return cls(
            min(box.x0_pt for box in found),
            min(box.y0_pt for box in found),
            max(box.x1_pt for box in found),
            max(box.y1_pt for box in found),
        )
