"""Taking back what one run wrote: the rows that it replaced stand again, under today's governance.

What a commit replaced is in the files that it took out of its table, and stays
there until ``extractor maintain`` removes them. Nothing is taken out of
history: a rollback is a batch like any other, and can be rolled back itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from extractor.errors import LakeError
from extractor.lake.carry import Reviews
from extractor.lake.commit import GOVERNANCE_COLUMNS
from extractor.lake.files import read_rows
from extractor.lake.ledger import Claim, claimed_since, unfinished
from extractor.lake.replaced import Plan, Planning, Step
from extractor.lake.retag import INVENTORY_COLUMNS
from extractor.lake.work import BATCH_TABLES, Work, fitting, open_doc_ids, retried
from extractor.lake.write import write_tables

if TYPE_CHECKING:
    import pyarrow as pa

    from extractor.lake.store import Lake


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """What became of the documents that a run wrote.

    ``restored`` stand as they were before it. Left as they are: ``created``
    ones, which were not there before; ``superseded`` ones, which another run
    wrote since; those that a writer is at (``in_work``), and ``withdrawn`` ones.
    """

    restored: int
    created: int
    superseded: int
    in_work: int
    withdrawn: int
    rows: Mapping[str, int]
    reviews: Mapping[str, Reviews]

    @property
    def seen(self) -> int:
        """All documents that the run wrote."""
        return self.restored + self.created + self.superseded + self.in_work + self.withdrawn


def rollback(lake: Lake, run_id: str, *, own_run_id: str) -> RolledBack:
    """Put back the rows that the batches of a run replaced, batch by batch.

    Class, consent, study, subject and all else that the inventory says stay as
    they are today; rows that people reviewed since stay too. An interrupted
    call is repeated whole.

    Raises:
        ConfigError: no batch of the lake is of that run.
        LakeError: earlier rows are not there any more; nothing was changed.
        CommitConflictError: other writers kept winning; batches done before stay.
    """
    lake.require()
    plan = Planning(lake, run_id).plan()
    counts: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    reviews: dict[str, Reviews] = {}
    for step in plan.steps:
        restored = _restored(lake, step)
        claimed = retried(lake, "ledger", lambda: _claim(lake, plan, step, own_run_id))  # noqa: B023  # called at once
        counts["withdrawn"] += len(claimed.withdrawn)
        counts["in_work"] += len(step.doc_ids) - len(claimed.today) - len(claimed.withdrawn)
        if claimed.claim is None:
            continue
        work = Work(lake=lake, claim=claimed.claim, prior=claimed.claim.doc_ids, contested=claimed.contested)
        tables = {name: _under(name, table, claimed.today) for name, table in restored.items()}
        for name, found in write_tables(work, tables, kept=step.kept, restamped=()).items():
            reviews[name] = reviews.get(name, Reviews()) + found
        work.complete()
        counts["restored"] += len(work.mine)
        counts["in_work"] += len(claimed.today) - len(work.mine)
        for done in work.commits:
            rows[done.table] += done.rows
    return RolledBack(
        restored=counts["restored"],
        created=len(plan.created),
        superseded=len(plan.superseded),
        in_work=len(plan.in_work) + counts["in_work"],
        withdrawn=counts["withdrawn"],
        rows=dict(sorted(rows.items())),
        reviews=reviews,
    )


def _restored(lake: Lake, step: Step) -> dict[str, pa.Table]:
    """The earlier rows of a step's documents, whole."""
    import pyarrow as pa

    tables = {}
    for contract in BATCH_TABLES:
        handle = lake.handle(contract.name)
        schema = lake.schema(contract.name)
        batches: list[pa.RecordBatch] = []
        missing = {doc_id for doc_id, count in step.expected.get(contract.name, {}).items() if count}
        for files in step.files.get(contract.name, ()):
            assert handle is not None
            found = list(read_rows(handle, contract.name, files, schema, missing))
            missing.difference_update(*(batch.column("doc_id").to_pylist() for batch in found))
            batches.extend(found)
        tables[contract.name] = pa.Table.from_batches(batches, schema=schema)
    _check_whole(step, tables)
    return tables


def _check_whole(step: Step, tables: Mapping[str, pa.Table]) -> None:
    """Each document has as many rows as the ledger says, all of the extraction that its own row names."""
    columns = ["doc_id", "extraction_id", "run_id", "text_extraction_id", "text_run_id"]
    documents = {row["doc_id"]: row for row in tables["documents"].select(columns).to_pylist()}
    for name, counts in step.expected.items():
        rows = tables[name].select(["doc_id", "extraction_id", "run_id"]).to_pylist()
        found = Counter(row["doc_id"] for row in rows)
        whole = all(found[doc_id] == count for doc_id, count in counts.items())
        for row in rows if whole else ():
            document = documents.get(row["doc_id"], {})
            current = (document.get("extraction_id"), document.get("run_id"))
            if name == "page_text" and document.get("text_extraction_id") is not None:
                current = (document["text_extraction_id"], document["text_run_id"])
            whole &= (row["extraction_id"], row["run_id"]) == current
        if not whole:
            raise LakeError(
                f"table {name}: the earlier rows do not add up to what the ledger says",
                hint="Operator: `extractor verify` tells what is broken; reprocess with the earlier model instead.",
            )


@dataclass(frozen=True, kw_only=True)
class _Claimed:
    """A claim (None for no documents), today's rows of its documents, and what was left out of it."""

    claim: Claim | None
    today: Mapping[str, Mapping[str, Any]]
    withdrawn: frozenset[str]
    contested: frozenset[str]


def _claim(lake: Lake, plan: Plan, step: Step, own_run_id: str) -> _Claimed:
    """Claim what nobody else claimed since the plan was made and nobody withdrew."""
    handle = lake.writable("ledger")
    contested = open_doc_ids(unfinished(lake))
    taken = claimed_since(
        lake, plan.ledger_version
    )  # after this nobody looks for newer claims: the claim would fail
    lake.ledger.refresh(handle)
    rows = lake.read(
        "documents", columns=["doc_id", "status", *INVENTORY_COLUMNS], doc_ids=step.doc_ids - taken
    )
    today = {row["doc_id"]: row for row in rows.to_pylist()}
    withdrawn = frozenset(doc_id for doc_id, row in today.items() if row["status"] == "withdrawn")
    today = {doc_id: row for doc_id, row in today.items() if doc_id not in withdrawn}
    claim = None
    if today:
        claim = lake.ledger.claim(
            handle, batch_id=uuid4().hex, kind="rollback", run_id=own_run_id, doc_ids=set(today)
        )
    return _Claimed(claim=claim, today=today, withdrawn=withdrawn, contested=contested.intersection(today))


def _under(name: str, rows: pa.Table, today: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """Rows of documents that are claimed, with what the inventory says of them today."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from extractor.tables.catalogue import table_named

    rows = rows.filter(pc.is_in(rows.column("doc_id"), value_set=pa.array(sorted(today), pa.string())))
    owners = rows.column("doc_id").to_pylist()
    for column in INVENTORY_COLUMNS if name == "documents" else GOVERNANCE_COLUMNS:
        index = rows.schema.get_field_index(column)
        if index >= 0:
            values = pa.array([today[owner][column] for owner in owners], rows.schema.field(index).type)
            rows = rows.set_column(index, rows.schema.field(index), values)
    return fitting(table_named(name), rows)
