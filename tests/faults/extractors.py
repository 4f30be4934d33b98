"""An extractor of given words that can be told to break, a relator of neighbours, and a reader that refuses pages.

With them two models differ at will.

With ``faults`` a document whose text says ``FALL`` kills the process, ``STUMBLE``
raises what nobody expects (quoting the text), and ``BAD`` makes a row that breaks its contract.
"""

import os
import re
import signal
from itertools import pairwise

from extractor.document import Page, Word
from extractor.records import Entity, Maker, Relation
from extractor.spans import Span
from tests.faults.readers import FaultyReader, _Reading


class WordsReader(FaultyReader):
    """The reader of plain text that breaks, with the white space between its words."""

    def open(self, content, *, media_type, limits):
        return _Words(content.decode(), media_type)


class _Words(_Reading):
    def _page(self, page_no, text):
        page = super()._page(page_no, text)
        if not isinstance(page, Page):
            return page
        words = tuple(Word(text=word, before=" " * (index > 0)) for index, word in enumerate(text.split()))
        return Page(page_no=page_no, words=words)


class WordExtractor:
    def __init__(self, *, words, label="drug", version="1.0", score=0.5, faults=False):
        self.maker = Maker(
            extractor="words", version="1", model="word-list", model_version=version, model_sha256="0" * 64
        )
        self.pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, words)) + r")\b")
        self.label, self.score, self.faults = label, score, faults

    def entities(self, document):
        if self.faults and "FALL" in document.text:
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.faults and "STUMBLE" in document.text:
            raise RuntimeError(document.text)
        for found in self.pattern.finditer(document.text):
            entity = Entity(
                doc_id=document.doc_id,
                span=Span(found.start(), found.end()),
                label=self.label,
                maker=self.maker,
                score=self.score,
            )
            if self.faults and "BAD" in document.text:
                object.__setattr__(entity, "score", 7.0)
            yield entity


class NeighbourRelator:
    """Links each mention to the next one of another type."""

    def __init__(self, *, version="1.0", label="near"):
        self.maker = Maker(extractor="neighbours", version=version)
        self.label = label

    def relations(self, document, entities):
        for head, tail in pairwise(entities):
            if head.label != tail.label:
                yield Relation(
                    doc_id=document.doc_id, head=head, tail=tail, label=self.label, maker=self.maker
                )
