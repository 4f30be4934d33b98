"""Words as engines give them, brought to one form."""

from __future__ import annotations

from extractor.ports import OcrWord


def split_word(text: str, box: tuple[float, float, float, float], confidence: float) -> list[OcrWord]:
    """One word per run without white space; parts of ``box`` (pixels) by the number of characters."""
    x0, y0, x1, y1 = box
    step = (x1 - x0) / max(1, len(text))
    words: list[OcrWord] = []
    at = 0
    for part in text.split():
        start = text.index(part, at)
        at = start + len(part)
        words.append(
            OcrWord(
                text=part,
                x0_px=x0 + start * step,
                y0_px=y0,
                x1_px=x0 + at * step,
                y1_px=y1,
                confidence=confidence,
            )
        )
    return words
