"""The table of models: what was registered, measured, promoted and rolled back in a lake, event by event."""

from __future__ import annotations

from extractor.schema import Column, Table

EVENTS = ("registered", "evaluated", "promoted", "rolled-back", "refused")
"""``rolled-back`` and ``promoted`` name the version that is in use from then on."""

MODELS = Table(
    name="models",
    zone="operations",
    description="What happened to models in this lake, one row per event, never changed: registered, evaluated, "
    "promoted, rolled back, refused; by whom, why, on which figures.",
    key=("event_id",),
    columns=(
        Column(name="event_id", dtype="string", nullable=False, description="Name of the event."),
        Column(
            name="sequence_no",
            dtype="int64",
            nullable=False,
            description="Delta version of this table that the event made: the order of events.",
        ),
        Column(name="name", dtype="string", nullable=False, description="The model's name."),
        Column(
            name="version",
            dtype="string",
            nullable=False,
            description="The model's version; of promoted and rolled-back the one in use from then on.",
        ),
        Column(
            name="sha256",
            dtype="string",
            nullable=False,
            description="Digest of the model's manifest, which holds the digest of each of its files.",
        ),
        Column(name="event", dtype="string", nullable=False, description=f"One of {', '.join(EVENTS)}."),
        Column(name="happened_at", dtype="timestamp", nullable=False, description="UTC."),
        Column(name="principal", dtype="string", nullable=False, description="The principal who did it."),
        Column(name="why", dtype="string", description="The reason that was given."),
        Column(
            name="intended_use",
            dtype="string",
            nullable=False,
            description="What the model is for, as registered.",
        ),
        Column(
            name="risk_class",
            dtype="string",
            nullable=False,
            description="How much hangs on it, as registered.",
        ),
        Column(
            name="figures",
            dtype="string",
            description="JSON: figures per gold set, gates with what was needed and seen, the version compared with.",
        ),
        Column(
            name="criteria_sha256",
            dtype="string",
            description="Digest of the acceptance criteria, gold files and label maps included.",
        ),
        Column(name="code_version", dtype="string", nullable=False, description="Version of the engine."),
    ),
)
