"""Whether a page's own text can be trusted, or its words must come from OCR.

A pure decision over figures that the reader measures; it sees no PDF.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

TextLayer = Literal["usable", "blank", "no-text", "stray-text", "garbled-text"]

PICTURE_SHARE = 0.02
"""A picture smaller than this share of the page is a logo or an icon."""

SCAN_SHARE = 0.6
"""A picture that covers this share of the page is the page: a scan."""

STRAY_WORDS = 60
"""Fewer words than this over a scan may be a stamp, a page number or a running header."""

STRAY_BANDS = 5
"""A complete text layer reaches into more than this many of the 20 bands of equal height of a page."""

OUTLINE_STROKES = 150
"""Curved or slanting strokes from which on a page without text holds letters drawn as outlines."""

BAD_SHARE = 0.15
"""Characters without a meaning, as a share of all, beyond which a text layer is garbage."""

MIN_WORDS = 12
"""Fewer different words of four letters and more than this say nothing about a language."""

COMMON_LETTERS = frozenset("etaoinsrETAOINSR")
"""The commonest letters of languages in Latin script: more than half of running text, under a third of noise."""

COMMON_SHARE = 0.42

_SIGNS = "\"#$%&'*+,;<=>?@\\^`{|}~!"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFigures:
    """What the reader saw on a page.

    ``words`` are the words of the text layer with the middle of each one's
    height as a share of the page height (0 at the top). ``control_count`` is
    the number of control characters that stand where letters should.
    ``picture_share`` is the part of the page covered by pictures, 0..1.
    ``stroke_count`` counts curved or slanting strokes.
    """

    words: Sequence[tuple[str, float]]
    control_count: int = 0
    picture_share: float = 0.0
    stroke_count: int = 0


def judge(figures: PageFigures) -> TextLayer:
    """What a page's text layer is good for.

    ``blank`` means that there is nothing to read on the page at all.
    """
    texts = [text for text, _ in figures.words]
    if is_garbled(texts, control_count=figures.control_count):
        return "garbled-text"
    if not any(character.isalnum() or ord(character) > 0x7F for text in texts for character in text):
        if figures.picture_share >= PICTURE_SHARE or figures.stroke_count >= OUTLINE_STROKES:
            return "no-text"
        return "usable" if texts else "blank"
    if figures.picture_share >= SCAN_SHARE and len(texts) < STRAY_WORDS:
        bands = {int(min(max(place, 0.0), 0.999) * 20) for _, place in figures.words}
        if len(bands) <= STRAY_BANDS:
            return "stray-text"
    return "usable"


def is_garbled(texts: Sequence[str], *, control_count: int = 0) -> bool:
    """Whether the characters are no writing: unmapped, controls, or letters that make no words.

    Fonts without a mapping to Unicode give replacement characters, private use
    or control characters, or, where glyph numbers are taken for characters,
    letters of the alphabet in the wrong places: then letters that are rare in
    every language come often.
    """
    total = bad = control_count
    odd = 0
    wordlike = False
    long_words: set[str] = set()
    for text in texts:
        total += len(text)
        if text.isascii():
            if text.isalpha():
                wordlike = wordlike or len(text) > 2
                if len(text) > 3:
                    long_words.add(text)
                continue
            if not text.isprintable():
                bad += sum(1 for character in text if not character.isprintable())
        else:
            bad += sum(1 for character in text if _is_bad(character))
        odd += _is_odd(text)
    if total and bad >= max(2, BAD_SHARE * total):
        return True
    if odd and not wordlike and 2 * odd >= len(texts):
        return True
    if len(long_words) < MIN_WORDS:
        return False
    letters = "".join(long_words)
    return sum(1 for letter in letters if letter in COMMON_LETTERS) < COMMON_SHARE * len(letters)


def _is_odd(text: str) -> bool:
    """Whether half of a text's characters are different signs that no number and no rule is made of."""
    signs = [character for character in text if character in _SIGNS]
    return len(text) > 2 and 2 * len(signs) >= len(text) and len(set(signs)) > 1


def _is_bad(character: str) -> bool:
    return character == "\ufffd" or (
        unicodedata.category(character) in ("Co", "Cn", "Cc", "Cs") and character not in "\t\n\r"
    )
