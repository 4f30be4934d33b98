"""A straightened, scaled copy of an upright picture, and the way back to its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from extractor.spans import BBox

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from extractor.ocr.orientation import Turn
    from extractor.ports import Image

MIN_TILT_DEG = 0.08
"""Less tilt than this is left alone: a line of text stays within a pixel or two over the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Straight:
    """``image`` has level lines; ``back`` (2 x 3) takes its pixels to points of the upright page.

    ``width_pt`` and ``height_pt`` are those of the straightened picture, which
    is somewhat larger than the page when it was tilted; ``pt_per_px`` scales
    between ``image`` and these; ``scale`` is from the upright picture to ``image``.
    """

    image: Image
    back: NDArray[np.float64]
    width_pt: float
    height_pt: float
    pt_per_px: float
    scale: float

    def on_page(self, box: BBox, *, width_pt: float, height_pt: float) -> BBox:
        """A box of the straightened picture, in its points, as the box around it on the upright page."""
        matrix = self.back
        corners = [
            (
                matrix[0, 0] * x / self.pt_per_px + matrix[0, 1] * y / self.pt_per_px + matrix[0, 2],
                matrix[1, 0] * x / self.pt_per_px + matrix[1, 1] * y / self.pt_per_px + matrix[1, 2],
            )
            for x in (box.x0_pt, box.x1_pt)
            for y in (box.y0_pt, box.y1_pt)
        ]
        xs = [float(x) for x, _ in corners]
        ys = [float(y) for _, y in corners]
        return BBox(min(xs), min(ys), max(xs), max(ys)).clamp(width_pt, height_pt)


def turn(image: Image, turn_deg: Turn) -> Image:
    """The picture turned clockwise by a multiple of 90 degrees."""
    import numpy as np

    return np.ascontiguousarray(np.rot90(image, k=-(turn_deg // 90)))


def straighten(
    upright: Image, *, tilt_deg: float, scale: float, width_pt: float, height_pt: float
) -> Straight:
    """``upright`` (grey) scaled, and turned so that lines falling by ``tilt_deg`` to the right become level.

    ``width_pt`` and ``height_pt`` are the size of the upright page that the
    picture covers. Corners that come in from outside get the grey of the paper.
    """
    import cv2
    import numpy as np

    height_px, width_px = upright.shape
    angle = np.radians(tilt_deg) if abs(tilt_deg) >= MIN_TILT_DEG else 0.0
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    new_width = max(1, round(scale * (width_px * abs(cos) + height_px * abs(sin))))
    new_height = max(1, round(scale * (height_px * abs(cos) + width_px * abs(sin))))

    if angle == 0.0:
        image = upright
        if (new_width, new_height) != (width_px, height_px):
            method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
            image = cv2.resize(upright, (new_width, new_height), interpolation=method)  # type: ignore[assignment]
        forward = np.array([[new_width / width_px, 0.0, 0.0], [0.0, new_height / height_px, 0.0]])
    else:
        source = upright
        shrink = 1.0
        if scale < 1:  # warping skips pixels when it shrinks: shrink first
            shrink = scale
            size = (max(1, round(width_px * scale)), max(1, round(height_px * scale)))
            source = cv2.resize(upright, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        zoom = scale / shrink
        # Level lines: a point that moved right by x fell by x tan(tilt); turning back is counter-clockwise.
        matrix = np.array([[zoom * cos, zoom * sin, 0.0], [-zoom * sin, zoom * cos, 0.0]])
        centre = np.array([source.shape[1] / 2, source.shape[0] / 2])
        matrix[:, 2] = np.array([new_width / 2, new_height / 2]) - matrix[:, :2] @ centre
        paper = float(np.percentile(source[::7, ::7], 80))
        image = cv2.warpAffine(  # type: ignore[assignment]
            source,
            matrix,
            (new_width, new_height),
            flags=cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(paper,),
        )
        forward = matrix @ np.array([[shrink, 0.0, 0.0], [0.0, shrink, 0.0], [0.0, 0.0, 1.0]])

    back = cv2.invertAffineTransform(forward).astype(np.float64)
    per_px = np.array([[width_pt / width_px], [height_pt / height_px]])
    pt_per_px = width_pt / width_px / scale
    return Straight(
        image=image,
        back=back * per_px,
        width_pt=image.shape[1] * pt_per_px,
        height_pt=image.shape[0] * pt_per_px,
        pt_per_px=pt_per_px,
        scale=scale,
    )
