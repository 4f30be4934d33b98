"""Rows of some documents read file by file, and which documents lie in which file.

A table's files hold rows of many documents in an order of their own (by study
and digest within a file), so that neither partitions nor statistics tell where
a document is: asking the table for a few documents looks through all of it.
Here the files' doc_id columns are read once; afterwards a group of documents
costs no more than the files that hold them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from extractor.lake import delta
from extractor.lake.compact import StoredFile, stored_files, table_files

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from pyarrow.fs import FileSystem

    from extractor.lake.store import Lake

Ints = npt.NDArray[np.int64]

READ_ROWS = 1_024
"""Rows that are decoded at a time; a page's row may be tens of kilobytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A file with the hashes of its documents, ascending, and how many rows each has."""

    file: StoredFile
    hashes: Ints
    rows: Ints


@dataclass(kw_only=True)
class DocumentFiles:
    """Which documents lie in which files of a table; memory holds 16 bytes for each document of a file.

    Hashes of two documents may be equal: then a file is named that holds only the other.
    """

    lake: Lake
    table: str
    held: dict[str, Held] = field(default_factory=dict)
    handle: DeltaTable | None = None
    _version: int = -1

    def refresh(self) -> None:
        """Look at the newest version: read what files were added, forget those that are gone."""
        self.handle = self.lake.handle(self.table)
        if self.handle is None or self.handle.version() == self._version:
            return
        files = {file.path: file for file in stored_files(self.handle, self.table)}
        self.held = {path: one for path, one in self.held.items() if path in files}
        filesystem = table_files(self.handle)
        for path, file in files.items():
            if path not in self.held:
                with delta.translated(f"table {self.table} cannot be read"):
                    self.held[path] = _held(filesystem, file)
        self._version = int(self.handle.version())

    def holding(self, doc_ids: Collection[str]) -> list[StoredFile]:
        """The files that hold rows of some documents."""
        wanted = hashes_of(doc_ids)
        return [one.file for one in self.held.values() if np.isin(wanted, one.hashes).any()]


def hashes_of(doc_ids: Iterable[str]) -> Ints:
    """Hashes that tell documents apart within this process, in the order given."""
    return np.fromiter(map(hash, doc_ids), np.int64)


def _held(filesystem: FileSystem, file: StoredFile) -> Held:
    import pyarrow.parquet as pq

    with filesystem.open_input_file(file.path) as stream:
        reader = pq.ParquetFile(stream, read_dictionary=["doc_id"])
        counts: dict[str, int] = {}
        for group in range(reader.num_row_groups):
            found = reader.read_row_group(group, columns=["doc_id"]).column(0).value_counts()
            for doc_id, rows in zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True):
                counts[doc_id] = counts.get(doc_id, 0) + rows
    hashes = hashes_of(counts)
    order = np.argsort(hashes, kind="stable")
    return Held(file=file, hashes=hashes[order], rows=np.fromiter(counts.values(), np.int64)[order])


def read_rows(
    handle: DeltaTable, name: str, files: Iterable[StoredFile], schema: pa.Schema, doc_ids: Collection[str]
) -> Iterator[pa.RecordBatch]:
    """Rows of some documents in some files, with the columns of ``schema``; columns that are not stored are null.

    The files need not be live any more, but must still be there. Memory holds ``READ_ROWS`` decoded rows.

    Raises:
        LakeError: a file is gone or cannot be read.
    """
    import pyarrow as pa

    wanted = pa.array(sorted(doc_ids), pa.string())
    filesystem = table_files(handle)
    for file in files:
        with delta.translated(f"table {name}: a file cannot be read"):
            yield from _read_file(filesystem, file, schema, wanted)


def _read_file(
    filesystem: FileSystem, file: StoredFile, schema: pa.Schema, wanted: pa.Array
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with filesystem.open_input_file(file.path) as stream:
        reader = pq.ParquetFile(stream)
        stored = [column for column in schema.names if column in reader.schema_arrow.names]
        read = list(dict.fromkeys(["doc_id", *stored]))
        for group in range(reader.num_row_groups):
            owners = reader.read_row_group(group, columns=["doc_id"]).column(0)
            if not pc.any(pc.is_in(owners.cast(pa.string()), value_set=wanted)).as_py():
                continue
            for batch in reader.iter_batches(batch_size=READ_ROWS, row_groups=[group], columns=read):
                among = pc.is_in(batch.column("doc_id").cast(pa.string()), value_set=wanted)
                if pc.any(
                    among
                ).as_py():  # types first: files that delta-rs rewrote may hold what Arrow cannot filter
                    yield _fitted(batch, file, schema).filter(among)


def _fitted(batch: pa.RecordBatch, file: StoredFile, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = []
    for wanted in schema:
        if wanted.name in batch.schema.names:
            columns.append(batch.column(wanted.name).cast(wanted.type))
        elif wanted.name in file.partition:
            value = pa.scalar(file.partition[wanted.name], wanted.type)
            columns.append(pa.repeat(value, batch.num_rows))
        else:
            columns.append(pa.nulls(batch.num_rows, wanted.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def iter_documents(files: DocumentFiles, rows_of: dict[str, int]) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each document, as soon as as many were read as ``rows_of`` says; documents with fewer come last.

    In the order of the files, so that memory holds few documents at a time.
    Documents without any row are left out.
    """
    import pyarrow as pa

    files.refresh()
    if files.handle is None:
        return
    schema = files.lake.schema(files.table)
    parts: dict[str, list[pa.RecordBatch]] = {}
    counts: dict[str, int] = {}
    for batch in read_rows(files.handle, files.table, files.holding(rows_of), schema, rows_of):
        for doc_id, rows in _by_document(batch):
            parts.setdefault(doc_id, []).append(rows)
            counts[doc_id] = counts.get(doc_id, 0) + rows.num_rows
            if counts[doc_id] == rows_of[doc_id]:
                yield doc_id, pa.Table.from_batches(parts.pop(doc_id), schema=schema)
    for doc_id, found in parts.items():
        yield doc_id, pa.Table.from_batches(found, schema=schema)


def _by_document(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    """A document's rows stand together within a file."""
    owners = batch.column("doc_id").to_pylist()
    start = 0
    for index in range(1, len(owners) + 1):
        if index == len(owners) or owners[index] != owners[start]:
            yield owners[start], batch.slice(start, index - start)
            start = index
