"""A model's figures on the gold sets of its criteria, and the gates they pass or fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from inspect import signature
from typing import Any

from extractor.acceptance.criteria import HINT, Criteria, Floor, GoldSet
from extractor.config import Choice, Config
from extractor.errors import ConfigError, PolicyError
from extractor.evaluation import evaluate
from extractor.registry import load

EXTRACTOR = "ner"
_TOLERANCE = 1e-9
_SHOWN = 3

Figures = Mapping[str, Any]
"""Per gold set: documents, tokens, seconds, ``micro``, ``types`` and ``calibration`` as an evaluation reports them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One demand: what was measured where, what was needed, what was seen.

    ``seen`` is None where nothing could be measured, which fails. ``needed`` is
    a least value, or with ``at_most`` a greatest one; for declarations both are texts.
    """

    gold: str
    what: str
    measure: str
    needed: float | str
    seen: float | str | None
    passed: bool
    at_most: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For the table of models and ``--json``."""
        return asdict(self)

    def sentence(self) -> str:
        """For people: what was seen and what was needed."""
        named = " ".join(part for part in (self.gold, self.what, self.measure) if part)
        if isinstance(self.needed, str):
            return f"{named} is not the one of the criteria"
        seen = "nothing" if self.seen is None else f"{self.seen:.3f}"
        return f"{named} {seen} ({'at most' if self.at_most else 'at least'} {self.needed:.3f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of an evaluation: the gates, the version compared with, and whether figures on record were used."""

    model: str
    criteria_sha256: str
    figures: Figures
    gates: tuple[Gate, ...]
    compared_with: str | None
    reused: bool

    @property
    def passed(self) -> bool:
        """Whether every gate passes."""
        return all(gate.passed for gate in self.gates)

    def as_dict(self) -> dict[str, Any]:
        """As the table of models holds it, and ``--json`` prints it."""
        return {
            "model": self.model,
            "criteria_sha256": self.criteria_sha256,
            "passed": self.passed,
            "compared_with": self.compared_with,
            "gates": [gate.as_dict() for gate in self.gates],
            "gold": self.figures,
        }

    def refusal(self) -> PolicyError:
        """The error that says which gates fail."""
        failed = [gate.sentence() for gate in self.gates if not gate.passed]
        more = f" and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
        return PolicyError(
            f"model {self.model} fails {len(failed)} of {len(self.gates)} gates: {'; '.join(failed[:_SHOWN])}{more}",
            code="model.gate",
            hint="Owner of the model: it stays unused; better it, or have the owner of the criteria change them.",
        )


def measure(model: str, criteria: Criteria, config: Config) -> Figures:
    """Figures of ``NAME/VERSION`` on every gold set of the criteria; nothing else finds, refines or links beside it.

    Raises:
        InputError: a gold file does not fit its own text.
        ConfigError: the criteria name a type that a gold set has not, or options that the extractor has not.
        MissingToolError: the model is absent or altered.
    """
    options = {**criteria.rules.options, "model": model}
    taken = [name for name in signature(load("extractors", EXTRACTOR)).parameters if name != "model"]
    for name in criteria.rules.options:
        _check_known(name, taken, "the extractor takes no option")
    alone = config.model_copy(
        update={
            "extractors": (Choice(name=EXTRACTOR, options=options),),
            "refiners": (),
            "relators": (),
        }
    )
    figures = {}
    for gold in criteria.gold:
        report = evaluate(
            gold.files, config=alone, extractor=EXTRACTOR, labels=gold.labels, match=gold.rules.match
        )
        for kind in gold.rules.named_types:
            _check_known(kind, list(report.scores.types), f"gold set {gold.rules.name} has no type")
        said = report.as_dict()
        figures[gold.rules.name] = {
            "documents": report.documents,
            "tokens": report.tokens,
            "seconds": round(report.seconds, 6),
            "labels": report.labels,
            "match": report.match,
            "micro": report.scores.micro.as_dict(),
            "types": said["types"],
            "calibration": said["calibration"],
        }
    return figures


def _check_known(name: str, known: list[str], what: str) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
        raise ConfigError(f"acceptance criteria: {what} {name!r}{hint}", hint=HINT)


def gates_of(figures: Figures, criteria: Criteria, *, promoted: Figures | None = None) -> tuple[Gate, ...]:
    """Every demand of the criteria held against the figures, in the order of the criteria.

    ``promoted`` are figures of the version that is in use, by the same criteria;
    None where nothing is, or where it is the very model that is measured.
    """
    return tuple(_iter_gates(figures, criteria, promoted))


def _iter_gates(figures: Figures, criteria: Criteria, promoted: Figures | None) -> Iterator[Gate]:
    for gold in criteria.gold:
        rules, found = gold.rules, figures[gold.rules.name]
        if rules.micro is not None:
            yield from _floor(rules.name, "micro", rules.micro, found["micro"])
        for kind, floor in rules.types.items():
            yield from _floor(rules.name, kind, floor, found["types"][kind])
        yield from _calibration(rules, found["calibration"])
        if promoted is not None:
            yield from _no_worse(rules, found, promoted[rules.name])
    if criteria.rules.minimum_tokens_per_s is not None:
        seconds = sum(found["seconds"] for found in figures.values())
        tokens = sum(found["tokens"] for found in figures.values())
        seen = tokens / seconds if seconds > 0 else None
        yield _least("all", "speed", "tokens/s", criteria.rules.minimum_tokens_per_s, seen)


def _floor(gold: str, what: str, floor: Floor, found: Mapping[str, Any]) -> Iterator[Gate]:
    yield _least(gold, what, "support", floor.minimum_support, found["support"])
    for name in ("precision", "recall", "f1"):
        needed = getattr(floor, name)
        if needed is not None:
            yield _least(gold, what, name, needed, found[name])


def _calibration(rules: GoldSet, found: Mapping[str, Any]) -> Iterator[Gate]:
    limits = {} if rules.calibration.ece is None else {"all": rules.calibration.ece}
    for kind, needed in {**limits, **rules.calibration.types}.items():
        seen = found[kind]["ece"]
        yield Gate(
            gold=rules.name,
            what=kind,
            measure="ece",
            needed=needed,
            seen=seen,
            passed=seen is not None and seen <= needed + _TOLERANCE,
            at_most=True,
        )


def _no_worse(rules: GoldSet, found: Figures, promoted: Figures) -> Iterator[Gate]:
    margins = rules.no_worse_than_promoted_by
    pairs = [] if margins.micro is None else [("micro", margins.micro, found["micro"], promoted["micro"])]
    pairs += [
        (kind, points, found["types"][kind], promoted["types"][kind])
        for kind, points in margins.types.items()
    ]
    for what, points, mine, theirs in pairs:
        if theirs["f1"] is not None:
            needed = max(0.0, theirs["f1"] - points / 100)
            yield _least(rules.name, what, "f1 beside the promoted", needed, mine["f1"])


def _least(gold: str, what: str, measure: str, needed: float, seen: float | None) -> Gate:
    passed = seen is not None and seen >= needed - _TOLERANCE
    return Gate(gold=gold, what=what, measure=measure, needed=needed, seen=seen, passed=passed)
