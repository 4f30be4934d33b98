"""Sequences of similar length together, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar


class Sized(Protocol):
    """Something with word pieces."""

    @property
    def ids(self) -> Sequence[int]: ...


Item = TypeVar("Item", bound=Sized)


def by_length(items: Iterable[Item], budget: int) -> Iterator[list[Item]]:
    """Batches of items of similar length, each at most ``budget`` word pieces with padding, at least one item."""
    batch: list[Item] = []
    for item in sorted(items, key=lambda item: len(item.ids)):
        if batch and len(item.ids) * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
