"""``extractor run``: documents in, committed rows out.

Documents go to worker processes, outcomes come back in any order and are
committed in batches by one writer thread while the workers go on. A document
with attachments is committed after them, so that a crash in between cannot
lose one.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from extractor import __version__
from extractor.config import Config
from extractor.errors import ExtractorError, LimitError
from extractor.governance.inventory import Entry, Inventory
from extractor.isolation import start_fork_server
from extractor.lake.commit import GOVERNANCE_COLUMNS, Batch, append_run, commit
from extractor.lake.retag import retag
from extractor.lake.store import CurrentDocument, Lake
from extractor.lineage import Pipeline, Run, digest
from extractor.pipeline import Job, Outcome, advice
from extractor.pool import Pool, PoolStatistics
from extractor.records import Rejection
from extractor.sources import Source
from extractor.tables.governed import Inheritance
from extractor.tables.operations import quarantine_row, source_ref
from extractor.tally import Tally

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is: documents finished of those known, pages read."""

    finished: int
    known: int
    pages: int


@dataclass(slots=True, kw_only=True)
class _Item:
    """A document on its way: its bytes are dropped once it is with a worker."""

    doc_id: str
    content: bytes
    entry: Entry
    address: str
    attachment_no: str = ""
    parent: _Item | None = None
    waiting_for: int = 0
    outcome: Outcome | None = None
    byte_count: int = 0

    @property
    def depth(self) -> int:
        return 0 if self.parent is None else self.parent.depth + 1


def run(
    sources: Sequence[Source],
    lake: Lake,
    *,
    config: Config,
    inventory: Inventory,
    workers: int,
    on_progress: Callable[[Progress], None] = lambda _: None,
    kind: str = "run",
    again: frozenset[str] = frozenset(),
) -> tuple[Tally, PoolStatistics]:
    """Extract every source that is not current in the lake, and commit its rows.

    ``again`` names documents to extract although they are current (retries).
    The largest come first, so that no worker sits over a long one when the
    others are done.

    Raises:
        ExtractorError: a tool is missing, or the lake cannot be written; batches
            committed before stay.
        KeyboardInterrupt: the workers are stopped, a commit under way is brought
            to its end, and batches committed before stay.
    """
    start_fork_server()
    current = lake.current()  # while the fork server loads its libraries
    with Pool(config, size=workers) as pool:
        pipeline = Pipeline(
            code_version=__version__, config_sha256=config.extraction_sha256(), models=pool.models
        )
        running = _Running(
            sources=deque(sorted(sources, key=lambda source: -source.byte_count)),
            lake=lake,
            config=config,
            inventory=inventory,
            run=Run(pipeline=pipeline),
            current=current,
            again=again,
            on_progress=on_progress,
        )
        tally = running.drain(pool, kind)
        return tally, pool.statistics


