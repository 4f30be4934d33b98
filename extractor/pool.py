"""Worker processes with limits: a document that hangs, crashes or eats memory takes nobody along.

The parent hears which page a worker is at. When a page outlasts its time or
kills its worker, the document is tried again without that page, up to
``limits.max_page_crashes`` pages; then it is given up. The kernel holds each
worker to ``limits.worker_memory_mb`` of data memory, and workers are replaced
after ``limits.documents_per_worker`` documents. Nobody waits for a worker that
starts: a job may be given to it at once, and is sent when it is ready.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from typing import Any, Self

import psutil

from extractor.config import Config
from extractor.document import PageFailure
from extractor.errors import CrashError, ExtractorError, MemoryLimitError, TimeLimitError
from extractor.isolation import confine, start_fork_server
from extractor.pipeline import PARTS, Engine, Job, Outcome, Part
from extractor.telemetry.logs import bound, configure

log = logging.getLogger(__name__)

_GRACE_S = 5.0
"""A worker may overrun a page's time by so much: engines with a time limit of their own answer first."""
_TICK_S = 0.25
_START_TIMEOUT_S = 120.0


@dataclass(slots=True)
class _Worker:
    process: Any
    link: Connection
    created_s: float
    ready: bool = False
    job: Job | None = None
    started_s: float = 0.0
    page_no: int = 0
    page_started_s: float = 0.0
    documents: int = 0
    peak_bytes: int = 0
    memory: psutil.Process | None = None


@dataclass(slots=True)
class PoolStatistics:
    """What the pool saw: peak resident bytes of any worker, and how many were stopped or replaced."""

    peak_worker_bytes: int = 0
    stopped: int = 0
    crashed: int = 0
    recycled: int = 0
    models: tuple[tuple[str, str], ...] = field(default=())


