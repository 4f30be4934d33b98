"""Abbreviations that a document defines itself: "acute kidney injury (AKI)".

The algorithm is that of Schwartz and Hearst ("A simple algorithm for
identifying abbreviation definitions in biomedical text", PSB 2003) in the
implementation of scispacy, run on windows of the shared tokens around each pair
of brackets: words are runs without white space, and a window never leaves its
cell, block or page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from extractor.document import Document
from extractor.spans import Span
from extractor.text.tokens import BORDER, JOINED, Chunk, iter_chunks, pipeline

_SHORT_FORM = re.compile(r"[^\W\d_][\w./&+\u2010-\u2013-]{0,8}[\w+]")
_INNER_PIECES = 12
_LEADING_MARKS = re.compile(r"^[\[({<*_\"'\u201c\u2018`>|]+")
_STOPS = re.compile(r"[:;?!()\[\]{}|=<>*\u2014]|\.(?:$|,)|^[+\u2013]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A short form, its long form on one line, and where both stand."""

    short_form: str
    long_form: str
    short_span: Span
    long_span: Span


def definitions(document: Document) -> tuple[Definition, ...]:
    """Each definition in brackets, in order; a short form may be defined more than once.

    Those of the current document are kept: several extractors and refiners ask for them.
    """
    if not _kept or _kept[0][0] is not document:
        _kept[:] = [(document, tuple(_find(document)))]
    return _kept[0][1]


_kept: list[tuple[Document, tuple[Definition, ...]]] = []


def long_forms(document: Document) -> dict[str, str]:
    """Short form to long form; the first definition of a short form counts for the whole document."""
    found: dict[str, str] = {}
    for definition in definitions(document):
        found.setdefault(definition.short_form, definition.long_form)
    return found


def _find(document: Document) -> Iterator[Definition]:
    for chunk in iter_chunks(document):
        for at, word in enumerate(chunk.words):
            if word == "(":
                definition = _definition_at(chunk, at)
                if definition is not None:
                    yield definition


def _definition_at(chunk: Chunk, at: int) -> Definition | None:
    """The definition whose short form stands in the bracket that opens at piece ``at``."""
    close = at + 1
    while close < len(chunk.words) and close - at <= _INNER_PIECES and chunk.words[close] != ")":
        if chunk.gaps[close] == BORDER or chunk.words[close] in {"(", ";", ","}:
            break  # "(AKI; n = 3)": what stands before the sign may be the short form
        close += 1
    if close == at + 1 or close >= len(chunk.words) or chunk.words[close] not in {")", ";", ","}:
        return None
    start, end = chunk.starts[at + 1], chunk.end(close - 1)
    short_form = chunk.text[start - chunk.start : end - chunk.start]
    if not _SHORT_FORM.fullmatch(short_form) or sum(map(str.isupper, short_form)) < 2:
        return None
    words = _words_before(chunk, at, min(len(short_form) + 5, 2 * len(short_form)))
    if not words:
        return None
    first = _find_first(words, short_form)
    if first is None:
        return None
    long_span = Span(words[first][1], words[-1][1] + len(words[-1][0]))
    long_form = " ".join(chunk.text[long_span.start - chunk.start : long_span.end - chunk.start].split())
    if len(long_form) <= len(short_form) or short_form in long_form.split():
        return None
    return Definition(
        short_form=short_form, long_form=long_form, short_span=Span(start, end), long_span=long_span
    )


def _words_before(chunk: Chunk, at: int, most: int) -> list[tuple[str, int]]:
    """Up to ``most`` words (runs without white space) before piece ``at``, with their offsets.

    Stops at a cell, block or page border, at the end of a sentence, at a
    bracket and at a sign that stands alone; leading marks of a word are left out.
    """
    words: list[tuple[str, int]] = []
    here = at
    while here > 0 and len(words) < most and chunk.gaps[here] != BORDER:
        last = here - 1
        first = last
        while first > 0 and chunk.gaps[first] == JOINED:
            first -= 1
        start = chunk.starts[first]
        text = chunk.text[start - chunk.start : chunk.end(last) - chunk.start]
        bare = _LEADING_MARKS.sub("", text)
        if not any(map(str.isalnum, bare)) or _STOPS.search(bare.rstrip(",") if words else bare):
            break
        words.append((bare, start + len(text) - len(bare)))
        if bare != text:
            break  # an opening mark starts the phrase
        here = first
    words.reverse()
    return words


def _find_first(words: list[tuple[str, int]], short_form: str) -> int | None:
    """The index of the first word of the long form, None where the letters do not fit."""
    from scispacy.abbreviation import find_abbreviation, short_form_filter
    from spacy.tokens import Doc

    texts = [word for word, _ in words]
    window: Any = Doc(pipeline().vocab, words=[*texts, short_form], spaces=[True] * (len(texts) + 1))
    short = window[len(texts) :]
    if not short_form_filter(short):
        return None
    _, long = find_abbreviation(window[: len(texts)], short)
    return None if long is None else int(long.start)
