"""Annotated corpora as windows of words with what each word may be.

A corpus annotates some types and says nothing about the others. What it leaves
open must not be taught as absent, so a word does not get one label but two sets
of labels: those its corpus allows, and those they compete with. An annotated
word is one of its mapped types (any of them, where they are several) against
everything else. A word outside every mention is ``O`` against the types that the
corpus annotates; the others take no part, so nothing is learned about them
(partial annotation, Tsuboi et al. 2008; many corpora, Greenberg et al. 2018, who
let the unannotated types share the credit for ``O``: tried, and worse).
"""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extractor.errors import ConfigError, InputError
from extractor.ner.features import Features
from extractor.ner.labels import PARTS, LabelSet
from extractor.ner.pieces import Pieces
from extractor.ner.words import Words, windows_of, words_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """One corpus of a training configuration.

    ``types`` maps its types to ours (a tuple: any of them); an empty tuple
    leaves the words of such a mention open. Types not named count as not
    annotated words. ``says`` are our types whose absence the corpus states, by
    default all that ``types`` names. ``share`` of its windows is read per
    epoch. ``narrowed`` gives for a type the one of ours that holds when another
    mention points at it: ``{type: (relation, from type, our type)}``.
    """

    name: str
    files: tuple[Path, ...]
    types: Mapping[str, tuple[str, ...]]
    says: tuple[str, ...]
    share: float = 1.0
    narrowed: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    alternatives: bool = False

    @classmethod
    def of(cls, settings: Mapping[str, Any], root: Path) -> Corpus:
        """From one entry of ``corpora`` in a training configuration.

        Raises:
            ConfigError: an unknown key or type, or a missing one.
        """
        known = {"name", "files", "types", "says", "share", "narrowed", "alternatives"}
        if strange := sorted(set(settings) - known):
            raise ConfigError(
                f"unknown key {strange[0]!r} of a training corpus; known: {', '.join(sorted(known))}"
            )
        if missing := sorted({"name", "files", "types"} - set(settings)):
            raise ConfigError(f"a training corpus lacks {missing[0]!r}")
        types = {kind: tuple(ours or ()) for kind, ours in settings["types"].items()}
        says = settings.get("says") or sorted({ours for mapped in types.values() for ours in mapped})
        if strange := sorted({*says, *(t for ours in types.values() for t in ours)} - set(LabelSet().types)):
            raise ConfigError(f"training corpus {settings['name']}: no type {strange[0]!r}")
        return cls(
            name=settings["name"],
            files=tuple(root / file for file in settings["files"]),
            types=types,
            says=tuple(says),
            share=float(settings.get("share", 1.0)),
            narrowed={kind: tuple(rule) for kind, rule in (settings.get("narrowed") or {}).items()},
            alternatives=bool(settings.get("alternatives", False)),
        )


@dataclass(frozen=True, slots=True)
class Example:
    """One window: word pieces with features, and for each first piece of a word the mask of its labels (else -1)."""

    ids: tuple[int, ...]
    features: tuple[int, ...]
    masks: tuple[int, ...]


class Masks:
    """The distinct pairs of allowed and competing labels, numbered as they come up."""

    def __init__(self, labels: LabelSet) -> None:
        self.labels = labels
        self._index: dict[tuple[frozenset[int], frozenset[int]], int] = {}

    def number(self, allowed: frozenset[int], competing: frozenset[int]) -> int:
        """The number of a pair; what is allowed competes too."""
        return self._index.setdefault((allowed, competing | allowed), len(self._index))

    def matrices(self) -> tuple[list[list[bool]], list[list[bool]]]:
        """Allowed and competing: one row per pair, one column per label."""
        size = range(len(self.labels.names))
        pairs = list(self._index)
        return (
            [[label in allowed for label in size] for allowed, _ in pairs],
            [[label in competing for label in size] for _, competing in pairs],
        )


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a JSON-lines corpus file, plain or gzip.

    Raises:
        InputError: the file is absent, or a line is no record, with its number.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    record = json.loads(line)
                    length = len(record["text"])
                    fits = all(
                        isinstance(entity["type"], str) and 0 <= entity["start"] < entity["end"] <= length
                        for entity in record["entities"]
                    )
                except (ValueError, KeyError, TypeError):
                    fits = False
                if not fits:
                    raise InputError(
                        f"line {number} of a corpus file is no record"
                        " {id, text, entities: [{start, end, type}]} with places inside the text"
                    )
                yield record
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"a corpus file cannot be read ({type(error).__name__})") from None


