from __future__ import annotations

import zlib
from pathlib import Path

import pymupdf
import pytest

from extractor.document import Page, PageFailure
from extractor.errors import CorruptError, EmptyInputError, EncryptedError, LimitError
from extractor.ports import ReadLimits, ScannedPage
from extractor.readers import pdf_symbols
from extractor.readers.pdf import PdfReader

CORPUS = Path(__file__).parents[2] / ".." / "shared" / "data" / "documents"


def read(content: bytes, limits: ReadLimits | None = None, skip=()):
    with PdfReader().open(content, media_type="application/pdf", limits=limits or ReadLimits()) as reading:
        return list(reading.pages(skip))


def made(*drawings, width=400, height=300, **options) -> bytes:
    """A PDF with one page for each function, which draws on it."""
    with pymupdf.open() as document:
        for draw in drawings:
            draw(document.new_page(width=width, height=height))
        return document.tobytes(**options)


def text(page, words="Batch record of the granulation", at=(50, 60), **style):
    page.insert_text(at, words, fontsize=11, **style)


def grey_picture(width=600, height=450) -> bytes:
    pixmap = pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, width, height))
    pixmap.clear_with(200)
    return pixmap.tobytes("png")


def scan(page):
    page.insert_image(page.rect, stream=grey_picture())


def test_words_come_with_boxes_in_points_of_the_page():
    page = read(made(text))[0]
    assert page.text == "Batch record of the granulation"
    assert page.source == "text-layer"
    assert page.words[0].box.x0_pt == pytest.approx(50, abs=1)
    assert 45 < page.words[0].box.y0_pt < 60 <= page.words[0].box.y1_pt < 66
    assert page.words[0].confidence is None


def test_a_rotated_page_is_upright_as_shown():
    def turned(page):
        page.insert_text((50, 60), "sideways text", fontsize=11)
        page.set_rotation(90)

    page = read(made(turned))[0]
    assert (page.width_pt, page.height_pt, page.rotation_deg) == (300, 400, 90)
    box = page.words[
        0
    ].box  # 50 from the left and 60 from the top becomes 60 from the right and 50 from the top
    assert box.y0_pt == pytest.approx(50, abs=1)
    assert box.x1_pt == pytest.approx(300 - 50, abs=5)
    assert page.text == "sideways text"


def test_lines_of_a_rotated_page_turn_with_it():
    def turned(page):
        for number, row in enumerate((("a", "b"), ("c", "d"))):
            for column, word in enumerate(row):
                x, y = 50 + 100 * column, 50 + 30 * number
                page.draw_rect((x, y, x + 100, y + 30))
                page.insert_text((x + 5, y + 15), word)
        page.set_rotation(270)

    page = read(made(turned))[0]
    assert page.tables[0].grid(page) == [["a", "b"], ["c", "d"]]


def test_the_crop_box_is_the_page():
    def cropped(page):
        text(page)
        page.insert_text((10, 15), "outside")
        page.set_cropbox(pymupdf.Rect(30, 30, 380, 280))

    page = read(made(cropped))[0]
    assert (page.width_pt, page.height_pt) == (350, 250)
    assert page.text == "Batch record of the granulation"
    assert page.words[0].box.x0_pt == pytest.approx(20, abs=1)


def test_a_scan_becomes_a_picture_in_grey_with_its_own_resolution():
    def check(found):
        assert isinstance(found, ScannedPage)
        assert (found.reason, found.width_pt, found.height_pt) == ("no-text", 400, 300)
        assert found.native_dpi == pytest.approx(108, abs=0.1)

    with PdfReader().open(made(scan), media_type="application/pdf", limits=ReadLimits()) as reading:
        (found,) = reading.pages()
        check(found)
        image = found.image(144)
        assert image.shape == (600, 800)
        assert image.dtype == "uint8"
        assert 195 < image.mean() < 205


def test_a_stamp_on_a_scan_does_not_make_it_digital_but_a_full_ocr_layer_does():
    def stamped(page):
        scan(page)
        page.insert_text((20, 290), "Reference ID: 4479168", fontsize=8)

    def read_before(page):
        scan(page)
        for number in range(18):
            page.insert_text(
                (20, 20 + 15 * number), "words of the recognised text", fontsize=8, render_mode=3
            )

    first, second = read(made(stamped, read_before))
    assert first.reason == "stray-text"
    assert isinstance(second, Page)
    assert len(second.words) == 18 * 5


