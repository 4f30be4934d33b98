"""What the shape of the ink says about words already read: bullets, dashes, missing spaces, odd signs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from extractor.ports import OcrWord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from extractor.ports import Image

_SURE = 0.95

_WIDE_GAP = 0.5
"""A white gap inside a word, in letters, that is a space; the sides of a full stop are narrower."""

_HEAD_ROOM = 2.5
"""A bullet has so many letters of white before it: an article within a sentence has one at most."""

_CLEARLY_WIDER = 1.7
"""A space is wider than the other gaps in its word by this factor."""

_NEVER_ALONE = frozenset(".,:;'\"()[]{}!?’”“‘-")  # noqa: RUF001
_SIGNS_OF_A_LIMIT = frozenset("<>≤≥=")
_TAKEN_FOR_A_LIMIT = frozenset("25sSzZ")
_RARE_IN_TEXT = frozenset("{}~|^¢£¥©®™«»§€¬¦")
_TAKEN_FOR_BULLETS = frozenset("eo*°¢©®•·«»-.,@aO0s~=¢e")


def name_bullets(words: Sequence[OcrWord], mask: Image, *, scale: float, letter_px: float) -> list[OcrWord]:
    """Words of one sign whose ink is a small filled disc or square become ``•``.

    ``mask`` is the ink, ``scale`` takes its pixels to those of the words,
    ``letter_px`` is the size of letters in the mask. Only words with nothing
    close before them, as a bullet stands at the head of a line or cell.
    """
    if letter_px <= 0:
        return list(words)
    return [
        replace(word, text="•", confidence=max(word.confidence, _SURE))
        if word.text in _TAKEN_FOR_BULLETS
        and _is_at_head(word, words, _HEAD_ROOM * letter_px * scale)
        and _is_disc(word, mask, scale, letter_px)
        else word
        for word in words
    ]


def _is_at_head(word: OcrWord, words: Sequence[OcrWord], room_px: float) -> bool:
    """Whether nothing stands on the word's line within ``room_px`` to its left."""
    middle_px = (word.y0_px + word.y1_px) / 2
    return not any(
        other is not word
        and other.y0_px <= middle_px <= other.y1_px
        and word.x0_px - room_px < other.x1_px
        and other.x0_px < word.x0_px
        for other in words
    )


def _is_disc(word: OcrWord, mask: Image, scale: float, letter_px: float) -> bool:
    import cv2
    import numpy as np

    pad = 2
    x0, x1 = max(0, int(word.x0_px / scale) - pad), int(word.x1_px / scale) + pad + 1
    y0, y1 = max(0, int(word.y0_px / scale) - pad), int(word.y1_px / scale) + pad + 1
    ink = mask[y0:y1, x0:x1]
    if ink.size == 0:
        return False
    count, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(ink), connectivity=8)
    if count < 2:
        return False
    order = np.argsort(stats[1:, cv2.CC_STAT_AREA])[::-1] + 1
    if count > 2 and stats[order[1], cv2.CC_STAT_AREA] > 0.25 * stats[order[0], cv2.CC_STAT_AREA]:
        return False  # more than one blob of weight: not one mark
    _, _, width, height, area = (int(value) for value in stats[order[0]])
    longer, shorter = max(width, height), min(width, height)
    if not 0.22 * letter_px <= longer <= 0.85 * letter_px or shorter < 0.75 * longer:
        return False
    return area >= 0.64 * width * height  # a disc fills 0.785 of its box, a ring or an e far less


def dash_of(width_px: float, height_px: float, letter_px: float) -> str | None:
    """The dash that a lone flat blob is, or None: an em dash is about two letters wide, an en dash one."""
    if height_px > 0.25 * letter_px or not 0.7 * letter_px <= width_px <= 3.0 * letter_px:
        return None
    if width_px < 4 * height_px:
        return None
    return "—" if width_px >= 1.3 * letter_px else "–"  # noqa: RUF001


