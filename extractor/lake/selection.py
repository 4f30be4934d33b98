"""Which documents of a lake to run through a newer pipeline, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from extractor.errors import ConfigError, LakeError
from extractor.lake import delta
from extractor.lake.files import DocumentFiles, Ints, hashes_of
from extractor.lake.ledger import unfinished
from extractor.lake.work import half_written

if TYPE_CHECKING:
    from extractor.lake.store import Lake

READABLE = ("extracted", "partial")
"""Documents of these states have stored text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """What selects documents; all that is given must hold.

    ``where`` is an SQL predicate over ``documents``. ``model`` is "name" or
    "name@version" of a row's maker. ``model``, ``entity_type`` and
    ``score_below`` must hold of one row of ``entities`` (of ``relations`` too
    where only a model is given). ``since`` (inclusive) and ``until``
    (exclusive) bound the time of the extraction, in UTC.
    """

    where: str | None = None
    pipeline: str | None = None
    classification: str | None = None
    study: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    model: str | None = None
    entity_type: str | None = None
    score_below: float | None = None


@dataclass(frozen=True, kw_only=True)
class Selected:
    """Documents that can be run through a pipeline: doc_id -> their current extraction.

    ``begun`` of them were left half-written by an earlier reprocess; they are
    selected whatever the selection says, since nobody sees them until they are
    complete. ``in_work`` documents fit the selection and another writer is at
    them; ``without_text`` fit it and have no stored text (quarantined or withdrawn).
    """

    extractions: Mapping[str, str] = field(default_factory=dict)
    begun: frozenset[str] = frozenset()
    in_work: int = 0
    without_text: int = 0


def select(
    lake: Lake, which: Which, *, doc_ids: Collection[str] | None = None, begun: bool = True
) -> Selected:
    """Documents that fit; of some documents only where ``doc_ids`` names them.

    Raises:
        ConfigError: ``where`` is no predicate over the columns of ``documents``.
        LakeError: there is no lake, or it cannot be read.
    """
    lake.require()
    state = unfinished(lake)
    others = half_written(state, besides=("reprocess",))
    half = state.doc_ids - others
    wanted = frozenset(doc_ids) if doc_ids is not None else None
    found = _fitting(lake, which, wanted)
    made = _made(lake, which)
    if made is not None:
        found = {doc_id: row for doc_id, row in found.items() if doc_id in made}
    found = {doc_id: row for doc_id, row in found.items() if doc_id not in half}
    if begun and half:
        found |= _fitting(lake, Which(), half if wanted is None else half & wanted)
    readable = {doc_id: extraction for doc_id, (extraction, status) in found.items() if status in READABLE}
    return Selected(
        extractions={doc_id: one for doc_id, one in readable.items() if doc_id not in others},
        begun=frozenset(half & readable.keys()),
        in_work=len(others & readable.keys()),
        without_text=len(found) - len(readable),
    )


def _fitting(lake: Lake, which: Which, doc_ids: Collection[str] | None) -> dict[str, tuple[str, str]]:
    """doc_id -> (extraction_id, status) of documents that fit by their own row."""
    columns = ["doc_id", "extraction_id", "status", "extracted_at"]
    equal = (
        ("pipeline_version", which.pipeline),
        ("classification", which.classification),
        ("study_id", which.study),
    )
    terms = [f"{name} = {delta.literal(value)}" for name, value in equal if value is not None]
    if which.where is not None:
        terms.append(f"({which.where})")
        _check(lake, which.where)
    found = {}
    batches = lake.iter_batches(
        "documents", columns=columns, doc_ids=doc_ids, where=" AND ".join(terms) or None
    )
    for batch in batches:
        for doc_id, extraction_id, status, at in zip(
            *(batch.column(name).to_pylist() for name in columns), strict=True
        ):
            late_enough = which.since is None or at >= which.since
            if late_enough and (which.until is None or at < which.until):
                found[doc_id] = (extraction_id, status)
    return found


def _check(lake: Lake, where: str) -> None:
    """Tell a wrong predicate from a store that fails."""
    try:
        lake.read("documents", columns=["doc_id"], where=f"1 = 0 AND ({where})")
    except LakeError:
        lake.read("documents", columns=["doc_id"], where="1 = 0")
        raise ConfigError(
            "--where is no predicate over the columns of documents",
            hint="Operator: write what could stand after WHERE; `extractor tables` lists the columns.",
        ) from None


