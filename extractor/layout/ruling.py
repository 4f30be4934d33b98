"""Drawn lines, made ready for finding tables: straightened, snapped and merged."""

from __future__ import annotations

from collections.abc import Sequence

from extractor.ports import Ruling

Segment = tuple[float, float, float]
"""A level or upright line: its place across (y or x), where it starts, where it ends."""

SNAP_PT = 2.0
"""Lines closer than this are one line: double borders and the two edges of a thin bar."""

JOIN_PT = 3.0
"""Pieces of one line with a smaller gap than this are joined."""

MAX_LINES = 3000
"""Of a drawing with more lines per direction only the longest are looked at."""


def split_rulings(rulings: Sequence[Ruling]) -> tuple[list[Segment], list[Segment]]:
    """Horizontal and vertical lines, collinear pieces merged, sorted by place."""
    horizontal: list[Segment] = []
    vertical: list[Segment] = []
    for ruling in rulings:
        box = ruling.box
        if ruling.vertical:
            vertical.append(((box.x0_pt + box.x1_pt) / 2, box.y0_pt, box.y1_pt))
        else:
            horizontal.append(((box.y0_pt + box.y1_pt) / 2, box.x0_pt, box.x1_pt))
    return merge_collinear(horizontal), merge_collinear(vertical)


def merge_collinear(segments: list[Segment]) -> list[Segment]:
    """Join pieces that lie on one line and touch, overlap or nearly meet."""
    if len(segments) > MAX_LINES:
        segments = sorted(segments, key=lambda item: item[1] - item[2])[:MAX_LINES]
    merged: list[Segment] = []
    group: list[Segment] = []
    for segment in sorted(segments):
        if (group and segment[0] - group[-1][0] > SNAP_PT / 2) or (
            group and segment[0] - group[0][0] > SNAP_PT
        ):
            merged.extend(_join(group))
            group = []
        group.append(segment)
    if group:
        merged.extend(_join(group))
    return merged


def _join(group: list[Segment]) -> list[Segment]:
    group.sort(key=lambda item: item[1])
    joined: list[Segment] = []
    weight = length = 0.0
    start = end = 0.0
    for place, low, high in group:
        if length and low <= end + JOIN_PT:
            end = max(end, high)
        else:
            if length:
                joined.append((weight / length, start, end))
            weight = length = 0.0
            start, end = low, high
        size = max(high - low, 0.01)
        weight += place * size
        length += size
    joined.append((weight / length, start, end))
    return joined


def cluster(places: Sequence[float], tolerance: float) -> list[float]:
    """The centres of groups of near numbers, rising; a group is nowhere wider than ``2 * tolerance``."""
    centres: list[float] = []
    group: list[float] = []
    for place in sorted(places):
        if group and (place - group[-1] > tolerance or place - group[0] > 2 * tolerance):
            centres.append(sum(group) / len(group))
            group = []
        group.append(place)
    if group:
        centres.append(sum(group) / len(group))
    return centres
