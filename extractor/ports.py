"""The seams: what a reader, an OCR engine, an extractor, a refiner, a relator and a queue must do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from extractor.delivery import DeadLetter, Delivery, QueuedJob, QueueStatus
from extractor.document import Document, Page, PageFailure
from extractor.records import Entity, Maker, Relation
from extractor.spans import BBox

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    """Grey (height, width) or RGB (height, width, 3) pixels, 0..255, row 0 on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """Bounds a reader must keep; beyond them it raises :class:`LimitError` naming the setting."""

    max_pages: int = 5_000
    max_page_pixels: int = 80_000_000
    max_expanded_bytes: int = 512 * 1024 * 1024
    max_page_side_pt: float = 14_400.0
    max_attachments: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file carried inside another: its bytes and its place among the attachments (from 1)."""

    content: bytes = field(repr=False)
    attachment_no: int


class PageImage(Protocol):
    """Makes the picture of one page on demand, so that pages stream."""

    def __call__(self, dpi: int) -> Image:
        """The page, not turned, at ``dpi`` pixels per inch, or fewer where ``max_page_pixels`` forbids so many.

        Raises:
            LimitError: what it allows would be too coarse to read.
            CorruptError: the page cannot be drawn.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedPage:
    """A page whose words must come from OCR.

    ``reason`` says why: ``no-text``, ``stray-text`` (a few words over a full
    page picture), ``garbled-text`` (fonts without a mapping) or ``image``.
    ``native_dpi`` is the resolution of the picture itself, None when unknown.
    """

    page_no: int
    width_pt: float
    height_pt: float
    reason: str
    image: PageImage
    native_dpi: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A straight drawn line, horizontal or vertical within half a degree; ``box`` is flat or thin."""

    box: BBox
    vertical: bool


class Reading(Protocol):
    """One opened document. Close it; it is also a context manager."""

    media_type: str
    page_count: int

    def pages(self, skip: Collection[int] = ()) -> Iterator[Page | ScannedPage | PageFailure]:
        """Every page in order, one at a time; nothing is kept.

        A page that cannot be read comes as a :class:`PageFailure` and the next
        one follows; one that was read in part comes as what was read, of
        quality ``poor``, and then as a failure too. Page numbers in ``skip``
        are not touched and not yielded.
        """

    def attachments(self) -> Iterator[Attachment]:
        """Files carried inside, in the order of the document."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class Reader(Protocol):
    """Opens documents of the media types it names in the registry."""

    def open(self, content: bytes, *, media_type: str, limits: ReadLimits) -> Reading:
        """Check the document as a whole and make it ready to yield pages.

        Raises:
            InputError: a subclass that says what is wrong with the document.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class OcrWord:
    """One word: pixels of the picture (left, top, right, bottom), confidence 0..1."""

    text: str
    x0_px: float
    y0_px: float
    x1_px: float
    y1_px: float
    confidence: float


class OcrEngine(Protocol):
    """Reads one picture. Engines are made once per process and kept."""

    name: str
    version: str

    def words(self, image: Image, *, dpi: int, timeout_s: float) -> tuple[OcrWord, ...]:
        """The words of one upright picture, low confidences included.

        Raises:
            OcrTimeoutError: no answer within ``timeout_s``.
            OcrError: the engine failed.
        """


class Extractor(Protocol):
    """One way of finding entities."""

    maker: Maker

    def entities(self, document: Document) -> Iterator[Entity]:
        """Mentions in order of their spans, exact offsets into ``document.text``."""


@runtime_checkable
class BatchExtractor(Protocol):
    """An extractor that is faster on many documents at once; optional beside :class:`Extractor`."""

    maker: Maker

    def entities(self, document: Document) -> Iterator[Entity]:
        """As of :class:`Extractor`."""

    def entities_of(self, documents: Sequence[Document]) -> Iterator[list[Entity]]:
        """The mentions of each document, in the order given; the same as one by one, but for rounding of scores."""


class Refiner(Protocol):
    """One way of adding meaning to mentions: section, assertion, code, spread of an abbreviation."""

    maker: Maker

    def refine(self, document: Document, entities: Sequence[Entity]) -> Sequence[Entity]:
        """The mentions with more known about them, sorted as they came; mentions may be added, none dropped.

        ``entities`` are those that stand after overlaps were resolved, sorted by start, longer first.
        """


class Relator(Protocol):
    """One way of linking mentions of one document."""

    maker: Maker

    def relations(self, document: Document, entities: Sequence[Entity]) -> Iterator[Relation]:
        """Links between the given mentions, each pair and type once, in order of their heads."""


class Queue(Protocol):
    """A durable queue with leases: at least once, never lost.

    A message that was received and neither acknowledged nor handed back comes
    again when its lease ends, whatever became of its receiver. One object
    serves one thread. Whatever the broker does (restart, lost connection), a
    call either did its work or raises :class:`QueueError`, and may be repeated;
    adapters reconnect by themselves on the next call.

    All methods raise:
        QueueError: the broker cannot be reached or refuses (``retryable`` says whether waiting can help).
    """

    def put(self, jobs: Iterable[QueuedJob]) -> int:
        """Add jobs durably; how many were added (a job_id that already waits may be left out)."""

    def receive_batch(
        self, limit: int, *, lease_s: float, wait_s: float = 0.0, full_tenants: Collection[str] = ()
    ) -> list[Delivery]:
        """At most ``limit`` messages, leased for ``lease_s``; after ``wait_s`` without any an empty list.

        Urgent ones first, then normal, then backfill; among equals tenants take
        turns, oldest first within each; none of ``full_tenants``. A message that
        cannot be understood goes to the dead letters (``queue.message``) and is not delivered.
        """

    def extend(self, deliveries: Sequence[Delivery], *, lease_s: float) -> list[Delivery]:
        """Renew leases to ``lease_s`` from now; those that were lost meanwhile (somebody else has them)."""

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Done with these: they never come again. One whose lease was lost is left to its new holder."""

    def nack(self, delivery: Delivery, *, delay_s: float, code: str, counted: bool = True) -> None:
        """Hand back, to be delivered again after ``delay_s``; not ``counted`` tries do not raise ``attempt``."""

    def dead(self, delivery: Delivery, *, code: str) -> None:
        """Give up: the message moves to the dead letters."""

    def status(self) -> QueueStatus:
        """How many messages stand where."""

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest dead letters; they stay."""

    def retry_dead(self, *, code: str | None = None) -> int:
        """Put dead letters (all, or those with a code) back as new work with their tries forgotten; how many."""

    def purge(self, *, dead: bool = False) -> int:
        """Remove what waits (or the dead letters); what is leased stays; how many went."""

    def close(self) -> None:
        """Let go of the connection; leases run on until they end."""


__all__ = [
    "Attachment",
    "BatchExtractor",
    "Extractor",
    "OcrEngine",
    "OcrWord",
    "PageImage",
    "Queue",
    "ReadLimits",
    "Reader",
    "Reading",
    "Refiner",
    "Relator",
    "Ruling",
    "ScannedPage",
]