@dataclass(slots=True, kw_only=True)
class _Running:
    """The state of one run: a queue, what is with the workers, what waits to be committed."""

    sources: deque[Source]
    lake: Lake
    config: Config
    inventory: Inventory
    run: Run
    current: Mapping[str, CurrentDocument]
    again: frozenset[str]
    on_progress: Callable[[Progress], None]
    queue: deque[_Item] = field(default_factory=deque)
    under_way: dict[str, _Item] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    retag: dict[str, Entry] = field(default_factory=dict)
    batch: list[_Item] = field(default_factory=list)
    batch_started_s: float = field(default_factory=time.monotonic)
    counts: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    pages: int = 0
    known: int = 0

    def drain(self, pool: Pool, kind: str) -> Tally:
        started_s = time.monotonic()
        self.known = len(self.sources)
        with ThreadPoolExecutor(1) as writer:
            pending: Future[None] | None = None
            while self.sources or self.queue or self.under_way or self.batch:
                self._feed(pool)
                for outcome in pool.collect(timeout_s=1.0):
                    self._take(self.under_way.pop(outcome.doc_id), outcome)
                idle = not (self.sources or self.queue or self.under_way)
                if self.batch and (idle or self._batch_is_full()):
                    if pending is not None:
                        pending.result()
                    full, self.batch = self.batch, []
                    self.batch_started_s = time.monotonic()
                    pending = writer.submit(self._commit, full)
                self.on_progress(Progress(finished=self._finished(), known=self.known, pages=self.pages))
            if pending is not None:
                pending.result()
        self._apply_retags()
        return self._close(kind, time.monotonic() - started_s)

    def _finished(self) -> int:
        return sum(self.counts.values())

    def _feed(self, pool: Pool) -> None:
        while pool.free() and (self.queue or self.sources):
            item = self.queue.popleft() if self.queue else self._next_source()
            if item is None:
                continue
            self.under_way[item.doc_id] = item
            pool.submit(
                Job(
                    doc_id=item.doc_id,
                    content=item.content,
                    entry=item.entry,
                    run_id=self.run.run_id,
                    pipeline=self.run.pipeline,
                ),
            )
            item.content = b""

    def _next_source(self) -> _Item | None:
        source = self.sources.popleft()
        try:
            content = source.read(max_bytes=self.config.limits.max_file_bytes)
        except ExtractorError as error:
            # Without its bytes the document is known by its address and size alone.
            doc_id = digest("unread", source.address, source.byte_count)
            item = _Item(
                doc_id=doc_id,
                content=b"",
                entry=self.inventory.entry(source.address, doc_id),
                address=source.address,
                byte_count=source.byte_count,
            )
            if self._is_wanted(item):
                retryable = not isinstance(error, LimitError)
                self._take(
                    item,
                    Outcome.refused(doc_id, error, retryable=retryable),
                )
            return None
        doc_id = hashlib.sha256(content).hexdigest()
        item = _Item(
            doc_id=doc_id,
            content=content,
            entry=self.inventory.entry(source.address, doc_id),
            address=source.address,
            byte_count=len(content),
        )
        return item if self._is_wanted(item) else None

    def _is_wanted(self, item: _Item) -> bool:
        """Whether the document must be extracted; if not it counts as skipped."""
        first = self.entries.get(item.doc_id)
        if first is not None:
            merged = first.merged(item.entry, self.inventory.policy)
            if merged != first:
                self.entries[item.doc_id] = self.retag[item.doc_id] = merged
            self.counts["skipped"] += 1
            return False
        self.entries[item.doc_id] = item.entry
        known = self.current.get(item.doc_id)
        if known is None or item.doc_id in self.again:
            return True
        if known.status != "withdrawn" and known.extraction_id != self.run.pipeline.extraction_id(
            item.doc_id
        ):
            return True
        changed = any(getattr(item.entry, name) != getattr(known, name) for name in GOVERNANCE_COLUMNS)
        if changed and item.entry.source in {"manifest", "rule"}:
            self.retag[item.doc_id] = item.entry
        self.counts["skipped"] += 1
        return False

    def _take(self, item: _Item, outcome: Outcome) -> None:
        """An outcome came: queue its attachments; when none is awaited it may be committed."""
        item.outcome = outcome
        bugs = outcome.is_bug
        self.counts["bugs" if bugs else {"extracted": "done"}.get(outcome.status, outcome.status)] += 1
        self.pages += outcome.pages_ok if outcome.page_count else 0
        item.waiting_for += 1  # not to be settled before all attachments are queued
        for attachment in outcome.attachments:
            self._add_attachment(item, attachment.content, attachment.attachment_no)
        item.waiting_for -= 1
        self._settle(item)

    def _add_attachment(self, parent: _Item, content: bytes, number: int) -> None:
        child = _Item(
            doc_id=hashlib.sha256(content).hexdigest(),
            content=content,
            entry=parent.entry.for_attachment(),
            address=parent.address,
            attachment_no=f"{parent.attachment_no}/{number}".lstrip("/"),
            parent=parent,
            byte_count=len(content),
        )
        self.known += 1
        if not self._is_wanted(child):
            return
        parent.waiting_for += 1
        if child.depth <= self.config.limits.max_attachment_depth:
            self.queue.append(child)
            return
        child.content = b""
        self._take(child, Outcome.refused(child.doc_id, LimitError(code="limit.attachment_depth")))

    def _settle(self, item: _Item) -> None:
        """Pass an item whose attachments are all settled on to the batch, then its parent."""
        if item.waiting_for or item.outcome is None:
            return
        self.batch.append(item)
        if item.parent is not None:
            item.parent.waiting_for -= 1
            self._settle(item.parent)

    def _batch_is_full(self) -> bool:
        settings = self.config.lake
        return (
            len(self.batch) >= settings.batch_documents
            or sum(item.outcome.page_count or 0 for item in self.batch if item.outcome)
            >= settings.batch_pages
            or time.monotonic() - self.batch_started_s >= settings.batch_seconds
        )

    def _commit(self, items: list[_Item]) -> None:
        tables = batch_tables(
            [(item, item.outcome) for item in items if item.outcome is not None], self.run, self.entries
        )
        extractions = {item.doc_id: self.run.pipeline.extraction_id(item.doc_id) for item in items}
        committed = commit(
            self.lake, Batch(run_id=self.run.run_id, kind="extract", extractions=extractions, tables=tables)
        )
        for one in committed.commits:
            self.rows[one.table] += one.rows
        log.info("committed %d documents", len(items))

    def _apply_retags(self) -> None:
        if not self.retag:
            return
        retag(
            self.lake,
            {doc_id: entry.columns() for doc_id, entry in self.retag.items()},
            run_id=self.run.run_id,
        )

    def _close(self, kind: str, seconds: float) -> Tally:
        tally = Tally(
            seen=self.known,
            done=self.counts["done"],
            partial=self.counts["partial"],
            quarantined=self.counts["quarantined"],
            skipped=self.counts["skipped"],
            bugs=self.counts["bugs"],
            pages=self.pages,
            rows=dict(sorted(self.rows.items())),
            seconds=seconds,
        )
        if tally.seen == tally.skipped and not self.retag:
            return tally  # nothing was done: the lake stays as it is, to the byte
        figures = tally.as_dict()
        pipeline = self.run.pipeline
        append_run(
            self.lake,
            {
                "run_id": self.run.run_id,
                "kind": kind,
                "started_at": self.run.started_at,
                "ended_at": datetime.now(UTC),
                "pipeline_version": pipeline.version,
                "code_version": pipeline.code_version,
                "config_sha256": pipeline.config_sha256,
                "models": [f"{name}={sha256}" for name, sha256 in pipeline.models],
                **{name: value for name, value in figures.items() if name != "rows"},
            },
        )
        return tally


