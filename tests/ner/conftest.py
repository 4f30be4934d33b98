"""Tiny models, made once."""

import pytest

from extractor.ner.labels import LabelSet
from tests.ner import made


@pytest.fixture(scope="session")
def own_folder(tmp_path_factory):
    """A model folder as it ships, exported from a random encoder without features."""
    from extractor.resources import write_manifest
    from extractor.training.export import export_model

    base = tmp_path_factory.mktemp("own")
    trained, out = base / "trained", base / "models" / "tiny" / "1.0.0"
    made.bert(trained, LabelSet().names)
    calibration = {kind: {"temperature": 2.0, "bias": 0.0} for kind in LabelSet().types}
    export_model(trained, out, window_pieces=40, features=False, vocabularies=(), calibration=calibration)
    write_manifest(out, {"name": "tiny", "version": "1.0.0", "licence": "none", "source": "made for a test"})
    return out


BIO = ("O", "B-Chemical", "I-Chemical", "B-Disease", "I-Disease", "B-Dose", "I-Dose")
SENTENCES = (
    (("the", "O"), ("patient", "O"), ("took", "O"), ("aspirin", "B-Chemical"), ("and", "O"), ("ibuprofen", "B-Chemical")),
    (("severe", "B-Disease"), ("headache", "I-Disease"), ("after", "O"), ("aspirin", "B-Chemical")),
    (("no", "O"), ("severe", "B-Disease"), ("headache", "I-Disease"), ("with", "O"), ("ibuprofen", "B-Chemical")),
    (("mild", "O"), ("nausea", "B-Disease"), ("after", "O"), ("the", "O"), ("dose", "O")),
)  # fmt: skip


@pytest.fixture(scope="session")
def foreign_folder(tmp_path_factory):
    """A Hugging Face token classifier (BIO) that has learned a few sentences by heart."""
    folder = tmp_path_factory.mktemp("foreign") / "tiny-bio"
    model = made.bert(folder, BIO, spread=0.1, places=64)
    made.overfit(folder, model, SENTENCES)
    return folder
