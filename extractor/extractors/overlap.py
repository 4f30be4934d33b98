"""One policy for mentions that overlap, whichever extractors made them.

1. Identifiers (``email``, ``url``, ``phone``, ``identifier``, ``lot_no``,
   ``document_no``) beat everything that overlaps them: nothing inside a number
   that points at something is a drug, a date or a measurement.
2. ``abbreviation`` stays beside anything: it says what a word stands for, not what it is.
3. A mention that only a vocabulary knows (maker ``dictionary``) gives way to any
   other: what reads the sentence knows better what a name means in it.
4. A ``dose`` that covers another dose together with a frequency or a route
   ("500 mg twice daily", as some corpora annotate it) gives way to its parts.
5. Of two others that overlap, the longer stands; of equal length the one with
   a code, then by label in the order of :data:`ORDER` (a ``measurement`` is an
   amount of something: it gives way to a ``dose`` or ``lab_value``), then the one
   with a canonical form, then by maker's name.
6. Equal spans with equal labels are one mention: the one ranked first.
7. What gives way hands over what it knew: a standing mention of a quantity or a
   date without number or canonical form takes those of the longest mention
   inside it that had them; one of equal span takes its code.

The outcome does not depend on the order of the input. It is sorted by start,
longer first, then label.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from extractor.records import Entity

IDENTIFIERS = frozenset({"email", "url", "phone", "identifier", "lot_no", "document_no"})
BESIDE = frozenset({"abbreviation"})
ORDER = (
    "frequency", "route", "dose", "date", "time", "lab_value", "age", "duration", "measurement", "drug",
    "adverse_effect", "disease", "sign_symptom", "abbreviation",
)  # fmt: skip
"""Which label stands when spans are equal; labels not named come last, by name."""
_QUANTITIES = frozenset({"dose", "lab_value", "age", "duration", "frequency", "measurement"})
_HEIRS = dict.fromkeys(_QUANTITIES, _QUANTITIES) | {"date": frozenset({"date"})}
"""Labels that take over number and canonical form, and from which labels."""


def resolve(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """The mentions that stand under the policy of this module, sorted."""
    beside: dict[tuple[int, int, str], Entity] = {}
    kept: list[tuple[int, int]] = []  # spans that stand, sorted and without overlap
    standing: list[Entity] = []
    fallen: list[Entity] = []
    offered = list(entities)
    compound = _compound(offered)
    for entity in sorted(offered, key=lambda entity: _rank(entity, compound)):
        start, end = entity.span.start, entity.span.end
        if entity.label in BESIDE:
            beside.setdefault((start, end, entity.label), entity)
            continue
        at = bisect_left(kept, (start, end))
        free = (at == 0 or kept[at - 1][1] <= start) and (at == len(kept) or kept[at][0] >= end)
        if free:
            kept.insert(at, (start, end))
            standing.append(entity)
        else:
            fallen.append(entity)
    identifiers = [entity.span for entity in standing if entity.label in IDENTIFIERS]
    starts = sorted(span.start for span in identifiers)
    ends = sorted(span.end for span in identifiers)
    outside = [
        entity
        for entity in beside.values()
        if bisect_left(starts, entity.span.end) == _count_up_to(ends, entity.span.start)
    ]
    return tuple(sorted([*_enriched(standing, fallen), *outside], key=_place))


def _compound(entities: Sequence[Entity]) -> frozenset[tuple[int, int]]:
    """Spans of doses that cover another dose and a frequency or route."""
    spans = {
        label: sorted({(entity.span.start, entity.span.end) for entity in entities if entity.label == label})
        for label in ("dose", "frequency", "route")
    }

    def covers(outer: tuple[int, int], label: str) -> bool:
        inside = spans[label]
        for start, end in inside[bisect_left(inside, (outer[0], 0)) :]:
            if start >= outer[1]:
                break
            if end <= outer[1] and (start, end) != outer:
                return True
        return False

    return frozenset(
        outer
        for outer in spans["dose"]
        if covers(outer, "dose") and (covers(outer, "frequency") or covers(outer, "route"))
    )


def _enriched(standing: Sequence[Entity], fallen: Sequence[Entity]) -> list[Entity]:
    """The standing mentions with what those that gave way inside them knew; ``fallen`` comes best first."""
    at = {entity.span.start: place for place, entity in enumerate(standing)}
    starts = sorted(at)
    found = list(standing)
    for lesser in fallen:
        nearest = bisect_left(starts, lesser.span.start + 1) - 1
        if nearest < 0:
            continue
        place = at[starts[nearest]]
        heir = found[place]
        if lesser.span.end > heir.span.end:
            continue
        if heir.quantity is None and heir.normalised is None and lesser.label in _HEIRS.get(heir.label, ()):
            found[place] = replace(heir, quantity=lesser.quantity, normalised=lesser.normalised)
        elif heir.code is None and lesser.code is not None and lesser.span == heir.span:
            found[place] = replace(heir, code=lesser.code, normalised=heir.normalised or lesser.normalised)
    return found


def _count_up_to(ends: list[int], start: int) -> int:
    return bisect_left(ends, start + 1)


def _rank(entity: Entity, compound: Collection[tuple[int, int]]) -> tuple[object, ...]:
    label = ORDER.index(entity.label) if entity.label in ORDER else len(ORDER)
    return (
        entity.label not in IDENTIFIERS,
        entity.maker.extractor == "dictionary",
        entity.label == "dose" and (entity.span.start, entity.span.end) in compound,
        -len(entity.span),
        entity.code is None,
        label,
        entity.label,
        entity.quantity is None and entity.normalised is None,
        entity.span.start,
        entity.maker.extractor,
        entity.maker.model or "",
        entity.normalised or "",
    )


def _place(entity: Entity) -> tuple[int, int, str]:
    return (entity.span.start, -entity.span.end, entity.label)
