"""Workers that are killed at any instant: every document is accounted for once, no row is there twice."""

import os
import socket
import subprocess
import time
from uuid import uuid4

import pytest

from tests.faults.chaos import Chaos, told


def assert_all_there_once(outcome):
    assert outcome.findings == (), told(outcome)
    assert outcome.twice == 0, told(outcome)
    assert outcome.seen == outcome.expected, told(outcome)
    assert set(outcome.dead) <= {"bug.RuntimeError"}, told(outcome)
    assert outcome.kills >= 10, told(outcome)


def test_on_the_embedded_queue_nothing_is_lost_or_doubled_when_workers_are_killed(tmp_path):
    chaos = Chaos(base=tmp_path, queue_url=f"sqlite:///{tmp_path}/queue.db", documents=200, kills=10, seed=7)

    assert_all_there_once(chaos.run())


class OwnRedis:
    """A Redis of the test's own, which keeps what it was told on disk and can be restarted."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.process = None

    def start(self):
        command = [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
            "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--daemonize", "no",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("redis-server did not start")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.stop()
        self.start()


@pytest.fixture
def own_redis(tmp_path):
    folder = tmp_path / "redis"
    folder.mkdir()
    server = OwnRedis(folder)
    try:
        server.start()
    except FileNotFoundError:
        pytest.skip("no redis-server program on this machine")
    yield server
    server.stop()


def test_on_redis_nothing_is_lost_or_doubled_when_workers_and_the_broker_are_killed(tmp_path, own_redis):
    url = f"redis://127.0.0.1:{own_redis.port}/0?queue=chaos-{uuid4().hex[:8]}"
    chaos = Chaos(
        base=tmp_path / "house",
        queue_url=url,
        documents=200,
        kills=10,
        seed=int(os.environ.get("CHAOS_SEED", "11")),
        restart_broker=own_redis.restart,
        broker_restarts=2,
    )

    assert_all_there_once(chaos.run())
