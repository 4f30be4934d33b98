"""From a scanned page to the picture that an engine reads: upright, level, evenly lit, letters of one size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from extractor.ocr.cleaning import (
    MOST_GRAIN,
    even_out,
    grain_of,
    is_all_grain,
    is_noise,
    is_speckled,
    remove_specks,
    smooth,
)
from extractor.ocr.ink import Ink, find_ink, grey
from extractor.ocr.orientation import Orientation, Turn, find_orientation
from extractor.ocr.resolution import dpi_for, scale_for
from extractor.ocr.rulings import Lines, erase, find_bars, find_lines, lift_bars
from extractor.ocr.straight import Straight, straighten, turn

if TYPE_CHECKING:
    from extractor.ports import Image, ScannedPage

FIRST_SIDE_PX = 1600
"""The first measures are taken on a copy with this longer side at most."""

WORKING_LETTER_PX = 14.0
"""Measures on the straightened picture are taken on a copy with letters of about this size."""

_TOO_SMALL_PX = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upright:
    """A page picture, evened and cleaned, as stored; with its orientation and the size of its letters."""

    image: Image
    orientation: Orientation
    letter_px: float
    blank: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What the engine reads: ``straight.image`` without rulings and reversed print, in ``image``.

    ``ink`` and ``lines`` are of a smaller copy; ``scale`` takes its pixels to
    those of ``image``. ``dpi`` is the resolution of ``image``.
    """

    image: Image
    straight: Straight
    ink: Ink
    lines: Lines
    scale: float
    dpi: int
    turn_deg: Turn
    width_pt: float
    height_pt: float


def look_at(scan: ScannedPage) -> Upright:
    """The page's picture and how it lies.

    Raises:
        LimitError: the picture is too large to be made.
        CorruptError: the page cannot be drawn.
    """
    image = grey(scan.image(dpi_for(scan)))
    grain = grain_of(image)
    all_grain = is_all_grain(image, grain)
    if grain > MOST_GRAIN:
        image = smooth(image)
    image = even_out(image)
    factor = max(1.0, max(image.shape) / FIRST_SIDE_PX)
    ink = find_ink(_smaller(image, factor))
    if is_speckled(ink):
        image = remove_specks(image)
        ink = find_ink(_smaller(image, factor))
    if factor > 1 and 0 < ink.size_px < _TOO_SMALL_PX:
        factor = max(1.0, factor * ink.size_px / WORKING_LETTER_PX)
        ink = find_ink(_smaller(image, factor))
    orientation = find_orientation(ink)
    empty = not len(ink.characters) and not find_bars(ink.mask, 0.01 * max(ink.mask.shape))
    blank = empty or is_noise(ink, lined=orientation.lined, all_grain=all_grain)
    return Upright(image=image, orientation=orientation, letter_px=ink.size_px * factor, blank=blank)


def prepare(scan: ScannedPage, upright: Upright, *, turn_deg: Turn, tilt_deg: float) -> Prepared:
    """The picture to read, for a given turn and tilt."""
    turned = turn(upright.image, turn_deg)
    swap = turn_deg in (90, 270)
    width_pt, height_pt = (scan.height_pt, scan.width_pt) if swap else (scan.width_pt, scan.height_pt)
    height_px, width_px = turned.shape
    straight = straighten(
        turned,
        tilt_deg=tilt_deg,
        scale=scale_for(upright.letter_px, width_px=width_px, height_px=height_px),
        width_pt=width_pt,
        height_pt=height_pt,
    )
    image = straight.image
    factor = max(1.0, upright.letter_px * straight.scale / WORKING_LETTER_PX)
    ink = find_ink(_smaller(image, factor))
    bars = find_bars(ink.mask, ink.size_px)
    if bars:
        image = lift_bars(image, bars, scale=factor)
        ink = find_ink(_smaller(image, factor))
    lines = find_lines(ink.mask, ink.size_px)
    if lines.horizontal or lines.vertical:
        image = erase(image, lines, scale=factor)
        ink = find_ink(_smaller(image, factor))
    return Prepared(
        image=image,
        straight=straight,
        ink=ink,
        lines=lines,
        scale=factor,
        dpi=round(72.0 / straight.pt_per_px),
        turn_deg=turn_deg,
        width_pt=width_pt,
        height_pt=height_pt,
    )


def _smaller(image: Image, factor: float) -> Image:
    """The picture with both sides divided by ``factor``, which is at least 1."""
    import cv2

    if factor <= 1.0:
        return image
    height, width = image.shape
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return small
