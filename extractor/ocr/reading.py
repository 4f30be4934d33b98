"""The reading of one scanned page: prepare, read, look again where in doubt, judge, lay out.

Order of events: the picture is evened, turned and straightened; the first
engine reads it; if the page is good, the second engine looks again only at
doubtful words and unread letters; if it is poor, the second engine reads all
of it and the better reading stays. The layout works on the straightened
picture; boxes are mapped back to the upright page afterwards.
"""

from __future__ import annotations

import ctypes
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from extractor.document import Page, Word
from extractor.errors import OcrTimeoutError
from extractor.layout.page import lay_out
from extractor.ocr.gate import Gate, score
from extractor.ocr.marks import is_suspect, name_bullets, split_gaps
from extractor.ocr.preparation import Prepared, Upright, look_at, prepare
from extractor.ocr.rulings import as_rulings
from extractor.ocr.second_look import (
    MOST_PLACES,
    LineReader,
    Place,
    find_places,
    lost_columns,
    merge,
    strip_of,
    unread,
)
from extractor.registry import load
from extractor.spans import BBox

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from extractor.ocr.orientation import Turn
    from extractor.ports import Image, OcrEngine, OcrWord, ScannedPage

_BAND_LETTERS = 16.0
"""Height of the band that is read to tell up from down, in letters: four lines or so."""


_FEW_LETTERS = 12
"""Fewer blobs of the size of letters: a picture, a line, a smudge. No words is then the right reading."""

_UPENDED = 2
_MISSED = 20
_MISSED_SHARE = 0.06
"""From so many columns read as words on end, or so many letters and such a share unread, a page is read by rows too."""