def test_an_empty_page_is_blank_and_no_scan():
    page = read(made(lambda _page: None))[0]
    assert isinstance(page, Page)
    assert page.words == ()


def test_letters_drawn_as_outlines_need_ocr():
    def outlined(page):
        shape = page.new_shape()
        for number in range(200):
            x, y = 20 + 15 * (number % 20), 40 + 15 * (number // 20)
            shape.draw_bezier((x, y), (x + 4, y - 8), (x + 8, y + 8), (x + 10, y))
        shape.finish()
        shape.commit()

    assert read(made(outlined))[0].reason == "no-text"


def test_a_word_glued_over_a_column_line_is_parted_at_the_line():
    def glued(page):
        page.draw_rect((50, 50, 150, 80))
        page.draw_rect((150, 50, 250, 80))
        width = pymupdf.get_text_length("30-Jun-202", fontsize=11)
        page.insert_text((150 - width - 1, 68), "30-Jun-2024BAL-07", fontsize=11)

    page = read(made(glued))[0]
    assert page.tables[0].grid(page) == [["30-Jun-202", "4BAL-07"]]


def test_text_printed_twice_to_look_bold_comes_once():
    def doubled(page):
        text(page)
        text(page, at=(50.3, 60))

    assert read(made(doubled))[0].text == "Batch record of the granulation"


def test_words_printed_again_inside_a_longer_one_come_once():
    def doubled(page):
        for shift in (0, 0.3):
            page.insert_text((50 + shift, 60), "Code:", fontsize=11)
            page.insert_text(
                (50 + shift + pymupdf.get_text_length("Code:", fontsize=11), 60), "300218", fontsize=11
            )
        page.insert_text((50, 60.2), "Code:", fontsize=11)
        page.insert_text((50, 80), "Code 300218 and 300218", fontsize=11)

    lines = read(made(doubled))[0].text.split("\n")
    assert lines == ["Code:300218", "Code 300218 and 300218"]


def test_signs_of_symbol_fonts_are_named_by_their_font():
    assert len(pdf_symbols.SYMBOL) == 2 * 95
    bullet, mass = pdf_symbols.map_of("ABCDEF+SymbolMT"), pdf_symbols.map_of("Symbol")
    assert "\uf0b7 5 \uf06dg".translate(bullet) == "• 5 μg"
    assert "\uf0a3\uf0b3\uf0b1\uf0b0".translate(mass) == "≤≥±°"
    assert "\uf0a8\uf0fe\uf0fc".translate(pdf_symbols.map_of("Wingdings-Regular")) == "◻☑✔"
    assert "\uf0b7\uf06d".translate(pdf_symbols.map_of("Other")) == "•\uf06d"


def test_a_table_drawn_with_lines_thin_bars_or_coloured_cells_is_found():
    cells = [("a", 50, 50), ("b", 150, 50), ("c", 50, 80), ("d", 150, 80)]

    def words(page):
        for word, x, y in cells:
            page.insert_text((x + 5, y + 15), word)

    def lines(page):
        for y in (50, 80, 110):
            page.draw_line((50, y), (250, y))
        for x in (50, 150, 250):
            page.draw_line((x, 50), (x, 110))
        words(page)

    def bars(page):
        for y in (50, 80, 110):
            page.draw_rect((50, y, 250, y + 1), color=None, fill=(0, 0, 0))
        for x in (50, 150, 250):
            page.draw_rect((x, 50, x + 1, 110), color=None, fill=(0, 0, 0))
        words(page)

    def grounds(page):
        for _, x, y in cells:
            page.draw_rect((x, y, x + 100, y + 30), color=None, fill=(0.9, 0.9, 1 - x / 1000))
        words(page)

    for page in read(made(lines, bars, grounds)):
        assert page.tables[0].grid(page) == [["a", "b"], ["c", "d"]]


def test_white_boxes_behind_words_are_no_table():
    def boxed(page):
        for x, word in ((50, "Silver"), (100, "Spring"), (150, "MD")):
            page.draw_rect((x, 50, x + 50, 62), color=None, fill=(1, 1, 1))
            page.insert_text((x, 60), word)

    assert read(made(boxed))[0].tables == ()


def test_filled_fields_and_check_boxes_are_words_where_they_stand():
    def form(page):
        page.insert_text((50, 60), "Operator")
        for name, kind, rect, value in (
            ("op", pymupdf.PDF_WIDGET_TYPE_TEXT, (120, 48, 250, 66), "J. Martinez"),
            ("ok", pymupdf.PDF_WIDGET_TYPE_CHECKBOX, (50, 80, 62, 92), True),
            ("no", pymupdf.PDF_WIDGET_TYPE_CHECKBOX, (50, 100, 62, 112), False),
        ):
            widget = pymupdf.Widget()
            widget.field_name, widget.field_type, widget.rect, widget.field_value = (
                name,
                kind,
                pymupdf.Rect(rect),
                value,
            )
            page.add_widget(widget)
        page.insert_text((70, 90), "released")
        page.insert_text((70, 110), "rejected")

    page = read(made(form))[0]
    assert page.text.split("\n")[0] == "Operator J. Martinez"
    assert "[x] released" in page.text
    assert "[ ] rejected" in page.text


def test_a_field_value_without_an_appearance_is_read():
    content = made(text)
    with pymupdf.open(stream=content, filetype="pdf") as document:
        page = document[0]
        widget = pymupdf.Widget()
        widget.field_name, widget.field_type, widget.rect = (
            "lot",
            pymupdf.PDF_WIDGET_TYPE_TEXT,
            pymupdf.Rect(50, 100, 200, 118),
        )
        widget.field_value = "LOT-0142 released"
        page.add_widget(widget)
        document.xref_set_key(next(page.widgets()).xref, "AP", "null")
        content = document.tobytes()
    page = read(content)[0]
    assert page.text.endswith("LOT-0142 released")
    assert 48 <= page.words[-1].box.x0_pt <= 200


def test_shown_annotations_are_read_and_notes_are_not():
    def annotated(page):
        text(page)
        page.add_freetext_annot((50, 100, 250, 130), "checked twice", fontsize=11)
        page.add_text_annot((300, 40), "a hidden remark")

    result = read(made(annotated))[0].text
    assert "checked twice" in result
    assert "remark" not in result


def test_check_marks_of_the_symbol_font_are_check_marks():
    def marked(page):
        text(page, "Line cleared")
        page.insert_text((150, 60), "4", fontname="zadb", fontsize=11)
        page.insert_text((170, 60), "8", fontname="zadb", fontsize=11)

    content = made(marked)
    assert read(content)[0].text == "Line cleared ✔ ✘"
    with pymupdf.open(stream=content, filetype="pdf") as document:  # now with the font's own encoding
        xref = next(font[0] for font in document[0].get_fonts() if "Dingbats" in font[3])
        document.xref_set_key(xref, "Encoding", "null")
        content = document.tobytes()
    assert read(content)[0].text == "Line cleared ✔ ✘"


def test_running_order_and_skipping_of_pages():
    content = made(text, text, text)
    assert [page.page_no for page in read(content)] == [1, 2, 3]
    assert [page.page_no for page in read(content, skip={2})] == [1, 3]


def test_attachments_of_the_file_and_of_pages_are_handed_over_within_limits():
    with pymupdf.open(stream=made(text), filetype="pdf") as document:
        document.embfile_add("a", b"first file")
        document[0].add_file_annot((10, 10), b"second file", "b.txt")
        content = document.tobytes()
    with PdfReader().open(content, media_type="application/pdf", limits=ReadLimits()) as reading:
        found = list(reading.attachments())
    assert [(item.attachment_no, item.content) for item in found] == [(1, b"first file"), (2, b"second file")]
    with PdfReader().open(
        content, media_type="application/pdf", limits=ReadLimits(max_attachments=1)
    ) as reading:
        assert next(reading.attachments()).content == b"first file"
        with pytest.raises(LimitError):
            list(reading.attachments())


def test_an_attachment_that_cannot_be_unpacked_comes_empty_and_spares_the_document():
    with pymupdf.open(stream=made(text), filetype="pdf") as document:
        document.embfile_add("a", b"first file " * 100)
        document.embfile_add("b", b"second file")
        stream = next(
            xref
            for xref in range(1, document.xref_length())
            if document.xref_is_stream(xref) and document.xref_stream(xref).startswith(b"first")
        )
        document.update_stream(stream, b"\0no deflate", compress=False)
        document.xref_set_key(stream, "Filter", "/FlateDecode")
        content = document.tobytes()
    with PdfReader().open(content, media_type="application/pdf", limits=ReadLimits()) as reading:
        assert [item.content for item in reading.attachments()] == [b"", b"second file"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", EmptyInputError),
        (b"no PDF at all", CorruptError),
        (b"<html><body>text</body></html>", CorruptError),
        (b"%PDF-1.4\n%junk", CorruptError),
        (made(text, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="secret"), EncryptedError),
        (made(text).split(b"endobj")[0], CorruptError),
    ],
)
def test_a_document_that_cannot_be_read_says_why(content, error):
    with pytest.raises(error):
        read(content)


