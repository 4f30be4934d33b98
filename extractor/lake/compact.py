"""Putting small files of a table together, in commits that compare and swap.

delta-rs has a compaction of its own, but two of them at the same time both
commit, and every row is there twice: it neither compares removed files that
hold the same rows elsewhere nor honours ``max_commit_retries`` or application
transactions there (seen with 1.6.6). Here the merged file is written first;
then one commit removes the small files and adds it, which lands only on a
version in which all of the small files are still live.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from uuid import uuid4

from extractor.lake import delta

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction
    from pyarrow.fs import FileSystem


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A live file of a table; ``path`` as the store knows it (the log has it URL-encoded once more)."""

    path: str
    size_bytes: int
    partition: Mapping[str, str | None]
    figures: Mapping[str, Any]


def small_files(handle: DeltaTable, name: str, target_file_mb: int) -> int:
    """How many files could be put together: those of less than half the target, beyond one per partition."""
    return sum(len(group) - 1 for group in _groups(stored_files(handle, name), target_file_mb))


def compact(handle: DeltaTable, name: str, *, target_file_mb: int, **metadata: str) -> int:
    """Merge small files of each partition up to the target size; rows stay. How many files went.

    Safe beside any writer: where one replaced a file meanwhile, that group of
    files is left as it is. Memory holds one row group.

    Raises:
        LakeError: the store failed.
    """
    merged = 0
    for group in list(_groups(stored_files(handle, name), target_file_mb)):
        with delta.translated(f"table {name}: compaction failed"):
            filesystem = table_files(handle)
            added = _merge(handle, filesystem, group)
            if _swap(handle, name, group, added, metadata):
                merged += len(group)
            else:
                filesystem.delete_file(added.path)
    return merged


def stored_files(handle: DeltaTable, name: str) -> list[StoredFile]:
    """The live files of the handle's version, oldest first."""
    import pyarrow as pa

    with delta.translated(f"table {name}: the files cannot be listed"):
        rows = pa.table(handle.get_add_actions(flatten=True)).to_pylist()
    return [
        StoredFile(
            path=unquote(row["path"]),
            size_bytes=row["size_bytes"],
            partition={
                key.removeprefix("partition."): value
                for key, value in row.items()
                if key.startswith("partition.")
            },
            figures=row,
        )
        for row in sorted(rows, key=lambda row: (row["modification_time"], row["path"]))
    ]


def _groups(files: Sequence[StoredFile], target_file_mb: int) -> Iterator[list[StoredFile]]:
    """Groups of at least two small files of a partition, oldest first, that together have the target size."""
    target = target_file_mb * 2**20
    partitions: dict[tuple[str | None, ...], list[StoredFile]] = {}
    for file in files:
        if file.size_bytes < target / 2:
            partitions.setdefault(tuple(file.partition.values()), []).append(file)
    for found in partitions.values():
        group: list[StoredFile] = []
        size = 0
        for file in found:
            if group and size + file.size_bytes > target:
                if len(group) > 1:
                    yield group
                group, size = [], 0
            group.append(file)
            size += file.size_bytes
        if len(group) > 1:
            yield group


def table_files(handle: DeltaTable) -> FileSystem:
    """The table's folder as an Arrow file system, over the store that delta-rs itself uses."""
    from deltalake.fs import DeltaStorageHandler
    from pyarrow.fs import PyFileSystem

    return PyFileSystem(DeltaStorageHandler.from_table(handle._table, handle._storage_options))  # noqa: SLF001  # as to_pyarrow_dataset does


def _merge(handle: DeltaTable, filesystem: FileSystem, group: Sequence[StoredFile]) -> AddAction:
    """Write one file with the rows of several, and tell what the log must know of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from deltalake.transaction import AddAction

    partition = group[0].partition
    schema = pa.schema([field for field in delta.stored_schema(handle) if field.name not in partition])
    folder = group[0].path.rpartition("/")[0]
    path = f"{folder}/" * bool(folder) + f"part-00000-{uuid4()}-c000.zstd.parquet"
    with (
        filesystem.open_output_stream(path) as stream,
        pq.ParquetWriter(stream, schema, compression="zstd") as writer,
    ):
        waiting: list[pa.RecordBatch] = []
        for batch in _batches(filesystem, group, schema):
            waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= delta.ROW_GROUP:
                writer.write_table(pa.Table.from_batches(waiting, schema=schema))
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting, schema=schema))
    return AddAction(
        path=path,
        size=filesystem.get_file_info(path).size,
        partition_values=dict(partition),
        modification_time=int(time.time() * 1000),
        data_change=False,
        stats=_statistics(group),
    )


def _batches(
    filesystem: FileSystem, group: Sequence[StoredFile], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Rows of the files in the table's types; columns that an older file lacks are null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file in group:
        with filesystem.open_input_file(file.path) as stream:
            for batch in pq.ParquetFile(stream).iter_batches(batch_size=delta.ROW_GROUP):
                columns = [
                    batch.column(field.name).cast(field.type)
                    if field.name in batch.schema.names
                    else pa.nulls(batch.num_rows, field.type)
                    for field in schema
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _statistics(group: Sequence[StoredFile]) -> str:
    """The statistics of the merged file from those of its parts; a column without them in one part has none."""
    figures = [file.figures for file in group]
    lows: dict[str, Any] = {}
    highs: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for key in figures[0]:
        if not key.startswith("null_count."):
            continue
        name = key.removeprefix("null_count.")
        counts = [one[key] for one in figures]
        if any(count is None for count in counts):
            continue
        nulls[name] = sum(counts)
        filled = [one for one in figures if one[key] < one["num_records"]]
        bounds: list[Any] = [one.get(f"{end}.{name}") for one in filled for end in ("min", "max")]
        if bounds and all(isinstance(value, str | int) for value in bounds):
            lows[name], highs[name] = min(bounds), max(bounds)
    rows = sum(one["num_records"] for one in figures)
    return json.dumps({"numRecords": rows, "minValues": lows, "maxValues": highs, "nullCount": nulls})


def _swap(
    handle: DeltaTable, name: str, group: Sequence[StoredFile], added: AddAction, metadata: Mapping[str, str]
) -> bool:
    """Put the merged file in the place of its parts; False when a part is not live any more."""
    from deltalake.transaction import RemoveAction

    parts = {file.path for file in group}
    while True:
        if not parts <= {file.path for file in stored_files(handle, name)}:
            return False
        now = int(time.time() * 1000)
        removed = [
            RemoveAction(file.path, False, now, file.size_bytes, dict(file.partition)) for file in group
        ]
        try:
            with delta.compare_and_swap(handle, name, "compaction", **metadata) as properties:
                handle.create_write_transaction(
                    [added, *removed],
                    mode="append",
                    schema=handle.schema(),
                    partition_by=list(handle.metadata().partition_columns),
                    commit_properties=properties,
                )
        except delta.StaleError:
            continue  # the handle is at the newest version now: somebody else got on, so this ends
        handle.update_incremental()
        return True
