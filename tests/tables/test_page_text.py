from hypothesis import given

from extractor.tables.governed import Inheritance
from extractor.tables.page_text import PAGE_TEXT, document_from_rows, page_text_rows
from tests.strategies import documents

INHERITED = Inheritance(
    doc_id="d" * 64,
    extraction_id="e",
    run_id="r",
    pipeline_version="p",
    study_id=None,
    subject_id=None,
    classification="PHI",
    consent_scope="none",
)


@given(documents())
def test_a_document_comes_back_from_its_rows_as_it_was_assembled(document):
    good, bad = PAGE_TEXT.split(PAGE_TEXT.to_arrow(page_text_rows(document, INHERITED)))

    assert not bad
    assert document_from_rows(good.to_pylist()) == document
