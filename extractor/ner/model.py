"""A recogniser from a model folder: ours with calibration and features, or anybody's token classifier.

Our folders lie in ``models/`` with a manifest whose digests are checked before
anything is read. ``ner.json`` says which types the outputs mean, which
vocabularies feed the features, how long windows are, and per type how to turn a
score into a probability. A folder without it is a Hugging Face token classifier:
its ``config.json`` names the labels (BIO, BIOES, BILOU or bare), and the
caller's label map says which of our types they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extractor.errors import ConfigError, MissingToolError
from extractor.ner.features import Features
from extractor.ner.hub import hub_folder
from extractor.ner.labels import PARTS, LabelSet
from extractor.ner.pieces import Pieces
from extractor.ner.recogniser import Backend, Recogniser
from extractor.records import Maker
from extractor.resources import file_sha256, maker_of, model_folder

ONNX_FILE = "model.int8.onnx"
WEIGHTS_FILE = "model.safetensors"
DESCRIPTION_FILE = "ner.json"
FOREIGN_WINDOW_PIECES = 256
_SAME = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S", "M": "I"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Per type: ``probability = sigmoid(logit(score) / temperature + bias)`` (Platt 1999; Guo et al. 2017)."""

    temperature: float
    bias: float

    def probability(self, score: float) -> float:
        """The probability that a mention with this score is right in span and type."""
        return 1 / (1 + math.exp(-(log_odds(score) / self.temperature + self.bias)))


