"""Documents made for the extractor tests."""

from __future__ import annotations

import re

from extractor.document import Block, Cell, Document, Page, Table, Word


def document(text: str) -> Document:
    """A flowing document with this text, form feeds as page breaks."""
    pages = []
    for number, page_text in enumerate(text.split("\f"), start=1):
        words, end = [], 0
        for found in re.finditer(r"\S+", page_text):
            words.append(Word(text=found.group(), before=page_text[end : found.start()]))
            end = found.end()
        pages.append(Page(page_no=number, words=tuple(words), after=page_text[end:] if words else ""))
    return Document.assemble(doc_id="0" * 64, media_type="text/plain", pages=pages)


def table(*rows: tuple[str, ...]) -> Document:
    """A document of one table; words of a cell are parted by what the cell text has between them."""
    words: list[Word] = []
    cells = []
    for row_no, row in enumerate(rows, start=1):
        for column_no, cell_text in enumerate(row, start=1):
            first, end = len(words), 0
            for found in re.finditer(r"\S+", cell_text):
                before = cell_text[end : found.start()]
                if len(words) == first and words:
                    before = "\n" if column_no == 1 else "\t"
                words.append(Word(text=found.group(), before=before))
                end = found.end()
            cells.append(Cell(row_no=row_no, column_no=column_no, first=first, last=len(words)))
    made = Table(table_no=1, row_count=len(rows), column_count=len(rows[0]), cells=tuple(cells))
    block = Block(kind="table", first=0, last=len(words), table_no=1)
    page = Page(page_no=1, words=tuple(words), blocks=(block,), tables=(made,))
    return Document.assemble(doc_id="1" * 64, media_type="text/plain", pages=[page])


def found(extractor, doc, label=None):
    """What an extractor finds: (quoted text, label, normalised)."""
    return [
        (entity.span.of(doc.text), entity.label, entity.normalised)
        for entity in extractor.entities(doc)
        if label is None or entity.label == label
    ]
