"""The lake measured: commits, start-up, queries under policy, and a long run of crashing and competing writers.

    python benchmarks/lake.py [commits] [startup] [queries] [storm] [s3] [--documents N] [--rows N] [--rounds N]

Prints medians of the repetitions, with versions and machine. Everything is
made data in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))

from extractor.errors import CommitConflictError
from extractor.governance.policy import load_policy
from extractor.lake.commit import commit
from extractor.lake.maintain import maintain
from extractor.lake.query import query
from extractor.lake.store import Lake
from extractor.lake.verify import verify
from extractor.lake.work import fitting
from extractor.tables.catalogue import table_named
from tests.faults.lake import write_randomly
from tests.lake.factory import doc_id, make_batch, settings

CHECKOUT = Path(__file__).parents[1]
POLICY = load_policy(CHECKOUT / "configs" / "policy.yaml")
CLASSES = ("public", "non-human", "de-identified", "PHI")


@contextmanager
def measured():
    """Seconds, and megabytes of this process above what it held before."""
    process = psutil.Process()
    before = process.memory_info().rss
    peak = [before]
    over = threading.Event()

    def watch():
        while not over.wait(0.005):
            peak[0] = max(peak[0], process.memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    result = {}
    started = time.perf_counter()
    try:
        yield result
    finally:
        result["s"] = time.perf_counter() - started
        over.set()
        thread.join()
        result["mb"] = (peak[0] - before) / 2**20


def commits(folder, arguments):
    """Batches of 64 documents of two pages and six entities: new ones, the same again, a new pipeline."""
    lake = Lake(str(folder / "commits"), settings())
    batches = [[doc_id(64 * batch + number) for number in range(64)] for batch in range(arguments.batches)]
    for name, pipeline in (("new documents", "1"), ("the same again", "1"), ("new pipeline", "2")):
        offered = [make_batch(ids, pipeline=pipeline) for ids in batches]
        rows = sum(table.num_rows for batch in offered for table in batch.tables.values())
        times = []
        for batch in offered:
            started = time.perf_counter()
            commit(lake, batch)
            times.append(time.perf_counter() - started)
        print(
            f"{name:16} {len(offered)} batches: median {statistics.median(times):.3f} s a batch, "
            f"{64 / statistics.median(times):,.0f} documents/s, {rows / sum(times):,.0f} rows/s"
        )
    before = sum(one.files_before for one in maintain(lake, run_id="m"))
    with measured() as took:
        report = verify(lake, class_order=POLICY.classes)
    print(
        f"verify after maintenance ({before} files before): {took['s']:.2f} s, +{took['mb']:.0f} MB, {report.findings}"
    )


def startup(folder, arguments):
    """`current()` in a fresh process, before and after maintenance."""
    uri = str(folder / "startup")
    lake = Lake(uri, settings())
    size = 500
    started = time.perf_counter()
    for first in range(0, arguments.documents, size):
        ids = [doc_id(number) for number in range(first, min(first + size, arguments.documents))]
        commit(lake, make_batch(ids, pages=1))
    print(
        f"{arguments.documents} documents written in batches of {size} in {time.perf_counter() - started:.0f} s"
    )
    script = (
        "import sys, time; from tests.lake.factory import settings, doc_id, make_batch\n"
        "from extractor.lake.store import Lake; from extractor.lake.commit import commit\n"
        "t = time.perf_counter(); lake = Lake(sys.argv[1], settings()); n = len(lake.current())\n"
        "s = time.perf_counter() - t; t = time.perf_counter()\n"
        "commit(lake, make_batch([doc_id(sys.argv[2])])); print(n, round(s, 2), round(time.perf_counter() - t, 2))"
    )
    for state in ("as written", "after maintenance"):
        for repetition in range(3):
            name = f"{state}{repetition}"
            out = subprocess.run(
                [sys.executable, "-c", script, uri, name],
                cwd=CHECKOUT,
                check=True,
                capture_output=True,
                text=True,
            )
            count, current_s, commit_s = out.stdout.split()
            print(
                f"{state:18} current() of {count} documents {current_s} s, then the first commit {commit_s} s"
            )
        if state == "as written":
            with measured() as took:
                maintain(lake, run_id="m")
            print(f"maintenance {took['s']:.1f} s, +{took['mb']:.0f} MB")


QUERIES = (
    "select count(*) from entities",
    "select * from entities limit 10",
    "select type, count(*), count(distinct doc_id) from entities group by 1",
    "select count(*) from entities where text = 'aspirin 999'",
    "select * from entities where char_start between 100 and 120 limit 100",
    "select avg(value) from entities where parse_status = 'ok'",
    "select d.status, count(*) from documents d join entities e using (doc_id) group by 1",
)


def queries(folder, arguments):
    """SQL under policy over a large table; memory beside time."""
    lake = Lake(str(folder / "queries"), settings())
    made = large_table(lake, arguments.rows)
    maintain(lake, run_id="m")
    print(f"{made} rows, {len(lake.handle('entities').file_uris())} files")
    for principal in ("steward", "analyst", "partner"):
        for sql in QUERIES if principal != "partner" else QUERIES[:-1]:
            times, memory = [], []
            for _ in range(3):
                with measured() as took:
                    query(lake, POLICY.access(principal), sql)
                times.append(took["s"])
                memory.append(took["mb"])
            print(
                f"{principal:8} {sql[:72]:72} {statistics.median(times) * 1000:6.0f} ms, at most +{max(memory):.0f} MB"
            )


def large_table(lake, rows):
    """Entities of documents in four classes; made by changing ids of a small batch."""
    base_documents = 250
    made = 0
    while made < rows:
        name = CLASSES[(made // 40_000) % 4]
        batch = make_batch(
            [doc_id(f"{made}-{number}") for number in range(base_documents)],
            run_id=f"run-{made}",
            classification=name,
            pages=20,
        )
        entities = batch.tables["entities"]
        text = pa.array(
            [f"{word} {number}" for number, word in enumerate(entities.column("text").to_pylist())]
        )
        entities = entities.set_column(
            entities.schema.get_field_index("text"), entities.schema.field("text"), text
        )
        tables = {**batch.tables, "entities": fitting(table_named("entities"), entities)}
        commit(lake, type(batch)(run_id=batch.run_id, extractions=batch.extractions, tables=tables))
        made += entities.num_rows
    return made


def storm(folder, arguments):
    """Rounds of three writers of the same documents beside constant maintenance; some are killed at a random instant,
    then one run completes."""
    killed = 0
    started = time.perf_counter()
    for number in range(arguments.rounds):
        uri = str(folder / f"storm{number}")
        writers = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.faults.lake", uri, f"run-{n}", str(100 * number + n), "40"],
                cwd=CHECKOUT,
            )
            for n in range(3)
        ]
        doomed = {process: time.monotonic() + random.uniform(0.2, 4) for process in writers[: 1 + number % 3]}
        tidy = Lake(uri, settings())
        while any(process.poll() is None for process in writers):
            for process, at in doomed.items():
                if time.monotonic() > at:
                    process.kill()
            with suppress(CommitConflictError):
                maintain(tidy, run_id="m", vacuum=False)
            time.sleep(0.05)
        killed += sum(process.wait() == -signal.SIGKILL for process in writers)
        write_randomly(uri, "run-9", seed=number, documents=40)
        lake = Lake(uri, settings())
        found = verify(lake, class_order=POLICY.classes).findings
        assert not found, found
        assert len(lake.current()) == 40 == lake.read("documents").num_rows
        assert lake.read("entities").num_rows == 40 * 6
        orphans = sum(
            len(lake.handle(t).vacuum(0, enforce_retention_duration=False, full=True)) for t in ("entities",)
        )
        shutil.rmtree(uri)
        print(f"round {number}: clean; unreferenced files of entities: {orphans}")
    print(
        f"{arguments.rounds} rounds, {killed} writers killed, {time.perf_counter() - started:.0f} s: all clean"
    )


def s3(_folder, arguments):
    """The same batches against an S3 server on loopback, in a process of its own."""
    code = (
        "from moto.server import ThreadedMotoServer; import logging, time\n"
        "logging.getLogger('werkzeug').disabled = True\n"
        "s = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False); s.start()\n"
        "print(*s.get_host_and_port(), flush=True); time.sleep(3600)"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        host, port = server.stdout.readline().split()
        import boto3

        endpoint = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket="bucket")
        options = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }
        lake = Lake("s3://bucket/lake", settings(storage_options=options))
        times = []
        for batch in range(arguments.batches):
            offered = make_batch([doc_id(64 * batch + number) for number in range(64)])
            started = time.perf_counter()
            commit(lake, offered)
            times.append(time.perf_counter() - started)
        print(f"S3 (moto): median {statistics.median(times):.2f} s a batch of 64 documents (6 commits)")
        lakes = [Lake("s3://bucket/race", settings(storage_options=options)) for _ in range(3)]
        threads = [
            threading.Thread(
                target=commit, args=(one, make_batch([doc_id(n) for n in range(8)], run_id=f"run-{i}"))
            )
            for i, one in enumerate(lakes)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = verify(lakes[0], class_order=POLICY.classes).findings
        print(
            f"S3 race of three writers on the same documents: {found or 'clean'}, {len(lakes[0].current())} documents"
        )
    finally:
        server.kill()
        server.wait()


def main():
    parts = {"commits": commits, "startup": startup, "queries": queries, "storm": storm, "s3": s3}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batches", type=int, default=20)
    arguments = parser.parse_args()
    import deltalake
    import duckdb
    import polars as pl

    print(
        f"deltalake {deltalake.__version__}, duckdb {duckdb.__version__}, polars {pl.__version__}, "
        f"pyarrow {pa.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    for name in arguments.parts or parts:
        print(f"-- {name}: {parts[name].__doc__.splitlines()[0]}")
        folder = Path(tempfile.mkdtemp(prefix=f"lake-{name}-"))
        try:
            parts[name](folder, arguments)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
