"""Finds the longest forms of vocabularies in the shared pieces of a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from extractor.text.tokens import BORDER, JOINED, LINE, Chunk
from extractor.vocabulary import PIECE, Vocabulary, fold_piece, singular

HYPHENS = frozenset("-\u2010\u2011\u00ad")
APOSTROPHES = frozenset("'\u2018\u2019\u02bc")


@dataclass(frozen=True, slots=True)
class Match:
    """Pieces ``first`` to ``last`` (half-open) of a chunk name concept ``index`` of vocabulary ``number``.

    ``unexplained`` marks an abbreviation that needs its meaning elsewhere in
    the document.
    """

    first: int
    last: int
    number: int
    index: int
    unexplained: bool = False


class ShortForms:
    """Short forms that a document defines: those of known concepts, and those that mean something else."""

    def __init__(self) -> None:
        self._known: dict[str, list[tuple[tuple[str, ...], int, int]]] = {}
        self.other: set[str] = set()
        self._defined: set[str] = set()

    def add(self, short_form: str, concept: tuple[int, int] | None) -> None:
        """Take the first definition of a short form; ``concept`` is (vocabulary, index) or None."""
        if short_form in self._defined:
            return
        self._defined.add(short_form)
        if concept is None:
            self.other.add(short_form)
            return
        pieces = tuple(PIECE.findall(short_form))
        self._known.setdefault(pieces[0], []).append((pieces, *concept))
        self._known[pieces[0]].sort(key=lambda known: -len(known[0]))

    def find(self, chunk: Chunk, at: int) -> Match | None:
        """The known short form that stands at a piece, the longest first; a plural s is allowed."""
        words = chunk.words
        for pieces, number, index in self._known.get(words[at], ()):
            last = at + len(pieces)
            if tuple(words[at:last]) == pieces and BORDER not in chunk.gaps[at + 1 : last]:
                return Match(at, last, number, index)
        if words[at].endswith("s"):
            for pieces, number, index in self._known.get(words[at][:-1], ()):
                if len(pieces) == 1:
                    return Match(at, at + 1, number, index)
        return None


def iter_matches(
    chunk: Chunk, vocabularies: Sequence[Vocabulary], short_forms: ShortForms, stopped: frozenset[str]
) -> Iterator[Match]:
    """Matches from left to right without overlap, the longest at each place.

    Of two vocabularies with equally long matches the first one stands; a short
    form of the document stands before both.
    """
    folded = [fold_piece(word) for word in chunk.words]
    firsts = [vocabulary.longest for vocabulary in vocabularies]
    at, count = 0, len(folded)
    while at < count:
        piece = folded[at]
        best: Match | None = None
        if piece and piece[0].isalnum():
            best = short_forms.find(chunk, at)
            for number, first in enumerate(firsts):
                longest = first.get(piece)
                if longest is not None:
                    found = _longest(number, vocabularies[number], chunk, folded, at, longest, stopped)
                    if found is not None and (best is None or found.last > best.last):
                        best = found
            if best is None and _breaks(chunk, at):
                best = _broken(vocabularies, chunk, at, stopped)
        if best is None or not _stands_alone(chunk, best) or _other(chunk, best, vocabularies, short_forms):
            at += 1
            continue
        yield best
        at = best.last


def _longest(
    number: int,
    vocabulary: Vocabulary,
    chunk: Chunk,
    folded: Sequence[str],
    at: int,
    longest: int,
    stopped: frozenset[str],
) -> Match | None:
    """The longest form of one vocabulary that starts at a piece."""
    words, gaps = chunk.words, chunk.gaps
    pieces: list[str] = []
    ends: list[int] = []
    here = at
    while here < len(words) and len(pieces) < longest:
        if here > at and gaps[here] == BORDER:
            break
        piece = folded[here]
        if piece:
            possessive = (
                piece == "s" and here > at and words[here - 1] in APOSTROPHES and gaps[here] == JOINED
            )
            if not possessive:
                pieces.append(piece)
                ends.append(here + 1)
        elif gaps[here] != JOINED and words[here] not in HYPHENS:
            break  # an opening quotation mark, a spaced dash
        here += 1
    for size in range(len(pieces), 0, -1):
        found = _look_up(vocabulary, pieces[:size], words[at : ends[size - 1]], stopped)
        if found is not None:
            return Match(at, ends[size - 1], number, *found)
    return None


def _look_up(
    vocabulary: Vocabulary, pieces: list[str], words: Sequence[str], stopped: frozenset[str]
) -> tuple[int, bool] | None:
    """(concept, unexplained) of folded pieces, the last one also without its plural ending."""
    form = " ".join(pieces)
    index = vocabulary.forms.get(form)
    if index is None:
        single = singular(pieces[-1])
        if single != pieces[-1]:
            shorter = " ".join([*pieces[:-1], single])
            index = vocabulary.forms.get(shorter)
            form = form if index is None else shorter
    if index is not None:
        return None if form in stopped else (index, False)
    index = vocabulary.capitals.get(form)
    if index is None or form in stopped or not in_capitals(words):
        return None
    return index, form not in vocabulary.trusted


def _breaks(chunk: Chunk, at: int) -> bool:
    """Whether a word goes on after a hyphen and a line break."""
    return (
        at + 2 < len(chunk.words)
        and chunk.words[at + 1] in HYPHENS
        and chunk.gaps[at + 1] == JOINED
        and chunk.gaps[at + 2] == LINE
        and chunk.words[at + 2][0].islower()
    )


def _broken(
    vocabularies: Sequence[Vocabulary], chunk: Chunk, at: int, stopped: frozenset[str]
) -> Match | None:
    """A single word hyphenated over a line break."""
    joined = fold_piece(chunk.words[at] + chunk.words[at + 2])
    for number, vocabulary in enumerate(vocabularies):
        found = _look_up(vocabulary, [joined], [chunk.words[at] + chunk.words[at + 2]], stopped)
        if found is not None:
            return Match(at, at + 3, number, *found)
    return None


def _stands_alone(chunk: Chunk, match: Match) -> bool:
    """Whether the match is no part of an address or of a code such as ``AB-12``."""
    words, gaps, at, end = chunk.words, chunk.gaps, match.first, match.last
    if at and gaps[at] == JOINED and words[at - 1] in {"@", "_", "\\"}:
        return False
    if end < len(words) and gaps[end] == JOINED:
        if words[end] in {"@", "_"}:
            return False
        if words[end] in HYPHENS and end + 1 < len(words) and gaps[end + 1] == JOINED:
            return not (words[end + 1][0].isdigit() and end - at == 1 and len(words[at]) <= 4)
    return True


def _other(chunk: Chunk, match: Match, vocabularies: Sequence[Vocabulary], short_forms: ShortForms) -> bool:
    """Whether the document itself gives the matched letters another meaning."""
    if not short_forms.other:
        return False
    start, end = chunk.starts[match.first], chunk.end(match.last - 1)
    text = chunk.text[start - chunk.start : end - chunk.start]
    written = text if text in short_forms.other else text.removesuffix("s")
    return written in short_forms.other and fold_piece(written) not in vocabularies[match.number].trusted


def in_capitals(words: Sequence[str]) -> bool:
    """Whether the words have capitals and no small letter but a plural s at the end."""
    text = "".join(words)
    text = text[:-1] if len(text) > 2 and text.endswith("s") else text
    return text.upper() == text != text.lower()


def concept_of(vocabularies: Sequence[Vocabulary], pieces: str) -> tuple[int, int] | None:
    """(vocabulary, index) of a folded term, its last word also in the singular."""
    head, _, last = pieces.rpartition(" ")
    for number, vocabulary in enumerate(vocabularies):
        for tried in (pieces, f"{head} {singular(last)}".lstrip()):
            index = vocabulary.forms.get(tried)
            if index is not None:
                return number, index
    return None


__all__ = ["Match", "ShortForms", "concept_of", "in_capitals", "iter_matches"]
