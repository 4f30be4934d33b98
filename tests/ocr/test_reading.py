from pathlib import Path

import numpy as np
import pytest

from extractor.errors import ConfigError, OcrTimeoutError
from extractor.ocr.reading import PageOcr
from extractor.ports import OcrWord

from .scans import LETTER, draw, draw_cells, scan_of, tilt

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "documents"
WORDS = LETTER.split()


@pytest.fixture(scope="module")
def ocr():
    return PageOcr()


def recall(page, words=WORDS):
    left = [word.text for word in page.words]
    found = 0
    for word in words:
        if word in left:
            left.remove(word)
            found += 1
    return found / len(words)


def box_of(page, text):
    return next(word.box for word in page.words if word.text == text)


def test_a_clean_letter_is_read_word_for_word_in_order(ocr):
    page = ocr.read(scan_of(draw(), page_no=7), timeout_s=60)

    assert [word.text for word in page.words] == WORDS
    assert (page.page_no, page.quality, page.rotation_deg) == (7, "good", 0)
    assert page.confidence > 0.9
    assert page.source.startswith("tesserocr")


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_turned_letter_comes_back_upright_with_its_boxes(ocr, turned):
    upright = ocr.read(scan_of(draw()), timeout_s=60)

    page = ocr.read(scan_of(np.ascontiguousarray(np.rot90(draw(), turned // 90))), timeout_s=60)

    assert recall(page) > 0.98
    assert page.rotation_deg == turned
    assert (page.width_pt, page.height_pt) == pytest.approx((upright.width_pt, upright.height_pt), abs=0.5)
    assert box_of(page, "granulation").centre_pt == pytest.approx(
        box_of(upright, "granulation").centre_pt, abs=1.5
    )


def test_boxes_of_a_tilted_page_lie_on_the_ink_of_the_page_as_it_came(ocr):
    image = tilt(draw(), 3.0)

    page = ocr.read(scan_of(image), timeout_s=60)

    assert recall(page) > 0.98
    assert (page.width_pt, page.height_pt) == pytest.approx((image.shape[1] * 0.36, image.shape[0] * 0.36))
    for word in page.words:
        x0, y0, x1, y1 = (
            round(side / 0.36) for side in (word.box.x0_pt, word.box.y0_pt, word.box.x1_pt, word.box.y1_pt)
        )
        assert (image[y0:y1, x0:x1] < 128).any()
    first, last = box_of(page, "We"), box_of(page, "tablets")  # one printed line, falling to the right
    assert last.y1_pt - first.y1_pt > 15


@pytest.mark.parametrize("dpi", [100, 150, 300])
def test_resolution_hardly_matters(ocr, dpi):
    assert recall(ocr.read(scan_of(draw(dpi=dpi), dpi=dpi, native_dpi=float(dpi)), timeout_s=60)) > 0.97


def test_a_wrong_stated_resolution_does_no_harm(ocr):
    assert recall(ocr.read(scan_of(draw(dpi=200), dpi=100, native_dpi=100.0), timeout_s=60)) > 0.98


def test_a_dusty_grainy_scan_is_cleaned_and_read(ocr):
    rng = np.random.default_rng(2)
    image = draw()
    image[rng.random(image.shape) < 0.01] = 0
    image = np.clip(image + rng.normal(0, 20, image.shape), 0, 255).astype(np.uint8)

    assert recall(ocr.read(scan_of(image), timeout_s=60)) > 0.97


def test_a_ruled_table_comes_out_in_rows_with_its_cells(ocr):
    rows = [
        ["Parameter", "Target", "Actual"],
        ["Blend speed", "12 kg", "14 kg"],
        ["Blend time", "15 min", "16 min"],
        ["Yield", "98.0 %", "97.5 %"],
    ]

    page = ocr.read(scan_of(draw_cells(rows)), timeout_s=60)

    assert page.text == "\n".join("\t".join(row) for row in rows)
    assert [table.grid(page) for table in page.tables] == [rows]


@pytest.mark.parametrize("level", [0, 255])
def test_a_blank_page_is_a_good_page_without_words(ocr, level):
    page = ocr.read(scan_of(np.full((800, 600), level, np.uint8)), timeout_s=60)

    assert (page.words, page.quality, page.confidence) == ((), "good", None)


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (5, 5), (40, 3)])
def test_tiny_pictures_are_pages_without_words(ocr, shape):
    assert ocr.read(scan_of(np.zeros(shape, np.uint8)), timeout_s=60).words == ()


def test_noise_is_not_read_as_words(ocr):
    rng = np.random.default_rng(1)
    grain = np.clip(rng.normal(225, 12, (1000, 800)), 0, 255).astype(np.uint8)
    dust = np.where(rng.random((1000, 800)) < 0.03, 0, 255).astype(np.uint8)

    for image in (grain, dust):
        page = ocr.read(scan_of(image), timeout_s=60)
        assert (page.words, page.quality) == ((), "good")


def test_no_time_is_a_timeout(ocr):
    with pytest.raises(OcrTimeoutError):
        ocr.read(scan_of(draw()), timeout_s=0.0)


def test_engines_options_and_gate_are_closed():
    with pytest.raises(ConfigError, match="tesserocr"):
        PageOcr(engine="tesseroc")
    with pytest.raises(ConfigError):
        PageOcr(gate={"goodness": 1.0})


SHORT = draw("Clear words in short lines\n" * 5, height=150)


class Fixed:
    """An engine that always reads the same."""

    version = "1"

    def __init__(self, name, texts, confidence, seconds=0.0):
        self.name, self.texts, self.confidence, self.seconds = name, texts, confidence, seconds
        self.calls = 0

    def words(self, image, *, dpi, timeout_s):
        self.calls += 1
        if self.seconds > timeout_s:
            raise OcrTimeoutError
        step = image.shape[1] / len(self.texts)
        return tuple(
            OcrWord(
                text=text,
                x0_px=number * step,
                y0_px=0.0,
                x1_px=(number + 1) * step - 1,
                y1_px=float(image.shape[0]),
                confidence=self.confidence,
            )
            for number, text in enumerate(self.texts)
        )


def with_engines(first, second):
    ocr = PageOcr()
    ocr._made = {"tesserocr": first, "rapidocr": second}
    return ocr


def test_a_poor_page_is_read_again_and_the_better_reading_stays():
    first, second = Fixed("tesserocr", ["g?~a", "r|}{b"], 0.3), Fixed("rapidocr", ["clear", "words"], 0.97)

    page = with_engines(first, second).read(scan_of(SHORT), timeout_s=60)

    assert (page.text, page.source, page.quality) == ("clear words", "rapidocr", "good")


def test_a_worse_second_reading_changes_nothing_and_the_page_is_marked():
    first, second = Fixed("tesserocr", ["half", "sure"], 0.55), Fixed("rapidocr", ["{}|", "~~"], 0.2)

    page = with_engines(first, second).read(scan_of(SHORT), timeout_s=60)

    assert (page.text, page.source, page.quality) == ("half sure", "tesserocr", "poor")


def test_when_time_runs_out_the_first_reading_stays():
    first, second = (
        Fixed("tesserocr", ["half", "sure"], 0.55),
        Fixed("rapidocr", ["clear"], 0.97, seconds=1e9),
    )

    assert with_engines(first, second).read(scan_of(SHORT), timeout_s=60).text == "half sure"


def test_a_good_page_without_doubt_never_wakes_the_second_engine():
    first, second = Fixed("tesserocr", ["clear", "words"], 0.97), Fixed("rapidocr", ["other"], 0.99)

    page = with_engines(first, second).read(scan_of(SHORT), timeout_s=60)

    assert (page.text, second.calls) == ("clear words", 0)


def test_words_of_low_confidence_are_kept_without_a_second_engine():
    ocr = PageOcr(second_engine=None)
    ocr._made = {"tesserocr": Fixed("tesserocr", ["faint", "trace"], 0.05)}

    page = ocr.read(scan_of(SHORT), timeout_s=60)

    assert [(word.text, word.confidence) for word in page.words] == [("faint", 0.05), ("trace", 0.05)]
    assert page.quality == "unreadable"


def test_reading_prints_nothing(ocr, capfd):
    ocr.read(scan_of(draw()), timeout_s=60)

    assert capfd.readouterr() == ("", "")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the corpora are not beside the checkout")
def test_another_script_is_not_passed_off_as_good_text(ocr):
    from PIL import Image

    with Image.open(SHARED / "pdf_edge_cases" / "chi_sim_image.jpeg") as picture:
        image = np.asarray(picture.convert("L"))

    assert ocr.read(scan_of(image, dpi=96, native_dpi=96.0), timeout_s=60).quality in ("poor", "unreadable")
