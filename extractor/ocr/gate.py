"""The quality gate: from the words of a page, how far its text can be trusted.

No truth is at hand, so three signs are weighed: what the engine says of
itself, whether the words are shaped like words, and whether the letters that
are seen on the picture were read at all.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING

from extractor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from extractor.document import Quality
    from extractor.ports import OcrWord

_ODD = re.compile(r"[^\W\d_]{2,}\d[^\W\d_]|[a-z]{2}[A-Z]{2,}[a-z]|(.)\1{3,}", re.UNICODE)
_VOWEL = re.compile(r"[aeiouyAEIOUY]")
_LETTERS = re.compile(r"[^\W\d_]+")
_DECORATION = "()[]{}<>.,;:!?'\"“”‘’«»*/\\|-–—_=+•·…®™©°%#&~§¶†‡"  # noqa: RUF001


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """When a page is good, and when it must be read again.

    All are 0..1. ``doubtful_confidence``: words below it are looked at again
    by the second engine. ``reread_score``: pages below it are read again as a
    whole. ``good_score`` and ``readable_score``: at least this for quality
    ``good`` and ``poor``; below is ``unreadable``.
    """

    doubtful_confidence: float = 0.82
    reread_score: float = 0.72
    good_score: float = 0.72
    readable_score: float = 0.4

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0.0 <= getattr(self, field.name) <= 1.0:
                raise ConfigError(f"ocr.gate.{field.name} is between 0 and 1")

    @classmethod
    def of(cls, settings: Mapping[str, float]) -> Gate:
        """The gate of the configuration section ``ocr.gate``.

        Raises:
            ConfigError: an unknown key, with the nearest known one; or a value out of range.
        """
        known = [field.name for field in fields(cls)]
        for key in settings:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                raise ConfigError(
                    f"ocr.gate has no key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
                )
        return cls(**settings)

    def quality(self, score: float) -> Quality:
        """The quality that a score stands for."""
        if score >= self.good_score:
            return "good"
        return "poor" if score >= self.readable_score else "unreadable"


def score(words: Sequence[OcrWord], *, letters_read: float) -> float:
    """How far a page can be trusted, 0..1; ``letters_read`` is the share of letters inside words.

    The mean confidence, weighted by characters, lowered by the share of text
    that is not shaped like words and by letters that nothing read. A page
    without words scores 0.
    """
    weight = sum(len(word.text) for word in words)
    if not weight:
        return 0.0
    confidence = sum(word.confidence * len(word.text) for word in words) / weight
    shaped = sum(len(word.text) for word in words if is_word_like(word.text)) / weight
    return confidence * min(1.0, shaped / 0.9) * min(1.0, letters_read / 0.85)


def is_word_like(text: str) -> bool:
    """Whether ``text`` is shaped like a word, a number, a code or a sign of a language in Latin letters.

    A shape, not a dictionary: names, drugs and codes are in none. Greek
    letters count (units and symbols); other scripts do not.
    """
    core = text.strip(_DECORATION)
    if not core:
        return len(text) <= 3
    if _ODD.search(core):
        return False
    inside = sum(1 for letter in core if letter.isalnum() or letter in "-–/.,:'’@_%°²³µ")  # noqa: RUF001
    if inside < 0.75 * len(core):
        return False
    for run in _LETTERS.findall(core):
        if not all(_is_latin_or_greek(letter) for letter in run):
            return False
        if len(run) >= 5 and run.islower() and not _VOWEL.search(run):
            return False
    return True


def _is_latin_or_greek(letter: str) -> bool:
    if letter.isascii():
        return True
    return unicodedata.name(letter, "").startswith(
        ("LATIN", "GREEK", "MICRO", "SUPERSCRIPT", "MASCULINE", "FEMININE")
    )
