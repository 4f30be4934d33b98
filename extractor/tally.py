"""The count of what became of documents; it refuses to exist when it does not add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Documents by what became of them. ``seen = done + partial + quarantined + skipped + bugs``.

    ``skipped`` documents are already current in the lake, or the same bytes a
    second time. ``bugs`` are quarantined as well, with a code ``bug.*``.
    """

    seen: int
    done: int
    partial: int
    quarantined: int
    skipped: int
    bugs: int
    pages: int
    rows: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.seen != self.done + self.partial + self.quarantined + self.skipped + self.bugs:
            raise AssertionError("documents were lost: the tally does not add up")

    def as_dict(self) -> dict[str, Any]:
        """The tally as ``extractor run --json`` prints it."""
        return {
            "seen": self.seen,
            "done": self.done,
            "partial": self.partial,
            "quarantined": self.quarantined,
            "skipped": self.skipped,
            "bugs": self.bugs,
            "pages": self.pages,
            "rows": dict(self.rows),
            "seconds": round(self.seconds, 3),
        }
