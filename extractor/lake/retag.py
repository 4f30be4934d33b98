"""Moving rows to another class, consent, study or subject without extracting again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from extractor.errors import ContractError
from extractor.lake import delta
from extractor.lake.commit import GOVERNANCE_COLUMNS, Committed
from extractor.lake.ledger import Claim, unfinished
from extractor.lake.store import Lake
from extractor.lake.work import BATCH_TABLES, Work, half_written, open_doc_ids, read_schema, retried

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from extractor.schema import Table

INVENTORY_COLUMNS = (
    *GOVERNANCE_COLUMNS,
    *("record_type", "modality", "site_id", "sample_id", "owner", "received_at", "governance_source"),
)
"""Columns that retagging may set: the first four in every table, all in ``documents``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """The columns that every row inherits from its document."""

    study_id: str | None
    subject_id: str | None
    classification: str
    consent_scope: str


def retag(lake: Lake, tags: Mapping[str, Tags | Mapping[str, object]], *, run_id: str) -> Committed:
    """Give documents new inventory columns, as tags or by name; what is not named stays as it is.

    Documents whose extraction is not complete are left alone and named in
    ``yielded``: the next run writes them, with the governance it is given.
    Run and extraction of the rows stay. An interrupted call is repeated whole.

    Raises:
        ContractError: a column cannot be set by retagging, or a value does not fit.
        CommitConflictError: other writers kept winning.
    """
    columns = {doc_id: asdict(new) if isinstance(new, Tags) else new for doc_id, new in tags.items()}
    if unknown := {name for values in columns.values() for name in values} - set(INVENTORY_COLUMNS):
        raise ContractError(f"retagging cannot set {', '.join(sorted(unknown))}")
    claim, contested = retried(lake, "ledger", lambda: _claim(lake, columns, run_id))
    if claim is None:
        return Committed(batch_id=None, commits=(), already=frozenset(), yielded=frozenset(tags))
    work = Work(lake=lake, claim=claim, prior=claim.doc_ids, contested=contested & claim.doc_ids)
    for contract in BATCH_TABLES:
        if "classification" in contract.column_names:
            work.replace(contract, _tagged(contract, columns), create=False)
    work.complete()
    return Committed(
        batch_id=claim.batch_id,
        commits=tuple(work.commits),
        already=frozenset(),
        yielded=frozenset(tags.keys() - work.mine),
    )


def _claim(
    lake: Lake, tags: Mapping[str, Mapping[str, object]], run_id: str
) -> tuple[Claim | None, frozenset[str]]:
    """A claim on those documents whose rows are whole: no extraction of them is unfinished; and the contested ones."""
    handle = lake.writable("ledger")
    state = unfinished(lake)
    lake.ledger.refresh(handle)
    doc_ids = lake.ledger.ever_claimed(tags) - half_written(state, besides=("retag",))
    there = lake.read("documents", columns=["doc_id"], doc_ids=doc_ids).column("doc_id").to_pylist()
    if not there:
        return None, frozenset()
    claim = lake.ledger.claim(handle, batch_id=uuid4().hex, kind="retag", run_id=run_id, doc_ids=set(there))
    return claim, open_doc_ids(state)


def _tagged(
    contract: Table, tags: Mapping[str, Mapping[str, object]]
) -> Callable[[DeltaTable, Sequence[str]], pa.Table]:
    import pyarrow as pa

    settable = [
        name
        for name in (INVENTORY_COLUMNS if contract.name == "documents" else GOVERNANCE_COLUMNS)
        if name in contract.column_names
    ]

    def make_rows(handle: DeltaTable, doc_ids: Sequence[str]) -> pa.Table:
        schema = read_schema(contract, contract.column_names)
        where = delta.in_list("doc_id", doc_ids)
        what = f"table {contract.name} cannot be read"
        rows = pa.Table.from_batches(delta.scan(handle, schema, where=where, what=what), schema=schema)
        owners = rows.column("doc_id").to_pylist()
        for name in settable:
            index = schema.get_field_index(name)
            old = rows.column(name).to_pylist()
            new = [tags[owner].get(name, value) for owner, value in zip(owners, old, strict=True)]
            try:
                column = pa.array(new, schema.field(index).type)
            except (pa.ArrowException, TypeError):
                raise ContractError(f"retagging: a value does not fit column {name}") from None
            rows = rows.set_column(index, schema.field(index), column)
        return rows

    return make_rows
