"""Damaged documents of every format raise nothing but input errors."""

from contextlib import suppress
from functools import cache

import pytest
from hypothesis import given, settings, strategies as st

from extractor.errors import InputError
from extractor.ports import ReadLimits, ScannedPage
from extractor.registry import CDA, DOCX, SPL, XLSX, load
from tests.readers.made import (
    CDA_TEXT,
    EMAIL,
    HTML,
    SPL_TEXT,
    docx_bytes,
    mutated,
    picture,
    with_mutated_part,
    xlsx_bytes,
)


def _rows(book):
    for row in (["a", "b"], [1.5, "x"], [2, "y"]):
        book.active.append(row)
    book.active["A2"].number_format = "0.00"
    book.active.merge_cells("A4:B5")


def _story(document):
    document.add_heading("Title", 1)
    table = document.add_table(2, 2)
    table.cell(0, 0).merge(table.cell(1, 0)).text = "tall"
    document.add_page_break()
    document.add_paragraph("x", style="List Bullet")


@cache
def _sound(media_type):
    return {
        "text/plain": lambda: "Title\n\nName: José\n- a\f\n".encode("utf-16"),
        "text/markdown": lambda: b"# T\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        "text/html": lambda: HTML,
        "text/csv": lambda: b'a,b,c\n1,2,3\n4,"x\ny",6\n' * 3,
        "message/rfc822": lambda: EMAIL,
        "application/xml": lambda: b"<a><b>one</b>two<c d='e'>three</c></a>",
        SPL: SPL_TEXT.encode,
        CDA: CDA_TEXT.encode,
        DOCX: lambda: docx_bytes(_story),
        XLSX: lambda: xlsx_bytes(_rows),
        "image/png": lambda: picture("PNG", mode="RGBA", colour=(0, 0, 0, 0)),
        "image/jpeg": lambda: picture("JPEG"),
        "image/tiff": lambda: picture("TIFF", mode="1", colour=1, compression="group4"),
    }[media_type]()


ALL = [
    "text/plain",
    "text/markdown",
    "text/html",
    "text/csv",
    "message/rfc822",
    "application/xml",
    SPL,
    CDA,
    DOCX,
    XLSX,
    "image/png",
    "image/jpeg",
    "image/tiff",
]


def _read(content, media_type):
    """Read all there is; being refused is fine, and so is a page that cannot be drawn."""
    limits = ReadLimits(max_page_pixels=1_000_000)
    try:
        with load("readers", media_type)().open(content, media_type=media_type, limits=limits) as reading:
            numbers = []
            for page in reading.pages():
                numbers.append(page.page_no)
                if isinstance(page, ScannedPage):
                    _draw(page)
            list(reading.attachments())
    except InputError:
        return
    assert numbers == list(range(1, reading.page_count + 1))


def _draw(page):
    with suppress(InputError):
        page.image(50)


@pytest.mark.parametrize("media_type", ALL)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_damaged_bytes(media_type, seed):
    _read(mutated(_sound(media_type), seed), media_type)


@pytest.mark.parametrize("media_type", [DOCX, XLSX])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_a_damaged_part_in_a_sound_package(media_type, seed):
    _read(with_mutated_part(_sound(media_type), seed), media_type)


@pytest.mark.parametrize("media_type", ALL)
@settings(max_examples=40, deadline=None)
@given(content=st.binary(max_size=300))
def test_random_bytes_under_any_type(media_type, content):
    _read(content, media_type)