class ExampleMaker:
    """Turns records into examples for one encoder."""

    def __init__(self, pieces: Pieces, features: Features | None, masks: Masks, *, limit: int) -> None:
        self._pieces = pieces
        self._features = features
        self._masks = masks
        self._limit = limit

    def examples(self, corpus: Corpus, record: Mapping[str, Any]) -> Iterator[Example]:
        """The windows of one record."""
        words = words_of(record["text"])
        allowed = self.allowed(corpus, record, words)
        pieces = self._pieces.of(words.texts)
        known = self._features.of(words.texts) if self._features else [0] * len(words)
        begin, end = self._pieces.begin, self._pieces.end
        for window in windows_of(words, [len(piece) for piece in pieces], limit=self._limit):
            ids, features, masks = [begin], [0], [-1]
            for place in range(window.first, window.last):
                for number, piece in enumerate(pieces[place]):
                    ids.append(piece)
                    features.append(known[place])
                    masks.append(-1 if number else allowed[place])
            yield Example((*ids, end), (*features, 0), (*masks, -1))

    def allowed(self, corpus: Corpus, record: Mapping[str, Any], words: Words) -> list[int]:
        """The mask number of each word, -1 where nothing is known about it."""
        labels = self._masks.labels
        said = frozenset(labels.of(kind, part) for kind in corpus.says for part in PARTS)
        outside = self._masks.number(frozenset({0}), said)
        everything = frozenset(range(len(labels.names)))
        found = [outside] * len(words)
        at = {start: place for place, start in enumerate(words.starts)}
        to = {end: place + 1 for place, end in enumerate(words.ends)}
        taken = [False] * len(words)
        chosen = sorted(record["entities"], key=lambda e: (e["start"], -e["end"]))
        open_spans = _clashing(chosen) if corpus.alternatives else set()
        for entity in chosen:
            if entity["type"] not in corpus.types:
                continue
            first, last = at.get(entity["start"]), to.get(entity["end"])
            if first is None or last is None:  # a mention that ends inside a word teaches nothing about it
                for place in range(len(words)):
                    if words.starts[place] < entity["end"] and words.ends[place] > entity["start"]:
                        found[place], taken[place] = -1, True
                continue
            kinds = self._kinds(corpus, record, entity)
            if any(taken[first:last]):
                continue
            taken[first:last] = [True] * (last - first)
            if not kinds or (entity["start"], entity["end"]) in open_spans:
                found[first:last] = [-1] * (last - first)
                continue
            for place in range(first, last):
                part = _part(place, first, last)
                found[place] = self._masks.number(
                    frozenset(labels.of(kind, part) for kind in kinds), everything
                )
        return found

    def _kinds(self, corpus: Corpus, record: Mapping[str, Any], entity: Mapping[str, Any]) -> tuple[str, ...]:
        rule = corpus.narrowed.get(entity["type"])
        if rule is not None:
            relation, source, kind = rule
            types = {other.get("tid"): other["type"] for other in record["entities"]}
            for link in record.get("relations", ()):
                if (
                    link["type"] == relation
                    and link["arg2"] == entity.get("tid")
                    and types.get(link["arg1"]) == source
                ):
                    return (kind,)
        return corpus.types[entity["type"]]


def _part(place: int, first: int, last: int) -> str:
    if last - first == 1:
        return "S"
    return "B" if place == first else "E" if place == last - 1 else "I"


def _clashing(entities: Sequence[Mapping[str, Any]]) -> set[tuple[int, int]]:
    """Spans that overlap another: alternatives, of which a corpus accepts any."""
    found: set[tuple[int, int]] = set()
    for place, entity in enumerate(entities):
        for other in entities[place + 1 :]:
            if other["start"] >= entity["end"]:
                break
            found |= {(entity["start"], entity["end"]), (other["start"], other["end"])}
    return found


def drawn(examples: Sequence[Example], share: float, epoch: int, seed: int) -> list[Example]:
    """The part of a corpus that an epoch reads; epochs go round through all of it."""
    if not examples:
        return []
    order = list(range(len(examples)))
    random.Random(seed).shuffle(order)  # noqa: S311  # reproducible, not secret
    if share >= 1:
        times, rest = divmod(share, 1)
        order = order * int(times) + order[: round(rest * len(order))]
        return [examples[place] for place in order]
    size = max(1, round(share * len(order)))
    begin = (epoch * size) % len(order)
    return [examples[order[(begin + step) % len(order)]] for step in range(size)]
