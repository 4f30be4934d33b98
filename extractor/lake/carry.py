"""Decisions of reviewers over the rows that a newer extraction makes of the same document.

A row that a person accepted, corrected or rejected is that person's: it stays
as it is, with its values, its maker and its name; only extraction, run and
pipeline become the current ones. What the newer extraction found at an accepted
or corrected place gives way, and so does what it found just like a rejected
row. Pure functions over rows in memory: nothing here reads or writes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from extractor.tables.entities import MASKED_LABELS

if TYPE_CHECKING:
    import pyarrow as pa

STANDING = ("accepted", "corrected")
"""A person says that the row is right, or made it so."""

DECIDED = (*STANDING, "rejected")
"""The values of ``review_status`` that are a person's."""

STAMPS = ("extraction_id", "run_id", "pipeline_version")
"""What a row takes from the extraction that is current, whoever made it."""

_END_COLUMNS = ("type", "text", "normalised", "code_system", "code")
"""What a link repeats of its two mentions."""

Stamps = Mapping[str, Mapping[str, Any]]
"""doc_id -> values of :data:`STAMPS`, as its row of ``documents`` has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """What became of reviewed rows: how many stay, how many new rows gave way to them.

    ``unplaced`` are the row_ids of reviewed rows that could not stay, because
    the document was read again and its text is another one where they stood.
    """

    kept: int = 0
    gave_way: int = 0
    unplaced: tuple[str, ...] = ()

    def __add__(self, other: Reviews) -> Reviews:
        return Reviews(
            kept=self.kept + other.kept,
            gave_way=self.gave_way + other.gave_way,
            unplaced=self.unplaced + other.unplaced,
        )


@dataclass(frozen=True, kw_only=True)
class Carried:
    """The rows a table gets; ``touched`` are the documents whose rows are not just the new ones."""

    rows: pa.Table
    reviews: Reviews = Reviews()
    touched: frozenset[str] = frozenset()


def carry_entities(
    old: pa.Table,
    new: pa.Table,
    *,
    stamps: Stamps,
    ends: Collection[str] = (),
    texts: Mapping[str, str] | None = None,
) -> Carried:
    """New rows of ``entities`` with the reviewed ones among the ``old`` in their places.

    ``ends`` are the row_ids of mentions that reviewed links need: they stay
    too, unless the newer extraction found the same. ``texts`` are the canonical
    texts of documents that were read again (missing: no page could be read);
    None where the text is as it was.
    """
    found = {(row["doc_id"], row["row_id"]) for row in _fields(new, ("doc_id", "row_id"), _owners(old))}
    places = _places(new, _owners(old), ("type", "char_start", "char_end"))
    keep: list[int] = []
    unplaced: list[str] = []
    by_document: dict[str, _Decided] = {}
    kept = 0
    columns = ("doc_id", "row_id", "review_status", "type", "char_start", "char_end", "source_text")
    for index, row in enumerate(old.select(columns).to_pylist()):
        is_decided = row["review_status"] in DECIDED
        place = (row["type"], row["char_start"], row["char_end"])
        if not is_decided and (row["row_id"] not in ends or (row["doc_id"], row["row_id"]) in found):
            continue
        if texts is not None and not _quotes(
            texts.get(row["doc_id"]), place, row["source_text"], places.get(row["doc_id"], frozenset())
        ):
            if is_decided:
                unplaced.append(row["row_id"])
            continue
        keep.append(index)
        kept += is_decided
        decided = by_document.setdefault(row["doc_id"], _Decided())
        decided.row_ids.add(row["row_id"])
        if row["review_status"] == "rejected":
            decided.rejected.add(place)
        else:
            decided.standing.append((row["char_start"], row["char_end"]))
    if not keep:
        return Carried(rows=new, reviews=Reviews(unplaced=tuple(unplaced)))
    cover = {doc_id: _Cover(decided.standing) for doc_id, decided in by_document.items()}

    def gives_way(row: Mapping[str, Any]) -> bool:
        decided = by_document[row["doc_id"]]
        return (
            row["row_id"] in decided.row_ids
            or (row["type"], row["char_start"], row["char_end"]) in decided.rejected
            or cover[row["doc_id"]].meets(row["char_start"], row["char_end"])
        )

    stays = _mask(new, ("doc_id", "row_id", "type", "char_start", "char_end"), by_document, gives_way)
    return Carried(
        rows=_joined(_filtered(new, stays), _taken(old, keep), stamps),
        reviews=Reviews(kept=kept, gave_way=stays.count(False), unplaced=tuple(unplaced)),
        touched=frozenset(by_document),
    )


def carry_relations(
    old: pa.Table,
    new: pa.Table,
    *,
    stamps: Stamps,
    entities: pa.Table,
    touched: Collection[str],
    texts: Mapping[str, str] | None = None,
) -> Carried:
    """New rows of ``relations`` with the reviewed ones among the ``old`` in their places.

    In documents that are ``touched``, new links stand between rows of
    ``entities`` (all of those documents) that nobody rejected, and say of their
    ends what a reviewed row says; others give way.
    """
    keep: list[int] = []
    unplaced: list[str] = []
    by_document: dict[str, _Decided] = {}
    columns = ("doc_id", "row_id", "review_status", "relation_type", *_PLACE, *_QUOTED)
    for index, row in enumerate(old.select(columns).to_pylist()):
        if row["review_status"] not in DECIDED:
            continue
        if texts is not None and not _ends_quote(texts.get(row["doc_id"]), row):
            unplaced.append(row["row_id"])
            continue
        keep.append(index)
        decided = by_document.setdefault(row["doc_id"], _Decided())
        decided.row_ids.add(row["row_id"])
        place = tuple(row[name] for name in _PLACE)
        if row["review_status"] == "rejected":
            decided.rejected.add((row["relation_type"], *place))
        else:
            decided.links.append(place)
    ends = {row["row_id"]: row for row in _fields(entities, _END_FIELDS, touched)}

    def gives_way(row: Mapping[str, Any]) -> bool:
        if row["doc_id"] in touched and not all(
            end in ends and ends[end]["review_status"] != "rejected"
            for end in (row["head_row_id"], row["tail_row_id"])
        ):
            return True
        decided = by_document.get(row["doc_id"])
        if decided is None:
            return False
        place = tuple(row[name] for name in _PLACE)
        return (
            row["row_id"] in decided.row_ids
            or (row["relation_type"], *place) in decided.rejected
            or any(_overlap(place[:2], link[:2]) and _overlap(place[2:], link[2:]) for link in decided.links)
        )

    among = {*by_document, *touched}
    if not among:
        return Carried(rows=new, reviews=Reviews(unplaced=tuple(unplaced)))
    ends_and_place = ("head_row_id", "tail_row_id", *_PLACE)
    stays = _mask(new, ("doc_id", "row_id", "relation_type", *ends_and_place), among, gives_way)
    said = {row_id: row for row_id, row in ends.items() if row["review_status"] in STANDING}
    return Carried(
        rows=_joined(_told(_filtered(new, stays), said), _taken(old, keep), stamps),
        reviews=Reviews(kept=len(keep), gave_way=stays.count(False), unplaced=tuple(unplaced)),
        touched=frozenset(by_document),
    )


def stamped(rows: pa.Table, stamps: Stamps) -> pa.Table:
    """Rows under the extraction that is current; what made them stays in their maker columns."""
    import pyarrow as pa

    owners = rows.column("doc_id").to_pylist()
    for name in STAMPS:
        index = rows.schema.get_field_index(name)
        values = pa.array([stamps[owner][name] for owner in owners], pa.string())
        rows = rows.set_column(index, rows.schema.field(index), values)
    return rows


_PLACE = ("char_start", "char_end", "tail_char_start", "tail_char_end")
_QUOTED = ("head_type", "tail_type", "source_text", "tail_source_text")
_END_FIELDS = ("doc_id", "row_id", "review_status", *_END_COLUMNS)


@dataclass(slots=True)
class _Decided:
    """What reviewers decided on one document."""

    row_ids: set[str] = field(default_factory=set)
    rejected: set[tuple[Any, ...]] = field(default_factory=set)
    standing: list[tuple[int, int]] = field(default_factory=list)
    links: list[tuple[int, ...]] = field(default_factory=list)


class _Cover:
    """Spans that may overlap one another; tells whether another span meets any of them."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._reach = list(accumulate((end for _, end in ordered), max))

    def meets(self, start: int, end: int) -> bool:
        before = bisect_left(self._starts, end)
        return before > 0 and self._reach[before - 1] > start


