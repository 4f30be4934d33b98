"""A document on its way through an extraction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from extractor.errors import ExtractorError
from extractor.governance.inventory import Entry
from extractor.lineage import digest
from extractor.pipeline import Outcome
from extractor.sources import Source


@dataclass(slots=True, kw_only=True, eq=False)
class Item:
    """A document on its way: its bytes are dropped once it is with a worker process.

    ``ticket`` and ``trace`` are whatever the one who offered it wants to find on it again.
    ``error`` says that its bytes could not be had.
    """

    doc_id: str
    content: bytes = field(default=b"", repr=False)
    entry: Entry
    address: str = field(repr=False)
    attachment_no: str = ""
    parent: Item | None = None
    waiting_for: int = 0
    outcome: Outcome | None = None
    byte_count: int = 0
    error: ExtractorError | None = None
    ticket: Any = None
    trace: Any = None

    @property
    def depth(self) -> int:
        return 0 if self.parent is None else self.parent.depth + 1

    @property
    def root(self) -> Item:
        """The document that was offered: this one, or the outermost that carries it."""
        return self if self.parent is None else self.parent.root


def read_item(
    source: Source | ExtractorError,
    entry_of: Callable[[str, str], Entry],
    *,
    max_bytes: int,
    address: str | None = None,
    ticket: Any = None,
) -> Item:
    """The document at a source with its governance; without its bytes it is known by address and size alone.

    A source that could not be made comes as its error, with the address it would have had.
    """
    address = source.address if isinstance(source, Source) else address or ""
    size = source.byte_count if isinstance(source, Source) else 0
    content, error = b"", None
    if isinstance(source, Source):
        try:
            content = source.read(max_bytes=max_bytes)
        except ExtractorError as refused:
            error = refused
    else:
        error = source
    doc_id = digest("unread", address, size) if error else hashlib.sha256(content).hexdigest()
    return Item(
        doc_id=doc_id,
        content=content,
        entry=entry_of(address, doc_id),
        address=address,
        byte_count=len(content) or size,
        error=error,
        ticket=ticket,
    )
