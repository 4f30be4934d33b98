"""Cleaning of a grey picture, each step only when a measure calls for it.

Cleaning what is clean costs letters: accents and full stops go with the dust.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extractor.ocr.ink import Ink
    from extractor.ports import Image

DARK_PAPER = 90
"""A page whose middle grey is darker than this is a negative."""

SHADED_RANGE = 50
"""Grey levels by which the paper may differ over the page before it is evened out."""

FAINT_RANGE = 110
"""Ink and paper closer than this are spread apart."""

SPECKS_PER_LETTER = 1.5
LEAST_SPECKS = 400

LEAST_NOISE = 200

MOST_GRAIN = 20.0
"""Grain that engines still read through; a scanner's own is 3 to 8."""

_TILES = 12
_BAND_PX = 32
_BAND_STEP = 4
"""Grain is measured in every fourth band of so many rows: it is the same all over the paper."""


def even_out(image: Image) -> Image:
    """A negative turned positive, shaded paper evened, faint print strengthened; else the picture itself."""
    import cv2
    import numpy as np

    sample = image[::4, ::4] if min(image.shape) >= 64 else image
    if float(np.median(sample)) < DARK_PAPER and float(np.percentile(sample, 98)) > DARK_PAPER + 60:
        image = cv2.bitwise_not(image)  # type: ignore[assignment]
        sample = cv2.bitwise_not(np.ascontiguousarray(sample))  # type: ignore[assignment]
    paper = _paper_by_tile(sample)
    if float(paper.max() - paper.min()) > SHADED_RANGE:
        height, width = image.shape
        field = cv2.resize(cv2.GaussianBlur(paper, (3, 3), 0), (width, height), interpolation=cv2.INTER_CUBIC)
        image = cv2.divide(image, np.clip(field, 1, 255).astype(np.uint8), scale=245)  # type: ignore[assignment]
        sample = image[::4, ::4] if min(image.shape) >= 64 else image
    low, high = (float(level) for level in np.percentile(sample, (0.3, 90.0)))
    if 12 < high - low < FAINT_RANGE:
        spread = (image.astype(np.float32) - low) * (235.0 / (high - low)) + 10.0
        image = np.clip(spread, 0, 255).astype(np.uint8)
    return image


def is_speckled(ink: Ink) -> bool:
    """Whether there is so much dust that it must go before reading."""
    return ink.speck_count > max(LEAST_SPECKS, SPECKS_PER_LETTER * len(ink.characters))


def grain_of(image: Image) -> float:
    """The standard deviation of the grain of the paper, in grey levels.

    Immerkaer, "Fast noise variance estimation", Computer Vision and Image
    Understanding 64 (1996), with the median for the mean, so that print does
    not count.
    """
    import cv2
    import numpy as np

    if min(image.shape) < 8:
        return 0.0
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    responses = [
        np.abs(cv2.filter2D(image[top : top + _BAND_PX], cv2.CV_32F, kernel)[1:-1:2, 1:-1:2]).ravel()
        for top in range(0, image.shape[0] - 7, _BAND_STEP * _BAND_PX)
    ]
    return float(np.median(np.concatenate(responses)) / (6.0 * 0.6745))


def smooth(image: Image) -> Image:
    """The picture with its grain evened: a small blur, which costs clean letters their edges."""
    import cv2

    found: Image = cv2.GaussianBlur(image, (0, 0), 1.0)  # type: ignore[assignment]
    return found


def is_all_grain(image: Image, grain: float) -> bool:
    """Whether the range of greys is no more than that of the grain: normal noise spans about 4.5 of it."""
    import numpy as np

    low, high = (float(level) for level in np.percentile(image[::3, ::3], (0.3, 95.0)))
    return high - low < 5.5 * grain


def is_noise(ink: Ink, *, lined: bool, all_grain: bool) -> bool:
    """Whether all there is on the picture is dust or grain: blobs that form no lines, and many specks."""
    if lined:
        return False
    return all_grain or (len(ink.characters) >= LEAST_NOISE and 2 * ink.speck_count > len(ink.characters))


def remove_specks(image: Image) -> Image:
    """The picture through a median of three by three pixels: dust of one or two pixels is gone."""
    import cv2

    found: Image = cv2.medianBlur(image, 3)  # type: ignore[assignment]
    return found


def _paper_by_tile(sample: Image) -> Image:
    """The brightness of the paper in each tile of a coarse grid.

    A tile without bright pixels (a dark picture or bar) takes the brightness
    of its neighbours.
    """
    import cv2
    import numpy as np

    height, width = sample.shape
    rows, columns = min(_TILES, height), min(_TILES, width)
    paper = np.empty((rows, columns), dtype=np.uint8)
    for row in range(rows):
        band = sample[row * height // rows : (row + 1) * height // rows]
        for column in range(columns):
            tile = band[:, column * width // columns : (column + 1) * width // columns]
            brighter = int(0.85 * (tile.size - 1))
            paper[row, column] = np.partition(tile, brighter, axis=None)[brighter]
    around = cv2.medianBlur(cv2.copyMakeBorder(paper, 2, 2, 2, 2, cv2.BORDER_REPLICATE), 5)[2:-2, 2:-2]
    return np.where(paper < around * 0.6, around, paper).astype(np.uint8)
