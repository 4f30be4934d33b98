"""How many jobs a second go into a queue and out of it again, on one connection.

    python benchmarks/queues.py --queue URL... [--jobs N] [--tenants N] [--batch N]

put           all jobs in one call, as `extractor enqueue` does.
receive, ack  batches of --batch messages until the queue is empty, as one worker takes them: a worker that did
              nothing else would be so fast. The broker's time and this process's are in it.

The queue must be empty, and is so afterwards. Of SQS the address should be the service itself: a simulation of it
on the same machine tells nothing about it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from report import machine, stop_on_signal, table, versions

CHECKOUT = Path(__file__).parents[1]
sys.path.insert(0, str(CHECKOUT))

from extractor.delivery import QueuedJob  # noqa: E402  # of this checkout
from extractor.ports import Queue  # noqa: E402
from extractor.queues.message import encode, job_id_of  # noqa: E402
from extractor.queues.opening import open_queue  # noqa: E402

LEASE_S = 600.0
PATIENCE_S = 2.0


def jobs_of(count: int, tenants: int) -> list[QueuedJob]:
    """Jobs as an object store's documents make them, of tenants in turn."""
    addresses = [f"s3://intake/2026/scans/document-{number:09d}.pdf" for number in range(count)]
    return [
        QueuedJob(
            job_id=job_id_of(address, "0055AED6DCD90281E5"),
            address=address,
            byte_count=250_000,
            tenant=f"tenant-{number % tenants}",
            entry={"study_id": "ST-1", "classification": "confidential", "consent_scope": "research"},
        )
        for number, address in enumerate(addresses)
    ]


def emptied(queue: Queue, batch: int) -> tuple[int, float]:
    """How many messages came out, and the seconds until the last of them was acknowledged."""
    count, started, ended = 0, time.perf_counter(), time.perf_counter()
    while held := queue.receive_batch(batch, lease_s=LEASE_S, wait_s=PATIENCE_S):
        queue.ack(held)
        count += len(held)
        ended = time.perf_counter()
    return count, ended - started


def measured(url: str, jobs: list[QueuedJob], batch: int) -> list[object]:
    queue = open_queue(url)
    status = queue.status()
    if status.ready or status.delayed or status.leased:
        raise SystemExit("the queue is not empty: it may be somebody's")
    started = time.perf_counter()
    queue.put(jobs)
    put_s = time.perf_counter() - started
    count, out_s = emptied(queue, batch)
    queue.close()
    lost = len(jobs) - count
    return [urlsplit(url).scheme, put_s, f"{len(jobs) / put_s:,.0f}", out_s, f"{count / out_s:,.0f}", lost]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queue", required=True, nargs="+", help="URLs of empty queues")
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--tenants", type=int, default=10)
    parser.add_argument("--batch", type=int, default=25)
    given = parser.parse_args()
    stop_on_signal()
    jobs = jobs_of(given.jobs, given.tenants)
    print(machine())
    print(versions("psycopg", "redis", "kombu", "amqp", "boto3"))
    print(
        f"{given.jobs:,} jobs of {len(encode(jobs[0]))} bytes, {given.tenants} tenants, batches of {given.batch}"
    )
    rows = [measured(url, jobs, given.batch) for url in given.queue]
    print(table(["queue", "put s", "jobs/s", "receive, ack s", "jobs/s", "missing"], rows))


if __name__ == "__main__":
    main()