def log_odds(score: float) -> float:
    """The log odds of a score, held away from 0 and 1 by a millionth."""
    bounded = min(max(score, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What an extractor needs of a model folder."""

    recogniser: Recogniser
    maker: Maker
    calibration: Mapping[str, Calibration]


def load_model(
    name: str,
    *,
    extractor: str,
    version: str,
    backend: str = "onnx",
    device: str = "auto",
    precision: str | None = None,
    threads: int = 1,
    batch_pieces: int = 2048,
    labels: Mapping[str, str] | None = None,
) -> Model:
    """The model ``name``: one of ``models/``, a folder, or (backend ``torch``) a Hugging Face id.

    ``labels`` maps the labels of a foreign model, without their B-/I- marks, to our types; others are dropped.

    Raises:
        MissingToolError: absent, altered, not such a model, or the backend is not installed.
        ConfigError: the settings do not fit the model.
    """
    if backend not in {"onnx", "torch"}:
        raise ConfigError(f"no ner backend {backend!r}; known: onnx, torch")
    folder = _folder(name, backend)
    own = folder / DESCRIPTION_FILE
    if own.is_file() and labels is None:
        found = json.loads(own.read_text(encoding="utf-8"))
        label_set = LabelSet(tuple(found["types"]))
        features = Features.of_packs(found["vocabularies"]) if found["features"] else None
        runs = _backend(folder, backend, device=device, precision=precision, threads=threads)
        recogniser = Recogniser(
            runs,
            Pieces(folder / "tokenizer.json"),
            label_set,
            features,
            window_pieces=int(found["window_pieces"]),
            batch_pieces=batch_pieces,
        )
        calibration = {kind: Calibration(**fitted) for kind, fitted in found["calibration"].items()}
        maker = maker_of(folder, extractor=extractor, version=version)
        return Model(recogniser=recogniser, maker=maker, calibration=calibration)
    if labels is None:
        raise ConfigError(f"the model {name!r} is not one of ours: give labels, {{its label: our type}}")
    config = _config(folder)
    label_set, columns = foreign_labels(config, labels)
    runs = _Columns(_backend(folder, backend, device=device, precision=precision, threads=threads), columns)
    room = int(config.get("max_position_embeddings") or 512) - 4  # marks, and RoBERTa's places begin at 2
    recogniser = Recogniser(
        runs,
        Pieces(folder / "tokenizer.json"),
        label_set,
        None,
        window_pieces=min(FOREIGN_WINDOW_PIECES, room),
        batch_pieces=batch_pieces,
        word_pieces=room,
        counted=runs.counted,
    )
    maker = Maker(
        extractor=extractor,
        version=version,
        model=name.rstrip("/").rsplit("/", 1)[-1],
        model_version=None,
        model_sha256=_digest(folder),
    )
    return Model(recogniser=recogniser, maker=maker, calibration={})


def foreign_labels(config: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[LabelSet, list[list[int]]]:
    """Our label set for a foreign model, and for each of its labels the model's outputs that stand for it.

    The first list is what counts as outside: ``O`` and every label that the map leaves out.

    Raises:
        ConfigError: the map names a label that the model has not.
    """
    named = {int(place): str(label) for place, label in config.get("id2label", {}).items()}
    parts: dict[int, tuple[str, str]] = {}  # output -> (mark, bare label); mark "" for bare labels
    for place, label in named.items():
        mark, joint, bare = label.partition("-")
        parts[place] = (_SAME[mark], bare) if joint and mark in _SAME else ("", label)
    if strange := sorted(set(labels) - {bare for _, bare in parts.values()}):
        known = ", ".join(sorted({bare for _, bare in parts.values()}))
        raise ConfigError(f"the model has no label {strange[0]!r}; it has {known}")
    types = LabelSet(tuple(dict.fromkeys(labels.values())))
    columns: list[list[int]] = [[place for place, (_, bare) in parts.items() if bare not in labels]]
    for kind in types.types:
        own = [(place, mark) for place, (mark, bare) in parts.items() if labels.get(bare) == kind]
        for part in PARTS:
            for wanted in (
                part,
                {"E": "I", "S": "B"}.get(part, part),
                {"B": "I", "S": "I"}.get(part, part),
                "",
            ):
                chosen = [place for place, mark in own if mark == wanted]
                if chosen:
                    break
            columns.append(chosen)
    return types, columns


class _Columns:
    """A foreign model's scores in the order of a label set; several outputs for one label are added up.

    Labels that a scheme does not tell apart (E and S of BIO) repeat another one's
    outputs; ``counted`` are the others. Where not even a beginning is told
    apart, neighbouring words of a type are one mention: each beginning costs a trifle.
    """

    def __init__(self, backend: Backend, columns: list[list[int]]) -> None:
        import numpy as np

        self._backend = backend
        self._columns = columns
        own = [bool(outputs) and outputs not in columns[:place] for place, outputs in enumerate(columns)]
        self.counted = np.array(own, dtype=bool)
        self._cost = np.zeros(len(columns), dtype=np.float32)
        for begin in range(1, len(columns), 4):
            if columns[begin] == columns[begin + 1]:
                self._cost[[begin, begin + 3]] = 1e-3

    def scores(self, ids: Any, features: Any, mask: Any) -> Any:
        import numpy as np

        found = self._backend.scores(ids, features, mask)
        made = np.full((*found.shape[:2], len(self._columns)), -1e4, dtype=np.float32)
        for place, outputs in enumerate(self._columns):
            if outputs:
                made[..., place] = np.logaddexp.reduce(found[..., outputs], axis=-1)
        return made - self._cost


def _folder(name: str, backend: str) -> Path:
    given = Path(name)
    if given.is_dir():
        return model_folder(str(given.resolve())) if (given / DESCRIPTION_FILE).is_file() else given
    try:
        return model_folder(name)
    except MissingToolError:
        if backend != "torch" or "/" not in name:
            raise
    return hub_folder(name)


def _backend(folder: Path, kind: str, *, device: str, precision: str | None, threads: int) -> Backend:
    if kind == "torch":
        from extractor.ner.torch import TorchBackend

        return TorchBackend(folder, device=device, precision=precision)
    from extractor.ner.onnx import OnnxBackend

    return OnnxBackend(folder / ONNX_FILE, threads=threads)


def _config(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MissingToolError("the model folder has no readable config.json", code="tool.model") from error
    return found


def _digest(folder: Path) -> str:
    for name in (WEIGHTS_FILE, ONNX_FILE):
        if (folder / name).is_file():
            return file_sha256(folder / name)
    raise MissingToolError("the model folder has no model.safetensors", code="tool.model")