def test_only_an_owner_password_is_no_obstacle():
    content = made(text, encryption=pymupdf.PDF_ENCRYPT_AES_128, owner_pw="owner", user_pw="")
    assert read(content)[0].text == "Batch record of the granulation"


def test_zero_pages_are_empty_and_too_many_are_refused():
    empty = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    )
    start = empty.index(b"1 0 obj"), empty.index(b"2 0 obj")
    table = b"xref\n0 3\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in start)
    trailer = b"trailer<</Size 3/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(empty)
    with pytest.raises(EmptyInputError):
        read(empty + table + trailer)
    with pytest.raises(LimitError, match="max_pages"):
        read(made(text, text), ReadLimits(max_pages=1))


def test_junk_before_the_header_does_no_harm():
    assert read(b"From: mail\n\n" + made(text))[0].text == "Batch record of the granulation"


def test_a_damaged_file_that_can_be_rebuilt_says_so():
    content = made(text)
    with PdfReader().open(
        content[: content.rindex(b"startxref")], media_type="application/pdf", limits=ReadLimits()
    ) as reading:
        assert reading.repaired
        assert [page.text for page in reading.pages()] == ["Batch record of the granulation"]


def test_a_page_larger_than_allowed_fails_alone():
    with pymupdf.open(stream=made(text), filetype="pdf") as document:
        document.new_page(width=2000, height=100)
        content = document.tobytes()
    pages = read(content, ReadLimits(max_page_side_pt=1000))
    assert isinstance(pages[0], Page)
    assert pages[1] == PageFailure(page_no=2, code="limit.page_side")


