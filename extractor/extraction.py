"""Documents through the worker processes into the lake: what a run and a worker have in common.

Documents go to worker processes, outcomes come back in any order and are
committed in batches by one writer thread while the workers go on. A document
with attachments is committed after them, so that a crash in between cannot
lose one. Memory holds what is under way and nothing of what is committed.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from extractor.config import Config
from extractor.engines import Workers
from extractor.errors import ContractError, ExtractorError, GovernanceError, LimitError
from extractor.governance.inventory import Entry
from extractor.governance.policy import Policy
from extractor.item import Item
from extractor.lake.commit import GOVERNANCE_COLUMNS, Batch, append_run, commit
from extractor.lake.retag import retag
from extractor.lake.store import CurrentDocument, Lake
from extractor.lineage import Run
from extractor.outcome_rows import batch_tables
from extractor.pipeline import Job, Outcome
from extractor.tally import Tally

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Extraction:
    """What is queued, with the worker processes, and waits for its commit.

    ``known`` tells what the lake holds of a document, ``again`` names documents
    to extract although they are current. ``keeps`` is asked about each offered
    document that is through, before its rows count: with False it is dropped as
    if it had never been offered (its ``ticket`` knows what to do).
    ``on_committed`` gets the items of each batch once the lake has them;
    ``on_outcome`` each outcome as it comes.
    """

    pool: Workers
    lake: Lake
    config: Config
    policy: Policy
    run: Run
    known: Callable[[str], CurrentDocument | None]
    again: frozenset[str] = frozenset()
    remembers: bool = True
    """Whether documents stay known after their commit: a run does so, for later copies; it costs memory."""
    keeps: Callable[[Item, Outcome], bool] = lambda _item, _outcome: True
    on_outcome: Callable[[Item, Outcome], None] = lambda _item, _outcome: None
    on_committed: Callable[[Sequence[Item], Mapping[str, int], float], None] = lambda _i, _r, _s: None
    queue: deque[Item] = field(default_factory=deque)
    under_way: dict[str, Item] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    to_retag: dict[str, Entry] = field(default_factory=dict)
    batch: list[Item] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    yielded: set[str] = field(default_factory=set)
    """Documents that another writer claimed during our commit: whether it comes to its end is not known."""
    pages: int = 0
    known_documents: int = 0
    started_s: float = field(default_factory=time.monotonic)
    _batch_started_s: float = field(default_factory=time.monotonic)
    _writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _writing: list[Item] = field(default_factory=list)
    _pending: Future[float] | None = None

    def close(self) -> None:
        """Wait for a commit under way; what is not committed is dropped."""
        self._writer.shutdown(wait=True)

    # What is going on

    def finished(self) -> int:
        """Documents of which it is known what became of them."""
        return sum(self.counts.values())

    def hungry(self) -> bool:
        """Whether a worker process has nothing to do."""
        return self.pool.free() and not self.queue

    def working(self) -> bool:
        """Whether a document waits for, or is with, the worker processes."""
        return bool(self.queue or self.under_way)

    def unsaved(self) -> bool:
        """Whether something waits for, or is at, its commit."""
        return bool(self.batch or self._writing)

    def waiting_pages(self) -> int:
        """Pages whose rows wait for their commit."""
        return sum(item.outcome.page_count or 0 for item in (*self.batch, *self._writing) if item.outcome)

    def waiting_bytes(self) -> int:
        """Bytes of documents that no worker process has yet."""
        return sum(len(item.content) for item in self.queue)

    # The way in

    def offer(self, item: Item) -> bool:
        """Take a document; False when nothing need be done for it (it counts as skipped)."""
        self.known_documents += 1
        if not self._is_wanted(item):
            return False
        if item.error is not None:
            retryable = not isinstance(item.error, LimitError | GovernanceError)
            self._take(item, Outcome.refused(item.doc_id, item.error, retryable=retryable))
        else:
            self.queue.append(item)
        return True

    def feed(self) -> None:
        """Give queued documents to free worker processes."""
        while self.pool.free() and self.queue:
            item = self.queue.popleft()
            self.under_way[item.doc_id] = item
            self.pool.submit(
                Job(
                    doc_id=item.doc_id,
                    content=item.content,
                    entry=item.entry,
                    run_id=self.run.run_id,
                    pipeline=self.run.pipeline,
                ),
            )
            item.content = b""

    def step(self, timeout_s: float) -> None:
        """Feed the worker processes, and wait for outcomes at most ``timeout_s``.

        Raises:
            ExtractorError: a worker process could not be replaced.
        """
        self.feed()
        for outcome in self.pool.collect(timeout_s=timeout_s):
            self._take(self.under_way.pop(outcome.doc_id), outcome)

    def save(self, *, now: bool = False) -> None:
        """Begin to commit what is finished when a batch is full, or ``now``, and no commit is under way.

        Raises:
            LakeError: the last commit failed; its documents wait again, and a later call tries once more.
        """
        if self._pending is not None and self._pending.done():
            self.await_commit()
        if self._pending is None and self.batch and (now or self.batch_is_full()):
            self._writing, self.batch = self.batch, []
            self._batch_started_s = time.monotonic()
            self._pending = self._writer.submit(self._commit, self._writing)

    def flush(self) -> None:
        """Commit all that is finished, and wait until it is in the lake; raises as :meth:`save` does."""
        self.await_commit()
        self.save(now=True)
        self.await_commit()

    def await_commit(self) -> None:
        """Wait for a commit under way; raises as :meth:`save` does."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        items, self._writing = self._writing, []
        try:
            seconds = pending.result()
        except ExtractorError:
            self.batch = items + self.batch
            raise
        rows: Counter[str] = Counter()
        for item in items:
            assert item.outcome is not None
            rows.update({name: table.num_rows for name, table in item.outcome.tables.items()})
            if not self.remembers:
                self.entries.pop(item.doc_id, None)
        self.on_committed(items, rows, seconds)

    def _is_wanted(self, item: Item) -> bool:
        """Whether the document must be extracted; if not it counts as skipped."""
        first = self.entries.get(item.doc_id)
        if first is not None:
            merged = first.merged(item.entry, self.policy)
            if merged != first:
                self.entries[item.doc_id] = self.to_retag[item.doc_id] = merged
            self.counts["skipped"] += 1
            return False
        known = self.known(item.doc_id)
        if known is None or item.doc_id in self.again:
            self.entries[item.doc_id] = item.entry
            return True
        if known.status != "withdrawn" and known.extraction_id != self.run.pipeline.extraction_id(
            item.doc_id
        ):
            self.entries[item.doc_id] = item.entry
            return True
        if self.remembers:
            self.entries[item.doc_id] = item.entry
        changed = any(getattr(item.entry, name) != getattr(known, name) for name in GOVERNANCE_COLUMNS)
        if changed and item.entry.source in {"manifest", "rule"}:
            self.to_retag[item.doc_id] = item.entry
        self.counts["skipped"] += 1
        return False

    # The way out

    def _take(self, item: Item, outcome: Outcome) -> None:
        """An outcome came: queue its attachments; when none is awaited it may be committed."""
        if item.parent is None and not self.keeps(item, outcome):
            self.known_documents -= 1
            del self.entries[item.doc_id]
            return
        item.outcome = outcome
        bugs = outcome.is_bug
        self.counts["bugs" if bugs else {"extracted": "done"}.get(outcome.status, outcome.status)] += 1
        self.pages += outcome.pages_ok if outcome.page_count else 0
        self.on_outcome(item, outcome)
        item.waiting_for += 1  # not to be settled before all attachments are queued
        for attachment in outcome.attachments:
            self._add_attachment(item, attachment.content, attachment.attachment_no)
        item.waiting_for -= 1
        self._settle(item)

    def _add_attachment(self, parent: Item, content: bytes, number: int) -> None:
        child = Item(
            doc_id=hashlib.sha256(content).hexdigest(),
            content=content,
            entry=parent.entry.for_attachment(),
            address=parent.address,
            attachment_no=f"{parent.attachment_no}/{number}".lstrip("/"),
            parent=parent,
            byte_count=len(content),
        )
        self.known_documents += 1
        if not self._is_wanted(child):
            return
        parent.waiting_for += 1
        if child.depth <= self.config.limits.max_attachment_depth:
            self.queue.appendleft(child)
            return
        child.content = b""
        self._take(child, Outcome.refused(child.doc_id, LimitError(code="limit.attachment_depth")))

    def _settle(self, item: Item) -> None:
        """Pass an item whose attachments are all settled on to the batch, then its parent."""
        if item.waiting_for or item.outcome is None:
            return
        if not self.batch:
            self._batch_started_s = time.monotonic()
        self.batch.append(item)
        if item.parent is not None:
            item.parent.waiting_for -= 1
            self._settle(item.parent)

    def batch_is_full(self) -> bool:
        """Whether enough is finished for a commit: documents, pages, or time since the last."""
        settings = self.config.lake
        return (
            len(self.batch) >= settings.batch_documents
            or sum(item.outcome.page_count or 0 for item in self.batch if item.outcome)
            >= settings.batch_pages
            or time.monotonic() - self._batch_started_s >= settings.batch_seconds
        )

    def _commit(self, items: list[Item]) -> float:
        """Write a batch; a document whose rows the lake refuses is refused alone. Seconds it took."""
        started_s = time.monotonic()
        try:
            self._write(items)
        except ContractError as error:
            if len(items) > 1:
                middle = len(items) // 2
                self._commit(items[:middle])
                self._commit(items[middle:])
            else:
                (item,) = items
                log.error("document %s: the lake refuses its rows (%s)", item.doc_id, error.code)  # noqa: TRY400
                item.outcome = Outcome.refused(item.doc_id, error, stage="contract", is_bug=True)
                self._write(items)
        return time.monotonic() - started_s

    def _write(self, items: Sequence[Item]) -> None:
        pairs = [(item, item.outcome) for item in items if item.outcome is not None]
        tables = batch_tables(pairs, self.run, self.entries)
        extractions = {item.doc_id: self.run.pipeline.extraction_id(item.doc_id) for item in items}
        committed = commit(
            self.lake, Batch(run_id=self.run.run_id, kind="extract", extractions=extractions, tables=tables)
        )
        self.yielded |= committed.yielded
        for one in committed.commits:
            self.rows[one.table] += one.rows
        log.info("committed %d documents", len(items))

    def apply_retags(self) -> frozenset[str]:
        """Move rows of documents whose governance changed, without reading them again; which they were.

        Not while a commit is under way. Documents that are not committed yet wait.
        """
        ready = {d: e for d, e in self.to_retag.items() if self.remembers or d not in self.entries}
        if ready:
            entries = {doc_id: entry.columns() for doc_id, entry in ready.items()}
            retag(self.lake, entries, run_id=self.run.run_id)
            if not self.remembers:
                for doc_id in ready:
                    del self.to_retag[doc_id]
        return frozenset(ready)

    def give_up(self, *, under_way: bool = False) -> list[Item]:
        """Drop what no worker process has begun (and what they are at): the offered documents that miss it now."""
        dropped = [*self.queue, *(self.under_way.values() if under_way else ())]
        self.queue.clear()
        if under_way:
            self.under_way.clear()
        self.known_documents -= len(dropped)
        return list({id(item.root): item.root for item in dropped}.values())

    def tally(self) -> Tally:
        """What became of the documents so far."""
        return Tally(
            seen=self.known_documents,
            done=self.counts["done"],
            partial=self.counts["partial"],
            quarantined=self.counts["quarantined"],
            skipped=self.counts["skipped"],
            bugs=self.counts["bugs"],
            pages=self.pages,
            rows=dict(sorted(self.rows.items())),
            seconds=time.monotonic() - self.started_s,
        )


def record_run(lake: Lake, run: Run, kind: str, tally: Tally) -> None:
    """Add a run and its figures to ``runs``."""
    pipeline = run.pipeline
    append_run(
        lake,
        {
            "run_id": run.run_id,
            "kind": kind,
            "started_at": run.started_at,
            "ended_at": datetime.now(UTC),
            "pipeline_version": pipeline.version,
            "code_version": pipeline.code_version,
            "config_sha256": pipeline.config_sha256,
            "models": [f"{name}={sha256}" for name, sha256 in pipeline.models],
            **{name: value for name, value in tally.as_dict().items() if name != "rows"},
        },
    )
