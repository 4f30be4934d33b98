"""``extractor run``: documents in, committed rows out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from extractor import __version__
from extractor.config import Config
from extractor.engines import EngineName, Workers, open_pool, prepare
from extractor.extraction import Extraction, record_run
from extractor.governance.inventory import Inventory
from extractor.item import read_item
from extractor.lake.store import CurrentDocument, Lake
from extractor.lineage import Pipeline, Run
from extractor.pool import PoolStatistics
from extractor.promotion import with_promoted
from extractor.sources import Source
from extractor.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is: documents finished of those known, pages read."""

    finished: int
    known: int
    pages: int


def run(
    sources: Sequence[Source],
    lake: Lake,
    *,
    config: Config,
    inventory: Inventory,
    workers: int | None = None,
    engine: EngineName = "local",
    on_progress: Callable[[Progress], None] = lambda _: None,
    kind: str = "run",
    again: frozenset[str] = frozenset(),
) -> tuple[Tally, PoolStatistics]:
    """Extract every source that is not current in the lake, and commit its rows.

    Models are those of the settings, in the versions that the lake has promoted.
    ``workers`` None is one per core. The largest documents come first, so that
    no worker sits over a long one when the others are done. ``again`` names
    documents to extract although they are current (retries).

    Raises:
        ExtractorError: a tool is missing, or the lake cannot be written; batches
            committed before stay.
        KeyboardInterrupt: the workers are stopped, a commit under way is brought
            to its end, and batches committed before stay.
    """
    prepare(engine)
    config = with_promoted(config, lake)
    current = lake.current()  # while the engine gets ready
    with open_pool(engine, config, size=workers) as pool:
        return run_in(
            pool,
            sources,
            lake,
            config=config,
            inventory=inventory,
            current=current,
            on_progress=on_progress,
            kind=kind,
            again=again,
        )


def run_in(
    pool: Workers,
    sources: Sequence[Source],
    lake: Lake,
    *,
    config: Config,
    inventory: Inventory,
    current: Mapping[str, CurrentDocument],
    on_progress: Callable[[Progress], None] = lambda _: None,
    kind: str = "run",
    again: frozenset[str] = frozenset(),
) -> tuple[Tally, PoolStatistics]:
    """As :func:`run`, with workers that are there already; ``current`` is what the lake holds."""
    pipeline = Pipeline(
        code_version=__version__, config_sha256=config.extraction_sha256(), models=pool.models
    )
    extraction = Extraction(
        pool=pool,
        lake=lake,
        config=config,
        policy=inventory.policy,
        run=Run(pipeline=pipeline),
        known=current.get,
        again=again,
    )
    try:
        _drain(
            extraction,
            deque(sorted(sources, key=lambda source: -source.byte_count)),
            inventory,
            on_progress,
        )
    finally:
        extraction.close()
    tally = extraction.tally()
    if tally.seen > tally.skipped or extraction.to_retag:  # else the lake stays as it is, to the byte
        record_run(lake, extraction.run, kind, tally)
    return tally, pool.statistics


def _drain(
    extraction: Extraction,
    sources: deque[Source],
    inventory: Inventory,
    on_progress: Callable[[Progress], None],
) -> None:
    max_bytes = extraction.config.limits.max_file_bytes
    while sources or extraction.working() or extraction.unsaved():
        while sources and extraction.hungry():
            extraction.offer(read_item(sources.popleft(), inventory.entry, max_bytes=max_bytes))
            extraction.feed()
        extraction.step(1.0)
        if not sources and not extraction.working():
            extraction.flush()
        elif extraction.batch_is_full():
            extraction.await_commit()  # one batch in memory beside the one under way
            extraction.save()
        known = extraction.known_documents + len(sources)
        on_progress(Progress(finished=extraction.finished(), known=known, pages=extraction.pages))
    extraction.apply_retags()
