"""The yardstick: what an extractor or the whole engine finds, against annotated documents.

:func:`evaluate` is what ``extractor evaluate`` prints. See docs/evaluation.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from extractor.config import Choice, Config, load_config
from extractor.evaluation.labels import LabelMap, equal_names, load_label_map, shipped_map_of
from extractor.evaluation.matching import Match
from extractor.evaluation.measure import measure
from extractor.evaluation.report import Report
from extractor.finding import Finder
from extractor.gold import gold_files, read_gold


def evaluate(
    gold: Sequence[str | Path],
    *,
    config: Config | None = None,
    extractor: str | None = None,
    labels: str | Path | LabelMap | None = None,
    match: Match = "strict",
) -> Report:
    """Measure one extractor, or the configured engine, on annotated files and folders.

    Args:
        gold: JSON-lines files, gzipped or not, or folders of them (see :mod:`extractor.gold`).
        config: settings; the defaults if None.
        extractor: the registry name of the one extractor to measure, with the options the settings give it.
        labels: a label map, its file, or the name of a shipped one; by default the shipped map of the
            corpus that the files' folder or name tells, else types are compared by equal name.
        match: ``strict`` (span and type equal) or ``overlap`` (type equal, a shared character).

    Raises:
        InputError: a gold file cannot be read or does not fit its own text, with its line.
        ConfigError: the label map or the extractor's name is wrong.
        MissingToolError: a model is absent.
    """
    settings = _only(config or load_config(), extractor)
    files = gold_files(gold)
    finder = Finder(settings)
    chosen: LabelMap | None = labels if isinstance(labels, LabelMap) else None
    guessed = shipped_map_of(files) if labels is None else None
    if chosen is None and (source := guessed if labels is None else labels) is not None:
        assert not isinstance(source, LabelMap)
        chosen = load_label_map(source, known=_labels_named(settings))
    documents = read_gold(files)
    note = ""
    if chosen is None:
        chosen = equal_names(documents)
        note = "no label map: a gold type is compared with our label of the same name"
    elif guessed is not None:
        note = f"label map {chosen.name}, chosen by the name of the corpus"
    return measure(
        documents,
        finder,
        labels=chosen,
        match=match,
        tested=extractor or "engine",
        whole=extractor is None,
        notes=(note,) if note else (),
    )


def _only(config: Config, extractor: str | None) -> Config:
    """The settings with that one extractor, as configured where it is."""
    if extractor is None:
        return config
    configured = tuple(choice for choice in config.extractors if choice.name == extractor)
    return config.model_copy(update={"extractors": configured or (Choice(name=extractor),)})


def _labels_named(config: Config) -> set[str]:
    """Every text in the options of extractors and relators: own labels stand there."""
    found: set[str] = set()
    waiting: list[Any] = [choice.options for choice in (*config.extractors, *config.relators)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple):
            waiting += value
    return found


__all__ = ["Report", "evaluate"]
