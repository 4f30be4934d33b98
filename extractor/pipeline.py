"""One document through the house: bytes in, rows out.

``Engine.process`` is the only place that catches everything: whatever happens
to a document, an :class:`Outcome` says what became of it and why.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal

from extractor.config import Config
from extractor.document import Document, Page, PageFailure, empty_page
from extractor.errors import ExtractionError, ExtractorError, InputError
from extractor.finding import Finder, Findings
from extractor.governance.inventory import Entry
from extractor.lineage import Pipeline
from extractor.ports import Attachment, Reading, ScannedPage
from extractor.records import Rejection
from extractor.registry import load
from extractor.schema import Table
from extractor.spans import Span
from extractor.telemetry.logs import frames_of

if TYPE_CHECKING:
    import pyarrow as pa

    from extractor.ocr.reading import PageOcr

log = logging.getLogger(__name__)

Status = Literal["extracted", "partial", "quarantined"]

Part = Literal["read", "find"]
PARTS: tuple[Part, ...] = ("read", "find")
"""What an engine can be made ready for: bytes to pages, and pages to findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A document to process: its bytes, its governance, and pages that crashed a reader before.

    With ``stored``, its rows of ``page_text``, the document is taken as it was
    read then: the bytes stay empty, and no rows of ``page_text`` are made.
    ``want_rows`` is False where only the document and its findings are asked for,
    ``want_findings`` where nothing is to be found yet: its rows are those of ``page_text`` alone.
    """

    doc_id: str
    content: bytes = field(default=b"", repr=False)
    stored: pa.Table | None = field(default=None, repr=False)
    entry: Entry
    run_id: str = ""
    pipeline: Pipeline | None = None
    skip: Mapping[int, str] = field(default_factory=dict)
    want_rows: bool = True
    want_findings: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one document. ``code`` is None exactly when it was extracted whole."""

    doc_id: str
    status: Status
    code: str | None = None
    hint: str | None = None
    retryable: bool = False
    stage: str = ""
    is_bug: bool = False
    media_type: str | None = None
    page_count: int | None = None
    failures: tuple[PageFailure, ...] = ()
    pages_poor: int = 0
    ocr_confidence: float | None = None
    tables: Mapping[str, pa.Table] = field(default_factory=dict, repr=False)
    rejections: tuple[Rejection, ...] = ()
    attachments: tuple[Attachment, ...] = field(default=(), repr=False)
    stage_s: Mapping[str, float] = field(default_factory=dict)
    document: Document | None = field(default=None, repr=False)
    findings: Findings = field(default=Findings(), repr=False)

    def __post_init__(self) -> None:
        if (self.status == "extracted") != (self.code is None):
            raise ValueError("every status but extracted has a code, and only they")

    @classmethod
    def refused(
        cls, doc_id: str, error: ExtractorError, *, stage: str = "read", retryable: bool = False, **known: Any
    ) -> Outcome:
        """A document that ``error`` keeps out; ``known`` are further fields."""
        return cls(
            doc_id=doc_id,
            status="quarantined",
            code=error.code,
            hint=error.hint,
            retryable=retryable,
            stage=stage,
            **known,
        )

    @property
    def pages_ok(self) -> int:
        """Pages that were read."""
        return (self.page_count or 0) - len(self.failures)


