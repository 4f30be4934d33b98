"""The lake: where its tables lie, what is current, and trusted reading for the engine itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from extractor.config import LakeSettings
from extractor.errors import ConfigError, LakeError
from extractor.lake import delta
from extractor.tables.catalogue import table_named

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from extractor.lake.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentDocument:
    """State and governance of a complete document."""

    doc_id: str
    extraction_id: str
    run_id: str
    pipeline_version: str
    status: str
    status_code: str | None
    study_id: str | None
    subject_id: str | None
    classification: str
    consent_scope: str


class Lake:
    """A lake at a local path, a file:// or an object-store address.

    Tables lie at ``<lake>/<zone>/<table>``. An object serves one thread.
    """

    def __init__(self, uri: str, settings: LakeSettings) -> None:
        self.uri = _address(uri)
        self.settings = settings
        self._handles: dict[str, DeltaTable] = {}
        self._conforming: set[str] = set()

    @cached_property
    def ledger(self) -> Ledger:
        """The writer's view of the ledger."""
        from extractor.lake.ledger import Ledger

        return Ledger(lake=self)

    def exists(self) -> bool:
        """Whether anything was ever committed here."""
        return self.handle("ledger") is not None

    def require(self) -> None:
        """Raise a LakeError unless a lake is here."""
        if not self.exists():
            raise LakeError(
                "there is no lake at this address",
                hint="Operator: check --lake; `extractor run` makes a lake where there is none.",
            )

    def table_uri(self, table: str) -> str:
        """The address of a table."""
        contract = table_named(table)
        return f"{self.uri}/{contract.zone}/{contract.name}"

    def version(self, table: str) -> int | None:
        """The newest Delta version of a table; None where it does not exist."""
        handle = self.handle(table)
        return None if handle is None else int(handle.version())

    def current(self) -> dict[str, CurrentDocument]:
        """doc_id -> document, of documents whose batch is complete; empty for a lake that does not exist."""
        from extractor.lake.ledger import unfinished

        open_doc_ids = unfinished(self).doc_ids
        names = [field.name for field in fields(CurrentDocument)]
        found = {}
        for batch in self.iter_batches("documents", columns=names):
            for values in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
                document = CurrentDocument(**dict(zip(names, values, strict=True)))
                if document.doc_id not in open_doc_ids:
                    found[document.doc_id] = document
        return found

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        doc_ids: Collection[str] | None = None,
        where: str | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Rows of a table, without policy and of unfinished batches too; empty where there is no table.

        ``where`` is an SQL predicate over the table's columns (texts as
        :func:`extractor.lake.delta.literal` writes them).

        Raises:
            LakeError: the table cannot be read, or has no such version.
        """
        import pyarrow as pa

        batches = self.iter_batches(table, columns=columns, doc_ids=doc_ids, where=where, version=version)
        return pa.Table.from_batches(list(batches), schema=self.schema(table, columns))

    def iter_batches(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        doc_ids: Collection[str] | None = None,
        where: str | None = None,
        version: int | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """As :meth:`read`, piece by piece, in no order."""
        handle = self.handle(table, version=version)
        if handle is None:
            return
        terms = [f"({where})"] if where else []
        if doc_ids is not None:
            terms.append(delta.in_list("doc_id", sorted(doc_ids)))
        yield from delta.scan(
            handle,
            self.schema(table, columns),
            where=" AND ".join(terms) or None,
            what=f"table {table} cannot be read",
        )

    def schema(self, table: str, columns: Sequence[str] | None = None) -> pa.Schema:
        """The Arrow schema in which rows are read: the contract's, every column nullable."""
        import pyarrow as pa

        schema = table_named(table).arrow_schema()
        names = schema.names if columns is None else columns
        return pa.schema([schema.field(name).with_nullable(True) for name in names])

    def handle(self, table: str, *, version: int | None = None) -> DeltaTable | None:
        """A delta-rs handle on the newest (or a given) version, for this package; None where no table is."""
        contract = table_named(table)
        options = self.settings.storage_options
        if version is not None:
            return delta.open_table(self.table_uri(table), options, name=table, version=version)
        handle = self._handles.get(table)
        if handle is None:
            handle = delta.open_table(self.table_uri(table), options, name=table)
            if handle is not None:
                self._handles[table] = handle
        else:
            with delta.translated(f"table {contract.name} cannot be opened"):
                handle.update_incremental()
        return handle

    def writable(self, table: str) -> DeltaTable:
        """A handle on the newest version; the table is made, or its new columns added, on first need.

        Raises:
            ContractError: the stored schema contradicts the contract.
            StaleError: another writer changed the schema meanwhile.
        """
        contract = table_named(table)
        handle = self.handle(table)
        if handle is None:
            handle = delta.create_table(
                self.table_uri(table),
                self.settings.storage_options,
                contract,
                vacuum_hours=self.settings.vacuum_hours,
            )
            self._handles[table] = handle
        if table not in self._conforming:
            delta.conform(handle, contract)
            self._conforming.add(table)
        return handle


def _address(uri: str) -> str:
    """A local path made absolute; an object-store address without a closing slash."""
    if not uri.strip():
        raise ConfigError("the lake's address is empty")
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return str(Path(unquote(parts.path)).absolute())
    if parts.scheme and "://" in uri:
        return uri.rstrip("/")
    return str(Path(uri).expanduser().absolute())
