"""Committing a batch of documents: claim, tables, documents, completion (see :mod:`extractor.lake.ledger`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from extractor.errors import ContractError
from extractor.lake import delta
from extractor.lake.carry import Reviews
from extractor.lake.ledger import Claim, Unfinished, unfinished
from extractor.lake.store import Lake
from extractor.lake.work import (
    BATCH_TABLES,
    TableCommit,
    Work,
    fitting,
    half_written,
    open_doc_ids,
    read_schema,
    retried,
    without_stored,
)
from extractor.lake.write import write_tables
from extractor.tables.catalogue import table_named

if TYPE_CHECKING:
    import pyarrow as pa

GOVERNANCE_COLUMNS = ("study_id", "subject_id", "classification", "consent_scope")
"""What every row inherits from its document."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows of some documents, to be committed together.

    ``tables`` holds "documents" (exactly one row per document) and any of the
    data tables; rows passed :meth:`Table.split` before. Each row's run_id and
    extraction_id are those of the batch.
    """

    run_id: str
    extractions: Mapping[str, str]
    """doc_id -> extraction_id."""
    tables: Mapping[str, pa.Table]
    kind: str = "extract"
    kept: frozenset[str] = frozenset()
    """Tables that are left alone: their rows stay those of an earlier extraction (``page_text`` of a reprocess)."""
    restamped: frozenset[str] = frozenset()
    """Tables whose stored rows stay and become rows of the batch's extraction and run."""
    seen: pa.Table | None = None
    """Columns of ``documents`` as they were when the rows were made; a document that differs is not written."""


@dataclass(frozen=True, kw_only=True)
class Committed:
    """What became of a batch.

    ``already`` were complete with equal extraction and governance: nothing was
    written for them. ``yielded`` were claimed by another writer meanwhile, who
    writes them; should it die, they stay unfinished until the next run.
    ``changed`` are not as the batch saw them any more, or another writer is at
    them: nothing was written for them either.
    ``batch_id`` is None when nothing was left to write.
    """

    batch_id: str | None
    commits: tuple[TableCommit, ...]
    already: frozenset[str]
    yielded: frozenset[str]
    changed: frozenset[str] = frozenset()
    reviews: Mapping[str, Reviews] = field(default_factory=dict)
    """Table -> what became of its rows that people reviewed, where there were any."""


def commit(lake: Lake, batch: Batch) -> Committed:
    """Write a batch so that a reader sees each of its documents whole or not at all.

    Rows that people accepted, corrected or rejected stay (:mod:`extractor.lake.carry`).

    Raises:
        ContractError: rows do not fit their tables, or are not of the batch's documents.
        CommitConflictError: other writers kept winning; the same batch may be offered again.
        LakeError: the store failed; the same batch may be offered again.
    """
    tables = _checked(batch)
    claimed = retried(lake, "ledger", lambda: _claim(lake, batch, tables["documents"]))
    claim = claimed.claim
    if claim is None:
        return Committed(
            batch_id=None,
            commits=(),
            already=claimed.already,
            yielded=frozenset(),
            changed=claimed.changed,
        )
    work = Work(lake=lake, claim=claim, prior=claimed.prior, contested=claimed.contested)
    reviews = write_tables(work, tables, kept=batch.kept, restamped=batch.restamped)
    work.complete()
    return Committed(
        batch_id=claim.batch_id,
        commits=tuple(work.commits),
        already=claimed.already,
        yielded=claim.doc_ids - work.mine,
        changed=claimed.changed,
        reviews=reviews,
    )


def append_run(lake: Lake, row: Mapping[str, Any]) -> TableCommit:
    """Add one row to ``runs``; a run that is there already is left alone."""
    contract = table_named("runs")
    rows = fitting(contract, contract.to_arrow([row]))
    where = f"run_id = {delta.literal(row['run_id'])}"

    def once() -> TableCommit:
        handle = lake.writable("runs")
        stored = delta.scan(handle, read_schema(contract, ["run_id"]), where=where, what="table runs")
        if any(batch.num_rows for batch in stored):
            return TableCommit(table="runs", rows=0, version=int(handle.version()))
        return TableCommit(table="runs", rows=1, version=delta.write(handle, contract, rows))

    return retried(lake, "runs", once)


def add_sources(lake: Lake, rows: pa.Table) -> TableCommit | None:
    """Add addresses of documents that are skipped because they are current; None when all were known."""
    contract = table_named("sources")
    offered = fitting(contract, rows)

    def once() -> TableCommit | None:
        handle = lake.writable("sources")
        new = without_stored(handle, contract, offered, offered.column("doc_id").to_pylist())
        if not new.num_rows:
            return None
        version = delta.write(handle, contract, new)
        return TableCommit(table="sources", rows=new.num_rows, version=version)

    return retried(lake, "sources", once)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimed:
    """A claim (None when nothing is left to write) and what was found out about its documents."""

    claim: Claim | None
    prior: frozenset[str] = frozenset()
    contested: frozenset[str] = frozenset()
    already: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()