def test_a_scan_of_too_many_pixels_is_drawn_at_a_lower_resolution_while_that_can_be_read():
    with PdfReader().open(
        made(scan), media_type="application/pdf", limits=ReadLimits(max_page_pixels=500_000)
    ) as reading:
        (page,) = reading.pages()
        assert 400_000 < page.image(300).size <= 500_000  # 400 by 300 points at about 145 dpi
    limits = ReadLimits(max_page_pixels=200_000)
    assert read(made(scan), limits) == [PageFailure(page_no=1, code="limit.pixels")]


def numbers(count):
    return [lambda page, number=number: text(page, f"page {number}") for number in range(1, count + 1)]


def without_tree(content: bytes, *, keep_count: bool = False) -> bytes:
    """The file with its page tree overwritten, as if that part of it were lost."""
    start = content.index(b"/Kids")
    cut = content.index(b"]", start) + 1
    blank = b" " * (cut - start)
    content = content[:start] + blank + content[cut:]
    return (
        content
        if keep_count
        else content.replace(b"/Type/Pages", b"/Type/Pagez").replace(b"/Count", b"/Lount")
    )


def test_pages_are_found_without_a_page_tree():
    pages = read(without_tree(made(*numbers(4))))
    assert [page.text for page in pages] == [f"page {number}" for number in range(1, 5)]


def test_a_tree_that_counts_too_few_pages_does_not_hide_the_others():
    content = made(*numbers(4)).replace(b"/Count 4", b"/Count 2")
    assert [page.text for page in read(content)] == [f"page {number}" for number in range(1, 5)]


def test_pages_that_the_tree_counts_and_the_file_does_not_hold_are_named():
    with pymupdf.open(stream=made(*numbers(3)), filetype="pdf") as document:
        lost = document[1].xref
        content = document.tobytes()
    content = content.replace(b"\n%d 0 obj" % lost, b"\n%d 0 obx" % lost)
    content = content[: content.rindex(b"xref\n0 ")]  # the table of objects has to be made anew
    first, second, third = read(content)
    assert (first.text, third.text) == ("page 1", "page 3")
    assert isinstance(second, PageFailure)


