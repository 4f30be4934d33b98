"""Packs of relation models: readable JSON, one weight for each named feature."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extractor import resources
from extractor.errors import MissingToolError
from extractor.records import Maker
from extractor.relators.fitting import Fitted, sigmoid

SENTENCE_PACK = "relations-sentence"
CONCEPT_PACK = "relations-chemical-disease"
WEIGHTS = "weights.json"
REPORT = "training.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSetting:
    """From which probability a pair counts as related, and whether a tail takes its best head only."""

    threshold: float
    exclusive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One model: weights, its calibration (Platt 1999), and the settings of each kind it scores."""

    fitted: Fitted
    slope: float
    intercept: float
    kinds: Mapping[str, KindSetting]

    def score(self, features: Sequence[str]) -> tuple[float, float]:
        """The model's own number and the calibrated probability, each 0..1, with four digits."""
        raw = self.fitted.raw(features)
        return round(sigmoid(raw), 4), round(sigmoid(self.slope * raw + self.intercept), 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """The families of one model folder and how rows name it."""

    name: str
    version: str
    sha256: str
    families: Mapping[str, Family]

    def maker(self, extractor: str, version: str) -> Maker:
        """Who makes relations with this pack."""
        return Maker(
            extractor=extractor,
            version=version,
            model=self.name,
            model_version=self.version,
            model_sha256=self.sha256,
        )


def load_pack(name: str) -> Pack:
    """The newest version of a pack below ``models/``, checked against its manifest.

    Raises:
        MissingToolError: it is not there, was altered, or has a format that this code does not know.
    """
    folder = resources.model_folder(name)
    about = resources.manifest(folder)
    found = json.loads((folder / WEIGHTS).read_text(encoding="utf-8"))
    if found.get("format") != FORMAT:
        raise MissingToolError(
            f"model {name!r} has a format that this version does not know", code="tool.model"
        )
    families = {
        family: Family(
            fitted=Fitted(bias=one["bias"], weights=one["weights"]),
            slope=one["slope"],
            intercept=one["intercept"],
            kinds={label: KindSetting(**setting) for label, setting in one["kinds"].items()},
        )
        for family, one in found["families"].items()
    }
    return Pack(
        name=about["name"], version=about["version"], sha256=resources.model_sha256(folder), families=families
    )


def write_pack(
    out: Path,
    name: str,
    version: str,
    families: Mapping[str, Family],
    report: Mapping[str, Any],
    sources: Sequence[str],
) -> Path:
    """Write weights, report and manifest to ``out/<name>/<version>``; a card that lies there is kept."""
    folder = out / name / version
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        "format": FORMAT,
        "families": {
            family: {
                "bias": one.fitted.bias,
                "slope": one.slope,
                "intercept": one.intercept,
                "kinds": {
                    label: {"threshold": setting.threshold, "exclusive": setting.exclusive}
                    for label, setting in sorted(one.kinds.items())
                },
                "weights": dict(sorted(one.fitted.weights.items())),
            }
            for family, one in sorted(families.items())
        },
    }
    _write(folder / WEIGHTS, json.dumps(weights, ensure_ascii=False, indent=0, sort_keys=False))
    _write(folder / REPORT, json.dumps(report, ensure_ascii=False, indent=1))
    about = {
        "name": name,
        "version": version,
        "licence": "AGPL-3.0-or-later (weights); trained on corpora with licences of their own, see card.md",
        "source": f"extractor train relations; trained on {', '.join(sources)}",
    }
    resources.write_manifest(folder, about)
    return folder


def _write(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")
