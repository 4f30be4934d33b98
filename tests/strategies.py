"""Made documents for property tests."""

from hypothesis import strategies as st

from extractor.document import Block, Cell, Document, Page, Table, Word
from extractor.spans import BBox

texts = st.text(
    st.characters(
        exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"], include_characters=["é", "\u0301", "😀", "א"]
    ),
    min_size=1,
    max_size=8,
).filter(lambda text: not any(sign.isspace() for sign in text))


@st.composite
def words(draw, *, boxed):
    box = None
    if boxed:
        x0, y0 = draw(st.integers(0, 500)), draw(st.integers(0, 700))
        box = BBox(x0, y0, x0 + draw(st.integers(0, 100)), y0 + draw(st.integers(0, 80)))
    return Word(
        text=draw(texts),
        before=draw(st.sampled_from(["", " ", "\n", "\n\n", "\t"])),
        box=box,
        confidence=draw(st.none() | st.integers(0, 8).map(lambda eighth: eighth / 8)),
    )


@st.composite
def pages(draw, page_no):
    boxed = draw(st.booleans())
    found = draw(st.lists(words(boxed=boxed), max_size=6))
    blocks, tables = (), ()
    if found and draw(st.booleans()):
        blocks = (Block(kind="table", first=0, last=len(found), table_no=1),)
        cells = (
            Cell(row_no=1, column_no=1, first=0, last=1, header=True),
            Cell(row_no=1, column_no=2, first=1, last=len(found), column_span=2),
        )
        tables = (
            (
                Table(
                    table_no=1,
                    row_count=2,
                    column_count=3,
                    cells=cells,
                    header_row_count=1,
                    box=BBox(0, 0, 9, 9),
                ),
            )
            if boxed
            else (Table(table_no=1, row_count=1, column_count=3, cells=cells),)
        )
    return Page(
        page_no=page_no,
        width_pt=612 if boxed else None,
        height_pt=792 if boxed else None,
        words=tuple(found),
        blocks=blocks,
        tables=tables,
        source=draw(st.sampled_from(["flow", "text-layer", "tesserocr"])),
        rotation_deg=draw(st.sampled_from([0, 90, 180, 270])),
        after=draw(st.sampled_from(["", "\n", "  \n"])),
        confidence=draw(st.none() | st.just(0.5)),
        quality=draw(st.sampled_from(["good", "poor"])),
    )


@st.composite
def documents(draw):
    count = draw(st.integers(1, 4))
    return Document.assemble(
        doc_id="d" * 64,
        media_type="application/pdf",
        pages=[draw(pages(page_no)) for page_no in range(1, count + 1)],
    )