def test_a_file_cut_off_gives_the_pages_it_holds_and_names_the_rest():
    content = (
        b"%PDF-1.7\n9 0 obj\n<</Linearized 1/L 9999/O 11/E 600/N 4/T 9000/H[1 2]>>\nendobj\n"
        b"10 0 obj\n<</Type/Catalog/Pages 1 0 R>>\nendobj\n"
    )
    for page_xref, name in ((11, b"page 1"), (3, b"page 2")):
        body = b"BT /F1 12 Tf 40 40 Td (" + name + b") Tj ET"
        content += (
            b"%d 0 obj\n<</Type/Page/Parent 1 0 R/MediaBox[0 0 200 200]/Contents %d 0 R"
            b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>\nendobj\n"
            b"%d 0 obj\n<</Length %d>>\nstream\n%b\nendstream\nendobj\n"
            % (page_xref, page_xref + 1, page_xref + 1, len(body), body)
        )
    pages = read(content)
    assert [page.text for page in pages[:2]] == ["page 1", "page 2"]
    assert pages[2:] == [PageFailure(page_no=number, code="input.page_missing") for number in (3, 4)]


def damaged(spoil) -> bytes:
    with pymupdf.open(stream=made(text, text), filetype="pdf") as document:
        spoil(document, document[0].get_contents()[0])
        return document.tobytes()


def _oops(document, xref):
    document.update_stream(xref, document.xref_stream(xref) + b"\nBT [ /oops")


def _cut(document, xref):
    lines = document.xref_stream(xref) + b"\nBT ET" * 50
    document.update_stream(xref, zlib.compress(lines, 0)[:-40], compress=False)
    document.xref_set_key(xref, "Filter", "/FlateDecode")


def _checksum(document, xref):
    packed = bytearray(zlib.compress(document.xref_stream(xref)))
    packed[-1] ^= 1
    document.update_stream(xref, bytes(packed), compress=False)
    document.xref_set_key(xref, "Filter", "/FlateDecode")


@pytest.mark.parametrize("spoil", [_oops, _cut, _checksum])
def test_a_page_read_in_part_keeps_its_words_and_is_named(spoil):
    first, failure, second = read(damaged(spoil))
    assert (first.text, first.quality) == ("Batch record of the granulation", "poor")
    assert failure == PageFailure(page_no=1, code="input.page_damaged")
    assert second.quality == "good"


def test_a_lost_font_makes_the_words_of_a_damaged_file_doubtful():
    with pymupdf.open(stream=made(text), filetype="pdf") as document:
        font = document[0].get_fonts()[0][0]
        content = document.tobytes()
    content = content.replace(b"\n%d 0 obj" % font, b"\n%d 0 obx" % font)
    _, failure = read(content[: content.rindex(b"xref\n0 ")])
    assert failure == PageFailure(page_no=1, code="input.page_damaged")


def test_a_character_without_a_meaning_makes_a_page_poor():
    content = made(text)
    with pymupdf.open(stream=content, filetype="pdf") as document:
        font, cmap = document[0].get_fonts()[0][0], document.get_new_xref()
        document.update_object(cmap, "<<>>")
        document.update_stream(
            cmap,
            b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange\n"
            b"1 beginbfchar <42> <FFFD> endbfchar endcmap end",
        )
        document.xref_set_key(font, "ToUnicode", f"{cmap} 0 R")
        content = document.tobytes()
    (page,) = read(content)
    assert page.text == "\ufffdatch record of the granulation"
    assert page.quality == "poor"


def torn(content: bytes) -> bytes:
    """The file with the second half of its first picture gone."""
    with pymupdf.open(stream=content, filetype="pdf") as document:
        picture = document[0].get_images()[0][0]
        document.update_stream(picture, zlib.compress(b"\x80" * 600 * 200), compress=False)
        document.xref_set_key(picture, "Filter", "/FlateDecode")
        return document.tobytes()


def test_a_scan_whose_picture_is_torn_is_read_and_named():
    with PdfReader().open(torn(made(scan)), media_type="application/pdf", limits=ReadLimits()) as reading:
        pages = reading.pages()
        page = next(pages)
        assert page.image(100).shape == (417, 556)
        assert list(pages) == [PageFailure(page_no=1, code="input.page_damaged")]


