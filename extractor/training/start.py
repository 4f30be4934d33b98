"""The verbs behind ``extractor train ner`` and ``extractor train export``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from extractor import resources
from extractor.errors import ConfigError, MissingToolError


def train_ner(
    config_path: str | Path | None, *, data: Path, out: Path, say: Callable[[str], None] = print
) -> Path:
    """Train by a training file, or go on where a run into ``out`` stopped; gives the trained folder.

    Raises:
        ConfigError: the training file is absent or has keys that are unknown or missing.
        MissingToolError: torch and transformers are not installed, or the encoder is not to be had.
        InputError: a corpus file cannot be read.
    """
    found = _training_file(config_path)
    try:
        from extractor.training.ner import Settings, Trainer
    except ImportError as error:
        raise MissingToolError(
            "training needs the extra: pip install 'lifescience-extractor[train]'"
        ) from error
    return Trainer(Settings.of(found, data), out, say=say).run()


def export_ner(
    trained: Path, target: Path, *, gold: Sequence[str] = (), config_path: str | Path | None = None
) -> Path:
    """Write ``models/NAME/VERSION`` from a trained folder; ``gold`` files fit its probabilities.

    The manifest covers ``card.md`` and ``experiments.md`` where they exist in ``target``.

    Raises:
        ConfigError: ``target`` is not NAME/VERSION, or the training file is wrong.
        MissingToolError: the extra ``train`` is not installed.
        InputError: a gold file is no gold file.
    """
    from extractor.ner.features import VOCABULARIES
    from extractor.ner.labels import TYPES

    found = _training_file(config_path)
    try:
        from extractor.training.export import calibrate_model, export_model
    except ImportError as error:
        raise MissingToolError(
            "export needs the extra: pip install 'lifescience-extractor[train]'"
        ) from error
    name, version = target.parent.name, target.name
    if missing := sorted({"window_pieces", "features", "licence", "source"} - set(found)):
        raise ConfigError(f"the training file lacks {missing[0]!r}")
    signed = {"name": name, "version": version, "licence": found["licence"], "source": found["source"]}
    export_model(
        trained,
        target,
        window_pieces=found["window_pieces"],
        features=found["features"],
        vocabularies=VOCABULARIES,
        calibration={},
    )
    resources.write_manifest(target, signed)
    if gold:
        calibrate_model(target, calibration_of(target, gold, TYPES))
        resources.write_manifest(target, signed)
    return target


def calibration_of(folder: Path, gold: Sequence[str], types: Sequence[str]) -> dict[str, dict[str, float]]:
    """Temperature and bias of each type, fitted on what the exported model finds in gold documents."""
    from extractor.evaluation.labels import load_label_map, shipped_map_of
    from extractor.extractors.ner import NerExtractor
    from extractor.gold import gold_files, read_gold
    from extractor.training.calibration import Judged, fit_all, judged_mentions

    extractor = NerExtractor(model=str(folder))
    judged: dict[str, list[Judged]] = {}
    for path in gold_files(gold):
        named = shipped_map_of([path])
        if named is None:
            raise ConfigError("calibration needs gold files of corpora with a shipped label map")
        labels = load_label_map(named)
        for kind, mentions in judged_mentions(extractor, read_gold([path]), labels).items():
            judged.setdefault(kind, []).extend(mentions)
    return fit_all(judged, types)


def _training_file(config_path: str | Path | None) -> dict[str, Any]:
    path = Path(config_path) if config_path else resources.folder("configs") / "training" / "ner.yaml"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the training file cannot be read ({type(error).__name__})") from None
    except yaml.YAMLError:
        raise ConfigError("the training file is no valid YAML") from None
    if not isinstance(found, dict):
        raise ConfigError("the training file must hold keys")
    return found
