"""PDF through PyMuPDF: the text layer where it can be trusted, a picture for OCR where not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from extractor.document import Page, PageFailure
from extractor.errors import CorruptError, EmptyInputError, EncryptedError, LimitError, MemoryLimitError
from extractor.ports import Attachment, ReadLimits, ScannedPage
from extractor.readers.pdf_damage import (
    cut_stream,
    is_content_lost,
    is_part_lost,
    is_picture_torn,
    is_resource_lost,
    warnings,
)
from extractor.readers.pdf_page import build, fetch, mupdf, mupdf_errors, render
from extractor.readers.pdf_repair import find_pages, rebuild, walk_tree
from extractor.readers.resolution import LEAST_DPI, bounded_dpi

if TYPE_CHECKING:
    from extractor.ports import Image

MEDIA_TYPE = "application/pdf"

LOST = "input.page_missing"
"""Code of a page that the file counts and does not hold."""

DAMAGED = "input.page_damaged"
"""Code of a page that was read in part: its words are kept, its quality is poor."""

DEFLATE_RATIO = 1032
"""Deflate expands a byte to at most this many (zlib technical notes)."""


class PdfReader:
    """Opens PDF files; a file that opens with an empty password needs none."""

    def open(self, content: bytes, *, media_type: str = MEDIA_TYPE, limits: ReadLimits) -> PdfReading:
        """Check the file as a whole.

        Raises:
            EmptyInputError: no bytes, or no page.
            CorruptError: the bytes are no PDF, or its page tree cannot be walked.
            EncryptedError: a password is needed.
            LimitError: more pages than ``max_pages``.
        """
        if not content:
            raise EmptyInputError

        pymupdf = mupdf()  # its messages may quote the file: they are kept off the terminal
        pymupdf.TOOLS.mupdf_display_errors(False)
        pymupdf.TOOLS.mupdf_display_warnings(False)
        pymupdf.TOOLS.reset_mupdf_warnings()
        try:
            document = pymupdf.open(stream=content, filetype="pdf")
        except MemoryError:
            raise MemoryLimitError from None
        except mupdf_errors() as exc:
            raise _translated(exc) from None
        repaired = bool(document.is_repaired)
        try:
            document, pages = _pages(document, content, limits)
        except BaseException:
            document.close()
            raise
        cut = cut_stream(content) if repaired else None
        return PdfReading(
            document, pages=pages, repaired=repaired, cut=cut, media_type=media_type, limits=limits
        )


def _pages(document: Any, content: bytes, limits: ReadLimits) -> tuple[Any, Sequence[int | None]]:
    """The document, rebuilt where its page tree is broken, and for each page its index in it (None: lost)."""
    if not document.is_pdf:
        raise CorruptError("the bytes are not those of a PDF")
    if document.needs_pass:
        raise EncryptedError
    most = limits.max_pages
    try:
        count = int(document.page_count)
        _check_count(count, most)
        tree = walk_tree(document, most=most)
        _check_count(len(tree.xrefs), most)
        if tree.found and len(tree.xrefs) <= count:
            return document, range(count)
        if not tree.found:
            tree = find_pages(document, content, least=count, most=most)
        if not tree.found:
            if count:
                return document, range(count)
            if document.is_repaired:
                raise CorruptError("the file is damaged and none of its pages can be found")
            raise EmptyInputError("the file has no page")
        rebuilt = mupdf().open(stream=rebuild(document, tree), filetype="pdf")
    except MemoryError:
        raise MemoryLimitError from None
    except mupdf_errors() as exc:
        raise _translated(exc) from None
    document.close()
    index = iter(range(len(tree.found)))
    return rebuilt, [None if xref is None else next(index) for xref in tree.xrefs]


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise LimitError(f"{count} pages; limits.max_pages is {most}", code="limit.pages")


class PdfReading:
    """One opened PDF. ``repaired`` says that its structure was damaged and had to be rebuilt.

    ``pages`` gives each page's index in ``document``, None for a page that is lost;
    ``cut`` the object whose stream the end of the file cuts off.
    """

    def __init__(
        self,
        document: Any,
        *,
        pages: Sequence[int | None],
        repaired: bool = False,
        cut: int | None = None,
        media_type: str,
        limits: ReadLimits,
    ) -> None:
        self.media_type = media_type
        self.page_count = len(pages)
        self.repaired = repaired
        self._document = document
        self._indexes = pages
        self._cut = cut
        self._torn: set[int] = set()
        self._limits = limits

    def pages(self, skip: Collection[int] = ()) -> Iterator[Page | ScannedPage | PageFailure]:
        for page_no, index in enumerate(self._indexes, 1):
            if page_no in skip:
                continue
            if index is None:
                yield PageFailure(page_no=page_no, code=LOST)
            else:
                yield from self._read(page_no, index)

    def _read(self, page_no: int, index: int) -> Iterator[Page | ScannedPage | PageFailure]:

        warnings()  # those of other pages
        try:
            page = self._document.load_page(index)
            self._check_expansion(page)
            fetched = fetch(page, self._limits)
            warned = warnings()
            if fetched.text_layer not in ("usable", "blank"):
                least = min(LEAST_DPI, round(fetched.native_dpi or LEAST_DPI))
                bounded_dpi(fetched.width_pt, fetched.height_pt, least, self._limits)
            damaged = (
                is_content_lost(self._document, page, self._cut)
                or is_part_lost(self._document, page, warned)
                or (self.repaired and is_resource_lost(self._document, page))
            )
            if fetched.text_layer == "blank":
                damaged |= "error" in warned or self._document.xref_object(page.xref) == "null"
        except LimitError as exc:
            yield PageFailure(page_no=page_no, code=exc.code)
            return
        except MemoryError:
            yield PageFailure(page_no=page_no, code=MemoryLimitError.code)
            return
        except mupdf_errors() as exc:
            yield PageFailure(page_no=page_no, code=_translated(exc).code)
            return
        if fetched.text_layer == "blank" and damaged:  # the page only looks empty
            yield PageFailure(page_no=page_no, code=CorruptError.code)
            return
        if fetched.text_layer in ("usable", "blank"):
            laid_out = build(fetched, page_no)
            unsure = damaged or any("\ufffd" in word.text for word in laid_out.words)
            yield replace(laid_out, quality="poor") if unsure else laid_out
        else:
            yield ScannedPage(
                page_no=page_no,
                width_pt=fetched.width_pt,
                height_pt=fetched.height_pt,
                reason=fetched.text_layer,
                image=_Picture(self, page_no),
                native_dpi=fetched.native_dpi,
            )
        if damaged or page_no in self._torn:  # the page was drawn meanwhile, if it had to be
            yield PageFailure(page_no=page_no, code=DAMAGED)

    def image(self, page_no: int, dpi: int, *, colour: bool = False, least_dpi: int = LEAST_DPI) -> Image:
        """The picture of any page, upright, as :class:`extractor.ports.PageImage` describes it.

        Grey, or in ``colour``; never below ``least_dpi`` to keep within the limit of pixels.
        """
        index = self._indexes[page_no - 1] if 1 <= page_no <= self.page_count else None
        if index is None:
            raise CorruptError("the file holds no such page", page_no=page_no)
        try:
            page = self._document.load_page(index)
            warnings()
            picture = render(page, dpi, self._limits, colour=colour, least_dpi=least_dpi)
            if is_picture_torn(warnings()):
                self._torn.add(page_no)
            return picture  # noqa: TRY300
        except MemoryError:
            raise MemoryLimitError(page_no=page_no) from None
        except mupdf_errors() as exc:
            raise _translated(exc, page_no) from None
        finally:
            mupdf().TOOLS.store_shrink(100)

    def attachments(self) -> Iterator[Attachment]:
        """Embedded files of the document, then those attached to places on its pages.

        One that cannot be unpacked comes without bytes, so that it is refused on its own.

        Raises:
            LimitError: more of them, or larger ones, than allowed.
        """
        for number, content in enumerate(self._embedded(), 1):
            if number > self._limits.max_attachments:
                raise LimitError("limits.max_attachments", code="limit.attachments")
            yield Attachment(content=content, attachment_no=number)

    def _embedded(self) -> Iterator[bytes]:

        document = self._document
        try:
            for index in range(document.embfile_count()):
                self._check_size(document.embfile_info(index))
                yield _unpacked(lambda index=index: document.embfile_get(index))
            kinds = (mupdf().PDF_ANNOT_FILE_ATTACHMENT,)
            for page_index in self._indexes:
                if page_index is None:
                    continue
                page = document.load_page(page_index)
                if any(kind in kinds for _, kind, _ in page.annot_xrefs()):
                    for annotation in page.annots(types=kinds):
                        self._check_size(annotation.file_info)
                        yield _unpacked(annotation.get_file)
        except MemoryError:
            raise MemoryLimitError from None
        except mupdf_errors() as exc:
            raise _translated(exc) from None

    def _check_size(self, info: dict[str, Any]) -> None:
        sizes = [info.get(key) for key in ("length", "size")]
        if any(isinstance(size, int) and size > self._limits.max_expanded_bytes for size in sizes):
            raise LimitError("limits.max_expanded_bytes: an attachment", code="limit.expanded")

    def _check_expansion(self, page: Any) -> None:
        """Refuse content streams that unpack to more than allowed, without unpacking them whole."""
        allowed = self._limits.max_expanded_bytes
        for xref in page.get_contents():
            filters = self._document.xref_get_key(xref, "Filter")[1]
            if "FlateDecode" not in filters:
                continue
            raw = self._document.xref_stream_raw(xref) or b""
            nested = filters.count("Decode") > 1
            if nested or len(raw) * DEFLATE_RATIO > allowed:
                _check_deflated(raw, allowed, nested=nested)

    def close(self) -> None:
        """Free the file; pictures of its pages can no longer be made."""
        if not self._document.is_closed:
            self._document.close()
        mupdf().TOOLS.store_shrink(100)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Picture:
    """Draws one page of an open reading on demand."""

    __slots__ = ("_page_no", "_reading")

    def __init__(self, reading: PdfReading, page_no: int) -> None:
        self._reading = reading
        self._page_no = page_no

    def __call__(self, dpi: int) -> Image:
        return self._reading.image(self._page_no, dpi)


def _unpacked(get: Callable[..., Any]) -> bytes:
    try:
        return bytes(get())
    except mupdf_errors():
        return b""


def _check_deflated(raw: bytes, allowed: int, *, nested: bool) -> None:
    """Unpack piece by piece and count; a stream packed twice is unpacked a second time on the way."""
    import zlib

    outer = zlib.decompressobj()
    inner = zlib.decompressobj() if nested else None
    total = 0
    chunk = raw
    try:
        while chunk and not outer.eof:
            piece = outer.decompress(chunk, 1 << 20)
            total += len(piece)
            if inner is not None:
                rest = piece
                while rest and not inner.eof:
                    total += len(inner.decompress(rest, 1 << 20))
                    rest = inner.unconsumed_tail
                    if total > allowed:
                        break
            if total > allowed:
                raise LimitError("limits.max_expanded_bytes: a content stream", code="limit.expanded")
            chunk = outer.unconsumed_tail
    except zlib.error:
        return  # damaged or not deflate at this level: the library decides what it can read


def _translated(exc: BaseException, page_no: int | None = None) -> CorruptError | MemoryLimitError:
    """Our error for one of MuPDF's; its message is looked at, never passed on."""
    message = str(exc)
    if "malloc" in message or "alloc" in message or "memory" in message:
        return MemoryLimitError(page_no=page_no)
    return CorruptError(page_no=page_no)
