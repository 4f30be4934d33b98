"""What a worker tells of its documents: metrics and traces, made from outcomes. Numbers, ids and codes only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from extractor.errors import QueueError
from extractor.extraction import Extraction
from extractor.item import Item
from extractor.leases import Leases
from extractor.pipeline import Outcome
from extractor.ports import Queue
from extractor.telemetry.metrics import Metrics
from extractor.telemetry.traces import Tracer

_STATUS_S = 15.0
"""The broker is asked for its numbers so often."""


@dataclass(slots=True, kw_only=True)
class Figures:
    """One worker's metrics and traces."""

    metrics: Metrics
    tracer: Tracer
    _status_s: float = 0.0
    _lost: int = 0
    _conflicts: int = 0
    _processed_s: dict[int, float] = field(default_factory=dict)

    def begun(self, item: Item, *, job_id: str, run_id: str) -> None:
        """A document was taken from the queue."""
        item.trace = self.tracer.start(job_id=job_id, run_id=run_id)

    def came(self, item: Item, outcome: Outcome) -> None:
        """An outcome that counts."""
        failed = len(outcome.failures)
        self.metrics.document(
            status=outcome.status,
            code=outcome.code,
            seconds=sum(outcome.stage_s.values()),
            pages=outcome.pages_ok if outcome.page_count else 0,
            pages_poor=outcome.pages_poor,
            pages_failed=failed,
            stage_s=outcome.stage_s,
            ocr_confidence=outcome.ocr_confidence,
            byte_count=item.byte_count,
        )
        if "entities" in outcome.tables:
            self.metrics.entities(Counter(outcome.tables["entities"].column("type").to_pylist()))
        if "relations" in outcome.tables:
            self.metrics.relations(Counter(outcome.tables["relations"].column("relation_type").to_pylist()))
        if item.trace is None:
            item.trace = self.tracer.start(started_s=time.time() - sum(outcome.stage_s.values()))
        self._processed_s[id(item)] = time.time()

    def handed_back(self, item: Item, outcome: Outcome) -> None:
        """A failure that may pass: the document will come again."""
        self.metrics.retried(outcome.code or "")
        if item.trace is not None:
            item.trace.finish(
                status="handed-back", doc_id=item.doc_id, code=outcome.code, stage_s=outcome.stage_s
            )

    def committed(
        self,
        items: Sequence[Item],
        rows: Mapping[str, int],
        seconds: float,
        *,
        pipeline_version: str,
        conflicts: int,
    ) -> None:
        """A batch is in the lake; ``conflicts`` is the lake's count since its start."""
        for table, count in rows.items():
            self.metrics.rows(table, count)
        self.metrics.committed(seconds, conflicts=conflicts - self._conflicts)
        self._conflicts = conflicts
        for item in items:
            outcome = item.outcome
            if item.trace is None or outcome is None:
                continue
            item.trace.finish(
                status=outcome.status,
                doc_id=item.doc_id,
                code=outcome.code,
                pages=outcome.pages_ok if outcome.page_count else 0,
                pipeline_version=pipeline_version,
                stage_s=outcome.stage_s,
                processed_s=self._processed_s.pop(id(item), None),
                commit_s=seconds,
            )

    def moment(self, extraction: Extraction, leases: Leases, queue: Queue) -> None:
        """What the worker holds now, and now and then what the queue does."""
        statistics = extraction.pool.statistics
        self.metrics.in_flight(
            documents=len(leases.held),
            byte_count=extraction.waiting_bytes(),
            pages=extraction.waiting_pages(),
        )
        self.metrics.pool(
            peak_worker_bytes=statistics.peak_worker_bytes,
            crashed=statistics.crashed,
            stopped=statistics.stopped,
            recycled=statistics.recycled,
        )
        self.metrics.leases_lost(leases.lost - self._lost)
        self._lost = leases.lost
        now = time.monotonic()
        if self._status_s and now - self._status_s < _STATUS_S:
            return
        self._status_s = now
        if not leases.reachable:
            self.metrics.queue()
            return
        try:
            status = queue.status()
        except QueueError:
            self.metrics.queue()
            return
        self.metrics.queue(
            ready=status.ready,
            delayed=status.delayed,
            leased=status.leased,
            dead=status.dead,
            oldest_s=status.oldest_s,
        )
