from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from extractor.errors import MissingToolError
from extractor.ocr.line_network import LineNetwork

from .scans import draw

MODELS = Path(find_spec("rapidocr").origin).parent / "models"


@pytest.fixture(scope="module")
def network():
    return LineNetwork(MODELS / "PP-OCRv6_rec_small.onnx")


def line_of(text):
    """The printed line with a little paper around it."""
    picture = draw(text, dpi=250, height=90)
    rows, columns = (np.flatnonzero((picture < 128).any(axis=axis)) for axis in (1, 0))
    return picture[rows[0] - 4 : rows[-1] + 5, columns[0] - 6 : columns[-1] + 7]


@pytest.mark.parametrize("text", ["mg", "granulation", "Dry weight 12 kg before compression of batch 7"])
def test_short_and_long_lines_are_read_with_a_place_for_each_character(network, text):
    line = line_of(text)

    found = network.read(line)

    assert found.text == text
    assert len(found.centres_px) == len(found.confidences) == len(text)
    assert list(found.centres_px) == sorted(found.centres_px)
    assert 0 < found.centres_px[0] < found.centres_px[-1] < line.shape[1]
    assert all(0.5 < sure <= 1.0 for sure in found.confidences)


def test_colour_reads_like_grey(network):
    line = line_of("granulation")

    assert network.read(np.repeat(line[:, :, None], 3, axis=2)).text == "granulation"


def test_blank_and_tiny_pictures_hold_no_text(network):
    for shape in ((40, 80), (1, 1), (3, 500)):
        assert network.read(np.full(shape, 255, np.uint8)).text == ""


def test_a_file_that_is_no_network_is_a_missing_tool(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")

    with pytest.raises(MissingToolError, match=r"broken\.onnx"):
        LineNetwork(broken)
