"""Workers on a queue: documents per second with one and two processes, what commits cost, memory over thousands.

    python benchmarks/worker.py [--documents 600] [--repeat 3] [--memory 5000] [--only scale memory enqueue]

scale    notes of some 1,000 characters and digital PDFs of two pages (--pdfs of each hundred), by `extractor worker
         --until-empty` with one process of its pool, with two, and by two workers of one process each on the same queue
         and lake. Seconds are those of the command after its start (the first document received to the last answer);
         "commits" is the share of them that went into commits to Delta (extractor_commit_seconds). Medians.
memory   --memory notes through one worker with two processes; resident memory of the worker and of the largest process
         at marks. No process is replaced, so nothing hides behind a fresh one.
enqueue  100,000 jobs into the embedded queue.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import yaml
from memory import digital, sentence
from report import extractor_command, machine, table, versions

MARKS = (100, 500, 1000, 2000, 3000, 4000, 5000)


def make(folder: Path, count: int, pdfs: int, seed: int) -> None:
    source = random.Random(seed)
    folder.mkdir()
    for number in range(count):
        if number % 100 < pdfs:
            with digital(source) as document:
                (folder / f"{number:05}.pdf").write_bytes(document.tobytes(deflate=True))
        else:
            text = "\n".join(sentence(source) for _ in range(10))
            (folder / f"{number:05}.txt").write_text(text)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def metrics(port: int) -> dict[str, float]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, OSError):
        return {}
    found: dict[str, float] = {}
    for name, value in re.findall(r"^(\w+)(?:\{[^}]*\})? (\S+)$", text, re.MULTILINE):
        with contextlib.suppress(ValueError):
            found[name] = found.get(name, 0.0) + float(value)
    return found


class Worker:
    """`extractor worker` on a queue and a lake, watched from outside until it ends."""

    def __init__(self, base: Path, name: str, processes: int) -> None:
        self.port = free_port()
        settings = base / f"{name}.yaml"
        settings.write_text(
            yaml.safe_dump(
                {
                    "telemetry": {"port": self.port, "host": "127.0.0.1"},
                    "limits": {"documents_per_worker": 100_000},
                    "log_level": "warning",
                }
            )
        )
        self.process = subprocess.Popen(
            [
                str(extractor_command()), "worker", "--queue", f"sqlite:///{base}/queue.db", "--lake",
                str(base / "lake"),
                "--config", str(settings), "--workers", str(processes), "--until-empty", "--json",
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self.first_s: float | None = None
        self.last: dict[str, float] = {}
        self.samples: list[tuple[float, float, float]] = []

    def look(self) -> bool:
        """Whether it still runs; notes figures and memory."""
        found = metrics(self.port)
        if found:
            self.last = found
        done = self.last.get("extractor_documents_total", 0.0)
        if self.first_s is None and found.get("extractor_in_flight", 0) > 0:
            self.first_s = time.monotonic()
        try:
            parent = psutil.Process(self.process.pid)
            largest = max((child.memory_info().rss for child in parent.children(recursive=True)), default=0)
            self.samples.append((done, parent.memory_info().rss / 2**20, largest / 2**20))
        except psutil.Error:
            pass
        return self.process.poll() is None


def enqueue(base: Path, folder: Path) -> None:
    words = ["enqueue", str(folder), "--queue", f"sqlite:///{base}/queue.db"]
    subprocess.run([str(extractor_command()), *words], check=True, stdout=subprocess.DEVNULL)


def once(folder: Path, workers: int, processes: int) -> tuple[float, float]:
    """Seconds from the first document received to the last answer; share of commits in them."""
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        enqueue(base, folder)
        started = [Worker(base, f"w{number}", processes) for number in range(workers)]
        while any([worker.look() for worker in started]):  # noqa: C419  # every one is looked at
            time.sleep(0.5)
        ended_s = time.monotonic()
        assert all(worker.process.returncode == 0 for worker in started)
        first_s = min(worker.first_s or ended_s for worker in started)
        commits_s = sum(worker.last.get("extractor_commit_seconds_sum", 0.0) for worker in started)
        return ended_s - first_s, commits_s / (ended_s - first_s) / workers


def scale(documents: int, pdfs: int, repeat: int) -> None:
    variants = {
        "1 worker, 1 process": (1, 1),
        "1 worker, 2 processes": (1, 2),
        "2 workers, 1 process each": (2, 1),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "inbox"
        make(folder, documents, pdfs, seed=1)
        for _ in range(repeat):
            for name, (workers, processes) in variants.items():
                found[name].append(once(folder, workers, processes))
    one_s = statistics.median(seconds for seconds, _ in found["1 worker, 1 process"])
    rows: list[list[object]] = []
    for name, measured in found.items():
        seconds = statistics.median(value for value, _ in measured)
        share = statistics.median(value for _, value in measured)
        rows.append([name, documents, seconds, documents / seconds, one_s / seconds, f"{100 * share:.1f} %"])
    print(table(["variant", "documents", "seconds", "documents/s", "times one", "commits"], rows), flush=True)


def memory(documents: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        make(base / "inbox", documents, 0, seed=2)
        enqueue(base, base / "inbox")
        worker = Worker(base, "w", 2)
        while worker.look():
            time.sleep(0.5)
    rows: list[list[object]] = []
    for mark in (*(mark for mark in MARKS if mark < documents), documents):
        near = [(parent, child) for done, parent, child in worker.samples if mark - 50 <= done <= mark]
        if near:
            rows.append([mark, *(statistics.median(column) for column in zip(*near, strict=True))])
    rows.append(["peak", *(max(column) for column in list(zip(*worker.samples, strict=True))[1:])])
    print(table(["documents", "worker MB", "largest process MB"], rows), flush=True)


def enqueue_speed() -> None:
    from extractor.delivery import QueuedJob
    from extractor.queues.opening import open_queue

    with tempfile.TemporaryDirectory() as scratch:
        queue = open_queue(f"sqlite:///{scratch}/queue.db")
        jobs = (
            QueuedJob(job_id=f"{n:064x}", address=f"/inbox/{n}.pdf", tenant=f"t{n % 7}")
            for n in range(100_000)
        )
        started_s = time.monotonic()
        added = queue.put(jobs)
        print(f"{added} jobs into the embedded queue: {time.monotonic() - started_s:.1f} s", flush=True)
        queue.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=600)
    parser.add_argument("--pdfs", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory", type=int, default=5000)
    parser.add_argument(
        "--only", nargs="+", choices=["scale", "memory", "enqueue"], default=["scale", "memory", "enqueue"]
    )
    chosen = parser.parse_args()
    print(machine())
    print(versions("lifescience-extractor", "deltalake", "onnxruntime", "pymupdf"), flush=True)
    if "enqueue" in chosen.only:
        enqueue_speed()
    if "scale" in chosen.only:
        scale(chosen.documents, chosen.pdfs, chosen.repeat)
    if "memory" in chosen.only:
        memory(chosen.memory)


if __name__ == "__main__":
    sys.exit(main())
