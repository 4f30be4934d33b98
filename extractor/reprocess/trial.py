"""What a reprocess would change, over a sample of the documents; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extractor.config import Config
from extractor.engines import EngineName, open_pool, prepare
from extractor.lake.carry import STAMPS, STANDING, carry_entities, carry_relations, stamped
from extractor.lake.changes import Difference, difference
from extractor.lake.files import DocumentFiles
from extractor.lake.selection import Which, select
from extractor.lineage import Pipeline
from extractor.pipeline import Outcome
from extractor.reprocess.documents import REPLACED, Failure, Feed, pipeline_of, stored_documents
from extractor.reprocess.verb import outdated, planned
from extractor.tables.catalogue import table_named

if TYPE_CHECKING:
    import pyarrow as pa

    from extractor.governance.policy import Access
    from extractor.lake.store import Lake

SAMPLE = 200
"""Documents of a trial, unless told otherwise."""

_TOGETHER = 200
"""Documents whose old and new rows are in memory together."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What would change in ``tried`` of the ``selected`` documents that are not of this pipeline yet."""

    pipeline_version: str
    selected: int
    current: int
    tried: int
    failures: tuple[Failure, ...]
    difference: Difference

    def as_dict(self) -> dict[str, Any]:
        """As ``extractor reprocess --dry-run --json`` prints it."""
        return {
            "dry_run": True,
            "pipeline_version": self.pipeline_version,
            "selected": self.selected,
            "current": self.current,
            "tried": self.tried,
            "failed": [{"doc_id": one.doc_id, "code": one.code} for one in self.failures],
            **self.difference.as_dict(),
        }


def try_out(
    lake: Lake,
    *,
    config: Config,
    which: Which,
    workers: int | None = None,
    engine: EngineName = "local",
    tables: Sequence[str] = REPLACED,
    limit: int | None = None,
    sample: int = SAMPLE,
    examples: int = 0,
    access: Access | None = None,
    on_progress: Callable[[int, int, int], None] = lambda _finished, _known, _pages: None,
) -> Trial:
    """Run ``sample`` documents (0: all), spread evenly over those that fit, and compare their rows with the stored.

    ``examples`` rows of each kind of change are shown, of those that ``access``
    may see; none without. Decisions of reviewers are taken into account.

    Raises:
        ConfigError: the selection or ``tables`` is wrong.
        ExtractorError: a tool is missing, or the lake cannot be read.
    """
    pipeline_of(config, (), tables)
    prepare(engine)
    selected = select(lake, which, begun=False)
    with open_pool(engine, config, size=workers) as pool:
        pipeline = pipeline_of(config, pool.models, tables)
        todo = outdated(selected, config, pipeline, pool.models)
        groups = planned(lake, todo, config, limit).groups
        chosen = spread([doc_id for group in groups for doc_id in group.doc_ids], sample)
        texts = DocumentFiles(lake=lake, table="page_text")
        found = Difference()
        failures: list[Failure] = []
        for start in range(0, len(chosen), _TOGETHER):
            documents = stored_documents(lake, chosen[start : start + _TOGETHER])

            def told(finished: int, pages: int, before: int = start) -> None:
                on_progress(before + finished, len(chosen), pages)

            feed = Feed(texts=texts, documents=documents, pipeline=pipeline, run_id="", on_wait=told)
            good = []
            for outcome in feed.outcomes(pool):
                if outcome.status == "quarantined":
                    code = outcome.code or ""
                    failures.append(Failure(doc_id=outcome.doc_id, code=code, is_bug=outcome.is_bug))
                else:
                    good.append(outcome)
            failures += [Failure(doc_id=doc_id, code="lake.page_text") for doc_id in feed.without_rows]
            before = {name: lake.read(name, doc_ids=[one.doc_id for one in good]) for name in REPLACED}
            after = rows_after(before, good, documents, pipeline, tables)
            found = found.merged(difference(before, after, examples=examples, access=access))
        return Trial(
            pipeline_version=pipeline.version,
            selected=len(selected.extractions),
            current=len(selected.extractions) - len(todo),
            tried=len(chosen),
            failures=tuple(failures),
            difference=found,
        )


def spread(doc_ids: Sequence[str], sample: int) -> list[str]:
    """``sample`` of some documents at even distances; all for 0."""
    count = len(doc_ids)
    if sample <= 0 or sample >= count:
        return list(doc_ids)
    return [doc_ids[index * count // sample] for index in range(sample)]


def rows_after(
    before: Mapping[str, pa.Table],
    outcomes: Sequence[Outcome],
    documents: Mapping[str, Mapping[str, Any]],
    pipeline: Pipeline,
    tables: Sequence[str],
) -> dict[str, pa.Table]:
    """The rows that entities and relations of some documents would have, reviewers' decisions included."""
    stamps = {doc_id: {name: row[name] for name in STAMPS} for doc_id, row in documents.items()}
    for doc_id, own in stamps.items():
        own |= {"extraction_id": pipeline.extraction_id(doc_id), "pipeline_version": pipeline.version}
    new = {name: _offered(name, outcomes) for name in REPLACED}
    links = before["relations"].to_pylist()
    ends = {
        row[f"{end}_row_id"] for row in links if row["review_status"] in STANDING for end in ("head", "tail")
    }
    if "entities" in tables:
        mentions = carry_entities(before["entities"], new["entities"], stamps=stamps, ends=ends)
        entities, touched = mentions.rows, mentions.touched
    else:
        entities, touched = stamped(before["entities"], stamps), frozenset()
    is_whole = set(tables) == set(REPLACED)
    relations = carry_relations(
        before["relations"],
        new["relations"] if "relations" in tables else stamped(before["relations"], stamps),
        stamps=stamps,
        entities=entities,
        touched=touched if is_whole else frozenset(documents),
    )
    return {"entities": entities, "relations": relations.rows}


def _offered(name: str, outcomes: Sequence[Outcome]) -> pa.Table:
    import pyarrow as pa

    contract = table_named(name)
    empty = contract.to_arrow([]).cast(contract.arrow_schema())
    return pa.concat_tables([empty, *(outcome.tables[name] for outcome in outcomes)])
