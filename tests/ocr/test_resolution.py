from dataclasses import replace

import numpy as np
import pytest

from extractor.ocr.resolution import MOST_PIXELS, dpi_for, scale_for

from .scans import scan_of

PAGE = scan_of(np.zeros((10, 10), np.uint8))
A4 = replace(PAGE, width_pt=595.0, height_pt=842.0)


@pytest.mark.parametrize(
    ("native", "asked"), [(150.0, 150), (299.6, 300), (600.0, 300), (72.0, 72), (None, 300)]
)
def test_a_picture_comes_at_its_own_resolution_up_to_300(native, asked):
    assert dpi_for(replace(A4, native_dpi=native)) == asked


def test_a_huge_page_is_asked_for_in_fewer_pixels():
    dpi = dpi_for(replace(A4, width_pt=14_400.0, height_pt=14_400.0, native_dpi=300.0))

    assert dpi >= 1
    assert (14_400 / 72 * dpi) ** 2 <= MOST_PIXELS * 1.1


def test_small_letters_are_enlarged_large_ones_reduced_and_good_ones_left():
    assert scale_for(14.0, width_px=1000, height_px=1000) == 2.0
    assert scale_for(56.0, width_px=1000, height_px=1000) == 0.5
    assert scale_for(19.0, width_px=1000, height_px=1000) == 1.0
    assert scale_for(0.0, width_px=1000, height_px=1000) == 1.0


def test_enlarging_stops_at_the_limit_of_pixels():
    scale = scale_for(10.0, width_px=5000, height_px=5000)

    assert (5000 * scale) ** 2 <= MOST_PIXELS * 1.01
