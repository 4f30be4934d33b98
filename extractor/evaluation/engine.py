"""The adapters under test: find in many documents at once, or add meaning to given mentions.

The order is that of :class:`extractor.finding.Finder`; it is repeated here to
batch across documents and to time each part.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from extractor.document import Document
from extractor.errors import ExtractionError
from extractor.ports import BatchExtractor, Extractor, Refiner, Relator
from extractor.records import Entity, Maker, Relation

CHUNK = 256
"""Documents given to a batch at once: enough to sort by length, few enough to keep memory flat."""


class Adapters(Protocol):
    """What finds and refines; a :class:`extractor.finding.Finder` is one."""

    @property
    def extractors(self) -> Sequence[Extractor]: ...

    @property
    def refiners(self) -> Sequence[Refiner]: ...

    @property
    def relators(self) -> Sequence[Relator]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found per document: mentions as extracted, as they stand after refining, links."""

    extracted: list[tuple[Entity, ...]] = field(default_factory=list)
    refined: list[tuple[Entity, ...]] = field(default_factory=list)
    relations: list[tuple[Relation, ...]] = field(default_factory=list)
    extract_s: float = 0.0
    refine_s: float = 0.0


def find(adapters: Adapters, documents: Sequence[Document]) -> Found:
    """Mentions and links of every document, in order; loading and a first document are not in the time.

    Raises:
        ExtractionError: an adapter's mention lies outside its document.
    """
    from extractor.extractors.overlap import resolve

    if documents:
        _warm(adapters, min(documents, key=lambda document: abs(len(document.text) - 500)))
    extracted: list[tuple[Entity, ...]] = []
    started = time.perf_counter()
    for start in range(0, len(documents), CHUNK):
        chunk = documents[start : start + CHUNK]
        of_each = [list[Entity]() for _ in chunk]
        for extractor in adapters.extractors:
            for document, so_far, found in zip(chunk, of_each, _entities(extractor, chunk), strict=True):
                so_far.extend(_inside(document, found, extractor.maker))
        extracted += [resolve(found) for found in of_each]
    middle = time.perf_counter()
    refined: list[tuple[Entity, ...]] = []
    relations: list[tuple[Relation, ...]] = []
    for document, entities in zip(documents, extracted, strict=True):
        refined.append(refine(adapters, document, entities))
        relations.append(relate(adapters, document, refined[-1]))
    return Found(
        extracted=extracted,
        refined=refined,
        relations=relations,
        extract_s=middle - started,
        refine_s=time.perf_counter() - middle,
    )


def refine(adapters: Adapters, document: Document, entities: Sequence[Entity]) -> tuple[Entity, ...]:
    """The mentions with what the refiners know of them.

    Raises:
        ExtractionError: a refiner's mention lies outside the document.
    """
    known: Sequence[Entity] = entities
    for refiner in adapters.refiners:
        known = _inside(document, list(refiner.refine(document, known)), refiner.maker)
    return tuple(known)


def relate(adapters: Adapters, document: Document, entities: Sequence[Entity]) -> tuple[Relation, ...]:
    """The links between the mentions."""
    return tuple(link for relator in adapters.relators for link in relator.relations(document, entities))


def _entities(extractor: Extractor, documents: Sequence[Document]) -> Iterator[list[Entity]]:
    if isinstance(extractor, BatchExtractor):
        return extractor.entities_of(documents)
    return (list(extractor.entities(document)) for document in documents)


def _warm(adapters: Adapters, document: Document) -> None:
    for extractor in adapters.extractors:
        for found in _entities(extractor, [document]):
            relate(adapters, document, refine(adapters, document, found))


def _inside(document: Document, entities: list[Entity], maker: Maker) -> list[Entity]:
    length = len(document.text)
    for entity in entities:
        if entity.span.end > length or entity.doc_id != document.doc_id:
            raise ExtractionError(f"{maker.made_by} left the document", doc_id=document.doc_id)
    return entities