class Pool:
    """``size`` worker processes; submit jobs while :meth:`free` says so, collect outcomes.

    ``parts`` names what the workers load before their first job; anything else
    loads when a job needs it.

    Raises on entering:
        ExtractorError: what a worker cannot do without is missing.
    """

    def __init__(self, config: Config, *, size: int, parts: Sequence[Part] = PARTS) -> None:
        if size < 1:
            raise ValueError("a pool has at least one worker")
        self._config = config
        self._parts = tuple(parts)
        self._size = size
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._workers: list[_Worker] = []
        self.statistics = PoolStatistics()

    def __enter__(self) -> Self:
        start_fork_server()
        try:
            for _ in range(self._size):
                self._workers.append(self._start())
            while not any(worker.ready for worker in self._workers):
                self._listen(self._workers)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop all workers, busy ones too."""
        for worker in self._workers:
            self._stop(worker)
        self._workers = []

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """(name@version, sha256) of each model the workers loaded."""
        return self.statistics.models

    def free(self) -> bool:
        """Whether a job can be submitted now."""
        return any(worker.job is None for worker in self._workers)

    def busy(self) -> bool:
        """Whether any job is under way."""
        return any(worker.job is not None for worker in self._workers)

    def submit(self, job: Job) -> None:
        """Hand a job to a free worker."""
        idle = [worker for worker in self._workers if worker.job is None]
        worker = next((worker for worker in idle if worker.ready), idle[0])
        if worker.documents >= self._config.limits.documents_per_worker:
            self.statistics.recycled += 1
            worker = self._replace(worker)
        self._give(worker, job)

    def collect(self, timeout_s: float | None = None) -> Iterator[Outcome]:
        """Outcomes as they come; ends when one or more came, or after ``timeout_s``.

        Raises:
            ExtractorError: a worker could not be replaced.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        found: list[Outcome] = []
        while self.busy() and not found:
            found = self._listen([worker for worker in self._workers if worker.job is not None])
            yield from found
            if deadline is not None and time.monotonic() >= deadline:
                return

    def _listen(self, workers: Sequence[_Worker]) -> list[Outcome]:
        """Wait a moment for some workers, then look after all."""
        links = {worker.link: worker for worker in workers}
        heard = [self._hear(links[link]) for link in wait(list(links), timeout=_TICK_S)]  # type: ignore[index]
        checked = [self._check(worker) for worker in list(self._workers)]
        return [outcome for outcome in (*heard, *checked) if outcome is not None]

    def _give(self, worker: _Worker, job: Job) -> None:
        worker.job = job
        worker.started_s = 0.0
        worker.documents += 1
        if worker.ready:
            self._send(worker)

    def _send(self, worker: _Worker) -> None:
        worker.page_started_s = time.monotonic()
        worker.started_s = (
            worker.started_s or worker.page_started_s
        )  # a second try has no more time than the first
        worker.page_no = 0
        with contextlib.suppress(OSError):  # a dead worker is noticed by _check
            worker.link.send(worker.job)

    def _hear(self, worker: _Worker) -> Outcome | None:
        try:
            kind, value = worker.link.recv()
        except (EOFError, OSError):
            return self._died(worker)
        if kind == "page":
            worker.page_no, worker.page_started_s = value, time.monotonic()
            return None
        if kind == "ready":
            worker.ready, self.statistics.models = True, value
            if worker.job is not None:
                self._send(worker)
            return None
        if kind == "failed":
            raise value
        outcome: Outcome = value
        if outcome.code == MemoryLimitError.code and not outcome.failures and worker.page_no:
            return self._give_up_page(worker, MemoryLimitError)
        worker.job = None
        return outcome

    def _check(self, worker: _Worker) -> Outcome | None:
        now = time.monotonic()
        if not worker.ready and now - worker.created_s > _START_TIMEOUT_S:
            raise ExtractorError(
                "a worker did not start in time", hint="Operator: the machine is overloaded."
            )
        if worker.job is None or not worker.ready:
            return None
        limits = self._config.limits
        with contextlib.suppress(psutil.Error):
            if worker.memory is not None:
                used = worker.memory.memory_info().rss
                worker.peak_bytes = max(worker.peak_bytes, used)
                self.statistics.peak_worker_bytes = max(self.statistics.peak_worker_bytes, used)
                if used > limits.worker_memory_mb * 1024 * 1024:
                    return self._give_up_page(worker, MemoryLimitError)
        if now - worker.started_s > limits.document_time_s:
            return self._give_up(worker, TimeLimitError())
        page_limit_s = limits.page_time_s + _GRACE_S
        if worker.page_no and now - worker.page_started_s > page_limit_s:
            return self._give_up_page(worker, TimeLimitError)
        if not worker.page_no and now - worker.page_started_s > 2 * page_limit_s:
            return self._give_up(worker, TimeLimitError())
        return None

    def _died(self, worker: _Worker) -> Outcome | None:
        worker.process.join(timeout=_GRACE_S)
        if not worker.ready:
            raise ExtractorError(
                f"a worker died while starting (exit code {worker.process.exitcode})",
                hint="Operator: `extractor check` tells what is missing; raise limits.worker_memory_mb if it is low.",
            )
        self.statistics.crashed += 1
        limit = self._config.limits.worker_memory_mb * 1024 * 1024
        kind = MemoryLimitError if worker.peak_bytes > 0.7 * limit else CrashError
        log.warning("worker died with exit code %s", worker.process.exitcode)
        return self._give_up_page(worker, kind)

    def _give_up_page(self, worker: _Worker, kind: type[ExtractorError]) -> Outcome | None:
        job, page_no = worker.job, worker.page_no
        assert job is not None
        if page_no < 1 or page_no in job.skip or len(job.skip) >= self._config.limits.max_page_crashes:
            return self._give_up(worker, kind())
        log.warning("document %s: page %s given up (%s)", job.doc_id, page_no, kind.code)
        self.statistics.stopped += 1
        started_s = worker.started_s
        fresh = self._replace(worker)
        self._give(fresh, replace(job, skip={**job.skip, page_no: kind.code}))
        fresh.started_s = started_s
        return None

    def _give_up(self, worker: _Worker, error: ExtractorError) -> Outcome:
        job = worker.job
        assert job is not None
        log.warning("document %s given up (%s)", job.doc_id, error.code)
        self.statistics.stopped += 1
        self._replace(worker)
        return Outcome.refused(
            job.doc_id,
            error,
            failures=tuple(PageFailure(page_no=page_no, code=why) for page_no, why in job.skip.items()),
        )

    def _replace(self, worker: _Worker) -> _Worker:
        self._stop(worker)
        fresh = self._start()
        self._workers[self._workers.index(worker)] = fresh
        return fresh

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, self._config, self._parts, _settings()), daemon=True
        )
        process.start()
        theirs.close()
        memory = None
        with contextlib.suppress(psutil.Error):
            memory = psutil.Process(process.pid)
        return _Worker(process, ours, time.monotonic(), memory=memory)

    def _stop(self, worker: _Worker) -> None:
        with contextlib.suppress(OSError):
            worker.link.close()
        if worker.process.is_alive():
            worker.process.kill()
        worker.process.join(timeout=_GRACE_S)
        worker.job = None


def process_one(config: Config, job: Job) -> Outcome:
    """One job in a worker process of its own, under the same limits.

    Raises:
        ExtractorError: what a worker cannot do without is missing.
    """
    with Pool(config, size=1) as pool:
        pool.submit(job)
        while pool.busy():
            for outcome in pool.collect():
                return outcome
    raise AssertionError("a pool answers every job")


def _settings() -> dict[str, str]:
    """The engine's own environment variables: the fork server may have started under others."""
    return {name: value for name, value in os.environ.items() if name.startswith("EXTRACTOR_")}


def _serve(link: Connection, config: Config, parts: Sequence[Part], settings: dict[str, str]) -> None:
    """The life of a worker: get ready, then job by job until the parent hangs up."""
    os.environ.update(settings)
    os.environ["ORT_DISABLE_TELEMETRY"] = (
        "1"  # onnxruntime would keep a device id and an event file otherwise
    )
    voice = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    configure(config.log_level, config.telemetry.log_format, voice)
    confine(config.limits.worker_memory_mb)
    engine = Engine(config)
    try:
        models = engine.warm(parts)
    except ExtractorError as error:
        link.send(("failed", error))
        return
    gc.collect()
    gc.freeze()  # vocabularies and libraries stay for good: a fifth of the time went into looking through them
    with contextlib.suppress(EOFError, OSError):  # the parent is gone or has hung up
        link.send(("ready", models))
        while True:
            job: Job = link.recv()
            with bound(doc_id=job.doc_id, run_id=job.run_id or None):
                outcome = engine.process(job, on_page=lambda page_no: link.send(("page", page_no)))
            link.send(("done", outcome))
