"""What a principal may read of a table, as a relation that holds nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from extractor.errors import LakeError
from extractor.lake import delta

Pair = tuple[str, str]
"""A classification and a consent scope."""


class VisibleRows(ds.InMemoryDataset):  # type: ignore[misc]  # pyarrow has no types
    """An Arrow dataset of a table's visible rows and columns, read piece by piece when scanned.

    The base class holds no rows at all: whatever does not go through
    :meth:`scanner` finds an empty table. Files of other partitions are not
    opened, columns that a scan does not need are not read. delta-rs applies the
    policy's predicate to every row; the scan's own filter is applied after it, because
    rewritten files hold strings in a form that Arrow's filters over files do
    not know.
    """

    def __init__(
        self,
        batches: Callable[[Sequence[str]], Iterator[pa.RecordBatch]],
        schema: pa.Schema,
        failures: list[LakeError],
    ) -> None:
        super().__init__([], schema=schema)
        self._read = batches
        self._visible_schema = schema
        self._failures = failures

    @property
    def schema(self) -> pa.Schema:
        """The visible columns."""
        return self._visible_schema

    def scanner(
        self,
        columns: Sequence[str] | None = None,
        filter: Any = None,  # noqa: A002  # Arrow's name
        **_: Any,
    ) -> ds.Scanner:
        """A scanner over the visible rows for which ``filter`` holds."""
        names = self.schema.names
        chosen = names if columns is None else list(columns)
        # An expression does not tell its columns: every column whose name its text contains is read.
        said = "" if filter is None else str(filter)
        needed = [name for name in names if name in chosen or name in said] or names[:1]
        schema = pa.schema([self.schema.field(name) for name in needed])
        reader = pa.RecordBatchReader.from_batches(schema, self._batches(needed))
        return ds.Scanner.from_batches(reader, columns=chosen, filter=filter)

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._read(columns)
        except LakeError as error:  # the engine that scans would wrap it beyond recognition
            self._failures.append(error)
            raise


def pairs_predicate(pairs: Collection[Pair]) -> str:
    """SQL that lets exactly these pairs through; nothing for none. Scopes of a class stand together."""
    scopes: dict[str, list[str]] = {}
    for classification, scope in sorted(pairs):
        scopes.setdefault(classification, []).append(scope)
    terms = [
        f"(classification = {delta.literal(name)} AND {delta.in_list('consent_scope', found)})"
        for name, found in scopes.items()
    ]
    return f"({' OR '.join(terms)})" if terms else "1 = 0"
