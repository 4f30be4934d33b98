"""Models of a lake: which are registered, which version is promoted, and every event that led there.

The table ``models`` is append-only. Each event is put by compare-and-swap on
the state that it was decided on, so that of two promotions at once one wins and
the other is told. What is promoted is a pile per model: a promotion lays a
version on it, a rollback takes the uppermost off.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from extractor import __version__
from extractor.errors import LakeError
from extractor.lake import delta
from extractor.lake.store import Lake
from extractor.lake.work import fitting, read_schema, retried
from extractor.tables.models import MODELS

if TYPE_CHECKING:
    from deltalake import DeltaTable

Event = Literal["registered", "evaluated", "promoted", "rolled-back", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvent:
    """Something that happened to a model; ``sequence_no`` is the Delta version that holds it, the order of events."""

    name: str
    version: str
    sha256: str
    event: Event
    principal: str
    intended_use: str
    risk_class: str
    why: str | None = None
    figures: Mapping[str, Any] | None = None
    criteria_sha256: str | None = None
    happened_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    event_id: str = field(default_factory=lambda: uuid4().hex)
    code_version: str = __version__
    sequence_no: int = -1

    @property
    def model(self) -> str:
        """``name/version``, as commands take it."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """What the events of a lake come to."""

    events: tuple[ModelEvent, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Models of which any version is registered."""
        return frozenset(event.name for event in self.events)

    def registered(self, name: str, version: str) -> ModelEvent | None:
        """The registration of a version; None where there is none."""
        return next(
            (
                event
                for event in self.events
                if event.event == "registered" and (event.name, event.version) == (name, version)
            ),
            None,
        )

    def pile(self, name: str) -> list[ModelEvent]:
        """The promotions of a model that no rollback took back; the last is in use."""
        found: list[ModelEvent] = []
        for event in self.events:
            if event.name != name:
                continue
            if event.event == "promoted":
                if found and _same(found[-1], event):
                    found.pop()  # promoted again, on newer evidence: one step for a rollback
                found.append(event)
            elif event.event == "rolled-back":
                while found and not _same(found[-1], event):
                    found.pop()
        return found

    def promoted(self, name: str) -> ModelEvent | None:
        """The promotion that is in force; None where there is none."""
        pile = self.pile(name)
        return pile[-1] if pile else None

    def before_promoted(self, name: str) -> ModelEvent | None:
        """The promotion that a rollback would bring back; None where there is none."""
        pile = self.pile(name)
        return pile[-2] if len(pile) > 1 else None

    def last_change(self, name: str) -> int:
        """``sequence_no`` of the last promotion or rollback of a model; -1 for none."""
        changes = (event for event in self.events if event.event in {"promoted", "rolled-back"})
        return max((event.sequence_no for event in changes if event.name == name), default=-1)


def _same(one: ModelEvent, other: ModelEvent) -> bool:
    return (one.name, one.version, one.sha256) == (other.name, other.version, other.sha256)


def read_models(lake: Lake) -> Models:
    """The models of a lake; none where there is no such table.

    Raises:
        LakeError: the table cannot be read.
    """
    return _read(lake.handle("models"))


def history(lake: Lake, name: str | None = None) -> tuple[ModelEvent, ...]:
    """Every event, of one model or of all, in the order in which they happened."""
    return tuple(event for event in read_models(lake).events if name in {None, event.name})


def promoted(lake: Lake) -> Mapping[str, str]:
    """The promoted version of each model that has one, by name."""
    models = read_models(lake)
    found = {name: models.promoted(name) for name in sorted(models.names)}
    return {name: event.version for name, event in found.items() if event is not None}


def append_event(lake: Lake, decide: Callable[[Models], ModelEvent | None]) -> ModelEvent | None:
    """Put the event that ``decide`` makes of the state at hand; None from it puts nothing.

    ``decide`` is asked again after each lost race, with the newer state; what it
    raises ends the attempt with nothing written.

    Raises:
        CommitConflictError: other writers kept winning.
        LakeError: the table cannot be read or written.
    """

    def once() -> ModelEvent | None:
        handle = lake.writable("models")
        event = decide(_read(handle))
        if event is None:
            return None
        sequence_no = int(handle.version()) + 1
        row = {
            "event_id": event.event_id,
            "sequence_no": sequence_no,
            "name": event.name,
            "version": event.version,
            "sha256": event.sha256,
            "event": event.event,
            "happened_at": event.happened_at,
            "principal": event.principal,
            "why": event.why,
            "intended_use": event.intended_use,
            "risk_class": event.risk_class,
            "figures": None if event.figures is None else json.dumps(event.figures, ensure_ascii=False),
            "criteria_sha256": event.criteria_sha256,
            "code_version": event.code_version,
        }
        delta.write(handle, MODELS, fitting(MODELS, MODELS.to_arrow([row])))
        return replace(event, sequence_no=sequence_no)

    return retried(lake, "models", once)


def _read(handle: DeltaTable | None) -> Models:
    if handle is None:
        return Models()
    schema = read_schema(MODELS, MODELS.column_names)
    found = delta.scan(handle, schema, what="table models cannot be read")
    rows = sorted((row for batch in found for row in batch.to_pylist()), key=lambda row: row["sequence_no"])
    try:
        events = tuple(
            ModelEvent(**{**row, "figures": None if row["figures"] is None else json.loads(row["figures"])})
            for row in rows
        )
    except json.JSONDecodeError:
        raise LakeError("table models: the figures of an event are no JSON") from None
    return Models(events=events)
