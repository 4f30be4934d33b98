"""Ruling lines and reversed print of a straightened picture.

Tesseract drops words that touch or nearly touch a ruling, and the recogniser
of lines reads rulings as signs: rulings are found, handed to the layout, and
painted over before anything reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from extractor.ports import Ruling
from extractor.spans import BBox

if TYPE_CHECKING:
    from extractor.ports import Image

LEAST_LENGTH = 3.5
"""A ruling is at least this many letters long; table rows are higher than a letter, cells wider."""

MOST_THICKNESS = 0.35
"""A ruling is at most this many letters thick; a bar of reversed print is thicker."""

LEAST_GAP = 0.25
DASHED_LENGTH = 6
"""Thin grey lines come out of a scan as dashes: gaps of so many letters do not break a line so many times longer."""

FOLLOW_WINDOW = 2.0
LEAST_FOLLOWED = 0.5
"""A faint ruling is followed where, over so many letters, at least this share of it is ink."""

MOST_BESIDE = 0.25
"""A line with more ink than this on both sides of it is grain or print, no ruling."""

LEAST_BAR_HEIGHT = 1.1
LEAST_BAR_WIDTH = 4.0
LEAST_BAR_FILL = 0.55
MOST_FAINT = 30.0
"""Grey levels between a bar and its print below which it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Boxes of rulings in pixels (left, top, width, height), and the mask of their ink."""

    horizontal: list[tuple[int, int, int, int]]
    vertical: list[tuple[int, int, int, int]]
    mask: Image


def find_lines(mask: Image, letter_px: float) -> Lines:
    """The rulings in a mask of ink whose letters are ``letter_px`` large."""
    import cv2
    import numpy as np

    if letter_px <= 0 or not mask.any():
        return Lines(horizontal=[], vertical=[], mask=np.zeros_like(mask))
    long = max(12, round(LEAST_LENGTH * letter_px))
    thick = max(3.0, MOST_THICKNESS * letter_px)
    small = max(2, round(LEAST_GAP * letter_px))
    # One pixel of slope per length of the opening must not break a line: close small steps first.
    across = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 1), np.uint8))
    dashes = cv2.morphologyEx(across, cv2.MORPH_CLOSE, np.ones((1, small), np.uint8))
    dashes = cv2.morphologyEx(dashes, cv2.MORPH_OPEN, np.ones((1, DASHED_LENGTH * long), np.uint8))
    across = cv2.bitwise_or(cv2.morphologyEx(across, cv2.MORPH_OPEN, np.ones((1, long), np.uint8)), dashes)
    down = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, 3), np.uint8))
    down = cv2.morphologyEx(down, cv2.MORPH_OPEN, np.ones((long, 1), np.uint8))
    horizontal, first = _thin(across, thick, vertical=False)  # type: ignore[arg-type]
    vertical, second = _thin(down, thick, vertical=True)  # type: ignore[arg-type]
    window = max(6, round(FOLLOW_WINDOW * letter_px))
    horizontal = _follow(horizontal, mask, window)
    turned = [(y, x, height, width) for x, y, width, height in vertical]
    vertical = [(x, y, width, height) for y, x, height, width in _follow(turned, mask.T, window)]
    return Lines(horizontal=horizontal, vertical=vertical, mask=cv2.bitwise_or(first, second))  # type: ignore[arg-type]


def _thin(found: Image, thick: float, *, vertical: bool) -> tuple[list[tuple[int, int, int, int]], Image]:
    """The blobs that are thin throughout, joined lines of bars left out."""
    import cv2
    import numpy as np

    count, labels, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8, ltype=cv2.CV_32S)
    boxes: list[tuple[int, int, int, int]] = []
    keep = np.zeros(count, dtype=bool)
    for index in range(1, count):
        x, y, width, height, area = (int(value) for value in stats[index])
        length = height if vertical else width
        if area / length <= thick and (width if vertical else height) <= 3 * thick:
            boxes.append((x, y, width, height))
            keep[index] = True
    return boxes, np.where(keep[labels], found, np.uint8(0))


def _follow(
    lines: list[tuple[int, int, int, int]], mask: Image, window: int
) -> list[tuple[int, int, int, int]]:
    """Horizontal lines, each followed both ways where it is broken or faint; lines that meet become one."""
    import numpy as np

    found: list[tuple[int, int, int, int]] = []
    for left, top, width, height in sorted(lines, key=lambda line: -line[2]):
        if any(
            x <= left and left + width <= x + wide and y - 2 <= top and top + height <= y + high + 2
            for x, y, wide, high in found
        ):
            continue
        middle = top + height // 2
        band = mask[max(0, middle - 1) : middle + 2].any(axis=0)
        inked = np.concatenate(([0], np.cumsum(band)))
        start, end = left, left + width
        while start > 0 and (inked[start] - inked[max(0, start - window)]) >= LEAST_FOLLOWED * window:
            start = max(0, start - window)
        while (
            end < len(band) and (inked[min(len(band), end + window)] - inked[end]) >= LEAST_FOLLOWED * window
        ):
            end = min(len(band), end + window)
        if _is_within_grain(mask, middle, start, end):
            continue
        edges = np.flatnonzero(band[start:end])  # a window may end in the white beyond the line
        found.append((start + int(edges[0]), top, int(edges[-1] - edges[0]) + 1, height))
    return found


def _is_within_grain(mask: Image, row: int, start: int, end: int) -> bool:
    """Whether the ink above and below is as dense as that of shaded cells: grain makes lines of its own there."""
    above, below = mask[max(0, row - 6) : max(1, row - 2), start:end], mask[row + 3 : row + 7, start:end]
    return bool(above.size and below.size and min(above.mean(), below.mean()) > MOST_BESIDE * 255)


def erase(image: Image, lines: Lines, *, scale: float) -> Image:
    """The picture with the rulings of grids painted in the grey of the paper.

    ``scale`` takes mask pixels to picture pixels. Grids are vertical rulings
    and the horizontal ones that meet them; a line that meets none underlines
    words, and painting it over would cut the feet off their letters.
    """
    import cv2
    import numpy as np

    grid = np.zeros_like(lines.mask)
    for x, y, width, height in lines.vertical + [line for line in lines.horizontal if _meets(line, lines)]:
        grid[y : y + height, x : x + width] = 255
    if not grid.any():
        return image
    grown = cv2.dilate(cv2.bitwise_and(grid, lines.mask), np.ones((3, 3), np.uint8))
    height, width = image.shape
    full = cv2.resize(grown, (width, height), interpolation=cv2.INTER_NEAREST) if scale != 1 else grown
    paper = np.uint8(np.percentile(image[::7, ::7], 80))
    return np.where(full > 0, paper, image).astype(np.uint8)


def _meets(line: tuple[int, int, int, int], lines: Lines) -> bool:
    """Whether a horizontal line touches a vertical one, or nearly."""
    left, top, width, height = line
    near = 3 + max(height, 2)
    return any(
        left - near <= x + wide
        and x <= left + width + near
        and y - near <= top + height
        and top <= y + high + near
        for x, y, wide, high in lines.vertical
    )


def find_bars(mask: Image, letter_px: float) -> list[tuple[int, int, int, int]]:
    """Dark bars, which may have print in them: left, top, width, height in pixels of the mask."""
    import cv2
    import numpy as np

    if letter_px <= 0:
        return []
    core = max(3, round(letter_px * 0.4))  # strokes of letters are thinner than this, bars are not
    solid = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((core, core), np.uint8))
    joined = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((core, round(letter_px * 2)), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8, ltype=cv2.CV_32S)
    bars: list[tuple[int, int, int, int]] = []
    for index in range(1, count):
        x, y, width, height, _ = (int(value) for value in stats[index])
        if height < LEAST_BAR_HEIGHT * letter_px or width < LEAST_BAR_WIDTH * letter_px:
            continue
        share = float(mask[y : y + height, x : x + width].mean()) / 255.0
        if share >= LEAST_BAR_FILL:
            bars.append((x, y, width, height))
    return bars


def lift_bars(image: Image, bars: list[tuple[int, int, int, int]], *, scale: float) -> Image:
    """The picture with the print in ``bars`` made dark on light.

    Light print is reversed; print that is still darker than its bar is spread
    to full contrast. A bar without print is left alone.
    """
    import cv2
    import numpy as np

    lifted = image.copy()
    for left, top, width, height in bars:
        x0, y0 = round(left * scale), round(top * scale)
        x1, y1 = round((left + width) * scale), round((top + height) * scale)
        bar = image[y0:y1, x0:x1]
        if bar.size == 0:
            continue
        edge = max(1, (y1 - y0) // 8)  # the box may reach beyond the bar into the paper
        inside = bar[edge:-edge, edge:-edge]
        if inside.size == 0:
            continue
        dark, fill, light = (float(level) for level in np.percentile(inside, (0.5, 50.0, 98.0)))
        if light - fill >= max(MOST_FAINT, fill - dark):
            lifted[y0:y1, x0:x1] = cv2.bitwise_not(bar)
        elif fill - dark >= MOST_FAINT:
            spread = (bar.astype(np.float32) - dark) * (255.0 / (0.85 * (fill - dark)))
            lifted[y0:y1, x0:x1] = np.clip(spread, 0, 255).astype(np.uint8)
    return lifted


def as_rulings(lines: Lines, pt_per_px: float) -> list[Ruling]:
    """The lines as the layout takes them: points, without thickness."""
    found: list[Ruling] = []
    for x, y, width, height in lines.horizontal:
        middle = (y + height / 2) * pt_per_px
        found.append(Ruling(box=BBox(x * pt_per_px, middle, (x + width) * pt_per_px, middle), vertical=False))
    for x, y, width, height in lines.vertical:
        middle = (x + width / 2) * pt_per_px
        found.append(Ruling(box=BBox(middle, y * pt_per_px, middle, (y + height) * pt_per_px), vertical=True))
    return found
