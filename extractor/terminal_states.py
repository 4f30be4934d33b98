"""What people see of states of the lake: snapshots, and what differs between two states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.text import Text

from extractor.preview_marks import printable
from extractor.terminal import print_json
from extractor.terminal_rows import console, print_table, sheet, short

if TYPE_CHECKING:
    from extractor.lake.difference import Difference, RowChange, TableDifference
    from extractor.lake.snapshots import NamedSnapshot

_COUNTS = ("before", "after", "added", "removed", "changed", "remade")


def print_snapshots(found: Sequence[NamedSnapshot], *, as_json: bool) -> None:
    """Snapshots with who made them when, and what they hold; as JSON with the version of every table."""
    if as_json:
        print_json([{**asdict(one), "ledger_version": one.ledger_version} for one in found])
        return
    names = ["snapshot", "created", "by", "documents", "left out", "entities", "ledger version", "note"]
    rows = [
        [
            one.name,
            one.at,
            one.by,
            one.rows.get("documents", 0),
            len(one.hidden),
            one.rows.get("entities", 0),
            one.ledger_version,
            one.note,
        ]
        for one in found
    ]
    print_table(names, rows, whole="--json")


def print_difference(difference: Difference, *, as_json: bool) -> None:
    """What differs, by table and kind of row, which fields changed how often, and the examples there are."""
    if as_json:
        print_json(difference.as_dict())
        return
    target = console()
    view = sheet()
    view.add_column("table")
    view.add_column("kind")
    for name in _COUNTS:
        view.add_column(name, justify="right")
    for table in difference.tables.values():
        view.add_row(table.table, "", *(str(getattr(table.total, name)) for name in _COUNTS))
        for kind, counts in table.kinds.items():
            if kind and (counts.added or counts.removed or counts.changed or counts.remade):
                view.add_row("", Text(printable(kind)), *(str(getattr(counts, name)) for name in _COUNTS))
    target.print(view)
    if difference.is_empty:
        target.print("nothing differs")
    for table in difference.tables.values():
        if table.fields:
            counted = ", ".join(f"{name} {count}" for name, count in table.fields.items())
            target.print(Text(f"{table.table}: fields that differ: {counted}"), soft_wrap=True)
    examples = [change for table in difference.tables.values() for change in table.examples]
    if examples:
        target.print()
        for table in difference.tables.values():
            _print_examples(table)
    if difference.left_out:
        target.print(f"{difference.left_out} documents are left out: a writer was, or is, at them")


def _print_examples(table: TableDifference) -> None:
    rows = [
        [change.act, change.kind, change.key[0] if change.key else "", name, before, after]
        for change in table.examples
        for name, before, after in _lines(change)
    ]
    if rows:
        console().print(Text(table.table, style="bold"))
        print_table(["act", "kind", "row", "field", "before", "after"], rows, whole="--json")


def _lines(change: RowChange) -> Iterable[tuple[str, str, str]]:
    """The fields to show of an example: those that differ, with the words first; of a row that came or went, words."""
    words = [
        name for name in ("text", "source_text") if name in {**(change.before or {}), **(change.after or {})}
    ]
    names = list(dict.fromkeys([*words[:1], *change.fields]))
    for name in names or [""]:
        yield (
            name,
            short((change.before or {}).get(name)),
            short((change.after or {}).get(name)),
        )
