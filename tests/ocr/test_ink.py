import numpy as np
import pytest

from extractor.ocr.ink import binarise, find_ink, grey

from .scans import draw


def test_letters_are_counted_and_measured_and_rulings_are_not_letters():
    plain = find_ink(draw("mmm nnn ooo\n" * 10))
    ruled = find_ink(draw("mmm nnn ooo\n" * 10, lines=[(40, 300, 560, 300), (300, 200, 300, 400)]))

    assert len(plain.characters) == pytest.approx(90, abs=2)
    assert len(ruled.characters) == len(plain.characters)


def test_the_size_of_letters_follows_the_resolution():
    assert find_ink(draw(dpi=200)).size_px == pytest.approx(2 * find_ink(draw(dpi=100)).size_px, rel=0.25)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_even_picture_has_no_ink(level):
    assert not binarise(np.full((50, 60), level, np.uint8)).any()


def test_colours_become_grey_and_grey_stays():
    image = draw()

    assert grey(image) is image
    assert np.abs(grey(np.repeat(image[:, :, None], 3, axis=2)).astype(int) - image).max() <= 1
