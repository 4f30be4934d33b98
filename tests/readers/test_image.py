"""Pictures become pages for OCR, decoded when asked for."""

import io

import numpy as np
import pytest
from PIL import Image

from extractor.document import PageFailure
from extractor.errors import CorruptError, InputError, LimitError
from extractor.ports import ReadLimits, ScannedPage
from extractor.readers.image import ImageReader
from tests.readers.made import picture


def _open(content, form, **limits):
    return ImageReader().open(content, media_type=f"image/{form.lower()}", limits=ReadLimits(**limits))


def _only(content, form):
    (page,) = _open(content, form).pages()
    assert isinstance(page, ScannedPage)
    assert page.reason == "image"
    return page


def _corners(grey):
    """Whether the upper left corner is dark and the lower right light."""
    return bool(grey[1, 1] < 60), bool(grey[-2, -2] > 195)


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {"mode": "1", "colour": 1}),
        ("PNG", {"mode": "L"}),
        ("PNG", {"mode": "RGB", "colour": (255, 255, 255)}),
        ("PNG", {"mode": "RGBA", "colour": (0, 0, 0, 0)}),
        ("PNG", {"mode": "LA", "colour": (0, 0)}),
        ("PNG", {"mode": "I;16", "colour": 65535}),
        ("JPEG", {"mode": "L"}),
        ("JPEG", {"mode": "CMYK", "colour": (0, 0, 0, 0)}),
        ("TIFF", {"mode": "1", "colour": 1, "compression": "group4"}),
        ("TIFF", {"mode": "1", "colour": 1, "compression": "group3"}),
        ("TIFF", {"mode": "L", "compression": "packbits"}),
        ("TIFF", {"mode": "RGB", "colour": (255, 255, 255), "compression": "tiff_lzw"}),
        ("TIFF", {"mode": "CMYK", "colour": (0, 0, 0, 0)}),
        ("TIFF", {"mode": "I;16", "colour": 65535}),
        ("TIFF", {"mode": "F", "colour": 1.0}),
    ],
)
def test_every_kind_of_picture_becomes_grey_with_dark_ink_on_light_paper(form, options):
    page = _only(picture(form, dpi=(150, 150), **options), form)
    grey = page.image(150)

    assert (grey.dtype, grey.shape) == (np.uint8, (40, 60))
    assert _corners(grey) == (True, True)
    assert (page.native_dpi, round(page.width_pt, 1), round(page.height_pt, 1)) == (150, 28.8, 19.2)


def test_a_palette_with_a_see_through_colour_stands_on_white():
    image = Image.new("P", (40, 40), 0)
    image.putpalette([0, 0, 0, 10, 10, 10])
    image.paste(1, (0, 0, 10, 10))
    target = io.BytesIO()
    image.save(target, "PNG", transparency=0)

    assert _corners(_only(target.getvalue(), "PNG").image(150)) == (True, True)


def test_sixteen_bits_where_white_is_zero_are_turned_over():
    pixels = np.zeros((40, 40), dtype=np.uint16)
    pixels[:10, :10] = 65535
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "TIFF", tiffinfo={262: 0})

    assert _corners(_only(target.getvalue(), "TIFF").image(150)) == (True, True)


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright_whatever_their_orientation_tag(form, orientation):
    upright = np.full((40, 60), 255, dtype=np.uint8)
    upright[:10, :15] = 0
    undo = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }
    image = Image.fromarray(np.ascontiguousarray(undo[orientation]))
    exif = Image.Exif()
    exif[274] = orientation
    target = io.BytesIO()
    options = {"exif": exif} if form == "JPEG" else {"tiffinfo": {274: orientation}}
    image.save(target, form, dpi=(200, 200), **options)
    page = _only(target.getvalue(), form)

    assert (round(page.width_pt, 1), round(page.height_pt, 1)) == (21.6, 14.4)
    grey = page.image(200)
    assert grey.shape == (40, 60)
    assert _corners(grey) == (True, True)


def test_unequal_resolutions_are_evened_out():
    page = _only(picture("TIFF", size=(204, 98), mode="1", colour=1, dpi=(204, 98)), "TIFF")

    assert (round(page.width_pt), round(page.height_pt), page.native_dpi) == (72, 72, 204)
    assert page.image(100).shape == (100, 100)


