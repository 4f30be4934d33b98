"""Models of a lake, from registration to use: register, evaluate, promote, roll back.

Each verb asks the policy first and leaves one event in the lake's table
``models``. Nothing is promoted that does not pass the gate of its acceptance
criteria, by figures of exactly these files, criteria and code. See docs/models.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from extractor import __version__
from extractor.acceptance.card import Declared, parse_model, read_declared, same_words
from extractor.acceptance.criteria import Criteria, criteria_path, load_criteria
from extractor.acceptance.gate import Figures, Gate, Verdict, gates_of, measure
from extractor.config import Config
from extractor.errors import (
    AccessDeniedError,
    CommitConflictError,
    ConfigError,
    MissingToolError,
    PolicyError,
)
from extractor.governance.policy import Access
from extractor.lake.models import Event, ModelEvent, Models, append_event, read_models
from extractor.lake.store import Lake


def list_models(lake: Lake, access: Access) -> Models:
    """The models of a lake and every event.

    Raises:
        AccessDeniedError: the principal is not granted the table ``models``.
    """
    _granted(access)
    return read_models(lake)


def find_criteria(
    model: str, path: str | Path | None = None, *, config_path: str | Path | None = None
) -> Criteria:
    """The criteria in a file, or where those of ``NAME/VERSION`` lie.

    Raises:
        ConfigError: there are none, or they cannot be used as they are.
    """
    return load_criteria(path or criteria_path(parse_model(model)[0], config_path=config_path))


def register(
    lake: Lake,
    access: Access,
    model: str,
    *,
    intended_use: str | None = None,
    risk_class: str | None = None,
    why: str | None = None,
) -> tuple[ModelEvent, bool]:
    """Put ``NAME`` (its newest installed version) or ``NAME/VERSION`` on record; the event, and whether it is new.

    ``intended_use`` and ``risk_class`` are for models that declare none; they
    may repeat what is declared and not contradict it. The same files with the same
    declarations again change nothing.

    Raises:
        AccessDeniedError: the principal is not granted the table ``models``.
        MissingToolError: the model is not installed, or altered since its manifest was written or it was registered.
        PolicyError: ``model.undeclared``: no card, no intended use or no risk class.
        ConfigError: an option contradicts what is declared or registered.
    """
    _granted(access)
    declared = read_declared(model)
    use = _declaration("intended use", declared.intended_use, intended_use, declared)
    risk = _declaration("risk class", declared.risk_class, risk_class, declared)
    known: list[ModelEvent] = []

    def decide(models: Models) -> ModelEvent | None:
        known.clear()
        before = models.registered(declared.name, declared.version)
        if before is None:
            return ModelEvent(
                name=declared.name,
                version=declared.version,
                sha256=declared.sha256,
                event="registered",
                principal=access.principal,
                why=why,
                intended_use=use,
                risk_class=risk,
            )
        _unaltered(declared, before)
        if not (same_words(before.intended_use, use) and same_words(before.risk_class, risk)):
            raise ConfigError(
                f"model {declared.model} is registered for another use or risk class",
                hint="Owner of the model: what is registered stays; give a model for another use a version of its own.",
            )
        known.append(before)
        return None

    event = append_event(lake, decide)
    return (known[0], False) if event is None else (event, True)


def evaluate(
    lake: Lake, access: Access, model: str, *, config: Config, criteria: Criteria
) -> tuple[ModelEvent, Verdict]:
    """Measure a registered ``NAME/VERSION`` anew and put its figures on record, whether or not it passes.

    Raises:
        AccessDeniedError: the principal is not granted the table ``models``.
        PolicyError: ``model.unregistered``.
        MissingToolError: the model is absent or altered; or the promoted one, with which it is compared.
        ConfigError: the criteria are of another model, or do not fit their gold sets.
    """
    _granted(access)
    models = read_models(lake)
    registration = _registered(models, model)
    verdict = _judge(models, registration, config=config, criteria=criteria, anew=True)
    event = _event(registration, "evaluated", access, verdict=verdict)
    found = append_event(lake, lambda _: event)
    assert found is not None
    return found, verdict


def promote(
    lake: Lake,
    access: Access,
    model: str,
    *,
    why: str,
    config: Config,
    criteria: Criteria,
    on_verdict: Callable[[Verdict], None] = lambda _: None,
) -> ModelEvent:
    """Make a registered ``NAME/VERSION`` the one that the lake uses, if it passes the gate.

    Figures on record count when they are of these files, these criteria and this
    code; otherwise the model is measured now. ``on_verdict`` is told how it came out. A
    model that fails leaves an event ``refused`` and nothing else.

    Raises:
        AccessDeniedError: no role of the principal may promote.
        PolicyError: ``model.unregistered``, or ``model.gate`` for one that fails.
        CommitConflictError: another promotion or rollback of this model came first.
        MissingToolError, ConfigError: as :func:`evaluate`.
    """
    _may_promote(access)
    reason = _reason(why)
    models = read_models(lake)
    registration = _registered(models, model)
    verdict = _judge(models, registration, config=config, criteria=criteria, anew=False)
    on_verdict(verdict)
    if not verdict.passed:
        refused = _event(registration, "refused", access, verdict=verdict, why=reason)
        append_event(lake, lambda _: refused)
        raise verdict.refusal()
    event = _event(registration, "promoted", access, verdict=verdict, why=reason)
    found = append_event(lake, _unless_changed(models, event))
    assert found is not None
    return found


def roll_back(lake: Lake, access: Access, name: str, *, why: str) -> tuple[ModelEvent, ModelEvent]:
    """Go back to the version that was promoted before the one in use; the event, and the promotion taken back.

    Raises:
        AccessDeniedError: no role of the principal may promote.
        PolicyError: ``model.no_earlier``: nothing was promoted before.
        CommitConflictError: another promotion or rollback of this model came first.
        MissingToolError: the earlier version is absent or altered.
    """
    _may_promote(access)
    reason = _reason(why)
    models = read_models(lake)
    now, before = models.promoted(name), models.before_promoted(name)
    if now is None or before is None:
        raise PolicyError(
            f"model {name} has no earlier promoted version in this lake",
            code="model.no_earlier",
            hint="Owner of the model: promote a version; `extractor models list` shows what is registered.",
        )
    registration = _registered(models, before.model)
    event = ModelEvent(
        name=name,
        version=before.version,
        sha256=before.sha256,
        event="rolled-back",
        principal=access.principal,
        why=reason,
        intended_use=registration.intended_use,
        risk_class=registration.risk_class,
        figures={"from": {"version": now.version, "sha256": now.sha256}},
    )
    found = append_event(lake, _unless_changed(models, event))
    assert found is not None
    return found, now


def _judge(
    models: Models, registration: ModelEvent, *, config: Config, criteria: Criteria, anew: bool
) -> Verdict:
    """Declarations and figures against the criteria, beside the promoted version where there is another one."""
    rules = criteria.rules
    if rules.model != registration.name:
        raise ConfigError(f"these acceptance criteria are of the model {rules.model!r}")
    sha256 = criteria.sha256
    figures = None if anew else _on_record(models, registration, sha256)
    reused = figures is not None
    figures = figures or measure(registration.model, criteria, config)
    promotion = models.promoted(registration.name)
    beside: Figures | None = None
    if criteria.compares and promotion is not None and promotion.sha256 != registration.sha256:
        beside = _on_record(models, promotion, sha256)
        if beside is None:
            _registered(models, promotion.model)
            beside = measure(promotion.model, criteria, config)
    gates = (
        _declared_gate("intended use", rules.intended_use, registration.intended_use),
        _declared_gate("risk class", rules.risk_class, registration.risk_class),
        *gates_of(figures, criteria, promoted=beside),
    )
    return Verdict(
        model=registration.model,
        criteria_sha256=sha256,
        figures=figures,
        gates=gates,
        compared_with=None if beside is None or promotion is None else promotion.model,
        reused=reused,
    )


def _on_record(models: Models, model: ModelEvent, criteria_sha256: str) -> Figures | None:
    """The newest figures of a model by these criteria and this code; None where there are none."""
    for event in reversed(models.events):
        same = (event.name, event.version, event.sha256) == (model.name, model.version, model.sha256)
        if same and event.criteria_sha256 == criteria_sha256 and event.code_version == __version__:
            assert event.figures is not None
            found: Figures = event.figures["gold"]
            return found
    return None


def _declared_gate(measure_name: str, needed: str, seen: str) -> Gate:
    return Gate(
        gold="", what="card", measure=measure_name, needed=needed, seen=seen, passed=same_words(needed, seen)
    )


def _event(
    registration: ModelEvent, kind: Event, access: Access, *, verdict: Verdict, why: str | None = None
) -> ModelEvent:
    return ModelEvent(
        name=registration.name,
        version=registration.version,
        sha256=registration.sha256,
        event=kind,
        principal=access.principal,
        why=why,
        intended_use=registration.intended_use,
        risk_class=registration.risk_class,
        figures=verdict.as_dict(),
        criteria_sha256=verdict.criteria_sha256,
    )


def _unless_changed(seen: Models, event: ModelEvent) -> Callable[[Models], ModelEvent]:
    """Give the event unless the model was promoted or rolled back since it was decided on."""

    def decide(models: Models) -> ModelEvent:
        if models.last_change(event.name) != seen.last_change(event.name):
            raise CommitConflictError(
                f"model {event.name}: another promotion or rollback came first",
                hint="You: look at it with `extractor models list`, and run again if it is still wanted.",
            )
        return event

    return decide


def _registered(models: Models, model: str) -> ModelEvent:
    """The registration of ``NAME/VERSION``, its installed files checked against it."""
    name, version = parse_model(model)
    if version is None:
        raise ConfigError(f"{model!r} names no version", hint="You: write NAME/VERSION.")
    found = models.registered(name, version)
    if found is None:
        raise PolicyError(
            f"model {name}/{version} is not registered in this lake",
            code="model.unregistered",
            hint=f"Owner of the model: `extractor models register {name}/{version}` first.",
        )
    _unaltered(read_declared(model), found)
    return found


def _unaltered(declared: Declared, registration: ModelEvent) -> None:
    if declared.sha256 != registration.sha256:
        raise MissingToolError(
            f"model {declared.model} is not the one that this lake has registered: its manifest differs",
            code="tool.model",
            hint="Operator: install the registered files again, or give the new ones a new version and register it.",
        )


def _declaration(what: str, declared: str | None, told: str | None, model: Declared) -> str:
    given = " ".join((told or "").split())
    if declared and given and not same_words(declared, given):
        raise ConfigError(
            f"model {model.model} declares another {what} than the option says",
            hint="Owner of the model: what the card or the manifest declares holds; leave the option out.",
        )
    found = declared or given
    if not found:
        raise PolicyError(
            f"model {model.model} declares no {what}",
            code="model.undeclared",
            hint=f"Owner of the model: declare it in the manifest or the card (docs/models.md), or give "
            f"--{what.replace(' ', '-')}.",
        )
    return found


def _reason(why: str) -> str:
    reason = " ".join(why.split())
    if not reason:
        raise ConfigError("no reason is given", hint="You: say with --why what the decision rests on.")
    return reason


def _granted(access: Access) -> None:
    if not access.grants("models"):
        raise AccessDeniedError(f"table models is not granted to principal {access.principal!r}")


def _may_promote(access: Access) -> None:
    _granted(access)
    if not access.may_promote:
        raise AccessDeniedError(
            f"no role of principal {access.principal!r} may promote models",
            hint="Owner of configs/policy.yaml: may_promote belongs to the role that answers for the lake.",
        )


__all__ = [
    "Criteria",
    "Gate",
    "Verdict",
    "criteria_path",
    "evaluate",
    "find_criteria",
    "list_models",
    "load_criteria",
    "promote",
    "register",
    "roll_back",
]
