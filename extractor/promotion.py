"""The models that a lake has promoted, pinned into the settings of whoever writes to it.

The digest of the settings does not change by that: a pinned choice is written
down as the settings have it (:class:`PinnedChoice`). Which weights ran is in
the pipeline all the same, as ``name@version`` with the digest of the manifest
(:attr:`extractor.lineage.Pipeline.models`). So promoting the version that runs
anyway makes no document be extracted again, and promoting another one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import model_serializer

from extractor import resources
from extractor.config import Choice, Config
from extractor.errors import ConfigError, MissingToolError, PolicyError
from extractor.extractors.ner import DEFAULT_MODEL
from extractor.lake.models import Models, read_models
from extractor.lake.store import Lake

DEFAULT_MODELS: Mapping[str, str] = {"ner": DEFAULT_MODEL}
"""The model that an extractor takes when its options name none."""


class PinnedChoice(Choice):
    """A choice whose ``options`` name a version that the settings do not name.

    Dumped by itself it is what the settings say: that is what the digest of the
    settings is made of. Dumped as part of a whole configuration it keeps its pin.
    """

    written: dict[str, Any]

    @model_serializer(mode="plain")
    def _as_written(self) -> dict[str, Any]:
        return {"name": self.name, "options": self.written}


def with_promoted(config: Config, lake: Lake, *, told: str | None = None) -> Config:
    """The settings with the lake's promoted version of every model that an extractor names without a version.

    A version in the settings stays: they were told otherwise. ``told``
    ("NAME/VERSION") stands above both for that model, promoted or not. Settings
    for a lake without registered models come back as they are.

    Raises:
        PolicyError: ``model.unpromoted``: the lake has the model registered and no version promoted.
        MissingToolError: a version is not installed, or its manifest is another than the registered one.
        ConfigError: ``told`` is no NAME/VERSION, or no extractor takes that model.
    """
    models = read_models(lake)
    override = None if told is None else _told(told, config)
    chosen = tuple(_pinned(choice, models, override) for choice in config.extractors)
    return config if chosen == config.extractors else config.model_copy(update={"extractors": chosen})


def _pinned(choice: Choice, models: Models, told: tuple[str, str] | None) -> Choice:
    model = _model_of(choice)
    if model is None:
        return choice
    name, slash, version = model.partition("/")
    if told is not None and told[0] == name:
        version = told[1]
    elif not slash and name in models.names:
        promotion = models.promoted(name)
        if promotion is None:
            raise PolicyError(
                f"model {name} is registered in this lake and no version of it is promoted",
                code="model.unpromoted",
                hint=f"Owner of the model: `extractor models promote {name}/VERSION`; "
                "or the operator names a version in the options of the extractor.",
            )
        version = promotion.version
    if not version:
        return choice
    pinned = f"{name}/{version}"
    _check(pinned, models, must_exist=told is not None and told[0] == name)
    if pinned == model:
        return choice
    written = choice.written if isinstance(choice, PinnedChoice) else choice.options
    return PinnedChoice(name=choice.name, options={**choice.options, "model": pinned}, written=written)


def _model_of(choice: Choice) -> str | None:
    """The model a choice names or takes by default; None where it has none."""
    found = choice.options.get("model", DEFAULT_MODELS.get(choice.name))
    return found if isinstance(found, str) else None


def _check(model: str, models: Models, *, must_exist: bool) -> None:
    """Refuse a registered version whose installed manifest is another one; others are none of the lake's business."""
    name, _, version = model.partition("/")
    registered = models.registered(name, version)
    if registered is None and not must_exist:
        return
    here = Path(model)  # a folder of that name here is what an extractor would load
    folder = resources.model_folder(str(here.resolve()) if here.is_dir() else model)
    if registered is not None and resources.model_sha256(folder) != registered.sha256:
        raise MissingToolError(
            f"model {model} is not the one that this lake has registered: its manifest differs",
            code="tool.model",
            hint="Operator: install the registered files again, or register the new ones as a new version.",
        )


def _told(told: str, config: Config) -> tuple[str, str]:
    name, slash, version = told.partition("/")
    if not (name and slash and version) or "/" in version:
        raise ConfigError(f"{told!r} names no version: NAME/VERSION is needed")
    known = sorted({model.partition("/")[0] for choice in config.extractors if (model := _model_of(choice))})
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; in use: {', '.join(known) or 'none'}"
        raise ConfigError(f"no extractor takes the model {name!r}{hint}")
    return name, version


__all__ = ["PinnedChoice", "with_promoted"]
