"""Mentions of the abbreviations that a document defines itself (see ``definitions``)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from extractor.document import Document
from extractor.records import Entity, Maker
from extractor.spans import Span
from extractor.text.definitions import long_forms

VERSION = "1.0"


class AbbreviationExtractor:
    """Entities ``abbreviation`` at each place of a defined short form; ``normalised`` is the long form.

    The first definition of a short form counts for the whole document, before
    and after it.
    """

    def __init__(self) -> None:
        self.maker = Maker(extractor="abbreviation", version=VERSION)

    def entities(self, document: Document) -> Iterator[Entity]:
        """Mentions in order; the defining mention in brackets is one of them."""
        meant = long_forms(document)
        if not meant:
            return
        alternatives = "|".join(re.escape(short) for short in sorted(meant, key=lambda s: (-len(s), s)))
        pattern = re.compile(rf"(?<![\w])(?:{alternatives})(?=s?(?!\w))")
        for found in pattern.finditer(document.text):
            yield Entity(
                doc_id=document.doc_id,
                span=Span(found.start(), found.end()),
                label="abbreviation",
                maker=self.maker,
                normalised=meant[found.group()],
            )