def split_gaps(words: Sequence[OcrWord], image: Image, letter_px: float) -> list[OcrWord]:
    """The words, parted where one white gap inside a word is as wide as a space."""
    if letter_px <= 0:
        return list(words)
    return [part for word in words for part in _parts(word, image, letter_px)]


def _parts(word: OcrWord, image: Image, letter_px: float) -> list[OcrWord]:
    if len(word.text) < 2 or word.x1_px - word.x0_px < 1.5 * letter_px:
        return [word]
    runs = _glyph_columns(word, image)
    if len(runs) < 2:
        return [word]
    gaps = sorted(
        ((after[0] - before[1], index) for index, (before, after) in enumerate(pairwise(runs))),
        reverse=True,
    )
    width, at = gaps[0]
    if width < _WIDE_GAP * letter_px or (len(gaps) > 1 and width < _CLEARLY_WIDER * gaps[1][0]):
        return [word]
    inked = [after - before for before, after in runs]
    cut = at + 1 if len(runs) == len(word.text) else round(len(word.text) * sum(inked[: at + 1]) / sum(inked))
    cut = _class_change(word.text, cut)
    head, tail = word.text[:cut], word.text[cut:]
    if all(sign in _NEVER_ALONE for sign in head) or all(sign in _NEVER_ALONE for sign in tail):
        return [word]
    left = int(word.x0_px)
    return [
        replace(word, text=head, x1_px=max(word.x0_px, min(word.x1_px, float(left + runs[at][1])))),
        replace(word, text=tail, x0_px=min(word.x1_px, max(word.x0_px, float(left + runs[at + 1][0])))),
    ]


def _class_change(text: str, cut: int) -> int:
    """``cut``, or the place beside it where digits, letters and signs change, if it is not at one."""

    def changes(at: int) -> bool:
        return 0 < at < len(text) and _class(text[at - 1]) != _class(text[at])

    return next((at for at in (cut, cut - 1, cut + 1) if changes(at)), min(max(cut, 1), len(text) - 1))


def _class(sign: str) -> str:
    return "digit" if sign.isdigit() else "letter" if sign.isalpha() else "sign"


def _glyph_columns(word: OcrWord, image: Image) -> list[tuple[int, int]]:
    """Runs of columns with ink in the word's box: first column, column after the last."""
    import numpy as np

    crop = image[max(0, int(word.y0_px)) : int(word.y1_px) + 1, max(0, int(word.x0_px)) : int(word.x1_px) + 1]
    if crop.size == 0:
        return []
    low, high = int(crop.min()), int(crop.max())
    if high - low < 60:
        return []
    inked = (crop < (low + high) // 2).any(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], inked, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def is_suspect(word: OcrWord, image: Image) -> bool:
    """Whether a word holds signs that are rare in text, or a limit sign that may be another one.

    English data know neither ≤ nor ≥: these come out, with confidence, as a
    digit, ``<`` or ``>``. A first sign that is lower than the digits after it
    is not a digit.
    """
    text = word.text
    if any(sign in _RARE_IN_TEXT or sign in _SIGNS_OF_A_LIMIT for sign in text):
        return True
    if text[0] not in _TAKEN_FOR_A_LIMIT or len(text) < 2 or not text[1].isdigit():
        return False
    runs = _glyph_columns(word, image)
    if len(runs) < 2:
        return False
    top, left = max(0, int(word.y0_px)), max(0, int(word.x0_px))
    crop = image[top : int(word.y1_px) + 1, left : int(word.x1_px) + 1]
    ink = crop < (int(crop.min()) + int(crop.max())) // 2
    first = ink[:, runs[0][0] : runs[0][1]].any(axis=1).nonzero()[0]
    second = ink[:, runs[1][0] : runs[1][1]].any(axis=1).nonzero()[0]
    tall = int(second[-1] - second[0]) + 1
    return tall >= 8 and int(first[0] - second[0]) > max(1.2, 0.05 * tall)