@runtime_checkable
class RowReader(Protocol):
    """An engine that can read a picture as one block of lines, without looking for columns."""

    def words_by_row(self, image: Image, *, dpi: int, timeout_s: float) -> tuple[OcrWord, ...]:
        """The words, as :meth:`extractor.ports.OcrEngine.words` gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    words: Sequence[OcrWord]
    score: float
    letters_read: float
    source: str


class PageOcr:
    """Reads scanned pages with one engine, or two.

    ``engine`` and ``second_engine`` are names of the registry (no second
    engine: None); ``engine_options`` are the options of their constructors by
    name; ``gate`` are the settings of :class:`extractor.ocr.gate.Gate`;
    ``plugins`` the distributions whose engines may be used. Engines are made
    when first needed and kept: one object per process, not for two threads.

    Raises:
        ConfigError: an engine, option or setting of the gate is unknown.
    """

    def __init__(
        self,
        *,
        engine: str = "tesserocr",
        second_engine: str | None = "rapidocr",
        engine_options: Mapping[str, Mapping[str, Any]] | None = None,
        gate: Mapping[str, float] | None = None,
        plugins: Collection[str] = (),
    ) -> None:
        self.gate = Gate.of(gate or {})
        self._names = (engine, second_engine)
        self._options = {name: dict(options) for name, options in (engine_options or {}).items()}
        self._classes = {
            name: load("ocr_engines", name, plugins=plugins) for name in self._names if name is not None
        }
        self._made: dict[str, OcrEngine] = {}

    def engine(self, name: str) -> OcrEngine:
        """The engine of that name, made at the first call.

        Raises:
            MissingToolError: its library, program or weights are absent.
        """
        if name not in self._made:
            self._made[name] = self._classes[name](**self._options.get(name, {}))
        return self._made[name]

    def read(self, scan: ScannedPage, *, timeout_s: float) -> Page:
        """The words, blocks and tables of one scanned page, upright, boxes in points.

        A page without print comes back without words, ``good``. Words of low
        confidence are kept; ``quality`` says how far the page can be trusted.

        Raises:
            OcrTimeoutError: no reading within ``timeout_s``.
            OcrError: the engine failed.
            LimitError: the picture is too large to be made.
            CorruptError: the page cannot be drawn.
        """
        try:
            return self._read(scan, time.monotonic() + timeout_s)
        finally:
            _give_back()

    def _read(self, scan: ScannedPage, deadline: float) -> Page:
        upright = look_at(scan)
        if upright.blank:
            return Page(
                page_no=scan.page_no,
                width_pt=scan.width_pt,
                height_pt=scan.height_pt,
                source=self._names[0],
            )
        orientation = upright.orientation
        prepared = prepare(scan, upright, turn_deg=orientation.turn_deg, tilt_deg=orientation.tilt_deg)
        first = self._first(prepared, deadline)
        if first.score < self.gate.reread_score and len(prepared.ink.characters) >= _FEW_LETTERS:
            with suppress(OcrTimeoutError):  # the reading at hand stands
                prepared, first = self._other_turns(scan, upright, prepared, first, deadline)
        best = self._second(prepared, first, deadline)
        return self._page(scan, prepared, best)

    def _first(self, prepared: Prepared, deadline: float) -> _Reading:
        name = self._names[0]
        engine = self.engine(name)
        words = engine.words(prepared.image, dpi=prepared.dpi, timeout_s=_left(deadline))
        first = self._reading(prepared, words, name)
        if not isinstance(engine, RowReader) or not _lost_columns(prepared, first):
            return first
        try:
            words = engine.words_by_row(prepared.image, dpi=prepared.dpi, timeout_s=_left(deadline))
        except OcrTimeoutError:
            return first
        return _better(first, self._reading(prepared, words, name))

    def _reading(self, prepared: Prepared, words: Sequence[OcrWord], source: str) -> _Reading:
        letters = len(prepared.ink.characters)
        missed = len(unread(prepared.ink, words, scale=prepared.scale))
        letter_px = prepared.ink.size_px * prepared.scale
        named = name_bullets(
            split_gaps(words, prepared.image, letter_px),
            prepared.ink.mask,
            scale=prepared.scale,
            letter_px=prepared.ink.size_px,
        )
        letters_read = 1.0 - missed / letters if letters else 1.0
        return _Reading(
            words=named,
            score=score(named, letters_read=letters_read),
            letters_read=letters_read,
            source=source,
        )

    def _other_turns(
        self, scan: ScannedPage, upright: Upright, prepared: Prepared, first: _Reading, deadline: float
    ) -> tuple[Prepared, _Reading]:
        """The best of the other turns if a band of the page reads better that way than this way."""
        here = self._band_score(prepared, deadline)
        best: tuple[float, Prepared] | None = None
        turns: list[Turn] = [180, 90, 270, 0]
        for turn_deg in turns:
            if turn_deg == prepared.turn_deg:
                continue
            sideways = (turn_deg - prepared.turn_deg) % 180 != 0
            tilt_deg = 0.0 if sideways else upright.orientation.tilt_deg
            other = prepare(scan, upright, turn_deg=turn_deg, tilt_deg=tilt_deg)
            found = self._band_score(other, deadline)
            if found > 1.2 * here and (best is None or found > best[0]):
                best = (found, other)
        if best is None:
            return prepared, first
        reading = self._first(best[1], deadline)
        return (best[1], reading) if reading.score > first.score else (prepared, first)

    def _band_score(self, prepared: Prepared, deadline: float) -> float:
        """How well the band of the page with most letters in it reads: characters times confidence."""
        import numpy as np

        ink = prepared.ink
        if not len(ink.characters):
            return 0.0
        rows = np.bincount(ink.characters[:, 1], minlength=ink.mask.shape[0])
        size = max(8, min(len(rows), round(_BAND_LETTERS * ink.size_px)))
        sums = np.convolve(rows, np.ones(size), mode="valid")
        top = round(int(np.argmax(sums)) * prepared.scale)
        band = prepared.image[top : top + round(size * prepared.scale)]
        words = self.engine(self._names[0]).words(band, dpi=prepared.dpi, timeout_s=_left(deadline))
        return score(words, letters_read=1.0) * sum(len(word.text) for word in words)

    def _second(self, prepared: Prepared, first: _Reading, deadline: float) -> _Reading:
        """The reading after the second engine has had its say; the first one if time runs out."""
        name = self._names[1]
        if name is None:
            return first
        letter_px = prepared.ink.size_px * prepared.scale
        doubtful = {
            index
            for index, word in enumerate(first.words)
            if word.confidence < self.gate.doubtful_confidence or is_suspect(word, prepared.image)
        }
        places = find_places(first.words, prepared.ink, scale=prepared.scale, doubtful=doubtful)
        poor = first.score < self.gate.reread_score
        if not poor and not places:
            return first
        engine = self.engine(name)
        try:
            if poor:
                words = engine.words(prepared.image, dpi=prepared.dpi, timeout_s=_left(deadline))
                again = self._reading(prepared, words, name)
                return _better(first, again)
            if not isinstance(engine, LineReader):
                return first
            if len(places) > MOST_PLACES:
                places = sorted(places, key=lambda place: _doubt(place, first.words))[:MOST_PLACES]
            strips = [strip_of(prepared.image, place) for place in places]
            found = engine.read_lines([strip for strip, _, _ in strips], timeout_s=_left(deadline))
        except OcrTimeoutError:
            return first
        moved = [
            [
                replace(
                    word,
                    x0_px=word.x0_px + left_px,
                    x1_px=word.x1_px + left_px,
                    y0_px=word.y0_px + top_px,
                    y1_px=word.y1_px + top_px,
                )
                for word in words
            ]
            for words, (_, left_px, top_px) in zip(found, strips, strict=True)
        ]
        merged = merge(first.words, places, moved, letter_px=letter_px)
        return self._reading(prepared, merged, f"{first.source}+{name}")

    def _page(self, scan: ScannedPage, prepared: Prepared, reading: _Reading) -> Page:
        straight = prepared.straight
        to_pt = straight.pt_per_px
        nothing = not reading.words and len(prepared.ink.characters) < _FEW_LETTERS
        page = lay_out(
            [
                Word(
                    text=word.text,
                    box=BBox(word.x0_px * to_pt, word.y0_px * to_pt, word.x1_px * to_pt, word.y1_px * to_pt),
                    confidence=word.confidence,
                )
                for word in reading.words
            ],
            as_rulings(prepared.lines, prepared.scale * to_pt),
            page_no=scan.page_no,
            width_pt=straight.width_pt,
            height_pt=straight.height_pt,
            source=reading.source,
            rotation_deg=prepared.turn_deg,
            quality="good" if nothing else self.gate.quality(reading.score),
        )
        return _on_upright_page(page, prepared)


def _on_upright_page(page: Page, prepared: Prepared) -> Page:
    """The page with all boxes taken from the straightened picture to the upright page."""
    straight, width_pt, height_pt = prepared.straight, prepared.width_pt, prepared.height_pt

    def moved(box: BBox | None) -> BBox | None:
        return None if box is None else straight.on_page(box, width_pt=width_pt, height_pt=height_pt)

    return replace(
        page,
        width_pt=width_pt,
        height_pt=height_pt,
        words=tuple(replace(word, box=moved(word.box)) for word in page.words),
        tables=tuple(
            replace(
                table,
                box=moved(table.box),
                cells=tuple(replace(cell, box=moved(cell.box)) for cell in table.cells),
            )
            for table in page.tables
        ),
    )


def _better(first: _Reading, again: _Reading) -> _Reading:
    """The reading that is surer, and has seen more of what there is to read."""
    return again if again.score * again.letters_read > first.score * first.letters_read else first


def _lost_columns(prepared: Prepared, reading: _Reading) -> bool:
    """Whether columns of cells were read as words on end, or letters in number were passed over."""
    upended = lost_columns(reading.words, prepared.ink, scale=prepared.scale)
    missed = (1.0 - reading.letters_read) * len(prepared.ink.characters)
    return upended >= _UPENDED or (missed >= _MISSED and reading.letters_read < 1.0 - _MISSED_SHARE)


def _doubt(place: Place, words: Sequence[OcrWord]) -> float:
    """The least confidence in a place; unread letters come before any word."""
    return min((words[index].confidence for index in place.words), default=-1.0)


def _give_back() -> None:
    """Hand the room of a page's pictures back to the system (glibc; elsewhere nothing happens).

    Tens of megabytes of short-lived pictures lie between small things that stay:
    without this the heap goes on growing for hundreds of pages.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return
    trim(0)


def _left(deadline: float) -> float:
    """The seconds left.

    Raises:
        OcrTimeoutError: none are.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise OcrTimeoutError
    return left
