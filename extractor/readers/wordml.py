"""The text of WordprocessingML paragraphs, as Word prints it (ECMA-376 part 1, section 17).

Inserted text is kept, deleted and moved-away text left out, and so is hidden
text. Check boxes read ``[x]`` or ``[ ]``. Field codes are not text, their
results are. Superscript digits become superscript characters. Numbers and
bullets of lists are made by Word and are not in the file: they are not text.
"""

# ruff: noqa: RUF001 - the Greek letters and signs of the Symbol font
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from extractor.readers.container import local_name
from extractor.readers.markup import superscript

PAGE_BREAK_MARK = "\f"
_SKIPPED = {
    "pPr", "rPr", "del", "moveFrom", "delText", "instrText", "delInstrText", "sdtPr", "sdtEndPr", "annotationRef",
    "commentReference", "footnoteRef", "endnoteRef", "rt", "proofErr", "bookmarkStart", "bookmarkEnd",
}  # fmt: skip
_OFF = {"0", "false", "off", "none"}
_TICKED = {0x52, 0x53, 0xFD, 0xFE, 0x54, 0x78}  # Wingdings and Wingdings 2: boxes with a tick or cross
_UNTICKED = {0x6F, 0x70, 0x71, 0x72, 0xA8, 0x2A, 0xA3, 0x30}
_SYMBOL = {  # the Symbol font's own code points -> what they print
    0x61: "α", 0x62: "β", 0x63: "χ", 0x64: "δ", 0x65: "ε", 0x66: "φ", 0x67: "γ", 0x68: "η", 0x6B: "κ", 0x6C: "λ",
    0x6D: "µ", 0x70: "π", 0x71: "θ", 0x72: "ρ", 0x73: "σ", 0x74: "τ", 0x77: "ω", 0x44: "Δ", 0x53: "Σ", 0x57: "Ω",
    0xA2: "′", 0xA3: "≤", 0xA5: "∞", 0xAE: "→", 0xAC: "←", 0xAD: "↑", 0xAF: "↓", 0xB0: "°", 0xB1: "±", 0xB2: "″",
    0xB3: "≥", 0xB4: "×", 0xB7: "•", 0xB8: "÷", 0xB9: "≠", 0xBB: "≈", 0xD6: "√", 0xE2: "®", 0xE4: "™", 0xE3: "©",
    0xD2: "®", 0xD3: "©", 0xD4: "™",
}  # fmt: skip


