"""``extractor reprocess --engine queue``: groups of documents for whatever workers there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from extractor.config import Config
from extractor.delivery import DEFAULT_TENANT, Priority, QueuedJob
from extractor.lake.files import DocumentFiles
from extractor.lake.selection import Group, Which, plan, select
from extractor.lineage import digest
from extractor.ports import Queue

if TYPE_CHECKING:
    from extractor.lake.store import Lake

MESSAGE_DOCUMENTS = 2_000
"""Documents of one message: their digests stay well below the 256 KiB that every broker takes."""


def enqueue_reprocess(
    lake: Lake,
    queue: Queue,
    *,
    config: Config,
    which: Which,
    limit: int | None = None,
    tenant: str = DEFAULT_TENANT,
    priority: Priority = "backfill",
) -> tuple[int, int]:
    """Put the documents that fit into a queue, in groups by file; how many documents, and messages added.

    The workers' own settings and the lake's promoted models decide how; documents
    that are current by then cost a look. A message that waits already may be
    left out by the queue.

    Raises:
        ConfigError: the selection is wrong.
        QueueError: the broker cannot be reached or refuses; the call may be repeated.
    """
    groups = _groups(lake, config, which, limit)
    jobs = _jobs(groups, tenant, priority)
    return sum(len(group.doc_ids) for group in groups), queue.put(jobs)


def _jobs(groups: Sequence[Group], tenant: str, priority: Priority) -> Iterator[QueuedJob]:
    for group in groups:
        doc_ids = tuple(sorted(group.doc_ids))
        yield QueuedJob(
            job_id=digest("reprocess", *doc_ids),
            kind="reprocess",
            doc_ids=doc_ids,
            tenant=tenant,
            priority=priority,
        )


def _groups(lake: Lake, config: Config, which: Which, limit: int | None) -> Sequence[Group]:
    """As they are taken without a queue, no larger than a message."""
    selected = select(lake, which)
    files = DocumentFiles(lake=lake, table="entities")
    documents = min(config.reprocess.batch_documents, MESSAGE_DOCUMENTS)
    rows = config.reprocess.batch_rows
    found = plan(files, selected.extractions, documents=documents, rows=rows)
    if limit is None or len(selected.extractions) <= limit:
        return found.groups
    ordered = [doc_id for group in found.groups for doc_id in group.doc_ids]
    return plan(files, ordered[:limit], documents=documents, rows=rows).groups
