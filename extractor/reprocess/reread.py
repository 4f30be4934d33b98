"""``extractor reprocess --ocr``: the documents themselves read again, with another OCR engine or reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extractor.config import Config
from extractor.governance.policy import Policy
from extractor.lake.selection import Which, select
from extractor.origins import find_origins, with_carriers
from extractor.pool import PoolStatistics
from extractor.run import Progress, run
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
    origins = find_origins(lake, chosen, documents, config=config, policy=policy)
    tally, statistics = run(
        origins.sources,
        lake,
        config=config,
        inventory=origins.inventory,
        workers=workers,
        on_progress=on_progress,
        kind="reprocess",
        again=with_carriers(_of_older_text(chosen, documents), documents),
    )
    return Reread(
        tally=tally,
        statistics=statistics,
        selected=len(chosen),
        unreachable=sum(_outermost(doc_id, documents) not in origins.reachable for doc_id in chosen),
    )


def _of_older_text(doc_ids: Iterable[str], documents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Documents that were reprocessed: they may be of the configured pipeline, and their text is not."""
    return [doc_id for doc_id in doc_ids if documents[doc_id]["text_extraction_id"] is not None]


def _outermost(doc_id: str, documents: Mapping[str, Mapping[str, Any]]) -> str:
    seen = set()
    while (parent := documents[doc_id]["parent_doc_id"]) in documents and parent not in seen:
        seen.add(parent)
        doc_id = parent
    return doc_id
