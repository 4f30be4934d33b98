"""Model folders: ours are checked, foreign ones are mapped, and what does not fit says so."""

import json
import shutil

import numpy as np
import pytest

from extractor.errors import ConfigError, MissingToolError
from extractor.ner.labels import TYPES, LabelSet
from extractor.ner.model import Calibration, _Columns, foreign_labels, load_model
from extractor.ner.recogniser import Text
from extractor.ner.words import words_of


def config(*labels):
    return {"id2label": {str(place): label for place, label in enumerate(labels)}}


def load(folder, **settings):
    return load_model(str(folder), extractor="ner", version="1.0", **settings)


def test_an_own_folder_is_named_by_its_manifest(own_folder):
    model = load(own_folder)

    assert (model.maker.model, model.maker.model_version) == ("tiny", "1.0.0")
    assert len(model.maker.model_sha256) == 64
    assert set(model.calibration) == set(TYPES)


def test_an_own_folder_with_features_reads_the_vocabularies_it_names(tmp_path):
    from extractor.ner.features import ROWS
    from extractor.resources import write_manifest
    from extractor.training.export import export_model
    from tests.ner import made

    made.bert(tmp_path / "trained", LabelSet().names, rows=ROWS)
    vocabularies = ["vocabulary-drugs/1.0.0", "vocabulary-diseases/1.0.0"]
    folder = export_model(
        tmp_path / "trained", tmp_path / "own", window_pieces=40, features=True, vocabularies=vocabularies, calibration={}
    )  # fmt: skip
    write_manifest(folder, {"name": "own", "version": "1", "licence": "none", "source": "made"})
    words = words_of("Warfarin for atrial fibrillation")

    model = load(folder)

    assert model.recogniser._features.of(words.texts) == [6, 0, 15, 20]
    assert len(list(model.recogniser.mentions([Text(words=words)]))) == 1


