"""``extractor reprocess``: stored documents through a newer pipeline, and back again.

:func:`reprocess` is the verb; :func:`reprocess_documents` is one group of
documents, for the verb and for whoever takes groups from a queue.
"""

from __future__ import annotations

from extractor.reprocess.documents import (
    REPLACED,
    Failure,
    Reprocessed,
    pipeline_of,
    reprocess_documents,
)
from extractor.reprocess.queued import enqueue_reprocess
from extractor.reprocess.reread import reread
from extractor.reprocess.trial import Trial, try_out
from extractor.reprocess.verb import Report, reprocess, roll_back

__all__ = [
    "REPLACED",
    "Failure",
    "Report",
    "Reprocessed",
    "Trial",
    "enqueue_reprocess",
    "pipeline_of",
    "reprocess",
    "reprocess_documents",
    "reread",
    "roll_back",
    "try_out",
]
