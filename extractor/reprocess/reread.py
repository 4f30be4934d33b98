"""``extractor reprocess --ocr``: the documents themselves read again, with another OCR engine or reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractor.config import Config
from extractor.errors import ConfigError
from extractor.governance.inventory import Entry, Inventory
from extractor.governance.policy import Policy
from extractor.lake.selection import Which, select
from extractor.pool import PoolStatistics
from extractor.reprocess.documents import entry_of
from extractor.run import Progress, run
from extractor.sources import Source, find_sources
from extractor.tally import Tally

if TYPE_CHECKING:
    from extractor.lake.store import Lake


@dataclass(frozen=True, kw_only=True)
class Reread:
    """What became of documents that were read again; ``unreachable`` ones have no source any more and stay."""

    tally: Tally
    statistics: PoolStatistics
    selected: int
    unreachable: int

    def as_dict(self) -> dict[str, Any]:
        """As ``extractor reprocess --ocr --json`` prints it."""
        return {**self.tally.as_dict(), "selected": self.selected, "unreachable": self.unreachable}


def reread(
    lake: Lake,
    *,
    config: Config,
    policy: Policy,
    which: Which,
    workers: int,
    limit: int | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Reread:
    """Read documents again from where they were found, and extract them; governance stays as it is.

    Documents that fit and were both read and extracted by the configured
    pipeline are skipped, so the same call after a crash goes on where it was. An
    attachment is read again through the document that carries it. Documents
    whose source is gone keep their rows.

    Raises:
        ConfigError: the selection is wrong.
        ExtractorError: a tool is missing, or the lake cannot be read or written.
    """
    chosen = sorted(select(lake, which, begun=False).extractions)[:limit]
    documents = {row["doc_id"]: row for row in lake.read("documents").to_pylist()}
    carriers = _with_carriers(chosen, documents)
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
    tally, statistics = run(
        list(sources.values()),
        lake,
        config=config,
        inventory=Inventory(policy, by_address, entries),
        workers=workers,
        on_progress=on_progress,
        kind="reprocess",
        again=_with_carriers(_of_older_text(chosen, documents), documents),
    )
    return Reread(
        tally=tally,
        statistics=statistics,
        selected=len(chosen),
        unreachable=sum(_outermost(doc_id, documents) not in reachable for doc_id in chosen),
    )


def _with_carriers(doc_ids: Iterable[str], documents: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """The documents and those that carry them, up to the outermost."""
    found: set[str] = set()
    for doc_id in doc_ids:
        one: str | None = doc_id
        while one is not None and one in documents and one not in found:
            found.add(one)
            one = documents[one]["parent_doc_id"]
    return frozenset(found)


def _of_older_text(doc_ids: Iterable[str], documents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Documents that were reprocessed: they may be of the configured pipeline, and their text is not."""
    return [doc_id for doc_id in doc_ids if documents[doc_id]["text_extraction_id"] is not None]


def _outermost(doc_id: str, documents: Mapping[str, Mapping[str, Any]]) -> str:
    seen = set()
    while (parent := documents[doc_id]["parent_doc_id"]) in documents and parent not in seen:
        seen.add(parent)
        doc_id = parent
    return doc_id


def _find(uri: str, config: Config) -> Source | None:
    if "://" not in uri:
        path = Path(uri)
        return Source(uri, path.stat().st_size) if path.is_file() else None
    try:
        return find_sources([uri], storage_options=config.sources.storage_options)[0]
    except ConfigError:
        return None
