"""Plain text as a document, code point for code point."""

from __future__ import annotations

import hashlib

from extractor.document import PAGE_BREAK, Document
from extractor.errors import InputError
from extractor.readers.lines import text_page


def text_document(text: str) -> Document:
    r"""A flowing document whose ``text`` is ``text`` exactly; form feeds part its pages.

    Blocks are those of plain text. Nothing is cleaned: ``\r``, NUL and leading
    white space stay, because annotations count them.

    Raises:
        InputError: the text cannot be represented (a lone surrogate).
    """
    try:
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    except UnicodeEncodeError:
        raise InputError("the text has a lone surrogate, which no store keeps", code="input.gold") from None
    pages = [
        text_page(part, page_no=page_no, markdown=False)
        for page_no, part in enumerate(text.split(PAGE_BREAK), start=1)
    ]
    document = Document.assemble(doc_id=digest, media_type="text/plain", pages=pages)
    if document.text != text:
        raise InputError("the text cannot be represented as a document", code="input.gold", doc_id=digest)
    return document
