"""PNG, JPEG and TIFF: every picture a page for OCR, decoded only when asked for.

A TIFF has one page per picture; reduced copies and masks (NewSubfileType) are
not pages. PNG and JPEG have one page: later pictures of an animation or of a
camera's multi-picture file are not pages either.

Resolution: the file's own where it is plausible, which means 50 to 2,400 dpi
on both axes and, below 200 dpi, a page no longer than 20 inches (72 and 96 are
what programs write when they do not know). Otherwise it is estimated: a
picture of at least 1,000 pixels whose sides stand like those of a sheet (1.2
to 1.6), or one from 500 pixels on with exactly the sides of Letter or A4, is a
whole sheet 8.5 inches wide (8.27 from 1.35 on: A4); any other
picture is taken at 150 dpi. Unequal resolutions (fax) are evened out.

Size: a picture is decoded when it takes no more than four bytes for each pixel
that ``limits.max_page_pixels`` allows (a picture in black and white or grey may
have four times as many pixels, one in colour as many), and comes at a lower
resolution where it has more pixels than that.
"""

from __future__ import annotations

import logging
import math
import struct
import warnings
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Self

from extractor.document import PageFailure
from extractor.errors import CorruptError, InputError, LimitError, MemoryLimitError
from extractor.ports import Attachment, Reading, ReadLimits, ScannedPage
from extractor.readers.flow import check_pages
from extractor.readers.resolution import bounded_dpi

if TYPE_CHECKING:
    from PIL import Image as PillowImage

    from extractor.ports import Image

_PT_PER_INCH = 72.0
_LETTER_RATIO, _A4_RATIO = 11 / 8.5, 297 / 210
_ORIENTATION, _SUBFILE_TYPE, _PHOTOMETRIC, _BITS = 274, 254, 262, 258
_TURNED = {5, 6, 7, 8}  # orientations whose stored rows are columns of the upright picture
_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""What a pixel takes in memory once decoded, by Pillow's mode; four for all others, colour among them."""

_PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    OverflowError,
    ZeroDivisionError,
    RuntimeError,
    struct.error,
    zlib.error,
)


