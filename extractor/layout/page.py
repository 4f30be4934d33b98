"""From placed words and drawn lines to a page: reading order, blocks, tables.

The one entry for every page with geometry, digital or read by OCR.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from extractor.document import Block, BlockKind, Cell, Page, Quality, Table, Word
from extractor.layout.aligned import find_aligned
from extractor.layout.block import kind_of, split_blocks, typical_gap
from extractor.layout.geometry import Line, Placed, join_fragments, join_lines, typical_height
from extractor.layout.grid import find_grids
from extractor.layout.header import Shade, count_header_rows
from extractor.layout.reading_order import Item, split_columns
from extractor.layout.rows import split_rows
from extractor.layout.ruling import Segment, split_rulings
from extractor.layout.table import FoundTable
from extractor.layout.turn import (
    in_logical_order,
    main_angle,
    order_cells,
    order_turned,
    right_angle,
    right_to_left,
    turn_back,
    turn_box,
    turn_lines,
)
from extractor.ports import Ruling
from extractor.spans import BBox


def lay_out(
    words: Sequence[Word],
    rulings: Sequence[Ruling],
    *,
    page_no: int,
    width_pt: float,
    height_pt: float,
    source: str,
    rotation_deg: int = 0,
    quality: Quality = "good",
    bold: Collection[int] = (),
    turned: Mapping[int, int] | None = None,
    shades: Sequence[Shade] = (),
) -> Page:
    """The page that ``words`` and ``rulings`` make.

    Words come in any order, each with its ``box`` in points of the upright
    page; ``before`` is ignored and set anew. Boxes are clamped to the page.
    Every word comes out exactly once. The page's confidence is the mean of its
    words' confidences, weighted by characters; None when no word has one.

    What is known besides makes headings and table headers surer: ``bold``
    holds the indexes of words in bold type, ``shades`` the filled areas.
    ``turned`` maps indexes of words that do not run from left to right along
    the page to their clockwise angle in degrees. A page most of whose words
    are turned by one right angle is read in that direction; the boxes stay
    those of the page as shown.

    Raises:
        ValueError: a word has no box.
    """
    texts = [word.text for word in words]
    placed = [_place(word, index) for index, word in enumerate(words)]
    horizontal, vertical = split_rulings(rulings)
    angles = {index: right_angle(angle) for index, angle in turned.items()} if turned else {}
    angle = main_angle(angles, len(words)) if angles else 0
    if angle:
        placed = [(*turn_box(word, angle, width_pt, height_pt), word[4]) for word in placed]
        horizontal, vertical = turn_lines(horizontal, vertical, angle, width_pt, height_pt)
        shades = [(*turn_box(shade, angle, width_pt, height_pt), shade[4]) for shade in shades]
        relative = {index: angles.get(index, 0) for index in range(len(words))}
        angles = {
            index: (own - angle) % 360 if own >= 0 else own for index, own in relative.items() if own != angle
        }
    leftward = right_to_left(texts)

    tables, rest, used = find_grids(placed, horizontal, vertical)
    for table in tables:
        split_rows(table, texts)
        if angles:
            order_cells(table, angles)
    odd = [word for word in rest if word[4] in angles]
    if odd:
        rest = [word for word in rest if word[4] not in angles]
    free = [line for number, line in enumerate(horizontal) if number not in used]
    height = typical_height(rest or placed)
    regions = _regions(rest, tables, free, height, mirrored=2 * len(leftward) > len(words))
    for region in regions:
        for part in region:
            if isinstance(part, FoundTable):
                part.header_row_count = count_header_rows(part, texts, bold=bold, shades=shades)

    out = _Output(words, width_pt, height_pt, angle)
    usual_gap = typical_gap(
        [item for region in regions for item in region if not isinstance(item, FoundTable)]
    )
    for region in regions:
        run: list[Line] = []
        for item in [*region, None]:
            if item is not None and not isinstance(item, FoundTable):
                run.append(item)
                continue
            for block in split_blocks(run, usual_gap=usual_gap, bold=bold):
                kind = kind_of(block, texts, usual_height=height, bold=bold)
                out.add_lines([_words(line, leftward, texts) for line in block], kind)
            run = []
            if item is not None:
                out.add_table(item)
    for own_angle in sorted({angles[word[4]] for word in odd}):
        group = [word for word in odd if angles[word[4]] == own_angle]
        out.add_lines([order_turned(group, angles)], "paragraph")
    return Page(
        page_no=page_no,
        width_pt=width_pt,
        height_pt=height_pt,
        words=tuple(out.words),
        blocks=tuple(out.blocks),
        tables=tuple(out.tables),
        source=source,
        rotation_deg=rotation_deg,
        confidence=mean_confidence(words),
        quality=quality,
    )


def _regions(
    words: list[Placed], tables: list[FoundTable], rules: list[Segment], height: float, *, mirrored: bool
) -> list[list[Line | FoundTable]]:
    """Lines and tables of each region without columns, in reading order."""
    items: list[Item] = [(*fragment[:4], fragment) for fragment in join_fragments(words)]
    items += [(*table.box, table) for table in tables]
    if mirrored:  # columns of a page written from right to left start on the right
        items = [(-x1, y0, -x0, y1, what) for x0, y0, x1, y1, what in items]
    return [_flow(region, rules, height) for region in split_columns(items, height)]


def _words(line: Line, leftward: Collection[int], texts: Sequence[str]) -> list[Placed]:
    words = [word for fragment in line[4] for word in fragment[4]]
    return in_logical_order(words, leftward, texts) if leftward else words


def mean_confidence(words: Iterable[Word]) -> float | None:
    """The mean confidence weighted by characters; None when no word has a confidence."""
    total = weight = 0.0
    for word in words:
        if word.confidence is not None:
            total += word.confidence * len(word.text)
            weight += len(word.text)
    return total / weight if weight else None


def _place(word: Word, index: int) -> Placed:
    box = word.box
    if box is None:
        raise ValueError("laying out needs the box of every word")
    return (box.x0_pt, box.y0_pt, box.x1_pt, box.y1_pt, index)


def _flow(region: Sequence[Item], rules: list[Segment], height: float) -> list[Line | FoundTable]:
    """The lines and tables of a region without columns, from top to bottom."""
    lines = join_lines([item[4] for item in region if not isinstance(item[4], FoundTable)])
    tables = sorted(
        [item[4] for item in region if isinstance(item[4], FoundTable)], key=lambda table: table.box[1]
    )
    flow: list[Line | FoundTable] = []
    for table in tables:
        above = [line for line in lines if (line[1] + line[3]) / 2 < table.box[1]]
        flow += find_aligned(above, rules, height)
        flow.append(table)
        lines = lines[len(above) :]
    return flow + find_aligned(lines, rules, height)


class _Output:
    """Words, blocks and tables in the order in which they are added."""

    def __init__(self, given: Sequence[Word], width_pt: float, height_pt: float, angle: int) -> None:
        self.given = given
        self.size = (width_pt, height_pt)
        self.angle = angle
        self.words: list[Word] = []
        self.blocks: list[Block] = []
        self.tables: list[Table] = []

    def _box(self, box: Sequence[float]) -> BBox:
        if self.angle:
            box = turn_back(box, self.angle, *self.size)
        return BBox(box[0], box[1], box[2], box[3]).clamp(*self.size)

    def _add(self, index: int, before: str) -> None:
        word = self.given[index]
        box = word.box
        assert box is not None
        width, height = self.size
        if box.x0_pt < 0 or box.y0_pt < 0 or box.x1_pt > width or box.y1_pt > height:
            box = box.clamp(width, height)
        self.words.append(
            Word(
                text=word.text,
                before=before if self.words else "",
                box=box,
                confidence=word.confidence,
            )
        )

    def add_lines(self, lines: Sequence[Sequence[Placed]], kind: BlockKind) -> None:
        first = len(self.words)
        before = "\n\n"
        for line in lines:
            for word in line:
                self._add(word[4], before)
                before = " "
            before = "\n"
        self.blocks.append(Block(kind=kind, first=first, last=len(self.words)))

    def add_table(self, found: FoundTable) -> None:
        first = len(self.words)
        before = "\n\n"
        cells: list[Cell] = []
        row = -1
        for cell in found.cells:
            if cell.row != row:
                row = cell.row
                before = "\n" if len(self.words) > first else "\n\n"
            start = len(self.words)
            for word in cell.words:
                self._add(word[4], before)
                before = " "
            if cell.words:
                before = "\t"
            cells.append(
                Cell(
                    row_no=cell.row + 1,
                    column_no=cell.column + 1,
                    first=start,
                    last=len(self.words),
                    row_span=cell.row_span,
                    column_span=cell.column_span,
                    header=cell.row < found.header_row_count,
                    box=self._box(cell.box),
                )
            )
        number = len(self.tables) + 1
        self.tables.append(
            Table(
                table_no=number,
                row_count=found.row_count,
                column_count=found.column_count,
                cells=tuple(cells),
                header_row_count=found.header_row_count,
                box=self._box(found.box),
            )
        )
        self.blocks.append(Block(kind="table", first=first, last=len(self.words), table_no=number))
