"""Which way is up, without a model: the direction of the lines, then the feet of the letters.

Lines run along x or along y: their projection is sharp in one direction only.
Upright or upside down: neighbouring letters stand on one baseline far more
often than their heads are level (ascenders rise above the x-height much more
often than descenders fall below the line; Caprari, "Algorithm for text page
up/down orientation determination", Pattern Recognition Letters 21, 2000).
Capitals and digits alone say nothing: then ``certain`` is false.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from extractor.ocr.skew import Tilt, find_tilt

if TYPE_CHECKING:
    from extractor.ocr.ink import Boxes, Ink

Turn = Literal[0, 90, 180, 270]

SIDEWAYS_RATIO = 1.6
"""Lines run along y only if their projection is sharper by this factor."""

MAX_LEFT_LETTERS = 600
"""Letters compared with their right neighbour; a page has thousands, hundreds decide."""

LEAST_SHARPNESS = 0.06
"""Below this a projection is flat: 0.2 and more in text, at most 0.04 in noise."""

LEAST_JOINED = 0.5
"""Share of blobs with a neighbour from which they form lines; 0.9 in text, at most 0.3 in noise."""

CLEARLY_MORE_JOINED = 0.3
"""If by this share more letters have a neighbour in one direction, lines run that way."""

MIN_PAIRS = 30
MIN_LEAD = 0.08
"""Baselines must be level more often than heads, or less often, by this share of pairs."""

_COUNTER_CLOCKWISE = 270


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """``turn_deg`` clockwise makes the picture upright; its lines then fall by ``tilt_deg`` to the right.

    ``certain`` is false where the letters did not tell up from down, or lines
    from columns; ``turn_deg`` is then the likeliest. ``lined`` is false where
    the blobs form no lines at all: neither direction is the sharper one, and
    most blobs have no neighbour on their right.
    """

    turn_deg: Turn
    tilt_deg: float
    certain: bool
    lined: bool


def find_orientation(ink: Ink) -> Orientation:
    """The turn and the tilt of a picture, from its ink."""
    import numpy as np

    if not len(ink.characters):
        return Orientation(turn_deg=0, tilt_deg=0.0, certain=True, lined=False)
    along_x = find_tilt(ink.text)
    along_y = find_tilt(np.ascontiguousarray(np.rot90(ink.text)))
    width = ink.text.shape[1]
    boxes = ink.characters
    # Turned counter-clockwise by a quarter: x becomes y, and y counts from the right edge.
    turned = np.stack([boxes[:, 1], width - boxes[:, 0] - boxes[:, 2], boxes[:, 3], boxes[:, 2]], axis=1)
    level = baseline_lead(boxes, along_x.angle_deg)
    quarter_turned = baseline_lead(turned, along_y.angle_deg)
    sideways = along_y.sharpness > SIDEWAYS_RATIO * along_x.sharpness
    if abs(level[1] - quarter_turned[1]) > CLEARLY_MORE_JOINED:
        sideways = (
            quarter_turned[1] > level[1]
        )  # narrow columns are sharp too, but letters stand side by side
    tilt: Tilt = along_y if sideways else along_x
    pairs, joined, lead = quarter_turned if sideways else level
    upside_down = pairs >= MIN_PAIRS and lead <= -MIN_LEAD
    quarter = _COUNTER_CLOCKWISE if sideways else 0
    turn: Turn = (quarter + (180 if upside_down else 0)) % 360  # type: ignore[assignment]
    sharper = max(along_x.sharpness, along_y.sharpness)
    clear = sharper > SIDEWAYS_RATIO * min(along_x.sharpness, along_y.sharpness)
    return Orientation(
        turn_deg=turn,
        tilt_deg=tilt.angle_deg,
        lined=(clear and sharper > LEAST_SHARPNESS) or joined >= LEAST_JOINED,
        certain=clear and pairs >= MIN_PAIRS and abs(lead) >= MIN_LEAD,
    )


def baseline_lead(boxes: Boxes, tilt_deg: float) -> tuple[int, float, float]:
    """Pairs of neighbouring letters, the share of letters that have a neighbour, and the lead of their feet.

    The lead is the share of pairs with level feet less the share with level
    heads. Positive: upright; negative: upside down. ``boxes`` are left, top, width,
    height of blobs whose lines run along x and fall by ``tilt_deg``.
    """
    import numpy as np

    height = float(np.median(boxes[:, 3]))
    fit = boxes[(boxes[:, 3] > 0.4 * height) & (boxes[:, 3] < 2.5 * height) & (boxes[:, 2] < 3 * height)]
    if len(fit) < MIN_PAIRS:
        return 0, 0.0, 0.0
    x0 = fit[:, 0].astype(np.float32)
    x1 = x0 + fit[:, 2]
    fall = (x0 + x1) / 2 * np.float32(np.tan(np.radians(tilt_deg)))
    top = fit[:, 1] - fall
    foot = top + fit[:, 3]

    step = max(1, len(fit) // MAX_LEFT_LETTERS)
    left = np.arange(0, len(fit), step)
    gap = x0[None, :] - x1[left, None]
    shared = np.minimum(foot[None, :], foot[left, None]) - np.maximum(top[None, :], top[left, None])
    neighbour = (gap > -0.2 * height) & (gap < 1.2 * height) & (x0[None, :] > x0[left, None])
    neighbour &= shared > 0.4 * height
    gap[~neighbour] = np.inf
    right = np.argmin(gap, axis=1)
    found = np.isfinite(gap[np.arange(len(left)), right])
    joined = float(found.mean())
    left, right = left[found], right[found]
    if not len(left):
        return 0, joined, 0.0
    # One pixel is the rounding of two boxes; more only as letters grow.
    slack = max(1.2, 0.08 * height)
    heads = np.abs(top[left] - top[right]) <= slack
    feet = np.abs(foot[left] - foot[right]) <= slack
    return len(left), joined, float(feet.mean() - heads.mean())
