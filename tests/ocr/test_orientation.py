import numpy as np
import pytest

from extractor.ocr.ink import find_ink
from extractor.ocr.orientation import find_orientation
from extractor.ocr.skew import find_tilt

from .scans import draw, draw_cells, tilt


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_a_letter_is_found_to_lie_as_it_lies(turned):
    image = np.ascontiguousarray(np.rot90(draw(), turned // 90))  # counter-clockwise

    found = find_orientation(find_ink(image))

    assert (found.turn_deg, found.certain) == (turned, True)


@pytest.mark.parametrize("degrees", [-14.0, -3.3, -0.4, 0.0, 0.25, 1.7, 12.5])
def test_a_tilt_is_measured_to_a_tenth_of_a_degree(degrees):
    found = find_tilt(find_ink(tilt(draw(), degrees)).text)

    assert found.angle_deg == pytest.approx(degrees, abs=0.1)


def test_tilted_and_upside_down_are_told_at_once():
    found = find_orientation(find_ink(np.rot90(tilt(draw(), 2.0), 2).copy()))

    assert found.turn_deg == 180
    assert found.tilt_deg == pytest.approx(2.0, abs=0.1)


def test_digits_alone_do_not_pretend_to_know_up_from_down():
    image = draw_cells([["101", "202", "303"], ["404", "505", "606"]] * 6, ruled=False)

    found = find_orientation(find_ink(image))

    assert not found.certain
    assert found.turn_deg == 0


def test_noise_forms_no_lines_and_text_does():
    noise = np.where(np.random.default_rng(3).random((900, 700)) < 0.2, 0, 255).astype(np.uint8)

    assert not find_orientation(find_ink(noise)).lined
    assert find_orientation(find_ink(draw(dpi=100))).lined


def test_a_blank_picture_lies_upright():
    found = find_orientation(find_ink(np.full((300, 200), 255, np.uint8)))

    assert (found.turn_deg, found.tilt_deg) == (0, 0.0)
