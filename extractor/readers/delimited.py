"""CSV and other delimited text: one table, in pages of a few hundred rows.

The delimiter is found by content. The file is read twice, once to count and
once to yield, and never held as rows. A quote that is never closed would
swallow the rest of the file: then quotes are read as plain characters. Blank
rows are kept inside the table and dropped at its end.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from extractor.document import Page
from extractor.errors import CorruptError, EmptyInputError
from extractor.ports import Reading, ReadLimits
from extractor.readers.decoding import BLANK_BYTES, encoding_of
from extractor.readers.dialect import find_delimiter
from extractor.readers.flow import (
    FlowReading,
    check_expanded,
    check_pages,
    grid_pages,
    header_rows,
    rows_per_page,
)

_SAMPLE_BYTES = 65_536
_LONG_FIELD_LINES = 100


class DelimitedReader:
    """Reads ``text/csv``: a page per block of rows, each table going on from the one before."""

    def open(self, content: bytes, *, media_type: str, limits: ReadLimits) -> Reading:
        check_expanded(len(content), limits)
        if not content.strip(BLANK_BYTES):
            raise EmptyInputError("the file holds white space only")
        table = _DelimitedTable(content)
        row_count, column_count, header = table.survey()
        if not row_count:
            raise EmptyInputError("the file holds no value")
        page_rows = rows_per_page(column_count)
        page_count = -(-row_count // page_rows)
        check_pages(page_count, limits)

        def pages() -> Iterator[Page]:
            rows = (row for _, row in zip(range(row_count), table.rows(), strict=False))
            return grid_pages(rows, page_rows=page_rows, column_count=column_count, header_row_count=header)

        return FlowReading(media_type=media_type, page_count=page_count, make_pages=pages)


class _DelimitedTable:
    """The records of a file, as often as asked for."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._codec, self._errors = encoding_of(content)
        sample = content[:_SAMPLE_BYTES]
        if len(content) > _SAMPLE_BYTES and b"\n" in sample:
            sample = sample[: sample.rfind(b"\n") + 1]
        self._delimiter = find_delimiter(sample.decode(self._codec, "replace")) or ","
        self._quotes = True

    def survey(self) -> tuple[int, int, int]:
        """Rows up to the last that has a value, the most columns, and the number of header rows."""
        try:
            return self._survey()
        except csv.Error:
            self._quotes = False
        try:
            return self._survey()
        except csv.Error:
            raise CorruptError("a field longer than any table has") from None

    def rows(self) -> Iterator[list[str]]:
        stream = io.TextIOWrapper(
            io.BytesIO(self._content), encoding=self._codec, errors=self._errors, newline=""
        )
        return csv.reader(
            stream,
            delimiter=self._delimiter,
            quoting=csv.QUOTE_MINIMAL if self._quotes else csv.QUOTE_NONE,
            skipinitialspace=True,
        )

    def _survey(self) -> tuple[int, int, int]:
        last = columns = 0
        start: list[list[str]] = []
        for row_no, row in enumerate(self.rows(), start=1):
            if any(field and not field.isspace() for field in row):
                last = row_no
                columns = max(columns, len(row))
                if self._quotes and any(field.count("\n") > _LONG_FIELD_LINES for field in row):
                    raise csv.Error("a quote that is never closed")
            if len(start) < 5:
                start.append(row)
        return last, columns, header_rows(start[:last])
