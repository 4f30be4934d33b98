"""Where stored documents came from, so that they can be read once more under the governance they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractor.config import Config
from extractor.errors import ConfigError
from extractor.governance.inventory import Entry, Inventory
from extractor.governance.policy import Policy
from extractor.sources import Source, find_sources

if TYPE_CHECKING:
    from extractor.lake.store import Lake

_ENTRY_COLUMNS = tuple(field.name for field in fields(Entry) if field.name != "source")


@dataclass(frozen=True, kw_only=True)
class Origins:
    """Documents to read again: their sources that still are, and their governance.

    An attachment is read through the document that carries it: ``carriers`` are
    the documents asked for and those that carry them, up to the outermost;
    ``reachable`` those of them whose own source is there.
    """

    sources: tuple[Source, ...]
    inventory: Inventory
    carriers: frozenset[str]
    reachable: frozenset[str]


def find_origins(
    lake: Lake,
    doc_ids: Iterable[str],
    documents: Mapping[str, Mapping[str, Any]],
    *,
    config: Config,
    policy: Policy,
) -> Origins:
    """The origins of some documents; ``documents`` are the rows of that table by doc_id.

    Raises:
        LakeError: the lake cannot be read.
    """
    carriers = with_carriers(doc_ids, documents)
    entries = {doc_id: entry_of(documents[doc_id]) for doc_id in carriers}
    sources: dict[str, Source] = {}
    by_address: dict[str, Entry] = {}
    reachable: set[str] = set()
    for row in lake.read("sources", columns=["doc_id", "uri", "attachment_no"]).to_pylist():
        if row["doc_id"] in carriers and not row["attachment_no"]:
            source = _find(row["uri"], config)
            if source is not None:
                sources[row["uri"]] = source
                by_address[row["uri"]] = entries[row["doc_id"]]
                reachable.add(row["doc_id"])
    return Origins(
        sources=tuple(sources.values()),
        inventory=Inventory(policy, by_address, entries),
        carriers=carriers,
        reachable=frozenset(reachable),
    )


def with_carriers(doc_ids: Iterable[str], documents: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """The documents of the lake among some, and those that carry them, up to the outermost."""
    found: set[str] = set()
    for doc_id in doc_ids:
        one: str | None = doc_id
        while one is not None and one in documents and one not in found:
            found.add(one)
            one = documents[one]["parent_doc_id"]
    return frozenset(found)


def entry_of(document: Mapping[str, Any]) -> Entry:
    """The governance of a document as its row has it."""
    return Entry(**{name: document[name] for name in _ENTRY_COLUMNS}, source=document["governance_source"])


def _find(uri: str, config: Config) -> Source | None:
    if "://" not in uri:
        path = Path(uri)
        return Source(uri, path.stat().st_size) if path.is_file() else None
    try:
        return find_sources([uri], storage_options=config.sources.storage_options)[0]
    except ConfigError:
        return None
