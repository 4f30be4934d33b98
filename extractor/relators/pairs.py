"""Pairs of mentions within one sentence, and what is known about each.

A tail looks at the nearest :data:`NEAREST` heads on either side only: the
number of pairs grows with the number of mentions, never with its square.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from extractor.document import Document
from extractor.records import Entity
from extractor.relators.kinds import FINDING, TEST, VALUE, Kind
from extractor.relators.scopes import by_sentence, sentence_starts

NEAREST = 6
"""Heads on either side of a tail that are looked at."""
FARTHEST = 1_000
"""Characters between two mentions beyond which no pair is made, however long the sentence."""
WORDS_BETWEEN = 18
"""Beyond so many pieces of text between two mentions their words say little, and are left out."""

_PIECE = re.compile(r"[A-Za-z\u00c0-\u024f]+|\d+(?:[.,]\d+)*|[^\w\s]")
_GROUPS = {
    **dict.fromkeys(TEST, "test"),
    **dict.fromkeys(VALUE, "value"),
    **dict.fromkeys(FINDING, "finding"),
}
_BUCKETS = (0, 1, 2, 3, 5, 8, 13, 21, 34)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two mentions that may be related, and the names of the features that hold for them."""

    kind: Kind
    head: Entity
    tail: Entity
    features: tuple[str, ...]


def sentence_pairs(document: Document, entities: Sequence[Entity], kinds: Iterable[Kind]) -> Iterator[Pair]:
    """Every candidate of ``kinds``; ``entities`` are sorted by start."""
    kinds = tuple(kinds)
    heads = {label for kind in kinds for label in kind.heads}
    tails = {label for kind in kinds for label in kind.tails}
    wanted = [entity for entity in entities if entity.label in heads or entity.label in tails]
    if not ({entity.label for entity in wanted} & heads and {entity.label for entity in wanted} & tails):
        return
    for start, end, group in by_sentence(sentence_starts(document), wanted):
        if len(group) > 1:
            yield from _of_sentence(document.text, start, end, group, kinds)


def _of_sentence(
    text: str, start: int, end: int, group: Sequence[Entity], kinds: Iterable[Kind]
) -> Iterator[Pair]:
    labels = {entity.label for entity in group}
    for kind in kinds:
        if not (labels & kind.heads and labels & kind.tails):
            continue
        side = _Sentence(text, start, end, group, kind)
        for tail_no, tail in enumerate(side.tails):
            for head_no in side.near(tail):
                head = side.heads[head_no]
                if head.span != tail.span and _gap(head, tail) <= FARTHEST:
                    yield Pair(kind, head, tail, tuple(side.features(head_no, tail_no)))


