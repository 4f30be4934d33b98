"""One policy for mentions that overlap, whichever extractors made them.

1. Identifiers (``email``, ``url``, ``phone``, ``identifier``, ``lot_no``,
   ``document_no``) beat everything that overlaps them: nothing inside a number
   that points at something is a drug, a date or a measurement.
2. ``abbreviation`` stays beside anything: it says what a word stands for, not
   what it is. The same holds for a ``dose`` over the ``measurement`` of the same
   amount: the measurement gives way when the dose covers it.
3. Of two others that overlap, the longer stands; of equal length the one with
   a code, then by label in the order of :data:`ORDER`, then by maker's name.
4. Equal spans with equal labels are one mention: the one ranked first.

The outcome does not depend on the order of the input. It is sorted by start,
longer first, then label.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from extractor.records import Entity

IDENTIFIERS = frozenset({"email", "url", "phone", "identifier", "lot_no", "document_no"})
BESIDE = frozenset({"abbreviation"})
ORDER = (
    "dose", "date", "time", "measurement", "frequency", "route", "drug", "disease", "abbreviation",
)  # fmt: skip
"""Which label stands when spans are equal; labels not named come last, by name."""


def resolve(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """The mentions that stand under the policy of this module, sorted."""
    beside: dict[tuple[int, int, str], Entity] = {}
    kept: list[tuple[int, int]] = []  # spans that stand, sorted and without overlap
    standing: list[Entity] = []
    for entity in sorted(entities, key=_rank):
        start, end = entity.span.start, entity.span.end
        if entity.label in BESIDE:
            beside.setdefault((start, end, entity.label), entity)
            continue
        at = bisect_left(kept, (start, end))
        free = (at == 0 or kept[at - 1][1] <= start) and (at == len(kept) or kept[at][0] >= end)
        if free:
            kept.insert(at, (start, end))
            standing.append(entity)
    identifiers = [entity.span for entity in standing if entity.label in IDENTIFIERS]
    starts = sorted(span.start for span in identifiers)
    ends = sorted(span.end for span in identifiers)
    outside = [
        entity
        for entity in beside.values()
        if bisect_left(starts, entity.span.end) == _count_up_to(ends, entity.span.start)
    ]
    return tuple(sorted([*standing, *outside], key=_place))


def _count_up_to(ends: list[int], start: int) -> int:
    return bisect_left(ends, start + 1)


def _rank(entity: Entity) -> tuple[object, ...]:
    label = ORDER.index(entity.label) if entity.label in ORDER else len(ORDER)
    return (
        entity.label not in IDENTIFIERS,
        -len(entity.span),
        entity.code is None,
        label,
        entity.label,
        entity.span.start,
        entity.maker.extractor,
        entity.maker.model or "",
        entity.normalised or "",
    )


def _place(entity: Entity) -> tuple[int, int, str]:
    return (entity.span.start, -entity.span.end, entity.label)
