"""OCR of scans: ours beside plain Tesseract and rapidocr, by error rate, words found and CPU seconds.

Usage: python benchmarks/ocr.py [DOCUMENTS] [--repeat N] [--only NAME ...] [--engines ours tesseract rapidocr]

DOCUMENTS (default ../shared/data/documents) holds folders ``scanned_regulatory``
and ``ocr_groundtruth``, each with a ``manifest.jsonl`` that names the ground
truth of each file; pages of truth are parted by form feeds.

Engines
  ours       PageOcr with its defaults: straighten, Tesseract, a second look
  tesseract  the page's picture as it was scanned through ``tesseract --psm 1``,
             one thread, the program's own data
             (without the program: tesserocr with --psm 3, and the head line says so)
  rapidocr   the same picture through rapidocr with use_cls=False, one thread

Measures
  words  share of the truth's words found. A word is a run of letters and
         digits, as written; each counts as often as it stands in the truth.
         Quotes, dashes, bullets and raised figures are folded on both sides.
  tokens the same for whatever stands between blanks, signs included.
  CER    edit distance in characters over the truth's length, blanks folded,
         each page's text in the order in which it comes.
  CER^   the same against the truth in the order of the eye: the words of the
         source PDF by the places they are printed at, line by line from the
         top, from left to right. Truth taken from a text layer has the order
         of the file's content stream, where a letter's footer comes first
         and redaction marks come last. A page that fits the stream's order
         better counts as that: cells of several lines may be read whole or line
         by line. "-" where the scan's source is not at hand.
  CER*   CER without regard to the order of lines: each line of the truth is
         looked for where it fits best in what is left of the page (after
         Clausner, Pletschacher and Antonacopoulos, "Flexible character
         accuracy measure", Pattern Recognition Letters 131, 2020). Text left
         over (print that the text layer lacks, such as logos) does not count
         here, it does in CER and CER^.
  CPU s  of this process, and of the program where it is one; the median of
         ``--repeat`` rounds.

Words that a scan does not show cannot be read. Where the manifest names the
PDF a scan was rendered from, it lies in DOCUMENTS, and the scan is not
tilted, words whose place on the scan is one even grey are left out of the
truth; ``lost`` says how many.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ["OMP_THREAD_LIMIT"] = "1"

import numpy as np
import pymupdf
from report import DOCUMENTS, machine, table, versions

from extractor.ocr.ink import grey
from extractor.ocr.reading import PageOcr
from extractor.ports import ReadLimits, ScannedPage
from extractor.readers.image import ImageReader
from extractor.readers.pdf import PdfReader

FOLDERS = ("scanned_regulatory", "ocr_groundtruth")
MEDIA_TYPES = {
    ".pdf": "application/pdf",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}
NO_PRINT = 10.0  # standard deviation of grey below which a word's place shows nothing
FOLDED = {
    **dict.fromkeys((0x201C, 0x201D), '"'),
    **dict.fromkeys((0x2018, 0x2019), "'"),
    **dict.fromkeys((0x2010, 0x2011, 0x2013, 0x2014, 0x2212), "-"),
    **dict.fromkeys((0xF0B7, 0x00B7, 0x25CF), "\u2022"),
}
Engine = Callable[[ScannedPage], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    name: str
    path: Path
    truth: list[str]
    lost: int
    by_eye: list[str] | None


def fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).translate(FOLDED).split())


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", fold(text))


def recall(truth: Sequence[str], found: Sequence[str]) -> float:
    wanted = Counter(truth)
    return sum((wanted & Counter(found)).values()) / max(1, sum(wanted.values()))


def distance(truth: str, found: str, *, inside: bool = False) -> tuple[int, int, int]:
    """Edits from ``truth`` to ``found``, or to its best part (``inside``), and where that part starts and ends."""
    other = np.array([ord(sign) for sign in found], dtype=np.int64)
    index = np.arange(len(other) + 1)
    row = np.zeros_like(index) if inside else index.copy()
    start = index.copy()
    for number, sign in enumerate(truth, 1):
        direct = np.empty_like(row)
        came = np.empty_like(start)
        direct[0], came[0] = number, 0
        swap = row[:-1] + (other != ord(sign))
        drop = row[1:] + 1
        direct[1:] = np.minimum(swap, drop)
        came[1:] = np.where(swap <= drop, start[:-1], start[1:])
        best = np.minimum.accumulate(direct - index)
        source = np.maximum.accumulate(np.where(direct - index == best, index, 0))
        row, start = best + index, came[source]
    end = int(np.argmin(row)) if inside else len(other)
    return int(row[end]), int(start[end]) if inside else 0, end


def any_order(truth: str, found: str) -> int:
    """Edits when each line of the truth may stand anywhere on the page; longest lines first."""
    lines = sorted((fold(line) for line in truth.splitlines()), key=len, reverse=True)
    left = [part for part in (fold(line) for line in re.split(r"[\n\t]", found)) if part]
    text = " ".join(left)
    edits = 0
    for line in lines:
        if not line:
            continue
        if not text:
            edits += len(line)
            continue
        cost, start, end = distance(line, text, inside=True)
        if cost >= len(line):
            edits += len(line)
            continue
        edits += cost
        text = text[:start] + "\x00" + text[end:]  # found text is used once and parts what stood around it
    return edits


def pages_of(path: Path) -> Iterator[ScannedPage]:
    media_type = MEDIA_TYPES[path.suffix.lower()]
    reader = PdfReader() if media_type == "application/pdf" else ImageReader()
    with reader.open(path.read_bytes(), media_type=media_type, limits=ReadLimits()) as reading:
        for page in reading.pages():
            if not isinstance(page, ScannedPage):
                sys.exit(f"{path.name}: a page is not a scan")
            yield page


def scans(documents: Path, only: Sequence[str]) -> Iterator[Scan]:
    for folder in FOLDERS:
        manifest = documents / folder / "manifest.jsonl"
        if not manifest.is_file():
            continue
        for line in manifest.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            path = documents / folder / entry["file"]
            if "ground_truth" not in entry or (only and not any(name in entry["file"] for name in only)):
                continue
            text = (documents / folder / entry["ground_truth"]).read_text(encoding="utf-8")
            truth, lost, by_eye = legible(documents, entry, path, text.split("\f"))
            yield Scan(name=path.name[:12], path=path, truth=truth, lost=lost, by_eye=by_eye)


Boxed = tuple[float, float, float, float, str]


def in_order_of_the_eye(words: Sequence[Boxed]) -> str:
    """Lines from the top, each from left to right; a word is on the line whose middle runs through it."""
    lines: list[list[Boxed]] = []
    for word in sorted(words, key=lambda word: (word[1] + word[3]) / 2):
        _, y0, _, y1, _ = lines[-1][-1] if lines else word
        if lines and y0 < (word[1] + word[3]) / 2 < y1 and word[1] < (y0 + y1) / 2 < word[3]:
            lines[-1].append(word)
        else:
            lines.append([word])
    return "\n".join(" ".join(word[4] for word in sorted(line)) for line in lines)


def legible(
    documents: Path, entry: dict[str, object], path: Path, truth: list[str]
) -> tuple[list[str], int, list[str] | None]:
    """The truth without words that the scan does not show, how many these are, and it in the order of the eye."""
    made = re.match(r".*?([^/]+\.pdf) pages ([\d,]+) rendered", str(entry.get("source_path", "")))
    turn = re.match(r".*angle (\d+)$", " ".join(map(str, entry.get("traits", ()))))  # type: ignore[call-overload]
    sources = sorted(documents.rglob(made[1])) if made else []
    if made is None or not sources:
        return truth, 0, None
    document = pymupdf.open(sources[0])
    kept, lost, by_eye = [], 0, []
    for text, number, scan in zip(truth, made[2].split(","), pages_of(path), strict=True):
        page = document[int(number) - 1]
        boxes = page.get_text("words", sort=False)
        same = [box[4] for box in boxes] == text.split()  # else words parted at the end of a line were joined
        if turn is None or int(turn[1]) % 90 or not same:
            kept.append(text)
            by_eye.append(in_order_of_the_eye([box[:5] for box in boxes]))
            continue
        image = np.rot90(grey(scan.image(round(scan.native_dpi or 200))), int(turn[1]) // -90 % 4)
        scale = image.shape[1] / page.rect.width
        shown, seen = [], []
        for (x0, y0, x1, y1, *_), word in zip(boxes, re.findall(r"\S+\s*", text.lstrip()), strict=True):
            place = image[int(y0 * scale) : int(y1 * scale), int(x0 * scale) : int(x1 * scale)]
            hidden = place.size == 0 or float(place.std()) < NO_PRINT
            lost += hidden
            seen += [] if hidden else [(x0, y0, x1, y1, word.strip())]
            shown.append("\n" if hidden and word.endswith("\n") else "" if hidden else word)
        kept.append("".join(shown))
        by_eye.append(in_order_of_the_eye(seen))
    return kept, lost, by_eye


def ours() -> tuple[str, Engine]:
    ocr = PageOcr()
    return "ours", lambda page: ocr.read(page, timeout_s=300).text


def plain_tesseract(folder: Path) -> tuple[str, Engine]:
    from PIL import Image

    if shutil.which("tesseract") is None:
        from extractor.ocr.tesserocr import TesserocrEngine

        engine = TesserocrEngine()

        def in_process(page: ScannedPage) -> str:
            dpi = round(page.native_dpi or 200)
            return " ".join(word.text for word in engine.words(page.image(dpi), dpi=dpi, timeout_s=300))

        return "tesserocr --psm 3", in_process

    def run(page: ScannedPage) -> str:
        dpi = round(page.native_dpi or 200)
        Image.fromarray(page.image(dpi)).save(folder / "page.png", dpi=(dpi, dpi))
        command = ["tesseract", str(folder / "page.png"), "-", "--psm", "1"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    return "tesseract", run


def plain_rapidocr() -> tuple[str, Engine]:
    import cv2
    from rapidocr import RapidOCR

    onnx = "EngineConfig.onnxruntime"
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            f"{onnx}.intra_op_num_threads": 1,
            f"{onnx}.inter_op_num_threads": 1,
        }
    )

    def run(page: ScannedPage) -> str:
        image = grey(page.image(round(page.native_dpi or 200)))
        return "\n".join(engine(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)).txts or ())

    return "rapidocr", run


def cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def read(scan: Scan, engine: Engine, repeat: int) -> tuple[list[str], float]:
    """The text of each page, and the median CPU seconds of all."""
    spent, text = [], []
    for _ in range(repeat):
        text = []
        used = 0.0
        for page in pages_of(scan.path):
            started = cpu_s()
            text.append(engine(page))
            used += cpu_s() - started
        spent.append(used)
    return text, statistics.median(spent)


def row(scan: Scan, name: str, found: list[str], seconds: float) -> list[object]:
    found = found + [""] * (len(scan.truth) - len(found))
    all_truth, all_found = "\n".join(scan.truth), "\n".join(found)
    length = max(1, len(fold(all_truth)))
    pages = list(zip(scan.truth, found, strict=True))
    in_order = [distance(fold(truth), fold(text))[0] for truth, text in pages]
    eye: object = "-"
    if scan.by_eye is not None:
        edits = [distance(fold(truth), fold(text))[0] for truth, text in zip(scan.by_eye, found, strict=True)]
        eye = 100 * sum(map(min, edits, in_order)) / length
    # Lines that repeat may be matched crosswise: what needs fewer edits in order counts in order.
    free = [min(ordered, any_order(*page)) for ordered, page in zip(in_order, pages, strict=True)]
    return [
        scan.name,
        name,
        100 * recall(words_of(all_truth), words_of(all_found)),
        100 * recall(fold(all_truth).split(), fold(all_found).split()),
        100 * sum(in_order) / length,
        eye,
        100 * sum(free) / length,
        seconds,
        scan.lost,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("documents", nargs="?", type=Path, default=DOCUMENTS)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--engines", nargs="*", default=["ours", "tesseract", "rapidocr"])
    options = parser.parse_args()
    if not options.documents.is_dir():
        sys.exit(f"no folder {options.documents}")
    print(machine())
    print(versions("tesserocr", "rapidocr", "onnxruntime", "opencv-python-headless", "pymupdf", "numpy"))
    with tempfile.TemporaryDirectory() as folder:
        makers = {
            "ours": ours,
            "tesseract": lambda: plain_tesseract(Path(folder)),
            "rapidocr": plain_rapidocr,
        }
        engines = [makers[name]() for name in options.engines]
        if shutil.which("tesseract"):
            version = subprocess.run(["tesseract", "--version"], capture_output=True, text=True, check=False)
            print("program:", (version.stdout or version.stderr).splitlines()[0])
        rows: list[list[object]] = []
        total: Counter[str] = Counter()
        for scan in scans(options.documents, options.only):
            for name, engine in engines:
                found, seconds = read(scan, engine, options.repeat)
                rows.append(row(scan, name, found, seconds))
                total[name] += seconds
    print(f"medians of {options.repeat} rounds")
    print(
        table(["file", "engine", "words %", "tokens %", "CER %", "CER^ %", "CER* %", "CPU s", "lost"], rows)
    )
    print("CPU seconds in all: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in total.items()))


if __name__ == "__main__":
    main()
