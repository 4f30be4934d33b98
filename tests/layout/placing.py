"""Words and lines for layout tests, set as a typewriter would: 6 points a character, 10 points high."""

from __future__ import annotations

from extractor.document import Page, Word
from extractor.layout.page import lay_out
from extractor.ports import Ruling
from extractor.spans import BBox

WIDTH, HEIGHT = 600.0, 800.0


def line(x: float, y: float, text: str, *, height: float = 10.0, step: float = 6.0) -> list[Word]:
    """The words of one line of text that starts at ``x`` with its top at ``y``."""
    words = []
    for word in text.split():
        words.append(Word(text=word, box=BBox(x, y, x + step * len(word), y + height)))
        x += step * (len(word) + 1)
    return words


def level(y: float, x0: float, x1: float) -> Ruling:
    return Ruling(box=BBox(x0, y, x1, y), vertical=False)


def upright(x: float, y0: float, y1: float) -> Ruling:
    return Ruling(box=BBox(x, y0, x, y1), vertical=True)


def grid(xs: list[float], ys: list[float]) -> list[Ruling]:
    """Every line of a full grid."""
    return [level(y, xs[0], xs[-1]) for y in ys] + [upright(x, ys[0], ys[-1]) for x in xs]


def page(words: list[Word], rulings: list[Ruling] | None = None, *, page_no: int = 1, **known) -> Page:
    return lay_out(
        words, rulings or [], page_no=page_no, width_pt=WIDTH, height_pt=HEIGHT, source="text-layer", **known
    )


def kinds(result: Page) -> list[str]:
    return [block.kind for block in result.blocks]


def block_texts(result: Page) -> list[str]:
    return [result.quote(block.first, block.last) for block in result.blocks]
