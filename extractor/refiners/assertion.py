"""Whether a mention is denied, doubted, past, planned, or about somebody else: ConText with sections.

Method: NegEx and ConText (see ``triggers``), with the sentence as the widest
scope (``sentences``), the answers of tables and check lists (``answers``) and what a
section says about everything in it (:data:`SECTION_DEFAULTS`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from extractor.document import Document
from extractor.records import Assertion, Entity
from extractor.refiners.answers import denied_in_tables
from extractor.refiners.context import Said, Sentence
from extractor.refiners.sections import load_titles, section_at, sections
from extractor.refiners.sentences import Sentences
from extractor.refiners.triggers import PACK, load_triggers
from extractor.resources import maker_of, model_folder

VERSION = "1.0"
LABELS = (
    "disease", "sign_symptom", "adverse_effect", "drug", "diagnostic_procedure", "therapeutic_procedure", "lab_test",
)  # fmt: skip
"""The labels that are examined unless the option ``labels`` says otherwise."""

FINDINGS = frozenset({"disease", "sign_symptom", "adverse_effect"})
ACTIONS = frozenset({"drug", "diagnostic_procedure", "therapeutic_procedure", "lab_test"})

SECTION_DEFAULTS: Mapping[str, tuple[frozenset[str] | None, str]] = {
    "family_history": (None, "family"),
    "past_medical_history": (None, "historical"),
    "past_surgical_history": (None, "historical"),
    "allergies": (None, "historical"),
    "plan": (ACTIONS, "future"),
    "return_precautions": (FINDINGS, "hypothetical"),
    "contraindications": (FINDINGS, "hypothetical"),
}
"""Section: the labels it speaks about (None: all) and what it says of them where the sentence says nothing else."""


class AssertionRefiner:
    """Sets ``assertion`` of mentions with one of ``labels``; all four fields, so None stays "not examined".

    ``labels`` names what is examined; ``section_defaults`` says whether sections count.
    """

    def __init__(self, *, labels: Sequence[str] = LABELS, section_defaults: bool = True) -> None:
        self._labels = frozenset(labels)
        self._section_defaults = section_defaults
        self._triggers = load_triggers()
        load_titles()
        self.maker = maker_of(model_folder(PACK), extractor="assertion", version=VERSION)

    def refine(self, document: Document, entities: Sequence[Entity]) -> Sequence[Entity]:
        """The mentions, those of the chosen labels with their assertion."""
        chosen = [entity for entity in entities if entity.label in self._labels]
        if not chosen:
            return entities
        found = sections(document)
        starts = [section.span.start for section in found]
        bounds = Sentences(document, found)
        denied = denied_in_tables(document, [entity.span for entity in chosen])
        refined = []
        held: tuple[int, int] = (-1, -1)
        sentence: Sentence | None = None
        for entity in entities:
            if entity.label not in self._labels:
                refined.append(entity)
                continue
            start, end = bounds.around(entity.span.start)
            end = max(end, entity.span.end)
            if sentence is None or held != (start, end):
                held = (start, end)
                sentence = Sentence(document.text[start:end], self._triggers)
            said = sentence.about(entity.span.start - start, entity.span.end - start)
            if entity.span in denied:
                said.meanings.add("negated")
            section = section_at(found, starts, entity.span.start)
            if section is not None and self._section_defaults and entity.span.start >= section.body:
                _add_default(said, section.name, entity.label)
            refined.append(replace(entity, assertion=_assertion(said.meanings, entity.label)))
        return refined


def _add_default(said: Said, section: str, label: str) -> None:
    labels, meaning = SECTION_DEFAULTS.get(section, (None, ""))
    if not meaning or (labels is not None and label not in labels):
        return
    if meaning in {"historical", "future"} and said.meanings & {"historical", "future", "current"}:
        return
    if meaning == "family" and "other" in said.meanings:
        return
    said.meanings.add(meaning)


def _assertion(meanings: set[str], label: str) -> Assertion:
    finding = label in FINDINGS
    certainty = "certain"
    if "hypothetical" in meanings:
        certainty = "hypothetical"
    elif "uncertain" in meanings or (finding and "alternative" in meanings):
        certainty = "uncertain"  # "CHF versus pneumonia"; not "aspirin versus placebo"
    elif "tested" in meanings and "negated" not in meanings:
        certainty = "uncertain"  # "tested for hepatitis"; not once the test was negative
    temporality = "current"
    if "historical" in meanings:
        temporality = "historical"
    elif "future" in meanings and not finding:
        temporality = "future"  # an operation for cataract is planned, the cataract is there
    experiencer = "patient"
    if "family" in meanings:
        experiencer = "family"
    elif "other" in meanings:
        experiencer = "other"
    return Assertion(
        negated="negated" in meanings,
        certainty=certainty,
        temporality=temporality,
        experiencer=experiencer,
    )