def _overlap(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _quotes(
    text: str | None, place: tuple[str, int, int], words: str, found: Collection[tuple[str, int, int]]
) -> bool:
    """Whether a row still says what stands at its place; of a masked one only a like finding tells."""
    if text is None:
        return False
    label, start, end = place
    return place in found if label in MASKED_LABELS else text[start:end] == words


def _ends_quote(text: str | None, row: Mapping[str, Any]) -> bool:
    ends = (
        (row["head_type"], row["char_start"], row["char_end"], row["source_text"]),
        (row["tail_type"], row["tail_char_start"], row["tail_char_end"], row["tail_source_text"]),
    )
    return text is not None and all(
        label in MASKED_LABELS or text[start:end] == words for label, start, end, words in ends
    )


def _owners(rows: pa.Table) -> set[str]:
    return set(rows.column("doc_id").unique().to_pylist())


def _fields(rows: pa.Table, columns: tuple[str, ...], doc_ids: Collection[str]) -> list[dict[str, Any]]:
    """Some columns of the rows of some documents."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not doc_ids:
        return []
    among = pc.is_in(rows.column("doc_id"), value_set=pa.array(sorted(doc_ids), pa.string()))
    found: list[dict[str, Any]] = rows.select(list(columns)).filter(among).to_pylist()
    return found


def _places(
    rows: pa.Table, doc_ids: Collection[str], columns: tuple[str, ...]
) -> dict[str, set[tuple[Any, ...]]]:
    places: dict[str, set[tuple[Any, ...]]] = {}
    for row in _fields(rows, ("doc_id", *columns), doc_ids):
        places.setdefault(row["doc_id"], set()).add(tuple(row[name] for name in columns))
    return places


def _mask(rows: pa.Table, columns: tuple[str, ...], among: Collection[str], gives_way: Any) -> list[bool]:
    """For each row whether it stays; rows of other documents do."""
    owners = rows.column("doc_id").to_pylist()
    stays = [True] * len(owners)
    there = [index for index, owner in enumerate(owners) if owner in among]
    for index, row in zip(there, _taken(rows.select(list(columns)), there).to_pylist(), strict=True):
        stays[index] = not gives_way(row)
    return stays


def _taken(rows: pa.Table, indices: list[int]) -> pa.Table:
    import pyarrow as pa

    return rows.take(pa.array(indices, pa.int64()))


def _filtered(rows: pa.Table, stays: list[bool]) -> pa.Table:
    import pyarrow as pa

    return rows.filter(pa.array(stays, pa.bool_()))


def _told(rows: pa.Table, said: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """Links whose ends say what reviewed mentions say."""
    import pyarrow as pa

    for end in ("head", "tail"):
        row_ids = rows.column(f"{end}_row_id").to_pylist()
        if not any(row_id in said for row_id in row_ids):
            continue
        for name in _END_COLUMNS:
            index = rows.schema.get_field_index(f"{end}_{name}")
            values = [
                said[row_id][name] if row_id in said else value
                for row_id, value in zip(row_ids, rows.column(index).to_pylist(), strict=True)
            ]
            rows = rows.set_column(
                index, rows.schema.field(index), pa.array(values, rows.schema.field(index).type)
            )
    return rows


def _joined(new: pa.Table, kept: pa.Table, stamps: Stamps) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables([new, stamped(kept.select(new.schema.names), stamps).cast(new.schema)])
