"""Pictures of pages as a reader of the evidence sees them: upright, for formats that have page pictures.

Drawing runs hostile bytes through large libraries: callers outside a worker
use :func:`page_pictures`, which draws in a process of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from extractor.document import PageFailure
from extractor.errors import (
    CorruptError,
    CrashError,
    InputError,
    LimitError,
    UnsupportedError,
)
from extractor.isolation import iter_isolated
from extractor.ports import ReadLimits, ScannedPage
from extractor.registry import PDF, load

if TYPE_CHECKING:
    from extractor.ports import Image

log = logging.getLogger(__name__)

_PT_PER_INCH = 72.0
_MAX_CRASHES = 3
_WEBP_QUALITY = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePicture:
    """One page as an encoded picture, upright."""

    page_no: int
    width_px: int
    height_px: int
    media_type: str
    content: bytes = field(repr=False)


def has_pictures(media_type: str) -> bool:
    """Whether documents of this type have pages that can be drawn."""
    return media_type == PDF or media_type.startswith("image/")


def turn_of(source: str, rotation_deg: int) -> int:
    """The clockwise turn from a page as shown to the upright page, from a page's source and rotation.

    Pages read from their text layer are upright as shown: their rotation is
    that of the stored page, which drawing applies by itself. Pages read by OCR
    were turned after they were drawn.
    """
    return 0 if source in ("text-layer", "flow") else rotation_deg


def iter_page_images(
    content: bytes,
    media_type: str,
    *,
    turns: Mapping[int, int],
    dpi: int,
    limits: ReadLimits,
    plugins: Collection[str] = (),
) -> Iterator[tuple[int, Image | InputError]]:
    """The pages named in ``turns`` in order, drawn in this process: page number and pixels.

    ``turns`` gives the clockwise turn that makes each page as shown upright
    (:func:`turn_of`). A page of more than ``limits.max_page_pixels`` at
    ``dpi`` is drawn smaller. A page that cannot be drawn comes as its error.

    Raises:
        UnsupportedError: documents of this type have no page pictures.
        InputError: the document cannot be opened.
    """
    if not has_pictures(media_type):
        raise UnsupportedError("documents of this type have no page pictures", code="input.no_picture")
    if media_type == PDF:
        yield from _pdf_images(content, turns, dpi, limits)
    else:
        yield from _reader_images(content, media_type, turns, dpi, limits, plugins)


def page_pictures(
    content: bytes,
    media_type: str,
    *,
    turns: Mapping[int, int],
    dpi: int,
    limits: ReadLimits,
    page_time_s: float,
    memory_mb: int,
    plugins: Sequence[str] = (),
) -> tuple[dict[int, PagePicture], dict[int, str]]:
    """Encoded pictures by page number, and the code of the error for each page that has none.

    Drawn in a process of its own with ``page_time_s`` for each page; a page
    that takes its process along is left out and the others are drawn.
    """
    left = dict(sorted(turns.items()))
    pictures: dict[int, PagePicture] = {}
    failures: dict[int, str] = {}
    for _ in range(_MAX_CRASHES):
        try:
            drawn = iter_isolated(
                _encoded,
                content,
                media_type,
                left,
                dpi,
                limits,
                tuple(plugins),
                item_time_s=page_time_s,
                memory_mb=memory_mb,
            )
            for page_no, result in drawn:
                left.pop(page_no, None)
                if isinstance(result, PagePicture):
                    pictures[page_no] = result
                else:
                    failures[page_no] = result.code
        except (CrashError, LimitError) as error:
            if not left:
                break
            page_no = min(left)
            del left[page_no]
            failures[page_no] = error.code
            log.warning("page %s cannot be drawn (%s)", page_no, error.code)
            continue
        except InputError as error:
            return pictures, failures | dict.fromkeys(left, error.code)
        break
    failures.update(dict.fromkeys(left, CrashError.code))
    return pictures, failures


def upright(image: Image, turn_deg: int) -> Image:
    """The picture turned clockwise by 0, 90, 180 or 270 degrees."""
    import numpy as np

    return np.ascontiguousarray(np.rot90(image, k=-(turn_deg // 90)))


def _encoded(
    content: bytes,
    media_type: str,
    turns: Mapping[int, int],
    dpi: int,
    limits: ReadLimits,
    plugins: tuple[str, ...],
) -> Iterator[tuple[int, PagePicture | InputError]]:
    from PIL import Image as Pillow

    images = iter_page_images(content, media_type, turns=turns, dpi=dpi, limits=limits, plugins=plugins)
    for page_no, image in images:
        if isinstance(image, InputError):
            yield page_no, image
            continue
        buffer = BytesIO()
        Pillow.fromarray(image).save(buffer, format="WEBP", quality=_WEBP_QUALITY, method=2)
        yield (
            page_no,
            PagePicture(
                page_no=page_no,
                width_px=image.shape[1],
                height_px=image.shape[0],
                media_type="image/webp",
                content=buffer.getvalue(),
            ),
        )


def _pdf_images(
    content: bytes, turns: Mapping[int, int], dpi: int, limits: ReadLimits
) -> Iterator[tuple[int, Image | InputError]]:
    """Pages in colour, as shown, with annotations and form fields; numbered as the reader numbers them."""
    with load("readers", PDF)().open(content, media_type=PDF, limits=limits) as reading:
        for page_no in sorted(turns):
            try:
                image = reading.image(page_no, dpi, colour=True, least_dpi=1)
            except InputError as error:
                yield page_no, error
            else:
                yield page_no, upright(image, turns[page_no])


def _reader_images(
    content: bytes,
    media_type: str,
    turns: Mapping[int, int],
    dpi: int,
    limits: ReadLimits,
    plugins: Collection[str],
) -> Iterator[tuple[int, Image | InputError]]:
    """Pages of a picture file, as its reader gives them to OCR."""
    reader = load("readers", media_type, plugins=plugins)()
    last = max(turns, default=0)
    with reader.open(content, media_type=media_type, limits=limits) as reading:
        skip = frozenset(range(1, reading.page_count + 1)) - turns.keys()
        missing = set(turns)
        for item in reading.pages(skip=skip):
            missing.discard(item.page_no)
            try:
                yield item.page_no, _scan_image(item, turns, dpi, limits)
            except InputError as error:
                yield item.page_no, error
            if item.page_no >= last:
                break
        for page_no in sorted(missing):
            yield page_no, CorruptError("the document has no such page", page_no=page_no)


def _scan_image(item: object, turns: Mapping[int, int], dpi: int, limits: ReadLimits) -> Image:
    if isinstance(item, PageFailure):
        raise CorruptError("the page cannot be drawn", page_no=item.page_no, code=item.code)
    if not isinstance(item, ScannedPage):
        raise UnsupportedError("the page has no picture", code="input.no_picture")
    allowed = _bounded_dpi(item.width_pt, item.height_pt, dpi, limits)
    return upright(item.image(allowed), turns[item.page_no])


def _bounded_dpi(width_pt: float, height_pt: float, dpi: int, limits: ReadLimits) -> int:
    """``dpi``, or less where the page would have too many pixels."""
    area_in2 = width_pt * height_pt / _PT_PER_INCH**2
    if area_in2 <= 0:
        raise CorruptError("the page has no area")
    allowed = int((limits.max_page_pixels / area_in2) ** 0.5)
    if allowed < 1:
        raise LimitError("a page of more pixels than limits.max_page_pixels allows", code="limit.pixels")
    return min(dpi, allowed)
