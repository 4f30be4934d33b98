"""Rows on the terminal: a table where it fits, otherwise one block for each row; CSV, JSON and Parquet in full.

Words are never cut in two to squeeze a table in, controls in the text are shown
and not obeyed. Long digests stand with their first twelve characters, which
``extractor show`` takes as well; the machine formats have them whole.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from extractor.errors import ConfigError
from extractor.preview_marks import printable
from extractor.schema import plain

if TYPE_CHECKING:
    import pyarrow as pa

PIPE_WIDTH = 200
"""Characters on a line where nobody says how wide the terminal is."""
SHORT_ID = 12
_DIGEST = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
_GAP = 2
_LONG_WORD = 40


def console(stream: TextIO | None = None) -> Console:
    """A console as wide as the terminal behind the stream, stdout unless named."""
    stream = sys.stdout if stream is None else stream
    width = shutil.get_terminal_size().columns if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False)


def short(value: object) -> str:
    """A value for people: digests shortened, times to the second, numbers without needless zeros."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, list | dict):
        return json.dumps(value, default=plain, ensure_ascii=False)
    text = str(plain(value))
    return text[:SHORT_ID] if _DIGEST.fullmatch(text) else text


def print_rows(rows: pa.Table, *, output: str, file: Path | None = None, whole: str = "--format csv") -> None:
    """Rows as table, csv, json or parquet, on stdout or into a file; ``whole`` is how to get digests in full.

    Raises:
        ConfigError: the file cannot be written.
    """
    if file is None and output != "parquet":
        _write(rows, output, sys.stdout, whole)
        return
    try:
        if output == "parquet":
            import pyarrow.parquet as pq

            pq.write_table(rows, str(file) if file else sys.stdout.buffer)
        elif file is not None:
            with file.open("w", encoding="utf-8", newline="") as stream:
                _write(rows, output, stream, whole)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigError(
            f"the answer cannot be written ({type(error).__name__})",
            hint="You: name another file with --output.",
        ) from None


def _write(rows: pa.Table, output: str, stream: TextIO, whole: str) -> None:
    if output == "json":
        json.dump(rows.to_pylist(), stream, default=plain, ensure_ascii=False, indent=1)
        stream.write("\n")
    elif output == "csv":
        writer = csv.writer(stream)
        writer.writerow(rows.column_names)
        for row in rows.to_pylist():
            writer.writerow([_cell(value) for value in row.values()])
    else:
        print_table(rows.column_names, [list(row.values()) for row in rows.to_pylist()], stream, whole=whole)


def _cell(value: object) -> object:
    if isinstance(value, list | dict):
        return json.dumps(value, default=plain, ensure_ascii=False)
    return "" if value is None else plain(value)


def print_table(
    names: Sequence[str], rows: Sequence[Sequence[object]], stream: TextIO | None = None, *, whole: str = ""
) -> None:
    """Rows and their number; ``whole`` names the option that prints shortened digests in full."""
    target = console(stream)
    cells = [[printable(short(value)) for value in row] for row in rows]
    least = [_longest_word(name, (row[index] for row in cells)) for index, name in enumerate(names)]
    room = target.width - _GAP * (len(names) - 1)
    if sum(least) <= room:
        if cells:
            most = [max([len(name), *(len(row[index]) for row in cells)]) for index, name in enumerate(names)]
            numeric = [_is_number(row[index] for row in rows) for index in range(len(names))]
            target.print(_table(names, cells, _widths(least, most, room), numeric))
    else:
        _print_blocks(names, cells, target)
    count = f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
    shortened = whole and any(
        isinstance(value, str) and _DIGEST.fullmatch(value) for row in rows for value in row
    )
    target.print(
        f"{count}; ids shortened, in full with {whole}" if shortened else count,
        markup=False,
        style="dim",
        soft_wrap=True,
    )


def _table(
    names: Sequence[str], cells: Sequence[Sequence[str]], widths: Sequence[int], numeric: Sequence[bool]
) -> RichTable:
    table = sheet()
    for name, width, is_number in zip(names, widths, numeric, strict=True):
        table.add_column(Text(name), overflow="fold", width=width, justify="right" if is_number else "left")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    return table


def sheet(title: str | None = None) -> RichTable:
    """An empty table in the one style of all lists."""
    return RichTable(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def _print_blocks(names: Sequence[str], cells: Sequence[Sequence[str]], target: Console) -> None:
    """Each row as lines of name and value, empty ones left out."""
    for number, row in enumerate(cells, 1):
        target.print(Text(f"row {number}", style="bold"))
        grid = RichTable.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, cell in zip(names, row, strict=True):
            if cell:
                grid.add_row(Text(f"  {name}"), Text(cell))
        target.print(grid)


def _widths(least: Sequence[int], most: Sequence[int], room: int) -> list[int]:
    """Every column its longest word, and what room is left to the columns that are short of most."""
    widths = list(least)
    for _ in range(room - sum(widths)):
        column = max(range(len(widths)), key=lambda index: most[index] / widths[index])
        if widths[column] >= most[column]:
            break
        widths[column] += 1
    return widths


def _longest_word(name: str, cells: Iterable[str]) -> int:
    words = (len(word) for cell in cells for word in cell.split())
    return max(len(name), min(_LONG_WORD, max(words, default=1)))


def _is_number(values: Iterable[object]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in known
    )
