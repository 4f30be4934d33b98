"""Sheets are tables, cells as they are shown."""

import datetime as dt

import pytest

from extractor.errors import CorruptError, EmptyInputError, LimitError
from tests.readers.made import blocks_of, grids_of, page_of, read, with_part, xlsx_bytes, zip_bytes


def _batch(book):
    sheet = book.active
    sheet.title = "Lot 42"
    sheet.append(["Step", "Setpoint", "When", "Passed"])
    sheet.append(["Mix", 7.2, dt.datetime(2024, 3, 5, 13, 30), True])  # noqa: DTZ001 - cells have no zone
    sheet["B2"].number_format = "0.00"
    sheet.append([])
    sheet.append(["Dry", 12, dt.date(2024, 3, 6), None])


def test_cells_are_shown_as_in_the_sheet_and_its_name_is_the_heading():
    page = page_of(xlsx_bytes(_batch))

    assert blocks_of(page)[0] == ("heading", "Lot 42")
    assert grids_of(page) == [
        [
            ["Step", "Setpoint", "When", "Passed"],
            ["Mix", "7.20", "2024-03-05 13:30:00", "TRUE"],
            ["", "", "", ""],
            ["Dry", "12", "2024-03-06", ""],
        ]
    ]
    assert page.tables[0].header_row_count == 1


def test_each_sheet_starts_a_page_hidden_ones_too():
    def fill(book):
        book.active["A1"] = "first"
        hidden = book.create_sheet("Hidden")
        hidden.sheet_state = "hidden"
        hidden["C3"] = "x"

    pages, _ = read(xlsx_bytes(fill))

    assert [page.words[-1].text for page in pages] == ["first", "x"]
    assert grids_of(pages[1])[0][2] == ["", "", "x"]


def test_merged_cells_span_and_stay_in_place():
    def fill(book):
        sheet = book.active
        for row in (["wide", None, "c"], ["tall", 1, 2], [None, 3, 4]):
            sheet.append(row)
        sheet.merge_cells("A1:B1")
        sheet.merge_cells("A2:A3")

    page = page_of(xlsx_bytes(fill))
    spans = {
        page.quote(cell.first, cell.last): (cell.row_span, cell.column_span) for cell in page.tables[0].cells
    }

    assert grids_of(page) == [[["wide", "", "c"], ["tall", "1", "2"], ["", "3", "4"]]]
    assert (spans["wide"], spans["tall"]) == ((1, 2), (2, 1))


def test_a_merge_that_a_page_break_cuts_loses_no_cell():
    def fill(book):
        sheet = book.active
        for row in range(1, 520):
            sheet.append([f"m{row}" if row == 499 else None, row])
        sheet.merge_cells("A499:A510")

    pages, _ = read(xlsx_bytes(fill))

    assert grids_of(pages[0])[0][498] == ["m499", "499"]
    assert grids_of(pages[1])[0][0] == ["", "501"]


def test_long_sheets_go_on_over_pages_and_wide_ones_have_fewer_rows():
    def fill(book):
        for row in range(1_100):
            book.active.append([row])
        book.create_sheet("wide").append(list(range(10_000)))
        for row in range(2, 12):
            book["wide"].cell(row, 1, row)

    pages, _ = read(xlsx_bytes(fill))

    assert [page.tables[0].row_count for page in pages] == [500, 500, 100, 5, 5, 1]
    assert [page.tables[0].continues for page in pages] == [False, True, True, False, True, True]


def test_a_formula_gives_its_last_value():
    content = xlsx_bytes(lambda book: book.active.append(["=1+1", "x"]))
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">'
    )
    sheet += b'<c r="A1"><f>1+1</f><v>2</v></c><c r="B1" t="inlineStr"><is><t>x</t></is></c></row></sheetData></worksheet>'

    assert grids_of(page_of(with_part(content, "xl/worksheets/sheet1.xml", sheet))) == [[["2", "x"]]]


def test_numbers_in_raised_runs_and_escapes_are_read():
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    rich = (
        '<r><t>10</t></r><r><rPr><vertAlign val="superscript"/></rPr><t>9</t></r>'
        "<r><t>/L_x0041_</t></r><rPh><t>NO</t></rPh>"
    )
    cells = f'<c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is>{rich}</is></c>'
    content = xlsx_bytes(lambda book: None)
    rels = (
        '<Relationships><Relationship Id="rId1" Type="x/worksheet" Target="/xl/worksheets/sheet1.xml"/>'
        '<Relationship Id="rId2" Type="x/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
    )
    content = with_part(content, "xl/_rels/workbook.xml.rels", rels)
    content = with_part(content, "xl/sharedStrings.xml", f"<sst {space}><si>{rich}</si></sst>")
    sheet = f'<worksheet {space}><sheetData><row r="1">{cells}</row></sheetData></worksheet>'

    assert grids_of(page_of(with_part(content, "xl/worksheets/sheet1.xml", sheet))) == [
        [["10⁹/LA", "10⁹/LA"]]
    ]


def test_bad_workbooks_are_refused():
    whole = xlsx_bytes(_batch)
    with pytest.raises(EmptyInputError):
        read(xlsx_bytes(lambda book: None))
    with pytest.raises(CorruptError):
        read(whole[: len(whole) // 2], "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    with pytest.raises(CorruptError):
        read(with_part(whole, "xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row>"))
    with pytest.raises(LimitError) as bomb:
        read(whole, max_expanded_bytes=1_000)
    assert bomb.value.code == "limit.expanded"


def test_a_cell_at_the_far_corner_does_not_fill_the_memory():
    def fill(book):
        book.active["A1"] = "a"
        book.active["XFD3000"] = "z"

    pages, _ = read(xlsx_bytes(fill))

    assert len(pages) == 1_000
    assert sum(len(page.tables[0].cells) for page in pages) < 20_000
    assert pages[-1].words[-1].text == "z"


def test_a_package_without_a_workbook_is_corrupt():
    with pytest.raises(CorruptError):
        read(zip_bytes({"x": "y"}), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
