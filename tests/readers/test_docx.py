"""The story of a DOCX in order, with what surrounds it."""

import pytest

from extractor.errors import CorruptError, EmptyInputError, LimitError
from extractor.registry import DOCX
from tests.readers.made import (
    blocks_of,
    docx_bytes,
    grids_of,
    page_of,
    picture,
    read,
    with_part,
    xlsx_bytes,
    zip_bytes,
)

SPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/word/document.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)


def _raw(body, **parts):
    """A package of a document part with this body, and further parts by name."""
    rels = "".join(
        f'<Relationship Id="{kind}" Type="x/{kind}" Target="{kind}.xml"/>'
        for kind in parts
        if "/" not in kind
    )
    return zip_bytes(
        {
            "[Content_Types].xml": TYPES,
            "word/document.xml": f"<w:document {SPACES}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": f"<Relationships>{rels}</Relationships>",
            **{f"word/{kind}.xml": f"<w:x {SPACES}>{content}</w:x>" for kind, content in parts.items()},
        }
    )


def _p(*runs):
    return (
        "<w:p>"
        + "".join(run if run.startswith("<") else f"<w:r><w:t>{run}</w:t></w:r>" for run in runs)
        + "</w:p>"
    )


def _texts(body, **parts):
    return [text for _, text in blocks_of(page_of(_raw(body, **parts)))]


def test_headings_lists_tables_headers_and_footers_come_in_order():
    def fill(document):
        document.sections[0].header.paragraphs[0].text = "ACME"
        document.sections[0].footer.paragraphs[0].text = "Confidential"
        document.add_heading("Batch record", 0)
        document.add_heading("Scope", 2)
        document.add_paragraph("one", style="List Bullet")
        document.add_paragraph("two", style="List Bullet")
        table = document.add_table(2, 2)
        for cell, text in zip(
            (*table.row_cells(0), *table.row_cells(1)), ("Step", "Range", "Mix", ""), strict=True
        ):
            cell.text = text
        document.add_paragraph("after")

    page = page_of(docx_bytes(fill))

    assert blocks_of(page) == [
        ("margin", "ACME"),
        ("heading", "Batch record"),
        ("heading", "Scope"),
        ("paragraph", "one"),
        ("paragraph", "two"),
        ("table", "Step\tRange\nMix"),
        ("paragraph", "after"),
        ("margin", "Confidential"),
    ]


def test_merged_cells_keep_their_places():
    def fill(document):
        table = document.add_table(3, 3)
        table.cell(0, 0).text = "A"
        table.cell(0, 1).merge(table.cell(0, 2)).text = "wide"
        table.cell(1, 0).merge(table.cell(2, 0)).text = "tall"
        table.cell(1, 1).text = "x"
        table.cell(2, 2).text = "y"

    page = page_of(docx_bytes(fill))
    spans = {
        page.quote(cell.first, cell.last): (cell.row_span, cell.column_span) for cell in page.tables[0].cells
    }

    assert grids_of(page) == [[["A", "wide", ""], ["tall", "x", ""], ["", "", "y"]]]
    assert (spans["wide"], spans["tall"]) == ((1, 2), (2, 1))


def test_header_rows_are_those_that_repeat_or_stand_in_bold():
    def row(text, properties="", run=""):
        return (
            f"<w:tr>{properties}"
            + f"<w:tc><w:p><w:r>{run}<w:t>{text}</w:t></w:r></w:p></w:tc>" * 2
            + "</w:tr>"
        )

    repeats = row("H", "<w:trPr><w:tblHeader/></w:trPr>")
    bold = row("H", run="<w:rPr><w:b/></w:rPr>")

    for first, count in ((repeats, 1), (bold, 1), (row("H"), 0)):
        assert page_of(_raw(f"<w:tbl>{first}{row('x')}</w:tbl>")).tables[0].header_row_count == count


def test_inserted_text_is_kept_and_deleted_text_left_out():
    body = _p(
        "dose ",
        "<w:del><w:r><w:delText>5</w:delText></w:r></w:del>",
        "<w:ins><w:r><w:t>10</w:t></w:r></w:ins>",
        "<w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom>",
        "<w:moveTo><w:r><w:t> mg</w:t></w:r></w:moveTo>",
    )
    deleted_row = (
        "<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>" + _p("no") + "</w:tc><w:tc/></w:tr>"
        "<w:tr><w:tc>" + _p("a") + "</w:tc><w:tc>" + _p("b") + "</w:tc></w:tr></w:tbl>"
    )

    assert _texts(body + deleted_row) == ["dose 10 mg", "a\tb"]


def test_check_boxes_show_their_state():
    def control(state):
        return (
            f'<w:sdt><w:sdtPr><w14:checkbox><w14:checked w14:val="{state}"/></w14:checkbox></w:sdtPr>'
            "<w:sdtContent><w:r><w:t>☐</w:t></w:r></w:sdtContent></w:sdt>"
        )

    legacy = '<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox><w:checked/></w:checkBox></w:ffData></w:fldChar></w:r>'
    symbol = '<w:r><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>'

    assert _texts(_p(control(1), " yes ", control(0), " no")) == ["[x] yes [ ] no"]
    assert _texts(_p(legacy, " legacy ", symbol, " symbol")) == ["[x] legacy [x] symbol"]


