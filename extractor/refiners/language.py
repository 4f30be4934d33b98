"""Says in which language the text around each mention is, and takes back probabilities that do not hold there.

The passage is the paragraph of the mention; where that is too short to tell,
its page. Extractors, models and calibration of this project are made for English:
outside it a mention keeps its place, label and score, and loses ``probability``,
because no calibrated number exists for such text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from extractor.document import Document
from extractor.language import ENGLISH, language_of
from extractor.records import Entity, Maker

VERSION = "1.0"
_BREAK = re.compile(r"\n[^\S\n]*\n|\f")
_LONGEST = 2_000


class LanguageRefiner:
    """Sets ``language``; where it is known and not ``native``, sets ``probability`` to None.

    ``native`` is the BCP 47 code that the extractors are made for.
    """

    def __init__(self, *, native: str = ENGLISH) -> None:
        self._native = native
        self.maker = Maker(extractor="language", version=VERSION)

    def refine(self, document: Document, entities: Sequence[Entity]) -> Sequence[Entity]:
        """The mentions, each with the language around it where that can be told."""
        if not entities:
            return entities
        text = document.text
        breaks = [0, *(found.end() for found in _BREAK.finditer(text)), len(text)]
        paragraphs: dict[tuple[int, int], str | None] = {}
        pages: dict[int, str | None] = {}
        refined = []
        for entity in entities:
            at = bisect_right(breaks, entity.span.start)
            start, end = breaks[at - 1], breaks[at] if at < len(breaks) else len(text)
            if end - start > _LONGEST:  # a paragraph without end: the stretch of it that holds the mention
                start += (entity.span.start - start) // _LONGEST * _LONGEST
                end = min(end, start + _LONGEST)
            if (start, end) not in paragraphs:
                paragraphs[start, end] = language_of(text[start:end])
            language = paragraphs[start, end]
            if language is None:
                language = _of_page(document, entity.span.start, pages)
            probability = entity.probability
            if language is not None and language != self._native:
                probability = None
            refined.append(replace(entity, language=language, probability=probability))
        return refined


def _of_page(document: Document, offset: int, known: dict[int, str | None]) -> str | None:
    page_no = document.page_no_at(offset)
    if page_no not in known:
        start = document.page_starts[page_no - 1]
        end = document.page_starts[page_no] if page_no < len(document.page_starts) else len(document.text)
        known[page_no] = language_of(document.text[start:end])
    return known[page_no]