class Engine:
    """The stages, made once per process from the configuration, then used for every document."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._finder = Finder(config)
        self._ocr: PageOcr | None = None
        self._readers: dict[str, Any] = {}

    def warm(self, parts: Collection[Part] = PARTS) -> tuple[tuple[str, str], ...]:
        """Load what finds and what reads; the models behind them as (name@version, sha256), sorted.

        Raises:
            ExtractorError: a tool, model or setting is missing: nothing can run.
        """
        makers = self._finder.makers if "find" in parts else []
        found = {(f"{maker.extractor}@{maker.version}", "") for maker in makers}
        found |= {
            (f"{maker.model}@{maker.model_version}", maker.model_sha256 or "")
            for maker in makers
            if maker.model
        }
        return tuple(sorted(found | (self._ocr_models() if "read" in parts else set())))

    def _ocr_models(self) -> set[tuple[str, str]]:
        """The first engine is made now; the second, which few pages need, is named by its package's version."""
        settings = self._config.ocr
        first = self.ocr.engine(settings.engine)
        found = {(f"{first.name}@{first.version}", getattr(first, "model_sha256", ""))}
        if settings.second_engine is not None:
            try:
                found.add((f"{settings.second_engine}@{version(settings.second_engine)}", ""))
            except PackageNotFoundError:
                found.add((settings.second_engine, ""))
        return found

    @property
    def ocr(self) -> PageOcr:
        """The reading of scanned pages."""
        if self._ocr is None:
            from extractor.ocr.reading import PageOcr

            self._ocr = PageOcr(**self._config.ocr.model_dump(), plugins=self._config.plugins)
        return self._ocr

    def process(self, job: Job, *, on_page: Callable[[int], None] = lambda _: None) -> Outcome:
        """Read, extract and make rows. ``on_page`` is told each page before it is touched.

        Never raises for a fault of the document or of the code: the outcome says so.
        """
        clock = _Clock()
        media_type = None
        try:
            with clock("read"):
                attachments: tuple[Attachment, ...] = ()
                if job.stored is not None:
                    document = _stored_document(job.stored)
                else:
                    media_type = self._media_type(job.content)
                    document, attachments = self._read(job, media_type, on_page, clock)
            on_page(0)
            with clock("extract"):
                findings = self._finder.find(document) if job.want_findings else Findings()
            with clock("tables"):
                outcome = self._outcome(job, document, findings, attachments)
            return replace(outcome, stage_s=clock.seconds())
        except ExtractorError as error:
            return self._refused(job, error, media_type, clock)
        except MemoryError:
            from extractor.errors import MemoryLimitError

            return self._refused(job, MemoryLimitError(), media_type, clock)
        except Exception as error:  # noqa: BLE001  # the one place that catches: a bug must not lose the batch
            log.error("bug in document %s at %s: %s", job.doc_id, clock.stage, frames_of(error))  # noqa: TRY400
            bug = ExtractorError(
                type(error).__name__,
                code=f"bug.{type(error).__name__}",
                hint="Developer: the log has the traceback under this document's id.",
            )
            return self._refused(job, bug, media_type, clock, is_bug=True)

    def _media_type(self, content: bytes) -> str:
        from extractor.readers.sniff import media_type_of

        return media_type_of(content)

    def _open(self, content: bytes, media_type: str) -> Reading:
        reader = self._readers.get(media_type)
        if reader is None:
            name = self._config.readers.get(media_type, media_type)
            reader = load("readers", name, plugins=self._config.plugins)()
            self._readers[media_type] = reader
        reading: Reading = reader.open(
            content, media_type=media_type, limits=self._config.limits.for_reading()
        )
        return reading

    def _read(
        self, job: Job, media_type: str, on_page: Callable[[int], None], clock: _Clock
    ) -> tuple[Document, tuple[Attachment, ...]]:
        from extractor.layout.continuation import link_tables

        pages: dict[int, Page] = {}
        failures = {page_no: PageFailure(page_no=page_no, code=code) for page_no, code in job.skip.items()}
        with self._open(job.content, media_type) as reading:
            on_page(1)
            for item in reading.pages(skip=frozenset(job.skip)):
                match item:
                    case Page():
                        pages[item.page_no] = item
                    case PageFailure():
                        failures[item.page_no] = item
                        read = pages.get(item.page_no)
                        if read is not None and read.quality == "good":  # in part
                            pages[item.page_no] = replace(read, quality="poor")
                    case ScannedPage():
                        with clock("ocr"):
                            self._read_scan(item, pages, failures)
                on_page(item.page_no + 1)
            attachments = tuple(reading.attachments())
            page_count = max([reading.page_count, *pages, *failures])
        for page_no in range(1, page_count + 1):
            if page_no in pages:
                continue
            pages[page_no] = empty_page(page_no)
            failures.setdefault(page_no, PageFailure(page_no=page_no, code="input.page_missing"))
        document = Document.assemble(
            doc_id=job.doc_id,
            media_type=media_type,
            pages=link_tables([pages[page_no] for page_no in sorted(pages)]),
            failures=[failures[page_no] for page_no in sorted(failures)],
        )
        return document, attachments

    def _read_scan(self, scan: ScannedPage, pages: dict[int, Page], failures: dict[int, PageFailure]) -> None:
        try:
            pages[scan.page_no] = self.ocr.read(scan, timeout_s=self._config.limits.page_time_s)
        except ExtractorError as error:
            failures[scan.page_no] = PageFailure(page_no=scan.page_no, code=error.code)
        except MemoryError:
            failures[scan.page_no] = PageFailure(page_no=scan.page_no, code="limit.memory")

    def _outcome(
        self,
        job: Job,
        document: Document,
        findings: Findings,
        attachments: tuple[Attachment, ...],
    ) -> Outcome:
        failures = document.failures
        code = Counter(failure.code for failure in failures).most_common(1)[0][0] if failures else None
        status: Status = "extracted" if code is None else "partial"
        hint, retryable = advice(code)
        failed = {failure.page_no for failure in failures}
        if failed and all(page.page_no in failed and not page.words for page in document.pages):
            status = "quarantined"
        tables: dict[str, pa.Table] = {}
        rejections: tuple[Rejection, ...] = ()
        if job.want_rows and status != "quarantined":
            tables, rejections = self._rows(job, document, findings)
        return Outcome(
            doc_id=job.doc_id,
            status=status,
            code=code,
            hint=hint,
            retryable=retryable,
            stage="read" if code else "",
            media_type=document.media_type,
            page_count=len(document.pages),
            failures=failures,
            pages_poor=sum(page.quality != "good" and page.page_no not in failed for page in document.pages),
            ocr_confidence=_ocr_confidence(document),
            tables=tables,
            rejections=rejections,
            attachments=attachments,
            document=None if job.want_rows else document,
            findings=Findings() if job.want_rows else findings,
        )

    def _rows(
        self, job: Job, document: Document, findings: Findings
    ) -> tuple[dict[str, pa.Table], tuple[Rejection, ...]]:
        from extractor.tables.entities import ENTITIES, entity_rows
        from extractor.tables.governed import Inheritance
        from extractor.tables.page_text import PAGE_TEXT, page_text_rows
        from extractor.tables.relations import RELATIONS, relation_rows

        assert job.pipeline is not None
        inheritance = Inheritance.of(job.doc_id, job.entry, pipeline=job.pipeline, run_id=job.run_id)
        offered: list[tuple[Table, list[dict[str, Any]]]] = []
        if job.stored is None:
            offered.append((PAGE_TEXT, page_text_rows(document, inheritance)))
        if job.want_findings:
            offered.append((ENTITIES, entity_rows(document, findings.entities, inheritance)))
            offered.append((RELATIONS, relation_rows(document, findings.relations, inheritance)))
        tables: dict[str, pa.Table] = {}
        rejections: list[Rejection] = []
        for contract, rows in offered:
            tables[contract.name], bad = contract.split(contract.to_arrow(rows))
            for broken in bad:
                row = rows[broken.index]
                start, end = row.get("char_start"), row.get("char_end")
                rejections.extend(
                    Rejection(
                        doc_id=job.doc_id,
                        stage="contract",
                        code=rule_id,
                        page_no=row.get("page_no"),
                        span=Span(start, end)
                        if start is not None and end is not None and start < end
                        else None,
                        table=contract.name,
                    )
                    for rule_id in broken.rule_ids
                )
        return tables, tuple(rejections)

    def _refused(
        self, job: Job, error: ExtractorError, media_type: str | None, clock: _Clock, *, is_bug: bool = False
    ) -> Outcome:
        return Outcome.refused(
            job.doc_id,
            error,
            stage=clock.stage,
            retryable=error.retryable or is_bug or not isinstance(error, InputError),
            is_bug=is_bug,
            media_type=media_type,
            stage_s=clock.seconds(),
        )


