"""HTML: what a browser would show, as blocks and tables; nothing is fetched.

The page's ``<title>`` is not on the page and left out.
"""

from __future__ import annotations

from extractor.errors import EmptyInputError
from extractor.ports import Reading, ReadLimits
from extractor.readers.decoding import BLANK_BYTES
from extractor.readers.flow import FlowBuilder, FlowReading, check_expanded
from extractor.readers.markup import add_html, html_text


class HtmlReader:
    """Reads ``text/html``: one page."""

    def open(self, content: bytes, *, media_type: str, limits: ReadLimits) -> Reading:
        check_expanded(len(content), limits)
        if not content.strip(BLANK_BYTES):
            raise EmptyInputError("the file holds white space only")
        builder = FlowBuilder(1)
        add_html(html_text(content), builder)
        page = builder.page()
        return FlowReading(media_type=media_type, page_count=1, make_pages=lambda: (page,))
