"""Names the section that each mention stands in (see ``sections``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from extractor.document import Document
from extractor.records import Entity
from extractor.refiners.sections import PACK, load_titles, section_at, sections
from extractor.resources import maker_of, model_folder

VERSION = "1.0"


class SectionRefiner:
    """Sets ``section`` of every mention; None before the first heading. Sections already set stay."""

    def __init__(self) -> None:
        load_titles()
        self.maker = maker_of(model_folder(PACK), extractor="section", version=VERSION)

    def refine(self, document: Document, entities: Sequence[Entity]) -> Sequence[Entity]:
        """The mentions, each with the name of its section."""
        if not entities:
            return entities
        found = sections(document)
        starts = [section.span.start for section in found]
        refined = []
        for entity in entities:
            section = section_at(found, starts, entity.span.start)
            if section is None or entity.section is not None:
                refined.append(entity)
            else:
                refined.append(replace(entity, section=section.name))
        return refined
