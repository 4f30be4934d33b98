"""The ledger: who claimed which documents, and which batches are complete.

A batch is written in four steps, each a commit that lands whole or not at all:

1. a claim in the ledger names its documents;
2. the data tables get its rows, one commit per table;
3. ``documents`` gets its rows;
4. a completion in the ledger names the documents it finished.

Claims have a total order, the Delta versions of the ledger, and of two claims
on a document the later holds. Before each commit to a table the writer takes a
handle on the table first and reads the ledger after it: rows of a later
claimant that the handle can see were claimed before they were written, so the
claim is seen too, and the writer leaves that document to it; rows that the
handle cannot see make the commit fail, and the writer looks again. Documents
that anybody claimed before are replaced, all others appended. So whatever
writers do at the same time, a document's rows in all tables come from its last
claimant once that one is through; and wherever a process dies, its claim stays
without a completion: its documents count as absent until some batch claims and
completes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from extractor.lake import delta
from extractor.tables.operations import LEDGER

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from extractor.lake.store import Lake


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A batch's hold on its documents."""

    batch_id: str
    kind: str
    run_id: str
    sequence_no: int
    doc_ids: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """What is being written, or was left half-written, at one version of the ledger.

    ``superseded`` are claims without completion all of whose documents later
    batches completed: nothing is owed for them.
    """

    version: int
    claims: tuple[Claim, ...] = ()
    superseded: tuple[Claim, ...] = ()
    doc_ids: frozenset[str] = frozenset()


def unfinished(lake: Lake) -> Unfinished:
    """Claims without completion, and their documents that no later batch completed."""
    handle = lake.handle("ledger")
    if handle is None:
        return Unfinished(version=-1)
    version = int(handle.version())
    rows = _rows(handle, ["batch_id", "state", "kind"])
    complete = {row["batch_id"] for row in rows if row["state"] == "complete"}
    open_ids = [
        row["batch_id"] for row in rows if row["state"] == "claimed" and row["batch_id"] not in complete
    ]
    if not open_ids:
        return Unfinished(version=version)
    claims = tuple(_claim(row) for row in _rows(handle, CLAIM_COLUMNS, delta.in_list("batch_id", open_ids)))
    first = min(claim.sequence_no for claim in claims)
    later = _rows(handle, CLAIM_COLUMNS, f"sequence_no > {first} AND kind <> 'maintain'")
    claimed_at = {row["batch_id"]: row["sequence_no"] for row in later if row["state"] == "claimed"}
    done_at: dict[str, int] = {}
    for row in later:
        if row["state"] == "complete" and row["batch_id"] in claimed_at:
            for doc_id in row["doc_ids"]:
                done_at[doc_id] = max(done_at.get(doc_id, -1), claimed_at[row["batch_id"]])
    owed = {
        claim.batch_id: {doc_id for doc_id in claim.doc_ids if done_at.get(doc_id, -1) < claim.sequence_no}
        for claim in claims
    }
    return Unfinished(
        version=version,
        claims=tuple(claim for claim in claims if owed[claim.batch_id]),
        superseded=tuple(claim for claim in claims if not owed[claim.batch_id]),
        doc_ids=frozenset[str]().union(*owed.values()),
    )


def claimed_since(lake: Lake, version: int) -> frozenset[str]:
    """Documents that were claimed after a version of the ledger."""
    handle = lake.handle("ledger")
    if handle is None or handle.version() <= version:
        return frozenset()
    rows = _rows(handle, ["doc_ids"], f"sequence_no > {version} AND state = 'claimed'")
    return frozenset(doc_id for row in rows for doc_id in row["doc_ids"])


CLAIM_COLUMNS = ("batch_id", "state", "sequence_no", "kind", "run_id", "doc_ids")


def _rows(handle: DeltaTable, columns: Sequence[str], where: str | None = None) -> list[dict[str, Any]]:
    import pyarrow as pa

    schema = LEDGER.arrow_schema()
    schema = pa.schema([schema.field(name).with_nullable(True) for name in columns])
    what = "table ledger cannot be read"
    return [row for batch in delta.scan(handle, schema, where=where, what=what) for row in batch.to_pylist()]


def _claim(row: Mapping[str, Any]) -> Claim:
    return Claim(
        batch_id=row["batch_id"],
        kind=row["kind"],
        run_id=row["run_id"],
        sequence_no=row["sequence_no"],
        doc_ids=frozenset(row["doc_ids"]),
    )


@dataclass(kw_only=True)
class Ledger:
    """A writer's view of the ledger; its own rows it need not read, those of others it reads as they come.

    Remembers the hash of every document that was ever claimed (about 60 bytes
    each), so that a commit knows without a scan which documents may have rows.
    """

    lake: Lake
    version: int = -1
    _claimed: set[int] = field(default_factory=set)

    def refresh(self, handle: DeltaTable | None = None) -> list[Claim]:
        """Claims that were made since the last call."""
        handle = handle or self.lake.handle("ledger")
        if handle is None:
            return []
        newest = int(handle.version())
        if newest == self.version:
            return []
        rows = _rows(handle, CLAIM_COLUMNS, f"sequence_no > {self.version} AND state = 'claimed'")
        claims = [_claim(row) for row in rows]
        for claim in claims:
            self._claimed.update(map(hash, claim.doc_ids))
        self.version = newest
        return claims

    def ever_claimed(self, doc_ids: Iterable[str]) -> frozenset[str]:
        """Those of some documents that anybody claimed before the last refresh; a hash collision adds one."""
        return frozenset(doc_id for doc_id in doc_ids if hash(doc_id) in self._claimed)

    def claim(
        self, handle: DeltaTable, *, batch_id: str, kind: str, run_id: str, doc_ids: Collection[str]
    ) -> Claim:
        """Put a claim at the next version.

        Raises:
            StaleError: somebody wrote to the ledger since the last refresh.
        """
        if handle.version() != self.version:
            raise delta.StaleError
        values = {"batch_id": batch_id, "kind": kind, "run_id": run_id, "doc_ids": sorted(doc_ids)}
        sequence_no = self._append(handle, {**values, "state": "claimed", "commits": []})
        self._claimed.update(map(hash, doc_ids))
        return _claim({**values, "sequence_no": sequence_no})

    def complete(
        self,
        handle: DeltaTable,
        *,
        batch_id: str,
        kind: str,
        run_id: str,
        doc_ids: Sequence[str],
        commits: Sequence[Mapping[str, Any]],
    ) -> int:
        """Put a completion at the next version; ``doc_ids`` sorted.

        Raises:
            StaleError: somebody wrote to the ledger since the handle's version.
        """
        row = {"batch_id": batch_id, "kind": kind, "run_id": run_id, "doc_ids": list(doc_ids)}
        return self._append(handle, {**row, "state": "complete", "commits": list(commits)})

    def _append(self, handle: DeltaTable, row: dict[str, Any]) -> int:
        before = int(handle.version())
        row |= {"sequence_no": before + 1, "committed_at": datetime.now(UTC)}
        rows = LEDGER.to_arrow([row]).cast(LEDGER.arrow_schema())
        version = delta.write(handle, LEDGER, rows, **{"extractor.batch": row["batch_id"]})
        if self.version == before:  # nobody else wrote in between: nothing is left to read
            self.version = version
        return version
