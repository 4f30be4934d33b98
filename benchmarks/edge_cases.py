"""What each document of a folder comes to: one line per file, through worker processes with the usual limits.

    python benchmarks/edge_cases.py [FOLDER] [--workers N] [--markdown] [--only TEXT] [--page-time SECONDS]

FOLDER is read with all its subfolders (default: ../shared/data/documents/pdf_edge_cases); a manifest.jsonl in it gives
the traits of its files and is, with README.md, no document. Files carried inside others follow their carrier, as
"name > number". Columns: status and code as in the table `documents`; pages, those that failed, those of poor quality,
those read by OCR; words; seconds in the worker. What a document is about is not printed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from report import DOCUMENTS, machine, table, versions

from extractor.config import load_config
from extractor.governance.inventory import Entry
from extractor.pipeline import Job, Outcome
from extractor.pool import Pool

NO_DOCUMENTS = frozenset({"README.md", "manifest.jsonl"})
_ENTRY = Entry(classification="restricted", consent_scope="none")


@dataclass(frozen=True, slots=True)
class Line:
    """One document and what became of it."""

    name: str
    traits: str
    outcome: Outcome
    seconds: float

    def cells(self) -> list[object]:
        outcome, document = self.outcome, self.outcome.document
        pages = document.pages if document else ()
        return [
            self.name,
            self.traits,
            outcome.status,
            outcome.code or "",
            outcome.page_count or 0,
            len(outcome.failures),
            outcome.pages_poor,
            sum(page.source not in {"text-layer", "flow"} for page in pages),
            sum(len(page.words) for page in pages),
            round(self.seconds, 1),
        ]


HEADERS = ["file", "what it is", "status", "code", "pages", "failed", "poor", "OCR", "words", "s"]


def traits_of(folder: Path) -> dict[str, str]:
    """The traits of the files by name, from the manifest of the folder where it has one."""
    path = folder / "manifest.jsonl"
    if not path.is_file():
        return {}
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return {row["file"]: ", ".join(part.strip() for part in row.get("traits", ())) for row in rows}


def run(folder: Path, *, workers: int, only: str, page_time_s: float | None) -> Iterator[Line]:
    """Every file of the folder, in the order in which they are finished."""
    config = load_config(None)
    if page_time_s is not None:
        limits = config.limits.model_copy(update={"page_time_s": page_time_s})
        config = config.model_copy(update={"limits": limits})
    traits = traits_of(folder)
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in NO_DOCUMENTS and only in path.name
    ]
    waiting = deque((str(path.relative_to(folder)), path.read_bytes()) for path in files)
    under_way: dict[str, tuple[str, bytes, float]] = {}
    done: set[str] = set()
    with Pool(config, size=workers) as pool:
        while waiting or under_way:
            while waiting and pool.free():
                name, content = waiting.popleft()
                doc_id = hashlib.sha256(content).hexdigest()
                if doc_id in done:
                    continue
                done.add(doc_id)
                under_way[doc_id] = (name, content, time.monotonic())
                pool.submit(Job(doc_id=doc_id, content=content, entry=_ENTRY, want_rows=False))
            for outcome in pool.collect(timeout_s=1.0):
                name, _, started = under_way.pop(outcome.doc_id)
                yield Line(name, traits.get(name, ""), outcome, time.monotonic() - started)
                for attachment in outcome.attachments:
                    waiting.appendleft((f"{name} > {attachment.attachment_no}", attachment.content))


def markdown(rows: list[list[object]]) -> str:
    lines = [HEADERS, ["---"] * len(HEADERS), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=DOCUMENTS / "pdf_edge_cases")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--only", default="", help="files whose name holds this text")
    parser.add_argument("--page-time", type=float, default=None, help="limits.page_time_s")
    options = parser.parse_args()
    found = run(options.folder, workers=options.workers, only=options.only, page_time_s=options.page_time)
    lines = sorted(found, key=lambda line: line.name)
    rows = [line.cells() for line in lines]
    print(markdown(rows) if options.markdown else table(HEADERS, rows))
    counts = Counter(line.outcome.status for line in lines)
    print(
        f"\n{len(lines)} documents: "
        + ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    )
    print(f"{versions('pymupdf', 'tesserocr', 'rapidocr')}; {machine()}")


if __name__ == "__main__":
    main()
