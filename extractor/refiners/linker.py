"""Codes for mentions: each is linked to a concept of a knowledge pack, or to none.

Which concepts a label may get, how candidates are found and ranked, and when
the answer is none: ``extractor.knowledge`` and docs/linking.md. ``score`` and
``probability`` of a mention say how sure its finding is and stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from extractor.document import Document
from extractor.errors import ConfigError
from extractor.knowledge.base import load_knowledge
from extractor.knowledge.candidates import LABEL_GROUPS, Context
from extractor.knowledge.linking import Linking
from extractor.knowledge.short_forms import Mention
from extractor.records import Code, Entity, Maker
from extractor.text.definitions import long_forms

VERSION = "1.0"
DEFAULT_PACK = "knowledge-biomedical"
DEFAULT_SYSTEMS = ("MESH", "OMIM")


class LinkerRefiner:
    """Gives ``code`` and, where nothing stands there, ``normalised`` (the display name) to mentions.

    ``pack`` is a knowledge pack of ``models/``; ``labels`` are the labels to
    link (None for all that the packs know groups for); ``systems`` says which
    code of a concept is given where annotated text did not settle it;
    ``threshold`` is the probability below which a mention gets no code (None for
    the pack's). A code that an extractor gave stays unless ``replace_codes`` is
    true and the linker has an answer of its own.

    Raises:
        MissingToolError: the pack is absent, altered or of another version.
        ConfigError: a label that no group of concepts belongs to.
    """

    def __init__(
        self,
        *,
        pack: str = DEFAULT_PACK,
        labels: Sequence[str] | None = None,
        systems: Sequence[str] = DEFAULT_SYSTEMS,
        threshold: float | None = None,
        replace_codes: bool = True,
        learned: bool = True,
    ) -> None:
        unknown = sorted(set(labels or ()) - LABEL_GROUPS.keys())
        if unknown:
            raise ConfigError(f"linker: no concepts for the labels {', '.join(unknown)}")
        self._labels = frozenset(LABEL_GROUPS if labels is None else labels)
        self._systems = tuple(systems)
        self._replace = replace_codes
        base = load_knowledge(pack)
        self._linking = Linking(base, threshold=threshold, learned=learned)
        self.maker = Maker(
            extractor="linker",
            version=VERSION,
            model=base.name,
            model_version=base.version,
            model_sha256=base.sha256,
        )

    def refine(self, document: Document, entities: Sequence[Entity]) -> Sequence[Entity]:
        """The mentions with codes, in their order."""
        mentions = {
            at: Mention(entity.span.start, entity.span.end, entity.span.of(document.text), entity.label)
            for at, entity in enumerate(entities)
            if entity.label in self._labels
        }
        if not mentions:
            return entities
        context = self._linking.candidates.context(
            document.text, list(mentions.values()), defined=long_forms(document)
        )
        answers: dict[tuple[str, str], Code | None] = {}
        refined = list(entities)
        for at, mention in mentions.items():
            entity = entities[at]
            if entity.code is not None and not self._replace:
                continue
            asked = (mention.text, mention.label)
            if asked not in answers:
                answers[asked] = self._code(mention, context)
            code = answers[asked]
            if code is not None:
                refined[at] = replace(entity, code=code, normalised=_name(entity, code))
        return refined

    def _code(self, mention: Mention, context: Context) -> Code | None:
        link = self._linking.best(mention.text, mention.label, context)
        if link is None:
            return None
        chosen = self._linking.candidates.usual_code(link.row, context, self._systems)
        system, _, code = chosen.partition(":")
        base = self._linking.base
        return Code(
            system=system,
            code=code,
            display=base.concept(link.row).display,
            vocabulary_version=base.vocabulary_version,
        )


def _name(entity: Entity, code: Code) -> str:
    """What ``normalised`` becomes: a name that only came with the code before is replaced, all else stays."""
    own = entity.normalised
    replaced = own is None or (entity.code is not None and own == entity.code.display)
    return code.display if replaced or own is None else own
