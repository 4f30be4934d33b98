"""Page pictures are upright, bounded, and one bad page spares the others."""

import io

import numpy as np
import pymupdf
import pytest
from PIL import Image

from extractor import page_image
from extractor.errors import CrashError, InputError, UnsupportedError
from extractor.page_image import has_pictures, iter_page_images, page_pictures, turn_of
from extractor.ports import ReadLimits
from extractor.registry import PDF

LIMITS = ReadLimits()


def pdf_with_a_mark(*, rotation=0, page_count=1):
    """Pages of 200 x 100 pt with a black square in the stored top left corner."""
    with pymupdf.open() as document:
        for _ in range(page_count):
            page = document.new_page(width=200, height=100)
            page.draw_rect(pymupdf.Rect(0, 0, 20, 20), color=0, fill=0)
            page.set_rotation(rotation)
        return document.tobytes()


def tiff_with_a_mark(page_count=2):
    frames = []
    for _ in range(page_count):
        pixels = np.full((100, 200), 255, dtype=np.uint8)
        pixels[:20, :20] = 0
        frames.append(Image.fromarray(pixels))
    buffer = io.BytesIO()
    frames[0].save(buffer, format="TIFF", save_all=True, append_images=frames[1:], dpi=(72, 72))
    return buffer.getvalue()


def corner_of_the_mark(image):
    grey = image if image.ndim == 2 else image[:, :, 0]
    ys, xs = np.nonzero(grey < 100)
    return ("top" if ys.mean() < grey.shape[0] / 2 else "bottom") + (
        " left" if xs.mean() < grey.shape[1] / 2 else " right"
    )


def drawn(content, media_type, turns, dpi=72, limits=LIMITS):
    return dict(iter_page_images(content, media_type, turns=turns, dpi=dpi, limits=limits))


@pytest.mark.parametrize(
    ("turn", "shape", "corner"),
    [
        (0, (100, 200), "top left"),
        (90, (200, 100), "top right"),
        (180, (100, 200), "bottom right"),
        (270, (200, 100), "bottom left"),
    ],
)
@pytest.mark.parametrize(
    ("content", "media_type"), [(pdf_with_a_mark(), PDF), (tiff_with_a_mark(), "image/tiff")]
)
def test_a_page_is_turned_clockwise(content, media_type, turn, shape, corner):
    image = drawn(content, media_type, {1: turn})[1]

    assert image.shape[:2] == shape
    assert corner_of_the_mark(image) == corner


def test_a_stored_rotation_of_a_pdf_page_is_applied_once():
    page = next(iter(pymupdf.open(stream=pdf_with_a_mark(rotation=90), filetype="pdf")))

    image = drawn(pdf_with_a_mark(rotation=90), PDF, {1: turn_of("text-layer", page.rotation)})[1]

    assert image.shape[:2] == (200, 100)
    assert corner_of_the_mark(image) == "top right"


def test_only_the_named_pages_are_drawn_and_a_missing_one_is_said():
    found = drawn(tiff_with_a_mark(page_count=3), "image/tiff", {2: 0, 9: 0})

    assert sorted(found) == [2, 9]
    assert isinstance(found[9], InputError)


def test_a_page_beyond_the_pixel_limit_is_drawn_smaller():
    image = drawn(pdf_with_a_mark(), PDF, {1: 0}, dpi=600, limits=ReadLimits(max_page_pixels=80_000))[1]

    assert 60_000 < image.shape[0] * image.shape[1] <= 80_000


def test_formats_without_page_pictures_are_refused():
    assert not has_pictures("text/plain")
    with pytest.raises(UnsupportedError):
        drawn(b"words", "text/plain", {1: 0})


def pictures(content, turns):
    return page_pictures(content, PDF, turns=turns, dpi=72, limits=LIMITS, page_time_s=30, memory_mb=1024)


def test_encoded_pictures_have_the_size_that_they_tell():
    found, failures = pictures(pdf_with_a_mark(page_count=2), {1: 0, 2: 90})

    assert failures == {}
    for page_no, picture in found.items():
        with Image.open(io.BytesIO(picture.content)) as image:
            assert image.size == (picture.width_px, picture.height_px)
            assert image.size == ((200, 100), (100, 200))[page_no - 1]


def test_bytes_that_are_no_pdf_give_a_failure_for_each_page():
    found, failures = pictures(b"%PDF-1.7 nothing", {1: 0, 2: 0})

    assert found == {}
    assert sorted(failures) == [1, 2]


def test_a_page_that_takes_its_process_along_spares_the_others(monkeypatch):
    isolated = page_image.iter_isolated

    def crashing_on_page_2(make, content, media_type, turns, *rest, **limits):
        for page_no, result in isolated(make, content, media_type, turns, *rest, **limits):
            if page_no == 2:
                raise CrashError
            yield page_no, result

    monkeypatch.setattr(page_image, "iter_isolated", crashing_on_page_2)

    found, failures = pictures(pdf_with_a_mark(page_count=3), {1: 0, 2: 0, 3: 0})

    assert sorted(found) == [1, 3]
    assert failures == {2: "input.crashed"}
