"""Acceptance criteria: what a model must declare and reach before a lake may use it.

One YAML file per model, closed sections. The digest of the criteria covers what
they demand and, by content, every gold file and label map: figures measured
against other gold are figures of other criteria.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from extractor.errors import ConfigError
from extractor.evaluation.labels import shipped_map_of, shipped_maps
from extractor.evaluation.matching import Match
from extractor.gold import gold_files
from extractor.lineage import fingerprint
from extractor.resources import file_sha256, folder

GOLD_VARIABLE = "EXTRACTOR_GOLD"
FOLDER = "acceptance"
HINT = "Owner of the acceptance criteria: correct the named key and run again."


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _keys_are_known(cls, found: Any) -> Any:
        if isinstance(found, dict):
            known = list(cls.model_fields)
            for key in found:
                if key not in known:
                    near = get_close_matches(str(key), known, n=1)
                    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                    raise ValueError(f"unknown key {str(key)!r}; {hint}")
        return found


class Floor(_Section):
    """The least that must be reached, from at least so many annotated mentions."""

    minimum_support: int = Field(ge=1)
    precision: float | None = Field(default=None, ge=0, le=1)
    recall: float | None = Field(default=None, ge=0, le=1)
    f1: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _demands_something(self) -> Self:
        if self.precision is None and self.recall is None and self.f1 is None:
            raise ValueError("a floor needs precision, recall or f1")
        return self


class NoWorse(_Section):
    """How many points of F1 (hundredths) a model may lose against the promoted one."""

    micro: float | None = Field(default=None, ge=0, le=100)
    types: dict[str, float] = {}

    @model_validator(mode="after")
    def _margins_are_points(self) -> Self:
        for kind, points in self.types.items():
            if not 0 <= points <= 100:
                raise ValueError(f"the margin of {kind} must be 0 to 100 points")
        return self


class Calibration(_Section):
    """The most that the expected calibration error may be: over all mentions, and by type."""

    ece: float | None = Field(default=None, gt=0, le=1)
    types: dict[str, float] = {}


class GoldSet(_Section):
    """Annotated documents and what must be reached on them."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    path: str = Field(min_length=1)
    labels: str | None = None
    match: Match = "strict"
    micro: Floor | None = None
    types: dict[str, Floor] = {}
    no_worse_than_promoted_by: NoWorse = NoWorse()
    calibration: Calibration = Calibration()

    @model_validator(mode="after")
    def _has_a_floor(self) -> Self:
        if self.micro is None and not self.types:
            raise ValueError("a gold set needs a floor, micro or by type: without one everything passes")
        return self

    @property
    def named_types(self) -> list[str]:
        """Every type that a demand names, in the order of the file, each once."""
        named = (*self.types, *self.no_worse_than_promoted_by.types, *self.calibration.types)
        return list(dict.fromkeys(named))


class Rules(_Section):
    """The criteria file."""

    model: str = Field(min_length=1)
    intended_use: str = Field(min_length=1)
    risk_class: str = Field(min_length=1)
    options: dict[str, Any] = {}
    gold: tuple[GoldSet, ...] = Field(min_length=1)
    minimum_tokens_per_s: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _is_unambiguous(self) -> Self:
        names = [gold.name for gold in self.gold]
        if len(set(names)) < len(names):
            raise ValueError("two gold sets have one name")
        if "model" in self.options:
            raise ValueError("options must not name the model: it is the one that is measured")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """A gold set, its files and label map found; ``labels`` as :func:`extractor.evaluation.evaluate` takes it."""

    rules: GoldSet
    files: tuple[Path, ...]
    labels: str | Path | None
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """A criteria file with everything it points to."""

    rules: Rules
    gold: tuple[Gold, ...]

    @property
    def compares(self) -> bool:
        """Whether anything is demanded in comparison with the promoted version."""
        margins = [gold.no_worse_than_promoted_by for gold in self.rules.gold]
        return any(margin.micro is not None or margin.types for margin in margins)

    @property
    def sha256(self) -> str:
        """Digest of the demands and of the content of every gold file and label map; places do not matter."""
        demands = self.rules.model_dump()
        for demand, gold in zip(demands["gold"], self.gold, strict=True):
            demand["path"] = gold.sha256
            del demand["labels"]  # part of that digest
        return fingerprint(demands)


def criteria_path(name: str, *, config_path: str | Path | None = None) -> Path:
    """Where the criteria of a model lie: in ``acceptance/`` beside the user's settings, or of the configs folder.

    Raises:
        ConfigError: neither has them.
    """
    beside = [] if config_path is None else [Path(config_path).resolve().parent]
    for place in (*beside, folder("configs")):
        path = place / FOLDER / f"{name}.yaml"
        if path.is_file():
            return path
    raise ConfigError(
        f"there are no acceptance criteria for the model {name!r}",
        hint=f"Owner of the acceptance criteria: write {FOLDER}/{name}.yaml in the configs folder (docs/models.md).",
    )


def load_criteria(path: str | Path) -> Criteria:
    """The criteria of a file; gold files and label maps are found and digested.

    Raises:
        ConfigError: the file is missing or no YAML, a key is unknown or a value out of bounds, or a gold set or
            label map is not where the file says.
        InputError: a folder of gold files is empty.
    """
    where = Path(path)
    try:
        found = yaml.safe_load(where.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigError("the acceptance criteria do not exist or cannot be read", hint=HINT) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError("the acceptance criteria are no valid YAML", hint=HINT) from None
    try:
        rules = Rules.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "file"
        raise ConfigError(
            f"acceptance criteria, {key}: {first['msg'].removeprefix('Value error, ')}", hint=HINT
        ) from None
    return Criteria(rules=rules, gold=tuple(_iter_gold(rules, where.resolve().parent)))


def _iter_gold(rules: Rules, base: Path) -> Iterator[Gold]:
    for gold in rules.gold:
        path = _gold_path(gold, base)
        files = tuple(gold_files([path]))
        labels = _labels(gold, base)
        chosen = shipped_map_of(files) if labels is None else shipped_maps().get(str(labels), Path(labels))
        digests = {
            "files": sorted(file_sha256(file) for file in files),
            "labels": None if chosen is None else file_sha256(chosen),
        }
        yield Gold(rules=gold, files=files, labels=labels, sha256=fingerprint(digests))


def _gold_path(gold: GoldSet, base: Path) -> Path:
    """The path of a gold set: absolute, below the folder of ``EXTRACTOR_GOLD``, or relative to the criteria."""
    first, _, rest = gold.path.partition("/")
    if first == f"${{{GOLD_VARIABLE}}}":
        chosen = os.environ.get(GOLD_VARIABLE)
        if not chosen:
            raise ConfigError(
                f"gold set {gold.name} lies in ${{{GOLD_VARIABLE}}}, which is not set",
                hint=f"Operator: set {GOLD_VARIABLE} to the folder that holds the gold sets.",
            )
        path = Path(chosen) / rest
    else:
        path = base / gold.path
    if not path.exists():
        raise ConfigError(
            f"gold set {gold.name} is not where the acceptance criteria say",
            hint="Operator: put the annotated documents there, or name your own in your own criteria (docs/models.md).",
        )
    return path


def _labels(gold: GoldSet, base: Path) -> str | Path | None:
    if gold.labels is None or gold.labels in shipped_maps():
        return gold.labels
    path = base / gold.labels
    if not path.is_file():
        near = get_close_matches(gold.labels, list(shipped_maps()), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"gold set {gold.name}: there is no label map {gold.labels!r}{hint}", hint=HINT)
    return path