def _stored_document(rows: pa.Table) -> Document:
    from extractor.tables.page_text import document_from_rows

    try:
        return document_from_rows(rows.to_pylist())
    except (ValueError, IndexError, KeyError):
        raise ExtractionError("the stored pages do not make up a document", code="lake.page_text") from None


def advice(code: str | None) -> tuple[str | None, bool]:
    """The hint of the error class with the longest matching code, and whether trying again can help."""
    if code is None:
        return None, False
    best: type[ExtractorError] = InputError
    kinds = list(_all_errors(ExtractorError))
    for kind in kinds:
        if code == kind.code:
            best = kind
            break
    else:
        prefix = code.split(".")[0]
        best = next((kind for kind in kinds if kind.code.split(".")[0] == prefix), InputError)
    return best.hint, best.retryable


def _all_errors(kind: type[ExtractorError]) -> Iterator[type[ExtractorError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _all_errors(child)


def _ocr_confidence(document: Document) -> float | None:
    weighed = [
        (page.confidence, sum(len(word.text) for word in page.words) or 1)
        for page in document.pages
        if page.confidence is not None
    ]
    total = sum(weight for _, weight in weighed)
    return sum(confidence * weight for confidence, weight in weighed) / total if total else None


class _Clock:
    """Seconds per stage; a stage inside another counts for itself only."""

    def __init__(self) -> None:
        self.stage = "read"
        self._seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        outer, self.stage = self.stage, stage
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self._seconds[stage] += spent
            if stage == "ocr":
                self._seconds["read"] -= spent
        self.stage = outer  # after an error the stage stays where it happened

    def seconds(self) -> dict[str, float]:
        return dict(self._seconds)
