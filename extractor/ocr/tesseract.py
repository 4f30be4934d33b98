"""Tesseract as a program of the system, through pytesseract: by configuration only."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from extractor.errors import MissingToolError, OcrError, OcrTimeoutError
from extractor.ocr.words import split_word
from extractor.resources import model_folder

if TYPE_CHECKING:
    from extractor.ports import Image, OcrWord

os.environ["OMP_THREAD_LIMIT"] = "1"  # handed down to the program: one process per core instead of threads

_ONE_BLOCK = 6


class TesseractEngine:
    """Reads with the ``tesseract`` found on the path (or ``program``).

    ``model`` is a folder under ``models`` with the traineddata ``language``,
    None for the data of the system; ``segmentation`` is ``--psm``.
    """

    name = "tesseract"

    def __init__(
        self,
        *,
        program: str = "tesseract",
        model: str | None = "tesseract-eng",
        language: str = "eng",
        segmentation: int = 3,
    ) -> None:
        try:
            import pytesseract
        except ImportError as exc:
            raise MissingToolError(
                "the package pytesseract is absent; install the extra 'pytesseract'"
            ) from exc
        found = shutil.which(program)
        if found is None:
            raise MissingToolError("the program tesseract is absent; apt-get install tesseract-ocr")
        pytesseract.pytesseract.tesseract_cmd = found
        try:
            self.version = str(pytesseract.get_tesseract_version())
        except pytesseract.TesseractNotFoundError as exc:
            raise MissingToolError("the program tesseract does not start") from exc
        folder = f' --tessdata-dir "{model_folder(model)}"' if model else ""
        self._language = language
        self._segmentation = segmentation
        self._options = f"--oem 1{folder}"

    def words(self, image: Image, *, dpi: int, timeout_s: float) -> tuple[OcrWord, ...]:
        return self._read(image, dpi, timeout_s, self._segmentation)

    def words_by_row(self, image: Image, *, dpi: int, timeout_s: float) -> tuple[OcrWord, ...]:
        """As :meth:`words`, without looking for columns: every line runs over the full width."""
        return self._read(image, dpi, timeout_s, _ONE_BLOCK)

    def _read(self, image: Image, dpi: int, timeout_s: float, segmentation: int) -> tuple[OcrWord, ...]:
        import pytesseract
        from PIL import Image as Pictures

        if timeout_s <= 0:
            raise OcrTimeoutError
        try:
            found = pytesseract.image_to_data(
                Pictures.fromarray(image),
                lang=self._language,
                config=f"{self._options} --psm {segmentation} --dpi {dpi}",
                timeout=timeout_s,
                output_type=pytesseract.Output.DICT,
            )
        except pytesseract.TesseractError:
            raise OcrError("the program tesseract failed on a picture") from None
        except (
            RuntimeError
        ):  # pytesseract's answer to a timeout; TesseractError is one too, so it comes first
            raise OcrTimeoutError from None
        words: list[OcrWord] = []
        for text, left, top, width, height, confidence in zip(
            found["text"],
            found["left"],
            found["top"],
            found["width"],
            found["height"],
            found["conf"],
            strict=True,
        ):
            if text.strip() and float(confidence) >= 0:
                box = (float(left), float(top), float(left + width), float(top + height))
                words += split_word(text.strip(), box, min(float(confidence) / 100.0, 1.0))
        return tuple(words)
