"""What differs between two states of a lake for a principal.

Rows in files that both states share are equal, so only the other files are
read: once for the documents in them, then in groups of documents that lie
together, each group from the files that hold it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from extractor.errors import AccessDeniedError, ConfigError
from extractor.lake import delta
from extractor.lake.changes import NOT_COMPARED, compare_rows, kind_column
from extractor.lake.compact import StoredFile, stored_files, table_files
from extractor.lake.difference import Counts, Difference, TableDifference
from extractor.lake.files import hashes_of, read_rows
from extractor.lake.snapshot import snapshot
from extractor.lake.store import Lake
from extractor.lake.today import Today
from extractor.lake.visible import Visible, inherits, visible_columns, visible_mask, visible_pairs
from extractor.lake.work import BATCH_TABLES
from extractor.tables.catalogue import TABLES, table_named

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from extractor.governance.policy import Access
    from extractor.schema import Table

GROUP_DOCUMENTS = 500
GROUP_PAGES = 5_000
"""Documents and pages that are compared at a time."""


def compare_states(
    before: Lake, after: Lake, access: Access, *, tables: Collection[str] = (), examples: int = 0
) -> Difference:
    """What differs between two states of one lake, in rows and columns that a principal may see in either.

    Today's governance holds for both: rows of documents that the principal
    would not see now are in neither. Documents that a writer was at in one of
    the states, or is at now, are left out of both and counted. Memory holds
    one group of documents, and a few hundred bytes for each document.

    Raises:
        AccessDeniedError: a table that is asked for is not granted, or none is.
        ConfigError: a table that is asked for has no rows of documents.
        LakeError: a state cannot be read any more (``lake.gone``).
    """
    contracts = _contracts(before, after, access, tables)
    names = [*(contract.name for contract in contracts), "documents"]
    today = Today(after.now)
    views = [snapshot(lake, names) for lake in (before, after)]
    hidden = frozenset[str]().union(*(view.hidden for view in views))
    sides = [
        _Side(visible=Visible(view=replace(view, hidden=hidden), access=access, today=today))
        for view in views
    ]
    touched = {contract.name: _touched(sides, contract) for contract in contracts}
    found = {contract.name: TableDifference(table=contract.name) for contract in contracts}
    for group in _groups(sides, list(dict.fromkeys(one for ids in touched.values() for one in ids))):
        for contract in contracts:
            doc_ids = [doc_id for doc_id in group if doc_id in touched[contract.name]]
            if doc_ids:
                rows = [side.rows(contract, doc_ids) for side in sides]
                differs = compare_rows(contract.name, *rows, examples=examples, access=access)
                found[contract.name] = found[contract.name].merged(differs)
    return Difference(
        tables={
            contract.name: _counted(found[contract.name], sides, contract, same=not touched[contract.name])
            for contract in contracts
        },
        left_out=len(hidden | today.in_work),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file and the hashes of the documents with rows in it."""

    file: StoredFile
    hashes: NDArray[np.int64]


@dataclass(kw_only=True)
class _Side:
    """One of the two states, as the principal may see it."""

    visible: Visible
    files: dict[str, list[_File]] = field(default_factory=dict)
    """Table -> its files that are read."""

    def look(self, contract: Table, files: Collection[StoredFile]) -> Iterator[str]:
        """Note these files of a table; the documents in them, as they lie."""
        import pyarrow.parquet as pq

        noted = self.files.setdefault(contract.name, [])
        handle = self.visible.view.handles[contract.name]
        with delta.translated(f"table {contract.name} cannot be read"):
            filesystem = table_files(handle)
            for file in files:
                doc_ids: dict[str, None] = {}
                with filesystem.open_input_file(file.path) as stream:
                    reader = pq.ParquetFile(stream, read_dictionary=["doc_id"])
                    for batch in reader.iter_batches(columns=["doc_id"], batch_size=delta.ROW_GROUP):
                        doc_ids |= dict.fromkeys(batch.column(0).unique().to_pylist())
                noted.append(_File(file=file, hashes=hashes_of(doc_ids)))
                yield from doc_ids

    def rows(self, contract: Table, doc_ids: Collection[str]) -> pa.Table:
        """The visible rows of some documents in the files that were noted, with all that is compared."""
        import numpy as np
        import pyarrow as pa

        access = self.visible.access
        shown = {*visible_columns(access, contract), *contract.key, "classification", "consent_scope"}
        columns = [name for name in contract.column_names if name in shown and name not in NOT_COMPARED]
        schema = contract.arrow_schema()
        schema = pa.schema([schema.field(name).with_nullable(True) for name in columns])
        wanted = self.visible.documents_among(contract, doc_ids)
        hashes = hashes_of(wanted)
        files = [one.file for one in self.files.get(contract.name, ()) if np.isin(hashes, one.hashes).any()]
        if not files:
            return schema.empty_table()
        handle = self.visible.view.handles[contract.name]
        rows = pa.Table.from_batches(read_rows(handle, contract.name, files, schema, wanted), schema=schema)
        return rows if inherits(contract) else rows.filter(visible_mask(access, contract, rows))


