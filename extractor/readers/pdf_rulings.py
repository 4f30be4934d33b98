"""Drawn lines, shaded areas and the amount of drawing on a page, from its vector graphics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

THIN_PT = 3.0
"""A filled shape no thicker than this is a line."""

WHITE = 0.99
"""Grey from which an area cannot be told from paper."""

SLANT = 0.0087
"""Half a degree, as a ratio: a steeper line is not level."""

MIN_LINE_PT = 4.0
"""Shorter lines are dashes, ticks and parts of letters, unless they continue one another."""

MAX_DRAWN = 200_000
"""Beyond this many strokes a page is a drawing, not a form: no more lines are collected."""

Level = tuple[float, float, float, float, bool]
"""A line: x0, y0, x1, y1, whether it is vertical."""

Shade = tuple[float, float, float, float, float]
"""A filled area: x0, y0, x1, y1, grey 0 (black) to 1 (white); later ones lie on top."""


@dataclass(slots=True, kw_only=True)
class Drawn:
    """What is drawn on a page; coordinates are those of the paths that came in.

    ``cuts`` are the vertical lines (x, y0, y1; by x) that were drawn as lines:
    they part words of the text layer, edges of shaded areas do not.
    """

    lines: list[Level] = field(default_factory=list)
    cuts: list[tuple[float, float, float]] = field(default_factory=list)
    shades: list[Shade] = field(default_factory=list)
    stroke_count: int = 0


def collect(paths: Iterable[Mapping[str, Any]], page_area: float) -> Drawn:
    """Sort the strokes of ``paths`` (as from pymupdf's ``get_cdrawings``) into lines and shades.

    Rectangles give their four edges, thin filled ones a single line; curves and
    slanting lines are only counted. Filled polygons and an area over most of the
    page give no lines.
    """
    drawn = Drawn()
    count = 0
    for path in paths:
        items = path["items"]
        count += len(items)
        if count > MAX_DRAWN:
            drawn.stroke_count += len(items)
            continue
        filled = "f" in path["type"]
        grey = _grey(path.get("fill")) if filled else None
        if filled and len(items) > 1 and _is_thin(path["rect"]):
            _thin(drawn, *path["rect"])
            continue
        stroked = "s" in path["type"]
        for item in items:
            kind = item[0]
            if kind == "l":
                if stroked:
                    _line(drawn, *item[1], *item[2])
            elif kind == "re":
                _rectangle(drawn, item[1], grey, page_area, stroked=stroked)
            elif kind == "qu":
                corners = item[1]
                _quad(drawn, corners, grey, page_area, stroked=stroked)
            else:
                drawn.stroke_count += 1
    drawn.cuts = sorted((line[0], line[1], line[3]) for line in drawn.lines if line[4])
    _add_edges(drawn)
    return drawn


def _add_edges(drawn: Drawn) -> None:
    """Edges of coloured areas as lines: rows and cells may be told apart by their ground alone.

    Where upright lines are drawn, an area gives only its long level edges: a
    short one is highlighted text.
    """
    for x0, y0, x1, y1, grey in drawn.shades:
        if grey >= WHITE or (drawn.cuts and x1 - x0 < 8 * (y1 - y0)):
            continue
        drawn.lines.append((x0, y0, x1, y0, False))
        drawn.lines.append((x0, y1, x1, y1, False))
        if not drawn.cuts:
            drawn.lines.append((x0, y0, x0, y1, True))
            drawn.lines.append((x1, y0, x1, y1, True))


def _grey(colour: Any) -> float | None:
    if not colour:
        return None
    return float(sum(colour) / len(colour))


def _is_thin(rect: Any) -> bool:
    return bool(min(rect[2] - rect[0], rect[3] - rect[1]) <= THIN_PT)


def _thin(drawn: Drawn, x0: float, y0: float, x1: float, y1: float) -> None:
    """A line from a thin filled shape; both ways thin is a dot of a dotted line."""
    if x1 - x0 >= y1 - y0:
        middle = (y0 + y1) / 2
        drawn.lines.append((x0, middle, x1, middle, False))
    else:
        middle = (x0 + x1) / 2
        drawn.lines.append((middle, y0, middle, y1, True))


def _line(drawn: Drawn, x0: float, y0: float, x1: float, y1: float) -> None:
    width, height = abs(x1 - x0), abs(y1 - y0)
    if height <= SLANT * width or (height < 0.5 and width > 1):
        drawn.lines.append((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), False))
    elif width <= SLANT * height or (width < 0.5 and height > 1):
        drawn.lines.append((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), True))
    else:
        drawn.stroke_count += 1


def _rectangle(drawn: Drawn, rect: Any, grey: float | None, page_area: float, *, stroked: bool) -> None:
    x0, y0, x1, y1 = rect
    if min(x1 - x0, y1 - y0) <= THIN_PT:
        if not stroked and grey is not None and grey >= WHITE:
            return
        _thin(drawn, x0, y0, x1, y1)
        return
    if (x1 - x0) * (y1 - y0) > 0.8 * page_area:
        return
    if stroked:
        drawn.lines.append((x0, y0, x1, y0, False))
        drawn.lines.append((x0, y1, x1, y1, False))
        drawn.lines.append((x0, y0, x0, y1, True))
        drawn.lines.append((x1, y0, x1, y1, True))
    if grey is not None:
        drawn.shades.append((x0, y0, x1, y1, grey))


def _quad(drawn: Drawn, corners: Any, grey: float | None, page_area: float, *, stroked: bool) -> None:
    xs = sorted(corner[0] for corner in corners)
    ys = sorted(corner[1] for corner in corners)
    if xs[1] - xs[0] < 0.5 and xs[3] - xs[2] < 0.5 and ys[1] - ys[0] < 0.5 and ys[3] - ys[2] < 0.5:
        _rectangle(drawn, (xs[0], ys[0], xs[3], ys[3]), grey, page_area, stroked=stroked)
    else:
        drawn.stroke_count += 4
