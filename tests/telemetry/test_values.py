import pytest

from extractor.telemetry.values import NOT_AN_ID, OTHER, as_code, as_id, as_ids

NOT_IDS = {
    "name": "Jane Doe",
    "path": "/inbox/jane.pdf",
    "uri": "s3://bucket/key",
    "accent": "Müller",
    "empty": "",
    "newline": "abc\n",
    "too_long": "a" * 129,
}


@pytest.mark.parametrize("value", ["a" * 64, "0.1.0+0123456789ab", "order-17", "tesseract@5.3.4", "1:2"])
def test_an_id_passes_as_it_is(value):
    assert as_id(value) == value


@pytest.mark.parametrize("value", NOT_IDS.values(), ids=NOT_IDS.keys())
def test_what_is_no_id_is_replaced(value):
    assert as_id(value) == NOT_AN_ID


@pytest.mark.parametrize("value", ["input.corrupt", "bug.ValueError", "ocr", "lab_test", "limit.page_side"])
def test_a_code_passes_as_it_is(value):
    assert as_code(value) == value


@pytest.mark.parametrize("value", [*NOT_IDS.values(), "a.b.c.d.e", "5mg"], ids=[*NOT_IDS, "dots", "digit"])
def test_what_is_no_code_is_replaced(value):
    assert as_code(value) == OTHER


def test_ids_that_are_not_given_are_left_out():
    assert as_ids({"a": None, "b": "", "c": "1"}) == {"c": "1"}
