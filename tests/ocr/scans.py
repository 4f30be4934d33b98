"""Scans made on the spot: text drawn by pymupdf, then turned, tilted, worn."""

from __future__ import annotations

import cv2
import numpy as np
import pymupdf

from extractor.ports import ScannedPage

LETTER = """Dear Colleague,

We acknowledge receipt of your submission dated 14 March 2024 for the tablets
described below. The application provides for a change of the granulation step
and of the drying temperature, which was raised from 45 to 50 degrees. Please
submit the stability data of the three validation batches together with the
updated specification. The impurity profile should be compared with that of
the reference product, and any new degradation product must be qualified.

Adverse events reported by patients during the study were mild and transient:
headache, nausea and dizziness. No patient stopped the treatment because of
these events. Laboratory values stayed within the normal range throughout.

If you have questions, call the project manager at your earliest convenience.
"""


def draw(text=LETTER, *, dpi=200, size=11.0, width=595, height=420, lines=()):
    """A grey picture of ``text`` on white paper; ``lines`` are (x0, y0, x1, y1) in points."""
    with pymupdf.open() as document:
        page = document.new_page(width=width, height=height)
        page.insert_textbox((50, 40, width - 40, height - 20), text, fontsize=size, fontname="helv")
        for x0, y0, x1, y1 in lines:
            page.draw_line((x0, y0), (x1, y1), width=0.8)
        return to_grey(page, dpi)


def draw_cells(rows, *, columns=(50, 200, 350, 500), top=60, pitch=24, dpi=200, ruled=True, height=420):
    """A table: one string per cell, with rulings all around the cells."""
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=height)
        for number, row in enumerate(rows):
            for x, cell in zip(columns, row, strict=False):
                page.insert_text((x + 5, top + number * pitch + 16), cell, fontsize=10, fontname="helv")
        if ruled:
            for number in range(len(rows) + 1):
                y = top + number * pitch
                page.draw_line((columns[0], y), (columns[-1], y), width=0.8)
            for x in columns:
                page.draw_line((x, top), (x, top + len(rows) * pitch), width=0.8)
        return to_grey(page, dpi)


def to_grey(page, dpi):
    pixmap = page.get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY)
    return np.frombuffer(pixmap.samples, np.uint8).reshape(pixmap.height, pixmap.width).copy()


def tilt(image, degrees, paper=255):
    """The picture turned so that its lines fall to the right by ``degrees`` (clockwise as seen)."""
    height, width = image.shape
    room = int(np.hypot(height, width)) - min(height, width)
    image = cv2.copyMakeBorder(image, room // 2, room // 2, 60, 60, cv2.BORDER_CONSTANT, value=paper)
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=(paper,))


def scan_of(image, *, dpi=200, native_dpi=200.0, page_no=1):
    """The picture as a page; asked for another resolution it is resampled."""

    def at(wanted):
        if wanted == dpi:
            return image
        factor = wanted / dpi
        return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)

    return ScannedPage(
        page_no=page_no,
        width_pt=image.shape[1] * 72 / dpi,
        height_pt=image.shape[0] * 72 / dpi,
        reason="image",
        image=at,
        native_dpi=native_dpi,
    )
