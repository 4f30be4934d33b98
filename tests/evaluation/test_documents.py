"""Annotated text becomes a document without a code point changed."""

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from extractor.errors import InputError
from extractor.evaluation.documents import text_document


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60))
@example("")
@example("  \t leading, then \f\f form feeds \x0c")
@example("\0\x01\x1c\x85\u2028\ufeff e\u0301 \U0001f9ec \u05d0\u05d1 \r\n\r")
def test_the_text_of_the_document_is_the_text(text):
    document = text_document(text)

    assert document.text == text
    assert len(document.pages) == text.count("\f") + 1
    assert "".join(word.text for _, word in document.iter_words()) == "".join(text.split())


def test_paragraphs_are_blocks_as_in_a_text_file():
    (page,) = text_document("FINDINGS\n\nNo fever.\n\nDose: 5 mg").pages

    assert [block.kind for block in page.blocks] == ["heading", "paragraph", "key_value"]


def test_what_no_store_keeps_is_refused():
    with pytest.raises(InputError):
        text_document("a \ud800 b")
