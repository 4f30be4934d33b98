"""How fast the whole engine is: start-up, digital pages and scanned pages, from files to committed rows.

    python benchmarks/throughput.py [DOCUMENTS] [--repeat N] [--copies N] [--only start digital small ocr]
                                    [--ocrmypdf PATH] [--no-turned] [--scans N] [--workers N ...]

DOCUMENTS is a folder with the folders named below (default: ../shared/data/documents).

start    `extractor --help`, and a run over a single short note.
digital  every page with a text layer of the PDFs in gmp_batch_records and fda_crl, as whole files of digital
         pages, --copies of each with other digests, by one worker and by two.
small    2,000-character notes: documents per second where a document costs next to nothing.
ocr      pages without a text layer: all of scanned_regulatory (degraded on purpose), and --scans letters drawn at
         200 dpi (clean). Ours reads them as files, one worker and two (--workers); ocrmypdf with as many jobs gets
         all pages in one file, which suits it best (one start, pages in parallel), plain and, with most jobs, with
         the turning and straightening that ours does as well (--no-turned leaves that out). Ours writes rows with
         evidence to Delta, ocrmypdf writes a PDF; "reading only" is ours without entities, as ocrmypdf has none. On
         a machine with other work compare one with one, and CPU seconds.

`pages/s` counts the seconds of the tally, from the first document to the last commit; `command s` is the whole
command with its start. `CPU s` is the processor time of the command and of all processes it started: it hardly depends
on what else the machine is doing. Rounds of all variants alternate, and medians are printed. ocrmypdf (with Tesseract
and Ghostscript of the system) may live in an environment of its own; where it is missing, its lines are.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pymupdf
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

PARTS = ("start", "digital", "small", "ocr")
MIN_WORDS = 20
SCAN_DPI = 200


def digital_files(documents: Path, copies: int) -> list[tuple[str, bytes]]:
    """PDFs of the pages with a text layer, each ``copies`` times with a digest of its own."""
    files: list[tuple[str, bytes]] = []
    for folder in ("gmp_batch_records", "fda_crl"):
        for path in sorted((documents / folder).rglob("*.pdf")):
            with pymupdf.open(path) as document:
                usable = [p.number for p in document if len(p.get_text("words")) >= MIN_WORDS]
                if not usable:
                    continue
                document.select(usable)
                content = document.tobytes(garbage=3, deflate=True)
            files += [
                (f"{copy}-{path.stem}.pdf", content + b"\n%% copy %d\n" % copy) for copy in range(copies)
            ]
    return files


def degraded_scans(documents: Path) -> list[tuple[str, bytes]]:
    """The scans of scanned_regulatory as PDFs whose pages are pictures only."""
    files = []
    for path in sorted((documents / "scanned_regulatory").iterdir()):
        if path.suffix.lower() in {".tif", ".tiff", ".png", ".jpg"}:
            with pymupdf.open(path) as pictures:
                files.append((f"{path.stem}.pdf", pictures.convert_to_pdf()))
        elif path.suffix.lower() == ".pdf":
            files.append((path.name, path.read_bytes()))
    return files


def clean_scans(documents: Path, count: int) -> list[tuple[str, bytes]]:
    """The second page of ``count`` letters, drawn in grey at ``SCAN_DPI``: as a good scanner would."""
    files: list[tuple[str, bytes]] = []
    for path in sorted((documents / "fda_crl").glob("*.pdf")):
        with pymupdf.open(path) as document:
            if len(files) == count or document.page_count < 2 or len(document[1].get_text("words")) < 100:
                continue
            page = document[1]
            picture = page.get_pixmap(dpi=SCAN_DPI, colorspace=pymupdf.csGRAY)
            with pymupdf.open() as scan:
                scan.new_page(width=page.rect.width, height=page.rect.height).insert_image(
                    page.rect, stream=picture.tobytes("png")
                )
                files.append((path.name, scan.tobytes(deflate=True)))
    return files


def notes(documents: Path, count: int) -> list[tuple[str, bytes]]:
    """``count`` plain-text notes of 2,000 characters."""
    source = documents / "clinical_notes" / "mtsamples.jsonl.gz"
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        texts = [max((v for v in json.loads(line).values() if isinstance(v, str)), key=len) for line in lines]
    joined = " ".join(texts)
    return [
        (f"{n}.txt", f"Note {n}\n{joined[n * 700 % (len(joined) - 2000) :][:2000]}".encode())
        for n in range(count)
    ]


def write(folder: Path, files: list[tuple[str, bytes]]) -> Path:
    folder.mkdir()
    for name, content in files:
        (folder / name).write_bytes(content)
    return folder


class Runs:
    """Rounds of one variant: the command, and pages, documents and seconds of its tally."""

    def __init__(self, name: str, once: Callable[[], tuple[Measured, float, int, int]]) -> None:
        self.name = name
        self.once = once
        self.found: list[tuple[Measured, float, int, int]] = []

    def turn(self) -> None:
        self.found.append(self.once())

    @property
    def seconds(self) -> float:
        return median([seconds for _, seconds, _, _ in self.found])

    @property
    def cpu_s(self) -> float:
        return median([measured.cpu_s for measured, _, _, _ in self.found])

    @property
    def wall_s(self) -> float:
        return median([measured.wall_s for measured, _, _, _ in self.found])

    @property
    def pages(self) -> int:
        return self.found[0][2]

    @property
    def documents(self) -> int:
        return self.found[0][3]

    def row(self, rate_of: int) -> list[object]:
        return [
            self.name,
            self.documents,
            self.pages,
            rate_of / self.seconds,
            rate_of / self.cpu_s,
            self.seconds,
            self.wall_s,
            self.cpu_s,
        ]


READING_ONLY = "extractors: []\nrefiners: []\nrelators: []\n"


def ours(name: str, folder: Path, workers: int, base: Path, *, config: str = "") -> Runs:
    options = []
    if config:
        (base / "config.yaml").write_text(config)
        options = ["--config", base / "config.yaml"]

    def once() -> tuple[Measured, float, int, int]:
        lake = base / "lake"
        command = [extractor_command(), "run", folder, "--lake", lake, "--workers", str(workers), "--json"]
        measured = measure([*command, *options])
        shutil.rmtree(lake)
        tally = json.loads(measured.stdout)
        if tally["bugs"] or tally["quarantined"]:
            raise SystemExit(f"{folder.name}: {tally['bugs']} bugs, {tally['quarantined']} quarantined")
        return measured, tally["seconds"], tally["pages"], tally["seen"]

    return Runs(name, once)


def theirs(name: str, program: str, merged: Path, jobs: int, options: list[str], base: Path) -> Runs:
    with pymupdf.open(merged) as document:
        page_count = document.page_count

    def once() -> tuple[Measured, float, int, int]:
        command = [
            program,
            "--jobs",
            str(jobs),
            "--force-ocr",
            "--output-type",
            "pdf",
            "--optimize",
            "0",
            "--quiet",
        ]
        measured = measure([*command, *options, str(merged), str(base / "out.pdf")])
        return measured, measured.wall_s, page_count, 1

    return Runs(name, once)


HEADERS = ["variant", "documents", "pages", "pages/s", "per CPU s", "seconds", "command s", "CPU s"]


def alternate(variants: list[Runs], repeat: int) -> None:
    for _ in range(repeat):
        for variant in variants:
            variant.turn()


def start(base: Path, repeat: int) -> None:
    note = write(base / "one", [("note.txt", b"Given 40 mg of atorvastatin.")])
    helps = [measure([extractor_command(), "--help"]) for _ in range(max(repeat, 5))]
    single = ours("run of one note", note, 1, base)
    alternate([single], repeat)
    rows = [
        ["extractor --help", median([one.wall_s for one in helps]), median([one.cpu_s for one in helps])],
        ["run of one note, whole command", single.wall_s, single.cpu_s],
        ["  of which document and commit", single.seconds, ""],
    ]
    print(table(["start-up", "seconds", "CPU s"], rows), "\n", flush=True)


def scaling(title: str, folder: Path, base: Path, repeat: int, *, by_document: bool) -> None:
    one, two = (ours(f"{workers} worker{'s' * (workers - 1)}", folder, workers, base) for workers in (1, 2))
    alternate([one, two], repeat)
    units = one.documents if by_document else one.pages
    headers = [h.replace("pages/s", "documents/s") for h in HEADERS] if by_document else HEADERS
    print(f"{title}\n" + table(headers, [one.row(units), two.row(units)]))
    print(f"two workers: {one.seconds / two.seconds:.2f} times one (goal 1.7)\n", flush=True)


def ocr(
    title: str,
    files: list[tuple[str, bytes]],
    base: Path,
    repeat: int,
    program: str | None,
    workers: list[int],
    *,
    turned: bool,
) -> None:
    folder = write(base / title.split(maxsplit=1)[0], files)
    own: dict[int, list[Runs]] = {}
    for count in workers:
        name = f"ours, {count} worker{'s' * (count > 1)}"
        alone = ours(f"{name}, reading only", folder, count, base, config=READING_ONLY)
        own[count] = [ours(name, folder, count, base), alone]
    variants = [run for runs in own.values() for run in runs]
    peers: list[tuple[int, Runs]] = []
    if program:
        merged = base / f"{folder.name}.pdf"
        with pymupdf.open() as joined:
            for _, content in files:
                with pymupdf.open(stream=content, filetype="pdf") as part:
                    joined.insert_pdf(part)
            joined.save(merged)
        peers = [
            (count, theirs(f"ocrmypdf, {count} job{'s' * (count > 1)}", program, merged, count, [], base))
            for count in workers
        ]
        if turned:
            name = f"{peers[-1][1].name}, turned and straightened"
            options = ["--rotate-pages", "--deskew"]
            peers.append((workers[-1], theirs(name, program, merged, workers[-1], options, base)))
        # each beside its peer, so that a busier minute meets both
        variants = [run for count in workers for run in (*own[count], *(p for n, p in peers if n == count))]
    alternate(variants, repeat)
    print(f"{title}\n" + table(HEADERS, [variant.row(variant.pages) for variant in variants]))
    for count, peer in peers:
        for mine in own[count]:
            print(
                f"{mine.name}, against {peer.name}: {peer.seconds / mine.seconds:.2f} times as fast, "
                f"whole commands {peer.wall_s / mine.wall_s:.2f} times; CPU {mine.cpu_s / peer.cpu_s:.2f} times"
            )
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("documents", nargs="?", type=Path, default=DOCUMENTS)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--copies", type=int, default=3)
    parser.add_argument("--scans", type=int, default=16)
    parser.add_argument("--notes", type=int, default=1000)
    parser.add_argument(
        "--turned", action=argparse.BooleanOptionalAction, default=True, help="ocrmypdf that turns as well"
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="of the part ocr")
    parser.add_argument("--only", nargs="*", default=PARTS, choices=PARTS)
    parser.add_argument("--ocrmypdf", default=shutil.which("ocrmypdf"), help="the program, wherever it lives")
    chosen = parser.parse_args()
    if not chosen.documents.is_dir():
        parser.error("there is no such folder of documents")
    stop_on_signal()
    become_reaper()
    print(machine())
    print(
        versions("lifescience-extractor", "pymupdf", "tesserocr", "rapidocr", "spacy", "polars", "deltalake")
    )
    if chosen.ocrmypdf:
        tesseract = measure(["tesseract", "--version"]).stdout.split("\n")[0]
        print(f"peer: ocrmypdf {measure([chosen.ocrmypdf, '--version']).stdout.strip()}, {tesseract}")
    print(f"medians of {chosen.repeat}\n", flush=True)
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        if "start" in chosen.only:
            start(base, chosen.repeat)
        if "digital" in chosen.only:
            folder = write(base / "digital", digital_files(chosen.documents, chosen.copies))
            scaling("digital PDF pages into Delta", folder, base, chosen.repeat, by_document=False)
        if "small" in chosen.only:
            folder = write(base / "small", notes(chosen.documents, chosen.notes))
            scaling("short notes into Delta", folder, base, chosen.repeat, by_document=True)
        if "ocr" in chosen.only:
            for title, files in (
                ("degraded scans", degraded_scans(chosen.documents)),
                ("clean scans", clean_scans(chosen.documents, chosen.scans)),
            ):
                ocr(
                    title,
                    files,
                    base,
                    chosen.repeat,
                    chosen.ocrmypdf,
                    sorted(chosen.workers),
                    turned=chosen.turned,
                )


if __name__ == "__main__":
    main()
