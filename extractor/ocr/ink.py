"""Ink on a page picture: which pixels are dark, and which blobs of them look like characters.

The measures that orientation, skew, resolution and the quality gate share are
taken once per picture. Characters are told from rulings, frames, pictures and
dust by their size alone; nothing here knows a script.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from extractor.ports import Image

    Boxes = NDArray[np.int32]
    """One row per blob: left, top, width, height, number of ink pixels."""

MIN_CONTRAST = 40
"""Grey levels between ink and paper below which a picture counts as blank."""

MIN_CHARACTER_PX = 4
"""Blobs smaller than this in both directions are dust, points and accents."""

MAX_CHARACTER_SHARE = 0.06
"""Blobs longer than this share of the picture's longer side are not characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    """The dark pixels of one picture and its character-like blobs.

    ``mask`` is 255 where there is ink, else 0. ``characters`` are the boxes
    of blobs of character size; ``text`` is the mask of these alone.
    ``size_px`` is the typical longer side of a character, 0.0 without any;
    ``speck_count`` is the number of blobs smaller than a character.
    """

    mask: Image
    text: Image
    characters: Boxes
    size_px: float
    speck_count: int


def grey(image: Image) -> Image:
    """The picture in grey; RGB is weighted as luminance."""
    import cv2

    if image.ndim == 2:
        return image
    found: Image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)  # type: ignore[assignment]
    return found


def find_ink(image: Image) -> Ink:
    """The ink of a grey picture."""
    import cv2
    import numpy as np

    mask = binarise(image)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_32S)
    longer = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    shorter = np.minimum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    dense = stats[:, cv2.CC_STAT_AREA] > 0.08 * longer * shorter  # a frame or a squiggle is not
    keep = (longer >= MIN_CHARACTER_PX) & (longer <= MAX_CHARACTER_SHARE * max(image.shape)) & dense
    keep &= longer <= 15 * shorter
    keep[0] = False
    small = longer < MIN_CHARACTER_PX
    small[0] = False
    size = float(np.median(longer[keep])) if keep.any() else 0.0
    return Ink(
        mask=mask,
        text=np.where(keep[labels], mask, np.uint8(0)),
        characters=stats[keep],
        size_px=size,
        speck_count=int(small.sum()),
    )


def binarise(image: Image) -> Image:
    """255 where a grey picture is darker than its paper, else 0; a picture without contrast has no ink.

    The threshold is Otsu's over the difference to the local paper (the
    largest grey nearby, smoothed), so that shading and dark borders of a
    photograph do not become ink.
    """
    import cv2
    import numpy as np

    low, high = (float(level) for level in np.percentile(image[::3, ::3], (0.2, 90.0)))
    if high - low < MIN_CONTRAST:
        low = float(image.min())
        if high - low < MIN_CONTRAST:
            return np.zeros_like(image)
    level, _ = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    # Where there is little ink Otsu splits the grain of the paper: ink is at least a third of the way down.
    level = min(level, high - (high - low) / 3.0)
    return np.where(image <= level, np.uint8(255), np.uint8(0))
