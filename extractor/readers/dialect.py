"""Which character parts the fields of a delimited text, if any does."""

from __future__ import annotations

import csv
import re
from collections import Counter

DELIMITERS = ("\t", ",", ";", "|")
_ROWS = 200


def find_delimiter(sample: str) -> str | None:
    """The delimiter of a table of values, or None for anything that may be prose.

    ``sample`` is the start of a text, cut at a line end. Conservative: nearly
    all records (19 of 20) must have the same number of fields, at least two;
    commas and semicolons must not be those of sentences: mostly no space after
    them, or short fields throughout. Two columns by comma need four records.
    """
    lines = [line for line in sample.splitlines() if line.strip()]
    if len(lines) < 2 or any(line.lstrip().startswith("|") for line in lines[:3]):
        return None
    best: tuple[float, int, str] | None = None
    for delimiter in DELIMITERS:
        records = _records(sample, delimiter)
        if len(records) < 2:
            continue
        counts = Counter(len(record) for record in records)
        columns, common = counts.most_common(1)[0]
        share = common / len(records)
        if columns < 2 or share < 0.95 or len(records[0]) < 2:
            continue
        if delimiter in ",;" and not _looks_tabular(sample, delimiter, records, columns):
            continue
        found = (share, columns, delimiter)
        if best is None or found[:2] > best[:2]:
            best = found
    return best[2] if best else None


def _records(sample: str, delimiter: str) -> list[list[str]]:
    found: list[list[str]] = []
    try:
        for record in csv.reader(
            sample.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True
        ):
            if any(field.strip() for field in record):
                found.append(record)
            if len(found) >= _ROWS:
                break
    except csv.Error:
        return []
    return found


def _looks_tabular(sample: str, delimiter: str, records: list[list[str]], columns: int) -> bool:
    if columns == 2 and len(records) < 4:
        return False
    fields = [field.strip() for record in records for field in record]
    words = [len(field.split()) for field in fields if field]
    if not words:
        return False
    quoted = '"' in sample
    sample = re.sub(r'"[^"\n]*"', '""', sample)  # what stands in quotes is not parted
    spaces = sample.count(delimiter + " ") - sample.count(delimiter + ' "')  # a space before a quote is style
    spaced = spaces / max(1, sample.count(delimiter))
    mean = sum(words) / len(words)
    if columns == 2:  # "Dear Ann,\nthank you, ..." has two fields a line as well
        return spaced < 0.1 and mean <= 4 and all(map(all, records))
    return spaced < 0.2 or (mean <= 4 and len(records) >= 3) or (quoted and spaced < 0.5)
