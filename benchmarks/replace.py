"""Replacing the rows of some documents in a large table: what it costs, by how many files they lie in.

    python benchmarks/replace.py [--rows N] [--documents N] [--repeat N] [--file-mb N] [--keep FOLDER]

A lake with N entity rows (60 a document, made by the lake's own commits from one made batch whose ids are changed) is
compacted to files of --file-mb. Then the rows of --documents documents are replaced, as a reprocess does: the documents
of as few files as hold them (what `extractor reprocess` chooses), those spread evenly over 2, 4, 8 ... files, and over
all. `commit s` is the whole batch (claim, page_text counted, entities, documents, completion), `entities s` the one
commit that rewrites files; `rewritten MB` is the size of the files that it added, `files` how many it took out. Medians
of --repeat rounds. A table of ten million rows takes about 2 GB of disk; --keep leaves the lake for another call.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from report import machine, median, stop_on_signal, table, versions

sys.path.insert(0, str(Path(__file__).parents[1]))

from extractor.lake import delta
from extractor.lake.commit import Batch, commit
from extractor.lake.files import DocumentFiles
from extractor.lake.maintain import maintain
from extractor.lake.selection import plan
from extractor.lake.store import Lake
from tests.lake.factory import doc_id, extraction_id, make_batch, settings

DOCUMENTS_A_BATCH = 1_000
PAGES = 20
ROWS_A_DOCUMENT = 3 * PAGES
PIPELINE = "1.0+aaaaaaaaaaaa"


def digests(count: int) -> pa.Array:
    """So many texts that look like sha256 digests and compress no better."""
    text = np.random.default_rng().bytes(32 * count).hex().encode()
    offsets = pa.array(np.arange(0, 64 * count + 1, 64, dtype=np.int32))
    return pa.StringArray.from_buffers(count, offsets.buffers()[1], pa.py_buffer(text))


class Maker:
    """Batches of other documents, made from one by changing ids."""

    def __init__(self) -> None:
        self._base = make_batch([doc_id(n) for n in range(DOCUMENTS_A_BATCH)], pages=PAGES)
        order = {document: number for number, document in enumerate(self._base.extractions)}
        tables = {
            name: rows
            for name, rows in self._base.tables.items()
            if name in {"page_text", "entities", "documents"}
        }
        first = pc.equal(tables["page_text"].column("page_no"), 1)
        tables["page_text"] = tables["page_text"].filter(first)  # a page is enough to be counted
        self._tables = {
            name: (rows, pa.array([order[one] for one in rows.column("doc_id").to_pylist()], pa.int32()))
            for name, rows in tables.items()
        }

    def batch(self, doc_ids: list[str], *, pipeline: str, run_id: str, kind: str = "extract") -> Batch:
        """A batch of at most as many documents as the base has."""
        ids = pa.array(doc_ids, pa.string())
        extractions = {document: extraction_id(document, pipeline) for document in doc_ids}
        tables = {}
        for name, (rows, numbers) in self._tables.items():
            here = pc.less(numbers, len(doc_ids))
            own, index = rows.filter(here), numbers.filter(here)
            owners = ids.take(index)
            values = {
                "doc_id": owners,
                "extraction_id": pa.array(list(extractions.values()), pa.string()).take(index),
                "run_id": pa.repeat(pa.scalar(run_id), own.num_rows),
                "pipeline_version": pa.repeat(pa.scalar(pipeline), own.num_rows),
            }
            if "row_id" in own.column_names:
                values["row_id"] = digests(own.num_rows)
            for column, found in values.items():
                place = own.schema.get_field_index(column)
                own = own.set_column(place, own.schema.field(place), found)
            tables[name] = own
        kept = frozenset({"page_text"}) if kind == "reprocess" else frozenset()
        return Batch(
            run_id=run_id,
            kind=kind,
            extractions=extractions,
            tables={name: rows for name, rows in tables.items() if name not in kept},
            kept=kept,
        )


def build(lake: Lake, maker: Maker, rows: int) -> int:
    """Commit batches until the table has so many rows; how many documents."""
    count = -(-rows // ROWS_A_DOCUMENT)
    started_s = time.perf_counter()
    for first in range(0, count, DOCUMENTS_A_BATCH):
        ids = [doc_id(f"big-{number}") for number in range(first, min(first + DOCUMENTS_A_BATCH, count))]
        commit(lake, maker.batch(ids, pipeline=PIPELINE, run_id=f"run-{first}"))
    print(f"{count} documents committed in {time.perf_counter() - started_s:.0f} s", flush=True)
    started_s = time.perf_counter()
    maintain(lake, run_id="maintain", vacuum=True)
    print(f"compacted in {time.perf_counter() - started_s:.0f} s", flush=True)
    return count


def names_by_file(lake: Lake) -> list[list[str]]:
    """The documents of each file of entities, each document once."""
    handle = lake.handle("entities")
    found, seen = [], set()
    for path in sorted(handle.file_uris()):
        own = (
            pa.parquet.read_table(path, columns=["doc_id"], partitioning=None).column(0).unique().to_pylist()
        )
        found.append([one for one in own if one not in seen])
        seen.update(own)
    return [own for own in found if own]


def spread(files: list[list[str]], over: int, documents: int) -> list[str]:
    """So many documents, taken evenly from the largest files."""
    largest = sorted(files, key=len, reverse=True)[:over]
    share = -(-documents // len(largest))
    chosen = []
    for own in largest:
        places = np.linspace(0, len(own) - 1, min(share, len(own)), dtype=int)
        chosen += [own[place] for place in places]
    return chosen[:documents]


class Timed:
    """Seconds of the last commit to a table."""

    def __init__(self) -> None:
        self._real = delta.write
        self.seconds: dict[str, float] = {}
        delta.write = self

    def __call__(self, handle, contract, *arguments, **options):
        started_s = time.perf_counter()
        try:
            return self._real(handle, contract, *arguments, **options)
        finally:
            self.seconds[contract.name] = time.perf_counter() - started_s


def replaced(lake: Lake, maker: Maker, doc_ids: list[str], number: int, timed: Timed) -> list[float]:
    """Replace the rows of some documents once: commit s, entities s, files taken out, MB added."""
    parts = [doc_ids[at : at + DOCUMENTS_A_BATCH] for at in range(0, len(doc_ids), DOCUMENTS_A_BATCH)]
    assert len(parts) == 1, "one batch at a time"
    batch = maker.batch(doc_ids, pipeline=f"{number}.0", run_id=f"again-{number}", kind="reprocess")
    started_s = time.perf_counter()
    commit(lake, batch)
    seconds = time.perf_counter() - started_s
    version = lake.version("entities")
    log = Path(lake.table_uri("entities")) / "_delta_log" / f"{version:020}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    removed = sum("remove" in action for action in actions)
    added = sum(action["add"]["size"] for action in actions if "add" in action)
    return [seconds, timed.seconds["entities"], removed, added / 2**20]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--documents", type=int, default=DOCUMENTS_A_BATCH)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--file-mb", type=int, default=128)
    parser.add_argument("--keep", type=Path, help="Build the lake here, or use the one that is here.")
    chosen = parser.parse_args()
    if chosen.documents > DOCUMENTS_A_BATCH:
        parser.error(f"at most {DOCUMENTS_A_BATCH} documents")
    stop_on_signal()
    print(machine())
    print(versions("deltalake", "pyarrow"))
    base = chosen.keep or Path(tempfile.mkdtemp(prefix="replace-"))
    lake = Lake(str(base / "lake"), settings(target_file_mb=chosen.file_mb, vacuum_hours=0))
    maker, timed = Maker(), Timed()
    try:
        if not lake.exists():
            build(lake, maker, chosen.rows)
        files = names_by_file(lake)
        size = sum(one.stat().st_size for one in (base / "lake").rglob("*") if one.is_file())
        count = sum(map(len, files))
        print(
            f"{count * ROWS_A_DOCUMENT:,} rows of {count:,} documents in {len(files)} files; "
            f"the lake has {size / 2**20:,.0f} MB"
        )
        index = DocumentFiles(lake=lake, table="entities")
        started_s = time.perf_counter()
        groups = plan(index, [one for own in files for one in own], documents=5_000, rows=1_000_000)
        print(
            f"plan over all documents: {len(groups.groups)} groups in {time.perf_counter() - started_s:.1f} s; "
            f"files by how often they would be rewritten: {dict(groups.rewrites)}"
        )
        lines, number = [], int(time.time())
        for over in [over for over in (1, 2, 4, 8, 16, 32, 64) if over < len(files)] + [len(files)]:
            rounds = []
            for _ in range(chosen.repeat):
                number += 1
                doc_ids = spread(files, over, chosen.documents)
                rounds.append([len(doc_ids), *replaced(lake, maker, doc_ids, number, timed)])
                maintain(lake, run_id="maintain")
                files = names_by_file(lake)
            lines.append([f"{over}", *(median(list(column)) for column in zip(*rounds, strict=True))])
        print(
            table(["spread over", "documents", "commit s", "entities s", "files out", "rewritten MB"], lines)
        )
    finally:
        if chosen.keep is None:
            shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