def _claim(lake: Lake, batch: Batch, documents: pa.Table) -> _Claimed:
    handle = lake.writable("ledger")
    ledger = lake.ledger
    ledger.refresh(handle)
    already = changed = contested = frozenset[str]()
    if ledger.ever_claimed(batch.extractions):
        state = unfinished(lake)
        ledger.refresh(handle)
        contested = open_doc_ids(state)
        candidates = ledger.ever_claimed(batch.extractions) - state.doc_ids
        already = _already(lake, documents, candidates, reads="page_text" not in batch.kept)
        if batch.seen is not None:
            changed = _changed(lake, batch.seen, state) - already
    doc_ids = batch.extractions.keys() - already - changed
    if not doc_ids:
        return _Claimed(claim=None, already=already, changed=changed)
    prior = ledger.ever_claimed(doc_ids)
    claim = ledger.claim(handle, batch_id=uuid4().hex, kind=batch.kind, run_id=batch.run_id, doc_ids=doc_ids)
    return _Claimed(claim=claim, prior=prior, contested=contested & prior, already=already, changed=changed)


def _changed(lake: Lake, seen: pa.Table, state: Unfinished) -> frozenset[str]:
    """Documents whose row differs from the one seen, or whose text another writer may be at.

    A reprocess that was left half-written leaves text and governance whole: the
    same documents may be taken over from it.
    """
    rows = lake.read("documents", columns=seen.column_names, doc_ids=seen.column("doc_id").to_pylist())
    stored = {row["doc_id"]: row for row in rows.to_pylist()}
    differ = {row["doc_id"] for row in seen.to_pylist() if row != stored.get(row["doc_id"])}
    return frozenset(differ) | half_written(state, besides=("reprocess",))


_SAME = ("extraction_id", *GOVERNANCE_COLUMNS)
_OUTCOME = ("status", "status_code", "pages_ok", "pages_failed")


def _already(lake: Lake, offered: pa.Table, candidates: frozenset[str], *, reads: bool) -> frozenset[str]:
    """Complete documents for which the batch has nothing new.

    Extraction and governance are equal, and the stored one is whole or came to
    the same end. (A second try by the same pipeline may read more pages.) For a
    batch that ``reads`` the documents, the stored text must be of it as well.
    """
    if not candidates:
        return frozenset()
    columns = ["doc_id", *_SAME, *_OUTCOME, "text_extraction_id"]
    stored = {
        row["doc_id"]: row for row in lake.read("documents", columns=columns, doc_ids=candidates).to_pylist()
    }
    return frozenset(
        new["doc_id"]
        for new in offered.select(columns).to_pylist()
        if (old := stored.get(new["doc_id"])) is not None
        and all(old[name] == new[name] for name in _SAME)
        and not (reads and old["text_extraction_id"] is not None)
        and (old["status"] == "extracted" or all(old[name] == new[name] for name in _OUTCOME))
    )


def _checked(batch: Batch) -> dict[str, pa.Table]:
    """The rows of every table of a batch, fitting their contracts."""
    if unknown := batch.tables.keys() - {contract.name for contract in BATCH_TABLES}:
        raise ContractError(f"a batch has no table {', '.join(sorted(unknown))}")
    tables = {}
    for contract in BATCH_TABLES:
        offered = batch.tables.get(contract.name)
        rows = fitting(contract, contract.to_arrow([]) if offered is None else offered)
        if rows.num_rows and contract.name in batch.kept | batch.restamped:
            raise ContractError(f"table {contract.name}: the batch leaves it alone and has rows for it")
        _check_rows(batch, contract.name, rows)
        tables[contract.name] = rows
    doc_ids = tables["documents"].column("doc_id").to_pylist()
    if sorted(doc_ids) != sorted(batch.extractions):
        raise ContractError("table documents: the batch needs exactly one row per document")
    return tables


def _check_rows(batch: Batch, table: str, rows: pa.Table) -> None:
    doc_ids = rows.column("doc_id").to_pylist()
    if not batch.extractions.keys() >= set(doc_ids):
        raise ContractError(f"table {table}: a row belongs to no document of the batch")
    if set(rows.column("run_id").to_pylist()) - {batch.run_id} and "extraction_id" in rows.column_names:
        raise ContractError(f"table {table}: a row names another run")
    if "extraction_id" in rows.column_names:
        extraction_ids = rows.column("extraction_id").to_pylist()
        if any(batch.extractions[d] != e for d, e in zip(doc_ids, extraction_ids, strict=True)):
            raise ContractError(f"table {table}: a row names another extraction")
