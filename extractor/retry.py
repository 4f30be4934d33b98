"""``extractor quarantine retry``: extract refused documents again, from where they were found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set as AbstractSet
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractor.config import Config
from extractor.errors import ConfigError
from extractor.governance.inventory import Entry, Inventory
from extractor.governance.policy import Policy
from extractor.pool import PoolStatistics
from extractor.run import Progress, run
from extractor.sources import Source, find_sources
from extractor.tally import Tally

if TYPE_CHECKING:
    from extractor.lake.store import Lake

_ENTRY_COLUMNS = tuple(field.name for field in fields(Entry) if field.name != "source")


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
    carriers = _with_carriers(chosen & documents.keys(), documents)
    entries = {
        doc_id: Entry(
            **{name: documents[doc_id][name] for name in _ENTRY_COLUMNS},
            source=documents[doc_id]["governance_source"],
        )
        for doc_id in carriers
    }
    sources: dict[str, Source] = {}
    by_address: dict[str, Entry] = {}
    for row in lake.read("sources", columns=["doc_id", "uri", "attachment_no"]).to_pylist():
        if row["doc_id"] in carriers and not row["attachment_no"]:
            source = _find(row["uri"], config)
            if source is not None:
                sources[row["uri"]] = source
                by_address[row["uri"]] = entries[row["doc_id"]]
    return run(
        list(sources.values()),
        lake,
        config=config,
        inventory=Inventory(policy, by_address, entries),
        workers=workers,
        on_progress=on_progress,
        kind="retry",
        again=frozenset(carriers),
    )


def _with_carriers(doc_ids: AbstractSet[str], documents: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The documents and those that carry them, up to the outermost; ``documents`` are their rows by doc_id."""
    parents = {doc_id: row["parent_doc_id"] for doc_id, row in documents.items()}
    found = set(doc_ids)
    for doc_id in doc_ids:
        parent = parents.get(doc_id)
        while parent is not None and parent not in found:
            found.add(parent)
            parent = parents.get(parent)
    return found


def _find(uri: str, config: Config) -> Source | None:
    if "://" not in uri:
        path = Path(uri)
        return Source(uri, path.stat().st_size) if path.is_file() else None
    try:
        return find_sources([uri], storage_options=config.sources.storage_options)[0]
    except ConfigError:
        return None
