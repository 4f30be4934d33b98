"""Governance as it is now, for readers of a moment that is over."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from extractor.lake.relation import Pair, pairs_predicate
from extractor.lake.snapshot import Snapshot, snapshot

if TYPE_CHECKING:
    from extractor.lake.store import Lake


class Today:
    """Which documents may be seen now, whatever an older state says of them.

    Holds about 200 bytes for each document that may be seen.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._found: dict[frozenset[Pair], frozenset[str]] = {}

    @property
    def in_work(self) -> frozenset[str]:
        """Documents that a writer is at: what will hold for them nobody knows, so nobody sees them."""
        return self._view.hidden

    def documents(self, pairs: frozenset[Pair]) -> frozenset[str]:
        """Documents of these classes and consents that were not withdrawn."""
        if pairs not in self._found:
            where = f"{pairs_predicate(pairs)} AND status <> 'withdrawn'"
            batches = self._view.batches("documents", ["doc_id"], where=where)
            self._found[pairs] = frozenset(
                doc_id for batch in batches for doc_id in batch.column(0).to_pylist()
            )
        return self._found[pairs]

    @cached_property
    def _view(self) -> Snapshot:
        return snapshot(self._lake, ["documents"])
