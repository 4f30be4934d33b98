"""What one run replaced: for each document it wrote, where the rows lie that were there before."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from extractor.errors import ConfigError, LakeError
from extractor.lake import delta
from extractor.lake.compact import StoredFile, table_files
from extractor.lake.ledger import unfinished
from extractor.lake.work import BATCH_TABLES, half_written

if TYPE_CHECKING:
    from extractor.lake.store import Lake
    from extractor.schema import Table

RESTORED_TABLES: tuple[Table, ...] = tuple(
    contract for contract in BATCH_TABLES if "extraction_id" in contract.column_names
)
"""Tables whose rows a batch replaces."""

_GONE = (
    "Operator: `extractor maintain` removed the files (lake.vacuum_hours); reprocess the documents with the "
    "earlier model instead."
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """Documents of one batch of the run, and where their earlier rows lie.

    ``files`` holds for each table what its commits took out, in their order: a
    document's rows are in the first files that hold any of it. ``expected`` is
    how many rows each document had. ``kept`` tables were left alone by the run.
    """

    doc_ids: frozenset[str]
    kept: frozenset[str]
    files: Mapping[str, tuple[tuple[StoredFile, ...], ...]]
    expected: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The batches of a run, oldest first, and the documents that are left as they are.

    ``created`` were not there before the run, another run wrote ``superseded``
    ones since, a writer is at those ``in_work``.
    """

    ledger_version: int
    steps: tuple[Step, ...]
    created: frozenset[str]
    superseded: frozenset[str]
    in_work: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    sequence_no: int
    kind: str
    run_id: str


@dataclass(slots=True, kw_only=True)
class _Past:
    """What happened to one document: batches that completed it, and claims on it that did not."""

    completed: list[str] = field(default_factory=list)
    claimed: list[str] = field(default_factory=list)


