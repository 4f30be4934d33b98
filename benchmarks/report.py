"""What the benchmark scripts share: the machine, versions, measured commands, medians and tables."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = ROOT / ".." / "shared" / "data" / "documents"
_PR_SET_CHILD_SUBREAPER = 36


def machine() -> str:
    """Processor, cores, memory, system, Python, and how busy it was."""
    model = "unknown processor"
    with Path("/proc/cpuinfo").open() as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return (
        f"{model}, {cores} cores, {memory_gb:.0f} GB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; load {os.getloadavg()[0]:.1f}"
    )


def versions(*packages: str) -> str:
    """``name version`` of installed packages."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} not installed")
    return ", ".join(found)


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under headers, the first column to the left and all others to the right; floats with two digits."""
    cells = [[f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [list(headers), ["-" * width for width in widths], *cells]
    ]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One command: seconds by the clock, CPU seconds of it and all its descendants, and what it printed."""

    wall_s: float
    cpu_s: float
    stdout: str


def become_reaper() -> None:
    """Adopt orphans, so that the CPU time of processes that outlive a command's first one counts as well (Linux)."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this kernel lets no process adopt orphans")


def measure(command: Sequence[str | Path], *, may_fail: bool = False) -> Measured:
    """Run a command to its end and the end of all it started; one at a time.

    Its words for people (stderr) are dropped unless it fails.

    Raises:
        SystemExit: the command failed.
    """
    before = _children_cpu_s()
    started = time.perf_counter()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    wall_s = time.perf_counter() - started
    _reap_orphans()
    if done.returncode and not may_fail:
        sys.exit(f"{Path(command[0]).name} ended with {done.returncode}\n{done.stderr[-2000:]}")
    return Measured(wall_s=wall_s, cpu_s=_children_cpu_s() - before, stdout=done.stdout)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap_orphans() -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            found, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not found:
            time.sleep(0.02)


def median(values: Sequence[float]) -> float:
    """The median, and for no values nothing a number could say."""
    return statistics.median(values) if values else float("nan")


def extractor_command() -> Path:
    """The command of this environment."""
    return Path(sys.executable).parent / "extractor"


def stop_on_signal() -> None:
    """Turn SIGTERM into an exit, so that temporary folders are removed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
