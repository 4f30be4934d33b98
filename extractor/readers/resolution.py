"""How finely a page may be drawn: at a lower resolution rather than beyond the limit of pixels."""

from __future__ import annotations

import math

from extractor.errors import LimitError
from extractor.ports import ReadLimits

LEAST_DPI = 100
"""Below this, print of the usual size cannot be read."""


def bounded_dpi(
    width_pt: float, height_pt: float, dpi: int, limits: ReadLimits, *, least: int = LEAST_DPI
) -> int:
    """``dpi``, or less where the page would have more pixels than ``limits.max_page_pixels``.

    Raises:
        LimitError: it would have to be less than both ``dpi`` and ``least``.
    """
    area_in2 = max(width_pt / 72 * height_pt / 72, 1e-6)
    most = math.floor(math.sqrt(limits.max_page_pixels / area_in2))
    if most < min(dpi, least):
        raise LimitError(
            f"at {min(dpi, least)} dpi the page has more pixels than limits.max_page_pixels allows",
            code="limit.pixels",
        )
    return min(dpi, most)
