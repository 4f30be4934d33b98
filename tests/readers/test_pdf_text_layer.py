from __future__ import annotations

import pytest

from extractor.readers.pdf_text_layer import PageFigures, is_garbled, judge

LETTER = (
    "The inlet temperature was recorded every fifteen minutes and stayed within the limits of the batch record. "
    * 4
).split()
TABLE = [
    "RPM",
    "60",
    "PASS",
    "JM",
    "17.2",
    "kW",
    "NLT",
    "99.0%",
    "RMG-001",
    "FBD-001",
    "COA-4021-2602",
    "\\[signed]",
    "**98.8%**",
    "<br",
    "/>",
    "1:100",
    "R&D",
    "10,000",
]


def spread(texts, top=0.0, bottom=1.0):
    return [(text, top + (bottom - top) * number / len(texts)) for number, text in enumerate(texts)]


def test_a_page_with_nothing_on_it_is_blank():
    assert judge(PageFigures(words=[])) == "blank"


def test_a_picture_or_many_curves_without_text_need_ocr():
    assert judge(PageFigures(words=[], picture_share=0.9)) == "no-text"
    assert judge(PageFigures(words=[], stroke_count=2000)) == "no-text"
    assert judge(PageFigures(words=[], picture_share=0.001, stroke_count=10)) == "blank"


def test_a_stamp_over_a_scan_is_stray_and_a_full_layer_over_a_scan_is_not():
    assert (
        judge(PageFigures(words=spread(["Reference", "ID:", "4479168"], 0.96, 0.97), picture_share=1.0))
        == "stray-text"
    )
    assert judge(PageFigures(words=spread(LETTER), picture_share=1.0)) == "usable"
    assert judge(PageFigures(words=spread(LETTER[:20]), picture_share=1.0)) == "usable"  # a sparse title page


def test_glyphs_that_come_as_control_characters_are_garbled_and_not_blank():
    assert judge(PageFigures(words=[], control_count=40)) == "garbled-text"
    assert judge(PageFigures(words=spread(LETTER), control_count=3)) == "usable"


def test_the_same_few_words_on_a_digital_page_are_usable():
    assert judge(PageFigures(words=spread(["Page", "3"], 0.9, 0.95), picture_share=0.05)) == "usable"


@pytest.mark.parametrize(
    "texts",
    [
        ["\ufffd\ufffd\ufffd", "\ufffdab"],
        ["\ue012\ue013\ue014", "\ue020\ue021"],
        ["\x13\x14\x15\x16", "\x17\x18"],
        ['"7+%-'],
        # every letter three glyphs off: Latin text without vowels
        [
            "WKH",
            "TXLFN",
            "EURZQ",
            "IRA",
            "MXPSV",
            "RYHU",
            "WKH",
            "ODCB",
            "GRJV",
            "DQG",
            "UXQV",
            "KRPH",
            "WKURXJK",
            "WKH",
            "GDUN",
            "IRUHVW",
            "WRQLJKW",
        ],
    ],
)
def test_characters_without_meaning_are_garbled(texts):
    assert is_garbled(texts)
    assert judge(PageFigures(words=spread(texts))) == "garbled-text"


@pytest.mark.parametrize(
    "texts",
    [
        LETTER,
        TABLE * 20,
        ["42"],
        ["______", "......"],
        ["청구서", "번호", "표", "1급", "감염병"],
        ["项目描述 负责四川省"],
        ["Příliš", "žluťoučký", "kůň", "úpěl", "ďábelské", "ódy"],
        ["تحسين", "الإنتاجية", "وحل", "المشكلات"],
        ["HPLC", "RSD", "NMT", "LOD", "KFT", "MCC", "QC", "QA"],
        ["see", "https://example.org/a?b=1&c=2", "[x]", "✓"],
        ["name", "a\ufffd", *LETTER],
    ],
)
def test_writing_of_any_language_tables_and_codes_are_not_garbled(texts):
    assert not is_garbled(texts)
