import pytest
from hypothesis import given, strategies as st

from extractor.document import Cell, Document, Page, Table, Word
from extractor.spans import BBox, Span
from tests.strategies import documents


@given(documents())
def test_each_word_quotes_itself(document):
    for start, (_, word) in zip(document.word_starts, document.iter_words(), strict=True):
        assert document.text[start : start + len(word.text)] == word.text


@given(documents())
def test_pages_are_parted_by_form_feeds_and_nothing_is_trimmed(document):
    assert document.text.split("\f") == [page.text for page in document.pages]


@given(documents(), st.data())
def test_the_words_of_a_span_are_those_it_touches(document, data):
    if not document.text:
        return
    start = data.draw(st.integers(0, len(document.text) - 1))
    span = Span(start, data.draw(st.integers(start + 1, len(document.text))))
    starts = list(document.word_starts)
    expected = [
        (page_no, word, Span(at, at + len(word.text)))
        for at, (page_no, word) in zip(starts, document.iter_words(), strict=True)
        if at < span.end and at + len(word.text) > span.start
    ]

    assert list(document.words_in(span)) == expected


@given(documents())
def test_every_word_is_on_the_page_that_its_offset_names(document):
    for start, (page_no, _) in zip(document.word_starts, document.iter_words(), strict=True):
        assert document.page_no_at(start) == page_no


def test_pages_must_be_numbered_without_a_gap():
    with pytest.raises(ValueError, match="gap"):
        Document.assemble(doc_id="d", media_type="m", pages=[Page(page_no=1), Page(page_no=3)])


@pytest.mark.parametrize("bad", [{"text": ""}, {"text": "a\fb"}, {"text": "a", "before": "x"}])
def test_a_word_is_valid_from_birth(bad):
    with pytest.raises(ValueError, match=r"word|white space"):
        Word(**bad)


def test_a_word_outside_its_page_is_refused():
    word = Word(text="a", box=BBox(0, 0, 700, 10))

    with pytest.raises(ValueError, match="outside"):
        Page(page_no=1, width_pt=612, height_pt=792, words=(word,))


def test_a_grid_shows_blank_cells_as_empty_strings_and_merged_ones_once():
    page = Page(page_no=1, words=(Word(text="Lot"), Word(text="no."), Word(text="7")))
    cells = (
        Cell(row_no=1, column_no=1, first=0, last=2, column_span=2),
        Cell(row_no=2, column_no=1, first=2, last=3),
        Cell(row_no=2, column_no=2, first=3, last=3),
    )

    assert Table(table_no=1, row_count=2, column_count=2, cells=cells).grid(page) == [
        ["Lot no.", ""],
        ["7", ""],
    ]
