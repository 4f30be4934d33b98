"""What a better model costs: from stored text, against reading scans and digital PDFs again.

    python benchmarks/reprocess.py [DOCUMENTS] [--scans N] [--copies N] [--repeat N] [--workers N]

DOCUMENTS is as in throughput.py. Two inboxes, the second page of N letters drawn at 200 dpi without a text layer, and
the digital pages of the PDFs in gmp_batch_records and fda_crl, are each extracted into a lake of their own with the
default settings (`extractor run`), then reprocessed from that lake (`extractor reprocess`) under settings that differ
in nothing that finds (limits.page_time_s), so that every document is outdated and every row is made again. Rounds of
both commands alternate, each run into a new lake; medians are printed. `pages/s` counts the seconds of the tally, from
the first document to the last commit; `command s` is the whole command with its start; `CPU s/page` is the processor
time of the command and of all processes it started. The goals are 20 times scans and 3 times digital.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from report import (
    DOCUMENTS,
    Measured,
    become_reaper,
    extractor_command,
    machine,
    measure,
    median,
    stop_on_signal,
    table,
    versions,
)
from throughput import clean_scans, digital_files, write

GOALS = {"scans": 20, "digital": 3}


def rounds(base: Path, inbox: Path, name: str, chosen: argparse.Namespace) -> list[list[object]]:
    """Run and reprocess in turns; the two lines of the table."""
    command = [extractor_command()]
    found: dict[str, list[tuple[Measured, dict[str, float]]]] = {"run": [], "reprocess": []}
    for number in range(chosen.repeat):
        lake = base / f"lake-{name}-{number}"
        settings = base / f"{name}-{number}.yaml"
        settings.write_text(f"limits: {{page_time_s: {61 + number}}}\n")
        shared = ["--lake", lake, "--workers", str(chosen.workers), "--json"]
        for verb, arguments in (
            ("run", [*command, "run", inbox, *shared]),
            ("reprocess", [*command, "reprocess", "--config", settings, *shared]),
        ):
            measured = measure(arguments)
            found[verb].append((measured, json.loads(measured.stdout)))
        pages = {verb: tallies[-1][1]["pages"] for verb, tallies in found.items()}
        assert pages["run"] == pages["reprocess"], pages
        shutil.rmtree(lake)
    lines = []
    speeds = {}
    for verb, tallies in found.items():
        pages = tallies[0][1]["pages"]
        speeds[verb] = pages / median([tally["seconds"] for _, tally in tallies])
        wall_s = median([measured.wall_s for measured, _ in tallies])
        cpu_s = median([measured.cpu_s for measured, _ in tallies])
        times = speeds[verb] / speeds["run"]
        lines.append([f"{name}, {verb}", pages, speeds[verb], times, wall_s, cpu_s / pages])
    times = speeds["reprocess"] / speeds["run"]
    print(
        f"{name}: {times:.1f} times, the goal is {GOALS[name]}: {'kept' if times >= GOALS[name] else 'missed'}"
    )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("documents", type=Path, nargs="?", default=DOCUMENTS)
    parser.add_argument("--scans", type=int, default=24)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(GOALS), default=list(GOALS))
    chosen = parser.parse_args()
    stop_on_signal()
    become_reaper()
    print(machine())
    print(versions("deltalake", "pyarrow", "onnxruntime", "tesserocr"))
    base = Path(tempfile.mkdtemp(prefix="reprocess-"))
    try:
        lines = []
        for name in chosen.only:
            files = (
                clean_scans(chosen.documents, chosen.scans)
                if name == "scans"
                else digital_files(chosen.documents, chosen.copies)
            )
            lines += rounds(base, write(base / name, files), name, chosen)
        print(table(["", "pages", "pages/s", "times", "command s", "CPU s/page"], lines))
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
