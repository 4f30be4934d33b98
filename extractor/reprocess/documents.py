"""One group of stored documents through a pipeline, from their text to one commit per table.

A document that fails, or that somebody else changed meanwhile, keeps the rows
that it has: a reprocess takes nothing away.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from extractor import __version__
from extractor.config import Config
from extractor.errors import ConfigError, ContractError
from extractor.lake.carry import STAMPS, Reviews, stamped
from extractor.lake.commit import Batch, commit
from extractor.lake.files import DocumentFiles, iter_documents
from extractor.lake.retag import INVENTORY_COLUMNS
from extractor.lake.selection import Which, select
from extractor.lineage import Pipeline, fingerprint
from extractor.origins import entry_of
from extractor.pipeline import Job, Outcome
from extractor.tables.catalogue import table_named
from extractor.tables.operations import quarantine_row

if TYPE_CHECKING:
    import pyarrow as pa

    from extractor.engines import Workers
    from extractor.lake.store import Lake
    from extractor.records import Rejection

log = logging.getLogger(__name__)

REPLACED = ("entities", "relations")
"""Tables that a pipeline makes from stored text."""

SEEN = ("doc_id", "extraction_id", "run_id", "status", *INVENTORY_COLUMNS)
"""Columns of ``documents`` that must be as they were when a document's new rows are written."""

