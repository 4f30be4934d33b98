"""Where documents are worked on: by processes of this machine, or on Ray.

Both take :class:`~extractor.pipeline.Job`s and give
:class:`~extractor.pipeline.Outcome`s, so that everything around them (identity,
governance, attachments, batches, commits, the tally) is written once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, Protocol

from extractor.isolation import start_fork_server

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from extractor.config import Config
    from extractor.pipeline import Job, Outcome
    from extractor.pool import PoolStatistics

EngineName = Literal["local", "ray"]


class Workers(Protocol):
    """What :class:`extractor.pool.Pool` and :class:`extractor.engines.ray_pool.RayPool` have in common.

    ``submit`` only while ``free()`` says so; every job is answered by one
    outcome, in any order. ``collect`` ends when one or more came, when nothing
    is under way, or after ``timeout_s``.
    """

    @property
    def models(self) -> tuple[tuple[str, str], ...]: ...

    @property
    def statistics(self) -> PoolStatistics: ...

    def free(self) -> bool: ...

    def busy(self) -> bool: ...

    def submit(self, job: Job) -> None: ...

    def collect(self, timeout_s: float | None = None) -> Iterator[Outcome]: ...


def prepare(engine: EngineName) -> None:
    """Begin what the engine needs first and what takes its time, while the caller goes on."""
    if engine == "local":
        start_fork_server()


def open_pool(
    engine: EngineName, config: Config, *, size: int | None = None
) -> AbstractContextManager[Workers]:
    """Workers of an engine, as a context manager; ``size`` None is one per core of what it runs on.

    Raises on entering:
        ExtractorError: what a worker cannot do without is missing.
    """
    if engine == "ray":
        from extractor.engines.ray_pool import RayPool

        return RayPool(config, size=size)
    from extractor.pool import Pool

    return Pool(config, size=size or os.cpu_count() or 1)
