"""Text, boxes and tables of digital PDF pages: ours beside the peers, in pages per CPU second.

Usage: python benchmarks/text_extraction.py [FOLDER ...] [--repeat N] [--pages N] [--tables] [--only NAME ...]

Every engine reads the first ``--pages`` pages of each folder that have a text
layer (the slow peers the first tenth of them), taken in turn from all its files
and cut out into small files beforehand (not timed). CPU
time of this process is counted, so other work on the machine does not matter
much; the median of ``--repeat`` rounds is printed. Peers that are not
installed are named and left out.

What each one gives: ours, words with boxes, reading order, blocks and tables;
pymupdf words, words with boxes; pymupdf tables, the cells of ruled tables;
pdfplumber, text and tables; markitdown, text; pymupdf4llm, Markdown.

``--tables`` compares the cells of ours with those of pymupdf's ``find_tables``
on the same pages: the share of its filled cells that ours has too, letter for
letter without regard to blanks and to the order of letters in a cell (which
pymupdf 2.0 mixes up).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import os
import platform
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pymupdf

from extractor.document import Page
from extractor.errors import InputError
from extractor.layout.continuation import link_tables
from extractor.ports import ReadLimits
from extractor.readers.pdf import PdfReader

CORPUS = Path(__file__).parents[1] / ".." / "shared" / "data" / "documents"
FOLDERS = ("gmp_batch_records", "fda_crl")
MIN_WORDS = 20  # a page with fewer words has no text layer worth the name


def sample(folder: Path, page_limit: int) -> list[bytes]:
    """Files of up to five pages each, ``page_limit`` pages in all, taken in turn from every PDF of ``folder``."""
    chunks: list[list[bytes]] = []
    for path in sorted(folder.rglob("*.pdf")):
        try:
            document = pymupdf.open(stream=path.read_bytes(), filetype="pdf")
        except (pymupdf.mupdf.FzErrorBase, RuntimeError, ValueError):
            continue
        if document.needs_pass:
            continue
        usable = [page.number for page in document if len(page.get_text("words")) >= MIN_WORDS]
        parts = []
        for first in range(0, len(usable), 5):
            part = pymupdf.open()
            for number in usable[first : first + 5]:
                part.insert_pdf(document, from_page=number, to_page=number)
            parts.append(part.tobytes())
        if parts:
            chunks.append(parts)
    taken: list[bytes] = []
    count = 0
    for turn in range(max(map(len, chunks), default=0)):
        for parts in chunks:
            if turn < len(parts) and count < page_limit:
                taken.append(parts[turn])
                count += pymupdf.open(stream=parts[turn], filetype="pdf").page_count
    return taken


def ours(content: bytes) -> int:
    with PdfReader().open(content, media_type="application/pdf", limits=ReadLimits()) as reading:
        pages = [page for page in reading.pages() if isinstance(page, Page)]
    return len(link_tables(pages))


def pymupdf_words(content: bytes) -> int:
    with pymupdf.open(stream=content, filetype="pdf") as document:
        return sum(1 for page in document if page.get_text("words") is not None)


def pymupdf_tables(content: bytes) -> int:
    with pymupdf.open(stream=content, filetype="pdf") as document:
        for page in document:
            for table in page.find_tables().tables:
                table.extract()
        return document.page_count


def pdfplumber(content: bytes) -> int:
    import pdfplumber

    with pdfplumber.open(io.BytesIO(content)) as document:
        for page in document.pages:
            page.extract_text()
            page.extract_tables()
        return len(document.pages)


def markitdown(content: bytes) -> int:
    from markitdown import MarkItDown, StreamInfo

    MarkItDown().convert_stream(io.BytesIO(content), stream_info=StreamInfo(extension=".pdf"))
    with pymupdf.open(stream=content, filetype="pdf") as document:
        return document.page_count


def pymupdf4llm(content: bytes) -> int:
    import pymupdf4llm

    with pymupdf.open(stream=content, filetype="pdf") as document:
        pymupdf4llm.to_markdown(document, show_progress=False, use_ocr=False)
        return document.page_count


ENGINES: dict[str, tuple[str, Callable[[bytes], int]]] = {
    "ours": ("pymupdf", ours),
    "pymupdf words": ("pymupdf", pymupdf_words),
    "pymupdf tables": ("pymupdf", pymupdf_tables),
    "pdfplumber": ("pdfplumber", pdfplumber),
    "markitdown": ("markitdown", markitdown),
    "pymupdf4llm": ("pymupdf4llm", pymupdf4llm),
}
SLOW = {"pymupdf tables", "pdfplumber", "markitdown", "pymupdf4llm"}


def speed(engine: Callable[[bytes], int], files: list[bytes], repeat: int) -> tuple[int, float]:
    """Pages read, and the median of pages per CPU second; one file is read beforehand to load what is lazy."""
    engine(files[0])
    rates = []
    pages = 0
    for _ in range(repeat):
        start = time.process_time()
        pages = sum(engine(content) for content in files)
        rates.append(pages / (time.process_time() - start))
    return pages, statistics.median(rates)


def agreement(files: list[bytes]) -> tuple[int, int, int, int, int]:
    """Tables of ours and of pymupdf, its filled cells, those that ours has too, those in a page of equal tables."""
    our_tables = their_tables = cells = found = pages = 0
    for content in files:
        with PdfReader().open(content, media_type="application/pdf", limits=ReadLimits()) as reading:
            our_pages = {page.page_no: page for page in reading.pages() if isinstance(page, Page)}
        with pymupdf.open(stream=content, filetype="pdf") as document:
            for page_no, page in our_pages.items():
                tables = document[page_no - 1].find_tables().tables
                theirs = Counter(
                    key(cell or "")
                    for table in tables
                    for row in table.extract()
                    for cell in row
                    if (cell or "").strip()
                )
                own = Counter(
                    key(cell) for table in page.tables for row in table.grid(page) for cell in row if cell
                )
                our_tables += len(page.tables)
                their_tables += len(tables)
                cells += theirs.total()
                found += (theirs & own).total()
                pages += 1
    return pages, our_tables, their_tables, cells, found


def key(cell: str) -> str:
    """Letters and digits of a cell sorted; not ``I``, which pymupdf gives for a symbol font's square."""
    return "".join(sorted(character for character in cell if character.isalnum() and character != "I"))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folders", nargs="*", type=Path, help="default: two folders of ../shared/data/documents"
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--pages", type=int, default=100, help="pages per folder; a tenth of it for the slow peers"
    )
    parser.add_argument(
        "--tables", action="store_true", help="compare table cells with pymupdf's find_tables"
    )
    parser.add_argument("--only", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    options = parser.parse_args()
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)

    folders = [CORPUS] if not options.folders else options.folders
    folders = [
        part
        for folder in folders
        for part in ([folder / n for n in FOLDERS] if folder.resolve() == CORPUS.resolve() else [folder])
    ]
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} processors")
    print(f"{'folder':24} {'engine':16} {'version':10} {'pages':>6} {'pages per CPU s':>16}")
    for folder in folders:
        if not folder.is_dir():
            print(f"{folder.name}: no such folder", file=sys.stderr)
            return 2
        files = sample(folder, options.pages)
        few = sample(folder, max(1, options.pages // 10))
        if not files:
            print(f"{folder.name:24} no PDF page with a text layer")
            continue
        for name in options.only:
            package, engine = ENGINES[name]
            try:
                version = importlib.metadata.version(package)
                pages, rate = speed(engine, few if name in SLOW else files, options.repeat)
            except ImportError:
                print(f"{folder.name:24} {name:16} not installed")
                continue
            except InputError as exc:
                print(f"{folder.name:24} {name:16} {exc.code}")
                continue
            print(f"{folder.name:24} {name:16} {version:10} {pages:6} {rate:16.2f}", flush=True)
        if options.tables:
            pages, own, theirs, cells, found = agreement(few)
            share = f"{100 * found / cells:.1f} %" if cells else "none"
            print(f"{folder.name:24} tables on {pages} pages: ours {own}, pymupdf {theirs};", end=" ")
            print(f"of its {cells} filled cells in ours: {share}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