@dataclass(slots=True)
class Inline:
    """What a paragraph holds besides its text: notes it refers to, and text boxes anchored in it."""

    pieces: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)  # ("footnote" or "endnote", id)
    boxes: list[etree._Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text, with a form feed where Word starts a new page."""
        return "".join(self.pieces)


def value_of(element: etree._Element | None, name: str = "val") -> str | None:
    """An attribute by its local name, whatever its namespace."""
    if element is None:
        return None
    for key, value in element.attrib.items():
        if str(key).rpartition("}")[2] == name:
            return str(value)
    return None


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first descendant along a path of local names."""
    for name in path:
        if element is None:
            return None
        element = next((part for part in element if local_name(part) == name), None)
    return element


def is_on(element: etree._Element | None) -> bool:
    """Whether an on/off property is there and not switched off."""
    return element is not None and (value_of(element) or "1").lower() not in _OFF


def read_inline(paragraph: etree._Element) -> Inline:
    """The text of a paragraph and what hangs on it."""
    inline = Inline()
    _children(paragraph, inline)
    return inline


def _children(element: etree._Element, inline: Inline) -> None:
    for part in element:
        _part(part, inline)


def _part(part: etree._Element, inline: Inline) -> None:
    name = local_name(part)
    if name in _SKIPPED or not name:
        return
    if name == "r":
        _run(part, inline)
    elif name == "sdt":
        box = _check_box(part)
        if box is not None:
            inline.pieces.append(box)
        else:
            content = child(part, "sdtContent")
            if content is not None:
                _children(content, inline)
    elif name == "AlternateContent":
        _children(alternative(part), inline)
    elif name in ("drawing", "pict", "object"):
        inline.boxes.extend(_text_boxes(part))
    elif name in ("t", "oMath", "oMathPara"):
        inline.pieces.append("".join(text for text in _texts(part)))
    else:  # ins, moveTo, hyperlink, smartTag, fldSimple, ruby, customXml ...
        _children(part, inline)


def _run(run: etree._Element, inline: Inline) -> None:
    properties = child(run, "rPr")
    if is_on(child(properties, "vanish")):
        return
    raised = value_of(child(properties, "vertAlign")) == "superscript"
    for part in run:
        name = local_name(part)
        if name == "t":
            text = part.text or ""
            inline.pieces.append(superscript(text) if raised else text)
        elif name == "tab":
            inline.pieces.append("\t")
        elif name == "br":
            inline.pieces.append(PAGE_BREAK_MARK if value_of(part, "type") == "page" else "\n")
        elif name == "cr":
            inline.pieces.append("\n")
        elif name == "lastRenderedPageBreak":
            inline.pieces.append(PAGE_BREAK_MARK)
        elif name == "noBreakHyphen":
            inline.pieces.append("-")
        elif name == "sym":
            inline.pieces.append(_symbol(part))
        elif name in ("footnoteReference", "endnoteReference"):
            inline.notes.append((name[: -len("Reference")], value_of(part, "id") or ""))
        elif name == "fldChar":
            inline.pieces.append(_form_field(part))
        elif name not in ("softHyphen", "separator", "continuationSeparator", "pgNum"):
            _part(part, inline)


def _texts(element: etree._Element) -> Iterator[str]:
    return (part.text or "" for part in element.iter() if local_name(part) == "t")


def _check_box(control: etree._Element) -> str | None:
    """``[x]`` or ``[ ]`` for a check box content control; None for other controls."""
    box = child(control, "sdtPr", "checkbox")
    if box is None:
        return None
    return "[x]" if is_on(child(box, "checked")) else "[ ]"


def _form_field(part: etree._Element) -> str:
    """A legacy form field's check box or chosen list entry; its typed text stands in runs."""
    data = child(part, "ffData")
    box = child(data, "checkBox")
    if box is not None:
        state = child(box, "checked")
        return "[x]" if is_on(state if state is not None else child(box, "default")) else "[ ]"
    choices = child(data, "ddList")
    if choices is None:
        return ""
    entries = [value_of(entry) or "" for entry in choices if local_name(entry) == "listEntry"]
    chosen = value_of(child(choices, "result")) or value_of(child(choices, "default")) or "0"
    index = int(chosen) if chosen.isdecimal() and len(chosen) < 5 else 0
    return entries[index] if index < len(entries) else ""


def _symbol(part: etree._Element) -> str:
    font = (value_of(part, "font") or "").lower()
    try:
        code = int(value_of(part, "char") or "", 16)
    except ValueError:
        return ""
    low = code & 0xFF
    if font.startswith("wingdings"):
        return "[x]" if low in _TICKED else "[ ]" if low in _UNTICKED else "•"
    if font == "symbol" and low in _SYMBOL:
        return _SYMBOL[low]
    if 0xF020 <= code <= 0xF07E:
        return chr(low)
    return chr(code) if 0 < code < 0xD800 or 0xE000 <= code < 0x110000 else ""


def alternative(element: etree._Element) -> etree._Element:
    """The choice that Word would show; the fallback only where no choice has text."""
    choice = child(element, "Choice")
    fallback = child(element, "Fallback")
    if choice is not None and (fallback is None or any(True for _ in _texts(choice))):
        return choice
    return fallback if fallback is not None else element


def _text_boxes(element: etree._Element) -> Iterator[etree._Element]:
    """The outermost text boxes of a drawing, each once."""
    stack = list(reversed(element))
    while stack:
        part = stack.pop()
        name = local_name(part)
        if name == "txbxContent":
            yield part
        elif name == "AlternateContent":
            stack.extend(reversed(alternative(part)))
        else:
            stack.extend(reversed(part))
