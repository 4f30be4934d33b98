"""Batches of a reprocess, made from what a lake holds: other entities, the text left alone."""

from __future__ import annotations

from extractor.lake.commit import Batch
from extractor.tables.catalogue import table_named
from tests.lake.factory import extraction_id, make_batch

SEEN = (
    "doc_id",
    "extraction_id",
    "run_id",
    "status",
    "classification",
    "consent_scope",
    "study_id",
    "subject_id",
)


def reprocess_batch(
    lake, doc_ids, *, run_id="run-2", pipeline="2.0+bbbbbbbbbbbb", change=None, relations=(), **more
):
    """What a reprocess of some documents would commit: ``change`` makes the new entity rows from the usual ones."""
    doc_ids = list(doc_ids)
    made = make_batch(doc_ids, run_id=run_id, pipeline=pipeline)
    documents = lake.read("documents", doc_ids=doc_ids)
    rows = []
    for row in documents.to_pylist():
        text = {
            "text_extraction_id": row["text_extraction_id"] or row["extraction_id"],
            "text_run_id": row["text_run_id"] or row["run_id"],
        }
        own = {
            "extraction_id": extraction_id(row["doc_id"], pipeline),
            "run_id": run_id,
            "pipeline_version": pipeline,
        }
        rows.append(row | own | text)
    tags = {row["doc_id"]: row for row in rows}
    entities = [
        row | {name: tags[row["doc_id"]][name] for name in SEEN[4:]}
        for row in made.tables["entities"].to_pylist()
        if row["doc_id"] in tags
    ]
    for row in entities:
        row["score"] = 0.9
    if change is not None:
        entities = [new for row in entities for new in change(row)]
    return Batch(
        run_id=run_id,
        kind="reprocess",
        extractions={row["doc_id"]: row["extraction_id"] for row in rows},
        tables={
            "entities": table_named("entities").to_arrow(entities),
            "relations": table_named("relations").to_arrow(list(relations)),
            "documents": table_named("documents").to_arrow(rows),
        },
        kept=frozenset({"page_text"}),
        seen=documents.select(SEEN),
        **more,
    )


def decide(lake, where, status, **values):
    """A reviewer's decision, as it stands in the table."""
    sets = {name: f"'{value}'" for name, value in {"review_status": status, **values}.items()}
    lake.handle("entities").update(updates=sets, predicate=where)
