"""One PDF page: what MuPDF gives, judged and laid out, or left for OCR.

The only steps that touch MuPDF are :func:`fetch` and :func:`render`; what
comes out of the first is plain data in coordinates of the upright page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from extractor.document import Page, Word
from extractor.errors import LimitError
from extractor.layout.page import lay_out
from extractor.ports import ReadLimits, Ruling
from extractor.readers.pdf_form import add_fields
from extractor.readers.pdf_rulings import Drawn, Level, Shade, collect
from extractor.readers.pdf_text_layer import STRAY_WORDS, PageFigures, TextLayer, judge
from extractor.readers.pdf_words import PageWords, SpotWord, read_words
from extractor.readers.resolution import bounded_dpi
from extractor.spans import BBox

if TYPE_CHECKING:
    from extractor.ports import Image

SOURCE = "text-layer"

Matrix = tuple[float, float, float, float, float, float]


def mupdf() -> Any:
    """PyMuPDF, imported when the first document is opened."""
    import pymupdf

    return pymupdf


def mupdf_errors() -> tuple[type[Exception], ...]:
    """What PyMuPDF raises on damaged files: MuPDF's own errors and the wrapper's."""
    return (mupdf().mupdf.FzErrorBase, RuntimeError, ValueError, IndexError)


@dataclass(slots=True, kw_only=True)
class Fetched:
    """The content of a page in points of the upright page."""

    width_pt: float
    height_pt: float
    rotation_deg: int
    text_layer: TextLayer
    words: PageWords = field(default_factory=PageWords)
    drawn: Drawn = field(default_factory=Drawn)
    native_dpi: float | None = None


def fetch(page: Any, limits: ReadLimits) -> Fetched:
    """Read words, lines and pictures of a ``pymupdf.Page``.

    Raises:
        LimitError: a side of the page, or a picture on it, is larger than allowed.
    """
    pymupdf = mupdf()
    rect = page.rect
    width, height = float(rect.width), float(rect.height)
    if max(width, height) > limits.max_page_side_pt:
        raise LimitError("limits.max_page_side_pt", code="limit.page_side")
    text_page = page.get_textpage(flags=pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP)
    drawn = collect(page.get_cdrawings(), width * height)
    words = read_words(text_page, drawn.cuts, page.get_fonts)
    matrix: Matrix | None = None
    if page.rotation:
        matrix = tuple(page.rotation_matrix)
    places = [_place(word, matrix, height) for word in words.words]
    share, dpi = 0.0, None
    if len(words.words) < STRAY_WORDS:
        share, dpi = _pictures(page, limits)
    verdict = judge(
        PageFigures(
            words=places,
            control_count=words.control_count,
            picture_share=share,
            stroke_count=drawn.stroke_count,
        )
    )
    if verdict in ("usable", "blank") and page.first_widget is not None:
        words.words, kept = add_fields(page, words.words)
        words.bold = {kept[index] for index in words.bold if index in kept}
        words.turned = {kept[index]: angle for index, angle in words.turned.items() if index in kept}
    if matrix is not None:
        _rotate(words, drawn, matrix, page.rotation)
    _keep_shown(words, width, height)
    if not words.words and verdict == "usable":
        verdict = "blank"
    return Fetched(
        width_pt=width,
        height_pt=height,
        rotation_deg=page.rotation,
        text_layer=verdict,
        words=words,
        drawn=drawn,
        native_dpi=dpi,
    )


def build(fetched: Fetched, page_no: int) -> Page:
    """The laid out page of a usable (or blank) text layer."""
    return lay_out(
        [
            Word(text=text, box=BBox(x0, y0, max(x0, x1), max(y0, y1)))
            for x0, y0, x1, y1, text in fetched.words.words
        ],
        [
            Ruling(box=BBox(x0, y0, x1, y1), vertical=vertical)
            for x0, y0, x1, y1, vertical in fetched.drawn.lines
        ],
        page_no=page_no,
        width_pt=fetched.width_pt,
        height_pt=fetched.height_pt,
        source=SOURCE,
        rotation_deg=fetched.rotation_deg,
        bold=fetched.words.bold,
        turned=fetched.words.turned,
        shades=fetched.drawn.shades,
    )


def render(page: Any, dpi: int, limits: ReadLimits, *, colour: bool, least_dpi: int) -> Image:
    """The page as shown, at ``dpi`` pixels per inch or as many as ``max_page_pixels`` allow.

    Raises:
        LimitError: these would be fewer than ``least_dpi``.
    """
    import numpy as np

    pymupdf = mupdf()
    scale = bounded_dpi(page.rect.width, page.rect.height, dpi, limits, least=least_dpi) / 72
    space = pymupdf.csRGB if colour else pymupdf.csGRAY
    pixmap = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), colorspace=space, alpha=False)
    pixels = np.frombuffer(pixmap.samples_mv, dtype=np.uint8).reshape(pixmap.height, pixmap.stride)
    if colour:
        return pixels[:, : pixmap.width * 3].reshape(pixmap.height, pixmap.width, 3).copy()
    return pixels[:, : pixmap.width].copy()


def _place(word: SpotWord, matrix: Matrix | None, height: float) -> tuple[str, float]:
    x, y = (word[0] + word[2]) / 2, (word[1] + word[3]) / 2
    if matrix is not None:
        y = matrix[1] * x + matrix[3] * y + matrix[5]
    return word[4], y / height if height else 0.0


def _pictures(page: Any, limits: ReadLimits) -> tuple[float, float | None]:
    """The share of the page that pictures cover, and the resolution of the largest one.

    Pieces of a page cut into strips add up.

    Raises:
        LimitError: a picture has more pixels than a page may have.
    """
    area = float(abs(page.mediabox))
    total = largest = 0.0
    dpi: float | None = None
    for picture in page.get_image_info():
        x0, y0, x1, y1 = picture["bbox"]
        if picture["width"] * picture["height"] > 4 * limits.max_page_pixels:
            raise LimitError("limits.max_page_pixels: a picture on the page", code="limit.pixels")
        shown = max(0.0, x1 - x0) * max(0.0, y1 - y0)
        total += shown
        if shown > largest:
            largest = shown
            a, b = picture["transform"][:2]
            side = (a * a + b * b) ** 0.5 or x1 - x0
            dpi = 72 * picture["width"] / side if side else None
    return (min(total / area, 1.0) if area else 0.0), dpi


def _rotate(words: PageWords, drawn: Drawn, matrix: Matrix, rotation: int) -> None:
    a, b, c, d, e, f = matrix

    def turn(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        xs = (a * x0 + c * y0 + e, a * x1 + c * y1 + e)
        ys = (b * x0 + d * y0 + f, b * x1 + d * y1 + f)
        return min(xs), min(ys), max(xs), max(ys)

    words.words = [(*turn(*word[:4]), word[4]) for word in words.words]
    angles = {index: (words.turned.get(index, 0) + rotation) % 360 for index in range(len(words.words))}
    words.turned = {index: angle for index, angle in angles.items() if angle}
    sideways = rotation in (90, 270)
    lines: list[Level] = [(*turn(*line[:4]), line[4] != sideways) for line in drawn.lines]
    shades: list[Shade] = [(*turn(*shade[:4]), shade[4]) for shade in drawn.shades]
    drawn.lines, drawn.shades = lines, shades


def _keep_shown(words: PageWords, width: float, height: float) -> None:
    """Drop words whose middle lies outside the page: they are not shown."""
    kept: dict[int, int] = {}
    shown: list[SpotWord] = []
    for index, word in enumerate(words.words):
        if 0 <= (word[0] + word[2]) / 2 <= width and 0 <= (word[1] + word[3]) / 2 <= height:
            kept[index] = len(shown)
            shown.append(word)
    if len(shown) == len(words.words):
        return
    words.words = shown
    words.bold = {kept[index] for index in words.bold if index in kept}
    words.turned = {kept[index]: angle for index, angle in words.turned.items() if index in kept}
