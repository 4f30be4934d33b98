"""Equal input and equal pipeline give equal rows, whatever the order, the number of workers and the size of batches."""

from extractor.config import load_config
from extractor.governance.inventory import load_inventory
from extractor.governance.policy import load_policy
from extractor.lake.store import Lake
from extractor.resources import folder
from extractor.run import run
from extractor.sources import find_sources
from extractor.tables.catalogue import TABLES
from tests.conftest import FIXTURES

OF_THE_RUN = {"run_id", "extracted_at"}
"""Columns that name the run and its moment; all others must be equal to the byte."""
FOLDERS = ("clinical", "office", "regulatory")
"""Notes, a scanned letter, office files, a mail with attachments, labels: no need for every page twice."""
COMPARED = ("documents", "page_text", "entities", "relations", "quarantine")


def rows_of(lake, table, doc_ids):
    columns = [name for name in TABLES[table].column_names if name not in OF_THE_RUN]
    rows = lake.read(table, columns=columns, doc_ids=doc_ids).to_pylist()
    return sorted(rows, key=lambda row: (row["doc_id"], str(row.get("row_id")), str(row)))


def test_the_same_documents_give_equal_rows_in_another_order_with_other_workers_and_batches(demo, tmp_path):
    config = load_config(overrides={"lake": {"batch_documents": 3}})
    policy = load_policy(folder("configs") / "policy.yaml")
    lake = Lake(str(tmp_path / "lake"), config.lake)
    sources = list(reversed(find_sources([str(FIXTURES / name) for name in FOLDERS])))
    inventory = load_inventory(policy, manifest=FIXTURES / "manifest.csv")

    run(sources, lake, config=config, inventory=inventory, workers=1)

    doc_ids = set(lake.current())
    assert len(doc_ids) > 8
    first = Lake(str(demo.lake), config.lake)
    for table in COMPARED:
        ours, theirs = rows_of(lake, table, doc_ids), rows_of(first, table, doc_ids)
        assert len(ours) == len(theirs), table
        different = [
            (one["doc_id"], sorted(name for name in one if one[name] != other[name]))
            for one, other in zip(ours, theirs, strict=True)
            if one != other
        ]
        assert different == [], table
