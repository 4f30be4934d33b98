r"""Plain text and Markdown, verbatim.

The pages' text is the decoded file with ``\n`` as its only line end and NUL as
a space (see :func:`extractor.readers.decoding.plain`); nothing else changes.
Form feeds part pages, so a file that ends in one has an empty last page. The
blocks are those of :mod:`extractor.readers.lines`.
"""

from __future__ import annotations

from collections.abc import Iterator

from extractor.document import PAGE_BREAK, Page
from extractor.errors import EmptyInputError
from extractor.ports import Reading, ReadLimits
from extractor.readers.decoding import decode_text, plain
from extractor.readers.flow import FlowReading, check_expanded, check_pages
from extractor.readers.lines import text_page


class TextReader:
    """Reads ``text/plain`` and ``text/markdown``."""

    def open(self, content: bytes, *, media_type: str, limits: ReadLimits) -> Reading:
        check_expanded(len(content), limits)
        text = plain(decode_text(content))
        if not text.strip():
            raise EmptyInputError("the text holds white space only")
        page_count = text.count(PAGE_BREAK) + 1
        check_pages(page_count, limits)
        markdown = media_type == "text/markdown"

        def pages() -> Iterator[Page]:
            start = 0
            for page_no in range(1, page_count + 1):
                end = text.find(PAGE_BREAK, start)
                end = len(text) if end < 0 else end
                yield text_page(text[start:end], page_no=page_no, markdown=markdown)
                start = end + 1

        return FlowReading(media_type=media_type, page_count=page_count, make_pages=pages)