_WAIT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A document that keeps its old rows because the pipeline failed on it."""

    doc_id: str
    code: str
    is_bug: bool = False


@dataclass(frozen=True, kw_only=True)
class Reprocessed:
    """What became of some documents, each of which is counted once.

    ``done`` and ``partial`` have new rows; all others have those they had:
    ``current`` ones are of this pipeline already, ``changed`` ones were changed
    or claimed by another writer, ``failures`` failed, ``without_text`` cannot be
    reprocessed (refused, withdrawn, or not in the lake), and ``left`` were not
    begun when it was time to stop.
    """

    done: int = 0
    partial: int = 0
    current: int = 0
    changed: int = 0
    without_text: int = 0
    failures: tuple[Failure, ...] = ()
    left: frozenset[str] = frozenset()
    pages: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    reviews: Mapping[str, Reviews] = field(default_factory=dict)

    @property
    def seen(self) -> int:
        """All documents."""
        kept = self.current + self.changed + self.without_text + len(self.failures) + len(self.left)
        return self.done + self.partial + kept

    def __add__(self, other: Reprocessed) -> Reprocessed:
        tables = {**self.reviews, **other.reviews}
        return Reprocessed(
            **{
                name: getattr(self, name) + getattr(other, name)
                for name in ("done", "partial", "current", "changed", "without_text", "failures", "pages")
            },
            left=self.left | other.left,
            rows=dict(sorted((Counter(self.rows) + Counter(other.rows)).items())),
            reviews={
                name: self.reviews.get(name, Reviews()) + other.reviews.get(name, Reviews())
                for name in tables
            },
        )


def pipeline_of(
    config: Config, models: tuple[tuple[str, str], ...], tables: Sequence[str] = REPLACED
) -> Pipeline:
    """The identity of a reprocess with these settings and models.

    It is that of a run when both tables are replaced: a document is then
    current for both. With only one of them its rows come from two extractions,
    which is an identity of its own, so that a later run does not take the
    document for current.

    Raises:
        ConfigError: a table cannot be replaced from stored text, or none is named.
    """
    if unknown := set(tables) - set(REPLACED):
        raise ConfigError(
            f"--tables: {', '.join(sorted(unknown))} is not made from stored text; known: {', '.join(REPLACED)}"
        )
    if not tables:
        raise ConfigError(f"--tables names no table; known: {', '.join(REPLACED)}")
    sha256 = config.extraction_sha256()
    if set(tables) != set(REPLACED):
        sha256 = fingerprint({"extraction": sha256, "tables": sorted(tables)})
    return Pipeline(code_version=__version__, config_sha256=sha256, models=models)


def reprocess_documents(
    lake: Lake,
    doc_ids: Collection[str],
    *,
    pool: Workers,
    pipeline: Pipeline,
    run_id: str,
    tables: Sequence[str] = REPLACED,
    texts: DocumentFiles | None = None,
    on_wait: Callable[[int, int], None] = lambda _documents, _pages: None,
    stop: Callable[[], bool] = lambda: False,
) -> Reprocessed:
    """Run documents through a pipeline from their stored text, and replace their rows in one commit per table.

    Nobody else may use ``pool`` meanwhile. ``texts`` spares many calls the look
    through the table. ``on_wait`` is told documents and pages finished about
    every second (a worker extends its lease there); with ``stop`` no more
    documents are begun, and those that are begun are committed. Memory holds
    the new rows of all documents. Calling it again goes on where a call ended.

    Raises:
        CommitConflictError: other writers kept winning; nothing is lost, it may be called again.
        ExtractorError: the lake cannot be read or written, or a worker process not replaced.
    """
    selected = select(lake, Which(), doc_ids=doc_ids)
    todo = {
        doc_id
        for doc_id, extraction_id in selected.extractions.items()
        if doc_id in selected.begun or extraction_id != pipeline.extraction_id(doc_id)
    }
    documents = stored_documents(lake, todo)
    todo &= documents.keys()
    found = Reprocessed(
        current=len(selected.extractions) - len(todo),
        changed=selected.in_work,
        without_text=len(set(doc_ids)) - len(selected.extractions) - selected.in_work,
    )
    feed = Feed(
        texts=texts or DocumentFiles(lake=lake, table="page_text"),
        documents=documents,
        pipeline=pipeline,
        run_id=run_id,
        on_wait=on_wait,
        stop=stop,
    )
    good: dict[str, Outcome] = {}
    failures = []
    for outcome in feed.outcomes(pool):
        if outcome.status == "quarantined":
            failures.append(Failure(doc_id=outcome.doc_id, code=outcome.code or "", is_bug=outcome.is_bug))
        else:
            good[outcome.doc_id] = outcome
    failures += [Failure(doc_id=doc_id, code="lake.page_text") for doc_id in sorted(feed.without_rows)]
    found += Reprocessed(failures=tuple(failures), left=feed.left)
    writer = _Writer(lake=lake, documents=documents, pipeline=pipeline, run_id=run_id, tables=tuple(tables))
    return found + writer.write(good)


def stored_documents(lake: Lake, doc_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """The rows of ``documents`` by doc_id."""
    return {row["doc_id"]: row for row in lake.read("documents", doc_ids=doc_ids).to_pylist()}


@dataclass(kw_only=True)
class Feed:
    """Gives stored documents to worker processes, in the order of the files that hold their text."""

    texts: DocumentFiles
    documents: Mapping[str, Mapping[str, Any]]
    pipeline: Pipeline
    run_id: str
    on_wait: Callable[[int, int], None] = lambda _documents, _pages: None
    stop: Callable[[], bool] = lambda: False
    without_rows: frozenset[str] = frozenset()
    """Documents whose pages the lake does not have, known at the end."""
    left: frozenset[str] = frozenset()
    """Documents that were not begun, known at the end."""

    def outcomes(self, pool: Workers) -> Iterator[Outcome]:
        """What comes of each document, as it comes."""
        rows_of = {doc_id: row["page_count"] or 1 for doc_id, row in self.documents.items()}
        waiting: Iterator[tuple[str, pa.Table]] | None = iter_documents(self.texts, rows_of)
        begun: set[str] = set()
        finished = pages = 0
        while waiting is not None or pool.busy():
            while waiting is not None and pool.free():
                given = None if self.stop() else next(waiting, None)
                if given is None:
                    waiting = None
                    break
                begun.add(given[0])
                pool.submit(self._job(*given))
            for outcome in pool.collect(timeout_s=_WAIT_S):
                finished += 1
                pages += outcome.page_count or 0
                yield outcome
            self.on_wait(finished, pages)
        untouched = frozenset(rows_of.keys() - begun)
        if self.stop():
            self.left = untouched
        else:
            self.without_rows = untouched

    def _job(self, doc_id: str, stored: pa.Table) -> Job:
        return Job(
            doc_id=doc_id,
            entry=entry_of(self.documents[doc_id]),
            run_id=self.run_id,
            pipeline=self.pipeline,
            stored=stored,
        )


@dataclass(frozen=True, kw_only=True)
class _Writer:
    """Commits what came of documents; one whose rows the lake refuses is left out alone."""

    lake: Lake
    documents: Mapping[str, Mapping[str, Any]]
    pipeline: Pipeline
    run_id: str
    tables: tuple[str, ...]

    def write(self, good: Mapping[str, Outcome]) -> Reprocessed:
        """Commit, and count."""
        if not good:
            return Reprocessed()
        try:
            return self._commit(good)
        except ContractError as error:
            doc_ids = list(good)
            if len(doc_ids) > 1:
                middle = len(doc_ids) // 2
                halves = (doc_ids[:middle], doc_ids[middle:])
                first, second = ({doc_id: good[doc_id] for doc_id in half} for half in halves)
                return self.write(first) + self.write(second)
            log.error("document %s: the lake refuses its rows (%s)", doc_ids[0], error.code)  # noqa: TRY400
            return Reprocessed(failures=(Failure(doc_id=doc_ids[0], code=error.code, is_bug=True),))

    def _commit(self, good: Mapping[str, Outcome]) -> Reprocessed:
        batch = self._batch(good)
        committed = commit(self.lake, batch)
        changed = committed.changed | committed.yielded
        written = good.keys() - changed - committed.already
        statuses = Counter(self.documents[doc_id]["status"] for doc_id in written)
        return Reprocessed(
            done=statuses["extracted"],
            partial=statuses["partial"],
            current=len(committed.already),
            changed=len(changed),
            pages=sum(good[doc_id].pages_ok for doc_id in written),
            rows={done.table: done.rows for done in committed.commits if done.rows},
            reviews=committed.reviews,
        )

    def _batch(self, good: Mapping[str, Outcome]) -> Batch:
        import pyarrow as pa

        rows = {doc_id: self._document_row(doc_id) for doc_id in good}
        tables = {
            name: pa.concat_tables([outcome.tables[name] for outcome in good.values()])
            for name in self.tables
        }
        contract = table_named("documents")
        seen = contract.to_arrow([self.documents[doc_id] for doc_id in good]).select(SEEN)
        return Batch(
            run_id=self.run_id,
            kind="reprocess",
            extractions={doc_id: row["extraction_id"] for doc_id, row in rows.items()},
            tables=tables
            | {
                "documents": contract.to_arrow(list(rows.values())),
                "quarantine": self._quarantine(good, rows),
            },
            kept=frozenset({"page_text"}),
            restamped=frozenset(REPLACED) - set(self.tables),
            seen=seen,
        )

    def _document_row(self, doc_id: str) -> dict[str, Any]:
        """The document's row under the new extraction; who read it stays named."""
        stored = self.documents[doc_id]
        return {
            **stored,
            "extraction_id": self.pipeline.extraction_id(doc_id),
            "pipeline_version": self.pipeline.version,
            "run_id": self.run_id,
            "extracted_at": datetime.now(UTC),
            "text_extraction_id": stored["text_extraction_id"] or stored["extraction_id"],
            "text_run_id": stored["text_run_id"] or stored["run_id"],
        }

    def _quarantine(self, good: Mapping[str, Outcome], rows: Mapping[str, dict[str, Any]]) -> pa.Table:
        """Refused pages as they were; refused rows of the tables that are made anew."""
        import pyarrow as pa

        contract = table_named("quarantine")
        stamps = {doc_id: {name: row[name] for name in STAMPS} for doc_id, row in rows.items()}
        old = self.lake.read("quarantine", doc_ids=good)
        stays = [name not in self.tables for name in old.column("table_name").to_pylist()]
        kept = stamped(old.filter(pa.array(stays, pa.bool_())), stamps)
        inherited = ("study_id", "subject_id", "classification", "consent_scope")
        refused = {
            row["row_id"]: row | stamps[doc_id] | {name: rows[doc_id][name] for name in inherited}
            for doc_id, outcome in good.items()
            for rejection in outcome.rejections
            if rejection.table in self.tables
            for row in (_refused_row(rejection),)
        }
        return pa.concat_tables([kept, contract.to_arrow(list(refused.values())).cast(kept.schema)])


def _refused_row(rejection: Rejection) -> dict[str, Any]:
    hint = "Developer of the extractor: the row broke the rule that the code names."
    return quarantine_row(rejection, scope="row", hint=hint, retryable=False)