def batch_tables(
    items: Iterable[tuple[_Item, Outcome]], run: Run, entries: Mapping[str, Entry]
) -> dict[str, Any]:
    """The Arrow tables of one batch: data tables, then quarantine, sources and documents."""
    import pyarrow as pa

    from extractor.tables.catalogue import TABLES

    parts: dict[str, list[Any]] = {}
    rows: dict[str, list[dict[str, Any]]] = {"quarantine": [], "sources": [], "documents": []}
    for item, outcome in items:
        entry = entries[item.doc_id]
        for name, table in outcome.tables.items():
            parts.setdefault(name, []).append(table)
        rows["documents"].append(_document_row(item, outcome, entry, run))
        rows["quarantine"].extend(_quarantine_rows(outcome, entry, run))
        rows["sources"].append(
            {
                "source_ref": source_ref(item.doc_id),
                "doc_id": item.doc_id,
                "uri": item.address,
                "attachment_no": item.attachment_no,
                "run_id": run.run_id,
            },
        )
    tables = {name: pa.concat_tables(found) for name, found in parts.items()}
    for name, found in rows.items():
        contract = TABLES[name]
        good, bad = contract.split(contract.to_arrow(found))
        if bad:
            rules = sorted({rule for one in bad for rule in one.rule_ids})
            raise ExtractorError(f"table {name}: own rows break {', '.join(rules)}", code="bug.contract")
        tables[name] = good
    return tables


def _document_row(item: _Item, outcome: Outcome, entry: Entry, run: Run) -> dict[str, Any]:
    return {
        **entry.columns(),
        "doc_id": item.doc_id,
        "source_ref": source_ref(item.doc_id),
        "parent_doc_id": item.parent.doc_id if item.parent else None,
        "media_type": outcome.media_type,
        "byte_count": item.byte_count,
        "page_count": outcome.page_count,
        "status": outcome.status,
        "status_code": outcome.code,
        "pages_ok": outcome.pages_ok if outcome.page_count else 0,
        "pages_failed": len(outcome.failures),
        "failed_pages": [failure.page_no for failure in outcome.failures],
        "pages_poor": outcome.pages_poor,
        "ocr_confidence": outcome.ocr_confidence,
        "attachment_count": len(outcome.attachments),
        "extraction_id": run.pipeline.extraction_id(item.doc_id),
        "pipeline_version": run.pipeline.version,
        "run_id": run.run_id,
        "extracted_at": datetime.now(UTC),
    }


def _quarantine_rows(outcome: Outcome, entry: Entry, run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if outcome.status == "quarantined":
        found.append(
            quarantine_row(
                Rejection(doc_id=outcome.doc_id, stage=outcome.stage or "read", code=outcome.code or ""),
                scope="document",
                hint=outcome.hint or "",
                retryable=outcome.retryable,
            ),
        )
    for failure in outcome.failures:
        hint, retryable = advice(failure.code)
        stage = "ocr" if failure.code.startswith("ocr.") else "read"
        rejection = Rejection(doc_id=outcome.doc_id, stage=stage, code=failure.code, page_no=failure.page_no)
        found.append(quarantine_row(rejection, scope="page", hint=hint or "", retryable=retryable))
    found.extend(
        quarantine_row(
            rejection,
            scope="row",
            hint="Developer of the extractor: the row broke the rule that the code names.",
            retryable=False,
        )
        for rejection in outcome.rejections
    )
    inherited = Inheritance.of(outcome.doc_id, entry, pipeline=run.pipeline, run_id=run.run_id).columns()
    unique = {row["row_id"]: row for row in found}
    return [{**row, **inherited} for row in unique.values()]
