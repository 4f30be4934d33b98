"""What runs on the nodes: the desk that hands out jobs, and the two stages, each with a worker process of its own.

A block of the pipeline has one row, a chunk of documents, so that what Ray
repeats after a death is a chunk. Chunks hold the jobs and outcomes of
:mod:`extractor.pipeline`, pickled, and travel through Ray's object store only:
no argument that Ray might show or log holds a word of a document.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from extractor import __version__
from extractor.config import Config
from extractor.errors import ConfigError, CrashError, ExtractorError
from extractor.pipeline import Job, Outcome, Part
from extractor.pool import Pool, PoolStatistics
from extractor.telemetry.logs import configure

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

MOST_TRIES = 2
"""A document whose actor died so often while it was at it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One document in a chunk: what is still to do, or what came of it.

    ``read`` is what the reading found, without its rows: those are the job's ``stored``.
    """

    doc_id: str
    job: bytes = field(default=b"", repr=False)
    read: Outcome | None = None
    outcome: bytes = field(default=b"", repr=False)


def as_block(tasks: Sequence[Task]) -> pa.Table:
    """A chunk as the one row of a block."""
    import pyarrow as pa

    return pa.table({"chunk": pa.array([pickle.dumps(list(tasks))], pa.large_binary())})


def tasks_of(block: pa.Table) -> list[Task]:
    """The chunks of a block, together."""
    found: list[Task] = []
    for chunk in block.column("chunk").to_pylist():
        found.extend(pickle.loads(chunk))  # noqa: S301  # written by as_block, in another process of ours
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a stage needs to know; asked of the desk, since arguments of actors are shown in places."""

    config: Config
    environment: Mapping[str, str]
    version: str


class Desk:
    """Hands out jobs and hears how the stages are. An actor on whose methods several may wait at a time.

    A chunk keeps its number: whoever asks twice, since Ray repeats what died,
    gets the same documents without those that are done, if need be none.
    """

    def __init__(self, config: Config, environment: Mapping[str, str]) -> None:
        self._setup = Setup(config=config, environment=environment, version=__version__)
        self._chunks: list[dict[str, bytes]] = []
        self._places: dict[str, int] = {}
        self._begun: Counter[tuple[Part, str]] = Counter()
        self._models: dict[Part, tuple[tuple[str, str], ...]] = {}
        self._statistics: dict[str, PoolStatistics] = {}
        self._error: ExtractorError | None = None
        self._closed = False
        self._changed = asyncio.Event()

    def setup(self) -> Setup:
        """What a stage needs to know."""
        return self._setup

    def add(self, jobs: Sequence[tuple[str, bytes]]) -> None:
        """One more chunk, of pickled jobs by doc_id."""
        self._places.update(dict.fromkeys((doc_id for doc_id, _ in jobs), len(self._chunks)))
        self._chunks.append(dict(jobs))
        self._tell()

    def done(self, doc_ids: Sequence[str]) -> None:
        """These have their outcomes: they may go."""
        for doc_id in doc_ids:
            del self._chunks[self._places.pop(doc_id)][doc_id]

    def close(self) -> None:
        """No more jobs."""
        self._closed = True
        self._tell()

    async def chunk(self, index: int) -> list[Task] | None:
        """The chunk of this number, as soon as there is one; None when there will be none."""
        while index >= len(self._chunks):
            if self._closed:
                return None
            await self._changed.wait()
        return [Task(doc_id=doc_id, job=job) for doc_id, job in self._chunks[index].items()]

    def begin(self, part: Part, doc_id: str) -> int:
        """A stage begins with a document; the how manieth time without having come to an end."""
        self._begun[part, doc_id] += 1
        return self._begun[part, doc_id]

    def end(self, part: Part, doc_id: str, life: str, statistics: PoolStatistics) -> None:
        """A stage came to an end with a document; ``statistics`` are those of its ``life`` so far."""
        del self._begun[part, doc_id]
        self._statistics[life] = statistics

    def ready(self, part: Part, version: str, models: tuple[tuple[str, str], ...]) -> ExtractorError | None:
        """An actor of a stage has loaded these models; the error when others of its stage have different ones."""
        if version != self._setup.version or self._models.setdefault(part, models) != models:
            self.fail(
                ConfigError(
                    "a node of the Ray cluster has another version or other models than the rest",
                    hint="Operator: install the same extractor and models on every node.",
                )
            )
        self._tell()
        return self._error

    def fail(self, error: ExtractorError) -> None:
        """A stage cannot go on; the first error counts."""
        self._error = self._error or error
        self._tell()

    def error(self) -> ExtractorError | None:
        """Why the stages cannot go on."""
        return self._error

    async def gone(self) -> None:
        """Never answers: who waits for it learns when the desk ends, and how is an error of Ray."""
        await asyncio.Event().wait()

    async def models(self) -> tuple[tuple[str, str], ...] | None:
        """The models behind both stages, as soon as they are known; None when a stage failed."""
        while len(self._models) < 2 and self._error is None:
            await self._changed.wait()
        if self._error is not None:
            return None
        return tuple(sorted({model for models in self._models.values() for model in models}))

    def statistics(self) -> PoolStatistics:
        """Of all worker processes of all stages."""
        found = PoolStatistics()
        for one in self._statistics.values():
            found.peak_worker_bytes = max(found.peak_worker_bytes, one.peak_worker_bytes)
            found.stopped += one.stopped
            found.crashed += one.crashed
            found.recycled += one.recycled
        return found

    def _tell(self) -> None:
        waking, self._changed = self._changed, asyncio.Event()
        waking.set()


