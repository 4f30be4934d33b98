"""A tiny encoder is trained on two made corpora, stopped, gone on with, and exported."""

import json
import random
from pathlib import Path

import pytest
import torch
import yaml

from extractor.errors import ConfigError, InputError, MissingToolError
from extractor.extractors.ner import NerExtractor
from extractor.ner.labels import LabelSet
from extractor.training import ner
from extractor.training.corpus import Corpus
from extractor.training.ner import Settings, Trainer, by_length, tensors
from extractor.training.start import export_ner, train_ner
from tests.extractors.made import document
from tests.ner import made

SHIPPED = Path(__file__).parents[2] / "configs" / "training" / "ner.yaml"
DRUGS, DISEASES, PLAIN = (
    ("aspirin", "ibuprofen"),
    ("headache", "fever", "nausea"),
    ("the", "patient", "took", "after", "no"),
)


def records(marked, *, count, seed):
    """Sentences of drugs, diseases and plain words, in which only ``marked`` are annotated."""
    rng = random.Random(seed)
    for number in range(count):
        words = [rng.choice((*DRUGS, *DISEASES, *PLAIN, *PLAIN)) for _ in range(rng.randint(4, 9))]
        entities, at = [], 0
        for word in words:
            if word in marked:
                entities.append({"start": at, "end": at + len(word), "type": "Name", "text": word})
            at += len(word) + 1
        yield {"id": str(number), "text": " ".join(words), "entities": entities}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two corpora over the same words: one knows drugs and says nothing of diseases, the other the reverse."""
    folder = tmp_path_factory.mktemp("data")
    made.bert(folder / "encoder", ("O",), spread=0.1, places=64)
    for name, marked, seed in (("drugs", DRUGS, 1), ("diseases", DISEASES, 2)):
        lines = [json.dumps(record) for record in records(marked, count=60, seed=seed)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def file_of(data, **changes):
    return {
        "encoder": str(data / "encoder"), "features": False, "epochs": 8, "learning_rate": 3e-3,
        "head_learning_rate": 1e-2, "warmup": 0.1, "weight_decay": 0.01, "batch_pieces": 60, "window_pieces": 24,
        "dropout": 0.1, "average": 0.9, "seed": 7, "precision": "fp32", "threads": 1,
        "corpora": [
            {"name": "drugs", "files": ["drugs.jsonl"], "types": {"Name": ["drug"]}},
            {"name": "diseases", "files": ["diseases.jsonl"], "types": {"Name": ["disease"]}},
        ],
        **changes,
    }  # fmt: skip


def trainer(data, out, **changes):
    return Trainer(Settings.of(file_of(data, **changes), data), out, say=lambda line: None)


def weights(folder):
    from safetensors.torch import load_file

    return load_file(str(folder / "model.safetensors"))


def same(first, second):
    return set(first) == set(second) and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    trainer(data, out).run()
    return out


def test_the_loss_falls(trained):
    log = [json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()]

    assert len(log) >= 8
    assert log[-1]["loss"] < 0.3 * log[0]["loss"]
    assert log[-1]["step"] <= log[-1]["of"]


def test_what_one_corpus_leaves_open_is_learned_from_the_other(trained):
    extractor = NerExtractor(
        model=str(trained / "model"),
        backend="torch",
        device="cpu",
        labels={"drug": "drug", "disease": "disease"},
    )
    doc = document("the patient took aspirin after fever no ibuprofen after headache")

    assert [(entity.span.of(doc.text), entity.label) for entity in extractor.entities(doc)] == [
        ("aspirin", "drug"), ("fever", "disease"), ("ibuprofen", "drug"), ("headache", "disease"),
    ]  # fmt: skip


def test_two_runs_with_one_seed_are_equal_and_another_seed_differs(data, trained, tmp_path):
    once, other = trainer(data, tmp_path / "a").run(), trainer(data, tmp_path / "b", seed=8).run()

    assert same(weights(trained / "model"), weights(once))
    assert not same(weights(once), weights(other))


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(data, trained, tmp_path, monkeypatch):
    step, done = Trainer._step, []

    def stopped(self, *given):
        if len(done) == 130:
            raise KeyboardInterrupt
        done.append(1)
        return step(self, *given)

    monkeypatch.setattr(Trainer, "_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        trainer(data, tmp_path).run()
    monkeypatch.undo()
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert 0 < kept["epoch"] < 8
    said = []

    folder = Trainer(Settings.of(file_of(data), data), tmp_path, say=said.append).run()

    assert f"goes on at epoch {kept['epoch'] + 1}" in said
    assert same(weights(folder), weights(trained / "model"))


def test_a_run_that_is_done_is_not_done_again(data, trained):
    before = (trained / "log.jsonl").read_text()
    trainer(data, trained).run()

    assert (trained / "log.jsonl").read_text() == before


def test_a_batch_in_which_everything_is_open_leaves_the_weights_finite(data, tmp_path):
    (tmp_path / "open.jsonl").write_text(
        '{"text": "aspirin", "entities": [{"start": 0, "end": 7, "type": "X"}]}', encoding="utf-8"
    )
    corpora = [
        {"name": "open", "files": [str(tmp_path / "open.jsonl")], "types": {"X": []}, "says": ["drug"]}
    ]

    folder = trainer(data, tmp_path / "out", corpora=corpora, epochs=2).run()

    assert all(torch.isfinite(value).all() for value in weights(folder).values())


def test_half_precision_learns_too(data, tmp_path):
    folder = trainer(data, tmp_path, precision="bf16", epochs=1).run()

    assert all(torch.isfinite(value).all() for value in weights(folder).values())


def test_features_get_a_table_of_their_own(data):
    model = ner.new_model(data / "encoder", LabelSet(), rows=25, dropout=0.1)
    table = model.base_model.embeddings.token_type_embeddings.weight

    assert model.config.type_vocab_size == len(table) == 25
    assert torch.equal(table[0], table[24])


def test_a_trained_recogniser_is_an_encoder_that_keeps_its_head_and_table(data, tmp_path):
    model = ner.new_model(data / "encoder", LabelSet(), rows=25, dropout=0.1)
    with torch.no_grad():
        model.base_model.embeddings.token_type_embeddings.weight[24] = 0.5
    ner.save_model(model.half(), data / "encoder", tmp_path)

    again = ner.new_model(tmp_path, LabelSet(), rows=25, dropout=0.1)

    assert again.classifier.weight.dtype == torch.float32
    assert torch.equal(again.classifier.weight, model.classifier.weight.float())
    assert again.base_model.embeddings.token_type_embeddings.weight[24].tolist() == [0.5] * 32


def test_an_encoder_that_is_not_bert_like_is_told(tmp_path):
    from transformers import DistilBertConfig, DistilBertModel

    config = DistilBertConfig(vocab_size=50, dim=16, n_layers=1, n_heads=2, hidden_dim=16)
    DistilBertModel(config).save_pretrained(str(tmp_path))

    with pytest.raises(ConfigError, match="'distilbert' cannot be trained"):
        ner.new_model(tmp_path, LabelSet(), rows=25, dropout=0.1)


def test_batches_hold_their_bound_and_lose_nothing(data):
    _, examples = trainer(data, data)._examples()
    batches = list(by_length(examples["drugs"], 60))

    assert sorted(map(id, examples["drugs"])) == sorted(id(each) for batch in batches for each in batch)
    for batch in batches:
        ids, features, mask, targets = tensors(batch, 0)
        assert ids.shape == features.shape == mask.shape == targets.shape
        assert ids.numel() <= 60 or len(batch) == 1
        assert bool((targets[mask == 0] == -1).all())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 3}, "unknown training setting 'epoch'; known: average, batch_pieces, corpora"),
        ({"epochs": "3"}, "'epochs' must be of kind int"),
        ({"learning_rate": "2e-4"}, "write 2.0e-4"),
        ({"features": 1}, "'features' must be of kind bool"),
        ({"precision": "fp8"}, "known: bf16, fp32"),
        ({"corpora": []}, "hold no text"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_told(data, tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        trainer(data, tmp_path, **change).run()


def test_a_missing_setting_is_told(data):
    found = file_of(data)
    del found["dropout"]

    with pytest.raises(ConfigError, match="lacks 'dropout'"):
        Settings.of(found, data)


def test_the_shipped_training_file_is_understood():
    settings = Settings.of(yaml.safe_load(SHIPPED.read_text(encoding="utf-8")), Path())

    assert len({corpus.name for corpus in settings.corpora}) == len(settings.corpora) > 5
    assert all(isinstance(corpus, Corpus) for corpus in settings.corpora)


def test_a_training_file_from_the_command_line_is_checked(data, tmp_path):
    for content, message in (("a: [", "no valid YAML"), ("- a", "must hold keys"), ("epochs: 1", "lacks")):
        (tmp_path / "own.yaml").write_text(content, encoding="utf-8")
        with pytest.raises(ConfigError, match=message):
            train_ner(tmp_path / "own.yaml", data=data, out=tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        train_ner(tmp_path / "absent.yaml", data=data, out=tmp_path)


def test_a_bad_line_of_a_corpus_stops_the_run(data, tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"text": "a", "entities": []}\n{"text": 1}\n', encoding="utf-8")
    corpora = [{"name": "bad", "files": [str(tmp_path / "bad.jsonl")], "types": {"X": ["drug"]}}]

    with pytest.raises(InputError, match="line 2"):
        trainer(data, tmp_path, corpora=corpora).run()


def test_an_encoder_in_a_package_that_is_not_installed_is_a_missing_tool():
    with pytest.raises(MissingToolError, match="not installed"):
        ner.encoder_folder("package:no_such_package_here/model")


def test_an_exported_run_is_a_model_that_ships(data, trained, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump({**file_of(data), "licence": "none", "source": "made"}), encoding="utf-8")

    folder = export_ner(trained / "model", tmp_path / "models" / "tiny" / "2.0.0", config_path=own)

    described = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert (described["name"], described["version"], described["licence"]) == ("tiny", "2.0.0", "none")
    assert set(described["files"]) >= {
        "config.json",
        "model.int8.onnx",
        "model.safetensors",
        "ner.json",
        "tokenizer.json",
    }
    doc = document("the patient took aspirin after fever no ibuprofen after headache. nausea after aspirin")
    eight_bit = NerExtractor(model=str(folder))
    half = NerExtractor(model=str(folder), backend="torch", device="cpu", precision="fp16")
    by_eight, by_half = (
        [(entity.span.of(doc.text), entity.label) for entity in each.entities(doc)]
        for each in (eight_bit, half)
    )
    assert ("aspirin", "drug") in by_eight
    assert by_eight == by_half
    assert eight_bit.maker == half.maker


def test_an_export_needs_what_the_training_file_says(trained, tmp_path):
    (tmp_path / "own.yaml").write_text("features: false", encoding="utf-8")

    with pytest.raises(ConfigError, match="lacks 'licence'"):
        export_ner(trained / "model", tmp_path / "tiny" / "1", config_path=tmp_path / "own.yaml")