def _contracts(before: Lake, after: Lake, access: Access, wanted: Collection[str]) -> list[Table]:
    """The tables to compare, in the order of the catalogue: those that are granted, or those that are asked for."""
    of_batches = {contract.name for contract in BATCH_TABLES}
    for name in sorted(set(wanted)):
        if table_named(name).name not in of_batches:
            raise ConfigError(f"table {name} holds no rows of documents", hint="You: leave it out.")
        if not visible_pairs(access, TABLES[name]):
            raise AccessDeniedError(f"table {name} is not granted to principal {access.principal!r}")
    found = [
        contract
        for contract in BATCH_TABLES
        if contract.name in (wanted or of_batches) and visible_pairs(access, contract)
    ]
    for lake in (before, after):
        if lake.pin is not None and "ledger" not in lake.pin.versions:  # versions of single tables
            found = [one for one in found if one.name in lake.pin.versions and not inherits(one)]
    if not found:
        raise AccessDeniedError(f"principal {access.principal!r} is granted none of the tables to compare")
    return found


def _touched(sides: Sequence[_Side], contract: Table) -> dict[str, None]:
    """Documents with rows in files that only one side has, those that lie together together.

    Tables whose rows are as visible as their documents are read whole.
    """
    handles = [side.visible.view.handles.get(contract.name) for side in sides]
    files = [[] if handle is None else stored_files(handle, contract.name) for handle in handles]
    shared = {file.path for file in files[0]} & {file.path for file in files[1]}
    if inherits(contract):
        shared = set()
    found: dict[str, None] = {}
    for side, stored in reversed(list(zip(sides, files, strict=True))):
        own = [file for file in stored if file.path not in shared]
        if own:
            found |= dict.fromkeys(side.look(contract, own))
    return found


def _groups(sides: Sequence[_Side], doc_ids: Sequence[str]) -> Iterator[list[str]]:
    """Documents in groups that fit into memory, in the order given."""
    pages = dict.fromkeys(doc_ids, 1)
    for side in sides:
        for batch in side.visible.view.batches("documents", ["doc_id", "page_count"]):
            for doc_id, count in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if doc_id in pages:
                    pages[doc_id] = max(pages[doc_id], count or 1)
    group: list[str] = []
    size = 0
    for doc_id, count in pages.items():
        if group and (len(group) >= GROUP_DOCUMENTS or size + count > GROUP_PAGES):
            yield group
            group, size = [], 0
        group.append(doc_id)
        size += count
    if group:
        yield group


def _counted(
    found: TableDifference, sides: Sequence[_Side], contract: Table, *, same: bool
) -> TableDifference:
    """A difference with how many rows of each kind there are on both sides, equal ones too."""
    before = _kinds(sides[0].visible, contract)
    after = before if same else _kinds(sides[1].visible, contract)
    return replace(
        found,
        kinds={
            kind: replace(found.kinds.get(kind, Counts()), before=before[kind], after=after[kind])
            for kind in sorted({*before, *after, *found.kinds})
        },
    )


def _kinds(visible: Visible, contract: Table) -> Counter[str]:
    counts: Counter[str] = Counter()
    column = kind_column(contract)
    for batch in visible.batches(contract.name, [column or contract.key[0]]):
        if column is None:
            counts[""] += batch.num_rows
        else:
            for one in batch.column(0).value_counts().to_pylist():
                counts[one["values"] or ""] += one["counts"]
    return counts
