"""The Ray engine against worker processes of this machine, on the same notes.

    python benchmarks/ray_engine.py [DOCUMENTS] [--notes N] [--workers N] [--repeat N]

Prints seconds and CPU seconds of whole commands over one note (the price of
starting and stopping) and over N notes of 2,000 characters, and what was
extracted per second between the two.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

from report import become_reaper, extractor_command, machine, measure, median, table, versions
from throughput import DOCUMENTS, notes, write


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("documents", nargs="?", type=Path, default=DOCUMENTS)
    parser.add_argument("--notes", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    become_reaper()
    print(machine())
    print(versions("lifescience-extractor", "ray", "pyarrow", "deltalake"))
    print(f"medians of {chosen.repeat}; load at the start {os.getloadavg()[0]:.1f}\n", flush=True)
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        folders = [write(base / str(count), notes(chosen.documents, count)) for count in (1, chosen.notes)]
        found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
        for _ in range(chosen.repeat):
            for folder in folders:
                for engine in ("local", "ray"):
                    found.setdefault((folder.name, engine), []).append(
                        once(folder, engine, chosen.workers, base)
                    )
    rows = []
    for (count, engine), runs in found.items():
        wall_s, cpu_s, extraction_s = (median([run[part] for run in runs]) for part in range(3))
        rows.append([count, engine, wall_s, cpu_s, wall_s - extraction_s, int(count) / extraction_s])
    print(table(["notes", "engine", "seconds", "CPU seconds", "of them start and stop", "notes/s"], rows))


def once(folder: Path, engine: str, workers: int, base: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds, and seconds of the extraction alone."""
    lake = base / "lake"
    words = ["run", folder, "--lake", lake, "--engine", engine, "--workers", str(workers), "--json"]
    measured = measure([extractor_command(), *words])
    shutil.rmtree(lake)
    tally = json.loads(measured.stdout)
    assert tally["done"] == len(list(folder.iterdir()))
    return measured.wall_s, measured.cpu_s, tally["seconds"]


if __name__ == "__main__":
    main()
