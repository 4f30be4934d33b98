"""The PP-OCR network that reads pictures of single lines, on onnxruntime alone.

The rapidocr package wraps the same network in a pipeline whose modules take half
a second to import and which pads every picture to 320 pixels; strips of one or
two words come by the dozen per page. Input and decoding are those of PaddleOCR
(Du et al., "PP-OCR: A practical ultra lightweight OCR system", 2020): three equal
channels, 48 pixels high, from -1 to 1; the best class of each column,
repetitions and blanks left out (Graves et al., "Connectionist temporal
classification", 2006).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extractor.errors import MissingToolError, OcrError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from extractor.ports import Image

_HEIGHT_PX = 48
_LEAST_WIDTH_PX = 128
"""Shorter lines are padded to this. PaddleOCR's 320 cost 1.8 times the time on single words and read no more of them:
93.1 against 93.0 % of 1,232 words cut from drawn pages."""

_MOST_WIDTH_PX = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class LineText:
    """``text`` of a line; for each of its characters the centre in pixels of the line, and the confidence 0..1.

    ``column_px`` is how far two columns of the network's output are apart.
    """

    text: str
    centres_px: Sequence[float]
    confidences: Sequence[float]
    column_px: float


class LineNetwork:
    """One session of the network in ``model``, with ``threads`` threads, on ``cuda`` if so wanted.

    Raises:
        MissingToolError: onnxruntime cannot load it, or it does not say which characters it knows.
    """

    def __init__(self, model: Path, *, cuda: bool = False, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.enable_cpu_mem_arena = False  # an arena would keep the room of the longest line for good
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        providers = ["CUDAExecutionProvider"] if cuda else []
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(model), sess_options=options, providers=[*providers, "CPUExecutionProvider"]
            )
            known = self._session.get_modelmeta().custom_metadata_map["character"]
        except _failures(KeyError) as exc:
            raise MissingToolError(f"onnxruntime cannot load {model.name}", code="tool.model") from exc
        self._signs = ["", *known.splitlines(), " "]
        self._input: str = self._session.get_inputs()[0].name

    def read(self, line: Image) -> LineText:
        """The text of a picture, grey or RGB, that holds one line.

        Raises:
            OcrError: the network failed.
        """
        import numpy as np

        picture, width_px = _as_input(line)
        try:
            found = self._session.run(None, {self._input: picture})[0][0]
        except _failures():
            raise OcrError("the line network failed on a picture") from None
        classes = found.argmax(axis=1)
        chosen = classes != 0
        chosen[1:] &= classes[1:] != classes[:-1]
        columns = np.flatnonzero(chosen)
        # Columns share the padded input evenly; the line itself is its left part.
        column_px = picture.shape[3] / len(classes) * line.shape[1] / width_px
        return LineText(
            text="".join(self._signs[index] for index in classes[columns]),
            centres_px=((columns + 0.5) * column_px).tolist(),
            confidences=np.clip(found[columns, classes[columns]], 0.0, 1.0).tolist(),
            column_px=column_px,
        )


def _failures(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """What onnxruntime raises (a class for each status, without a common one of its own), and ``more``."""
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    kinds = [kind for kind in vars(states).values() if isinstance(kind, type)]
    return (*more, RuntimeError, *(kind for kind in kinds if issubclass(kind, Exception)))


def _as_input(line: Image) -> tuple[Any, int]:
    """The picture as the network takes it (1 x 3 x height x width), and the width without its padding."""
    import cv2
    import numpy as np

    colour = cv2.cvtColor(line, cv2.COLOR_GRAY2BGR) if line.ndim == 2 else line[:, :, ::-1]
    width_px = min(max(1, -(-_HEIGHT_PX * line.shape[1] // line.shape[0])), _MOST_WIDTH_PX)
    scaled = cv2.resize(np.ascontiguousarray(colour), (width_px, _HEIGHT_PX)).astype(np.float32)
    picture = np.zeros((1, 3, _HEIGHT_PX, max(width_px, _LEAST_WIDTH_PX)), np.float32)
    picture[0, :, :, :width_px] = scaled.transpose(2, 0, 1) / 127.5 - 1.0
    return picture, width_px
