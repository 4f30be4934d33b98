"""RapidOCR (PP-OCR models on onnxruntime): the second engine, better on poor print and four times slower.

It finds lines of text with one network and reads each with another
(:mod:`extractor.ocr.line_network`). Both come with the package; nothing is
downloaded. The package itself, slow to import, is loaded when a whole page is
to be read. Its line classifier is never used: it turns whole upright lines
upside down.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Literal

from extractor.errors import ConfigError, MissingToolError, OcrError, OcrTimeoutError
from extractor.ocr.line_network import LineNetwork
from extractor.ports import OcrWord

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from extractor.ports import Image

Provider = Literal["cpu", "cuda"]

_DETECTOR = "PP-OCRv6_det_small.onnx"
_RECOGNISER = "PP-OCRv6_rec_small.onnx"

# The models know full-width forms of ASCII signs from Chinese print; U+FF01..U+FF5E are U+0021..U+007E.
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(0x5E)} | {0x3000: 0x20}


class RapidOcrEngine:
    """Reads with the PP-OCR models of the rapidocr package.

    ``provider`` is ``cpu`` or ``cuda`` (needs onnxruntime-gpu); ``threads`` per
    picture. Lines are looked for in a copy at half size, whose longer side is
    at least ``detection_side_px`` where the picture is and at most twice that;
    they are read at full size.
    """

    name = "rapidocr"

    def __init__(
        self, *, provider: Provider = "cpu", threads: int = 1, detection_side_px: int = 1600
    ) -> None:
        if provider not in ("cpu", "cuda"):
            raise ConfigError("ocr.engine_options.rapidocr.provider is cpu or cuda")
        from importlib.metadata import version

        self._folder = self._check_tools(provider)
        self._threads, self._cuda = threads, provider == "cuda"
        self._detection_side_px = detection_side_px
        self._detector: Any = None
        self._lines = LineNetwork(self._folder / _RECOGNISER, cuda=self._cuda, threads=threads)
        self.version = version("rapidocr")

    @staticmethod
    def _check_tools(provider: Provider) -> Path:
        from importlib.util import find_spec
        from pathlib import Path

        spec = find_spec("rapidocr")
        if spec is None or spec.origin is None or find_spec("onnxruntime") is None:
            raise MissingToolError(
                "the package rapidocr or onnxruntime is absent; pip install rapidocr onnxruntime"
            )
        folder = Path(spec.origin).parent / "models"
        for file in (_DETECTOR, _RECOGNISER):
            if not (folder / file).is_file():
                raise MissingToolError(f"rapidocr comes without {file}; install another version")
        if provider == "cuda":
            import onnxruntime

            if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
                raise MissingToolError("provider cuda needs onnxruntime-gpu and a CUDA device")
        return folder

    def words(self, image: Image, *, dpi: int, timeout_s: float) -> tuple[OcrWord, ...]:  # noqa: ARG002
        deadline = time.monotonic() + timeout_s
        boxes = self._line_boxes(image)
        _check(deadline)
        words: list[OcrWord] = []
        for x0, y0, x1, y1 in boxes:
            words += self._read(image[y0:y1, x0:x1], x0, y0)
            _check(deadline)
        return tuple(words)

    def read_lines(self, lines: Sequence[Image], *, timeout_s: float) -> list[tuple[OcrWord, ...]]:
        """The words of pictures that hold one line of text each, in the pixels of each picture.

        Raises:
            OcrTimeoutError: no answer within ``timeout_s``.
            OcrError: the engine failed.
        """
        deadline = time.monotonic() + timeout_s
        found = []
        for line in lines:
            _check(deadline)
            found.append(tuple(self._read(line, 0, 0)))
        return found

    def _line_boxes(self, image: Image) -> list[tuple[int, int, int, int]]:
        """Boxes of text lines, from top to bottom."""
        import cv2

        height, width = image.shape[:2]
        side = max(height, width)
        scale = min(1.0, max(0.5, self._detection_side_px / side), 2 * self._detection_side_px / side)
        small = image
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        found = self._detect(small)
        if found.boxes is None:
            return []
        boxes = []
        for quad in found.boxes:
            xs, ys = quad[:, 0] / scale, quad[:, 1] / scale
            x0, x1 = max(0, int(xs.min())), min(width, int(xs.max()) + 1)
            y0, y1 = max(0, int(ys.min())), min(height, int(ys.max()) + 1)
            if x1 - x0 > 2 and y1 - y0 > 2:
                boxes.append((x0, y0, x1, y1))
        return sorted(boxes, key=lambda box: (box[1], box[0]))

    def _read(self, line: Image, left: int, top: int) -> list[OcrWord]:
        """The words of one line; ``left`` and ``top`` are added to their boxes."""
        found = self._lines.read(line)
        height, width = line.shape[:2]
        text = found.text.translate(_FULL_WIDTH)
        words: list[OcrWord] = []
        end = 0
        for part in text.split():
            start = text.index(part, end)
            end = start + len(part)
            own, sure = found.centres_px[start:end], found.confidences[start:end]
            half = 0.8 * found.column_px if len(own) < 2 else 0.5 * (own[-1] - own[0]) / (len(own) - 1)
            x0 = min(max(own[0] - half, 0.0), float(width))
            x1 = min(max(own[-1] + half, x0), float(width))
            words.append(
                OcrWord(
                    text=part,
                    x0_px=left + x0,
                    y0_px=float(top),
                    x1_px=left + x1,
                    y1_px=float(top + height),
                    confidence=sum(sure) / len(sure),
                )
            )
        return words

    def _detect(self, image: Image) -> Any:
        """What the package's detector finds; the package is loaded at the first call."""
        import cv2

        if self._detector is None:
            self._detector = self._load_detector()
        from rapidocr.inference_engine.onnxruntime import ONNXRuntimeError

        picture = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image[:, :, ::-1]
        try:
            return self._detector(picture, use_det=True, use_cls=False, use_rec=False)
        except ONNXRuntimeError:
            raise OcrError("the networks of rapidocr failed on a picture") from None

    def _load_detector(self) -> Any:
        from rapidocr import RapidOCR

        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
        onnx = "EngineConfig.onnxruntime"
        return RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_cls": False,
                "Global.max_side_len": 8000,
                "Det.max_candidates": 4000,
                "Det.model_path": str(self._folder / _DETECTOR),
                f"{onnx}.intra_op_num_threads": self._threads,
                f"{onnx}.inter_op_num_threads": 1,
                f"{onnx}.use_cuda": self._cuda,
            }
        )


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise OcrTimeoutError
