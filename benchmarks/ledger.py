"""What the ledger of a large lake costs a worker at its start: seconds, and memory then and afterwards.

    python benchmarks/ledger.py [--documents N] [--batch N] [--repeat N]

Makes a ledger of N documents in batches of --batch, claimed and completed, in a temporary folder, and has fresh
processes read it as a writer does before its first commit. Rows of other tables are not made: this is the ledger alone.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from report import machine, median, table, versions

CHECKOUT = Path(__file__).parents[1]
sys.path.insert(0, str(CHECKOUT))

READ = """
import resource, sys, time, psutil
from tests.lake.factory import settings
from extractor.lake.store import Lake

lake = Lake(sys.argv[1], settings())
lake.handle("runs"), lake.handle("ledger"), len(lake.read("ledger", columns=["batch_id"]))
now = lambda: psutil.Process().memory_info().rss
before, started = now(), time.perf_counter()
lake.ledger.refresh()
took = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(took, peak - before, now() - before)
"""
"""Libraries and the runtime of delta-rs are loaded by a small read first, so that they are not counted."""


def make(uri: str, documents: int, batch: int) -> None:
    """A ledger in few commits; what a reader reads is the same."""
    from extractor.lake import delta
    from extractor.lake.store import Lake
    from extractor.tables.operations import LEDGER
    from tests.lake.factory import settings

    lake = Lake(uri, settings())
    rows = []
    for first in range(0, documents, batch):
        doc_ids = sorted(
            hashlib.sha256(str(number).encode()).hexdigest()
            for number in range(first, min(first + batch, documents))
        )
        rows += [
            {
                "batch_id": f"{first:032d}",
                "kind": "extract",
                "run_id": f"{0:032d}",
                "doc_ids": doc_ids,
                "state": state,
                "commits": [],
                "sequence_no": 2 * (first // batch) + (state == "complete"),
                "committed_at": datetime.now(UTC),
            }
            for state in ("claimed", "complete")
        ]
        if len(rows) >= 200 or first + batch >= documents:
            delta.write(lake.writable("ledger"), LEDGER, LEDGER.to_arrow(rows).cast(LEDGER.arrow_schema()))
            rows = []


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    print(machine())
    print(versions("deltalake", "pyarrow"), flush=True)
    with tempfile.TemporaryDirectory() as uri:
        make(uri, chosen.documents, chosen.batch)
        found = []
        for _ in range(chosen.repeat):
            done = subprocess.run(
                [sys.executable, "-c", READ, uri], cwd=CHECKOUT, capture_output=True, text=True, check=True
            )
            found.append([float(word) for word in done.stdout.split()])
    took, peak, kept = (median(values) for values in zip(*found, strict=True))
    per = chosen.documents
    rows = [
        ["seconds", took, f"{took / per * 1e6:.2f} us"],
        ["memory at its most, MB", peak / 1e6, f"{peak / per:.0f} bytes"],
        ["memory kept, MB", kept / 1e6, f"{kept / per:.0f} bytes"],
    ]
    print(table([f"ledger of {per:,} documents", "value", "per document"], rows))


if __name__ == "__main__":
    main()
