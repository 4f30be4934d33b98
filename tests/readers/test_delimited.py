"""Delimited text is one table in pages of rows."""

import pytest

from extractor.errors import EmptyInputError, LimitError
from extractor.readers.dialect import find_delimiter
from tests.readers.made import grids_of, page_of, read

CSV = "text/csv"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_and_cells_keep_their_places(delimiter):
    content = "\n".join(
        delimiter.join(row) for row in [["id", "name", "value"], ["1", "a b", ""], ["2", "", "7.20"]]
    )
    page = page_of(content.encode())

    assert grids_of(page) == [[["id", "name", "value"], ["1", "a b", ""], ["2", "", "7.20"]]]
    assert page.tables[0].header_row_count == 1
    assert page.text == "id\tname\tvalue\n1\ta b\n2\t7.20"


def test_quotes_hold_delimiters_and_line_ends():
    page = page_of(b'k,v,w\n"a, b","x\ny","say ""hi"""\n1,2,3\n', CSV)

    assert grids_of(page)[0][1] == ["a, b", "x y", 'say "hi"']


def test_a_file_without_names_has_no_header():
    assert page_of(b"1,2,3\n4,5,6\n", CSV).tables[0].header_row_count == 0


def test_long_files_go_on_over_pages():
    content = b"id,name,value\n" + b"".join(b"%d,n%d,x\n" % (row, row) for row in range(1_200))
    pages, _ = read(content)

    assert [page.tables[0].row_count for page in pages] == [500, 500, 201]
    assert [page.tables[0].continues for page in pages] == [False, True, True]
    assert [page.tables[0].header_row_count for page in pages] == [1, 0, 0]
    assert grids_of(pages[2])[0][-1] == ["1199", "n1199", "x"]


def test_blank_rows_stay_inside_and_go_at_the_end():
    page = page_of(b"a,b,c\n\n1,2,3\n,,\n\n", CSV)

    assert page.tables[0].row_count == 3
    assert grids_of(page)[0][1] == ["", "", ""]


def test_a_quote_that_is_never_closed_does_not_swallow_the_file():
    rows = "".join(f"{row},x,y\n" for row in range(300))
    page = page_of(f'5" pipe,x,y\n"open,x,y\n{rows}'.encode(), CSV)

    assert page.tables[0].row_count == 302
    assert grids_of(page)[0][1] == ['"open', "x", "y"]


def test_ragged_rows_lose_nothing():
    page = page_of(b"a,b\n1,2\n3,4\n5,6,7,8\n" + b"1,2\n" * 60, CSV)

    assert grids_of(page)[0][3] == ["5", "6", "7", "8"]


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_those_of_text(codec):
    assert grids_of(page_of("größe;µm\n1;2\n3;4\n5;6\n".encode(codec), CSV))[0][0] == ["größe", "µm"]


def test_limits_hold():
    with pytest.raises(LimitError) as caught:
        read(b"1,2\n" * 2_000, CSV, max_pages=3)
    with pytest.raises(EmptyInputError):
        read(b",,\n,,\n", CSV)

    assert caught.value.code == "limit.pages"


def test_decimal_commas_do_not_hide_the_semicolon():
    assert find_delimiter("a;b\n1,5;2,3\n1,6;2,4\n1,7;2,5\n") == ";"


def test_one_column_and_markdown_tables_are_not_delimited():
    assert find_delimiter("a\nb\nc\n") is None
    assert find_delimiter("| a | b |\n|---|---|\n| 1 | 2 |\n") is None
