"""The numbers of one worker, in the format that Prometheus reads.

One process records them, the worker's own: the processes of its pool report
through their outcomes. So there is one registry per :class:`Metrics`, no shared
files, and nothing global. Units are seconds and bytes. Labels are names of
closed sets and codes, bounded in number; tenants, documents and jobs are never
labels.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric

from extractor.errors import ExtractorError
from extractor.telemetry.values import NOT_AN_ID, OTHER, as_code, as_id

MOST_VALUES = 100
"""So many values of one label are told apart; further ones are counted as ``other``."""

NO_CODE = "none"
"""The label ``code`` of a document that has none: it was extracted whole."""

STATUSES = ("extracted", "partial", "quarantined", "skipped")
PAGE_RESULTS = ("good", "poor", "failed")
QUEUE_STATES = ("ready", "delayed", "leased", "dead")
POOL_EVENTS = ("crashed", "stopped", "recycled")

_DOCUMENT_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
_STAGE_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 600)
_COMMIT_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_CONFIDENCE = (0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A metric as the documentation tells it; ``name`` is that of its series (histograms add suffixes)."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str


class Metrics:
    """What a worker counts and measures, rendered for Prometheus. Any thread may call any method."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._described: list[Described] = []
        self._lock = threading.Lock()
        self._values: dict[str, set[str]] = {}
        self._pool_before = dict.fromkeys(POOL_EVENTS, 0)

        self._up = self._gauge("extractor_up", "1 while the worker lives, as /healthz says")
        self._ready = self._gauge(
            "extractor_ready", "1 while every condition of /readyz holds, 0 otherwise: it takes no documents"
        )
        self._pipeline = self._gauge(
            "extractor_pipeline_info", "always 1: what this worker extracts with", "pipeline_version", "code_version"
        )  # fmt: skip
        self._model = self._gauge(
            "extractor_model_info", "always 1: a model of that pipeline", "model", "version", "sha256"
        )

        self._documents = self._counter(
            "extractor_documents_total",
            "documents finished; status extracted, partial, quarantined or skipped (current in the lake already)",
            "status",
            "code",
        )
        self._bugs = self._counter(
            "extractor_bugs_total", "documents quarantined because of a defect of the code (codes bug.*)"
        )
        self._pages = self._counter(
            "extractor_pages_total", "pages of those documents; result good, poor (read badly) or failed", "result"
        )  # fmt: skip
        self._bytes = self._counter("extractor_bytes_total", "bytes of those documents")
        self._document_s = self._histogram(
            "extractor_document_seconds", "from handing a document to the pool to its outcome", _DOCUMENT_S
        )
        self._stage_s = self._histogram(
            "extractor_stage_seconds", "a stage's share of it: read, ocr, extract, tables", _STAGE_S, "stage"
        )
        self._confidence = self._histogram(
            "extractor_ocr_confidence",
            "mean confidence of a document's OCR, 0 to 1; documents without OCR are not in it",
            _CONFIDENCE,
        )
        self._entities = self._counter("extractor_entities_total", "entities found, by type", "type")
        self._relations = self._counter("extractor_relations_total", "relations found, by type", "type")
        self._rows = self._counter("extractor_rows_total", "rows committed to the lake, by table", "table")

        self._commit_s = self._histogram(
            "extractor_commit_seconds", "commit of one batch, all its tables and retries", _COMMIT_S
        )
        self._conflicts = self._counter(
            "extractor_commit_conflicts_total", "times that another writer was faster and a commit was tried again"
        )  # fmt: skip

        self._queue = self._gauge(
            "extractor_queue_messages",
            "messages of the whole queue; state ready, delayed, leased or dead; absent where the broker cannot tell",
            "state",
        )
        self._oldest_s = self._gauge(
            "extractor_queue_oldest_seconds",
            "age of the oldest ready message since it was enqueued; 0 when none is ready, NaN when not known",
        )
        self._retries = self._counter(
            "extractor_retries_total", "messages handed back to be tried again, by the code of why", "code"
        )
        self._dead = self._counter(
            "extractor_dead_letters_total", "messages given up by this worker, by the code of why", "code"
        )
        self._leases_lost = self._counter(
            "extractor_leases_lost_total",
            "leases that ended before the work did: somebody else has the message",
        )

        self._in_flight = self._gauge(
            "extractor_in_flight", "what this worker holds now; what: documents, bytes or pages", "what"
        )
        self._memory = self._gauge(
            "extractor_worker_memory_bytes", "largest resident memory that any process of the pool had"
        )
        self._pool = self._counter(
            "extractor_pool_events_total",
            "processes of the pool that crashed, were stopped at a limit, or were recycled after their share",
            "event",
        )
        self._start_at_zero()

    @property
    def described(self) -> tuple[Described, ...]:
        """Every metric, in the order of the documentation."""
        return tuple(self._described)

    def render(self) -> bytes:
        """All series as text, of the format :attr:`content_type` names."""
        return generate_latest(_WithoutCreated(self._registry))

    def state(self, *, alive: bool, ready: bool) -> None:
        """Whether the worker lives and takes documents, as its endpoint says."""
        self._up.set(int(alive))
        self._ready.set(int(ready))

    def pipeline(self, version: str, code_version: str, models: Iterable[tuple[str, str]]) -> None:
        """What this worker extracts with from now on; ``models`` are (name@version, sha256 or "") each."""
        self._pipeline.clear()
        self._pipeline.labels(as_id(version), as_id(code_version)).set(1)
        self._model.clear()
        for model, sha256 in models:
            name, _, model_version = model.partition("@")
            self._model.labels(
                _model_name(name), as_id(model_version) if model_version else "", as_id(sha256) if sha256 else ""
            ).set(1)  # fmt: skip

    def document(
        self,
        *,
        status: str,
        code: str | None = None,
        seconds: float,
        pages: int = 0,
        pages_poor: int = 0,
        pages_failed: int = 0,
        stage_s: Mapping[str, float] | None = None,
        ocr_confidence: float | None = None,
        byte_count: int = 0,
    ) -> None:
        """A document came back from the pool after ``seconds``.

        ``pages`` were read, ``pages_poor`` of them badly; ``pages_failed`` come on top.
        """
        self._count_document(status, code)
        self._pages.labels("good").inc(max(pages - pages_poor, 0))
        self._pages.labels("poor").inc(pages_poor)
        self._pages.labels("failed").inc(pages_failed)
        self._bytes.inc(byte_count)
        self._document_s.observe(seconds)
        for stage, spent_s in (stage_s or {}).items():
            self._stage_s.labels(self._value("stage", stage)).observe(spent_s)
        if ocr_confidence is not None:
            self._confidence.observe(ocr_confidence)

    def skipped(self) -> None:
        """A document was current in the lake already, or came twice."""
        self._count_document("skipped", None)

    def entities(self, by_type: Mapping[str, int]) -> None:
        """So many entities were found, by type."""
        for kind, count in by_type.items():
            self._entities.labels(self._value("entity", kind)).inc(count)

    def relations(self, by_type: Mapping[str, int]) -> None:
        """So many relations were found, by type."""
        for kind, count in by_type.items():
            self._relations.labels(self._value("relation", kind)).inc(count)

    def rows(self, table: str, count: int) -> None:
        """So many rows went into a table."""
        self._rows.labels(self._value("table", table)).inc(count)

    def committed(self, seconds: float, *, conflicts: int = 0) -> None:
        """A batch was committed, after losing to other writers ``conflicts`` times."""
        self._commit_s.observe(seconds)
        self._conflicts.inc(conflicts)

    def retried(self, code: str) -> None:
        """A message was handed back to be tried again."""
        self._retries.labels(self._value("code", code)).inc()

    def died(self, code: str) -> None:
        """A message was given up."""
        self._dead.labels(self._value("code", code)).inc()

    def leases_lost(self, count: int = 1) -> None:
        """So many leases ended before the work did."""
        self._leases_lost.inc(count)

    def in_flight(self, *, documents: int, pages: int, byte_count: int) -> None:
        """What the worker holds now: read, being read, or waiting for its commit."""
        for what, count in (("documents", documents), ("pages", pages), ("bytes", byte_count)):
            self._in_flight.labels(what).set(count)

    def queue(
        self,
        *,
        ready: int | None = None,
        delayed: int | None = None,
        leased: int | None = None,
        dead: int | None = None,
        oldest_s: float | None = None,
    ) -> None:
        """How many messages stand where; None where nobody can tell (all of it while the broker is away)."""
        for state, count in zip(QUEUE_STATES, (ready, delayed, leased, dead), strict=True):
            if count is None:
                with contextlib.suppress(KeyError):  # older versions of the library mind that it is not there
                    self._queue.remove(state)
            else:
                self._queue.labels(state).set(count)
        unknown_s = 0.0 if ready == 0 else math.nan
        self._oldest_s.set(unknown_s if oldest_s is None else oldest_s)

    def pool(self, *, crashed: int, stopped: int, recycled: int, peak_worker_bytes: int) -> None:
        """What the pool saw since it was started; a pool started anew counts from 0 again."""
        now = {"crashed": crashed, "stopped": stopped, "recycled": recycled}
        with self._lock:
            before, self._pool_before = self._pool_before, now
        for event, count in now.items():
            self._pool.labels(event).inc(count - before[event] if count >= before[event] else count)
        self._memory.set(peak_worker_bytes)

    def _count_document(self, status: str, code: str | None) -> None:
        known = status if status in STATUSES else OTHER
        self._documents.labels(known, NO_CODE if code is None else self._value("code", code)).inc()
        if code is not None and code.startswith("bug."):
            self._bugs.inc()

    def _value(self, label: str, value: str) -> str:
        """The value as a label: ``other`` where it is no code or name, or one too many."""
        value = as_code(value)
        with self._lock:
            known = self._values.setdefault(label, set())
            if value in known:
                return value
            if len(known) >= MOST_VALUES:
                return OTHER
            known.add(value)
            return value

    def _start_at_zero(self) -> None:
        """Series that are known beforehand exist from the start, so that their first event is a rise."""
        self._documents.labels("extracted", NO_CODE)
        self._documents.labels("skipped", NO_CODE)
        for result in PAGE_RESULTS:
            self._pages.labels(result)
        for event in POOL_EVENTS:
            self._pool.labels(event)
        for code in sorted(_codes(ExtractorError)):
            self._retries.labels(self._value("code", code))
            self._dead.labels(self._value("code", code))
        self.in_flight(documents=0, pages=0, byte_count=0)
        self._oldest_s.set(math.nan)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        self._described.append(Described(name=name, kind="counter", labels=labels, meaning=meaning))
        return Counter(name, meaning, labels, registry=self._registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        self._described.append(Described(name=name, kind="gauge", labels=labels, meaning=meaning))
        return Gauge(name, meaning, labels, registry=self._registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        self._described.append(Described(name=name, kind="histogram", labels=labels, meaning=meaning))
        return Histogram(name, meaning, labels, buckets=buckets, registry=self._registry)


class _WithoutCreated:
    """A registry's families without the times at which their series began: nobody asks for them here."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


def _model_name(name: str) -> str:
    """A model's name; those of a hub have a slash."""
    return "/".join(as_id(part) for part in name.split("/")) if name.count("/") <= 1 else NOT_AN_ID


def _codes(kind: type[ExtractorError]) -> set[str]:
    """The codes of the engine's errors."""
    return {kind.code}.union(*(_codes(child) for child in kind.__subclasses__()))
