"""The adapters under test: find in many documents at once, or add meaning to given mentions.

The order is that of :class:`extractor.finding.Finder`, batched across documents
and with the time of each part.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from extractor.document import Document
from extractor.finding import Adapters, inside, refine, relate
from extractor.ports import BatchExtractor, Extractor
from extractor.records import Entity, Relation

CHUNK = 256
"""Documents given to a batch at once: enough to sort by length, few enough to keep memory flat."""


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
                so_far.extend(inside(document, found, extractor.maker))
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


def _entities(extractor: Extractor, documents: Sequence[Document]) -> Iterator[list[Entity]]:
    if isinstance(extractor, BatchExtractor):
        return extractor.entities_of(documents)
    return (list(extractor.entities(document)) for document in documents)


def _warm(adapters: Adapters, document: Document) -> None:
    for extractor in adapters.extractors:
        for found in _entities(extractor, [document]):
            relate(adapters, document, refine(adapters, document, found))
