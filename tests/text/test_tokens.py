from __future__ import annotations

from hypothesis import given, settings, strategies as st

from extractor.text import tokens
from extractor.text.tokens import BORDER, LINE, SPACE, iter_chunks
from tests.extractors.made import document, table

ODD_TEXT = st.text(
    alphabet=st.sampled_from(
        "abZ1 9.,-/%()\n\t\f\u00e9e\u0301\u03b1\u05d0\u0627\U0001f48a\u200b\u00a0\u2028"
    ),
    max_size=200,
)


@given(ODD_TEXT)
def test_pieces_quote_the_text_and_leave_out_only_white_space(text):
    doc = document(text)
    covered = set()
    for chunk in iter_chunks(doc):
        for word, start in zip(chunk.words, chunk.starts, strict=True):
            assert doc.text[start : start + len(word)] == word
            covered.update(range(start, start + len(word)))
    assert all(doc.text[at].isspace() for at in set(range(len(doc.text))) - covered)


@given(ODD_TEXT)
@settings(max_examples=30, deadline=None)
def test_the_spacy_doc_holds_the_text_verbatim(text):
    for chunk in iter_chunks(document(text)):
        assert chunk.spacy_doc.text == chunk.text
        placed = [(t.text, t.idx + chunk.start) for t in chunk.spacy_doc if not t.text.isspace()]
        assert placed == list(zip(chunk.words, chunk.starts, strict=True))


def test_numbers_come_apart_from_units_slashes_and_hyphens():
    (chunk,) = iter_chunks(document("5mg/mL, 1,234.5-fold B12 HbA1c"))
    assert chunk.words == ["5", "mg", "/", "mL", ",", "1,234.5", "-", "fold", "B12", "HbA1c"]


def test_gaps_tell_lines_from_borders():
    (chunk,) = iter_chunks(document("a b\nc\n\nd\te\ff"))
    assert list(chunk.gaps) == [BORDER, SPACE, LINE, BORDER, BORDER, BORDER]


def test_a_new_table_cell_is_a_border_even_on_a_new_line():
    (chunk,) = iter_chunks(table(("acute", "renal"), ("failure\nof", "x")))
    assert list(chunk.gaps) == [BORDER, BORDER, BORDER, LINE, BORDER]


def test_a_long_document_comes_in_chunks_that_touch_and_only_some_are_kept():
    doc = document("\n\n".join(f"Paragraph {number} with some words." for number in range(40_000)))
    chunks = [(chunk.start, len(chunk.text)) for chunk in iter_chunks(doc)]
    assert len(chunks) > 10
    assert [start for start, _ in chunks[1:]] == [start + size for start, size in chunks[:-1]]
    assert sum(size for _, size in chunks) == len(doc.text)
    assert all(size <= tokens.CHUNK_CHARACTERS for _, size in chunks)
    assert len(tokens._kept) * tokens.CHUNK_CHARACTERS <= tokens.KEPT_CHARACTERS


def test_extractors_of_one_document_share_chunks_and_a_new_document_lets_them_go():
    doc = document("one two")
    (first,), (second,) = iter_chunks(doc), iter_chunks(doc)
    assert first is second
    list(iter_chunks(document("other")))
    (third,) = iter_chunks(doc)
    assert third is not first


def test_a_single_word_longer_than_a_chunk_is_still_covered():
    doc = document("x" * (tokens.CHUNK_CHARACTERS * 2 + 5))
    assert "".join(chunk.text for chunk in iter_chunks(doc)) == doc.text
