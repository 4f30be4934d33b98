"""Lines of plain text to blocks: words stay verbatim, blocks lie over them.

Blank lines part paragraphs; ``#`` lines (in Markdown) and short title lines are
headings; ``Name: value`` lines are key-values; list items and Markdown tables
stand alone.
"""

from __future__ import annotations

import re

from extractor.document import Block, BlockKind, Cell, Page, Table, Word

_WORDS = re.compile(r"(\s*)(\S+)")
_ITEM = re.compile(r"(?:[-*+•\u2013]|\d{1,3}[.)]|\[[ xX]\])$")
_KEY = re.compile(r"[^\W\d_][^:|]{0,48}:(?= |\t)")
_RULE = re.compile(r"[-=*_~#|:+\s]+")
_HEADING_WORDS = 9


def text_page(text: str, *, page_no: int, markdown: bool) -> Page:
    r"""One page whose text is ``text``, which has no form feed and ``\n`` as line end."""
    words: list[Word] = []
    lines: list[tuple[int, int]] = []  # word range of each line that has words
    blank_before: set[int] = set()  # lines (by their place in the list) after a blank line
    end = 0
    first = 0
    for part in _WORDS.finditer(text):
        space, word = part.groups()
        end = part.end()
        if words and "\n" in space:
            lines.append((first, len(words)))
            first = len(words)
            if space.count("\n") > 1:
                blank_before.add(len(lines))
        words.append(Word(text=word, before=space))
    if words:
        lines.append((first, len(words)))
    blocks, tables = _Blocks(words, lines, blank_before, markdown=markdown).build()
    return Page(
        page_no=page_no, words=tuple(words), blocks=tuple(blocks), tables=tuple(tables), after=text[end:]
    )


class _Blocks:
    """Divides the lines of a page into blocks that cover every word once."""

    def __init__(
        self, words: list[Word], lines: list[tuple[int, int]], blank_before: set[int], *, markdown: bool
    ) -> None:
        self._words = words
        self._lines = lines
        self._blank_before = blank_before | {0}
        self._markdown = markdown
        self._blocks: list[Block] = []
        self._tables: list[Table] = []

    def build(self) -> tuple[list[Block], list[Table]]:
        line = 0
        while line < len(self._lines):
            line = self._block_at(line)
        return self._blocks, self._tables

    def _block_at(self, line: int) -> int:
        """Add the block that starts at ``line``; the line after it."""
        if self._markdown and self._is_table_row(line):
            last = line + 1
            while last < len(self._lines) and last not in self._blank_before and self._is_table_row(last):
                last += 1
            if last - line >= 2 and _RULE.fullmatch(self._line_text(line + 1)):
                self._add_table(line, last)
                return last
        kind = self._kind(line)
        last = line + 1
        if kind == "paragraph":
            while last < len(self._lines) and last not in self._blank_before and self._joins(last):
                last += 1
        self._blocks.append(Block(kind=kind, first=self._lines[line][0], last=self._lines[last - 1][1]))
        return last

    def _joins(self, line: int) -> bool:
        """Whether a line without a blank line before it goes on with the paragraph above."""
        first, _ = self._lines[line]
        return not _ITEM.match(self._words[first].text) and self._kind(line) == "paragraph"

    def _kind(self, line: int) -> BlockKind:
        first, last = self._lines[line]
        count = last - first
        opening = self._words[first].text
        if self._markdown and opening.strip("#") == "" and len(opening) <= 6 and count > 1:
            return "heading"
        if count > 24 or _ITEM.match(opening):
            return "paragraph"
        text = self._line_text(line)
        if _RULE.fullmatch(text):
            return "paragraph"
        key = _KEY.match(text)
        if key and len(key.group().split()) <= 5:
            return "key_value"
        if line in self._blank_before and count <= _HEADING_WORDS and _is_title(text):
            return "heading"
        return "paragraph"

    def _line_text(self, line: int) -> str:
        first, last = self._lines[line]
        head = self._words[first].text
        return head + "".join(
            [part for word in self._words[first + 1 : last] for part in (word.before, word.text)]
        )

    def _is_table_row(self, line: int) -> bool:
        first, last = self._lines[line]
        return (last - first > 1 and self._words[first].text == "|" == self._words[last - 1].text) or (
            self._words[first].text.startswith("|") and bool(_RULE.fullmatch(self._line_text(line)))
        )

    def _add_table(self, line: int, last: int) -> None:
        """A pipe table whose pipes stand free; the pipes are words of the block but of no cell."""
        rows: list[list[tuple[int, int]]] = []
        for number in range(line, last):
            if number == line + 1:
                continue
            first, end = self._lines[number]
            row: list[tuple[int, int]] = []
            start = first + 1
            for index in range(first + 1, end):
                if self._words[index].text == "|":
                    row.append((start, index))
                    start = index + 1
            rows.append(row)
        table_no = len(self._tables) + 1
        cells = tuple(
            Cell(row_no=row_no, column_no=column_no, first=start, last=end, header=row_no == 1)
            for row_no, row in enumerate(rows, start=1)
            for column_no, (start, end) in enumerate(row, start=1)
        )
        self._tables.append(
            Table(
                table_no=table_no,
                row_count=len(rows),
                column_count=max(len(row) for row in rows),
                cells=cells,
                header_row_count=1,
            )
        )
        self._blocks.append(
            Block(kind="table", first=self._lines[line][0], last=self._lines[last - 1][1], table_no=table_no)
        )


def _is_title(text: str) -> bool:
    """A short line that names what follows: in capitals, in title case, bold, or ending in a colon."""
    if len(text) > 80 or not any(map(str.isalpha, text)):
        return False
    if text.startswith("**") and text.endswith("**"):
        return True
    if text.endswith(":"):
        return True
    if text[-1] in ".,;!?" or not text[0].isalnum():
        return False
    names = [word for word in text.split() if any(map(str.isalpha, word)) and len(word) > 3]
    return text.isupper() or (bool(names) and all(word[0].isupper() or word[0].isdigit() for word in names))
