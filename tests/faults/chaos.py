"""Workers on one queue and one lake, killed at random instants: is everything there once at the end?

Used by tests/test_nothing_lost.py (small) and benchmarks/nothing_lost.py (2,000 documents on every broker).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from extractor.config import load_config
from extractor.delivery import QueuedJob
from extractor.governance.policy import load_policy
from extractor.lake.store import Lake
from extractor.lake.verify import verify
from extractor.queues.opening import open_queue
from extractor.resources import folder

CHECKOUT = Path(__file__).parents[2]
POINTS = ("table", "written", "ledger", "ack", "full")
SETTINGS = {
    "readers": {"text/plain": "tests.faults.readers:FaultyReader"},
    "plugins": ["tests"],
    "extractors": [{"name": "measurement"}, {"name": "identifier"}],
    "refiners": [],
    "relators": [],
    "limits": {"page_time_s": 20, "max_page_crashes": 1},
    "ocr": {"second_engine": None},
    "lake": {"batch_documents": 20, "batch_seconds": 2, "commit_retries": 60},
    "worker": {"lease_s": 6, "retry_delay_s": 0.2, "max_tries": 3, "drain_s": 10},
    "telemetry": {"port": 0},
}


@dataclass(kw_only=True)
class Outcome:
    """What a run with faults came to."""

    documents: int
    expected: Counter[str]
    seen: Counter[str]
    rows: int
    findings: tuple[object, ...]
    dead: Counter[str]
    kills: int
    restarts: int
    fills: int
    seconds: float
    left: object
    twice: int = 0


@dataclass(kw_only=True)
class Chaos:
    """``documents`` made texts (some crash their reader, some fail, some are refused, some are copies), 3 workers."""

    base: Path
    queue_url: str
    documents: int
    kills: int
    seed: int
    workers: int = 3
    processes: int = 1
    scans: tuple[Path, ...] = ()
    restart_broker: Callable[[], None] | None = None
    broker_restarts: int = 0
    lake_uri: str | None = None
    fill_disk: Callable[[bool], None] | None = None
    disk_fills: int = 0
    expected: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.inbox = self.base / "inbox"
        self.inbox.mkdir(parents=True)
        self.settings = self.base / "settings.yaml"
        self.settings.write_text(yaml.safe_dump(SETTINGS))
        self.lake_uri = self.lake_uri or str(self.base / "lake")
        self.log = (self.base / "workers.log").open("ab")

    def make(self) -> list[Path]:
        """Texts; ``expected`` says in which state each must end."""
        paths = []
        for number in range(self.documents):
            text, status = f"Document {number}: weighed {number}.50 mg, then {number % 7} mL.", "extracted"
            if number % 97 == 13:
                text, status = f"{text}\fCRASH", "partial"  # one page kills its reader
            elif number % 89 == 17:
                text, status = f"CRASH {number}", "quarantined"  # the only page does
            elif number % 83 == 19:
                text, status = f"{text}\fREFUSE", "partial"
            elif number % 79 == 23:
                text, status = f"RAISE {number}", "quarantined"  # a bug: tried again, then a dead letter
            path = self.inbox / f"{number:05}.txt"
            path.write_text(text)
            self.expected[text] = status
            paths.append(path)
        for number in range(self.documents // 50):  # the same bytes at a second place
            path = self.inbox / f"copy-{number:05}.txt"
            path.write_bytes(paths[number * 7 % len(paths)].read_bytes())
            paths.append(path)
        for number, scan in enumerate(self.scans):
            path = self.inbox / f"scan-{number:05}{scan.suffix}"
            path.write_bytes(scan.read_bytes() + b"\n%" + str(number).encode())
            self.expected[f"scan {number}"] = "extracted"
            paths.append(path)
        return paths

    def enqueue(self, paths: list[Path]) -> None:
        """Everything once, a fifth a second time under other names of the job, out of order."""
        again = [(path, "again") for path in self.random.sample(paths, len(paths) // 5)]
        jobs = [
            QueuedJob(
                job_id=f"{index:06}{kind}".ljust(64, "0").replace("again", "a0a0a"),
                address=str(path),
                tenant=f"tenant-{index % 5}",
                priority=self.random.choice(["urgent", "normal", "normal", "backfill"]),
            )
            for index, (path, kind) in enumerate([*((path, "") for path in paths), *again])
        ]
        self.random.shuffle(jobs)
        queue = open_queue(self.queue_url)
        queue.put(jobs)
        queue.close()

    def start(
        self, point: str = "never", number: int = 0, *, until_empty: bool = False
    ) -> subprocess.Popen[bytes]:
        words = [
            "worker",
            "--queue",
            self.queue_url,
            "--lake",
            str(self.lake_uri),
            "--config",
            str(self.settings),
        ]
        return subprocess.Popen(
            [
                sys.executable, "-m", "tests.faults.worker", point, str(number), *words,
                "--workers", str(self.processes), "--json",
                *(["--until-empty"] if until_empty else []),
            ],
            cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=self.log, start_new_session=True,
        )  # fmt: skip

    def run(self, *, time_limit_s: float = 600) -> Outcome:
        """Until the queue is empty, the workers are stopped and the lake is verified."""
        running: list[subprocess.Popen[bytes]] = []
        try:
            return self._run(running, time_limit_s)
        except BaseException:
            said = (self.base / "workers.log").read_text(encoding="utf-8", errors="replace")
            print(said[-4000:], file=sys.stderr)  # noqa: T201  # what the workers said before it went wrong
            raise
        finally:
            for process in running:
                process.kill()
                process.wait()
            self.log.close()

    def _run(self, running: list[subprocess.Popen[bytes]], time_limit_s: float) -> Outcome:
        started_s = time.monotonic()
        self.enqueue(self.make())
        running += [self._fresh() for _ in range(self.workers)]
        kills = restarts = 0
        next_kill_s = time.monotonic() + 2
        next_restart_s = time.monotonic() + 4
        fills, next_fill_s, full_until_s = 0, time.monotonic() + 3, 0.0
        while not self._empty():
            assert time.monotonic() - started_s < time_limit_s, f"not done in time: {self._status()}"
            for index, process in enumerate(running):
                if process.poll() is not None:  # its fault killed it, or it gave up
                    kills += process.returncode == -signal.SIGKILL
                    running[index] = self._fresh(faulty=kills < self.kills)
            now = time.monotonic()
            if kills < self.kills and now >= next_kill_s:
                victim = self.random.randrange(len(running))
                os.kill(running[victim].pid, signal.SIGKILL)
                next_kill_s = now + self.random.uniform(0.5, 3)
            if self.restart_broker and restarts < self.broker_restarts and now >= next_restart_s:
                self.restart_broker()
                restarts += 1
                next_restart_s = time.monotonic() + self.random.uniform(5, 15)
            if self.fill_disk and full_until_s and now >= full_until_s:
                self.fill_disk(False)
                full_until_s, next_fill_s = 0.0, now + self.random.uniform(3, 10)
            elif self.fill_disk and fills < self.disk_fills and not full_until_s and now >= next_fill_s:
                self.fill_disk(True)
                fills, full_until_s = fills + 1, now + self.random.uniform(1, 4)
            time.sleep(0.1)
        if self.fill_disk:
            self.fill_disk(False)
        self._stop(running)
        while not self._empty():  # what a broker cannot tell to be with a worker was handed back
            running[:] = [self.start(until_empty=True)]
            assert running[0].wait(time_limit_s) == 0
        return self._judge(kills, restarts, fills, time.monotonic() - started_s)

    def _stop(self, running: list[subprocess.Popen[bytes]]) -> None:
        for process in running:
            process.terminate()
        for process in running:
            ended = process.wait(60)
            assert ended in {0, -signal.SIGKILL}, f"a worker did not end well on SIGTERM: {ended}"

    def _fresh(self, *, faulty: bool = True) -> subprocess.Popen[bytes]:
        if not faulty or self.random.random() < 0.4:
            return self.start()
        point = self.random.choice(POINTS)
        return self.start(point, self.random.randint(1, 4 if point in {"ledger", "ack"} else 25))

    def _status(self):
        queue = open_queue(self.queue_url)
        try:
            return queue.status()
        except Exception as error:  # noqa: BLE001  # the broker may be restarting
            return type(error).__name__
        finally:
            queue.close()

    def _empty(self) -> bool:
        status = self._status()
        return not isinstance(status, str) and not (status.ready or status.delayed or status.leased)

    def _judge(self, kills: int, restarts: int, fills: int, seconds: float) -> Outcome:
        config = load_config(self.settings)
        policy = load_policy(folder("configs") / "policy.yaml")
        lake = Lake(str(self.lake_uri), config.lake)
        report = verify(lake, class_order=policy.classes, scope_order=policy.consent_scopes)
        states = lake.read("documents", columns=["doc_id", "status"]).to_pylist()
        queue = open_queue(self.queue_url)
        dead = Counter(letter.code for letter in queue.dead_letters(10_000))
        left = queue.status()
        queue.close()
        return Outcome(
            documents=len(states),
            expected=Counter(self.expected.values()),
            seen=Counter(row["status"] for row in states),
            rows=sum(report.rows.values()),
            findings=report.findings,
            dead=dead,
            kills=kills,
            restarts=restarts,
            fills=fills,
            seconds=seconds,
            left=left,
            twice=len(states) - len({row["doc_id"] for row in states}),
        )


def told(outcome: Outcome) -> str:
    """An outcome as one line of JSON."""
    return json.dumps(
        {
            "documents": outcome.documents,
            "expected": dict(outcome.expected),
            "seen": dict(outcome.seen),
            "twice": outcome.twice,
            "findings": [str(one) for one in outcome.findings],
            "dead": dict(outcome.dead),
            "kills": outcome.kills,
            "broker_restarts": outcome.restarts,
            "disk_fills": outcome.fills,
            "seconds": round(outcome.seconds, 1),
        }
    )
