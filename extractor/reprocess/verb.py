"""Selecting stored documents, running them through the configured pipeline in groups, and taking a run back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from extractor.config import Config
from extractor.engines import EngineName, open_pool, prepare
from extractor.extraction import record_run
from extractor.lake.files import DocumentFiles
from extractor.lake.rollback import RolledBack, rollback
from extractor.lake.selection import Plan, Selected, Which, plan, select
from extractor.lineage import Pipeline, Run
from extractor.pool import PoolStatistics
from extractor.reprocess.documents import REPLACED, Reprocessed, pipeline_of, reprocess_documents
from extractor.tally import Tally

if TYPE_CHECKING:
    from extractor.lake.store import Lake

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a reprocess did. ``rewrites`` says how many files of ``entities`` were written anew how often."""

    run_id: str
    pipeline_version: str
    found: Reprocessed
    tally: Tally
    statistics: PoolStatistics
    rewrites: Mapping[int, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As ``extractor reprocess --json`` prints it."""
        return {
            **self.tally.as_dict(),
            "run_id": self.run_id,
            "pipeline_version": self.pipeline_version,
            "current": self.found.current,
            "changed": self.found.changed,
            "without_text": self.found.without_text,
            "failed": [{"doc_id": one.doc_id, "code": one.code} for one in self.found.failures],
            "reviews": {
                name: {"kept": one.kept, "gave_way": one.gave_way, "unplaced": list(one.unplaced)}
                for name, one in self.found.reviews.items()
            },
            "files_rewritten": {str(times): files for times, files in self.rewrites.items()},
        }


def reprocess(
    lake: Lake,
    *,
    config: Config,
    which: Which,
    workers: int | None = None,
    engine: EngineName = "local",
    tables: Sequence[str] = REPLACED,
    limit: int | None = None,
    on_progress: Callable[[int, int, int], None] = lambda _finished, _known, _pages: None,
) -> Report:
    """Run the documents that fit through the configured pipeline, from their stored text.

    Documents of this pipeline are left alone, so the same call after a crash
    goes on where it was. ``on_progress`` is told documents finished, documents
    known and pages. Batches committed before a failure stay.

    Raises:
        ConfigError: the selection or ``tables`` is wrong.
        ExtractorError: a tool is missing, or the lake cannot be read or written.
    """
    pipeline_of(config, (), tables)
    prepare(engine)
    selected = select(lake, which)
    with open_pool(engine, config, size=workers) as pool:
        started_s = time.monotonic()
        pipeline = pipeline_of(config, pool.models, tables)
        run = Run(pipeline=pipeline)
        log.info("run %s: pipeline %s", run.run_id, pipeline.version)
        todo = outdated(selected, config, pipeline, pool.models)
        found = Reprocessed(
            current=len(selected.extractions) - len(todo),
            changed=selected.in_work,
            without_text=selected.without_text,
        )
        groups = planned(lake, todo, config, limit)
        known = sum(len(group.doc_ids) for group in groups.groups)
        texts = DocumentFiles(lake=lake, table="page_text")
        finished = pages = 0

        def told(documents: int, read: int) -> None:
            on_progress(finished + documents, known, pages + read)

        for group in groups.groups:
            done = reprocess_documents(
                lake,
                group.doc_ids,
                pool=pool,
                pipeline=pipeline,
                run_id=run.run_id,
                tables=tables,
                texts=texts,
                on_wait=told,
            )
            found += done
            finished, pages = finished + done.seen, pages + done.pages
            log.info("run %s: %d of %d documents", run.run_id, finished, known)
        tally = tally_of(found, seconds=time.monotonic() - started_s)
        if found.done or found.partial:  # else the lake stays as it is, to the byte
            record_run(lake, run, "reprocess", tally)
        return Report(
            run_id=run.run_id,
            pipeline_version=pipeline.version,
            found=found,
            tally=tally,
            statistics=pool.statistics,
            rewrites=groups.rewrites,
        )


def outdated(
    selected: Selected, config: Config, pipeline: Pipeline, models: tuple[tuple[str, str], ...]
) -> list[str]:
    """Documents that are neither of this pipeline, nor of the run's with the same settings; half-written ones are."""
    whole = pipeline_of(config, models)
    return [
        doc_id
        for doc_id, extraction_id in selected.extractions.items()
        if doc_id in selected.begun
        or extraction_id not in {pipeline.extraction_id(doc_id), whole.extraction_id(doc_id)}
    ]


def planned(lake: Lake, doc_ids: Sequence[str], config: Config, limit: int | None) -> Plan:
    """Groups in the order of the files of ``entities``, of the first ``limit`` documents in that order."""
    files = DocumentFiles(lake=lake, table="entities")
    settings = config.reprocess
    size = {"documents": settings.batch_documents, "rows": settings.batch_rows}
    found = plan(files, doc_ids, **size)
    if limit is None or len(doc_ids) <= limit:
        return found
    ordered = [doc_id for group in found.groups for doc_id in group.doc_ids]
    return plan(files, ordered[:limit], **size)


def tally_of(found: Reprocessed, *, seconds: float) -> Tally:
    """The count of a reprocess: a document that keeps its rows is skipped, unless a bug kept them."""
    bugs = sum(failure.is_bug for failure in found.failures)
    return Tally(
        seen=found.seen,
        done=found.done,
        partial=found.partial,
        quarantined=0,
        skipped=found.seen - found.done - found.partial - bugs,
        bugs=bugs,
        pages=found.pages,
        rows=found.rows,
        seconds=seconds,
    )


def roll_back(lake: Lake, run_id: str, *, config: Config) -> tuple[RolledBack, Run]:
    """Take back what a run wrote, and note it in ``runs``.

    Raises:
        ConfigError: no batch of the lake is of that run.
        LakeError: earlier rows are gone; nothing was changed.
    """
    started_s = time.monotonic()
    run = Run(pipeline=pipeline_of(config, ()))
    done = rollback(lake, run_id, own_run_id=run.run_id)
    if done.restored:
        tally = Tally(
            seen=done.seen,
            done=done.restored,
            partial=0,
            quarantined=0,
            skipped=done.seen - done.restored,
            bugs=0,
            pages=0,
            rows=done.rows,
            seconds=time.monotonic() - started_s,
        )
        record_run(lake, run, "rollback", tally)
    return done, run