class ImageReader:
    """Reads ``image/png``, ``image/jpeg`` and ``image/tiff``."""

    def open(self, content: bytes, *, media_type: str, limits: ReadLimits) -> Reading:
        return ImageReading(content, media_type=media_type, limits=limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """A picture's place in the file and its upright geometry."""

    index: int
    width_px: int
    height_px: int
    x_dpi: float
    y_dpi: float


class ImageReading:
    """One opened picture file. Pictures made by its pages need the reading open."""

    def __init__(self, content: bytes, *, media_type: str, limits: ReadLimits) -> None:
        logging.getLogger("PIL").setLevel(logging.WARNING)  # its debug messages quote tags
        self.media_type = media_type
        self._limits = limits
        with _pillow():
            from PIL import Image

            form = media_type.partition("/")[2].upper()
            forms = ("JPEG", "MPO") if form == "JPEG" else (form,)
            self._file: Any = Image.open(BytesIO(content), formats=forms)
        self._frames = list(self._scan(form))
        if not self._frames:
            raise CorruptError("no picture can be read")
        first = self._frames[0]
        if len(self._frames) == 1 and isinstance(first, InputError):
            raise first
        self.page_count = len(self._frames)

    def pages(self, skip: Collection[int] = ()) -> Iterator[ScannedPage | PageFailure]:
        for page_no, frame in enumerate(self._frames, start=1):
            if page_no in skip:
                continue
            if isinstance(frame, InputError):
                yield PageFailure(page_no=page_no, code=frame.code)
                continue
            yield ScannedPage(
                page_no=page_no,
                width_pt=frame.width_px / frame.x_dpi * _PT_PER_INCH,
                height_pt=frame.height_px / frame.y_dpi * _PT_PER_INCH,
                reason="image",
                image=_Drawing(self, frame),
                native_dpi=max(frame.x_dpi, frame.y_dpi),
            )

    def attachments(self) -> Iterator[Attachment]:
        return iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def draw(self, frame: _Frame, dpi: int) -> Image:
        """The upright picture in grey at ``dpi``, or less where the limit of pixels forbids so much."""
        width_pt, height_pt = frame.width_px / frame.x_dpi * 72, frame.height_px / frame.y_dpi * 72
        dpi = bounded_dpi(width_pt, height_pt, dpi, self._limits)
        width = max(1, round(width_pt / 72 * dpi))
        height = max(1, round(height_pt / 72 * dpi))
        with _pillow():
            import numpy as np
            from PIL import Image, ImageOps

            self._file.seek(frame.index)
            self._file.load()
            upright = ImageOps.exif_transpose(self._file)
            grey = _grey(upright, self._tag(_PHOTOMETRIC), self._tag(_BITS))
            if abs(width - grey.width) > 1 or abs(height - grey.height) > 1:
                shrinks = width < grey.width
                grey = grey.resize(
                    (width, height),
                    Image.Resampling.BOX if shrinks and width * 2 <= grey.width else Image.Resampling.BICUBIC,
                )
            return np.array(grey, dtype=np.uint8)

    def _scan(self, form: str) -> Iterator[_Frame | InputError]:
        """The pages of the file, without decoding one; a bad one is its error."""
        index = pages = 0
        while True:
            try:
                with _pillow():
                    try:
                        self._file.seek(index)
                    except EOFError:
                        return
                    reduced = form == "TIFF" and (self._tag(_SUBFILE_TYPE) or 0) & 0b101
                    frame: _Frame | InputError | None = None if reduced else self._measure(index)
            except InputError as error:
                if not isinstance(error, LimitError) and index:
                    yield error
                    return  # the chain of pictures is broken here
                frame = error
            if frame is not None:
                pages += 1
                check_pages(pages, self._limits)
                yield frame
            if form != "TIFF" or (index == 0 and isinstance(frame, CorruptError)):
                return
            index += 1

    def _measure(self, index: int) -> _Frame:
        width, height = self._file.size
        orientation = self._file.getexif().get(_ORIENTATION, 1)
        self._check_stored(width, height)
        if self._file.format != "TIFF" and orientation in _TURNED:  # Pillow turns the size of a TIFF itself
            width, height = height, width
        x_dpi, y_dpi = _dpi(self._file.info.get("dpi"))
        if orientation in _TURNED:
            x_dpi, y_dpi = y_dpi, x_dpi
        x_dpi, y_dpi = _plausible(width, height, x_dpi, y_dpi)
        side_pt = max(width / x_dpi, height / y_dpi) * _PT_PER_INCH
        if side_pt > self._limits.max_page_side_pt:
            raise LimitError("a page longer than limits.max_page_side_pt allows", code="limit.page_side")
        return _Frame(index=index, width_px=width, height_px=height, x_dpi=x_dpi, y_dpi=y_dpi)

    def _check_stored(self, width: int, height: int) -> None:
        """A stored picture may take four bytes in memory for each pixel that a drawn page may have."""
        if width * height * _BYTES.get(self._file.mode, 4) > 4 * self._limits.max_page_pixels:
            raise LimitError(
                "a picture of more pixels than limits.max_page_pixels allows", code="limit.pixels"
            )

    def _tag(self, tag: int) -> Any:
        tags = getattr(self._file, "tag_v2", None)
        value = tags.get(tag) if tags is not None else None
        return value[0] if isinstance(value, tuple) and value else value


@dataclass(frozen=True, slots=True)
class _Drawing:
    """Draws one page when called; see :class:`extractor.ports.PageImage`."""

    reading: ImageReading
    frame: _Frame

    def __call__(self, dpi: int) -> Image:
        return self.reading.draw(self.frame, dpi)


@contextmanager
def _pillow() -> Iterator[None]:
    """Turn what Pillow raises into our errors, and its warnings into silence."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Image.DecompressionBombError:
            raise LimitError("a picture of too many pixels", code="limit.pixels") from None
        except MemoryError:
            raise MemoryLimitError("no memory to decode the picture") from None
        except _PILLOW_ERRORS:
            raise CorruptError("the picture cannot be decoded") from None


def _dpi(value: Any) -> tuple[float, float]:
    """Two whole numbers where the file rounded them to its own unit (PNG: pixels per metre)."""
    try:
        found = (float(value[0]), float(value[1]))
    except (TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError):
        return 0.0, 0.0
    x_dpi, y_dpi = (
        round(dpi) if math.isfinite(dpi) and abs(dpi - round(dpi)) < 0.05 else dpi for dpi in found
    )
    return x_dpi, y_dpi


def _plausible(width_px: int, height_px: int, x_dpi: float, y_dpi: float) -> tuple[float, float]:
    """The resolution by the rule at the top of this module."""
    if 50 <= x_dpi <= 2400 and 50 <= y_dpi <= 2400:
        longest_in = max(width_px / x_dpi, height_px / y_dpi)
        if min(x_dpi, y_dpi) >= 200 or longest_in <= 20:
            return x_dpi, y_dpi
    short, long = sorted((width_px, height_px))
    ratio = long / max(1, short)
    exact = any(abs(ratio - sheet) < 0.006 for sheet in (_LETTER_RATIO, _A4_RATIO))
    if (short >= 1000 and 1.2 <= ratio <= 1.6) or (short >= 500 and exact):
        dpi = short / (8.27 if ratio >= 1.35 else 8.5)
    else:
        dpi = 150.0
    return dpi, dpi


def _grey(picture: PillowImage.Image, photometric: int | None, bits: int | None) -> PillowImage.Image:
    """``picture`` as 8-bit grey; see-through parts stand on white."""
    import numpy as np
    from PIL import Image

    if picture.mode.startswith("I;16") or picture.mode == "I":
        values = np.asarray(picture).astype(np.int64)
        depth = bits if bits in (12, 16) else 16
        values = np.clip(values >> (depth - 8), 0, 255).astype(np.uint8)
        if photometric == 0:
            values = 255 - values
        return Image.fromarray(values)
    if picture.mode == "F":
        floats = np.nan_to_num(np.asarray(picture, dtype=np.float64))
        low, high = float(floats.min()), float(floats.max())
        scaled = (floats - low) / (high - low) * 255 if high > low else np.full(floats.shape, 255.0)
        return Image.fromarray(scaled.astype(np.uint8))
    if picture.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, layer).convert("L")
    if picture.mode in ("CMYK", "LAB", "HSV", "YCbCr"):
        return picture.convert("RGB").convert("L")
    return picture.convert("L")
