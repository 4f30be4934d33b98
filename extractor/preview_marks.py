"""What both previews share: colours of types, pieces of a page, and which entities cover which characters."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

from extractor.document import BlockKind, Document, Page, Table
from extractor.records import Entity
from extractor.spans import BBox, Span

PALETTE = (
    "#8ecae6", "#ffb703", "#95d5b2", "#f4a6b8", "#cdb4db", "#ffd670", "#7bdff2", "#f4a261",
    "#b5e48c", "#a3b8ff", "#e5989b", "#d4c5a9",
)  # fmt: skip
"""Light grounds on which black letters are read well (contrast above 8:1)."""

_HIDDEN = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
    **dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeMark:
    """One entity type of a document: how often it occurs and its colour, an index into ``PALETTE``."""

    label: str
    count: int
    colour_index: int

    @property
    def colour(self) -> str:
        return PALETTE[self.colour_index]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A run of words of one page: a block, or words between blocks.

    ``span`` is None for a table without a word. ``cells`` are the spans of the
    table's cells in their order, None for blank ones.
    """

    kind: BlockKind
    span: Span | None
    table: Table | None = None
    cells: tuple[Span | None, ...] = ()


class Marks:
    """Which entities cover which characters; entities are known by their place in ``entities``."""

    def __init__(self, entities: Sequence[Entity]) -> None:
        edges = sorted({edge for entity in entities for edge in (entity.span.start, entity.span.end)})
        starts: dict[int, list[int]] = {}
        ends: dict[int, list[int]] = {}
        for index, entity in enumerate(entities):
            starts.setdefault(entity.span.start, []).append(index)
            ends.setdefault(entity.span.end, []).append(index)
        self._starts: list[int] = []
        self._runs: list[tuple[int, int, tuple[int, ...]]] = []
        covering: set[int] = set()
        for edge, following in pairwise(edges):
            covering.difference_update(ends.get(edge, ()))
            covering.update(starts.get(edge, ()))
            if covering:
                shortest_first = sorted(covering, key=lambda index: (len(entities[index].span), index))
                self._starts.append(edge)
                self._runs.append((edge, following, tuple(shortest_first)))

    def runs(self, span: Span) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """``span`` cut where entities begin and end: start, end, and the entities over it, shortest first."""
        at = span.start
        index = max(0, bisect_right(self._starts, span.start) - 1)
        for start, end, covering in self._runs[index:]:
            if start >= span.end:
                break
            if end <= at:
                continue
            if start > at:
                yield at, start, ()
            at = min(end, span.end)
            yield max(start, span.start), at, covering
        if at < span.end:
            yield at, span.end, ()


def type_marks(entities: Sequence[Entity]) -> tuple[TypeMark, ...]:
    """Types by falling count; a type has the same colour in every document unless two clash."""
    counts = Counter(entity.label for entity in entities)
    taken: dict[str, int] = {}
    for label in sorted(counts):
        wanted = crc32(label.encode()) % len(PALETTE)
        free = [
            index % len(PALETTE)
            for index in range(wanted, wanted + len(PALETTE))
            if index % len(PALETTE) not in taken.values()
        ]
        taken[label] = free[0] if free else wanted
    return tuple(
        TypeMark(label=label, count=count, colour_index=taken[label])
        for label, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def iter_pieces(document: Document, page: Page) -> Iterator[Piece]:
    """The page in reading order, every word in exactly one piece; wordless tables come last."""
    base = bisect_left(document.word_starts, document.page_starts[page.page_no - 1])
    starts = document.word_starts[base : base + len(page.words)]

    def span_of(first: int, last: int) -> Span | None:
        if first >= last:
            return None
        return Span(starts[first], starts[last - 1] + len(page.words[last - 1].text))

    tables = {table.table_no: table for table in page.tables}
    at = 0
    for block in sorted(page.blocks, key=lambda block: block.first):
        if block.first < at:
            continue
        if block.first > at:
            yield Piece(kind="paragraph", span=span_of(at, block.first))
        span = span_of(block.first, block.last)
        table = tables.pop(block.table_no, None) if block.table_no is not None else None
        if table is None:
            yield Piece(kind="paragraph" if block.kind == "table" else block.kind, span=span)
        else:
            cells = tuple(span_of(cell.first, cell.last) for cell in table.cells)
            yield Piece(kind="table", span=span, table=table, cells=cells)
        at = block.last
    if at < len(page.words):
        yield Piece(kind="paragraph", span=span_of(at, len(page.words)))
    for table in tables.values():
        yield Piece(kind="table", span=None, table=table, cells=(None,) * len(table.cells))


def printable(text: str) -> str:
    """``text`` with controls and direction marks made visible, character for character.

    A document must not be able to steer the terminal or turn lines around.
    """
    return text.translate(_HIDDEN)


def meaning(entity: Entity) -> tuple[str, str, str]:
    """Normalised form, code and quantity of an entity, each as one text, empty where there is none."""
    code = f"{entity.code.system} {entity.code.code}" if entity.code else ""
    normalised = entity.normalised or (entity.code.display if entity.code else "") or ""
    quantity = ""
    if entity.quantity is not None:
        found = entity.quantity
        number = found.value_text if found.value is None else format(found.value, "f")
        if found.value_high is not None:
            number = f"{number} to {found.value_high:f}"
        sign = f"{found.comparator} " if found.comparator else ""
        unit = found.unit_ucum or found.unit_source or ""
        quantity = f"{sign}{number} {unit}".strip()
        if found.parse_status != "ok":
            quantity = f"{quantity} ({found.parse_status})"
    return normalised, code, quantity


def page_state(page: Page, failure: str | None) -> str:
    """What must be said about the trust in a page; empty for a good one."""
    if failure is not None:
        return f"could not be read: {failure}"
    if page.quality == "good":
        return ""
    confidence = "" if page.confidence is None else f", OCR confidence {page.confidence:.2f}"
    return f"{page.quality}{confidence}: do not trust what was read here"


def line_boxes(boxes: Iterable[tuple[int, BBox]]) -> list[tuple[int, list[BBox]]]:
    """Word boxes by page, neighbours on one line joined."""
    pages: dict[int, list[BBox]] = {}
    for page_no, box in boxes:
        lines = pages.setdefault(page_no, [])
        last = lines[-1] if lines else None
        if last is not None and _is_next(last, box):
            lines[-1] = BBox.around((last, box))
        else:
            lines.append(box)
    return list(pages.items())


def _is_next(left: BBox, right: BBox) -> bool:
    """Whether ``right`` goes on the line of ``left``: mostly level, and no further than a letter's height."""
    height = max(left.height_pt, right.height_pt)
    shared = min(left.y1_pt, right.y1_pt) - max(left.y0_pt, right.y0_pt)
    return shared > 0.5 * height and -height < right.x0_pt - left.x1_pt < height
