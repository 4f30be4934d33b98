"""Denials that a form gives beside a finding: "no" in the next cell, a cross under the heading "No"."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from extractor.document import Document, Page, Table
from extractor.spans import Span

_NO = re.compile(
    r"(?:no|none|nil|n|negative|neg\.?|absent|denied|denies|not (?:present|seen|detected|reported|found)|"
    r"\(-\)|[-\u2212\u2013]|never)\.?",
    re.IGNORECASE,
)
_NO_HEADER = re.compile(r"(?:no|none|negative|neg\.?|absent|denies|denied)", re.IGNORECASE)
_MARK = re.compile(r"[xX\u2713\u2714\u2611\u2612\u2717\u2718\u25cf\u25a0]|\[[xX]\]|yes", re.IGNORECASE)
_TABBED = re.compile(r"[ \t]*\t[ \t]*([^\t\n\f]*)")


def denied_in_tables(document: Document, spans: Sequence[Span]) -> frozenset[Span]:
    """Those of ``spans`` that their row answers with no. ``spans`` are sorted by start."""
    denied: set[Span] = set()
    base = 0
    starts = [span.start for span in spans]
    inside_tables: set[Span] = set()
    for page in document.pages:
        for table in page.tables:
            _look(document, page, table, base, spans, starts, denied, inside_tables)
        base += len(page.words)
    for span in spans:
        if span not in inside_tables and _tabbed_no(document.text, span):
            denied.add(span)
    return frozenset(denied)


def _look(
    document: Document,
    page: Page,
    table: Table,
    base: int,
    spans: Sequence[Span],
    starts: Sequence[int],
    denied: set[Span],
    seen: set[Span],
) -> None:
    rows: dict[int, list[tuple[int, str, list[Span]]]] = {}
    for cell in table.cells:
        if cell.first == cell.last:
            continue
        start = document.word_starts[base + cell.first]
        end = document.word_starts[base + cell.last - 1] + len(page.words[cell.last - 1].text)
        first = bisect_left(starts, start)
        held = []
        while first < len(spans) and spans[first].start < end:
            held.append(spans[first])
            first += 1
        rows.setdefault(cell.row_no, []).append((cell.column_no, document.text[start:end].strip(), held))
        seen.update(held)
    header = {column: text for column, text, _ in rows.get(1, [])}
    for cells in rows.values():
        mentions = [(column, span) for column, _, held in cells for span in held]
        if not mentions:
            continue
        last = max(column for column, _ in mentions)
        answers = [
            _NO.fullmatch(text) is not None
            if _MARK.fullmatch(text) is None
            else _NO_HEADER.fullmatch(header.get(column, "")) is not None
            for column, text, held in cells
            if column > last and not held and text
        ]
        if answers and answers[0]:
            denied.update(span for _, span in mentions)


def _tabbed_no(text: str, span: Span) -> bool:
    """Whether a tab follows the mention and "no" stands behind it: a table that the reader did not see as one."""
    found = _TABBED.match(text, span.end)
    return found is not None and _NO.fullmatch(found[1].strip()) is not None
