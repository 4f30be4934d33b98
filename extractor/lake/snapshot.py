"""Several tables at one moment, without the documents that a writer is at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extractor.lake import delta
from extractor.lake.ledger import Claim, claimed_since, unfinished
from extractor.tables.catalogue import table_named

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from extractor.lake.store import Lake, Pin
    from extractor.lake.today import Today


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Handles pinned to versions, and the documents whose rows must not be looked at.

    ``hidden`` are the documents of batches that were unfinished before the
    handles were taken, and of batches that began before the last was taken:
    for all others every table is as their last batch left it, and that batch
    is in the ledger up to ``ledger_version``. ``today`` is the governance to
    hold rows of a moment that is over against; None where this moment is now.
    """

    ledger_version: int
    handles: dict[str, DeltaTable]
    claims: tuple[Claim, ...]
    hidden: frozenset[str]
    today: Today | None = None

    def batches(
        self, table: str, columns: Sequence[str], *, where: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Rows of a table, those of hidden documents left out."""
        import pyarrow as pa

        contract = table_named(table)
        if table not in self.handles:
            return
        schema = contract.arrow_schema()
        yield from delta.scan(
            self.handles[table],
            pa.schema([schema.field(name).with_nullable(True) for name in columns]),
            where=self.visible(table, where),
            what=f"table {table} cannot be read",
        )

    def visible(self, table: str, where: str | None = None) -> str | None:
        """The predicate that leaves hidden documents out, joined with another one."""
        terms = [f"({where})"] if where else []
        if self.hidden and "doc_id" in table_named(table).column_names:
            terms.append(f"NOT ({delta.in_list('doc_id', sorted(self.hidden))})")
        return " AND ".join(terms) or None


def snapshot(lake: Lake, tables: Iterable[str]) -> Snapshot:
    """Pin the newest versions of those tables that exist; of a pinned lake, the versions that it is pinned to."""
    if lake.pin is not None:
        return _pinned(lake, lake.pin, tables)
    before = unfinished(lake)
    handles = {}
    for table in tables:
        handle = delta.open_table(lake.table_uri(table), lake.settings.storage_options, name=table)
        if handle is not None:
            handles[table] = handle
    began = claimed_since(lake, before.version)
    return Snapshot(
        ledger_version=before.version,
        handles=handles,
        claims=before.claims,
        hidden=before.doc_ids | began,
    )


def _pinned(lake: Lake, pin: Pin, tables: Iterable[str]) -> Snapshot:
    from extractor.lake.today import Today

    found = {table: lake.handle(table) for table in tables}
    return Snapshot(
        ledger_version=pin.versions.get("ledger", -1),
        handles={table: handle for table, handle in found.items() if handle is not None},
        claims=(),  # what was not complete then is hidden for good, and owed by nobody
        hidden=pin.hidden,
        today=Today(lake.now),
    )
