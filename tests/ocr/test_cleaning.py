import numpy as np

from extractor.ocr.cleaning import (
    even_out,
    grain_of,
    is_all_grain,
    is_noise,
    is_speckled,
    remove_specks,
    smooth,
)
from extractor.ocr.ink import find_ink

from .scans import draw

RNG = np.random.default_rng(5)


def test_clean_paper_is_left_alone():
    image = draw()

    assert even_out(image) is image
    assert not is_speckled(find_ink(image))
    assert grain_of(image) < 1


def test_a_negative_becomes_positive():
    assert np.array_equal(even_out(255 - draw()), draw())


def test_shaded_paper_comes_out_even():
    image = draw()
    shaded = (image * np.linspace(1.0, 0.4, image.shape[1])[None, :]).astype(np.uint8)

    evened = even_out(shaded)

    for part in np.array_split(evened, 6, axis=1):
        assert np.percentile(part, 90) > 215
    assert len(find_ink(evened).characters) == len(find_ink(image).characters)


def test_faint_print_is_strengthened():
    faint = (200 + draw().astype(int) * 40 // 255).astype(np.uint8)

    assert np.ptp(even_out(faint)) > 200


def test_dust_is_seen_and_goes_and_the_letters_stay():
    image = draw()
    dusty = image.copy()
    dusty[RNG.random(image.shape) < 0.01] = 0

    assert is_speckled(find_ink(dusty))
    cleaned = find_ink(remove_specks(dusty))
    assert not is_speckled(cleaned)
    assert abs(len(cleaned.characters) - len(find_ink(image).characters)) < 30


def test_grain_is_measured_in_grey_levels_whatever_is_printed():
    grainy = np.clip(128 + (draw().astype(float) - 128) * 0.5 + RNG.normal(0, 15, draw().shape), 0, 255)

    assert 12 < grain_of(grainy.astype(np.uint8)) < 18
    assert grain_of(smooth(grainy.astype(np.uint8))) < 5


def test_grain_alone_is_noise_and_letters_are_not():
    noise = np.clip(RNG.normal(200, 15, (600, 500)), 0, 255).astype(np.uint8)

    assert is_all_grain(noise, grain_of(noise))
    assert not is_all_grain(draw(), grain_of(draw()))
    assert is_noise(find_ink(draw()), lined=False, all_grain=True)
    assert not is_noise(find_ink(draw()), lined=True, all_grain=True)
