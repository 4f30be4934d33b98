"""The words of a PDF page as its text layer holds them: split, cleaned, with weight and direction.

Works on a ``pymupdf.TextPage``; coordinates are those of the text page (the
page before its own rotation is applied).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from extractor.layout.ruling import Segment
from extractor.readers.pdf_dingbats import BY_CODE, BY_GLYPH, FONT
from extractor.readers.pdf_symbols import is_private, map_of

SpotWord = tuple[float, float, float, float, str]
"""x0, y0, x1, y1, text."""

Characters = dict[tuple[int, int], list[tuple[str, Any]]]
"""By block and line number: the characters as printed, with their boxes."""

INSIDE_PT = 1.0
"""A line this far inside a word from either end cuts it."""

BOLD = 16
"""MuPDF's font flag for bold type."""

_INVISIBLE = dict.fromkeys(
    [*range(0x200B, 0x2010), 0x2060, 0xFEFF, 0x00AD, *range(9), *range(0x0B, 0x20), 0x7F]
)
"""Characters without a width or a shape: zero-width marks, soft hyphens, controls."""


@dataclass(slots=True, kw_only=True)
class PageWords:
    """The words of one page, the indexes of the bold ones, and the direction of turned ones.

    ``turned`` maps a word's index to the clockwise angle, in degrees, between
    its reading direction and the x axis; level words are not in it.
    ``control_count`` counts control characters that stand for a glyph.
    """

    words: list[SpotWord] = field(default_factory=list)
    bold: set[int] = field(default_factory=set)
    turned: dict[int, int] = field(default_factory=dict)
    control_count: int = 0


def read_words(
    text_page: Any, vertical: Sequence[Segment], fonts: Callable[[], Sequence[Sequence[Any]]]
) -> PageWords:
    """Every printed word once.

    ``vertical`` are the page's upright lines by x; ``fonts`` gives the page's
    fonts as pymupdf's ``get_fonts`` does, and is asked only when needed.

    A word that a drawn vertical line cuts is parted there: the text layer glues
    neighbours in narrow cells. Text that is printed twice at one place, to look
    bold, comes once. Characters without a shape are taken out.
    """
    raw: list[tuple[Any, ...]] = text_page.extractWORDS()
    found = PageWords()
    blocks = text_page.extractDICT().get("blocks", ())
    found.control_count = _controls(blocks)
    if not blocks:
        return found
    marked = _dingbat_lines(blocks)
    characters: Characters = _characters(text_page, _marks(fonts())) if marked else {}
    if marked:
        raw = [word for word in raw if (word[5], word[6]) not in marked]
        for key in sorted(marked):
            raw.extend(_words_of(characters.get(key, []), key))
    cuts = _cuts(raw, vertical) if vertical else {}
    if cuts:
        raw = _part(raw, cuts, characters or _characters(text_page, {}))
    raw = _named(_without_repeats(raw), blocks)
    styles = _styles(blocks)
    for x0, y0, x1, y1, text, block_no, line_no, *_ in raw:
        clean = text if text.isascii() and text.isprintable() else text.translate(_INVISIBLE).strip()
        if not clean:
            continue
        index = len(found.words)
        style = styles.get((block_no, line_no))
        if style is not None:
            angle, spans = style
            if angle:
                found.turned[index] = angle
            if spans is None:
                found.bold.add(index)
            elif spans:
                middle = (x0 + x1) / 2
                if any(low <= middle <= high for low, high in spans):
                    found.bold.add(index)
        found.words.append((x0, y0, x1, y1, clean))
    return found


def _controls(blocks: Sequence[Any]) -> int:
    """Control characters in the text, but not those that are check marks."""
    return sum(
        1
        for block in blocks
        for line in block.get("lines", ())
        for span in line["spans"]
        if not span["text"].isprintable() and FONT not in span["font"]
        for character in span["text"]
        if character < " " and not character.isspace()
    )


def _styles(blocks: Sequence[Any]) -> dict[tuple[int, int], tuple[int, list[tuple[float, float]] | None]]:
    """Direction and bold stretches of the lines that are turned or bold; None for wholly bold lines."""
    styles: dict[tuple[int, int], tuple[int, list[tuple[float, float]] | None]] = {}
    for block_index, block in enumerate(blocks):
        for line_no, line in enumerate(block.get("lines", ())):
            spans = line["spans"]
            cosine, sine = line["dir"]
            bold = [span for span in spans if span["flags"] & BOLD]
            if cosine < 0.99 or bold:
                angle = 0 if cosine >= 0.99 else round(math.degrees(math.atan2(sine, cosine))) % 360
                stretches = None if len(bold) == len(spans) else [(s["bbox"][0], s["bbox"][2]) for s in bold]
                styles[block.get("number", block_index), line_no] = (angle, stretches)
    return styles


