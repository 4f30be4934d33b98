"""Filled form fields and their values, whether or not the file draws them.

A field's own appearance is part of the page's text when the file carries one.
Values without an appearance, and the state of check boxes and radio buttons
(drawn as glyphs of symbol fonts), become words at the field's place.
"""

from __future__ import annotations

from typing import Any

from extractor.readers.pdf_words import SpotWord

CHECKED = "[x]"
UNCHECKED = "[ ]"

_CHECK_BOX = 2
_RADIO_BUTTON = 5
_TEXT_LIKE = (3, 4, 7)  # combo box, list box, text
_NOT_SHOWN = (1, 3)  # MuPDF's display states "hidden" and "not on screen"


def add_fields(page: Any, words: list[SpotWord]) -> tuple[list[SpotWord], dict[int, int]]:
    """``words`` with the values of the page's form fields, in coordinates of the unrotated page.

    Comes with the new index of each given word that was kept.

    A text or choice field whose value is among the words inside its rectangle
    is drawn already and adds nothing. The words of a check box or radio button
    are the glyph of its tick: ``[x]`` or ``[ ]`` stands for them. The order of
    the given words is kept; new ones follow.
    """
    added: list[SpotWord] = []
    ticks: list[tuple[float, float, float, float]] = []
    for widget in page.widgets():
        rect = widget.rect
        if rect.is_empty or rect.is_infinite or widget.field_display in _NOT_SHOWN:
            continue
        box = (float(rect.x0), float(rect.y0), float(rect.x1), float(rect.y1))
        kind = widget.field_type
        if kind in (_CHECK_BOX, _RADIO_BUTTON):
            ticks.append(box)
            added.append((*box, CHECKED if _is_on(page.parent, widget) else UNCHECKED))
        elif kind in _TEXT_LIKE:
            added.extend(_value_words(widget, box, words))
    kept = [index for index, word in enumerate(words) if not any(_holds(box, word) for box in ticks)]
    return [words[index] for index in kept] + added, {index: new for new, index in enumerate(kept)}


def _is_on(document: Any, widget: Any) -> bool:
    """Whether the shown state is not "Off"; the field's value decides where no state is kept."""
    kind, state = document.xref_get_key(widget.xref, "AS")
    if kind == "name":
        return bool(state != "/Off")
    value = widget.field_value
    return value is True or (isinstance(value, str) and value not in ("", "Off"))


def _holds(box: tuple[float, float, float, float], word: SpotWord) -> bool:
    x = (word[0] + word[2]) / 2
    y = (word[1] + word[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _value_words(
    widget: Any, box: tuple[float, float, float, float], words: list[SpotWord]
) -> list[SpotWord]:
    value = widget.field_value
    if isinstance(value, (list, tuple)):
        value = "\n".join(str(item) for item in value)
    lines = [line.split() for line in str(value or "").splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        return []
    shown = "".join(word[4] for word in words if _holds(box, word))
    if shown and (shown in "".join("".join(line) for line in lines) or "".join(lines[0]) in shown):
        return []
    x0, y0, x1, y1 = box
    line_height = min((y1 - y0) / len(lines), 12.0)
    top = (y0 + y1 - line_height) / 2 if len(lines) == 1 else y0
    placed: list[SpotWord] = []
    for number, line in enumerate(lines):
        length = sum(len(text) + 1 for text in line) - 1
        step = min((x1 - x0) / max(length, 1), 0.5 * line_height)
        x = x0
        y = top + number * line_height
        for text in line:
            placed.append((x, y, x + step * len(text), y + line_height, text))
            x += step * (len(text) + 1)
    return placed
