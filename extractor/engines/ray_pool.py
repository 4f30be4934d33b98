"""A pool whose workers are the stages of a Ray Data pipeline.

One dataset lives as long as the pool: a source that hands out what is
submitted, actors that read, actors that find, and a thread here that takes
outcomes as they come. So models are loaded once, attachments re-enter, and
nobody waits for the slowest document of a round.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self

from extractor.config import Config
from extractor.engines.ray_session import plan, session
from extractor.engines.ray_stages import Desk, Find, Read, Task, hand_out, tasks_of
from extractor.errors import ExtractorError
from extractor.pipeline import Job, Outcome
from extractor.pool import PoolStatistics

log = logging.getLogger(__name__)

_CHUNK_DOCUMENTS = 8
_CHUNK_BYTES = 1024**2
"""A chunk goes when it has so many documents or bytes: a block costs Ray some milliseconds, whatever is in it."""
_AHEAD_CHUNKS = 4
"""Chunks under way for each pair of a reader and a finder."""
_UNDER_WAY_BYTES = 256 * 1024**2
"""Of documents, as they were submitted: a quarter of the object store of a Ray of our own."""
_TICK_S = 0.25
_ANSWER_S = 30.0
_CLOSE_S = 20.0
_PATIENCE_S = 60.0
_MOST_RESTARTS = 3


class RayPool:
    """Reading and finding on Ray, with the interface of :class:`extractor.pool.Pool`.

    ``size`` pairs of a reader and a finder, at most one for each core that Ray
    has; None for one per core. A pipeline that fails is built anew and given
    what has no outcome yet; after three times without an outcome in between it
    is given up.

    Raises on entering:
        ExtractorError: Ray is missing or unreachable, or what a stage cannot do without.
    """

    def __init__(self, config: Config, *, size: int | None = None) -> None:
        if size is not None and size < 1:
            raise ValueError("a pool has at least one worker")
        self._config = config
        self._asked = size
        self._size = size or 1
        self._stack = ExitStack()
        self._ray: Any = None
        self._pipeline: _Pipeline | None = None
        self._models: tuple[tuple[str, str], ...] = ()
        self._jobs: dict[str, bytes] = {}
        """What was submitted and has no outcome, pickled."""
        self._bytes = 0
        self._waiting: list[str] = []
        """Of these, what no chunk holds yet."""
        self._restarts = 0
        self._last_statistics = PoolStatistics()

    def __enter__(self) -> Self:
        try:
            self._ray = self._stack.enter_context(session(cpus=self._asked or os.cpu_count() or 1))
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the stages, busy ones too, and the Ray that was started for them."""
        if self._pipeline is not None:
            self._stop(self._pipeline)
            self._pipeline = None
        self._stack.close()

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """(name@version, sha256) of each model the stages loaded."""
        return self._models

    @property
    def statistics(self) -> PoolStatistics:
        """What the worker processes on all nodes came to."""
        if self._pipeline is not None:
            self._last_statistics = self._pipeline.ask("statistics", self._last_statistics)
        return replace(self._last_statistics, models=self._models)

    def free(self) -> bool:
        """Whether a job can be submitted now."""
        return (
            len(self._jobs) < self._size * _AHEAD_CHUNKS * _CHUNK_DOCUMENTS and self._bytes < _UNDER_WAY_BYTES
        )

    def busy(self) -> bool:
        """Whether any job is under way."""
        return bool(self._jobs)

    def submit(self, job: Job) -> None:
        """Take a job; it goes out with others when a chunk is full, or at the next :meth:`collect`."""
        if not job.want_rows:
            raise ValueError("documents without rows are looked at on this machine")
        self._jobs[job.doc_id] = pickle.dumps(job)
        self._bytes += len(self._jobs[job.doc_id])
        self._waiting.append(job.doc_id)

    def collect(self, timeout_s: float | None = None) -> Iterator[Outcome]:
        """Outcomes as they come; ends when one or more came, or after ``timeout_s``.

        Raises:
            ExtractorError: a stage cannot go on, or Ray keeps failing.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        found: list[Outcome] = []
        while self._jobs and not found:
            self._send()
            found = self._hear()
            yield from found
            if deadline is not None and time.monotonic() >= deadline:
                return

    def _hear(self) -> list[Outcome]:
        assert self._pipeline is not None
        try:
            came = self._pipeline.came.get(timeout=_TICK_S)
        except queue.Empty:
            return []
        if isinstance(came, str):
            self._restart(came)
            return []
        outcomes: list[Outcome] = [
            pickle.loads(task.outcome)  # noqa: S301  # a stage's
            for task in came
            if task.outcome and self._forget(task.doc_id)  # else it came before, from a stage that died then
        ]
        if outcomes:
            self._restarts = 0
            self._pipeline.tell("done", [outcome.doc_id for outcome in outcomes])
        return outcomes

    def _forget(self, doc_id: str) -> bool:
        job = self._jobs.pop(doc_id, None)
        if job is None:
            return False
        self._bytes -= len(job)
        return True

    def _send(self) -> None:
        """Full chunks go; while stages may be idle, all that waits goes, shared among them."""
        assert self._pipeline is not None
        while self._waiting:
            chunk = self._chunk(_CHUNK_DOCUMENTS)
            if len(chunk) < _CHUNK_DOCUMENTS and chunk == self._waiting:
                under_way = len(self._jobs) - len(self._waiting)
                if under_way >= self._size * _CHUNK_DOCUMENTS:
                    return
                chunk = self._chunk(-(-len(self._waiting) // (2 * self._size)))
            self._waiting = self._waiting[len(chunk) :]
            self._pipeline.tell("add", [(doc_id, self._jobs[doc_id]) for doc_id in chunk])

    def _chunk(self, most: int) -> list[str]:
        chunk: list[str] = []
        size = 0
        for doc_id in self._waiting[:most]:
            size += len(self._jobs[doc_id])
            if chunk and size > _CHUNK_BYTES:
                break
            chunk.append(doc_id)
        return chunk

    def _start(self) -> None:
        resources = self._ray.cluster_resources()
        planned = plan(
            self._config,
            size=self._asked or int(resources.get("CPU", 1)),
            cpus=resources.get("CPU", 1),
            gpus=resources.get("GPU", 0),
        )
        self._size = max(one.actors for one in planned.values())
        self._pipeline = _Pipeline(self._ray, self._config, planned)
        models = self._pipeline.models()
        if models is None:
            raise self._pipeline.ask("error", None) or _failed("before it began")
        if self._models and models != self._models:
            raise ExtractorError("the models on the Ray cluster changed during the run", code="ray.failed")
        self._models = models

    def _restart(self, reason: str) -> None:
        """The pipeline ended by itself: build it anew and submit again what has no outcome."""
        assert self._pipeline is not None
        error: ExtractorError | None = self._pipeline.ask("error", None)
        if error is not None:
            raise error
        self._restarts += 1
        if self._restarts > _MOST_RESTARTS:
            raise _failed(reason)
        log.warning("the Ray pipeline ended (%s) and is built anew", reason)
        self._stop(self._pipeline)
        self._pipeline = None
        self._start()
        self._waiting = list(self._jobs)

    def _stop(self, pipeline: _Pipeline) -> None:
        self._last_statistics = pipeline.ask("statistics", self._last_statistics)
        pipeline.stop(at_once=bool(self._jobs) or not pipeline.began)


class _Pipeline:
    """One execution of the dataset, in a thread. ``came`` gets tasks with outcomes, and at its end why it ended."""

    def __init__(self, ray: Any, config: Config, planned: dict[Any, Any]) -> None:
        self._ray = ray
        settings = {name: value for name, value in os.environ.items() if name.startswith("EXTRACTOR_")}
        self._desk = ray.remote(Desk).options(num_cpus=0).remote(config, settings)
        self._dataset = self._planned(planned)
        self.began = False
        self.came: queue.Queue[Sequence[Task] | str] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="ray-pipeline", daemon=True)
        self._thread.start()

    def _planned(self, planned: dict[Any, Any]) -> Any:
        data = self._ray.data
        dataset = data.from_items([{"start": 0}]).map_batches(
            hand_out, fn_kwargs={"desk": self._desk}, batch_size=None, batch_format="pyarrow", num_cpus=0
        )
        for stage in (Read, Find):
            wanted = planned[stage.part]
            dataset = dataset.map_batches(
                stage,
                fn_constructor_kwargs={"desk": self._desk},
                batch_size=None,
                batch_format="pyarrow",
                compute=data.ActorPoolStrategy(
                    min_size=1, max_size=wanted.actors, max_tasks_in_flight_per_actor=2
                ),
                num_cpus=wanted.num_cpus,
                num_gpus=wanted.num_gpus or None,
            )
        context = dataset.context
        context.target_max_block_size = (
            1  # the source's blocks go out one by one, not when they come to 128 MB
        )
        context.target_min_block_size = 1
        context.enable_progress_bars = False
        context.execution_no_progress_timeout_s = -1  # pages and documents have limits of their own
        context.print_on_execution_start = False
        context.issue_detectors_config.detectors = []  # they would take the source for hanging
        return dataset

    def _run(self) -> None:
        data = self._ray.data.exceptions
        reason = "its end"
        try:
            for block in self._dataset.iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=0
            ):
                self.came.put(tasks_of(block))
        except (
            self._ray.exceptions.RayError,
            data.SystemException,
            data.ExecutionTimeoutError,
            OSError,
            RuntimeError,
            ValueError,
        ) as error:
            reason = type(error).__name__
        finally:
            self.came.put(reason)

    def tell(self, method: str, *arguments: Any) -> None:
        """Call a method of the desk and go on."""
        getattr(self._desk, method).remote(*arguments)

    def ask(self, method: str, otherwise: Any) -> Any:
        """What a method of the desk answers; ``otherwise`` when the desk is gone."""
        try:
            return self._ray.get(getattr(self._desk, method).remote(), timeout=_ANSWER_S)
        except self._ray.exceptions.RayError:
            return otherwise

    def models(self) -> tuple[tuple[str, str], ...] | None:
        """The models behind the stages, once both are ready; None when they will not be."""
        answer = self._desk.models.remote()
        found: tuple[tuple[str, str], ...] | None = None
        patience_s: float | None = time.monotonic() + _PATIENCE_S
        while self._thread.is_alive():
            if patience_s is not None and time.monotonic() > patience_s:
                log.warning("still waiting for Ray to start a reader and a finder: has it cores to spare?")
                patience_s = None
            ready, _ = self._ray.wait([answer], timeout=_TICK_S)
            if ready:
                with contextlib.suppress(self._ray.exceptions.RayError):
                    found = self._ray.get(answer)
                break
        self.began = found is not None
        return found

    def stop(self, *, at_once: bool) -> None:
        """End the execution; ``at_once`` without waiting for documents under way."""
        if not at_once:
            self.tell("close")
            self._thread.join(_CLOSE_S)
        self._ray.kill(
            self._desk
        )  # the source fails without it, the execution with the source, and the stages end
        self._thread.join(_CLOSE_S)


def _failed(reason: str) -> ExtractorError:
    return ExtractorError(
        f"the Ray pipeline failed ({reason})",
        code="ray.failed",
        hint="Operator: look at the state and logs of the Ray cluster, then run again; nothing is written twice.",
    )
