"""The tables of a claimed batch one after the other: the rows given, those that people reviewed, those that stay."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from extractor.lake import delta
from extractor.lake.carry import (
    DECIDED,
    STAMPS,
    STANDING,
    Carried,
    Reviews,
    Stamps,
    carry_entities,
    carry_relations,
    stamped,
)
from extractor.lake.work import BATCH_TABLES, Work, of_documents, read_schema
from extractor.tables.entities import ENTITIES
from extractor.tables.relations import RELATIONS

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from extractor.schema import Table

MakeRows = Callable[["DeltaTable", Sequence[str]], "pa.Table"]


def write_tables(
    work: Work, tables: Mapping[str, pa.Table], *, kept: Collection[str], restamped: Collection[str]
) -> dict[str, Reviews]:
    """Write every table of a batch; what became of reviewed rows, by table, where there were any.

    ``tables`` has rows of every table, fitting its contract. Tables in ``kept``
    are left alone; the stored rows of those in ``restamped`` take the batch's
    extraction and run.
    """
    settling = _Settling(work=work, tables=tables, kept=kept, restamped=restamped)
    for contract in BATCH_TABLES:
        rows = tables[contract.name]
        if contract.name in kept:
            work.keep(contract)
        elif "extraction_id" in contract.column_names:
            work.replace(contract, settling.maker(contract), create=rows.num_rows > 0)
        elif rows.num_rows:
            work.add(contract, rows)
    return {
        name: carried.reviews for name, carried in settling.carried.items() if carried.reviews != Reviews()
    }


@dataclass(kw_only=True)
class _Settling:
    """Makes the rows of each table when its turn comes; links need what became of the mentions."""

    work: Work
    tables: Mapping[str, pa.Table]
    kept: Collection[str]
    restamped: Collection[str]
    stamps: Stamps = field(init=False)
    carried: dict[str, Carried] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = self.tables["documents"].select(["doc_id", *STAMPS]).to_pylist()
        self.stamps = {row["doc_id"]: row for row in columns}

    def maker(self, contract: Table) -> MakeRows:
        """What makes a table's rows of some documents; it may be called again after a lost race."""
        if contract.name == ENTITIES.name:
            return self._entities
        if contract.name == RELATIONS.name:
            return self._relations
        return lambda handle, doc_ids: self._offered(handle, contract, doc_ids)

    def _offered(self, handle: DeltaTable, contract: Table, doc_ids: Sequence[str]) -> pa.Table:
        if contract.name in self.restamped:
            stored = _stored(handle, contract, delta.in_list("doc_id", doc_ids))
            return stamped(stored, self.stamps).cast(contract.arrow_schema())
        return of_documents(self.tables[contract.name], doc_ids)

    def _entities(self, handle: DeltaTable, doc_ids: Sequence[str]) -> pa.Table:
        new = self._offered(handle, ENTITIES, doc_ids)
        replaced = sorted(self.work.prior.intersection(doc_ids))
        old = new.slice(0, 0)
        ends: set[str] = set()
        if replaced and ENTITIES.name not in self.restamped:
            ends = self._ends(replaced)
            wanted = delta.in_list("review_status", DECIDED)
            if ends:
                wanted = f"({wanted} OR {delta.in_list('row_id', sorted(ends))})"
            old = _stored(handle, ENTITIES, f"{wanted} AND {delta.in_list('doc_id', replaced)}")
        carried = carry_entities(
            old, new, stamps=self.stamps, ends=ends, texts=self._texts(old) if old.num_rows else None
        )
        self.carried[ENTITIES.name] = carried
        return carried.rows

    def _relations(self, handle: DeltaTable, doc_ids: Sequence[str]) -> pa.Table:
        new = self._offered(handle, RELATIONS, doc_ids)
        replaced = sorted(self.work.prior.intersection(doc_ids))
        old = new.slice(0, 0)
        if replaced and RELATIONS.name not in self.restamped:
            wanted = f"{delta.in_list('review_status', DECIDED)} AND {delta.in_list('doc_id', replaced)}"
            old = _stored(handle, RELATIONS, wanted)
        mentions = self.carried.get(ENTITIES.name)
        # Where only one of the two tables is new, links and mentions come from two extractions.
        touched = frozenset(doc_ids) if self.restamped else mentions.touched if mentions else frozenset()
        carried = carry_relations(
            old,
            new,
            stamps=self.stamps,
            entities=mentions.rows if mentions else self.tables[ENTITIES.name],
            touched=touched,
            texts=self._texts(old) if old.num_rows else None,
        )
        self.carried[RELATIONS.name] = carried
        return carried.rows

    def _ends(self, doc_ids: Sequence[str]) -> set[str]:
        """The mentions between which links stand that people accepted or corrected."""
        columns = ["head_row_id", "tail_row_id"]
        where = delta.in_list("review_status", STANDING)
        links = self.work.lake.read(RELATIONS.name, columns=columns, doc_ids=doc_ids, where=where)
        return {row_id for name in columns for row_id in links.column(name).to_pylist()}

    def _texts(self, old: pa.Table) -> dict[str, str] | None:
        """The canonical texts of documents with reviewed rows, where the batch has new ones."""
        if "page_text" in self.kept:
            return None
        columns = ["doc_id", "page_no", "text"]
        pages = of_documents(self.tables["page_text"].select(columns), old.column("doc_id").to_pylist())
        texts: dict[str, list[str]] = {}
        for row in pages.sort_by([("doc_id", "ascending"), ("page_no", "ascending")]).to_pylist():
            texts.setdefault(row["doc_id"], []).append(row["text"])
        return {doc_id: "\f".join(found) for doc_id, found in texts.items()}


def _stored(handle: DeltaTable, contract: Table, where: str) -> pa.Table:
    import pyarrow as pa

    schema = read_schema(contract, contract.column_names)
    what = f"table {contract.name} cannot be read"
    return pa.Table.from_batches(list(delta.scan(handle, schema, where=where, what=what)), schema=schema)
