"""``extractor quarantine retry``: extract refused documents again, from where they were found."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from extractor.config import Config
from extractor.governance.policy import Policy
from extractor.origins import find_origins
from extractor.pool import PoolStatistics
from extractor.run import Progress, run
from extractor.tally import Tally

if TYPE_CHECKING:
    from extractor.lake.store import Lake


def retry(
    lake: Lake,
    *,
    config: Config,
    policy: Policy,
    code: str | None,
    everything: bool,
    workers: int,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> tuple[Tally, PoolStatistics]:
    """Try refused documents and documents with refused pages again; governance stays as it is.

    Chosen are those whose refusal is retryable, or all of them with ``everything``; ``code`` narrows either.
    An attachment is tried again through the document that carries it. A source
    that is gone stays quarantined as it is.
    """
    refused = lake.read("quarantine", columns=["doc_id", "code", "retryable", "scope"]).to_pylist()
    chosen = {
        row["doc_id"]
        for row in refused
        if row["scope"] in {"document", "page"}
        and (everything or row["retryable"])
        and (code is None or row["code"] == code)
    }
    documents = {row["doc_id"]: row for row in lake.read("documents").to_pylist()}
    origins = find_origins(lake, chosen, documents, config=config, policy=policy)
    return run(
        origins.sources,
        lake,
        config=config,
        inventory=origins.inventory,
        workers=workers,
        on_progress=on_progress,
        kind="retry",
        again=origins.carriers,
    )
