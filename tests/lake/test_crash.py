"""Processes that are killed, and processes that write the same documents at the same time."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from extractor.lake.commit import commit
from extractor.lake.store import Lake
from tests.faults.lake import write_randomly
from tests.lake.factory import doc_id, make_batch, settings

CHECKOUT = Path(__file__).parents[2]


def writer(uri, run_id, *, seed=0, documents=12, fault=()):
    command = [
        sys.executable,
        "-m",
        "tests.faults.lake",
        uri,
        run_id,
        str(seed),
        str(documents),
        *map(str, fault),
    ]
    return subprocess.Popen(command, cwd=CHECKOUT)


def test_a_writer_killed_at_any_commit_leaves_a_readable_lake_that_the_next_run_completes(tmp_path, findings):
    # commits of a batch: claim, page_text, entities, sources, documents, completion
    points = [("before", 1), ("after", 1), ("after", 2), ("before", 4), ("after", 5), ("before", 12)]
    uris = [str(tmp_path / f"{when}_{number}") for when, number in points]
    for uri in uris:  # what is there before the crash stays
        commit(
            Lake(uri, settings()),
            make_batch([doc_id(0), doc_id(1)], run_id="old", pipeline="0.9+cccccccccccc"),
        )
    killed = [writer(uri, "run-1", fault=point) for uri, point in zip(uris, points, strict=True)]
    assert [process.wait() for process in killed] == [-signal.SIGKILL] * len(points)

    for uri, (when, number) in zip(uris, points, strict=True):
        lake = Lake(uri, settings())
        left = findings(lake)
        assert set(left) <= {("unfinished", "ledger")}, (when, number)
        assert bool(left) == ((when, number) != ("before", 1)), (when, number)
        write_randomly(uri, "run-2", seed=1, documents=12)
        assert lake.current().keys() == {doc_id(n) for n in range(12)}
        assert {one.pipeline_version for one in lake.current().values()} == {"1.0+aaaaaaaaaaaa"}
        assert findings(lake) == {}, (when, number)


def test_three_writers_of_the_same_documents_one_of_them_killed_end_with_every_document_once(
    tmp_path, findings
):
    uri = str(tmp_path / "lake")
    writers = [writer(uri, f"run-{number}", seed=number, documents=15) for number in range(3)]
    deadline = time.monotonic() + 30
    while not (tmp_path / "lake/governed/documents").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(random.random() * 0.3)  # any instant will do
    writers[0].kill()
    assert writers[0].wait() in {-signal.SIGKILL, 0}
    for process in writers[1:]:
        assert process.wait(timeout=60) == 0

    write_randomly(uri, "run-9", seed=9, documents=15)

    lake = Lake(uri, settings())
    assert lake.current().keys() == {doc_id(n) for n in range(15)}
    assert lake.read("documents").num_rows == 15
    assert lake.read("entities").num_rows == 15 * 6
    assert findings(lake) == {}


@pytest.mark.parametrize("table", ["page_text", "ledger"])
def test_a_table_made_by_two_writers_at_once_is_one_table(tmp_path, table):
    lakes = [Lake(str(tmp_path / "lake"), settings()) for _ in range(2)]
    assert lakes[0].handle(table) is None
    lakes[1].writable(table)

    assert lakes[0].writable(table).version() == lakes[1].writable(table).version() == 0
