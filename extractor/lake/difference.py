"""A difference between two states, as it is told: counts by table and kind of row, fields, examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

ACTS = ("added", "removed", "changed", "remade")
"""What can become of a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows of one kind: there before, there after, and what became of them.

    ``changed`` rows differ in what they say; ``remade`` ones only in who made them.
    """

    before: int = 0
    after: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    remade: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            **{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """One row before and after, as a principal may see it: ``act`` is added, removed, changed or remade.

    ``before`` and ``after`` hold what tells the row and the changed fields (all fields of a row that came or
    went), without boxes, words and layout; long texts are cut.
    """

    act: str
    kind: str
    key: tuple[str, ...]
    doc_id: str | None
    fields: tuple[str, ...]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDifference:
    """What differs in one table, by kind of row (entity type, relation type, refusal code; "" in others)."""

    table: str
    kinds: Mapping[str, Counts] = field(default_factory=dict)
    fields: Mapping[str, int] = field(default_factory=dict)
    """Field -> in how many changed or remade rows it differs."""
    examples: tuple[RowChange, ...] = ()
    example_limit: int = 0
    """Examples of each act that are kept."""

    @property
    def total(self) -> Counts:
        """Rows of all kinds."""
        return sum(self.kinds.values(), start=Counts())

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        total = self.total
        return not (total.added or total.removed or total.changed or total.remade)

    def merged(self, *others: TableDifference) -> TableDifference:
        """This and the differences of other rows of the table, as one."""
        everyone = (self, *others)
        if strange := {one.table for one in everyone} - {self.table}:
            raise ValueError(f"differences of {self.table} and {', '.join(sorted(strange))} do not add up")
        kinds: dict[str, Counts] = {}
        counted: Counter[str] = Counter()
        for one in everyone:
            counted.update(one.fields)
            for kind, counts in one.kinds.items():
                kinds[kind] = kinds.get(kind, Counts()) + counts
        limit = max(one.example_limit for one in everyone)
        return TableDifference(
            table=self.table,
            kinds=dict(sorted(kinds.items())),
            fields=dict(sorted(counted.items(), key=lambda item: (-item[1], item[0]))),
            examples=_capped((change for one in everyone for change in one.examples), limit),
            example_limit=limit,
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "table": self.table,
            **asdict(self.total),
            "kinds": {kind: asdict(counts) for kind, counts in self.kinds.items()},
            "fields": dict(self.fields),
            "examples": [asdict(change) for change in self.examples],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs between two states, by table. ``left_out`` documents were being written in one of them."""

    tables: Mapping[str, TableDifference] = field(default_factory=dict)
    left_out: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return all(one.is_empty for one in self.tables.values())

    def merged(self, *others: Difference) -> Difference:
        """This and the differences of other documents, as one."""
        tables = dict(self.tables)
        for other in others:
            for name, found in other.tables.items():
                tables[name] = tables[name].merged(found) if name in tables else found
        return Difference(tables=tables, left_out=self.left_out + sum(other.left_out for other in others))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "documents_left_out": self.left_out,
            "tables": [one.as_dict() for one in self.tables.values()],
        }


def _capped(changes: Iterable[RowChange], limit: int) -> tuple[RowChange, ...]:
    """The first so many examples of each act."""
    kept: dict[str, list[RowChange]] = {act: [] for act in ACTS}
    for change in changes:
        if len(kept[change.act]) < limit:
            kept[change.act].append(change)
    return tuple(change for act in ACTS for change in kept[act])