def hand_out(_start: pa.Table, desk: Any) -> Iterator[pa.Table]:
    """The source of the pipeline: a block for each chunk that the desk has, until it is closed.

    Repeated by Ray it yields as many blocks in the same order.
    """
    import ray

    index = 0
    while (tasks := ray.get(desk.chunk.remote(index))) is not None:
        yield as_block(tasks)
        index += 1


class _Stage:
    """An actor of the pipeline: it watches a pool of one worker process, which does the work.

    A document that crashes, hangs or overeats takes that process along and not
    the actor. What kills the actor all the same has Ray start a new one, which
    is given the same chunk. It ends with its desk, whatever it is at.

    Raises:
        ExtractorError: what the worker cannot do without is missing.
    """

    part: Part

    def __init__(self, desk: Any) -> None:
        import ray

        # Else each worker process would import Ray's main program.
        vars(sys.modules["__main__"]).pop("__file__", None)
        self._desk = desk
        self._life = uuid4().hex
        setup: Setup = ray.get(desk.setup.remote())  # first: when it fails Ray gives this actor up
        threading.Thread(target=_end_with, args=(desk,), daemon=True).start()
        os.environ.update(setup.environment)
        configure(setup.config.log_level, setup.config.telemetry.log_format, sys.stderr)
        try:
            self._pool = Pool(setup.config, size=1, parts=(self.part,)).__enter__()
        except ExtractorError as error:
            ray.get(desk.fail.remote(error))
            raise
        refused: ExtractorError | None = ray.get(desk.ready.remote(self.part, __version__, self._pool.models))
        if refused is not None:
            raise refused

    def __call__(self, block: pa.Table) -> pa.Table:
        return as_block([self._next(task) for task in tasks_of(block)])

    def _next(self, task: Task) -> Task:
        raise NotImplementedError

    def _work(self, job: Job) -> Outcome:
        """What comes of a job in the worker process; given up when the actor died at it before."""
        import ray

        if ray.get(self._desk.begin.remote(self.part, job.doc_id)) > MOST_TRIES:
            log.warning("document %s given up: its actor died %d times", job.doc_id, MOST_TRIES)
            self._end(job)
            return Outcome.refused(job.doc_id, CrashError())
        self._pool.submit(job)
        try:
            while True:
                for outcome in self._pool.collect():
                    self._end(job)
                    return outcome
        except ExtractorError as error:
            ray.get(self._desk.fail.remote(error))
            raise

    def _end(self, job: Job) -> None:
        self._desk.end.remote(self.part, job.doc_id, self._life, self._pool.statistics)


def _end_with(desk: Any) -> None:
    """End this process when the desk ends: an execution that is given up leaves its busy actors to their work."""
    import ray

    try:
        ray.get(desk.gone.remote())
    except ray.exceptions.RayActorError:
        os._exit(1)


class Read(_Stage):
    """Bytes to rows of ``page_text``; documents that come with such rows pass through."""

    part: Part = "read"

    def _next(self, task: Task) -> Task:
        job: Job = pickle.loads(task.job)  # noqa: S301  # the driver's
        if job.stored is not None:
            return task
        outcome = self._work(replace(job, want_findings=False))
        if outcome.status == "quarantined":
            return Task(doc_id=task.doc_id, outcome=pickle.dumps(outcome))
        job = replace(job, content=b"", stored=outcome.tables["page_text"])
        return Task(doc_id=task.doc_id, job=pickle.dumps(job), read=replace(outcome, tables={}))


class Find(_Stage):
    """Rows of ``page_text`` to entities and relations; together they are the document's outcome."""

    part: Part = "find"

    def _next(self, task: Task) -> Task:
        if task.outcome:
            return task
        job: Job = pickle.loads(task.job)  # noqa: S301  # as above
        outcome = self._work(job)
        if task.read is not None:
            outcome = joined(task.read, job, outcome)
        return Task(doc_id=task.doc_id, outcome=pickle.dumps(outcome))


def joined(read: Outcome, job: Job, found: Outcome) -> Outcome:
    """What came of a document that was read and then searched; ``job`` holds the rows that were read."""
    seconds: defaultdict[str, float] = defaultdict(float, read.stage_s)
    for stage, spent in found.stage_s.items():
        seconds[stage] += spent
    if found.status == "quarantined":  # by what finds: the pages alone are no extraction
        return replace(found, media_type=read.media_type, stage_s=dict(seconds))
    return replace(
        read,
        tables={"page_text": job.stored, **found.tables},
        rejections=read.rejections + found.rejections,
        stage_s=dict(seconds),
    )
