"""What one call costs while many messages wait: adding them, then receiving, renewing and acknowledging batches.

    python benchmarks/queue_depth.py --queue URL [--jobs N] [--tenants N] [--batch N] [--repeat N]

The queue should be one of its own: what is left in it stays there.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from report import machine, median, table, versions

CHECKOUT = Path(__file__).parents[1]
sys.path.insert(0, str(CHECKOUT))

from extractor.delivery import QueuedJob  # noqa: E402  # of this checkout
from extractor.queues.message import job_id_of  # noqa: E402
from extractor.queues.opening import open_queue  # noqa: E402


def jobs_of(count: int, tenants: int) -> list[QueuedJob]:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queue", required=True)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=1)
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--repeat", type=int, default=200)
    given = parser.parse_args()
    print(machine())
    print(versions("psycopg", "redis", "kombu", "boto3"))
    queue = open_queue(given.queue)
    jobs = jobs_of(given.jobs, given.tenants)

    def timed(call, *arguments, **options):
        started = time.perf_counter()
        found = call(*arguments, **options)
        return found, time.perf_counter() - started

    added, put_s = timed(queue.put, jobs)
    took: dict[str, list[float]] = {"receive_batch": [], "extend": [], "ack": []}
    for _turn in range(given.repeat):
        held, seconds = timed(queue.receive_batch, given.batch, lease_s=300.0)
        took["receive_batch"].append(seconds)
        took["extend"].append(timed(queue.extend, held, lease_s=300.0)[1])
        took["ack"].append(timed(queue.ack, held)[1])
    status, status_s = timed(queue.status)
    print(
        f"{added} of {given.jobs} jobs of {given.tenants} tenants added in {put_s:.1f} s; {status.ready} left"
    )
    rows = [
        (
            name,
            1_000 * median(seconds),
            1_000 * sorted(seconds)[int(0.95 * len(seconds))],
            1_000 * max(seconds),
        )
        for name, seconds in took.items()
    ]
    rows.append(("status", 1_000 * status_s, "", ""))
    print(table([f"call, {given.batch} messages", "median ms", "95 % ms", "max ms"], rows))
    queue.close()


if __name__ == "__main__":
    main()