def _made(lake: Lake, which: Which) -> set[str] | None:
    """Documents with a row that fits; None where rows are not asked about."""
    terms = []
    if which.model is not None:
        name, _, version = which.model.partition("@")
        terms.append(f"model = {delta.literal(name)}")
        if version:
            terms.append(f"model_version = {delta.literal(version)}")
    tables = ["entities", "relations"] if terms else ["entities"]
    if which.entity_type is not None:
        terms.append(f"type = {delta.literal(which.entity_type)}")
    if which.score_below is not None:
        terms.append(f"score < {float(which.score_below)!r}")
    if not terms:
        return None
    if which.entity_type is not None or which.score_below is not None:
        tables = ["entities"]
    found: set[str] = set()
    for table in tables:
        for batch in lake.iter_batches(table, columns=["doc_id"], where=" AND ".join(terms)):
            found.update(batch.column(0).unique().to_pylist())
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Documents whose rows are replaced together; ``rows`` is how many they have now."""

    doc_ids: tuple[str, ...]
    rows: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Groups in the order of files; ``rewrites`` says how many files are rewritten how often (times -> files)."""

    groups: tuple[Group, ...]
    rewrites: Mapping[int, int]


def plan(files: DocumentFiles, doc_ids: Iterable[str], *, documents: int, rows: int) -> Plan:
    """Documents in groups of at most so many documents and rows, so that a group holds whole files where it can.

    To replace a document's rows, each file that holds some is written anew: the
    documents of a file should be replaced at once. A document may lie in
    several files; files that share one are taken together. Documents without
    rows come last. A document with more than ``rows`` rows is a group of its own.
    """
    files.refresh()
    names = sorted(doc_ids)
    in_files = _InFiles(files, names)
    packing = _Packing(names, in_files.rows, documents=documents, rows=rows)
    for together in in_files.together():
        packing.add(together)
    groups = packing.close()
    group_of = np.full(len(names), -1)
    for number, members in enumerate(groups):
        group_of[members] = number
    rewrites = Counter(len(np.unique(group_of[members])) for members in in_files.members if len(members))
    return Plan(
        groups=tuple(
            Group(doc_ids=tuple(names[index] for index in members), rows=int(in_files.rows[members].sum()))
            for members in groups
        ),
        rewrites=dict(sorted(rewrites.items())),
    )


class _InFiles:
    """Where the selected documents lie, by their index."""

    def __init__(self, files: DocumentFiles, names: list[str]) -> None:
        hashes = hashes_of(names)
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        self.rows = np.zeros(len(names), np.int64)
        self.members: list[Ints] = []
        self._first = np.full(len(names), -1)
        self._parent = list(range(len(files.held)))
        for number, held in enumerate(files.held.values()):
            places = np.searchsorted(ordered, held.hashes)
            hit = places < len(ordered)
            hit[hit] = ordered[places[hit]] == held.hashes[hit]
            members = order[places[hit]]
            self.rows[members] += held.rows[hit]
            for other in np.unique(self._first[members]):
                if other >= 0:
                    self._parent[self._root(number)] = self._root(int(other))
            self._first[members] = np.where(self._first[members] < 0, number, self._first[members])
            self.members.append(np.sort(members))

    def _root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def together(self) -> list[Ints]:
        """Documents of files that share some, file by file; at last those without rows."""
        owners: dict[int, list[Ints]] = {}
        for number, members in enumerate(self.members):
            own = members[self._first[members] == number]
            if len(own):
                owners.setdefault(self._root(number), []).append(own)
        found = [np.concatenate(parts) for parts in owners.values()]
        return [*found, np.flatnonzero(self._first < 0)]


class _Packing:
    """Puts what belongs together into groups, and splits it only where it is larger than a group."""

    def __init__(self, names: list[str], row_counts: Ints, *, documents: int, rows: int) -> None:
        self._row_counts = row_counts
        self._documents, self._rows = documents, rows
        self._groups: list[Ints] = []
        self._open: list[int] = []
        self._open_rows = 0
        self._size = len(names)

    def add(self, members: Ints) -> None:
        total = int(self._row_counts[members].sum())
        if not self._fits(len(members), total):
            self._flush()
        if len(members) <= self._documents and total <= self._rows:
            self._open.extend(members.tolist())
            self._open_rows += total
            return
        for member in members.tolist():
            own = int(self._row_counts[member])
            if not self._fits(1, own):
                self._flush()
            self._open.append(member)
            self._open_rows += own

    def close(self) -> list[Ints]:
        self._flush()
        assert sum(map(len, self._groups)) == self._size, "documents were lost"
        return self._groups

    def _fits(self, documents: int, rows: int) -> bool:
        return len(self._open) + documents <= self._documents and self._open_rows + rows <= self._rows

    def _flush(self) -> None:
        if self._open:
            self._groups.append(np.array(self._open))
        self._open, self._open_rows = [], 0
