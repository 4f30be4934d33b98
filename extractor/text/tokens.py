"""Tokens of a document, made once and shared by the extractors that need them.

The text is cut into chunks at block borders, so that a long document never
stands tokenised in memory as a whole. Each chunk carries the pieces of the
text (numbers, words, single signs; units, hyphens and slashes come apart) with
their offsets and, on request, the same pieces as a spaCy ``Doc`` of a blank
English pipeline. The chunks of the current document are kept up to
``KEPT_CHARACTERS``, so extractors that run one after another share them.

spaCy's string store grows with every new word for ever; the pipeline is
therefore made anew after ``FRESH_AFTER`` words, which keeps a worker's memory
flat over thousands of documents.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

from extractor.document import Document
from extractor.vocabulary import PIECE

CHUNK_CHARACTERS = 50_000
KEPT_CHARACTERS = 400_000
FRESH_AFTER = 200_000

JOINED, SPACE, LINE, BORDER = range(4)
"""What lies before a piece: nothing, blanks, one line break, or a cell, block, blank line or page border."""

_HARD = re.compile(r"[\t\f\v\x1c-\x1e\u2028\u2029]|\r?\n[^\S\n]*\r?\n|\r(?!\n)")


class Chunk:
    """The pieces of one stretch of a document.

    ``start`` is the offset of ``text`` in the document; ``starts[i]`` the offset
    of ``words[i]`` in the document; ``gaps[i]`` what lies before it. The first
    piece of a chunk always follows a border.
    """

    __slots__ = ("_spacy_doc", "gaps", "start", "starts", "text", "words")

    def __init__(self, text: str, start: int, borders: frozenset[int]) -> None:
        self.text = text
        self.start = start
        self.words: list[str] = []
        self.starts: list[int] = []
        self.gaps = bytearray()
        self._spacy_doc: Any = None
        end = 0
        for found in PIECE.finditer(text):
            begin = found.start()
            if begin == end:
                gap = JOINED
            else:
                between = text[end:begin]
                gap = SPACE if between == " " else _gap(between)
            if begin + start in borders or not self.words:
                gap = BORDER
            self.words.append(found.group())
            self.starts.append(begin + start)
            self.gaps.append(gap)
            end = found.end()

    def end(self, index: int) -> int:
        """The offset in the document just after piece ``index``."""
        return self.starts[index] + len(self.words[index])

    @property
    def spacy_doc(self) -> Any:
        """The same pieces as a spaCy Doc, white space as spaCy keeps it; made at the first request.

        ``token.idx + chunk.start`` is an offset of the document.
        """
        if self._spacy_doc is None:
            self._spacy_doc = pipeline()(self.text)
        return self._spacy_doc


def _gap(between: str) -> int:
    if _HARD.search(between):
        return BORDER
    return LINE if "\n" in between else SPACE


def iter_chunks(document: Document) -> Iterator[Chunk]:
    """The document in chunks of at most about ``CHUNK_CHARACTERS``, in order.

    Cut at a page, block or line border where there is one, else at white space,
    else hard. Chunks touch without a gap.
    """
    borders = borders_of(document)
    ordered = sorted(borders)
    text, start = document.text, 0
    while start < len(text):
        end = _cut(text, start, ordered)
        key = (document.doc_id, id(document), start)
        held = _kept.get(key)
        if held is None or held[0] is not document:
            inside = ordered[bisect_left(ordered, start) : bisect_left(ordered, end)]
            held = (document, Chunk(text[start:end], start, frozenset(inside)))
            _keep(key, held)
        yield held[1]
        start = end


def _cut(text: str, start: int, borders: list[int]) -> int:
    limit = start + CHUNK_CHARACTERS
    if limit >= len(text):
        return len(text)
    nearest = bisect_left(borders, limit) - 1
    if nearest >= 0 and borders[nearest] > start + CHUNK_CHARACTERS // 2:
        return borders[nearest]
    for mark in ("\f", "\n\n", "\n", " "):
        found = text.rfind(mark, start + CHUNK_CHARACTERS // 2, limit)
        if found > start:
            return found + len(mark)
    return limit


def borders_of(document: Document) -> frozenset[int]:
    """Offsets at which a block, a table cell or a page begins."""
    found: set[int] = set(document.page_starts)
    starts, base = document.word_starts, 0
    for page in document.pages:
        for block in page.blocks:
            found.add(starts[base + block.first])
        for table in page.tables:
            for cell in table.cells:
                if cell.first < cell.last:
                    found.add(starts[base + cell.first])
                    if base + cell.last < len(starts):
                        found.add(starts[base + cell.last])
        base += len(page.words)
    return frozenset(found)


_kept: dict[tuple[str, int, int], tuple[Document, Chunk]] = {}


def _keep(key: tuple[str, int, int], held: tuple[Document, Chunk]) -> None:
    if _kept and next(iter(_kept.values()))[0] is not held[0]:
        _kept.clear()  # a new document: let the one before go
    if len(_kept) * CHUNK_CHARACTERS < KEPT_CHARACTERS:
        _kept[key] = held


class ClinicalTokenizer:
    """spaCy tokenizer that cuts at :data:`extractor.vocabulary.PIECE`; ``doc.text`` is the text."""

    def __init__(self, vocab: Any) -> None:
        self.vocab = vocab

    def __call__(self, text: str) -> Any:
        from spacy.tokens import Doc

        words: list[str] = []
        spaces: list[bool] = []
        end = 0
        for found in PIECE.finditer(text):
            _add_blank(text[end : found.start()], words, spaces)
            words.append(found.group())
            spaces.append(False)
            end = found.end()
        _add_blank(text[end:], words, spaces)
        return Doc(self.vocab, words=words, spaces=spaces)


def _add_blank(blank: str, words: list[str], spaces: list[bool]) -> None:
    if blank.startswith(" ") and words:
        spaces[-1] = True
        blank = blank[1:]
    if blank:
        words.append(blank)
        spaces.append(False)


_nlp: Any = None


def pipeline() -> Any:
    """The blank English pipeline of this process, made anew when its word list has grown large."""
    global _nlp  # noqa: PLW0603  # one per process, like the libraries it holds
    if _nlp is None or len(_nlp.vocab) > FRESH_AFTER:
        import spacy

        _nlp = spacy.blank("en")
        _nlp.tokenizer = ClinicalTokenizer(_nlp.vocab)
        _nlp.max_length = CHUNK_CHARACTERS * 2
    return _nlp