class Planning:
    """Finds, for every document of a run, the rows that were there before it.

    Raises:
        ConfigError: no batch of the lake is of that run.
        LakeError: earlier rows are gone.
    """

    def __init__(self, lake: Lake, run_id: str) -> None:
        self._lake = lake
        self._run_id = run_id
        self._batches: dict[str, _Batch] = {}
        self._pasts: dict[str, _Past] = {}
        self._commits: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._removed: dict[tuple[str, int], tuple[StoredFile, ...]] = {}
        self._versions: dict[str, dict[str, int]] = {}

    def plan(self) -> Plan:
        """Look at the ledger and at what its versions took out; nothing is written."""
        state = unfinished(self._lake)
        self._read_ledger(state.version)
        others = half_written(state, besides=("reprocess", "rollback"))
        created, superseded, in_work = set(), set(), set()
        chosen: dict[str, dict[str, str]] = {}
        for doc_id, past in self._pasts.items():
            first, before = self._turn(past)
            if first is None:
                superseded.add(doc_id)
            elif doc_id in others:
                in_work.add(doc_id)
            elif before is None:
                created.add(doc_id)
            else:
                chosen.setdefault(first, {})[doc_id] = before
        self._read_commits({*chosen, *(b for found in chosen.values() for b in found.values())})
        ordered = sorted(chosen, key=lambda batch_id: self._batches[batch_id].sequence_no)
        return Plan(
            ledger_version=state.version,
            steps=tuple(self._step(batch_id, chosen[batch_id]) for batch_id in ordered),
            created=frozenset(created),
            superseded=frozenset(superseded),
            in_work=frozenset(in_work),
        )

    def _read_ledger(self, version: int) -> None:
        columns = ["batch_id", "state", "sequence_no", "kind", "run_id", "doc_ids"]
        until = f"kind <> 'maintain' AND sequence_no <= {version}"
        of_run = f"run_id = {delta.literal(self._run_id)} AND state = 'complete' AND kind <> 'retag'"
        own = self._lake.read("ledger", columns=["doc_ids"], where=f"{until} AND {of_run}")
        doc_ids = {doc_id for row in own.column("doc_ids").to_pylist() for doc_id in row}
        if not own.num_rows:
            raise ConfigError(
                "no batch of this lake is of that run",
                hint="Operator: the table runs lists the runs; runs that only retagged cannot be rolled back.",
            )
        self._pasts = {doc_id: _Past() for doc_id in sorted(doc_ids)}
        for batch in self._lake.iter_batches("ledger", columns=columns, where=until):
            for row in batch.to_pylist():
                is_claim = row["state"] == "claimed"
                if is_claim:
                    self._batches[row["batch_id"]] = _Batch(
                        sequence_no=row["sequence_no"], kind=row["kind"], run_id=row["run_id"]
                    )
                for past in filter(None, map(self._pasts.get, row["doc_ids"])):
                    (past.claimed if is_claim else past.completed).append(row["batch_id"])

    def _turn(self, past: _Past) -> tuple[str | None, str | None]:
        """The run's first batch of its last stretch on a document, and the batch that was complete before it.

        None for the first: another run extracted the document since.
        """
        ordered = sorted(past.completed, key=lambda batch_id: self._batches[batch_id].sequence_no)
        first: str | None = None
        for batch_id in reversed(ordered):
            batch = self._batches[batch_id]
            if batch.kind == "retag":
                continue
            if batch.run_id != self._run_id:
                break
            first = batch_id
        if first is None:
            return None, None
        place = ordered.index(first)
        return first, ordered[place - 1] if place else None

    def _read_commits(self, batch_ids: Collection[str]) -> None:
        where = f"state = 'complete' AND {delta.in_list('batch_id', sorted(batch_ids))}"
        columns = ["batch_id", "doc_ids", "commits"]
        for batch in self._lake.iter_batches("ledger", columns=columns, where=where):
            for row in batch.to_pylist():
                self._commits[row["batch_id"]] = {
                    done["table"]: {
                        "version": done["version"],
                        "rows": done["rows"],
                        "counts": dict(zip(row["doc_ids"], done["document_rows"], strict=True)),
                    }
                    for done in row["commits"]
                }

    def _step(self, batch_id: str, before: Mapping[str, str]) -> Step:
        commits = self._commits[batch_id]
        # A table that was left alone has rows of the documents and an entry that wrote none.
        kept = frozenset(
            name for name, done in commits.items() if not done["rows"] and any(done["counts"].values())
        )
        files = {
            contract.name: tuple(
                self._files_removed(contract, version)
                for version in self._writes(contract.name, batch_id, before)
            )
            for contract in RESTORED_TABLES
            if contract.name in commits and contract.name not in kept
        }
        expected = {
            contract.name: {
                doc_id: self._commits[one].get(contract.name, {"counts": {}})["counts"].get(doc_id, 0)
                for doc_id, one in before.items()
            }
            for contract in RESTORED_TABLES
            if contract.name not in kept
        }
        return Step(doc_ids=frozenset(before), kept=kept, files=files, expected=expected)

    def _writes(self, table: str, batch_id: str, before: Mapping[str, str]) -> list[int]:
        """The versions of a table that may have taken out the earlier rows of some documents, ascending.

        It is the batch's own, unless batches in between died half-way through the tables.
        """
        until = self._batches[batch_id].sequence_no
        died = {
            claim
            for doc_id, one in before.items()
            for claim in self._pasts[doc_id].claimed
            if self._batches[one].sequence_no < self._batches[claim].sequence_no < until
        }
        versions = self._batch_versions(table) if died else {}
        own = int(self._commits[batch_id][table]["version"])
        return sorted({own, *(versions[one] for one in died if one in versions)})

    def _batch_versions(self, table: str) -> Mapping[str, int]:
        """Batch -> version of its first commit to a table."""
        if table not in self._versions:
            handle = self._lake.handle(table)
            assert handle is not None
            with delta.translated(f"table {table}: the history cannot be read"):
                history = handle.history()
            found: dict[str, int] = {}
            for entry in history:
                if entry.get("extractor.batch"):
                    batch_id, version = entry["extractor.batch"], int(entry["version"])
                    found[batch_id] = min(version, found.get(batch_id, version))
            self._versions[table] = found
        return self._versions[table]

    def _files_removed(self, contract: Table, version: int) -> tuple[StoredFile, ...]:
        key = (contract.name, version)
        if key not in self._removed:
            self._removed[key] = _removed(self._lake, contract, version)
        return self._removed[key]


def _removed(lake: Lake, contract: Table, version: int) -> tuple[StoredFile, ...]:
    """The files that a version of a table took out; a row that it replaced is in one of them.

    Raises:
        LakeError: its log entry or one of the files is gone.
    """
    from pyarrow.fs import FileType

    handle = lake.handle(contract.name)
    assert handle is not None
    filesystem = table_files(handle)
    try:
        with filesystem.open_input_stream(f"_delta_log/{version:020}.json") as stream:
            actions = [json.loads(line) for line in stream.read().splitlines() if line.strip()]
    except FileNotFoundError:
        raise LakeError(f"table {contract.name}: version {version} is gone", hint=_GONE) from None
    except (OSError, ValueError) as error:
        raise LakeError(
            f"table {contract.name}: version {version} cannot be read: {type(error).__name__}"
        ) from None
    files = tuple(
        StoredFile(
            path=unquote(action["remove"]["path"]),
            size_bytes=action["remove"].get("size") or 0,
            partition=action["remove"].get("partitionValues") or {},
            figures={},
        )
        for action in actions
        if "remove" in action
    )
    with delta.translated(f"table {contract.name}: the files cannot be listed"):
        there = filesystem.get_file_info([file.path for file in files])
    if any(one.type != FileType.File for one in there):
        raise LakeError(f"table {contract.name}: rows before version {version} are gone", hint=_GONE)
    return files