@pytest.mark.parametrize("file", ["ner.json", "model.int8.onnx", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["altered", "absent"])
def test_an_own_folder_that_differs_from_its_manifest_is_refused(own_folder, tmp_path, file, damage):
    folder = tmp_path / "copy"
    shutil.copytree(own_folder, folder)
    if damage == "altered":
        with (folder / file).open("ab") as stream:
            stream.write(b" ")
    else:
        (folder / file).unlink()

    if (file, damage) == ("ner.json", "absent"):
        with pytest.raises(ConfigError, match="give labels"):
            load(folder)
    else:
        with pytest.raises(MissingToolError, match="absent or altered"):
            load(folder)


def test_a_folder_without_manifest_is_not_one_of_ours(own_folder, tmp_path):
    shutil.copytree(own_folder, tmp_path / "copy")
    (tmp_path / "copy" / "manifest.json").unlink()

    with pytest.raises(MissingToolError):
        load(tmp_path / "copy")


def test_a_name_that_is_nowhere_is_a_missing_tool(monkeypatch, own_folder):
    monkeypatch.setenv("EXTRACTOR_MODELS", str(own_folder.parents[1]))

    with pytest.raises(MissingToolError, match="no-such-model"):
        load("no-such-model")


def test_an_unknown_backend_is_a_setting_error(own_folder):
    with pytest.raises(ConfigError, match="onnx, torch"):
        load(own_folder, backend="tensorflow")


def test_a_foreign_folder_needs_labels(foreign_folder):
    with pytest.raises(ConfigError, match="give labels"):
        load(foreign_folder, backend="torch")


def test_a_label_that_the_model_has_not_is_told_with_those_it_has(foreign_folder):
    with pytest.raises(ConfigError, match="no label 'Drug'; it has Chemical, Disease, Dose, O"):
        load(foreign_folder, backend="torch", labels={"Drug": "drug"})


def test_a_foreign_folder_without_the_onnx_file_says_so(foreign_folder):
    with pytest.raises(MissingToolError, match=r"model\.int8\.onnx"):
        load(foreign_folder, labels={"Chemical": "drug"})


MAP = {"Drug": "drug", "ADE": "adverse_effect"}


@pytest.mark.parametrize(
    ("labels", "begin", "inside", "end", "single"),
    [
        (("O", "B-Drug", "I-Drug", "B-ADE", "I-ADE"), [1], [2], [2], [1]),
        (("O", "B-Drug", "I-Drug", "E-Drug", "S-Drug", "S-ADE"), [1], [2], [3], [4]),
        (("O", "B-Drug", "I-Drug", "L-Drug", "U-Drug", "U-ADE"), [1], [2], [3], [4]),
        (("B-Drug", "M-Drug", "E-Drug", "S-Drug", "O", "S-ADE"), [0], [1], [2], [3]),
        (("Drug", "O", "ADE"), [0], [0], [0], [0]),
        (("O", "I-Drug", "I-ADE"), [1], [1], [1], [1]),
    ],
    ids=["BIO", "BIOES", "BILOU", "BMES", "bare", "IO"],
)
def test_every_scheme_becomes_ours(labels, begin, inside, end, single):
    made, columns = foreign_labels(config(*labels), MAP)

    assert made.types == ("drug", "adverse_effect")
    assert columns[0] == [labels.index("O")]
    assert columns[1:5] == [begin, inside, end, single]


def test_labels_left_out_count_as_outside_and_several_may_be_one_type():
    made, columns = foreign_labels(
        config("O", "B-Brand", "B-Generic", "B-Person"), {"Brand": "drug", "Generic": "drug"}
    )

    assert made.types == ("drug",)
    assert columns == [[0, 3], [1, 2], [], [], [1, 2]]


class Fixed:
    def __init__(self, scores):
        self._scores = np.asarray(scores, dtype=np.float32)

    def scores(self, ids, features, mask):
        return self._scores


def test_outputs_of_one_label_are_added_up():
    _, columns = foreign_labels(
        config("O", "B-Brand", "B-Generic", "B-Person"), {"Brand": "drug", "Generic": "drug"}
    )
    probabilities = [0.1, 0.3, 0.2, 0.4]

    (scores,) = _Columns(Fixed([[np.log(probabilities)]]), columns).scores(None, None, None)[0]

    assert np.exp(scores[:2]) == pytest.approx([0.5, 0.5])
    assert (scores[2:4] < -1000).all()


def test_neighbouring_words_of_a_bare_label_are_one_mention():
    from extractor.ner.decoding import decode, log_softmax

    _, columns = foreign_labels(config("O", "Drug"), {"Drug": "drug"})
    runs = _Columns(Fixed([[[0, 3], [0, 3], [0, 3], [3, 0], [0, 3]]]), columns)
    scores = log_softmax(runs.scores(None, None, None)[0], runs.counted)
    spans = decode([scores])[0]

    assert [(span.first, span.last) for span in spans] == [(0, 3), (4, 5)]
    assert spans[0].score == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-3)


def test_a_foreign_model_says_what_it_learned_and_has_no_probabilities(foreign_folder):
    model = load(foreign_folder, backend="torch", labels={"Chemical": "drug", "Disease": "disease"})
    text = "Severe headache after aspirin."
    (mentions,) = model.recogniser.mentions([Text(words=words_of(text))])

    assert [(text[m.start : m.end], m.kind) for m in mentions] == [
        ("Severe headache", "disease"),
        ("aspirin", "drug"),
    ]
    assert model.calibration == {}
    assert (model.maker.model, model.maker.model_version) == ("tiny-bio", None)


def test_an_endless_word_fits_into_a_foreign_models_places(foreign_folder):
    places = json.loads((foreign_folder / "config.json").read_text())["max_position_embeddings"]
    model = load(foreign_folder, backend="torch", labels={"Chemical": "drug"})
    text = "the patient " * 50 + "ab" * 40 + " took aspirin"
    (mentions,) = model.recogniser.mentions([Text(words=words_of(text))])

    assert len(text.split()[100]) > places
    assert text[mentions[-1].start : mentions[-1].end] == "aspirin"


@pytest.mark.parametrize("score", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_calibration_rises_with_the_score_and_stays_a_probability(score):
    fitted = Calibration(temperature=1.7, bias=-0.4)

    assert 0.0 < fitted.probability(score) < 1.0
    assert fitted.probability(score) <= fitted.probability(min(1.0, score + 0.1))


def test_temperature_one_without_bias_changes_nothing():
    assert Calibration(temperature=1.0, bias=0.0).probability(0.3) == pytest.approx(0.3)
