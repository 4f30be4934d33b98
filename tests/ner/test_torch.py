"""The same model by torch and by ONNX Runtime, and what happens when a device's memory is full."""

import json
import logging
import shutil

import numpy as np
import pytest
import torch

from extractor.errors import ConfigError, MissingToolError
from extractor.ner.features import ROWS
from extractor.ner.labels import LabelSet
from extractor.ner.onnx import OnnxBackend
from extractor.ner.torch import TorchBackend
from extractor.training.export import to_int8, to_onnx
from tests.ner import made

LABELS = LabelSet(("drug", "disease"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    made.bert(folder, LABELS.names, rows=ROWS)
    return folder


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    from transformers import AutoModelForTokenClassification

    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    model = AutoModelForTokenClassification.from_pretrained(str(folder), attn_implementation="eager").eval()
    to_onnx(model, path)
    return path


@pytest.fixture(scope="module")
def batch():
    """Five windows of different length, the rest padded."""
    rng = np.random.default_rng(5)
    lengths = np.array([12, 7, 12, 3, 9])
    mask = (np.arange(12) < lengths[:, None]).astype(np.int64)
    ids = rng.integers(5, len(made.VOCABULARY), (5, 12)) * mask
    return ids, rng.integers(0, ROWS, (5, 12)) * mask, mask


def far(first, second, mask):
    return float(np.abs(first - second)[mask == 1].max())


def test_torch_and_onnx_give_the_same_scores(folder, whole, batch):
    by_torch = TorchBackend(folder, device="cpu").scores(*batch)
    by_onnx = OnnxBackend(whole).scores(*batch)

    assert by_torch.shape == by_onnx.shape == (5, 12, len(LABELS.names))
    assert by_torch.dtype == by_onnx.dtype == np.float32
    assert far(by_torch, by_onnx, batch[2]) < 1e-4


def test_features_reach_the_model(folder, batch):
    backend = TorchBackend(folder, device="cpu")
    ids, features, mask = batch

    assert far(backend.scores(ids, features, mask), backend.scores(ids, 0 * features, mask), mask) > 0.01


def test_eight_bit_weights_run_and_stay_near(whole, batch, tmp_path):
    to_int8(whole, tmp_path / "model.int8.onnx")
    small, large = OnnxBackend(tmp_path / "model.int8.onnx").scores(*batch), OnnxBackend(whole).scores(*batch)

    assert (tmp_path / "model.int8.onnx").stat().st_size < whole.stat().st_size
    chosen = batch[2] == 1
    assert np.corrcoef(small[chosen].ravel(), large[chosen].ravel())[0, 1] > 0.95


class Small(TorchBackend):
    """A device that holds no more than so many windows."""

    holds = 5

    def _forward(self, ids, features, mask):
        self.tried = [*getattr(self, "tried", []), len(ids)]
        if len(ids) > self.holds:
            raise torch.OutOfMemoryError("the text of the batch must not be logged")
        return super()._forward(ids, features, mask)


def test_a_batch_that_does_not_fit_is_halved_with_equal_results(folder, batch, caplog):
    whole = TorchBackend(folder, device="cpu").scores(*batch)
    backend = Small(folder, device="cpu")
    backend.holds = 1
    with caplog.at_level(logging.WARNING, logger="extractor.ner.torch"):
        found = backend.scores(*batch)

    assert np.allclose(found, whole, atol=1e-5)
    assert backend.tried == [5, 2, 1, 1, 1, 1, 1]
    assert [record.getMessage() for record in caplog.records] == [
        "device memory is full: batches are cut to 2 windows",
        "device memory is full: batches are cut to 1 windows",
    ]


def test_the_smaller_batch_is_kept(folder, batch):
    backend = Small(folder, device="cpu")
    backend.holds = 2
    backend.scores(*batch)
    backend.tried = []
    backend.scores(*batch)

    assert backend.tried == [2, 2, 1]


def test_one_window_that_does_not_fit_is_an_error(folder, batch):
    backend = Small(folder, device="cpu")
    backend.holds = 0

    with pytest.raises(torch.OutOfMemoryError):
        backend.scores(*batch)


@pytest.mark.parametrize(("precision", "off"), [("fp16", 0.05), ("bf16", 0.4), ("fp32", 1e-6)])
def test_precisions_by_name(folder, batch, precision, off):
    plain = TorchBackend(folder, device="cpu").scores(*batch)
    found = TorchBackend(folder, device="cpu", precision=precision).scores(*batch)

    assert found.dtype == np.float32
    assert far(found, plain, batch[2]) <= off


def test_an_unknown_precision_or_device_is_a_setting_error(folder):
    with pytest.raises(ConfigError, match="known: fp16, bf16, fp32"):
        TorchBackend(folder, device="cpu", precision="int3")
    with pytest.raises(ConfigError, match="no device 'abacus'"):
        TorchBackend(folder, device="abacus")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_a_setting_error(folder):
    with pytest.raises(ConfigError, match="GPU"):
        TorchBackend(folder, device="cuda")


def test_auto_chooses_a_device_that_is_there(folder, batch):
    assert TorchBackend(folder, device="auto", precision="fp32").scores(*batch).shape[0] == 5


def test_an_encoder_without_a_head_is_no_recogniser(folder, tmp_path):
    from transformers import AutoModel

    AutoModel.from_pretrained(str(folder)).save_pretrained(str(tmp_path))

    with pytest.raises(MissingToolError, match="no token classifier"):
        TorchBackend(tmp_path, device="cpu")


@pytest.mark.parametrize("damage", ["no config", "no weights", "broken weights"])
def test_a_folder_that_holds_no_model_says_so(folder, tmp_path, damage):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    if damage == "no config":
        (copy / "config.json").unlink()
    elif damage == "no weights":
        (copy / "model.safetensors").unlink()
    else:
        (copy / "model.safetensors").write_bytes(b"\x00" * 100)

    with pytest.raises(MissingToolError, match="no token-classification model"):
        TorchBackend(copy, device="cpu")


def test_a_missing_onnx_file_is_a_missing_tool(tmp_path):
    with pytest.raises(MissingToolError, match=r"model\.int8\.onnx"):
        OnnxBackend(tmp_path / "model.int8.onnx")


def test_a_model_without_segments_is_read_without_features(tmp_path, batch):
    made.bert(tmp_path, LABELS.names, rows=2)
    backend = TorchBackend(tmp_path, device="cpu")
    ids, features, mask = batch

    assert np.array_equal(backend.scores(ids, features, mask), backend.scores(ids, 0 * features, mask))
    assert json.loads((tmp_path / "config.json").read_text())["type_vocab_size"] == 2
