"""Shared fixtures: an S3 server on loopback, and the demonstration's lake of the shipped documents."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("shared-machine", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "shared-machine")

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"


def pytest_addoption(parser):
    parser.addoption(
        "--regold",
        action="store_true",
        help="write tests/golden/ anew instead of comparing; never with CI set",
    )


def pytest_configure(config):
    if config.getoption("regold") and os.environ.get("CI"):
        raise pytest.UsageError("--regold would accept whatever comes out: not where CI is set")


@dataclass(frozen=True)
class Demo:
    """What ``make demo`` said, how long it took, and the lake it left. Nobody may write to that lake."""

    lake: Path
    stdout: str
    stderr: str
    seconds: float


@pytest.fixture(scope="session")
def demo(tmp_path_factory, worker_id):
    """The demonstration, run once for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "demo"
    shared.mkdir(exist_ok=True)
    said = shared / "said.json"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            started = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "extractor.demo", "fixtures", str(shared / "lake")],
                cwd=ROOT, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            found = {"stdout": done.stdout, "stderr": done.stderr, "seconds": time.monotonic() - started}
            said.write_text(json.dumps(found))
    return Demo(lake=shared / "lake", **json.loads(said.read_text()))


@dataclass(frozen=True)
class S3:
    """An S3-compatible server on loopback and how to reach it."""

    endpoint: str
    client: object

    @property
    def source_options(self):
        return {
            "endpoint_override": self.endpoint,
            "access_key": "test",
            "secret_key": "test",  # of a server that lives for one test
            "region": "us-east-1",
        }

    @property
    def lake_options(self):
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def put(self, path, content):
        bucket, _, key = path.partition("/")
        self.client.create_bucket(Bucket=bucket)
        self.client.put_object(Bucket=bucket, Key=key, Body=content)


def _answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def s3_endpoint():
    """A server in a process of its own: delta-rs holds the interpreter's lock during some requests."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 60
        while not _answers(port) and time.monotonic() < deadline:
            assert server.poll() is None, "the S3 server did not start"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        server.kill()


@pytest.fixture
def s3(s3_endpoint):
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    yield S3(s3_endpoint, client)
    for bucket in client.list_buckets()["Buckets"]:
        for one in client.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            client.delete_object(Bucket=bucket["Name"], Key=one["Key"])
        client.delete_bucket(Bucket=bucket["Name"])
