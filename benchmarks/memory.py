"""Whether a worker's memory stays flat over thousands of documents, and how much the engine takes at most.

    python benchmarks/memory.py [--documents N] [--scans N] [--workers N] [--seed N]

Makes N documents of its own, all different: digital PDFs of two pages with a ruled table and many words that occur
nowhere else (so that a cache or string store that never forgets would show), every fifth a plain note, and scans spread
evenly among them. One run takes them all to a Delta lake; workers are never replaced, so nothing can hide
behind a fresh process. The resident memory of every worker and of the parent is sampled after each document.

Printed per worker, in the order of documents that the run has finished: the first sample (at 1), the median over the 50
documents before each mark, the peak of all samples, the growth from document 100 to the last, and the slope per
document: the median over any two such medians from document 100 on (Theil and Sen), which a single large document does
not bend.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

import psutil
import pymupdf
from report import machine, table, versions

MARKS = (1, 100, 200, 500, 1000, 1500, 2000, 3000, 5000)
WINDOW = 50
ENDS = ("peak", "100 to last", "KB per document")
SETTLED = 100
DRUGS = ("atorvastatin", "metformin", "lisinopril", "amoxicillin", "methotrexate", "warfarin", "ibuprofen")

SYLLABLES = [
    first + vowel + last for first in "bdflmnprst" for vowel in "aeio" for last in ("", "n", "r", "s", "t")
]
"""Words of these look like words (letters thrown together would be taken for a garbled text layer, and read as
scans)."""


def sentence(source: random.Random) -> str:
    fresh = ["".join(source.choices(SYLLABLES, k=source.randint(2, 4))) for _ in range(9)]
    dose = f"{source.randint(1, 900)}.{source.randint(0, 9)} mg of {source.choice(DRUGS)}"
    return f"On 2026-{source.randint(1, 12):02}-{source.randint(1, 28):02} {' '.join(fresh)} {dose}."


def digital(source: random.Random) -> pymupdf.Document:
    document = pymupdf.open()
    for _ in range(2):
        page = document.new_page(width=595, height=842)
        for line in range(24):
            page.insert_text((50, 60 + 14 * line), sentence(source), fontsize=8)
        for row in range(9):
            for column in range(4):
                left, top = 50 + 120 * column, 420 + 22 * row
                cell = pymupdf.Rect(left, top, left + 120, top + 22)
                page.draw_rect(cell)
                number, unit = source.randint(1, 99999), source.choice(["kg", "mg", "mL"])
                page.insert_text((left + 4, top + 14), f"{number} {unit}")
    return document


def scan(source: random.Random) -> bytes:
    with digital(source) as document, pymupdf.open() as scanned:
        picture = document[0].get_pixmap(dpi=200, colorspace=pymupdf.csGRAY)
        scanned.new_page(width=595, height=842).insert_image(pymupdf.Rect(0, 0, 595, 842), pixmap=picture)
        return bytes(scanned.tobytes(deflate=True))


def make_documents(folder: Path, count: int, scans: int, seed: int) -> None:
    source = random.Random(seed)
    scanned = {(2 * number + 1) * count // (2 * scans) for number in range(scans)}
    for number in range(count):
        if number in scanned:
            (folder / f"{number:05}.pdf").write_bytes(scan(source))
        elif number % 5 == 4:
            text = "\n".join(sentence(source) for _ in range(30))
            (folder / f"{number:05}.txt").write_text(text)
        else:
            with digital(source) as document:
                (folder / f"{number:05}.pdf").write_bytes(document.tobytes(deflate=True))


class Samples:
    """Resident bytes of each worker and of the parent, by the number of documents finished."""

    def __init__(self) -> None:
        self.of: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._finished = -1
        self._names: dict[int, str] = {}

    def take(self, state: object) -> None:
        finished = state.finished  # type: ignore[attr-defined]
        if finished == self._finished:
            return
        self._finished = finished
        parent = psutil.Process()
        self.of["parent"].append((finished, parent.memory_info().rss))
        for server in parent.children():
            for worker in server.children():
                name = self._names.setdefault(worker.pid, f"worker {len(self._names) + 1}")
                try:
                    self.of[name].append((finished, worker.memory_info().rss))
                except psutil.Error:
                    continue


def at(samples: list[tuple[int, int]], mark: int) -> float:
    if mark == 1:
        return samples[0][1] / 2**20 if samples else float("nan")
    near = [rss for finished, rss in samples if mark - WINDOW <= finished <= mark]
    return statistics.median(near) / 2**20 if near else float("nan")


def growth(samples: list[tuple[int, int]], count: int) -> float:
    """Bytes per document that the run has finished."""
    points = [(mark, at(samples, mark)) for mark in range(SETTLED, count + 1, WINDOW)]
    known = [
        (mark, megabytes) for mark, megabytes in points if megabytes == megabytes
    ]  # no sample, no number
    slopes = [(b - a) / (y - x) for (x, a), (y, b) in itertools.combinations(known, 2)]
    return statistics.median(slopes) * 2**20 if slopes else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--scans", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()

    from extractor.config import load_config, policy_path
    from extractor.governance.inventory import load_inventory
    from extractor.governance.policy import load_policy
    from extractor.lake.store import Lake
    from extractor.run import run
    from extractor.sources import find_sources

    print(machine())
    print(
        versions("lifescience-extractor", "pymupdf", "tesserocr", "spacy", "polars", "pyarrow", "deltalake")
    )
    config = load_config(overrides={"limits": {"documents_per_worker": 1_000_000}})
    samples = Samples()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "documents"
        folder.mkdir()
        make_documents(folder, chosen.documents, chosen.scans, chosen.seed)
        in_order = sorted(find_sources([str(folder)]), key=lambda source: source.address)
        tally, statistics_of_pool = run(
            [
                type(one)(one.address, 0) for one in in_order
            ],  # no sizes: they come in the order of their names
            Lake(str(Path(name) / "lake"), config.lake),
            config=config,
            inventory=load_inventory(load_policy(policy_path(config, None))),
            workers=chosen.workers,
            on_progress=samples.take,
        )
    print(
        f"{tally.done} documents, {tally.pages} pages, of them {chosen.scans} scanned, in {tally.seconds:.0f} s\n"
    )
    marks = [mark for mark in MARKS if mark <= chosen.documents]
    rows = []
    for process, found in sorted(samples.of.items()):
        rows.append(
            [
                process,
                *(f"{at(found, mark):.0f}" for mark in marks),
                f"{max(rss for _, rss in found) / 2**20:.0f}",
                f"{at(found, chosen.documents) - at(found, SETTLED):+.0f}",
                f"{growth(found, chosen.documents) / 1024:+.2f}",
            ]
        )
    print(table(["MB resident", *(f"at {mark}" for mark in marks), *ENDS], rows))
    print(f"\npeak of one worker as the pool saw it: {statistics_of_pool.peak_worker_bytes / 2**20:.0f} MB")


if __name__ == "__main__":
    main()
