"""Models of a lake on the terminal: which there are, what happened to them, and how an evaluation came out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from extractor.acceptance import Gate, Verdict
from extractor.lake.models import ModelEvent, Models
from extractor.preview_marks import printable
from extractor.terminal import print_json
from extractor.terminal_rows import console, print_table

_WHOLE = "--json"


def print_models(models: Models, *, history: bool, as_json: bool) -> None:
    """Every registered version with its state, or with ``history`` every event."""
    if history:
        _print_history(models, as_json=as_json)
        return
    found = [
        _state(models, event)
        for event in sorted(models.events, key=lambda event: (event.name, event.sequence_no))
        if event.event == "registered"
    ]
    if as_json:
        print_json(found)
        return
    names = ("model", "state", "risk_class", "sha256", "since", "by")
    print_table(
        [name.replace("_", " ") for name in names], [[row[n] for n in names] for row in found], whole=_WHOLE
    )


def _state(models: Models, registration: ModelEvent) -> dict[str, Any]:
    """A version as it stands now: ``since`` and ``by`` are of the event that made it so."""
    own = [event for event in models.events if event.model == registration.model]
    in_force = models.promoted(registration.name)
    if in_force is not None and in_force.model == registration.model:
        last = [event for event in own if event.event in {"promoted", "rolled-back"}][-1]
        state = "promoted"
    else:
        decided = [event for event in own if event.event in {"promoted", "refused"}]
        last = decided[-1] if decided else registration
        state = {"promoted": "was promoted"}.get(last.event, last.event)
    return {
        "model": registration.model,
        "name": registration.name,
        "version": registration.version,
        "state": state,
        "intended_use": registration.intended_use,
        "risk_class": registration.risk_class,
        "sha256": registration.sha256,
        "since": last.happened_at,
        "by": last.principal,
        "why": last.why,
    }


def _print_history(models: Models, *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(event) for event in models.events])
        return
    print_table(
        ["at", "event", "model", "by", "why", "sha256", "criteria"],
        [
            [
                event.happened_at,
                event.event,
                event.model,
                event.principal,
                event.why,
                event.sha256,
                event.criteria_sha256,
            ]
            for event in models.events
        ],
        whole=_WHOLE,
    )


def print_event(event: ModelEvent, said: str, *, as_json: bool) -> None:
    """One event: a sentence, or all of it as JSON."""
    if as_json:
        print_json(asdict(event))
        return
    console().print(printable(said), markup=False, soft_wrap=True)


def print_verdict(verdict: Verdict, *, as_json: bool) -> None:
    """Gate by gate: what was measured, needed and seen; then how it came out."""
    if as_json:
        print_json(verdict.as_dict())
        return
    print_table(
        ["gold", "of", "measure", "needed", "seen", "pass"],
        [
            [gate.gold, gate.what, gate.measure, _needed(gate), _seen(gate), gate.passed]
            for gate in verdict.gates
        ],
    )
    compared = f", compared with {verdict.compared_with}" if verdict.compared_with else ""
    reused = ", figures on record" if verdict.reused else ""
    outcome = "passes" if verdict.passed else "fails"
    console().print(
        f"{verdict.model} {outcome}{compared}{reused}; criteria {verdict.criteria_sha256[:12]}",
        markup=False,
        soft_wrap=True,
    )


def _needed(gate: Gate) -> str:
    if isinstance(gate.needed, str):
        return "as in the criteria"
    return f"{'<=' if gate.at_most else '>='} {_number(gate.needed)}"


def _seen(gate: Gate) -> str:
    if isinstance(gate.seen, str):
        return "the same" if gate.passed else "another"
    return "nothing" if gate.seen is None else _number(gate.seen)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"
