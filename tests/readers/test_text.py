"""Plain text and Markdown stay verbatim, with blocks over them."""

import pytest
from hypothesis import example, given, strategies as st

from extractor.errors import EmptyInputError, LimitError
from tests.readers.made import blocks_of, grids_of, page_of, read, text_of

NOTE = "Patient Name: Jane Doe\nMRN: 12-45\n\nHOSPITAL COURSE\n\nShe came in,\nand left.\n- one\n- two\n"
ORDINARY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff"), max_size=200)


@given(ORDINARY.filter(str.strip))
@example("\n\n  a\t b \u00a0c\u2028d \n\f\n\f")
@example("# T\n| a | b |\n|---|---|\n| 1 | |\n")
def test_the_text_of_the_pages_is_the_text_of_the_file(text):
    for media_type in ("text/plain", "text/markdown"):
        pages, _ = read(text.encode(), media_type)

        assert text_of(pages) == text


@given(ORDINARY.filter(str.strip))
def test_words_are_those_of_str_split_and_blocks_cover_each_once(text):
    pages, _ = read(text.encode(), "text/markdown")

    assert [word.text for page in pages for word in page.words] == text.split()
    for page in pages:
        covered = [index for block in page.blocks for index in range(block.first, block.last)]
        assert covered == list(range(len(page.words)))


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "cp1252"]
)
def test_the_encoding_is_found(codec):
    text = "Größe: 5 µm ± 2 °C \u2013 “sealed”\nLot 42\n"

    assert text_of(read(text.encode(codec))[0]) == text


def test_bytes_that_windows_1252_leaves_free_are_kept():
    assert page_of(b"caf\xe9 \x81 x", "text/plain").text == "café \x81 x"


def test_a_few_damaged_bytes_do_not_turn_utf_8_into_gibberish():
    text = "Größe µ °C ± é ü ö ä ß ñ " * 3

    assert page_of(text.encode() + b"\xff end", "text/plain").text == text + "\ufffd end"


def test_line_ends_become_one_kind_and_nul_becomes_a_space():
    assert page_of(b"a\r\nb\rc\0d\n", "text/plain").text == "a\nb\nc d\n"


def test_form_feeds_part_pages_and_an_empty_page_keeps_its_number():
    pages, _ = read(b"one \n\f\f three\f", "text/plain")

    assert [page.text for page in pages] == ["one \n", "", " three", ""]
    assert [page.page_no for page in pages] == [1, 2, 3, 4]


def test_skipped_pages_are_not_yielded():
    from extractor.ports import ReadLimits
    from extractor.readers.text import TextReader

    with TextReader().open(b"a\fb\fc", media_type="text/plain", limits=ReadLimits()) as reading:
        assert [page.text for page in reading.pages(skip={2})] == ["a", "c"]
        assert reading.page_count == 3


def test_blocks_of_a_note():
    assert blocks_of(page_of(NOTE.encode())) == [
        ("key_value", "Patient Name: Jane Doe"),
        ("key_value", "MRN: 12-45"),
        ("heading", "HOSPITAL COURSE"),
        ("paragraph", "She came in,\nand left."),
        ("paragraph", "- one"),
        ("paragraph", "- two"),
    ]


def test_markdown_has_headings_and_tables():
    page = page_of(b"# Results\n\n| Test | Value |\n|------|-------|\n| pH | 7.2 |\n| Na | |\n\nend of it.\n")

    assert [kind for kind, _ in blocks_of(page)] == ["heading", "table", "paragraph"]
    assert grids_of(page) == [[["Test", "Value"], ["pH", "7.2"], ["Na", ""]]]
    assert page.tables[0].header_row_count == 1


def test_limits_and_blank_files_are_refused_with_their_codes():
    with pytest.raises(LimitError) as pages:
        read(b"a\f" * 10 + b"b", "text/plain", max_pages=10)
    with pytest.raises(LimitError) as size:
        read(b"a" * 100, "text/plain", max_expanded_bytes=99)
    with pytest.raises(EmptyInputError):
        read(b" \n\0", "text/plain")

    assert (pages.value.code, size.value.code) == ("limit.pages", "limit.expanded")


def test_a_very_long_text_is_one_page_and_stays_verbatim():
    text = "given aspirin 81 mg daily.\n" * 25_000
    page = page_of(text.encode(), "text/plain")

    assert len(page.words) == 125_000
    assert page.text == text
