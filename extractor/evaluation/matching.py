"""Which predictions are right: each prediction and each annotation is used at most once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from extractor.spans import Span

Match = Literal["strict", "overlap"]
G = TypeVar("G")
P = TypeVar("P")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """What makes a mention the same mention: its evaluated type and its place.

    ``text`` is empty except where terms are counted: then the span is (0, 1)
    for all and the case-folded text tells them apart.
    """

    type: str
    span: Span
    text: str = ""


def pair_up(gold: Sequence[Place], predicted: Sequence[Place], match: Match) -> list[tuple[int, int]]:
    """Pairs (place in ``gold``, place in ``predicted``) that match, as many as can be.

    ``strict``: equal type and span. ``overlap``: equal type and at least one
    shared character; equal spans are paired first. Both sides must be free of duplicates.
    """
    if match == "strict":
        where = {place: index for index, place in enumerate(gold)}
        return [(where[place], index) for index, place in enumerate(predicted) if place in where]
    return largest_pairing(_neighbours(gold, predicted), equal_first(gold, predicted))


def equal_first(gold: Sequence[Hashable], predicted: Sequence[Hashable]) -> dict[int, int]:
    """The pairing of equal members, as a start for :func:`largest_pairing`: gold place by predicted place."""
    where = {place: index for index, place in enumerate(gold)}
    return {index: where[place] for index, place in enumerate(predicted) if place in where}


def compatible_pairs(
    gold: Sequence[G], predicted: Sequence[P], fits: Callable[[G, P], bool]
) -> list[tuple[int, int]]:
    """As many pairs of members that ``fits`` allows as can be; quadratic, for short lists."""
    edges = [[g for g, one in enumerate(gold) if fits(one, other)] for other in predicted]
    return largest_pairing(edges, {})


def largest_pairing(edges: Sequence[Sequence[int]], start: dict[int, int]) -> list[tuple[int, int]]:
    """A maximum matching of a bipartite graph by augmenting paths (Kuhn), grown from ``start``.

    ``edges[p]`` are the gold members that predicted member ``p`` may take. Which
    members are matched at ``start`` stay matched, so the size does not depend on the order.
    """
    taken = {g: p for p, g in start.items()}
    owns = dict(start)
    for root, reach in enumerate(edges):
        if root in owns or not reach:
            continue
        came: dict[int, int] = {}  # gold member -> predicted member that reached it
        waiting = [root]
        end: int | None = None
        while waiting and end is None:
            p = waiting.pop()
            for g in edges[p]:
                if g not in came:
                    came[g] = p
                    if g not in taken:
                        end = g
                        break
                    waiting.append(taken[g])
        while end is not None:  # turn the path around
            p = came[end]
            before = owns.get(p)
            taken[end], owns[p] = p, end
            end = before
    return sorted((g, p) for g, p in taken.items())


def _neighbours(gold: Sequence[Place], predicted: Sequence[Place]) -> list[list[int]]:
    """For each prediction the annotations of its type that share a character with it."""
    order = sorted(range(len(gold)), key=lambda g: (gold[g].span.start, gold[g].span.end))
    edges: list[list[int]] = [[] for _ in predicted]
    active: list[int] = []
    at = 0
    for p in sorted(range(len(predicted)), key=lambda p: predicted[p].span.start):
        span = predicted[p].span
        while at < len(order) and gold[order[at]].span.start < span.end:
            active.append(order[at])
            at += 1
        active = [g for g in active if gold[g].span.end > span.start]
        edges[p] = [
            g
            for g in active
            if gold[g].type == predicted[p].type
            and gold[g].text == predicted[p].text
            and gold[g].span.overlaps(span)
        ]
    return edges


def without_alternatives(gold: Iterable[Place], found: Iterable[Place]) -> list[Place]:
    """Annotations of which none shares a character with another of its type, ``found`` ones first, as many as can be.

    What is left away is another reading of what is kept.
    """
    hits = set(found)
    kept: dict[str, list[Place]] = {}
    for place in sorted(gold, key=lambda each: (each not in hits, each.span.end, -each.span.start)):
        of_type = kept.setdefault(place.type, [])
        if not any(each.span.overlaps(place.span) and each.text == place.text for each in of_type):
            of_type.append(place)
    return sorted(place for of_type in kept.values() for place in of_type)
