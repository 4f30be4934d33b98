"""Blocks: lines that belong together, and what kind of block they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from statistics import median

from extractor.document import BlockKind
from extractor.layout.geometry import Line

MAX_HEADING_WORDS = 16
MAX_KEY_WORDS = 6


def typical_gap(lines: Sequence[Line]) -> float:
    """The usual white space between two lines of the page, in points; may be below zero."""
    gaps = [
        lower[1] - upper[3]
        for upper, lower in pairwise(lines)
        if -(upper[3] - upper[1]) < lower[1] - upper[3] < 1.5 * (upper[3] - upper[1])
    ]
    return median(gaps) if gaps else 0.0


def split_blocks(lines: Sequence[Line], *, usual_gap: float, bold: Collection[int]) -> list[list[Line]]:
    """Part the lines of one region where the spacing, the size or the weight of the type changes."""
    blocks: list[list[Line]] = []
    before: Line | None = None
    before_bold = False
    for line in lines:
        is_bold = _is_bold(line, bold)
        if before is None or _starts_block(before, line, usual_gap) or is_bold != before_bold:
            blocks.append([])
        blocks[-1].append(line)
        before, before_bold = line, is_bold
    return blocks


def _starts_block(before: Line, line: Line, usual_gap: float) -> bool:
    height, height_before = line[3] - line[1], before[3] - before[1]
    smaller = min(height, height_before)
    if line[1] - before[3] > max(usual_gap, -0.2 * smaller) + 0.4 * smaller:
        return True
    return not 0.78 < height / max(height_before, 0.01) < 1.28


def _is_bold(line: Line, bold: Collection[int]) -> bool:
    return bool(bold) and all(word[4] in bold for fragment in line[4] for word in fragment[4])


def kind_of(
    block: Sequence[Line], texts: Sequence[str], *, usual_height: float, bold: Collection[int]
) -> BlockKind:
    """Heading, key_value or paragraph, from the size, weight and shape of the lines.

    ``texts`` holds the text of every word of the page by index.
    """
    words = [word for line in block for fragment in line[4] for word in fragment[4]]
    if len(block) <= 3 and len(words) <= MAX_HEADING_WORDS:
        emphasised = all(_is_bold(line, bold) for line in block)
        large = min(line[3] - line[1] for line in block) >= 1.2 * usual_height
        last = texts[words[-1][4]]
        if (
            (emphasised or large)
            and last[-1] not in ".,;"
            and any(character.isalpha() for word in words for character in texts[word[4]])
        ):
            return "heading"
    if _keys(block, texts) >= 0.6 * len(block):
        return "key_value"
    return "paragraph"


def _keys(block: Sequence[Line], texts: Sequence[str]) -> int:
    """How many lines begin with a short key: ``Key: value``, or a key, a wide gap and a value."""
    count = 0
    for line in block:
        fragments = line[4]
        words = [texts[word[4]] for fragment in fragments for word in fragment[4]]
        if any(word[-1] == ":" for word in words[: min(MAX_KEY_WORDS, len(words) - 1)]) or (
            len(block) > 1
            and len(fragments) == 2
            and len(fragments[0][4]) <= MAX_KEY_WORDS
            and any(character.isalpha() for word in fragments[0][4] for character in texts[word[4]])
        ):
            count += 1
    return count
