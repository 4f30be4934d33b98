"""Carries what is known of a long form to every use of the short form that the document defines for it.

"Acute kidney injury (AKI)" makes AKI, before and after, a mention of the label,
code and normalised form of "acute kidney injury", if that was found. Definitions
are those of ``extractor.text.definitions``; the first one of a short form counts.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from extractor.document import Document
from extractor.records import Entity, Maker
from extractor.refiners.sections import section_at, sections
from extractor.spans import Span
from extractor.text.definitions import Definition, definitions

VERSION = "1.0"
BESIDE = "abbreviation"
"""The label that marks short forms as such; a carried mention may stand beside one."""

_COVERED = 0.6
"""Share of the long form that a mention must cover to speak for it."""


class AbbreviationCarryRefiner:
    """Adds mentions at short forms, made by this refiner; fills code and normalised form where they lack.

    A short form inside another mention stays as it is, unless that mention is
    the short form itself with the same label.
    """

    def __init__(self) -> None:
        self.maker = Maker(extractor="abbreviation_carry", version=VERSION)

    def refine(self, document: Document, entities: Sequence[Entity]) -> Sequence[Entity]:
        """The mentions and the carried ones, sorted by start, longer first."""
        meant = _long_mentions(document, entities)
        if not meant:
            return entities
        held = list(entities)
        taken = [
            (entity.span.start, entity.span.end, at)
            for at, entity in enumerate(held)
            if entity.label != BESIDE
        ]
        added: list[Entity] = []
        alternatives = "|".join(re.escape(short) for short in sorted(meant, key=lambda s: (-len(s), s)))
        pattern = re.compile(rf"(?<!\w)(?:{alternatives})(?=s?(?!\w))")
        for found in pattern.finditer(document.text):
            source = meant[found.group()]
            span = Span(found.start(), found.end())
            place = bisect_left(taken, (span.start, span.end, -1))
            before = taken[place - 1] if place else (0, 0, -1)
            after = taken[place] if place < len(taken) else (len(document.text), 0, -1)
            if after[:2] == (span.start, span.end):
                held[after[2]] = _filled(held[after[2]], source)
            elif before[1] <= span.start and after[0] >= span.end:
                added.append(
                    Entity(
                        doc_id=document.doc_id,
                        span=span,
                        label=source.label,
                        maker=self.maker,
                        normalised=source.normalised,
                        code=source.code,
                    )
                )
        if added and any(entity.section is not None for entity in entities):
            added = _with_sections(document, added)
        return sorted([*held, *added], key=lambda one: (one.span.start, -one.span.end, one.label))


def _long_mentions(document: Document, entities: Sequence[Entity]) -> dict[str, Entity]:
    """Short form to the mention of its long form, whose normalised form is at least the long form."""
    candidates = [entity for entity in entities if entity.label != BESIDE]
    if not candidates:
        return {}
    by_text: dict[str, Entity] = {}
    by_end: dict[int, Entity] = {}
    for entity in candidates:
        by_text.setdefault(_folded(entity.span.of(document.text)), entity)
        by_end.setdefault(entity.span.end, entity)
    meant: dict[str, Entity] = {}
    defined: set[str] = set()
    for definition in definitions(document):
        if definition.short_form in defined:
            continue
        defined.add(definition.short_form)
        source = _mention_of(definition, by_end.get(definition.long_span.end))
        source = source or by_text.get(_folded(definition.long_form))
        if source is not None:
            normalised = source.normalised or definition.long_form
            meant[definition.short_form] = replace(source, normalised=normalised)
    return meant


def _mention_of(definition: Definition, entity: Entity | None) -> Entity | None:
    if entity is None:
        return None
    covered = entity.span.end - max(entity.span.start, definition.long_span.start)
    return entity if covered >= _COVERED * len(definition.long_span) else None


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _filled(entity: Entity, source: Entity) -> Entity:
    if entity.label != source.label:
        return entity
    return replace(
        entity,
        code=entity.code or source.code,
        normalised=entity.normalised or source.normalised,
    )


def _with_sections(document: Document, entities: Sequence[Entity]) -> list[Entity]:
    found = sections(document)
    starts = [section.span.start for section in found]
    placed = []
    for entity in entities:
        section = section_at(found, starts, entity.span.start)
        placed.append(replace(entity, section=section.name if section else None))
    return placed
