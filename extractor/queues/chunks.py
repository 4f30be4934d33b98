"""Messages in portions that a broker takes at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def chunks(
    items: Iterable[T], *, count: int, total: int | None = None, size: Callable[[T], int] = lambda _item: 0
) -> Iterator[list[T]]:
    """Portions of at most ``count`` items that weigh at most ``total`` together; a heavier item stands alone.

    Items are taken from their source as the portions are asked for.
    """
    portion: list[T] = []
    filled = 0
    for item in items:
        weight = size(item)
        if portion and (len(portion) == count or (total is not None and filled + weight > total)):
            yield portion
            portion, filled = [], 0
        portion.append(item)
        filled += weight
    if portion:
        yield portion
