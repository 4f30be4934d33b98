"""Compaction, and removal of files that no version in use needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from extractor.lake import delta
from extractor.lake.compact import compact as compact_table
from extractor.lake.ledger import Claim, unfinished
from extractor.lake.snapshots import kept_versions, live_snapshots
from extractor.lake.store import Lake
from extractor.lake.work import retried
from extractor.tables.catalogue import TABLES

ORPHAN_HOURS = 24
"""Files that no log names may belong to a commit under way: only older ones are removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintained:
    """What was done to one table; ``files_removed`` counts files taken from the store."""

    table: str
    files_before: int
    files_after: int
    files_removed: int
    version: int


def maintain(lake: Lake, *, run_id: str, compact: bool = True, vacuum: bool = True) -> tuple[Maintained, ...]:
    """Put small files together, remove unreferenced ones, and write a checkpoint, table by table.

    Claims that died, and all of whose documents later batches completed, are
    closed. Safe beside writers and readers, except readers of versions older than
    ``lake.vacuum_hours`` that no snapshot pins. Rows do not change. The ledger
    gets one row of kind maintain.

    Raises:
        CommitConflictError: writers kept winning; what was done so far stays.
        LakeError: the store failed.
    """
    lake.require_writable()
    batch_id = uuid4().hex
    done = []
    for claim in unfinished(lake).superseded:
        _close(lake, claim)
    for name in TABLES:
        before = lake.handle(name)
        if before is None:
            continue
        files_before = len(before.file_uris())
        if compact:
            merged = {"extractor.batch": batch_id}
            compact_table(before, name, target_file_mb=lake.settings.target_file_mb, **merged)
        removed = _vacuum(lake, name) if vacuum else 0
        handle = lake.handle(name)
        assert handle is not None
        with delta.translated(f"table {name}: checkpoint failed"):
            handle.create_checkpoint()
            if vacuum and _log_may_go(lake):
                handle.cleanup_metadata()
        done.append(
            Maintained(
                table=name,
                files_before=files_before,
                files_after=len(handle.file_uris()),
                files_removed=removed,
                version=int(handle.version()),
            ),
        )
    if done:
        commits = [{"table": d.table, "rows": 0, "version": d.version, "document_rows": []} for d in done]
        retried(
            lake,
            "ledger",
            lambda: lake.ledger.complete(
                lake.writable("ledger"),
                batch_id=batch_id,
                kind="maintain",
                run_id=run_id,
                doc_ids=(),
                commits=commits,
            ),
        )
    return tuple(done)


def _close(lake: Lake, claim: Claim) -> None:
    """Put a completion of no documents. Should its writer live, it will do the same once more."""
    retried(
        lake,
        "ledger",
        lambda: lake.ledger.complete(
            lake.writable("ledger"),
            batch_id=claim.batch_id,
            kind=claim.kind,
            run_id=claim.run_id,
            doc_ids=(),
            commits=(),
        ),
    )


def _vacuum(lake: Lake, name: str) -> int:
    """Remove files that neither the newest nor a pinned version has, and those that none names; how many went."""
    keep = kept_versions(lake, name)
    handle = lake.handle(name)
    assert handle is not None
    hours = lake.settings.vacuum_hours
    removed = 0
    with delta.translated(f"table {name}: vacuum failed"):
        for full, age_hours in ((False, hours), (True, max(hours, ORPHAN_HOURS))):
            vacuum = partial(
                handle.vacuum,
                retention_hours=age_hours,
                enforce_retention_duration=False,
                full=full,
                keep_versions=keep or None,
            )
            if vacuum(dry_run=True):  # a vacuum of nothing would be two commits all the same
                removed += len(vacuum(dry_run=False))
                handle.update_incremental()
    return removed


def _log_may_go(lake: Lake) -> bool:
    """Whether expired entries of a log can be removed without losing a pinned version.

    delta-rs keeps the last checkpoint before the age limit and all that
    follows. A snapshot younger than the limit is at or after that checkpoint,
    since its versions were the newest when it was made.
    """
    young = datetime.now(UTC) - timedelta(days=delta.LOG_DAYS - 1)
    return all(one.at > young for one in live_snapshots(lake))
