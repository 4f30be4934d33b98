"""The ``snapshots`` table: which states of the lake have a name, since when, and who gave it."""

from __future__ import annotations

from extractor.schema import Column, Table

SNAPSHOTS = Table(
    name="snapshots",
    zone="operations",
    description="Named states of the lake: one row when a name is given to the versions of all tables, one when it is "
    "dropped. The last row of a name says whether it lives. Nothing is changed or removed.",
    key=("event_id",),
    columns=(
        Column(name="event_id", dtype="string", nullable=False, description="Name of this event."),
        Column(
            name="sequence_no",
            dtype="int64",
            nullable=False,
            description="Delta version of this table that the row made: the order of events.",
        ),
        Column(name="name", dtype="string", nullable=False, description="Name of the snapshot."),
        Column(name="event", dtype="string", nullable=False, description="created or dropped."),
        Column(name="at", dtype="timestamp", nullable=False, description='UTC. A word of SQL: write "at".'),
        Column(
            name="by", dtype="string", nullable=False, description='The principal. A word of SQL: write "by".'
        ),
        Column(name="note", dtype="string", description="Why, in that person's words; no document content."),
        Column(
            name="commits",
            dtype="commits",
            nullable=False,
            description="For each table there was: its Delta version and the rows it holds, those of hidden documents "
            "too. document_rows is empty. Empty for dropped.",
        ),
        Column(
            name="ledger_version",
            dtype="int64",
            description="Version of the ledger that closes the last batch that counts; null for dropped.",
        ),
        Column(
            name="hidden",
            dtype="strings",
            nullable=False,
            description="Documents that a writer was at, sorted: no reader of the snapshot sees their rows.",
        ),
        Column(name="code_version", dtype="string", nullable=False, description="Engine that wrote the row."),
    ),
)
