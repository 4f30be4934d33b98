"""Which chemical brings about which disease in a document: pairs of concepts, and what is known about each.

Mentions with the same code, or else the same words, are one concept. Two
concepts are a pair when two of their mentions stand within
:data:`NEAREST` mentions and :data:`WINDOW` characters of one another, so the
work grows with the number of mentions. For an abstract that is every pair.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from extractor.document import Document
from extractor.records import Entity
from extractor.relators.kinds import CHEMICAL_DISEASE
from extractor.relators.scopes import sentence_starts

NEAREST = 24
"""Disease mentions on either side of a chemical mention that are looked at."""
WINDOW = 4_000
"""Characters between two mentions beyond which they say nothing about one another."""
_COMPARED = 100
"""Findings of a document whose names are compared with one another."""
_LINKS = 6
"""Sentences with both concepts whose words are looked at."""

_PIECE = re.compile(r"[A-Za-z\u00c0-\u024f]+|\d+(?:[.,]\d+)*|[^\w\s]")
_CAUSE = re.compile(
    r"induc|caus|associat|relat|due|develop|after|following|produc|toxic|result|lead|led|elicit|provok|exacerbat"
)
_CURE = re.compile(
    r"treat|therap|prevent|protect|reduc|attenuat|revers|amelior|antagoni|inhibit|control|manage|efficac"
)


@dataclass(slots=True)
class ConceptPair:
    """Two concepts of a document; ``head`` and ``tail`` are their mentions that stand closest."""

    head_key: str
    tail_key: str
    head: Entity
    tail: Entity
    features: tuple[str, ...] = field(default=())


def concept_of(document: Document, entity: Entity) -> str:
    """The concept of a mention: its code (parts of a composite joined by ``|``), else its words in lower case."""
    if entity.code is not None:
        return entity.code.code
    return " ".join((entity.normalised or entity.span.of(document.text)).lower().split())


def concept_pairs(document: Document, entities: Sequence[Entity]) -> Iterator[ConceptPair]:
    """Every pair of a chemical and a disease, in the order of their first mentions; ``entities`` are sorted."""
    drugs = [entity for entity in entities if entity.label in CHEMICAL_DISEASE.heads]
    findings = [entity for entity in entities if entity.label in CHEMICAL_DISEASE.tails]
    if drugs and findings:
        yield from _Concepts(document, drugs, findings).pairs()


class _Concepts:
    """The concepts of one document."""

    def __init__(self, document: Document, drugs: list[Entity], findings: list[Entity]) -> None:
        self._text = document.text
        self._starts = sentence_starts(document)
        self._drugs, self._drug_keys = _spread(document, drugs)
        self._findings, self._finding_keys = _spread(document, findings)
        self._drug_counts = Counter(self._drug_keys)
        self._finding_counts = Counter(self._finding_keys)
        self._first_drug = _firsts(self._drug_keys)
        self._first_finding = _firsts(self._finding_keys)
        self._top_drug = max(self._drug_counts.values())
        self._top_finding = max(self._finding_counts.values())
        self._names = {
            key: f" {self._words_of(self._findings[index])} "
            for key, index in list(self._first_finding.items())[:_COMPARED]
        }
        self._drug_sentences = [self._sentence(drug) for drug in self._drugs]
        self._finding_sentences = [self._sentence(finding) for finding in self._findings]
        self._drugs_of: dict[int, set[str]] = defaultdict(set)
        self._findings_of: dict[int, set[str]] = defaultdict(set)
        for key, sentence in zip(self._drug_keys, self._drug_sentences, strict=True):
            self._drugs_of[sentence].add(key)
        for key, sentence in zip(self._finding_keys, self._finding_sentences, strict=True):
            self._findings_of[sentence].add(key)
        self._last_sentence = max(*self._drug_sentences, *self._finding_sentences)

    def _sentence(self, entity: Entity) -> int:
        return bisect_right(self._starts, entity.span.start) - 1

    def pairs(self) -> Iterator[ConceptPair]:
        meetings: dict[tuple[str, str], list[tuple[int, int]]] = {}
        offsets = [finding.span.start for finding in self._findings]
        for drug_no, drug in enumerate(self._drugs):
            at = bisect_left(offsets, drug.span.start)
            for finding_no in range(max(0, at - NEAREST), min(len(offsets), at + NEAREST)):
                finding = self._findings[finding_no]
                if abs(finding.span.start - drug.span.start) <= WINDOW and finding.span != drug.span:
                    key = (self._drug_keys[drug_no], self._finding_keys[finding_no])
                    meetings.setdefault(key, []).append((drug_no, finding_no))
        for (drug_key, finding_key), met in meetings.items():
            if drug_key == finding_key:
                continue
            met.sort(key=self._distance)
            head, tail = self._drugs[met[0][0]], self._findings[met[0][1]]
            pair = ConceptPair(drug_key, finding_key, head, tail)
            pair.features = tuple(dict.fromkeys(self._features(pair, met)))
            yield pair

    def _distance(self, met: tuple[int, int]) -> tuple[int, int, int]:
        drug, finding = self._drugs[met[0]].span, self._findings[met[1]].span
        sentences = abs(self._drug_sentences[met[0]] - self._finding_sentences[met[1]])
        return (
            min(sentences, 3),
            max(drug.start - finding.end, finding.start - drug.end, 0),
            min(drug.start, finding.start),
        )

    def _features(self, pair: ConceptPair, met: Sequence[tuple[int, int]]) -> Iterator[str]:
        together = [one for one in met if self._drug_sentences[one[0]] == self._finding_sentences[one[1]]]
        sentences = {self._drug_sentences[one[0]] for one in together}
        drug_count, finding_count = self._drug_counts[pair.head_key], self._finding_counts[pair.tail_key]
        top_drug = drug_count == self._top_drug
        top_finding = finding_count == self._top_finding
        nearest = self._distance(met[0])[0]
        yield f"together={min(4, len(sentences))}"
        yield f"sentences apart={nearest}"
        yield f"drug count={_bucket(drug_count)}"
        yield f"finding count={_bucket(finding_count)}"
        yield f"top={top_drug:d}{top_finding:d}"
        yield f"top={top_drug:d}{top_finding:d} together={min(2, len(sentences))}"
        yield f"drugs={_bucket(len(self._drug_counts))}"
        yield f"findings={_bucket(len(self._finding_counts))}"
        yield f"drugs={_bucket(len(self._drug_counts))} top={top_drug:d}"
        title_drug, title_finding = pair.head_key in self._drugs_of[0], pair.tail_key in self._findings_of[0]
        title_others = bool(self._drugs_of[0] - {pair.head_key})
        yield f"title={title_drug:d}{title_finding:d}"
        yield f"title={title_drug:d}{title_finding:d} together={min(2, len(sentences))}"
        yield f"title={title_drug:d}{title_finding:d} others={title_others:d}"
        last = self._last_sentence
        yield f"end={pair.head_key in self._drugs_of[last]:d}{pair.tail_key in self._findings_of[last]:d}"
        first_drug = self._first_drug[pair.head_key] == 0
        yield f"first={first_drug:d}{self._first_finding[pair.tail_key] == 0:d}"
        yield f"drug={self._words_of(pair.head)}"
        finding_words = self._words_of(pair.tail)
        yield f"finding={finding_words}"
        for word in finding_words.split():
            yield f"finding word={word}"
        yield from self._narrower(pair)
        for one in together[:_LINKS]:
            yield from self._link(one)
        if not together:
            yield "never together"
            yield f"never together top={top_drug:d}{top_finding:d} title={title_drug:d}{title_finding:d}"

    def _narrower(self, pair: ConceptPair) -> Iterator[str]:
        """Whether another finding says more ("acute renal failure" beside "renal failure")."""
        words = f" {self._words_of(pair.tail)} "
        others = [name for key, name in self._names.items() if key != pair.tail_key and name != words]
        yield f"narrower={any(words in other for other in others):d}"
        yield f"broader={any(other in words for other in others):d}"

    def _link(self, one: tuple[int, int]) -> Iterator[str]:
        """What one sentence with both says."""
        drug, finding = self._drugs[one[0]].span, self._findings[one[1]].span
        sentence = self._drug_sentences[one[0]]
        order = "df" if drug.start < finding.start else "fd"
        start, end = min(drug.end, finding.end), max(drug.start, finding.start)
        pieces = [_shape(piece) for piece in _PIECE.findall(self._text[start:end].lower())]
        if len(pieces) <= 4:
            yield f"between={order}:{' '.join(pieces)}"
        near = min(4, len(pieces) // 4)
        yield f"order={order} distance={near}"
        first = 0 if sentence == 0 else 1
        if len(pieces) <= 15:
            for piece in sorted(set(pieces)):
                yield f"word={piece} order={order}"
                yield f"word={piece}"
            for pair in pairwise(pieces):
                yield f"words={' '.join(pair)}"
        between = " ".join(pieces)
        if _CAUSE.search(between):
            yield f"cause order={order} distance={near}"
            yield f"cause body={first}"
        if _CURE.search(between):
            yield f"cure order={order} distance={near}"
        before = _PIECE.findall(
            self._text[max(0, min(drug.start, finding.start) - 30) : min(drug.start, finding.start)]
        )
        after = _PIECE.findall(self._text[max(drug.end, finding.end) : max(drug.end, finding.end) + 30])
        for piece in before[-2:]:
            yield f"before={_shape(piece.lower())} order={order}"
        for piece in after[:2]:
            yield f"after={_shape(piece.lower())} order={order}"
        yield f"crowd={min(3, len(self._drugs_of[sentence]))},{min(3, len(self._findings_of[sentence]))}"
        follows = _PIECE.findall(self._text[drug.end : drug.end + 14].lower())
        if follows[:2] in (["-", "induced"], ["-", "associated"], ["-", "related"]):
            yield "drug induced"

    def _words_of(self, entity: Entity) -> str:
        return " ".join(entity.span.of(self._text).lower().split())


def _spread(document: Document, mentions: Sequence[Entity]) -> tuple[list[Entity], list[str]]:
    """Each mention once for each of its concepts ("hepatic and renal failure" may have two), with them."""
    spread = [(one, key) for one in mentions for key in concept_of(document, one).split("|")]
    return [one for one, _ in spread], [key for _, key in spread]


def _firsts(keys: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, key in enumerate(keys):
        found.setdefault(key, index)
    return found


def _bucket(count: int) -> int:
    return max(bound for bound in (0, 1, 2, 3, 4, 6, 9, 14, 20) if bound <= count)


def _shape(piece: str) -> str:
    return "0" if piece[0].isdigit() else piece
