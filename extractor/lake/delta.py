"""The one place that calls delta-rs: open, create, evolve, scan, and compare-and-swap commits.

Every commit is made with a handle of a known version and without the
library's own retries, so that it lands as exactly the next version or not at
all (delta-rs: ``max_commit_retries=0`` fails when anything was committed since;
an application transaction says the same once more). Messages of delta-rs may
print rows and paths, so none is passed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from extractor.errors import ContractError, LakeError
from extractor.schema import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable

APP_ID = "extractor"
"""Application id of the transaction that each commit of the engine records."""

LOG_DAYS = 365
"""Entries of a table's log are kept so long at least; longer while a snapshot needs them."""

KEEP_LOG = {"delta.enableExpiredLogCleanup": "false"}
"""Checkpoints do not clean the log up: only maintenance does, which knows the snapshots."""

ROW_GROUP = 65_536
"""Rows of one row group, the least that a reader holds at a time."""


class StaleError(Exception):
    """The handle is not the newest version any more; reopen, look again, retry. Never leaves this package."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn failures of delta-rs and its stores into a LakeError that quotes nothing; ``what`` names table and act."""
    import pyarrow as pa
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (DeltaError, OSError, ValueError, pa.ArrowException) as error:
        if _is_gone(error):
            raise _gone(what) from None
        raise LakeError(f"{what}: {type(error).__name__}") from None


def open_table(
    uri: str, options: Mapping[str, str], *, name: str, version: int | None = None
) -> DeltaTable | None:
    """A handle on the newest, or a given, version; None where no table is.

    Raises:
        LakeError: the store cannot be reached or the version is gone (``lake.gone``).
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    with translated(f"table {name} cannot be opened"):
        try:
            return DeltaTable(uri, version=version, storage_options=dict(options))
        except TableNotFoundError:
            if version is not None:
                raise _gone(f"table {name} cannot be opened at version {version}") from None
            return None


_GONE = ("No files in log segment", "LogSegment end version", "No table metadata or protocol")
"""What delta-rs says of a version that its log has not, or not any more."""


def _is_gone(error: Exception) -> bool:
    """Whether a file or a version is not there; scans say so in words only."""
    said = str(error)
    missing = "Object at location" in said and "not found" in said
    return isinstance(error, FileNotFoundError) or missing or any(words in said for words in _GONE)


def _gone(what: str) -> LakeError:
    return LakeError(
        f"{what}: files or log of that version are not there",
        code="lake.gone",
        hint="You: maintenance removes what is older than lake.vacuum_hours; name states to keep with "
        "`extractor snapshot create`.",
    )


def keep_log(handle: DeltaTable, contract: Table) -> None:
    """Let checkpoints of a table that was made before snapshots were known keep its log.

    Raises:
        StaleError: another writer committed meanwhile.
    """
    if handle.metadata().configuration.items() >= KEEP_LOG.items():
        return
    with compare_and_swap(handle, contract.name, "property") as properties:
        handle.alter.set_table_properties(KEEP_LOG, raise_if_not_exists=False, commit_properties=properties)


def create_table(uri: str, options: Mapping[str, str], contract: Table, *, vacuum_hours: int) -> DeltaTable:
    """Make the table of a contract, or open it where another writer was first.

    File statistics, which every reader of the log can see, are kept of open columns only.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    skipping = [
        column.name
        for column in contract.columns
        if column.classification == "open" and column.dtype in {"string", "int32", "int64", "timestamp"}
    ]
    with translated(f"table {contract.name} cannot be created"):
        try:
            return DeltaTable.create(
                uri,
                schema=contract.arrow_schema(),
                mode="error",
                partition_by=list(contract.partition_by),
                name=contract.name,
                description=contract.description,
                configuration={
                    "delta.dataSkippingStatsColumns": ",".join(skipping),
                    "delta.logRetentionDuration": f"interval {LOG_DAYS} days",
                    **KEEP_LOG,
                    "delta.deletedFileRetentionDuration": f"interval {vacuum_hours} hours",
                    "extractor.contract": contract.metadata_json(),
                },
                storage_options=dict(options),
                raise_if_key_not_exists=False,
            )
        except DeltaError:
            found = open_table(uri, options, name=contract.name)
            if found is None:
                raise
            return found


def conform(handle: DeltaTable, contract: Table) -> None:
    """Check a stored schema against its contract; add columns that the contract gained.

    Stored columns that the contract does not know belong to a newer version and stay.

    Raises:
        ContractError: a type, the partitioning or a required column contradicts the contract.
        StaleError: another writer changed the table meanwhile.
    """
    from deltalake import Field, Schema as DeltaSchema

    stored = stored_schema(handle)
    if tuple(handle.metadata().partition_columns) != contract.partition_by:
        raise ContractError(f"table {contract.name}: stored with other partition columns")
    missing = []
    for field in contract.arrow_schema():
        index = stored.get_field_index(field.name)
        if index < 0:
            if not field.nullable:
                raise ContractError(f"table {contract.name}: required column {field.name} is not stored")
            missing.append(field)
        elif not same_type(stored.field(index).type, field.type):
            raise ContractError(f"table {contract.name}: column {field.name} is stored with another type")
    unknown = [f.name for f in stored if f.name not in contract.column_names and not f.nullable]
    if unknown:
        raise ContractError(f"table {contract.name}: stored column {unknown[0]} is required but unknown")
    if missing:
        import pyarrow as pa

        wanted = DeltaSchema.from_arrow(pa.schema(missing)).fields
        fields = [Field(f.name, f.type, nullable=True, metadata=f.metadata) for f in wanted]
        with compare_and_swap(handle, contract.name, "schema") as properties:
            handle.alter.add_columns(fields, commit_properties=properties)


