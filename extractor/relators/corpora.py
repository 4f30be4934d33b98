"""Annotated corpora as the relators see documents: mentions of our types, and which pairs are related."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extractor.document import Document, Page, Word
from extractor.errors import ConfigError
from extractor.gold import GoldDocument, read_gold
from extractor.records import Code, Entity, Maker
from extractor.relators.kinds import CHEMICAL_DISEASE, SENTENCE_KINDS, kind_named

GOLD = Maker(extractor="gold", version="1")
Place = tuple[int, int, str]
"""Start, end and label of a mention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """One entry of ``corpora`` in a training configuration.

    ``entities`` maps its types to ours. ``relations`` maps each of its
    relations to the kinds it can be; which one it is, and which argument is
    the head, the types of its arguments say. Pairs of annotated mentions that
    fit one of these kinds and are not related are its negatives.
    """

    name: str
    file: str
    entities: Mapping[str, str]
    relations: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Corpus:
        """From a configuration.

        Raises:
            ConfigError: a key is missing or unknown, or a relation is none of ours.
        """
        known = {"name", "file", "entities", "relations"}
        if set(settings) != known:
            raise ConfigError(f"a corpus of relations has exactly the keys {', '.join(sorted(known))}")
        relations = {str(name): tuple(kinds) for name, kinds in settings["relations"].items()}
        ours = {*SENTENCE_KINDS, CHEMICAL_DISEASE.label}
        if strange := sorted({kind for kinds in relations.values() for kind in kinds} - ours):
            raise ConfigError(f"corpus {settings['name']}: no relation {strange[0]!r}")
        return cls(
            name=str(settings["name"]),
            file=str(settings["file"]),
            entities=dict(settings["entities"]),
            relations=relations,
        )

    @property
    def kinds(self) -> frozenset[str]:
        """The relations that this corpus annotates."""
        return frozenset(kind for kinds in self.relations.values() for kind in kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """A document with its mentions, and what is related in it.

    ``pairs`` holds (label, head, tail) with places, ``concepts`` (label, head
    concept, tail concept) for relations between concepts.
    """

    id: str
    document: Document
    entities: tuple[Entity, ...]
    pairs: frozenset[tuple[str, Place, Place]] = frozenset()
    concepts: frozenset[tuple[str, str, str]] = frozenset()
    kinds: frozenset[str] = frozenset()


def read_corpus(corpus: Corpus, folder: Path) -> list[Annotated]:
    """The documents of a corpus below ``folder``.

    Raises:
        InputError: its file cannot be read or does not fit its format.
    """
    return [_annotated(corpus, found) for found in read_gold([folder / corpus.file])]


def document_of(doc_id: str, text: str) -> Document:
    """A flowing document of one page with this text; page breaks become line breaks."""
    text = text.replace("\f", "\n")
    words, end = [], 0
    for found in re.finditer(r"\S+", text):
        words.append(Word(text=found.group(), before=text[end : found.start()]))
        end = found.end()
    page = Page(page_no=1, words=tuple(words), after=text[end:])
    return Document.assemble(doc_id=doc_id, media_type="text/plain", pages=[page])


def place(entity: Entity) -> Place:
    """Where a mention stands, and as what."""
    return (entity.span.start, entity.span.end, entity.label)


def _annotated(corpus: Corpus, gold: GoldDocument) -> Annotated:
    mentions: dict[Place, Entity] = {}
    by_index: dict[int, Entity] = {}
    for index, found in enumerate(gold.entities):
        label = corpus.entities.get(found.type)
        if label is None:
            continue
        code = None
        if found.concept is not None:
            code = Code(system="gold", code=found.concept, display="", vocabulary_version="gold")
        entity = Entity(doc_id=gold.id, span=found.span, label=label, maker=GOLD, code=code)
        by_index[index] = mentions.setdefault(place(entity), entity)
    pairs: set[tuple[str, Place, Place]] = set()
    concepts: set[tuple[str, str, str]] = set()
    for relation in gold.relations:
        kinds = corpus.relations.get(relation.type, ())
        if isinstance(relation.arg1, int) and isinstance(relation.arg2, int):
            one, other = by_index.get(relation.arg1), by_index.get(relation.arg2)
            if one is not None and other is not None:
                pairs.update(_directed(kinds, one, other))
        else:
            concepts.update((kind, str(relation.arg1), str(relation.arg2)) for kind in kinds)
    return Annotated(
        id=gold.id,
        document=document_of(gold.id, gold.text),
        entities=tuple(sorted(mentions.values(), key=lambda e: (e.span.start, -e.span.end, e.label))),
        pairs=frozenset(pairs),
        concepts=frozenset(concepts),
        kinds=corpus.kinds,
    )


def _directed(kinds: Sequence[str], one: Entity, other: Entity) -> Iterator[tuple[str, Place, Place]]:
    for label in kinds:
        kind = kind_named(label)
        for head, tail in ((one, other), (other, one)):
            if kind.fits(head.label, tail.label):
                yield label, place(head), place(tail)
                break
