"""What a principal may see of a table: rows by class and consent, columns by their own class."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from extractor.lake.relation import Pair, pairs_predicate
from extractor.tables.catalogue import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

    from extractor.governance.policy import Access
    from extractor.lake.snapshot import Snapshot
    from extractor.lake.today import Today
    from extractor.schema import Table


def visible_pairs(access: Access, contract: Table, *, restricted: bool = False) -> frozenset[Pair]:
    """Class and consent of rows that some grant lets through; with ``restricted``, some restricted grant."""
    scopes = access.policy.consent_scopes
    return frozenset(
        (classification, scope)
        for grant in access.grants(contract.name, restricted_zone=contract.zone == "restricted")
        if grant.restricted or not restricted
        for classification in grant.classes
        for scope in scopes
        if classification in grant.consent_free or scope in grant.consent_scopes
    )


def visible_columns(access: Access, contract: Table) -> tuple[str, ...]:
    """Columns to show: restricted ones only where a restricted grant covers every visible row."""
    shows_all = visible_pairs(access, contract) <= visible_pairs(access, contract, restricted=True)
    return tuple(
        column.name for column in contract.columns if shows_all or column.classification != "restricted"
    )


def inherits(contract: Table) -> bool:
    """Whether rows are of documents and do not say themselves of which class they are."""
    return "doc_id" in contract.column_names and "classification" not in contract.column_names


def sees_everything(access: Access, contract: Table) -> bool:
    """Whether a restricted grant covers every row that a table could hold."""
    policy = access.policy
    everything = {(name, scope) for name in policy.classes for scope in policy.consent_scopes}
    return everything <= visible_pairs(access, contract, restricted=True)


def visible_mask(access: Access, contract: Table, rows: pa.Table) -> pa.ChunkedArray:
    """Which of some rows in memory a principal may see.

    Rows that do not say of which class they are (those of ``sources``, or
    without the columns) are seen only by who may see everything.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names = ("classification", "consent_scope")
    if not set(names) <= set(rows.column_names):
        return pa.chunked_array([pa.repeat(sees_everything(access, contract), rows.num_rows)], pa.bool_())
    mask = pa.chunked_array([pa.repeat(pa.scalar(value=False), rows.num_rows)], pa.bool_())
    for values in visible_pairs(access, contract):
        here = [pc.equal(rows.column(name), value) for name, value in zip(names, values, strict=True)]
        mask = pc.or_(mask, pc.fill_null(pc.and_(*here), fill_value=False))
    return mask


@dataclass(kw_only=True)
class Visible:
    """Tables at one moment, as one principal may see them.

    With ``today``, rows are left out besides whose documents the principal
    would not see now: their class or consent became stricter, they were
    withdrawn, or are gone.
    """

    view: Snapshot
    access: Access
    today: Today | None = None

    def batches(
        self, table: str, columns: Sequence[str], *, where: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Columns of the rows of a table that are visible and for which the SQL predicate holds."""
        contract = TABLES[table]
        pairs = visible_pairs(self.access, contract)
        terms = [f"({where})"] if where else []
        if "classification" in contract.column_names:
            terms.append(pairs_predicate(pairs))
        of_documents = "doc_id" in contract.column_names and (inherits(contract) or self.today is not None)
        read = [*columns, *(("doc_id",) if of_documents and "doc_id" not in columns else ())]
        for batch in self.view.batches(table, read, where=" AND ".join(terms) or None):
            if not of_documents:
                yield batch
                continue
            rows = batch
            if inherits(contract):
                rows = _of_documents(rows, self._documents(pairs))
            if self.today is not None:
                rows = _of_documents(rows, self.today.documents(pairs))
            yield rows.select(list(columns))

    def documents_among(self, contract: Table, doc_ids: Collection[str]) -> list[str]:
        """Those of some documents of which rows may be shown, as far as documents decide; rows decide besides."""
        pairs = visible_pairs(self.access, contract)
        found = [doc_id for doc_id in doc_ids if doc_id not in self.view.hidden]
        if inherits(contract):
            found = [doc_id for doc_id in found if doc_id in self._documents(pairs)]
        if self.today is not None:
            found = [doc_id for doc_id in found if doc_id in self.today.documents(pairs)]
        return found

    def _documents(self, pairs: frozenset[Pair]) -> frozenset[str]:
        """Documents of these classes and consents at the moment of the view."""
        if pairs not in self._found:
            batches = self.view.batches("documents", ["doc_id"], where=pairs_predicate(pairs))
            self._found[pairs] = frozenset(
                doc_id for batch in batches for doc_id in batch.column(0).to_pylist()
            )
        return self._found[pairs]

    @cached_property
    def _found(self) -> dict[frozenset[Pair], frozenset[str]]:
        return {}


def _of_documents(rows: pa.RecordBatch, doc_ids: frozenset[str]) -> pa.RecordBatch:
    """The rows that belong to some documents, of which there may be very many."""
    import pyarrow as pa
    import pyarrow.compute as pc

    owners = rows.column(rows.schema.get_field_index("doc_id"))
    here = [doc_id for doc_id in owners.unique().to_pylist() if doc_id in doc_ids]
    return rows.filter(pc.is_in(owners, value_set=pa.array(here, owners.type)))
