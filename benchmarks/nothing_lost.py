"""Nothing lost, nothing doubled: documents through three workers that are killed at random, on every broker.

    python benchmarks/nothing_lost.py [--documents 2000] [--kills 60] [--seed 1] [--restarts 4] [--fills 3]
                                      [--disk-mb 600] [--scans 6]
                                      [--only sqlite redis postgresql amqp sqs] [--amqp URL] [--postgresql URL]

Workers die by SIGKILL at random instants and at named ones (before and between the commits to the tables, after the
commit and before the acknowledgement, after it), or find no space left for some commits. A fifth of the messages is
sent twice, all in random order and with mixed priorities and tenants; some documents crash their reader, fail, or are
refused; some are scans that go through OCR. Three writers make the commits conflict. The broker is restarted meanwhile:
Redis is one of the script's own (appendonly, fsync always) that is killed and started again; PostgreSQL a cluster of
the script's own, stopped in mode immediate; RabbitMQ by `rabbitmqctl stop_app` and `start_app` on this machine.
At the end the lake is verified, and every document must be there once, in the state that was expected of it.
Exit code 1 when anything is lost, doubled or wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1]))

from report import ROOT, machine, table, versions

from tests.faults.chaos import Chaos, told

Restart = Callable[[], None] | None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the broker does not answer")


@contextmanager
def sqlite(base: Path, _: argparse.Namespace) -> Iterator[tuple[str, Restart]]:
    yield f"sqlite:///{base}/queue.db", None


@contextmanager
def redis(base: Path, _: argparse.Namespace) -> Iterator[tuple[str, Restart]]:
    port = free_port()
    folder = base / "redis"
    folder.mkdir()
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    server: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        server[:] = [
            subprocess.Popen(
                [*words, "--appendonly", "yes", "--appendfsync", "always"], stdout=subprocess.DEVNULL
            )
        ]
        wait_for(port)

    def restart() -> None:
        server[0].kill()
        server[0].wait()
        start()

    start()
    try:
        yield f"redis://127.0.0.1:{port}/0", restart
    finally:
        server[0].kill()
        server[0].wait()


@contextmanager
def postgresql(base: Path, arguments: argparse.Namespace) -> Iterator[tuple[str, Restart]]:
    """A cluster of the script's own where the server's programs are; else the one of --postgresql, not restarted."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not programs:
        yield f"{arguments.postgresql}?queue=chaos-{uuid4().hex[:8]}", None
        return
    port, folder, user = free_port(), base / "postgresql", []
    if os.geteuid() == 0:  # the server refuses to run as root
        user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(base, "postgres")
        base.chmod(0o755)
    bin_folder = programs[-1].parent

    def control(*words: str) -> None:
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        subprocess.run(
            [*user, str(bin_folder / "pg_ctl"), "-D", str(folder), "-w", "-o", options, "-l", "/dev/null", *words],
            check=True, stdout=subprocess.DEVNULL, cwd="/",
        )  # fmt: skip

    subprocess.run(
        [*user, str(bin_folder / "initdb"), "-D", str(folder), "-U", "queue", "-A", "trust"],
        check=True, stdout=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    control("start")
    try:
        yield f"postgresql://queue@127.0.0.1:{port}/postgres", lambda: control("-m", "immediate", "restart")
    finally:
        control("-m", "immediate", "stop")


@contextmanager
def amqp(_: Path, arguments: argparse.Namespace) -> Iterator[tuple[str, Restart]]:
    def restart() -> None:
        for step in ("stop_app", "start_app"):
            subprocess.run(
                ["rabbitmqctl", step], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

    can = shutil.which("rabbitmqctl") and "127.0.0.1" in arguments.amqp and os.geteuid() == 0
    yield f"{arguments.amqp}?queue=chaos-{uuid4().hex[:8]}", restart if can else None


@contextmanager
def sqs(base: Path, _: argparse.Namespace) -> Iterator[tuple[str, Restart]]:
    """A moto server: it keeps its queues in memory, so it is not restarted."""
    port = free_port()
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=base) as server:
        wait_for(port)
        try:
            yield f"sqs://us-east-1/chaos?endpoint=http://127.0.0.1:{port}", None
        finally:
            server.kill()


@contextmanager
def small_disk(base: Path, megabytes: int) -> Iterator[tuple[str | None, Callable[[bool], None] | None]]:
    """A folder on a disk that can be filled; nothing of the kind where none can be mounted."""
    folder = base / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode != 0:
        yield None, None
        return
    filler = folder / "filler"

    def fill(full: bool) -> None:
        if not full:
            filler.unlink(missing_ok=True)
            return
        with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            for size in (2**20, 2**12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        stream.write(bytes(size))

    try:
        yield str(folder / "lake"), fill
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


BROKERS = {"sqlite": sqlite, "redis": redis, "postgresql": postgresql, "amqp": amqp, "sqs": sqs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(BROKERS), default=list(BROKERS))
    parser.add_argument("--amqp", default="amqp://guest:guest@127.0.0.1:5672//")
    parser.add_argument("--postgresql", default="postgresql://root@127.0.0.1:5432/test")
    parser.add_argument("--restarts", type=int, default=4)
    parser.add_argument("--fills", type=int, default=3)
    parser.add_argument("--disk-mb", type=int, default=600)
    parser.add_argument("--scans", type=int, default=6)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(machine())
    print(versions("lifescience-extractor", "deltalake", "kombu", "redis", "psycopg", "boto3"), flush=True)
    scans = sorted((ROOT / "fixtures").rglob("*scan*.pdf"))[:2]
    rows: list[list[object]] = []
    wrong = False
    for name in arguments.only:
        with (
            tempfile.TemporaryDirectory() as scratch,
            BROKERS[name](Path(scratch), arguments) as (url, restart),
            small_disk(Path(scratch), arguments.disk_mb) as (lake_uri, fill_disk),
        ):
            chaos = Chaos(
                base=Path(scratch) / "house",
                queue_url=url,
                documents=arguments.documents,
                kills=arguments.kills,
                seed=arguments.seed,
                restart_broker=restart,
                broker_restarts=arguments.restarts if restart else 0,
                lake_uri=lake_uri,
                fill_disk=fill_disk,
                disk_fills=arguments.fills,
                scans=tuple(scans[n % len(scans)] for n in range(arguments.scans)) if scans else (),
            )
            outcome = chaos.run(time_limit_s=3600)
        right = not outcome.findings and outcome.twice == 0 and outcome.seen == outcome.expected
        wrong |= not right
        print(f"{name}: {told(outcome)}", flush=True)
        rows.append(
            [
                name,
                outcome.documents,
                outcome.kills,
                outcome.restarts,
                outcome.fills,
                sum(outcome.dead.values()),
                len(outcome.findings),
                outcome.twice,
                "yes" if outcome.seen == outcome.expected else "NO",
                outcome.seconds,
            ]
        )
    headers = [
        "broker",
        "documents",
        "kills",
        "restarts",
        "disk full",
        "dead letters",
        "findings",
        "twice",
        "as expected",
        "s",
    ]
    print()
    print(table(headers, rows))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
