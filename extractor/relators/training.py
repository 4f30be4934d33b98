"""Training of the relators: pairs from annotated corpora, cross-fitted choice of settings, packs with cards.

Every choice (strength of the penalty, threshold, whether a tail takes one head
only, calibration) is made on scores of pairs whose documents were held out of
the fit that scored them; the weights are then fitted on all of them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from extractor.errors import ConfigError
from extractor.relators.concepts import concept_pairs
from extractor.relators.corpora import Annotated, Corpus, place, read_corpus
from extractor.relators.fitting import fit, platt, sigmoid
from extractor.relators.kinds import CHEMICAL_DISEASE, SENTENCE_KINDS
from extractor.relators.pack import CONCEPT_PACK, SENTENCE_PACK, Family, KindSetting, write_pack
from extractor.relators.pairs import sentence_pairs

EXCLUSIVE_MARGIN = 0.002
"""A kind becomes exclusive only where that gains as much F1 on held-out pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A training configuration: see ``configs/training/relations.yaml``."""

    seed: int
    folds: int
    l2: tuple[float, ...]
    min_count: int
    version: str
    corpora: tuple[Corpus, ...]

    @classmethod
    def read(cls, file: Path) -> Settings:
        """From a YAML file.

        Raises:
            ConfigError: the file cannot be read, or a key is missing or unknown.
        """
        try:
            found = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"{file.name} cannot be read ({type(error).__name__})") from None
        known = {"seed", "folds", "l2", "min_count", "version", "corpora"}
        if not isinstance(found, dict) or set(found) != known:
            raise ConfigError(f"{file.name} needs exactly the keys {', '.join(sorted(known))}")
        return cls(
            seed=int(found["seed"]),
            folds=int(found["folds"]),
            l2=tuple(float(one) for one in found["l2"]),
            min_count=int(found["min_count"]),
            version=str(found["version"]),
            corpora=tuple(Corpus.of(one) for one in found["corpora"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One pair to learn from: ``tail_key`` names its tail across all documents, for exclusive kinds."""

    doc_id: str
    label: str
    tail_key: tuple[object, ...]
    features: tuple[str, ...]
    related: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training made: the families of one pack and what was measured on held-out pairs."""

    pack: str
    families: Mapping[str, Family]
    report: Mapping[str, Any]


def train_relations(config: Path, *, data: Path, out: Path, say: Callable[[str], None] = print) -> list[Path]:
    """Train both packs from the corpora below ``data`` and write them below ``out``.

    ``say`` is told each line of the report. Equal input gives equal bytes.

    Raises:
        ConfigError: the configuration does not fit.
        InputError: a corpus cannot be read.
    """
    settings = Settings.read(config)
    documents = [one for corpus in settings.corpora for one in read_corpus(corpus, data)]
    folders = []
    for name, made in (
        (SENTENCE_PACK, sentence_candidates(documents)),
        (CONCEPT_PACK, concept_candidates(documents)),
    ):
        candidates, missed = made
        trained = train(name, candidates, missed, settings)
        for line in _lines(trained):
            say(line)
        sources = [corpus.name for corpus in settings.corpora if _uses(corpus, trained)]
        folders.append(
            write_pack(out, trained.pack, settings.version, trained.families, trained.report, sources)
        )
    return folders


def sentence_candidates(documents: Iterable[Annotated]) -> tuple[list[Candidate], dict[str, int]]:
    """Pairs within sentences, and how many related pairs of each kind are not among them."""
    candidates, missed = [], defaultdict[str, int](int)
    for one in documents:
        kinds = [SENTENCE_KINDS[label] for label in sorted(one.kinds) if label in SENTENCE_KINDS]
        wanted = {pair for pair in one.pairs if pair[0] in SENTENCE_KINDS}
        found = set()
        for pair in sentence_pairs(one.document, one.entities, kinds):
            key = (pair.kind.label, place(pair.head), place(pair.tail))
            found.add(key)
            candidates.append(
                Candidate(
                    doc_id=one.id,
                    label=pair.kind.label,
                    tail_key=(one.id, key[0], key[2]),
                    features=pair.features,
                    related=key in wanted,
                )
            )
        for label, _, _ in wanted - found:
            missed[label] += 1
    return candidates, dict(missed)


def concept_candidates(documents: Iterable[Annotated]) -> tuple[list[Candidate], dict[str, int]]:
    """Pairs of concepts, and how many related ones are not among them."""
    label = CHEMICAL_DISEASE.label
    candidates, missed = [], 0
    for one in documents:
        if label not in one.kinds:
            continue
        found = set()
        for pair in concept_pairs(one.document, one.entities):
            key = (label, pair.head_key, pair.tail_key)
            found.add(key)
            candidates.append(
                Candidate(
                    doc_id=one.id,
                    label=label,
                    tail_key=(one.id, pair.tail_key),
                    features=pair.features,
                    related=key in one.concepts,
                )
            )
        missed += len({concept for concept in one.concepts if concept[0] == label} - found)
    return candidates, {label: missed}


def train(
    pack: str, candidates: Sequence[Candidate], missed: Mapping[str, int], settings: Settings
) -> Trained:
    """One model for each family among the candidates."""
    by_family: dict[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        kind = SENTENCE_KINDS.get(one.label, CHEMICAL_DISEASE)
        by_family[kind.family].append(one)
    families, report = {}, {}
    for name, rows in sorted(by_family.items()):
        families[name], report[name] = _family(rows, missed, settings)
    return Trained(pack=pack, families=families, report=report)


def _family(
    rows: Sequence[Candidate], missed: Mapping[str, int], settings: Settings
) -> tuple[Family, dict[str, Any]]:
    labels = [row.related for row in rows]
    held_out = {l2: _cross_fitted(rows, l2, settings) for l2 in settings.l2}
    calibrated = {l2: platt(raw, labels) for l2, raw in held_out.items()}
    losses = {l2: _log_loss(raw, labels, *calibrated[l2]) for l2, raw in held_out.items()}
    best = min(settings.l2, key=lambda l2: (losses[l2], l2))
    slope, intercept = calibrated[best]
    fitted = fit([row.features for row in rows], labels, l2=best, min_count=settings.min_count)
    kinds, measured = {}, {}
    for label in sorted({row.label for row in rows}):
        places = [index for index, row in enumerate(rows) if row.label == label]
        own = [rows[index] for index in places]
        chances = [sigmoid(slope * held_out[best][index] + intercept) for index in places]
        kinds[label], measured[label] = _kind(own, chances, missed.get(label, 0))
    family = Family(fitted=fitted, slope=slope, intercept=intercept, kinds=kinds)
    return family, {
        "l2": best,
        "log_loss": {str(l2): round(loss, 4) for l2, loss in losses.items()},
        "features": len(fitted.weights),
        "kinds": measured,
    }


def _kind(
    rows: Sequence[Candidate], chances: Sequence[float], missed: int
) -> tuple[KindSetting, dict[str, Any]]:
    """The threshold with the best F1 on held-out pairs, and whether one head for each tail is better."""
    wanted = sum(row.related for row in rows) + missed
    best = {
        exclusive: _best_threshold(rows, chances, wanted, exclusive=exclusive) for exclusive in (False, True)
    }
    exclusive = best[True][0] > best[False][0] + EXCLUSIVE_MARGIN
    f1, threshold = best[exclusive]
    setting = KindSetting(threshold=round(threshold, 3), exclusive=exclusive)
    return setting, {
        "related": wanted,
        "not candidates": missed,
        "unrelated": sum(not row.related for row in rows),
        "held-out F1": round(f1, 4),
        "threshold": setting.threshold,
        "exclusive": exclusive,
    }


def _best_threshold(
    rows: Sequence[Candidate], chances: Sequence[float], wanted: int, *, exclusive: bool
) -> tuple[float, float]:
    order = sorted(range(len(rows)), key=lambda index: -chances[index])
    if exclusive:
        first: dict[tuple[object, ...], int] = {}
        for index in order:
            first.setdefault(rows[index].tail_key, index)
        order = list(first.values())
    right, best = 0, (0.0, 0.5)
    for count, index in enumerate(order, start=1):
        right += rows[index].related
        after = chances[order[count]] if count < len(order) else 0.0
        f1 = 2 * right / (count + wanted)
        if f1 > best[0] and chances[index] > after:
            best = (f1, (chances[index] + after) / 2)
    return best


def _cross_fitted(rows: Sequence[Candidate], l2: float, settings: Settings) -> list[float]:
    """Log odds of each pair by a model that saw no pair of its document."""
    folds = [_fold(row.doc_id, settings) for row in rows]
    raw = [0.0] * len(rows)
    for fold in range(settings.folds):
        seen = [row for row, own in zip(rows, folds, strict=True) if own != fold]
        fitted = fit(
            [row.features for row in seen],
            [row.related for row in seen],
            l2=l2,
            min_count=settings.min_count,
        )
        for index, own in enumerate(folds):
            if own == fold:
                raw[index] = fitted.raw(rows[index].features)
    return raw


def _fold(doc_id: str, settings: Settings) -> int:
    """Sentences of one source (``id-1``, ``id-2``) stay together."""
    source = doc_id.rpartition("-")[0] or doc_id
    return int(hashlib.sha256(f"{settings.seed} {source}".encode()).hexdigest(), 16) % settings.folds


def _log_loss(raw: Sequence[float], labels: Sequence[bool], slope: float, intercept: float) -> float:
    import math

    total = 0.0
    for one, related in zip(raw, labels, strict=True):
        chance = min(max(sigmoid(slope * one + intercept), 1e-9), 1 - 1e-9)
        total -= math.log(chance if related else 1 - chance)
    return total / max(1, len(raw))


def _uses(corpus: Corpus, trained: Trained) -> bool:
    return bool(corpus.kinds & {label for family in trained.families.values() for label in family.kinds})


def _lines(trained: Trained) -> Iterable[str]:
    for name, family in trained.report.items():
        yield f"{trained.pack} {name}: l2 {family['l2']}, {family['features']} features"
        for label, measured in family["kinds"].items():
            yield "  " + label + ": " + ", ".join(f"{key} {value}" for key, value in measured.items())
