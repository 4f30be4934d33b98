"""Tesseract in this process, through the tesserocr wheel: the default engine, no system package."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from extractor.errors import MissingToolError, OcrError, OcrTimeoutError
from extractor.ocr.words import split_word
from extractor.resources import model_folder

if TYPE_CHECKING:
    from extractor.ports import Image, OcrWord

# Tesseract's threads cost four times the CPU for no speed: one process per core instead. OpenMP reads this
# when the library loads.
os.environ["OMP_THREAD_LIMIT"] = "1"

_ONE_BLOCK = 6
_LEAST_DPI = 70
_MOST_DPI = 2400


class TesserocrEngine:
    """Reads with Tesseract's LSTM and the English fast data of ``models/tesseract-eng``.

    ``model`` is a folder under ``models``; ``language`` a traineddata file in
    it; ``segmentation`` Tesseract's page segmentation mode (3: find columns
    and blocks; 6: one block of lines).
    """

    name = "tesserocr"

    def __init__(self, *, model: str = "tesseract-eng", language: str = "eng", segmentation: int = 3) -> None:
        try:
            import tesserocr
        except ImportError as exc:
            raise MissingToolError("the package tesserocr cannot be loaded; pip install tesserocr") from exc

        tesserocr.set_leptonica_log_level(tesserocr.LeptLogLevel.NONE)
        logging.getLogger("tesserocr").setLevel(logging.CRITICAL)  # it logs texts of its own
        folder = model_folder(model)
        try:
            self._api: Any = tesserocr.PyTessBaseAPI(
                path=str(folder), lang=language, psm=segmentation, oem=tesserocr.OEM.LSTM_ONLY
            )
        except RuntimeError as exc:
            raise MissingToolError(
                f"Tesseract cannot load {language}.traineddata", code="tool.model"
            ) from exc
        self._api.SetVariable("debug_file", os.devnull)
        self._segmentation = segmentation
        self._word_level = tesserocr.RIL.WORD
        self.version = _number_of(tesserocr.tesseract_version())

    def words(self, image: Image, *, dpi: int, timeout_s: float) -> tuple[OcrWord, ...]:
        return self._read(image, dpi, timeout_s, self._segmentation)

    def words_by_row(self, image: Image, *, dpi: int, timeout_s: float) -> tuple[OcrWord, ...]:
        """As :meth:`words`, without looking for columns: every line runs over the full width.

        For tables, where a column of single letters is otherwise taken for one word on end.
        """
        return self._read(image, dpi, timeout_s, _ONE_BLOCK)

    def _read(self, image: Image, dpi: int, timeout_s: float, segmentation: int) -> tuple[OcrWord, ...]:
        import numpy as np

        if timeout_s <= 0:
            raise OcrTimeoutError
        pixels = np.ascontiguousarray(image)
        height, width = pixels.shape[:2]
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        api = self._api
        try:
            api.SetPageSegMode(segmentation)
            api.SetImageBytes(pixels.tobytes(), width, height, channels, width * channels)
            api.SetSourceResolution(min(max(dpi, _LEAST_DPI), _MOST_DPI))
            if not api.Recognize(max(1, round(timeout_s * 1000))):
                raise OcrTimeoutError
            return tuple(self._found())
        except RuntimeError:
            raise OcrError("Tesseract failed on a picture") from None
        finally:
            api.Clear()  # the picture and its results do not outlive the page

    def _found(self) -> list[OcrWord]:
        level = self._word_level
        place = self._api.GetIterator()
        words: list[OcrWord] = []
        while place is not None:
            if not place.Empty(level):
                text = place.GetUTF8Text(level).strip()
                box = place.BoundingBox(level)
                if text and box is not None:
                    x0, y0, x1, y1 = box
                    confidence = min(max(place.Confidence(level) / 100.0, 0.0), 1.0)
                    words += split_word(text, (x0, y0, x1, y1), confidence)
            if not place.Next(level):
                break
        return words


def _number_of(version: str) -> str:
    """``5.5.4`` of ``tesseract 5.5.4`` and the lines after it."""
    return version.split("\n", 1)[0].removeprefix("tesseract").strip()
