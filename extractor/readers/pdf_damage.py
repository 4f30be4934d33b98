"""Whether part of a page's text was lost on the way out of the file, told by what MuPDF complained about.

MuPDF reads on after an error and says so in a warning only. Measured on
content streams damaged on purpose (truncated, or with one byte changed): a
stream that ends early always loses words, nine of ten with a wrong checksum
have other words, and so have half of those with a syntax error; without a
warning at most one word differs.
"""

from __future__ import annotations

import re
from typing import Any

from extractor.readers.pdf_page import mupdf, mupdf_errors
from extractor.readers.pdf_repair import REFERENCE, key_of, object_of

_TORN = re.compile(
    r"padding truncated image|premature end of file in jpeg|zlib error|openjpeg error|jbig2|faxd",
    re.IGNORECASE,
)
_OBJECT = re.compile(rb"(\d+)\s+\d+\s+obj\b")
_HEAD_BYTES = 4096
_SYNTAX = ("encountered syntax errors", "too many syntax errors")
_SYNTAX_ERROR = re.compile(r"^syntax error: (.*)$", re.MULTILINE)
_HARMLESS = re.compile(r"colou?r ?space|ICC|shading|pattern", re.IGNORECASE)
_UNPACKING = re.compile(
    r"premature end of data|zlib error|incorrect data check|in (?:flate|lzw|a85|ahx|runlength) ?decode"
    r"|(?:flate|lzw|ascii85|a85|ahx|rl) filter",
    re.IGNORECASE,
)


def warnings() -> str:
    """What MuPDF warned of since the last call. It may quote the document: look at it, never pass it on."""
    found: str = mupdf().TOOLS.mupdf_warnings()  # this forgets them as well
    return found


def cut_stream(content: bytes) -> int | None:
    """The object whose stream the end of the file cuts off, if it does: its rest is missing unsaid."""
    start = end = len(content)
    while (start := content.rfind(b"stream", 0, start)) >= 0 and content[max(0, start - 3) : start] == b"end":
        end = start
    if end < len(content) or start < 0:
        return None
    head = _OBJECT.findall(content[max(0, start - _HEAD_BYTES) : start])
    return int(head[-1]) if head else None


def is_content_lost(document: Any, page: Any, cut: int | None) -> bool:
    """Whether drawing instructions that the page names are not in the file, or only the start of them.

    ``cut`` is the object that :func:`cut_stream` found.
    """
    kind, value = document.xref_get_key(page.xref, "Contents")
    if kind == "xref" and not document.xref_is_stream(int(value.split()[0])):
        kind, value = "array", document.xref_object(int(value.split()[0]))
        if not value.startswith("["):
            return True
    if kind == "array" and not all(document.xref_is_stream(int(xref)) for xref in REFERENCE.findall(value)):
        return True
    return cut is not None and cut in [*_drawing_streams(page), *(item[0] for item in page.get_images())]


def is_resource_lost(document: Any, page: Any) -> bool:
    """Whether the page names a font, picture or drawing that is not in the file.

    A font is lost, too, where that is which gives its glyphs their characters.
    """
    fonts = _references(document, page.xref, "Resources/Font")
    if any(
        object_of(document, xref) == "null"
        for xref in [*fonts, *_references(document, page.xref, "Resources/XObject")]
    ):
        return True
    for font in fonts:
        for key in ("Encoding", "ToUnicode", "DescendantFonts"):
            kind, value = key_of(document, font, key)
            if kind in ("xref", "array") and any(
                object_of(document, int(xref)) == "null" for xref in REFERENCE.findall(value)
            ):
                return True
    return False


def _references(document: Any, xref: int, key: str) -> list[int]:
    """The objects that a dictionary under ``key`` refers to."""
    kind, value = key_of(document, xref, key)
    if kind == "xref":
        value = object_of(document, int(value.split()[0]))
    return [int(found) for found in REFERENCE.findall(value)]


def is_picture_torn(warned: str) -> bool:
    """Whether ``warned``, said while a page was drawn, means that part of a picture is missing or wrong."""
    return bool(_TORN.search(warned))


def _drawing_streams(page: Any) -> list[int]:
    return [*page.get_contents(), *(item[0] for item in page.get_xobjects())]


def is_part_lost(document: Any, page: Any, warned: str) -> bool:
    """Whether ``warned``, said while ``page`` was read, means that words may be missing or wrong.

    Damaged pictures and colours do not count: they hold no words of the text layer.
    """
    if not warned:
        return False
    if any(sign in warned for sign in _SYNTAX):
        errors = _SYNTAX_ERROR.findall(warned)
        if not errors or not all(_HARMLESS.search(error) for error in errors):
            return True
    return bool(_UNPACKING.search(warned)) and _is_stream_damaged(document, page)


def _is_stream_damaged(document: Any, page: Any) -> bool:
    """Whether a stream with drawing instructions of the page, rather than a picture or a font, is damaged."""
    try:
        xrefs = _drawing_streams(page)
    except mupdf_errors():
        return True
    warnings()
    for xref in xrefs:
        try:
            if not document.xref_stream_raw(xref):
                continue  # nothing was packed
            document.xref_stream(xref)
        except mupdf_errors():
            return True
        if _UNPACKING.search(warnings()):
            return True
    return False
