"""The tilt of text lines, from the sharpness of their projection.

Postl's criterion (US patent 4723297; Bloomberg, Kopec and Dasari, "Measuring
document image skew and orientation", 1995): ink is summed along lines of one
angle; the angle at which neighbouring sums differ most is the angle of the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from extractor.ports import Image

MAX_SKEW_DEG = 15.0
MAX_POINTS = 30_000
"""More ink pixels than this are thinned out: the peak does not move, the time does."""

_COARSE_DEG = 0.5
_COARSE_STEP = 3
_FINE_DEG = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Tilt:
    """``angle_deg`` is by how much lines fall to the right (clockwise, as seen); ``sharpness`` its score.

    The score is the mean squared difference of neighbouring sums, relative to
    the mean sum: comparable between the two directions of one picture.
    """

    angle_deg: float
    sharpness: float


def find_tilt(text: Image) -> Tilt:
    """The tilt of the lines that run along x, within :data:`MAX_SKEW_DEG`; 0.0 where there is no ink."""
    import numpy as np

    y, x = np.nonzero(text)
    if x.size == 0:
        return Tilt(angle_deg=0.0, sharpness=0.0)
    if x.size > MAX_POINTS:
        chosen = np.linspace(0, x.size - 1, MAX_POINTS).astype(np.int64)
        y, x = y[chosen], x[chosen]
    xs, ys = x.astype(np.float32), y.astype(np.float32)
    height, width = text.shape

    # Coarse with wide bins (a line is many pixels high), then fine with bins of one pixel.
    bin_px = max(1.0, width * np.tan(np.radians(_COARSE_DEG)) / 4.0)
    coarse = np.arange(-MAX_SKEW_DEG, MAX_SKEW_DEG + _COARSE_DEG / 2, _COARSE_DEG)
    some_xs, some_ys = xs[::_COARSE_STEP], ys[::_COARSE_STEP]  # wide bins are full with fewer points
    scores = [_sharpness(some_xs, some_ys, float(angle), height, bin_px) for angle in coarse]
    best = float(coarse[int(np.argmax(scores))])
    fine = np.arange(best - _COARSE_DEG, best + _COARSE_DEG + _FINE_DEG / 2, _FINE_DEG)
    scores = [_sharpness(xs, ys, float(angle), height, 1.0) for angle in fine]
    at = int(np.argmax(scores))
    angle = float(fine[at])
    if 0 < at < len(fine) - 1:
        left, top, right = scores[at - 1 : at + 2]
        bend = left - 2 * top + right
        if bend < 0:
            angle += 0.5 * (left - right) / bend * _FINE_DEG
    return Tilt(angle_deg=angle, sharpness=scores[at])


def _sharpness(
    xs: NDArray[np.float32], ys: NDArray[np.float32], angle_deg: float, height: int, bin_px: float
) -> float:
    import numpy as np

    rows = ys - xs * np.float32(np.tan(np.radians(angle_deg)))
    rows -= rows.min()
    sums = np.bincount((rows / np.float32(bin_px)).astype(np.int64), minlength=2).astype(np.float64)
    bins = max(1.0, height / bin_px)
    mean = xs.size / bins
    return float(np.sum(np.diff(sums) ** 2) / (mean * mean * bins))