def test_runs_keep_breaks_symbols_superscripts_and_field_results():
    body = _p(
        "10",
        '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>9</w:t></w:r>',
        "/L",
        '<w:r><w:br/><w:t>5 </w:t><w:sym w:font="Symbol" w:char="F06D"/><w:t>g</w:t><w:noBreakHyphen/><w:t>x</w:t></w:r>',
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>",
        "<w:r><w:instrText>PAGE</w:instrText></w:r>",
        '<w:fldSimple w:instr="DATE"><w:r><w:t> today</w:t></w:r></w:fldSimple>',
    )

    assert _texts(body) == ["10⁹/L\n5 µg-x today"]


def test_content_controls_text_boxes_and_notes_are_reached():
    box = (
        "<w:r><mc:AlternateContent><mc:Choice><w:drawing><w:txbxContent>"
        + _p("in the box")
        + "</w:txbxContent></w:drawing></mc:Choice><mc:Fallback><w:pict><w:txbxContent>"
        + _p("in the box")
        + "</w:txbxContent></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )
    body = (
        f"<w:sdt><w:sdtContent>{_p('controlled')}</w:sdtContent></w:sdt>"
        + _p("anchor", box, '<w:r><w:footnoteReference w:id="2"/></w:r>')
        + _p("last")
    )
    notes = (
        f'<w:footnote w:id="2">{_p("a note")}</w:footnote><w:footnote w:id="3">{_p("unused")}</w:footnote>'
    )

    assert _texts(body, footnotes=notes) == ["controlled", "anchor", "in the box", "last", "a note"]


def test_page_breaks_part_pages_once():
    author = '<w:r><w:br w:type="page"/></w:r>'
    rendered = "<w:r><w:lastRenderedPageBreak/><w:t>two</w:t></w:r>"
    pages, _ = read(_raw(_p(author) + _p("one", author) + _p(rendered) + _p(author, "three")))

    assert [page.text for page in pages] == ["one", "two", "three"]


def test_nested_tables_and_frames_lose_no_text():
    inner = "<w:tbl><w:tr><w:tc>" + _p("i1") + "</w:tc><w:tc>" + _p("i2") + "</w:tc></w:tr></w:tbl>"
    outer = f"<w:tbl><w:tr><w:tc>{_p('o1')}</w:tc><w:tc>{inner}{_p('o2')}</w:tc></w:tr></w:tbl>"
    frame = f"<w:tbl><w:tr><w:tc>{_p('framed')}{inner}</w:tc></w:tr></w:tbl>"
    page = page_of(_raw(outer + frame))

    assert grids_of(page) == [[["o1", "i1 i2 o2"]], [["i1", "i2"]]]
    assert ("paragraph", "framed") in blocks_of(page)


def test_embedded_documents_are_attachments():
    book = xlsx_bytes(lambda workbook: workbook.active.append(["x"]))
    content = docx_bytes(lambda document: document.add_paragraph("text"))
    content = with_part(content, "word/embeddings/sheet.xlsx", book)
    content = with_part(
        content, "word/embeddings/equation.bin", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    )

    assert read(content)[1] == [book]


def test_the_pictures_of_a_document_without_words_are_attachments():
    content = with_part(_raw(_p("")), "word/media/scan.png", picture("PNG"))

    assert read(content)[1] == [picture("PNG")]
    assert read(with_part(_raw(_p("text")), "word/media/scan.png", picture("PNG")))[1] == []


def test_bad_packages_are_refused():
    whole = docx_bytes(lambda document: document.add_paragraph("Jane Doe"))
    with pytest.raises(CorruptError):
        read(whole[: len(whole) // 2], DOCX)
    with pytest.raises(CorruptError) as broken:
        read(with_part(whole, "word/document.xml", b"<w:document>Jane Doe"))
    with pytest.raises(CorruptError):
        read(with_part(whole, "word/document.xml", b"<x/>"))
    with pytest.raises(EmptyInputError):
        read(_raw(_p("")))
    with pytest.raises(LimitError) as bomb:
        read(with_part(whole, "word/media/bomb.bin", bytes(5_000_000)), max_expanded_bytes=4_000_000)
    with pytest.raises(LimitError) as pages:
        read(_raw(_p("x", '<w:r><w:br w:type="page"/></w:r>') * 9), max_pages=5)

    assert "Jane" not in str(broken.value)
    assert (bomb.value.code, pages.value.code) == ("limit.expanded", "limit.pages")


def test_depth_is_bounded():
    with pytest.raises(LimitError) as caught:
        read(_raw("<w:sdt><w:sdtContent>" * 110 + _p("x") + "</w:sdtContent></w:sdt>" * 110))

    assert caught.value.code == "limit.depth"
