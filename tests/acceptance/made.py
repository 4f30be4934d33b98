"""Tiny models that have learned a few sentences by heart, their gold set and their acceptance criteria."""

from __future__ import annotations

import json
import shutil

import yaml

from extractor import resources
from extractor.ner.labels import LabelSet
from extractor.resources import write_manifest
from tests.ner import made

USE = "Reading made sentences for tests."
RISK = "no risk at all"
CARD = (
    f"# tiny\n\n## Intended use and limits\n\n{USE} **Risk class:** {RISK}; a toy.\n\n## Scores\n\nPerfect.\n"
)
SENTENCES = (
    (("the", "O"), ("patient", "O"), ("took", "O"), ("aspirin", "S-drug"), ("and", "O"), ("ibuprofen", "S-drug")),
    (("severe", "S-severity"), ("headache", "S-sign_symptom"), ("after", "O"), ("aspirin", "S-drug")),
    (("no", "O"), ("fever", "S-sign_symptom"), ("with", "O"), ("ibuprofen", "S-drug")),
    (("mild", "S-severity"), ("nausea", "S-sign_symptom"), ("after", "O"), ("the", "O"), ("dose", "O")),
)  # fmt: skip
CRITERIA = {
    "model": "tiny",
    "intended_use": USE,
    "risk_class": RISK,
    "gold": [
        {
            "name": "sentences",
            "path": "sentences.jsonl",
            "micro": {"minimum_support": 9, "f1": 0.6},
            "types": {"drug": {"minimum_support": 4, "precision": 0.9, "recall": 0.9}},
            "no_worse_than_promoted_by": {"micro": 5},
        },
    ],
}


def models(folder):
    """``tiny`` 1.0.0, which knows no severities, and 1.1.0, which knows all; made once per folder."""
    base = folder / "tiny-models"
    if not base.exists():
        blind = [[(word, "O" if "severity" in label else label) for word, label in one] for one in SENTENCES]
        _train(folder / "trained-1.0.0", base / "tiny" / "1.0.0", blind)
        _train(folder / "trained-1.1.0", base / "tiny" / "1.1.0", SENTENCES)
    return base


def _train(trained, out, sentences):
    from extractor.training.export import export_model

    model = made.bert(trained, LabelSet().names, spread=0.1, places=64)
    made.overfit(trained, model, sentences, steps=60)
    calibration = {kind: {"temperature": 1.0, "bias": 0.0} for kind in LabelSet().types}
    export_model(trained, out, window_pieces=40, features=False, vocabularies=(), calibration=calibration)
    (out / "card.md").write_text(CARD)
    describe(out)


def describe(folder, **more):
    """Write the manifest of ``NAME/VERSION`` anew, as whoever changes its files must."""
    described = {"name": folder.parent.name, "version": folder.name, "licence": "none", "source": "made"}
    write_manifest(folder, {**described, **more})
    return folder


def bare(models_folder, name="tiny", version="1.0.0", *, card=CARD, **more):
    """A model folder with a card and no weights: enough for whoever does not run it."""
    folder = models_folder / name / version
    folder.mkdir(parents=True)
    if card is not None:
        (folder / "card.md").write_text(card)
    (folder / "weights").write_text(f"{name} {version}")
    return describe(folder, **more)


def install(monkeypatch, source, folder):
    """A copy of model folders that the engine takes from now on."""
    if source is not None:
        shutil.copytree(source, folder)
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("EXTRACTOR_MODELS", str(folder))
    forget()
    return folder


def forget():
    """Look at model folders anew, as a new process does."""
    resources.model_folder.cache_clear()
    resources.model_sha256.cache_clear()


def write_gold(folder, times=1):
    """The sentences as annotated documents."""
    lines = []
    for number, sentence in enumerate(SENTENCES * times):
        text, entities = "", []
        for word, label in sentence:
            if label != "O":
                place = {"start": len(text), "end": len(text) + len(word)}
                entities.append({**place, "type": label.partition("-")[2], "text": word})
            text += f"{word} "
        lines.append(json.dumps({"id": str(number), "text": text.rstrip(), "entities": entities}))
    path = folder / "sentences.jsonl"
    path.write_text("\n".join(lines))
    return path


def write_criteria(folder, change=lambda found: None, *, name="tiny.yaml"):
    """Criteria for ``tiny`` with their gold set beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    write_gold(folder)
    found = json.loads(json.dumps(CRITERIA))
    change(found)
    (folder / name).write_text(yaml.safe_dump(found))
    return folder / name
