import numpy as np
import pytest

from extractor.ocr.skew import find_tilt
from extractor.ocr.straight import straighten, turn
from extractor.spans import BBox

from .scans import draw, tilt


def test_a_straightened_picture_is_level():
    image = tilt(draw(), 4.0)

    straight = straighten(image, tilt_deg=4.0, scale=1.0, width_pt=400, height_pt=300)

    from extractor.ocr.ink import find_ink

    assert find_tilt(find_ink(straight.image).text).angle_deg == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(("degrees", "scale"), [(0.0, 1.0), (0.0, 2.0), (3.0, 1.0), (-8.0, 1.7), (5.0, 0.5)])
def test_a_mark_is_found_back_on_the_page_where_it_was(degrees, scale):
    image = np.full((400, 600), 255, np.uint8)
    image[100:110, 450:470] = 0  # at 225 .. 235, 50 .. 55 points of a page of 300 x 200

    straight = straighten(image, tilt_deg=degrees, scale=scale, width_pt=300, height_pt=200)
    ys, xs = np.nonzero(straight.image < 128)
    unit = straight.pt_per_px
    box = BBox(xs.min() * unit, ys.min() * unit, (xs.max() + 1) * unit, (ys.max() + 1) * unit)
    back = straight.on_page(box, width_pt=300, height_pt=200)

    assert back.centre_pt == pytest.approx((230, 52.5), abs=1.0)


def test_no_tilt_and_no_scale_leaves_the_pixels_alone():
    image = draw()

    assert straighten(image, tilt_deg=0.02, scale=1.0, width_pt=1, height_pt=1).image is image


def test_paper_that_comes_in_at_the_corners_has_the_grey_of_the_paper():
    image = np.full((200, 300), 231, np.uint8)

    assert straighten(image, tilt_deg=9.0, scale=1.0, width_pt=1, height_pt=1).image.min() >= 229


def test_turning_is_clockwise():
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)

    assert turn(image, 90).tolist() == [[3, 0], [4, 1], [5, 2]]
    assert turn(image, 0).tolist() == image.tolist()