@pytest.mark.parametrize(
    ("size", "dpi", "native"),
    [
        ((1700, 2200), (200, 200), 200),
        ((1700, 2200), None, 200),
        ((1654, 2339), None, 200),
        ((1700, 2200), (72, 72), 200),
        ((1700, 2200), (1, 1), 200),
        ((612, 792), None, 72),
        ((640, 480), None, 150),
        ((300, 200), None, 150),
        ((300, 200), (96, 96), 96),
        ((3000, 1000), None, 150),
    ],
)
def test_the_resolution_is_the_files_own_where_plausible_and_estimated_elsewhere(size, dpi, native):
    options = {"dpi": dpi} if dpi else {}

    assert round(_only(picture("PNG", size=size, **options), "PNG").native_dpi) == native


def test_each_picture_of_a_tiff_is_a_page_and_drawn_on_demand(monkeypatch):
    pages = [Image.new("L", (30, 20 + number), 255) for number in range(3)]
    target = io.BytesIO()
    pages[0].save(target, "TIFF", save_all=True, append_images=pages[1:], dpi=(150, 150))
    decoded = []
    real = Image.Image.load
    monkeypatch.setattr(
        "PIL.TiffImagePlugin.TiffImageFile.load", lambda self: decoded.append(1) or real(self)
    )

    with _open(target.getvalue(), "TIFF") as reading:
        found = list(reading.pages(skip={2}))
        assert (reading.page_count, [page.page_no for page in found], decoded) == (3, [1, 3], [])
    monkeypatch.undo()
    with _open(target.getvalue(), "TIFF") as reading:
        shapes = [page.image(150).shape for page in reversed(list(reading.pages()))]
    assert shapes == [(22, 30), (21, 30), (20, 30)]


def test_a_reduced_copy_inside_a_tiff_is_not_a_page():
    target = io.BytesIO()
    small = Image.new("L", (10, 10), 255)
    small.encoderinfo = {"tiffinfo": {254: 1}}
    Image.new("L", (100, 100), 255).save(target, "TIFF", save_all=True, append_images=[small])

    assert _open(target.getvalue(), "TIFF").page_count == 1


def test_a_picture_of_too_many_pixels_is_refused_without_being_decoded():
    with pytest.raises(LimitError) as caught:
        _open(picture("PNG", size=(2000, 2000), mode="RGB"), "PNG", max_page_pixels=3_000_000)
    assert caught.value.code == "limit.pixels"
    with pytest.raises(LimitError):
        _open(picture("PNG", size=(4000, 4000), mode="1", colour=1), "PNG", max_page_pixels=3_000_000)


def test_a_picture_is_drawn_at_a_lower_resolution_where_that_can_be_read():
    large = picture("TIFF", size=(2000, 2000), mode="1", colour=1, dpi=(300, 300))
    (page,) = _open(large, "TIFF", max_page_pixels=1_000_000).pages()
    image = page.image(300)
    assert image.shape == (1000, 1000)
    assert image[0, 0] == 0

    (page,) = _open(picture("PNG", size=(300, 300), dpi=(150, 150)), "PNG", max_page_pixels=30_000).pages()
    with pytest.raises(LimitError) as drawn:
        page.image(150)
    assert drawn.value.code == "limit.pixels"


def test_one_large_page_spares_the_others():
    pages = [Image.new("1", size, 1) for size in ((100, 100), (3000, 3000), (100, 100))]
    target = io.BytesIO()
    pages[0].save(target, "TIFF", save_all=True, append_images=pages[1:])
    found = list(_open(target.getvalue(), "TIFF", max_page_pixels=1_000_000).pages())

    assert [page.page_no for page in found] == [1, 2, 3]
    assert found[1] == PageFailure(page_no=2, code="limit.pixels")
    assert found[2].image(100).size > 0


def test_pillows_own_bomb_guard_is_a_limit(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(LimitError) as caught:
        _open(picture("PNG"), "PNG")
    assert caught.value.code == "limit.pixels"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
def test_a_truncated_picture_is_corrupt_and_not_read_in_part(form):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200), dtype=np.uint8))
    target = io.BytesIO()
    noise.save(target, form)

    with pytest.raises(CorruptError):
        _only(target.getvalue()[:9_000], form).image(150)


def test_bytes_that_are_no_picture_are_corrupt():
    for form in ("PNG", "JPEG", "TIFF"):
        with pytest.raises(InputError):
            _open(b"\x89PNG\r\n\x1a\n", form)


def test_a_tiff_of_too_many_pages_is_refused():
    pages = [Image.new("1", (8, 8), 1) for _ in range(6)]
    target = io.BytesIO()
    pages[0].save(target, "TIFF", save_all=True, append_images=pages[1:])

    with pytest.raises(LimitError) as caught:
        _open(target.getvalue(), "TIFF", max_pages=5)
    assert caught.value.code == "limit.pages"