def test_a_scan_whose_picture_is_gone_is_no_blank_page():
    content = made(scan)
    with pymupdf.open(stream=content, filetype="pdf") as document:
        picture = document[0].get_images()[0][0]
    content = content.replace(b"\n%d 0 obj" % picture, b"\n%d 0 obx" % picture)
    assert read(content[: content.rindex(b"xref\n0 ")]) == [PageFailure(page_no=1, code="input.corrupt")]


def test_a_damaged_picture_or_colour_does_not_make_the_text_doubtful():
    def spoil(document, xref):
        page = document[0]
        page.insert_image((300, 200, 390, 290), stream=grey_picture())
        picture = page.get_images()[0][0]
        document.update_stream(picture, zlib.compress(b"\0" * 90_000)[:-30], compress=False)
        document.xref_set_key(picture, "Filter", "/FlateDecode")
        profile = document.get_new_xref()
        document.update_object(profile, "<</N 7>>")
        document.update_stream(profile, b"no profile")
        resources = int(document.xref_get_key(page.xref, "Resources")[1].split()[0])
        document.xref_set_key(resources, "ColorSpace", f"<</C1[/ICCBased {profile} 0 R]>>")
        document.update_stream(xref, b"/C1 cs 0 scn\n" + document.xref_stream(xref))

    assert [page.quality for page in read(damaged(spoil))] == ["good", "good"]


def test_a_content_stream_that_unpacks_beyond_the_limit_fails_its_page_and_spares_the_next():
    with pymupdf.open(stream=made(text, text), filetype="pdf") as document:
        xref = document[0].get_contents()[0]
        document.update_stream(xref, b" " * 3_000_000)
        content = document.tobytes(deflate=True)
    first, second = read(content, ReadLimits(max_expanded_bytes=1_000_000))
    assert first == PageFailure(page_no=1, code="limit.expanded")
    assert second.text == "Batch record of the granulation"


def test_a_page_whose_content_cannot_be_unpacked_is_named_and_not_taken_for_blank():
    with pymupdf.open(stream=made(text, text), filetype="pdf") as document:
        xref = document[0].get_contents()[0]
        document.update_stream(xref, zlib.compress(b"BT ET " * 200)[:20] + b"\x00" * 50, compress=False)
        document.xref_set_key(xref, "Filter", "/FlateDecode")
        content = document.tobytes()
    first, second = read(content)
    assert first == PageFailure(page_no=1, code="input.corrupt")
    assert isinstance(second, Page)


def test_nothing_is_printed_about_a_damaged_document(capfd):
    content = made(text)
    read(content[: content.rindex(b"startxref")])
    assert capfd.readouterr() == ("", "")


@pytest.mark.shared
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpora are not beside the checkout")
def test_tables_of_a_real_batch_record_keep_rows_columns_and_broken_words():
    content = (CORPUS / "gmp_batch_records" / "01_atorvastatin_ebr.pdf").read_bytes()
    page = read(content, skip=[n for n in range(1, 23) if n != 2])[0]
    rows = page.tables[1].grid(page)
    assert rows[4][:3] == ["Croscarmell ose Sodium", "CCS-L2402 19", "AR-QC-240 047"]
    assert (len(rows), len(rows[0]), page.tables[1].header_row_count) == (9, 10, 1)


@pytest.mark.shared
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpora are not beside the checkout")
def test_bullets_of_a_real_file_are_bullets():
    content = (CORPUS / "pdf_edge_cases" / "negative-coords.pdf").read_bytes()
    text_of_page = read(content)[0].text
    assert "\n▪ Life Cycle Assessment" in text_of_page
    assert not any("\ue000" <= sign <= "\uf8ff" for sign in text_of_page)


@pytest.mark.shared
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpora are not beside the checkout")
def test_three_columns_of_a_real_gazette_are_read_in_order():
    content = (CORPUS / "pdf_edge_cases" / "federal-register-2020-17221.pdf").read_bytes()
    page = read(content, skip=range(2, 16))[0].text
    marks = [
        "Airworthiness Directives; The Boeing",
        "Federal eRulemaking Portal",
        "Confidential Business Information (CBI)\n",
        "VerDate",
    ]
    assert [page.index(mark) for mark in marks] == sorted(page.index(mark) for mark in marks)
