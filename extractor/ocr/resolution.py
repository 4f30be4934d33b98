"""How large a page picture must be: asked of the reader once, then settled by the letters themselves.

Stated resolutions lie (a second TIFF frame with the tag of the first, a
photograph tagged 72 dpi), so the picture comes as it was scanned and is
scaled by the size of its letters.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extractor.ports import ScannedPage

MOST_DPI = 300
"""Beyond this, letters gain nothing and every step pays for the pixels."""

UNKNOWN_DPI = 300
"""Asked for where the picture's own resolution is not known: drawn pages, pictures without a tag."""

LEAST_DPI = 36

MOST_PIXELS = 25_000_000
"""The largest picture any step works on."""

TARGET_PX = 28.0
"""The typical longer side of a letter at which Tesseract reads best (x-height 20, capitals 28 to 34).

Running text reads as well at 20, in a third less time; but of small print in
tables, enlarged to 24 only, Tesseract loses columns.
"""

_LEAST_SCALE, _MOST_SCALE = 0.4, 3.0
_LEAVE_ALONE = (0.85, 1.5)
"""Between these factors scaling costs sharpness or time and gains nothing: letters of 19 to 33 pixels stay."""


def dpi_for(scan: ScannedPage) -> int:
    """The resolution to ask the reader for: the picture's own, within bounds."""
    wanted = min(scan.native_dpi or UNKNOWN_DPI, MOST_DPI)
    area_in2 = (scan.width_pt / 72.0) * (scan.height_pt / 72.0)
    largest = math.sqrt(MOST_PIXELS / area_in2) if area_in2 > 0 else MOST_DPI
    return max(1, round(min(max(wanted, LEAST_DPI), largest)))


def scale_for(letter_px: float, *, width_px: int, height_px: int) -> float:
    """The factor that brings letters of ``letter_px`` to :data:`TARGET_PX`, within bounds; 1.0 without letters."""
    if letter_px <= 0:
        return 1.0
    scale = min(max(TARGET_PX / letter_px, _LEAST_SCALE), _MOST_SCALE)
    if _LEAVE_ALONE[0] <= scale <= _LEAVE_ALONE[1]:
        scale = 1.0
    return min(scale, math.sqrt(MOST_PIXELS / max(1, width_px * height_px)))
