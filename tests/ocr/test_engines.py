import os
import shutil
import sys

import numpy as np
import pytest

from extractor.errors import ConfigError, MissingToolError, OcrTimeoutError
from extractor.ocr.rapidocr import RapidOcrEngine
from extractor.ocr.tesseract import TesseractEngine
from extractor.ocr.tesserocr import TesserocrEngine
from extractor.ocr.words import split_word
from extractor.registry import OCR_ENGINES, load

from .scans import draw

TEXT = "Blend time 15 min and dry weight 12 kg"


@pytest.fixture(scope="module")
def tesserocr_engine():
    return TesserocrEngine()


@pytest.fixture(scope="module")
def rapidocr_engine():
    return RapidOcrEngine()


@pytest.fixture(scope="module")
def picture():
    return draw(TEXT, dpi=250, height=90)


@pytest.mark.parametrize("engine", ["tesserocr_engine", "rapidocr_engine"])
def test_an_engine_reads_words_with_boxes_and_confidence(engine, picture, request, capfd):
    words = request.getfixturevalue(engine).words(picture, dpi=250, timeout_s=30)

    assert [word.text for word in words] == TEXT.split()
    height, width = picture.shape
    for word in words:
        assert 0 <= word.x0_px < word.x1_px <= width
        assert 0 <= word.y0_px < word.y1_px <= height
        assert 0.8 < word.confidence <= 1.0
        assert picture[int(word.y0_px) : int(word.y1_px), int(word.x0_px) : int(word.x1_px)].min() < 100
    assert [word.x0_px for word in words] == sorted(word.x0_px for word in words)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("engine", ["tesserocr_engine", "rapidocr_engine"])
def test_colour_and_blank_pictures_are_read_too(engine, picture, request):
    reader = request.getfixturevalue(engine)

    colour = np.repeat(picture[:, :, None], 3, axis=2)
    assert [word.text for word in reader.words(colour, dpi=250, timeout_s=30)] == TEXT.split()
    assert reader.words(np.full((200, 300), 255, np.uint8), dpi=250, timeout_s=30) == ()


@pytest.mark.parametrize("engine", ["tesserocr_engine", "rapidocr_engine"])
def test_no_answer_in_time_is_a_timeout(engine, request):
    with pytest.raises(OcrTimeoutError):
        request.getfixturevalue(engine).words(draw(dpi=300), dpi=300, timeout_s=0.001)


def test_an_engine_goes_on_after_a_timeout(tesserocr_engine, picture):
    with pytest.raises(OcrTimeoutError):
        tesserocr_engine.words(draw(dpi=300), dpi=300, timeout_s=0.001)

    assert len(tesserocr_engine.words(picture, dpi=250, timeout_s=30)) == len(TEXT.split())


def test_engines_tell_their_name_and_version(tesserocr_engine, rapidocr_engine):
    assert (tesserocr_engine.name, rapidocr_engine.name) == ("tesserocr", "rapidocr")
    assert all(engine.version[0].isdigit() for engine in (tesserocr_engine, rapidocr_engine))
    assert os.environ["OMP_THREAD_LIMIT"] == "1"


def test_rapidocr_reads_single_lines(rapidocr_engine, picture):
    rows = np.flatnonzero((picture < 128).any(axis=1))
    line = picture[rows[0] - 4 : rows[-1] + 5]

    found = rapidocr_engine.read_lines([line, np.full((40, 80), 255, np.uint8)], timeout_s=30)

    assert [[word.text for word in words] for words in found] == [TEXT.split(), []]


def test_rapidocr_refuses_an_unknown_or_absent_provider():
    with pytest.raises(ConfigError):
        RapidOcrEngine(provider="tpu")
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(MissingToolError):
            RapidOcrEngine(provider="cuda")


def test_an_absent_library_model_or_program_is_named(monkeypatch):
    with pytest.raises(MissingToolError, match="tesseract-xyz"):
        TesserocrEngine(model="tesseract-xyz")
    with pytest.raises(MissingToolError, match=r"eng2\.traineddata"):
        TesserocrEngine(language="eng2")
    with pytest.raises(MissingToolError, match="apt-get"):
        TesseractEngine(program="no-such-tesseract")
    monkeypatch.setitem(sys.modules, "tesserocr", None)
    with pytest.raises(MissingToolError, match="pip install tesserocr"):
        TesserocrEngine()


def test_the_program_reads_as_the_library_does(picture):
    if shutil.which("tesseract") is None:
        with pytest.raises(MissingToolError):
            TesseractEngine()
        return
    engine = TesseractEngine()

    assert [word.text for word in engine.words(picture, dpi=250, timeout_s=60)] == TEXT.split()
    with pytest.raises(OcrTimeoutError):
        engine.words(draw(dpi=300), dpi=300, timeout_s=0.01)


def test_the_registry_knows_every_engine():
    assert {load("ocr_engines", name).name for name in OCR_ENGINES} == set(OCR_ENGINES)


def test_a_word_with_white_space_in_it_is_parted_by_its_characters():
    parts = split_word("ab c", (0, 0, 40, 10), 0.5)

    assert [(part.text, part.x0_px, part.x1_px) for part in parts] == [("ab", 0, 20), ("c", 30, 40)]
