"""The lake: where its tables lie, what is current, and trusted reading for the engine itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One moment of a lake: a Delta version of each table that there was.

    Rows of ``hidden`` documents must not be looked at: a writer was at them.
    """

    versions: Mapping[str, int]
    hidden: frozenset[str] = frozenset()


class Lake:
    """A lake at a local path, a file:// or an object-store address.

    Tables lie at ``<lake>/<zone>/<table>``. An object serves one thread. With
    ``pin`` it is the lake at that moment: every reader sees those versions
    without the hidden documents, and nothing can be written.
    """

    def __init__(self, uri: str, settings: LakeSettings, *, pin: Pin | None = None) -> None:
        self.uri = _address(uri)
        self.settings = settings
        self.pin = pin
        self.conflicts = 0
        """How often another writer was faster and a commit was tried again."""
        self._handles: dict[str, DeltaTable] = {}
        self._conforming: set[str] = set()

    @cached_property
    def ledger(self) -> Ledger:
        """The writer's view of the ledger."""
        from extractor.lake.ledger import Ledger

        return Ledger(lake=self)

    def at(self, snapshot: str | None) -> Lake:
        """The lake as of a named snapshot, read-only; this lake for None.

        Raises:
            LakeError: no snapshot of that name lives.
        """
        if snapshot is None:
            return self
        from extractor.lake.snapshots import pin_of

        return self.pinned(pin_of(self.now, snapshot))

    def pinned(self, pin: Pin) -> Lake:
        """The lake as of one moment, read-only."""
        return Lake(self.uri, self.settings, pin=pin)

    @cached_property
    def now(self) -> Lake:
        """The lake as it is now; itself unless it is pinned."""
        return self if self.pin is None else Lake(self.uri, self.settings)

    def require_writable(self) -> None:
        """Raise a LakeError when this is the lake of a moment that is over."""
        if self.pin is not None:
            raise LakeError(
                "a snapshot cannot be written to",
                code="lake.read_only",
                hint="Developer: write to the lake itself; a snapshot is a state that stays.",
            )

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

    def current(self, doc_ids: Collection[str] | None = None) -> dict[str, CurrentDocument]:
        """doc_id -> document, of all or some documents whose batch is complete; empty where there is no lake."""
        from extractor.lake.ledger import unfinished

        open_doc_ids = unfinished(self).doc_ids | (frozenset() if self.pin is None else self.pin.hidden)
        names = [field.name for field in fields(CurrentDocument)]
        found = {}
        for batch in self.iter_batches("documents", columns=names, doc_ids=doc_ids):
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
        if self.pin is not None and self.pin.hidden and "doc_id" in table_named(table).column_names:
            terms.append(f"NOT ({delta.in_list('doc_id', sorted(self.pin.hidden))})")
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
        """A delta-rs handle on the newest (or a given) version, for this package; None where no table is.

        Of a pinned lake, on the version that it is pinned to.
        """
        contract = table_named(table)
        options = self.settings.storage_options
        if self.pin is not None and version is None:
            return self._pinned_handle(table, self.pin)
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

    def _pinned_handle(self, table: str, pin: Pin) -> DeltaTable | None:
        if table in pin.versions and table not in self._handles:
            handle = self.handle(table, version=pin.versions[table])
            if handle is not None:
                self._handles[table] = handle
        return self._handles.get(table)

    def let_go(self) -> None:
        """Open every table anew on its next use: a handle keeps each commit it followed, some 50 KB apiece."""
        self._handles.clear()

    def writable(self, table: str) -> DeltaTable:
        """A handle on the newest version; the table is made, or its new columns added, on first need.

        Raises:
            ContractError: the stored schema contradicts the contract.
            StaleError: another writer changed the schema meanwhile.
            LakeError: this is the lake of a moment that is over.
        """
        self.require_writable()
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