class _Sentence:
    """One sentence seen by one kind of relation."""

    def __init__(self, text: str, start: int, end: int, group: Sequence[Entity], kind: Kind) -> None:
        self.text, self.start, self.end, self.kind = text, start, end, kind
        self.heads = [entity for entity in group if entity.label in kind.heads]
        self.tails = [entity for entity in group if entity.label in kind.tails]
        self._head_starts = [head.span.start for head in self.heads]
        self._tail_starts = [tail.span.start for tail in self.tails]
        self._others = sorted(
            [(head.span.start, head.span.end, "<head>") for head in self.heads]
            + [(tail.span.start, tail.span.end, "<tail>") for tail in self.tails]
        )
        self._other_starts = [other[0] for other in self._others]
        words = text[start : min(end, start + 2_000)].lower()
        self._respectively = "respectively" in words
        self._nearest_head = [self._nearest(tail, self.heads, self._head_starts) for tail in self.tails]
        self._nearest_tail = [self._nearest(head, self.tails, self._tail_starts) for head in self.heads]

    def near(self, tail: Entity) -> range:
        at = bisect_left(self._head_starts, tail.span.start)
        return range(max(0, at - NEAREST), min(len(self.heads), at + NEAREST))

    def _nearest(self, one: Entity, others: Sequence[Entity], starts: Sequence[int]) -> int:
        at = bisect_left(starts, one.span.start)
        near = range(max(0, at - 2), min(len(others), at + 2))
        return min(near, key=lambda index: (_gap(one, others[index]), index), default=-1)

    def features(self, head_no: int, tail_no: int) -> Iterator[str]:
        """Features shared by the family, then the same again for the kind alone."""
        shared = list(self._features(head_no, tail_no))
        yield from shared
        for name in shared:
            yield f"{self.kind.label}|{name}"

    def _features(self, head_no: int, tail_no: int) -> Iterator[str]:
        head, tail = self.heads[head_no], self.tails[tail_no]
        first, second = (head, tail) if head.span.start <= tail.span.start else (tail, head)
        order = "ht" if first is head else "th"
        if first.span.end > second.span.start:
            order = "in"
        pieces = self._between(first.span.end, second.span.start)
        distance = _bucket(len(pieces))
        heads_between = min(3, pieces.count("<head>"))
        tails_between = min(3, pieces.count("<tail>"))
        yield f"order={order}"
        yield f"order={order} distance={distance}"
        yield f"order={order} heads={heads_between} tails={tails_between}"
        yield f"heads={heads_between}"
        yield f"tails={tails_between}"
        nearest_head = self._nearest_head[tail_no] == head_no
        nearest_tail = self._nearest_tail[head_no] == tail_no
        yield f"nearest={nearest_head:d}{nearest_tail:d}"
        yield f"nearest={nearest_head:d}{nearest_tail:d} order={order} distance={distance}"
        yield f"count={min(3, len(self.heads))},{min(3, len(self.tails))}"
        yield f"types={_GROUPS.get(head.label, head.label)}:{_GROUPS.get(tail.label, tail.label)} order={order}"
        if self._respectively:
            same = head_no - len(self.heads) == tail_no - len(self.tails) or head_no == tail_no
            yield f"respectively same={same:d}"
        yield from self._signs(pieces, order)
        yield from self._words(pieces, order)
        yield from self._around(first, second, order)
        yield f"head={self._last_word(head)}"
        yield f"tail={self._last_word(tail)}"

    def _between(self, start: int, end: int) -> list[str]:
        """Pieces of the text between two mentions, other mentions as one piece each."""
        pieces: list[str] = []
        at = bisect_left(self._other_starts, start)
        while start < end:
            stop, after, name = end, end, ""
            if at < len(self._others) and self._others[at][0] < end:
                stop, after, name = self._others[at]
                at += 1
            if stop > start:
                pieces += _PIECE.findall(self.text[start:stop].lower())
            if name:
                pieces.append(name)
            start = max(start, after)
            if len(pieces) > 200:
                break
        return pieces

    def _signs(self, pieces: Sequence[str], order: str) -> Iterator[str]:
        signs = [piece for piece in pieces if not piece[0].isalnum() and piece[0] != "<"]
        yield f"commas={min(3, signs.count(','))}"
        for sign in sorted(set(signs) - {","}):
            yield f"sign={sign} order={order}"

    def _words(self, pieces: Sequence[str], order: str) -> Iterator[str]:
        shaped = ["0" if piece[0].isdigit() else piece for piece in pieces]
        if len(shaped) <= 5:
            yield f"between={order}:{' '.join(shaped)}"
        if len(shaped) > WORDS_BETWEEN:
            yield "between=far"
            return
        for piece in sorted(set(shaped)):
            yield f"word={piece}"
            yield f"word={piece} order={order}"
        for one, two in sorted(set(pairwise(shaped))):
            yield f"words={one} {two}"

    def _around(self, first: Entity, second: Entity, order: str) -> Iterator[str]:
        before = _PIECE.findall(self.text[max(self.start, first.span.start - 40) : first.span.start].lower())
        after = _PIECE.findall(self.text[second.span.end : min(self.end, second.span.end + 40)].lower())
        yield f"before={_shape(before[-1]) if before else '^'} order={order}"
        yield f"after={_shape(after[0]) if after else '$'} order={order}"
        for piece in sorted({_shape(piece) for piece in before[-3:]}):
            yield f"near before={piece}"
        for piece in sorted({_shape(piece) for piece in after[:3]}):
            yield f"near after={piece}"

    def _last_word(self, entity: Entity) -> str:
        pieces = _PIECE.findall(self.text[max(entity.span.start, entity.span.end - 30) : entity.span.end])
        return _shape(pieces[-1].lower()) if pieces else ""


def _gap(one: Entity, other: Entity) -> int:
    return max(one.span.start - other.span.end, other.span.start - one.span.end, 0)


def _bucket(count: int) -> int:
    return max(bound for bound in _BUCKETS if bound <= count)


def _shape(piece: str) -> str:
    return "0" if piece[0].isdigit() else piece
