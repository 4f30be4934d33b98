"""A claimed batch on its way through the tables: what commit and retag have in common."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from extractor.errors import CommitConflictError, ContractError
from extractor.lake import delta
from extractor.lake.compact import compact, small_files
from extractor.lake.ledger import Claim, Unfinished
from extractor.lake.store import Lake
from extractor.tables.catalogue import DATA_TABLES
from extractor.tables.documents import DOCUMENTS

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from extractor.schema import Table

SMALL_FILES = 256
"""So many small files of a table are put together by the writer that finds them."""

Result = TypeVar("Result")

BATCH_TABLES: tuple[Table, ...] = (*DATA_TABLES, DOCUMENTS)
"""The tables of a batch in the order of their commits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCommit:
    """What one commit wrote: rows and the Delta version that holds them."""

    table: str
    rows: int
    version: int


@dataclass(kw_only=True)
class Work:
    """A claimed batch.

    ``prior`` are its documents that were claimed before, so that they may have
    rows; ``contested`` those of them whose claimant did not complete them and
    may still be writing; ``mine`` are those that no later claim took over.
    """

    lake: Lake
    claim: Claim
    prior: frozenset[str]
    contested: frozenset[str] = frozenset()
    mine: set[str] = field(init=False)
    commits: list[TableCommit] = field(default_factory=list)
    _document_rows: dict[str, Counter[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mine = set(self.claim.doc_ids)

    def replace(
        self,
        contract: Table,
        make_rows: Callable[[DeltaTable, Sequence[str]], pa.Table],
        *,
        create: bool,
    ) -> None:
        """Put rows in the place of all that a table holds of the batch's documents.

        ``make_rows`` gets a handle and documents, and gives their rows; it may
        be called again after a lost race. A missing table is made if ``create``.
        """

        def once() -> None:
            handle = self._handle(contract, create=create)
            if handle is None or not self.mine:
                return
            doc_ids = sorted(self.mine)
            there = stored_doc_ids(handle, contract, sorted(self.prior & self.mine))
            rows = make_rows(handle, doc_ids)
            if there or rows.num_rows:
                replaced = sorted(there | set(rows.column("doc_id").to_pylist())) if there else ()
                self._write(handle, contract, rows, replaced)
            elif self.contested & self.mine:
                self._fence(handle, contract)

        retried(self.lake, contract.name, once)

    def keep(self, contract: Table) -> None:
        """Leave a table's rows of the batch's documents as they are; the completion says how many there are."""
        handle = self._handle(contract, create=False)
        if handle is None or not self.mine:
            return
        self._document_rows[contract.name] = stored_counts(handle, contract, self.mine)
        self.commits.append(TableCommit(table=contract.name, rows=0, version=int(handle.version())))

    def add(self, contract: Table, rows: pa.Table) -> None:
        """Add those rows whose key is not stored yet; nothing is replaced."""

        def once() -> None:
            handle = self._handle(contract, create=True)
            if handle is None or not self.mine:
                return
            new = without_stored(handle, contract, of_documents(rows, self.mine), self.prior)
            if new.num_rows:
                self._write(handle, contract, new, ())

        retried(self.lake, contract.name, once)

    def complete(self) -> None:
        """Close the batch in the ledger; from here on its documents count."""
        doc_ids = sorted(self.mine)
        commits = [
            {
                "table": done.table,
                "rows": done.rows,
                "version": done.version,
                "document_rows": [self._document_rows[done.table][doc_id] for doc_id in doc_ids],
            }
            for done in self.commits
        ]
        claim = self.claim

        def once() -> None:
            self.lake.ledger.complete(
                self.lake.writable("ledger"),
                batch_id=claim.batch_id,
                kind=claim.kind,
                run_id=claim.run_id,
                doc_ids=doc_ids,
                commits=commits,
            )

        retried(self.lake, "ledger", once)
        self._tidy()

    def _tidy(self) -> None:
        """Compact tables that have become many small files: every opening and every start pays for them."""
        target_file_mb = self.lake.settings.target_file_mb
        for name in ("ledger", *(done.table for done in self.commits)):
            handle = self.lake.handle(name)
            if handle is not None and small_files(handle, name, target_file_mb) >= SMALL_FILES:
                batch = {"extractor.batch": self.claim.batch_id}
                compact(handle, name, target_file_mb=target_file_mb, **batch)

    def _handle(self, contract: Table, *, create: bool) -> DeltaTable | None:
        """A handle first, then the ledger: the order that the protocol rests on."""
        handle = self.lake.writable(contract.name) if create else self.lake.handle(contract.name)
        for later in self.lake.ledger.refresh():
            if later.sequence_no > self.claim.sequence_no:
                self.mine -= later.doc_ids
        return handle

    def _fence(self, handle: DeltaTable, contract: Table) -> None:
        """A commit of nothing: an earlier claimant's handle gets too old to write rows that nobody would replace."""
        fence = {"extractor.fence": self.claim.batch_id}
        with delta.compare_and_swap(handle, contract.name, "fence", **fence) as properties:
            handle.create_write_transaction(
                [],
                mode="append",
                schema=handle.schema(),
                partition_by=list(contract.partition_by),
                commit_properties=properties,
            )

    def _write(self, handle: DeltaTable, contract: Table, rows: pa.Table, replaced: Sequence[str]) -> None:
        version = delta.write(
            handle,
            contract,
            fitting(contract, rows),
            replace_doc_ids=replaced,
            **{"extractor.batch": self.claim.batch_id, "extractor.run": self.claim.run_id},
        )
        self._document_rows[contract.name] = Counter(rows.column("doc_id").to_pylist())
        self.commits.append(TableCommit(table=contract.name, rows=rows.num_rows, version=version))


def retried(lake: Lake, table: str, once: Callable[[], Result]) -> Result:
    """Try again after each lost race, with growing random pauses.

    Raises:
        CommitConflictError: lost more than ``lake.commit_retries`` times.
    """
    for lost in range(lake.settings.commit_retries + 1):
        try:
            return once()
        except delta.StaleError:
            lake.conflicts += 1
            pause_s = min(2.0, 0.01 * 2**lost)
            time.sleep(random.uniform(0, pause_s))  # noqa: S311  # spreads writers over time, no secret
    raise CommitConflictError(f"table {table}: {lake.settings.commit_retries} retries were not enough")


def open_doc_ids(state: Unfinished) -> frozenset[str]:
    """Documents of all batches without a completion: their writers may be at them, even where a later one is done."""
    return frozenset[str]().union(*(claim.doc_ids for claim in (*state.claims, *state.superseded)))


def half_written(state: Unfinished, *, besides: Collection[str]) -> frozenset[str]:
    """Documents whose last batch is not complete, unless that batch is of one of some kinds."""
    return frozenset(
        doc_id
        for claim in state.claims
        if claim.kind not in besides
        for doc_id in claim.doc_ids & state.doc_ids
    )


def stored_doc_ids(handle: DeltaTable, contract: Table, doc_ids: Collection[str]) -> set[str]:
    """Those of some documents that have rows at the handle's version."""
    return set(stored_counts(handle, contract, doc_ids))


def stored_counts(handle: DeltaTable, contract: Table, doc_ids: Collection[str]) -> Counter[str]:
    """How many rows each of some documents has at the handle's version; those without any are left out."""
    counts: Counter[str] = Counter()
    if not doc_ids:
        return counts
    schema = read_schema(contract, ["doc_id"])
    where = delta.in_list("doc_id", sorted(doc_ids))
    for batch in delta.scan(handle, schema, where=where, what=f"table {contract.name} cannot be read"):
        found = batch.column("doc_id").value_counts()
        counts.update(dict(zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True)))
    return counts


def without_stored(
    handle: DeltaTable, contract: Table, rows: pa.Table, maybe_stored: Collection[str]
) -> pa.Table:
    """Rows whose key the table does not hold at the handle's version, each key once.

    Only documents in ``maybe_stored`` can have rows there.
    """
    key = list(contract.key)
    doc_ids = sorted(set(rows.column("doc_id").to_pylist()) & set(maybe_stored))
    known: set[tuple[object, ...]] = set()
    where = delta.in_list("doc_id", doc_ids)
    what = f"table {contract.name} cannot be read"
    for batch in delta.scan(handle, read_schema(contract, key), where=where, what=what) if doc_ids else ():
        known.update(zip(*(batch.column(name).to_pylist() for name in key), strict=True))
    keep = []
    for values in zip(*(rows.column(name).to_pylist() for name in key), strict=True):
        keep.append(values not in known)
        known.add(values)
    return rows.filter(keep)


def of_documents(rows: pa.Table, doc_ids: Collection[str]) -> pa.Table:
    """The rows that belong to some documents."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return rows.filter(pc.is_in(rows.column("doc_id"), value_set=pa.array(sorted(doc_ids), pa.string())))


def read_schema(contract: Table, columns: Sequence[str]) -> pa.Schema:
    """Some columns of a contract as they are read: nullable."""
    import pyarrow as pa

    schema = contract.arrow_schema()
    return pa.schema([schema.field(name).with_nullable(True) for name in columns])


def fitting(contract: Table, rows: pa.Table) -> pa.Table:
    """Rows in the contract's schema, columns in its order.

    Raises:
        ContractError: a column is missing or unknown, of another type, or null where it must not be.
    """
    import pyarrow as pa

    schema = contract.arrow_schema()
    if set(rows.column_names) != set(schema.names):
        raise ContractError(f"table {contract.name}: the rows have other columns")
    try:
        return rows.select(schema.names).cast(schema)
    except (pa.ArrowException, ValueError):
        raise ContractError(f"table {contract.name}: a value does not fit its column") from None