def _without_repeats(raw: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Drop a word when the same text stands at the same place already."""
    seen: dict[tuple[str, int], list[tuple[Any, ...]]] = {}
    kept = []
    for word in raw:
        x0, y0, x1, y1, text = word[:5]
        near = min(0.2 * min(x1 - x0, y1 - y0), 4.0)
        if not any(
            abs(x0 - other[0]) <= near and abs(y0 - other[1]) <= near and abs(x1 - other[2]) <= near
            for row in range(int(y0 - near), int(y0 + near) + 1)
            for other in seen.get((text, row), ())
        ):
            seen.setdefault((text, int(y0)), []).append(word)
            kept.append(word)
    return kept if len(kept) == len(raw) else _without_parts(kept)


def _without_parts(words: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Where text is printed more than once, drop a word that repeats part of a longer one at the same place."""
    rows: dict[int, list[tuple[Any, ...]]] = {}
    for word in words:
        rows.setdefault(int(word[1]), []).append(word)
    return [
        word
        for word in words
        if not any(
            len(other[4]) > len(word[4]) and _repeats_part(word, other)
            for row in (int(word[1]) - 1, int(word[1]), int(word[1]) + 1)
            for other in rows.get(row, ())
        )
    ]


def _repeats_part(word: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    x0, y0, x1, y1, text = word[:5]
    near = 0.2 * (y1 - y0)
    if text not in other[4] or abs(y0 - other[1]) > near or abs(y1 - other[3]) > near:
        return False
    if x0 < other[0] - near or x1 > other[2] + near:
        return False
    longer: str = other[4]
    if (longer.startswith(text) and x0 - other[0] <= near) or (
        longer.endswith(text) and other[2] - x1 <= near
    ):
        return True
    place = float(x0 - other[0]) / max(other[2] - other[0], 0.01)
    return bool(abs(place - longer.index(text) / len(longer)) < 0.15)


def _named(raw: list[tuple[Any, ...]], blocks: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The words with the signs of symbol fonts in place of private use characters."""
    if not any(not word[4].isascii() and is_private(word[4]) for word in raw):
        return raw
    signs: dict[tuple[int, int], dict[int, str]] = {}
    for block_index, block in enumerate(blocks):
        for line_no, line in enumerate(block.get("lines", ())):
            for span in line["spans"]:
                if is_private(span["text"]):
                    key = (block.get("number", block_index), line_no)
                    signs[key] = {**map_of(span["font"]), **signs.get(key, {})}
    return [
        (*word[:4], word[4].translate(signs.get((word[5], word[6]), {})), *word[5:])
        if is_private(word[4])
        else word
        for word in raw
    ]


def _dingbat_lines(blocks: Sequence[Any]) -> set[tuple[int, int]]:
    """The lines that hold characters of the font with the check marks."""
    return {
        (block.get("number", block_index), line_no)
        for block_index, block in enumerate(blocks)
        for line_no, line in enumerate(block.get("lines", ()))
        if any(FONT in span["font"] for span in line["spans"])
    }


def _cuts(raw: list[tuple[Any, ...]], vertical: Sequence[Segment]) -> dict[int, list[float]]:
    """The words that drawn vertical lines cut, by index, with the places of the cuts."""
    places = [segment[0] for segment in vertical]
    cuts: dict[int, list[float]] = {}
    for index, word in enumerate(raw):
        first = bisect_right(places, word[0] + INSIDE_PT)
        last = bisect_left(places, word[2] - INSIDE_PT)
        if first < last and word[2] - word[0] > 0.4 * (word[3] - word[1]):
            middle = (word[1] + word[3]) / 2
            lines = [place for place, top, bottom in vertical[first:last] if top <= middle <= bottom]
            if lines:
                cuts[index] = lines
    return cuts


def _marks(fonts: Sequence[Sequence[Any]]) -> dict[int, int]:
    """How characters of the font with the check marks are to be taken on this page."""
    encodings = [str(font[5]) for font in fonts if FONT in str(font[3])]
    return BY_GLYPH if encodings and not any(encodings) else BY_CODE


def _characters(text_page: Any, marks: dict[int, int]) -> Characters:
    return {
        (block.get("number", block_index), line_no): [
            (
                character["c"].translate(marks) if FONT in span["font"] else character["c"],
                character["bbox"],
            )
            for span in line["spans"]
            for character in span["chars"]
        ]
        for block_index, block in enumerate(text_page.extractRAWDICT().get("blocks", ()))
        for line_no, line in enumerate(block.get("lines", ()))
    }


def _words_of(characters: Sequence[tuple[str, Any]], key: tuple[int, int]) -> list[tuple[Any, ...]]:
    """The words of one line, built from its characters."""
    words: list[tuple[Any, ...]] = []
    group: list[tuple[str, Any]] = []
    for character, box in [*characters, (" ", None)]:
        if not character.isspace():
            group.append((character, box))
        elif group:
            words.append(_joined(group, key))
            group = []
    return words


def _joined(group: Sequence[tuple[str, Any]], key: tuple[int, int]) -> tuple[Any, ...]:
    return (
        min(box[0] for _, box in group),
        min(box[1] for _, box in group),
        max(box[2] for _, box in group),
        max(box[3] for _, box in group),
        "".join(character for character, _ in group),
        *key,
    )


def _part(
    raw: list[tuple[Any, ...]], cuts: dict[int, list[float]], characters: Characters
) -> list[tuple[Any, ...]]:
    """Cut words as pieces between the lines; a word whose characters cannot be told apart stays whole."""
    parted: list[tuple[Any, ...]] = []
    for index, word in enumerate(raw):
        lines = cuts.get(index)
        if lines is None:
            parted.append(word)
            continue
        key = (word[5], word[6])
        inside = [
            (character, box)
            for character, box in characters.get(key, ())
            if word[0] - 0.1 <= (box[0] + box[2]) / 2 <= word[2] + 0.1
            and word[1] - 0.1 <= (box[1] + box[3]) / 2 <= word[3] + 0.1
            and not character.isspace()
        ]
        if "".join(character for character, _ in inside) != word[4]:
            parted.append(word)
            continue
        groups: dict[int, list[tuple[str, Any]]] = {}
        for character, box in inside:
            groups.setdefault(bisect_left(lines, (box[0] + box[2]) / 2), []).append((character, box))
        parted.extend(_joined(group, key) for group in groups.values())
    return parted
