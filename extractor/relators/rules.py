"""Links that need no model: the cells of a table row, and how long a drug is given.

Nobody calibrated them, so they carry neither score nor probability.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from extractor.document import Document
from extractor.records import Entity
from extractor.relators.kinds import CAUSAL, SENTENCE_KINDS, Kind
from extractor.relators.scopes import Grid, Placed, by_sentence, grids, sentence_starts

Link = tuple[str, Entity, Entity]
"""Label, head, tail."""

NOT_A_VALUE = re.compile(
    r"\b(?:ref(?:erence)?|range|limits?|normal|spec(?:ification)?|accept\w*|criteri\w+"
    r"|target|set ?point|units?|nominal)\b"
)
"""Titles of columns that hold what a value should be, not what it is."""

DURATION = SENTENCE_KINDS["drug_duration"]
MOST_BETWEEN = 90
"""Characters between a drug and its duration: room for dose, route and frequency."""
_FOR = re.compile(
    r"(?:\b(?:for|over|x|\u00d7|during|since|of|lasting)\s*(?:the\s|a\s|about\s|another\s)?|[(,]\s*)$",
    re.IGNORECASE,
)
_LASTING = re.compile(r"(?:for|over|during|since|x)\b", re.IGNORECASE)
_COURSE = re.compile(
    r"\s*-?\s*(?:course|cycles?|days?|weeks?|months?)?\s*(?:of|on|with)\s+(?:the\s)?", re.IGNORECASE
)
_STOP = re.compile(r"[;:]|\.\s|\b(?:then|followed|after|before|because|until)\b", re.IGNORECASE)


def table_links(document: Document, entities: Sequence[Entity], kinds: Iterable[Kind]) -> Iterator[Link]:
    """Links between different cells of a row.

    A tail belongs to the nearest head to its left, else to a head among the
    titles of its column. Columns whose title says that they hold a reference
    hold no values. That a drug and a finding share a row says nothing about cause.
    """
    kinds = tuple(kind for kind in kinds if kind.label not in CAUSAL)
    for grid in grids(document, entities):
        rows: dict[int, list[Placed]] = {}
        for one in grid.placed:
            rows.setdefault(one.row_no, []).append(one)
        for kind in kinds:
            yield from _of_grid(grid, rows, kind)


def _of_grid(grid: Grid, rows: dict[int, list[Placed]], kind: Kind) -> Iterator[Link]:
    titles: dict[int, Entity] = {}
    for one in grid.placed:
        if one.header and one.entity.label in kind.heads:
            titles.setdefault(one.column_no, one.entity)
    for row in rows.values():
        heads = [one for one in row if one.entity.label in kind.heads]
        for one in row:
            if one.header or one.entity.label not in kind.tails:
                continue
            title = grid.titles[one.column_no - 1] if one.column_no <= len(grid.titles) else ""
            if NOT_A_VALUE.search(title):
                continue
            left = [head for head in heads if head.column_no < one.column_no]
            if left:
                yield kind.label, max(left, key=lambda head: head.column_no).entity, one.entity
            elif not any(head.column_no == one.column_no for head in heads) and one.column_no in titles:
                yield kind.label, titles[one.column_no], one.entity


def duration_links(document: Document, entities: Sequence[Entity]) -> Iterator[Link]:
    """How long a drug is given: "7 days" after it ("for", "x", "over"), or before it ("a 7-day course of")."""
    wanted = [one for one in entities if one.label in DURATION.heads or one.label in DURATION.tails]
    if not any(one.label in DURATION.tails for one in wanted):
        return
    text = document.text
    for start, end, group in by_sentence(sentence_starts(document), wanted):
        drugs = [one for one in group if one.label in DURATION.heads]
        starts = [drug.span.start for drug in drugs]
        for tail in group:
            if tail.label not in DURATION.tails:
                continue
            at = bisect_left(starts, tail.span.start)
            if at < len(drugs) and _COURSE.fullmatch(text[tail.span.end : drugs[at].span.start][:60]):
                yield DURATION.label, drugs[at], tail
            elif at and _given(text, drugs[at - 1], tail, max(start, tail.span.start - 20), end):
                yield DURATION.label, drugs[at - 1], tail


def _given(text: str, drug: Entity, tail: Entity, from_: int, end: int) -> bool:
    between = text[drug.span.end : min(tail.span.start, end)]
    if len(between) > MOST_BETWEEN or _STOP.search(between):
        return False
    return bool(_LASTING.match(text, tail.span.start) or _FOR.search(text[from_ : tail.span.start]))
