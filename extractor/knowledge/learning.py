"""What annotated text teaches a knowledge base: names it uses, and the weights of the ranker.

Text comes as JSON lines ({text, entities: [{start, end, type, concept}]}); only
training splits belong here. A document never teaches the ranker with its own
annotations: its counts are hidden while its candidates are looked up.
Everything is seeded and rounded, so that equal input gives equal bytes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extractor.errors import ConfigError
from extractor.gold import read_gold
from extractor.knowledge.base import KnowledgeBase
from extractor.knowledge.candidates import FEATURES, LABEL_GROUPS, LEARNED, Candidate, Candidates
from extractor.knowledge.merge import Joined
from extractor.knowledge.short_forms import Mention
from extractor.knowledge.terms import GROUP_BIT, name_key

LABELS: Mapping[str, str] = {
    "Chemical": "drug",
    "Disease": "disease",
    "SpecificDisease": "disease",
    "Modifier": "disease",
    "DiseaseClass": "disease",
    "CompositeMention": "disease",
}
"""The labels of the types that the corpora use; other types are left out."""

LongForms = Callable[[str], Mapping[str, str]]
"""Gives the abbreviations that a text defines: short form to long form."""

_STEPS = 600
_RATE = 0.1
_DECAY = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldText:
    """An annotated text: its mentions, each with its codes (none for NIL, several for a composite)."""

    text: str
    mentions: tuple[tuple[Mention, tuple[str, ...]], ...]


def gold_texts(paths: Iterable[Path], labels: Mapping[str, str] = LABELS) -> list[GoldText]:
    """The annotated texts of JSON-lines files; types that ``labels`` does not name are left out.

    Raises:
        InputError: a file or line that is no record, named.
    """
    return [
        GoldText(
            text=document.text,
            mentions=tuple(
                (
                    Mention(
                        entity.span.start, entity.span.end, entity.span.of(document.text), labels[entity.type]
                    ),
                    codes_of(entity.concept),
                )
                for entity in document.entities
                if entity.type in labels
            ),
        )
        for document in read_gold(paths)
    ]


def codes_of(concept: str | None) -> tuple[str, ...]:
    """The codes of an annotation: parts of ``a|b`` and ``a+b``; none for an absent concept or -1."""
    if not concept or concept.removeprefix("MESH:") == "-1":
        return ()
    return tuple(part.strip() for part in concept.replace("+", "|").split("|") if part.strip())


def lexicon_of(texts: Iterable[GoldText]) -> dict[str, dict[str, int]]:
    """Name key to code to times annotated, of mentions with exactly one concept."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        for mention, codes in text.mentions:
            key = name_key(mention.text)
            if key and len(codes) == 1:
                found[key][codes[0]] += 1
    return {key: dict(counts) for key, counts in found.items()}


def teach_names(concepts: list[Joined], texts: Sequence[GoldText]) -> None:
    """Add to ``concepts`` what the texts call them, and the concepts and codes that only the texts know.

    A code that no source has goes to the one concept that has the most frequent
    of its names and no code of that system; where there is none, it becomes a
    concept of its own, called as the texts call it most.
    """
    labels: dict[str, str] = {}
    spoken: dict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        for mention, codes in text.mentions:
            if len(codes) == 1 and name_key(mention.text):
                spoken[codes[0]][" ".join(mention.text.split())] += 1
                labels.setdefault(codes[0], mention.label)
    by_code = {f"{system}:{code}": concept for concept in concepts for system, code in concept.codes}
    by_name: dict[str, list[Joined]] = defaultdict(list)
    for concept in concepts:
        for key in concept.names:
            by_name[key].append(concept)
    for code in sorted(spoken):
        mentions = spoken[code].most_common()
        usual = min((name for name, count in mentions if count == mentions[0][1]), key=lambda n: (len(n), n))
        system, _, number = code.partition(":")
        home = by_code.get(code)
        if home is None:
            groups = LABEL_GROUPS[labels[code]]
            free = [
                concept
                for concept in by_name.get(name_key(usual), ())
                if concept.groups & groups and all(own != system for own, _ in concept.codes)
            ]
            if len(free) == 1:
                home = free[0]
                home.codes.append((system, number))
            else:
                group = GROUP_BIT["chemical" if labels[code] == "drug" else "disorder"]
                home = Joined(display=usual, codes=[(system, number)], groups=group)
                concepts.append(home)
        for name, _ in mentions:
            home.names.setdefault(name_key(name), LEARNED)


