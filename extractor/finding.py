"""What a document says: mentions, their meaning and their links, by the configured adapters.

The order is fixed: every extractor looks at the document, overlaps are resolved
by one policy, refiners add meaning to the mentions that stand, relators link them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from extractor.config import Choice, Config
from extractor.document import Document
from extractor.errors import ExtractionError
from extractor.ports import Extractor, Refiner, Relator
from extractor.records import Entity, Maker, Relation
from extractor.registry import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Mentions in order of their spans, and links between them."""

    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()


class Adapters(Protocol):
    """What finds and refines; a :class:`extractor.finding.Finder` is one."""

    @property
    def extractors(self) -> Sequence[Extractor]: ...

    @property
    def refiners(self) -> Sequence[Refiner]: ...

    @property
    def relators(self) -> Sequence[Relator]: ...


class Finder:
    """The configured extractors, refiners and relators, made once and used for every document."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @cached_property
    def extractors(self) -> list[Extractor]:
        """The configured extractors, in their order."""
        return self._made("extractors", self._config.extractors)

    @cached_property
    def refiners(self) -> list[Refiner]:
        """The configured refiners, in their order."""
        return self._made("refiners", self._config.refiners)

    @cached_property
    def relators(self) -> list[Relator]:
        """The configured relators, in their order."""
        return self._made("relators", self._config.relators)

    @property
    def makers(self) -> list[Maker]:
        """Who can make a row here; loads everything.

        Raises:
            ExtractorError: a tool, model or setting is missing: nothing can run.
        """
        makers = [extractor.maker for extractor in self.extractors]
        makers += [refiner.maker for refiner in self.refiners]
        return makers + [relator.maker for relator in self.relators]

    def find(self, document: Document) -> Findings:
        """Mentions and links of one document.

        Raises:
            ExtractionError: an adapter's mention lies outside the document.
        """
        from extractor.extractors.overlap import resolve

        found = [
            entity
            for extractor in self.extractors
            for entity in inside(document, extractor.entities(document), extractor.maker)
        ]
        entities = refine(self, document, resolve(found))
        return Findings(entities=entities, relations=relate(self, document, entities))

    def _made(self, shelf: str, choices: Sequence[Choice]) -> list[Any]:
        return [
            load(shelf, choice.name, plugins=self._config.plugins)(**choice.options) for choice in choices
        ]


def refine(adapters: Adapters, document: Document, entities: Sequence[Entity]) -> tuple[Entity, ...]:
    """The mentions with what the refiners know of them.

    Raises:
        ExtractionError: a refiner's mention lies outside the document.
    """
    for refiner in adapters.refiners:
        entities = inside(document, refiner.refine(document, entities), refiner.maker)
    return tuple(entities)


def relate(adapters: Adapters, document: Document, entities: Sequence[Entity]) -> tuple[Relation, ...]:
    """The links between the mentions."""
    return tuple(link for relator in adapters.relators for link in relator.relations(document, entities))


def inside(document: Document, entities: Iterable[Entity], maker: Maker) -> list[Entity]:
    """The mentions, checked.

    Raises:
        ExtractionError: one lies outside the document.
    """
    length = len(document.text)
    kept = list(entities)
    for entity in kept:
        if entity.span.end > length or entity.doc_id != document.doc_id:
            raise ExtractionError(f"{maker.made_by} left the document", doc_id=document.doc_id)
    return kept
