"""Texts in, scored spans out: windows of many texts sorted by length, through a model, back to words.

A text is read in full whatever its length: it is cut into windows where
sentences begin, windows of similar length are read together, and each word is
answered for by one window. Memory is bounded by ``GROUP_WORDS``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from extractor.ner.batches import by_length
from extractor.ner.decoding import Counted, Scores, decode, log_softmax
from extractor.ner.features import Features
from extractor.ner.labels import LabelSet
from extractor.ner.pieces import Pieces
from extractor.ner.words import Window, Words, windows_of

GROUP_WORDS = 20_000
"""So many words are read, decoded and given out before the next ones are touched."""

Ids = NDArray[np.int64]


class Backend(Protocol):
    """Runs a token-classification model."""

    def scores(self, ids: Ids, features: Ids, mask: Ids) -> Scores:
        """Scores (before softmax) of each word piece, shape (windows, pieces, labels), float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """Code points ``start`` to ``end`` of the text that the words came from."""

    start: int
    end: int
    kind: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Words to read. ``seams`` are word indices over which no mention reaches, sorted, 0 not among them."""

    words: Words
    seams: tuple[int, ...] = ()


@dataclass(slots=True)
class _Piece:
    """One window made ready: which text, and per kept word its first word piece."""

    text: int
    ids: list[int]
    features: list[int]
    words: list[int]
    first_pieces: list[int]


class Recogniser:
    """A model with its tokeniser, features and labels.

    ``batch_pieces`` bounds word pieces of a batch with padding, ``window_pieces``
    those of a window, ``word_pieces`` those of one endless word (a sequence, a
    hash), by default three windows. ``features`` is None for models that know
    no features. ``counted`` as in :mod:`extractor.ner.decoding`.
    """

    def __init__(
        self,
        backend: Backend,
        pieces: Pieces,
        labels: LabelSet,
        features: Features | None,
        *,
        window_pieces: int = 128,
        batch_pieces: int = 2048,
        word_pieces: int | None = None,
        counted: Counted | None = None,
    ) -> None:
        self._backend = backend
        self._pieces = pieces
        self._labels = labels
        self._features = features
        self._window_pieces = window_pieces
        self._batch_pieces = batch_pieces
        self._word_pieces = word_pieces or 3 * window_pieces
        self._counted = counted

    def mentions(self, texts: Iterable[Text]) -> Iterator[list[Mention]]:
        """Mentions of each text, in order of the texts and of their places."""
        group: list[Text] = []
        size = 0
        for text in texts:
            group.append(text)
            size += len(text.words)
            if size >= GROUP_WORDS:
                yield from self._read(group)
                group, size = [], 0
        yield from self._read(group)

    def _read(self, texts: Sequence[Text]) -> Iterator[list[Mention]]:
        outside = np.full(len(self._labels.names), -30.0, dtype=np.float32)
        outside[0] = 0.0
        found = [np.tile(outside, (len(text.words), 1)) for text in texts]
        ready = [piece for number, text in enumerate(texts) for piece in self._windows(number, text.words)]
        for batch in by_length(ready, self._batch_pieces):
            width = max(len(piece.ids) for piece in batch)
            ids = np.full((len(batch), width), self._pieces.pad, dtype=np.int64)
            features = np.zeros((len(batch), width), dtype=np.int64)
            mask = np.zeros((len(batch), width), dtype=np.int64)
            for row, piece in enumerate(batch):
                length = len(piece.ids)
                ids[row, :length] = piece.ids
                features[row, :length] = piece.features
                mask[row, :length] = 1
            scores = self._backend.scores(ids, features, mask)
            for row, piece in enumerate(batch):
                found[piece.text][piece.words] = log_softmax(scores[row, piece.first_pieces], self._counted)
        for text, scores in zip(texts, found, strict=True):
            yield self._mentions(text, scores)

    def _windows(self, number: int, words: Words) -> Iterator[_Piece]:
        pieces = self._pieces.of(words.texts)
        known = self._features.of(words.texts) if self._features else [0] * len(words)
        for window in windows_of(words, [len(piece) for piece in pieces], limit=self._window_pieces):
            piece = self._window(number, window, pieces, known)
            if piece.words:
                yield piece

    def _window(
        self, number: int, window: Window, pieces: Sequence[tuple[int, ...]], known: Sequence[int]
    ) -> _Piece:
        made = _Piece(number, [self._pieces.begin], [0], [], [])
        room = self._word_pieces
        for place in range(window.first, window.last):
            own = pieces[place][:room]
            if own and window.keep_first <= place < window.keep_last:
                made.words.append(place)
                made.first_pieces.append(len(made.ids))
            made.ids.extend(own)
            made.features.extend([known[place]] * len(own))
        made.ids.append(self._pieces.end)
        made.features.append(0)
        return made

    def _mentions(self, text: Text, scores: Scores) -> list[Mention]:
        bounds = [0, *text.seams, len(text.words)]
        parts = [scores[first:last] for first, last in pairwise(bounds)]
        words = text.words
        return [
            Mention(
                start=words.starts[first + span.first],
                end=words.ends[first + span.last - 1],
                kind=self._labels.types[span.kind],
                score=span.score,
            )
            for first, spans in zip(bounds, decode(parts, self._labels.kin), strict=False)
            for span in spans
        ]