@dataclass(frozen=True, slots=True)
class Example:
    """Candidates of a mention, the places of the right ones (none for NIL), how often it stands in its text."""

    candidates: tuple[Candidate, ...]
    right: tuple[int, ...]
    weight: int


def examples(
    base: KnowledgeBase, texts: Iterable[GoldText], long_forms: LongForms, *, learned: bool = True
) -> Iterator[Example]:
    """The mentions of annotated texts as examples for :func:`fit`; codes that the base lacks are left out.

    Of a composite any concept is right. Without ``learned`` the names that the
    texts taught are not looked at.
    """
    candidates = Candidates(base, learned=learned)
    for text in texts:
        context = candidates.context(
            text.text,
            [mention for mention, _ in text.mentions],
            defined=long_forms(text.text),
            hidden=lexicon_of([text]),
        )
        same = Counter((mention.text, mention.label, codes) for mention, codes in text.mentions)
        for (mention, label, codes), weight in sorted(same.items()):
            rows = {base.with_code(code) for code in codes} - {None}
            if codes and not rows:
                continue
            found = tuple(candidates.of(mention, label, context))
            places = tuple(at for at, candidate in enumerate(found) if candidate.row in rows)
            yield Example(found, places, weight)


def rankers(base: KnowledgeBase, texts: Sequence[GoldText], long_forms: LongForms) -> dict[str, Any]:
    """What ``ranker.json`` holds: weights with learned names, and others for where there are none."""
    return {
        way: fit(list(examples(base, texts, long_forms, learned=way == "learned")))
        for way in ("learned", "plain")
    }


def fit(given: Sequence[Example]) -> dict[str, Any]:
    """Weights of the conditional logit by full-batch Adam, and the NIL threshold.

    Gives ``weights`` by feature, ``threshold``, and ``accuracy`` on the
    ``examples``. The threshold is the highest of the best, where no code counts
    as right for a mention whose concept is not among the candidates.
    """
    usable = [example for example in given if example.candidates]
    if not usable:
        raise ConfigError("the annotated texts have no mention with a candidate; nothing can be learned")
    most = max(len(example.candidates) for example in usable)
    features: NDArray[np.float64] = np.zeros((len(usable), most, len(FEATURES)))
    present = np.zeros((len(usable), most), dtype=bool)
    right = np.zeros((len(usable), most + 1))
    weight = np.array([float(example.weight) for example in usable])
    for at, example in enumerate(usable):
        for place, candidate in enumerate(example.candidates):
            features[at, place] = candidate.features
            present[at, place] = True
        right[at, list(example.right) or [most]] = 1.0
    weights = np.zeros(len(FEATURES))
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, _STEPS + 1):
        odds = _odds(features, present, weights)
        wanted = np.maximum(odds, 1e-12) * right
        wanted /= wanted.sum(
            axis=1, keepdims=True
        )  # of several right ones each counts as far as it is believed
        error = (odds - wanted) * weight[:, None]
        gradient = np.einsum("nk,nkf->f", error[:, :most], features) / weight.sum() + _DECAY * weights
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        rate = _RATE * (1 - step / (_STEPS + 1))
        weights -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    weights = np.round(weights, 4)
    odds = _odds(features, present, weights)[:, :most]
    best, chosen = odds.max(axis=1), odds.argmax(axis=1)
    hit = right[np.arange(len(usable)), chosen] * weight
    nil = right[:, most] * weight
    accuracies = {
        threshold / 100: float(hit[best >= threshold / 100].sum() + nil[best < threshold / 100].sum())
        for threshold in range(91)
    }
    top = max(accuracies.values())
    threshold = max(value for value, hits in accuracies.items() if hits == top)
    return {
        "weights": dict(zip(FEATURES, weights.tolist(), strict=True)),
        "threshold": threshold,
        "examples": int(weight.sum()),
        "accuracy": round(accuracies[threshold] / float(weight.sum()), 4),
    }


def _odds(
    features: NDArray[np.float64], present: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probabilities (mentions, candidates + 1); the last column is NIL."""
    scores = np.where(present, features @ weights, -np.inf)
    scores = np.concatenate((scores, np.zeros((len(scores), 1))), axis=1)
    scores -= scores.max(axis=1, keepdims=True)
    powers = np.exp(scores)
    odds: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return odds
