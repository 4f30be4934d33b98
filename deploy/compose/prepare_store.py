"""Makes buckets, and finds out whether the object store keeps "put if absent" atomic.

    python prepare_store.py ENDPOINT BUCKET...

Every commit to the lake is one PUT of the next log entry with ``If-None-Match: *``. A store that lets two writers both
win one such PUT loses commits without a word, so this ends with 1 when that happens, or when the store ignores the
condition. The keys come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION). Needs boto3, which
the engine's image carries. What was probed is deleted again.
"""  # noqa: INP001  # a script, mounted by itself

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from threading import Barrier, Thread
from uuid import uuid4

WRITERS = 16
ROUNDS = 100
"""A store that looks first and writes afterwards may lose one race in a hundred: fewer rounds would miss it."""
WAIT_S = 60.0
"""A store that has just been started may refuse at first."""

Put = Callable[[str, bytes], bool]
"""Writes a key if there is none; whether this call was the one that wrote it."""


def races_lost(put: Put, read: Callable[[str], bytes], *, writers: int, rounds: int) -> int:
    """Rounds in which not exactly one of ``writers`` won the key, or its winner's bytes are not what is stored."""
    return sum(not _one_wins(put, read, writers) for _ in range(rounds))


def _one_wins(put: Put, read: Callable[[str], bytes], writers: int) -> bool:
    key = f"prepare-store/{uuid4().hex}"
    start = Barrier(writers)
    won: list[bytes] = []
    failed: list[BaseException] = []

    def write(body: bytes) -> None:
        start.wait()
        try:
            if put(key, body):
                won.append(body)
        except Exception as error:  # noqa: BLE001  # of whatever kind: told by the caller's thread
            failed.append(error)

    threads = [Thread(target=write, args=(str(number).encode(),)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return len(won) == 1 and read(key) == won[0]


def main(arguments: list[str]) -> int:
    """Prepare the buckets; the exit code."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    if len(arguments) < 2 or any(one.startswith("-") for one in arguments):  # endpoint and a bucket
        sys.stderr.write(f"{(__doc__ or '').split(chr(10) * 2)[1].strip()}\n")
        return 2
    endpoint, *buckets = arguments
    store = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=os.environ.get("AWS_REGION", "us-east-1"),
        config=Config(
            max_pool_connections=WRITERS,
            retries={"total_max_attempts": 1},  # a second try of a PUT that won would be told that it lost
            s3={"addressing_style": "path"},
        ),
    )
    written: list[str] = []

    def put(key: str, body: bytes) -> bool:
        written.append(key)
        try:
            store.put_object(Bucket=buckets[0], Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in {409, 412}:
                return False
            raise
        return True

    def read(key: str) -> bytes:
        body: bytes = store.get_object(Bucket=buckets[0], Key=key)["Body"].read()
        return body

    def names() -> set[str]:
        until = time.monotonic() + WAIT_S
        while True:
            try:
                return {bucket["Name"] for bucket in store.list_buckets()["Buckets"]}
            except (BotoCoreError, ClientError) as error:
                answer = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
                if answer < 500 or time.monotonic() > until:  # HTTP: what waiting does not mend
                    raise
            time.sleep(1)

    try:
        there = names()
        for bucket in buckets:
            if bucket not in there:
                store.create_bucket(Bucket=bucket)
        lost = races_lost(put, read, writers=WRITERS, rounds=ROUNDS)
        for key in set(written):
            store.delete_object(Bucket=buckets[0], Key=key)
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"the store cannot be used: {type(error).__name__}\n")
        return 1
    if lost:
        sys.stderr.write(
            f"not usable for a lake: in {lost} of {ROUNDS} rounds not exactly one of {WRITERS} writers won a key\n"
        )
        return 1
    sys.stdout.write(
        f"{len(buckets)} buckets are there; in {ROUNDS} rounds exactly one of {WRITERS} writers won\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
