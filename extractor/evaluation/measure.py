"""From annotated documents and adapters to a report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from extractor.evaluation.assertion import AssertionTally
from extractor.evaluation.bootstrap import Counts, score
from extractor.evaluation.calibration import Calibration, calibrate
from extractor.evaluation.documents import text_document
from extractor.evaluation.engine import Found, find
from extractor.evaluation.labels import LabelMap
from extractor.evaluation.linking import LinkingTally
from extractor.evaluation.matching import Match, Place
from extractor.evaluation.mentions import Case
from extractor.evaluation.relations import RelationTally
from extractor.evaluation.report import Report
from extractor.finding import Adapters, refine, relate
from extractor.gold import GoldDocument
from extractor.records import Entity

TOKEN = re.compile(r"\w+|[^\w\s]")
"""What tokens per second count: words, and signs one by one."""
_CONTEXT = frozenset({"abbreviation"})
"""Labels that say what a word stands for; given mentions are refined beside them."""
_ALL = "all"


def measure(
    documents: Sequence[GoldDocument],
    adapters: Adapters,
    *,
    labels: LabelMap,
    match: Match = "strict",
    tested: str = "engine",
    whole: bool = True,
    notes: Sequence[str] = (),
) -> Report:
    """Figures of ``adapters`` on ``documents`` under a label map.

    ``whole``: mentions are scored as they stand after refining, and the time is
    that of all parts; else as extracted, and the time is that of the extractors.
    The order of the documents does not matter.

    Raises:
        ExtractionError: an adapter's mention lies outside its document.
    """
    annotated = sorted((each for each in documents if each.annotated), key=lambda each: (each.id, each.text))
    cases = [Case(gold, text_document(gold.text), labels) for gold in annotated]
    found = find(adapters, [case.document for case in cases])
    mentions = found.refined if whole else found.extracted
    linking = LinkingTally()
    counts: list[Mapping[str, Counts]] = []
    judged: dict[str, list[tuple[float | None, bool]]] = {kind: [] for kind in labels.types}
    for case, entities, refined in zip(cases, mentions, found.refined, strict=True):
        predicted = case.predicted(entities)
        wanted, pairs = case.pairs(predicted, match)
        counts.append(_counts(wanted, predicted, pairs))
        right = set(wanted) & predicted.keys()
        for place, entity in predicted.items():
            judged[place.type].append((entity.probability, place in right))
        with_codes = case.predicted(refined)
        linking.add_found(case, with_codes, case.pairs(with_codes, match)[1])
    assertion, given_relations = _on_given(cases, adapters, found, linking, match)
    relations = RelationTally(match)
    for case, links in zip(cases, found.relations, strict=True):
        relations.add(case, links, given=False)
    has_relations = any(
        relation.type in labels.gold_relations for case in cases for relation in case.gold.relations
    )
    tokens = sum(len(TOKEN.findall(case.gold.text)) for case in cases)
    return Report(
        scores=score(counts, labels.types),
        linking=linking.as_dict(types=labels.types, refined=bool(adapters.refiners)),
        assertion=assertion.as_dict() if adapters.refiners else None,
        relations={
            "end_to_end": relations.as_dict(list(labels.relations)),
            "given": given_relations.as_dict(list(labels.relations)),
        }
        if has_relations and adapters.relators
        else None,
        calibration=_calibration(judged),
        tokens=tokens,
        characters=sum(len(case.gold.text) for case in cases),
        documents=len(cases),
        seconds=found.extract_s + (found.refine_s if whole else 0.0),
        extract_s=found.extract_s,
        refine_s=found.refine_s,
        tested=tested,
        labels=labels.name,
        match=match,
        unit=labels.unit,
        left_out=_left_out(documents, cases, found, relations),
        notes=(*notes, *_notes(cases, labels, adapters, has_relations=has_relations)),
    )


def _counts(
    wanted: Sequence[Place], predicted: Mapping[Place, Entity], pairs: Sequence[tuple[Place, Place]]
) -> dict[str, Counts]:
    right = Counter(place.type for _, place in pairs)
    mine = Counter(place.type for place in predicted)
    gold = Counter(place.type for place in wanted)
    return {kind: (right[kind], mine[kind], gold[kind]) for kind in mine.keys() | gold.keys()}


def _on_given(
    cases: Sequence[Case], adapters: Adapters, found: Found, linking: LinkingTally, match: Match
) -> tuple[AssertionTally, RelationTally]:
    """Refine the annotated mentions themselves; relate them, the annotated concepts for codes."""
    assertion, relations = AssertionTally(), RelationTally(match)
    if not adapters.refiners and not adapters.relators:
        return assertion, relations
    for case, extracted in zip(cases, found.extracted, strict=True):
        beside = [
            entity
            for entity in extracted
            if entity.label in _CONTEXT and entity.label not in case.labels.ours
        ]
        given = sorted(
            [*case.given(), *beside], key=lambda each: (each.span.start, -each.span.end, each.label)
        )
        entities = refine(adapters, case.document, given)
        refined = case.refined(entities)
        linking.add_given(case, refined)
        assertion.add(case, refined)
        relations.add(case, relate(adapters, case.document, case.with_concepts(entities)), given=True)
    return assertion, relations


def _calibration(judged: Mapping[str, Sequence[tuple[float | None, bool]]]) -> dict[str, Calibration]:
    everything = [each for of_type in judged.values() for each in of_type]
    return {_ALL: calibrate(everything)} | {kind: calibrate(each) for kind, each in judged.items()}


def _left_out(
    documents: Sequence[GoldDocument], cases: Sequence[Case], found: Found, relations: RelationTally
) -> dict[str, Any]:
    """Counts of what was not compared, by reason."""
    gold: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    gold_relations: Counter[str] = Counter()
    our_relations: Counter[str] = Counter()
    in_pieces = failed = repeated = skipped = 0
    for case, entities, links in zip(cases, found.refined, found.relations, strict=True):
        labels = case.labels
        kept = [entity for entity in case.gold.entities if entity.type in labels.gold]
        gold.update(entity.type for entity in case.gold.entities if entity.type not in labels.gold)
        ours.update(entity.label for entity in entities if entity.label not in labels.ours)
        whole = [entity for entity in kept if entity.contiguous]
        in_pieces += len(kept) - len(whole)
        repeated += len(whole) - len(case.wanted)
        without_place = [mention for mention in case.gold.failed if mention.type in labels.gold]
        failed += 0 if labels.unit == "term" else len(without_place)
        gold_relations.update(
            each.type for each in case.gold.relations if each.type not in labels.gold_relations
        )
        our_relations.update(link.label for link in links if labels.our_relation(link.label) is None)
        skipped += case.gold.relations_skipped
    return {
        "gold_types": dict(sorted(gold.items())),
        "labels": dict(sorted(ours.items())),
        "gold_relations": dict(sorted(gold_relations.items())),
        "relation_labels": dict(sorted(our_relations.items())),
        "gold_mentions_without_place": failed,
        "gold_mentions_in_pieces": in_pieces,
        "gold_mentions_repeated": repeated,
        "gold_relations_without_two_arguments": skipped,
        "gold_relations_without_place_or_concept": relations.gold_unplaced,
        "documents_without_annotation": sum(not each.annotated for each in documents),
    }


def _notes(cases: Sequence[Case], labels: LabelMap, adapters: Adapters, *, has_relations: bool) -> list[str]:
    notes = [labels.note] if labels.note else []
    if labels.unit == "term":
        notes.append("distinct terms of each document are counted, not places")
    if not cases:
        notes.append("there is no annotated document")
    entities = [entity for case in cases for entity in case.gold.entities]
    if any(entity.concept for entity in entities) and not adapters.refiners:
        notes.append("linking of given mentions: no refiner is configured")
    if any(entity.negated is not None or entity.temporality for entity in entities) and not adapters.refiners:
        notes.append("assertion: no refiner is configured")
    if has_relations and not adapters.relators:
        notes.append("relations: no relator is configured")
    return notes
