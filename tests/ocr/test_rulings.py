import numpy as np
import pytest

from extractor.ocr.ink import find_ink
from extractor.ocr.rulings import as_rulings, erase, find_bars, find_lines, lift_bars

from .scans import draw, draw_cells

ROWS = [["Parameter", "Target", "Actual"], ["Speed", "12 rpm", "12 rpm"], ["Time", "15 min", "16 min"]]


def lines_of(image):
    ink = find_ink(image)
    return find_lines(ink.mask, ink.size_px)


def test_the_rulings_of_a_table_are_found_where_they_were_drawn():
    found = as_rulings(lines_of(draw_cells(ROWS)), 72 / 200)

    across = sorted(ruling.box.y0_pt for ruling in found if not ruling.vertical)
    down = sorted(ruling.box.x0_pt for ruling in found if ruling.vertical)
    assert across == pytest.approx([60, 84, 108, 132], abs=0.8)
    assert down == pytest.approx([50, 200, 350, 500], abs=0.8)


def test_text_holds_no_rulings():
    found = lines_of(draw())

    assert (found.horizontal, found.vertical) == ([], [])


def test_erasing_a_grid_leaves_the_words():
    image = draw_cells(ROWS)

    cleaned = erase(image, lines_of(image), scale=1.0)

    assert lines_of(cleaned).horizontal == lines_of(cleaned).vertical == []
    plain = find_ink(draw_cells(ROWS, ruled=False))
    assert len(find_ink(cleaned).characters) == len(plain.characters)


def test_an_underline_is_a_ruling_that_stays_on_the_picture():
    image = draw("Judging quality", lines=[(50, 54.5, 130, 54.5)])

    found = lines_of(image)

    assert len(found.horizontal) == 1
    assert np.array_equal(erase(image, found, scale=1.0), image)


@pytest.mark.parametrize(("bar", "print_"), [(30, 250), (90, 5)])
def test_print_in_a_dark_bar_becomes_dark_on_light(bar, print_):
    image = draw("Acceptance limits and results\n\n\nPlain text below it, as on any page.")
    top = int(36 * 200 / 72)
    part = image[top : top + 56]
    image[top : top + 56] = np.where(part < 128, print_, bar).astype(np.uint8)
    ink = find_ink(image)

    bars = find_bars(ink.mask, 20.0)
    lifted = lift_bars(image, bars, scale=1.0)

    assert len(bars) == 1
    assert np.median(lifted[top + 5 : top + 50]) > 200
    assert lifted[top + 5 : top + 50].min() < 60
    assert np.array_equal(lifted[top + 80 :], image[top + 80 :])


def test_a_faint_ruling_is_followed_over_its_gaps():
    mask = np.zeros((200, 900), np.uint8)
    mask[100, 20:200] = 255  # seen whole here, and as dashes from there on
    for start in range(200, 860, 24):
        mask[100, start : start + 18] = 255

    (line,) = find_lines(mask, 14).horizontal

    assert line[0] == 20
    assert line[0] + line[2] > 840


def test_grain_of_a_shaded_cell_makes_no_ruling():
    random = np.random.default_rng(7)
    mask = np.zeros((200, 900), np.uint8)
    mask[80:120] = np.where(random.random((40, 900)) < 0.5, 255, 0)
    mask[100, 100:400] = 255

    assert [line for line in find_lines(mask, 14).horizontal if 84 < line[1] < 116] == []
