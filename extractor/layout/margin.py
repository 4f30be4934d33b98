"""Running headers and footers: lines that come back at the same place of many pages."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from extractor.document import Block, Page, Word

ZONE = 0.13
"""The share of the page height, at the top and at the bottom, in which headers and footers stand."""

PLACE_PT = 6.0
"""A line that comes back stands this near to the usual place."""

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class _Line:
    page_index: int
    block_index: int
    first: int
    last: int
    place_pt: float


def needed_repeats(page_count: int) -> int:
    """On how many pages a line must stand to be a running one."""
    return 2 if page_count < 3 else max(3, math.ceil(0.25 * page_count))


def normalised(text: str) -> str:
    """The text with every number replaced, so that page numbers do not tell lines apart."""
    return _DIGITS.sub("#", " ".join(text.split()))


def mark_margins(pages: Sequence[Page]) -> tuple[Page, ...]:
    """The pages of one document with running headers and footers as blocks of kind ``margin``.

    A block that holds other lines besides is parted. The order of the words
    does not change; a new block starts with a blank line before it.
    """
    by_text: dict[tuple[str, str], list[_Line]] = defaultdict(list)
    for page_index, page in enumerate(pages):
        for zone, line, text in _zone_lines(page_index, page):
            by_text[zone, text].append(line)
    needed = needed_repeats(len(pages))
    running: dict[int, dict[int, list[_Line]]] = defaultdict(lambda: defaultdict(list))
    for lines in by_text.values():
        if len({line.page_index for line in lines}) < needed:
            continue
        usual = median([line.place_pt for line in lines])
        near = [line for line in lines if abs(line.place_pt - usual) <= PLACE_PT]
        if len({line.page_index for line in near}) >= needed:
            for line in near:
                running[line.page_index][line.block_index].append(line)
    return tuple(
        _with_margins(page, running[index]) if index in running else page for index, page in enumerate(pages)
    )


def _zone_lines(page_index: int, page: Page) -> list[tuple[str, _Line, str]]:
    """Lines near the top and the bottom, with their distance from that edge and their text."""
    found: list[tuple[str, _Line, str]] = []
    height = page.height_pt
    if height is None:
        return found
    for block_index, block in enumerate(page.blocks):
        if block.kind == "table":
            continue
        for first, last in _lines(page.words, block):
            boxes = [word.box for word in page.words[first:last] if word.box is not None]
            if not boxes:
                continue
            top = min(box.y0_pt for box in boxes)
            bottom = max(box.y1_pt for box in boxes)
            if bottom <= ZONE * height:
                zone, place = "top", top
            elif top >= (1 - ZONE) * height:
                zone, place = "bottom", height - bottom
            else:
                continue
            line = _Line(page_index, block_index, first, last, place)
            found.append((zone, line, normalised(page.quote(first, last))))
    return found


def _lines(words: Sequence[Word], block: Block) -> list[tuple[int, int]]:
    starts = [
        index
        for index in range(block.first, block.last)
        if index == block.first or "\n" in words[index].before
    ]
    return list(zip(starts, [*starts[1:], block.last], strict=True))


def _with_margins(page: Page, running: dict[int, list[_Line]]) -> Page:
    words = list(page.words)
    blocks: list[Block] = []
    for block_index, block in enumerate(page.blocks):
        if block_index not in running:
            blocks.append(block)
            continue
        margins = {line.first for line in running[block_index]}
        parts: list[tuple[bool, int, int]] = []
        for first, last in _lines(page.words, block):
            is_margin = first in margins
            if parts and parts[-1][0] == is_margin:
                parts[-1] = (is_margin, parts[-1][1], last)
            else:
                parts.append((is_margin, first, last))
        for number, (is_margin, first, last) in enumerate(parts):
            if number:
                words[first] = replace(words[first], before="\n\n")
            blocks.append(Block(kind="margin" if is_margin else block.kind, first=first, last=last))
    return replace(page, words=tuple(words), blocks=tuple(blocks))