def same_type(stored: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether two types hold the same, whatever their list items are called and however strings lie in memory."""
    import pyarrow as pa

    if pa.types.is_list(wanted) or pa.types.is_large_list(wanted):
        is_list = pa.types.is_list(stored) or pa.types.is_large_list(stored)
        return is_list and same_type(stored.value_type, wanted.value_type)
    if pa.types.is_struct(wanted):
        return pa.types.is_struct(stored) and all(
            stored.get_field_index(field.name) >= 0 and same_type(stored.field(field.name).type, field.type)
            for field in wanted
        )
    if pa.types.is_string(wanted):
        return bool(
            pa.types.is_string(stored) or pa.types.is_large_string(stored) or pa.types.is_string_view(stored)
        )
    return bool(stored == wanted)


def stored_schema(handle: DeltaTable) -> pa.Schema:
    """The schema of the handle's version as Arrow, with column metadata."""
    import pyarrow as pa

    return pa.schema(handle.schema().to_arrow())


@contextmanager
def compare_and_swap(handle: DeltaTable, name: str, act: str, **metadata: str) -> Iterator[CommitProperties]:
    """Properties of a commit that lands as the handle's next version or raises :class:`StaleError`.

    When the store reports a failure although the commit landed (an answer lost
    on the way), the commit is found by its own id, and counts as landed.
    """
    from deltalake import CommitProperties, Transaction
    from deltalake.exceptions import CommitFailedError, DeltaError

    before = handle.version()
    commit_id = uuid4().hex
    try:
        yield CommitProperties(
            custom_metadata={"extractor.commit": commit_id, **metadata},
            max_commit_retries=0,
            app_transactions=[Transaction(APP_ID, before + 1)],
        )
    except (DeltaError, OSError) as error:
        with translated(f"table {name}: {act} failed"):
            handle.update_incremental()
            if _landed(handle, before, commit_id):
                return
        if isinstance(error, CommitFailedError) or handle.version() > before:
            raise StaleError from None
        raise LakeError(f"table {name}: {act} failed: {type(error).__name__}") from None


def _landed(handle: DeltaTable, before: int, commit_id: str) -> bool:
    newer = handle.version() - before
    if newer <= 0:
        return False
    return any(entry.get("extractor.commit") == commit_id for entry in handle.history(limit=newer))


def write(
    handle: DeltaTable,
    contract: Table,
    rows: pa.Table,
    *,
    replace_doc_ids: Sequence[str] = (),
    **metadata: str,
) -> int:
    """Append rows, or put them in the place of all rows of some documents, in one commit; the new version.

    ``rows`` fit the contract. When documents are replaced, every row belongs to one of them.

    Raises:
        StaleError: somebody committed since the handle's version; nothing was written.
    """
    from deltalake import WriterProperties, write_deltalake

    stored = stored_schema(handle)
    expected = handle.version() + 1
    with compare_and_swap(handle, contract.name, "commit", **metadata) as properties:
        put = partial(
            write_deltalake,
            handle,
            _fit(rows, stored),
            writer_properties=WriterProperties(compression="ZSTD", max_row_group_size=ROW_GROUP),
            commit_properties=properties,
        )
        if replace_doc_ids:
            put(mode="overwrite", predicate=in_list("doc_id", replace_doc_ids))
        else:
            put(mode="append")
    return expected


def _fit(rows: pa.Table, stored: pa.Schema) -> pa.Table:
    """Columns in stored order; those that only a newer version knows are null."""
    import pyarrow as pa

    columns = [
        rows.column(field.name) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in stored
    ]
    order = [name for name in ("study_id", "doc_id") if name in stored.names]
    table = pa.table(columns, schema=pa.schema([field.with_nullable(True) for field in stored]))
    if order:
        table = table.sort_by([(name, "ascending") for name in order])
    return table.cast(stored)


def scan(
    handle: DeltaTable, schema: pa.Schema, *, where: str | None = None, what: str
) -> Iterator[pa.RecordBatch]:
    """Batches with exactly the columns of ``schema``, of rows for which the SQL predicate holds.

    Columns that are not stored yet are null. Only needed columns are read;
    files whose partition or statistics exclude the predicate are skipped.
    """
    import pyarrow as pa

    stored = set(stored_schema(handle).names)
    read = [name for name in schema.names if name in stored]
    with translated(what):
        for batch in pa.RecordBatchReader.from_stream(handle.scan(columns=read, predicate=where)):
            columns = [
                batch.column(field.name).cast(field.type)
                if field.name in stored
                else pa.nulls(batch.num_rows, field.type)
                for field in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def literal(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def in_list(column: str, values: Sequence[str]) -> str:
    """``column IN (...)``; false for no values."""
    return f"{column} IN ({', '.join(literal(value) for value in values)})" if values else "1 = 0"
