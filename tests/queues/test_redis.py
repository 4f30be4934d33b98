import os
import shutil
import signal
import subprocess
import time
import traceback
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from extractor.errors import ConfigError, QueueError
from extractor.queues import redis_scripts as scripts
from extractor.queues.opening import open_queue
from extractor.queues.redis import RedisQueue
from tests.queues.brokers import Cable, answers, free_port
from tests.queues.contract import LONG_S, LeaseTableContract, ids, jobs_named

HOST, PORT = "127.0.0.1", 6379

needs_redis = pytest.mark.skipif(not answers(HOST, PORT), reason="no Redis on 127.0.0.1:6379")
needs_server = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server here")


@contextmanager
def own_queue(port=PORT, options=""):
    import redis

    name = f"test-{uuid4().hex[:12]}"
    yield f"redis://{HOST}:{port}/0?queue={name}{options}"
    with redis.Redis(host=HOST, port=PORT) as client:
        for key in client.scan_iter(f"{{extractor:{name}}}:*"):
            client.delete(key)


class Server:
    """A Redis of the test's own, which it may kill."""

    def __init__(self, folder, *options):
        # In a cluster the port 10,000 above is used, too
        self.port = next(port for port in iter(free_port, None) if port < 55_000)
        self._command = [
            "redis-server",
            "--port",
            str(self.port),
            "--bind",
            HOST,
            "--dir",
            str(folder),
            "--save",
            "",
        ]
        self._command += options

    def start(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not answers(HOST, self.port):
            assert time.monotonic() < deadline, "the Redis server did not start"
            time.sleep(0.02)

    def kill(self):
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def server_with(tmp_path):
    servers = []

    def starting(*options):
        servers.append(Server(tmp_path, *options))
        servers[-1].start()
        return servers[-1]

    yield starting
    for server in servers:
        server.kill()


@needs_redis
class TestRedisQueue(LeaseTableContract):
    @pytest.fixture
    def url(self):
        with own_queue() as url:
            yield url

    def put_raw(self, url, body):
        queue = RedisQueue(url)
        queue._run(scripts.PUT, uuid4().hex, 1, "default", 0, body)
        queue.close()

    def test_a_tenant_that_comes_back_does_not_jump_the_line(self, queue):
        queue.put(jobs_named(*(f"big-{number}" for number in range(20)), tenant="big"))
        found = []
        for number in range(8):
            queue.put(jobs_named(f"trickle-{number}", tenant="trickle"))
            found += ids(queue.receive_batch(1, lease_s=LONG_S))

        assert sum(one.startswith("big") for one in found) == 4

    def test_a_message_that_came_back_keeps_its_place(self, queue):
        queue.put(jobs_named("a", "b", "c"))
        (held,) = queue.receive_batch(1, lease_s=LONG_S)
        queue.nack(held, delay_s=0.0, code="ocr.failed")

        assert ids(queue.receive_batch(3, lease_s=LONG_S)) == ["a", "b", "c"]

    def test_a_retried_letter_whose_job_waits_already_is_forgotten(self, queue):
        queue.put(jobs_named("one"))
        queue.dead(queue.receive_batch(1, lease_s=LONG_S)[0], code="input.corrupt")
        queue.put(jobs_named("one"))

        assert queue.retry_dead() == 0
        assert queue.status().ready == 1
        assert queue.dead_letters(10) == []

    def test_thousands_of_letters_and_messages_are_moved_and_removed_in_portions(self, queue):
        queue.put(jobs_named(*(f"job-{number}" for number in range(2_300))))
        held = []
        while found := queue.receive_batch(500, lease_s=LONG_S):
            held += found
        for one in held:
            queue.dead(one, code="ocr.failed")

        assert queue.retry_dead(code="ocr.failed") == 2_300
        assert queue.status().ready == 2_300
        assert queue.purge() == 2_300
        assert queue.status().ready == 0

    def test_nothing_stays_in_redis_of_messages_that_are_done(self, queue, url):
        queue.put(jobs_named("one", "two"))
        queue.ack(self.take(queue, 2))
        name = urlsplit(url).query.removeprefix("queue=")

        kinds = {
            key.decode().split("}:")[1].partition(":")[0] for key in queue._client.scan_iter(f"*{name}*")
        }

        assert kinds == {"seq", "served"}


@needs_redis
class TestWhenTheConnectionIsCut:
    @pytest.fixture
    def cable(self):
        cable = Cable(HOST, PORT)
        yield cable
        cable.cut()

    @pytest.fixture
    def queue(self, cable):
        with own_queue(cable.port) as url:
            queue = open_queue(url)
            yield queue
            queue.close()

    def test_calls_fail_as_retryable_and_work_again_once_it_is_mended(self, queue, cable):
        queue.put(jobs_named("a", "b"))
        (held,) = queue.receive_batch(1, lease_s=LONG_S)
        cable.cut()

        for call in (
            lambda: queue.put(jobs_named("c")),
            lambda: queue.receive_batch(1, lease_s=LONG_S),
            lambda: queue.extend([held], lease_s=LONG_S),
            lambda: queue.ack([held]),
            lambda: queue.nack(held, delay_s=0.0, code="ocr.failed"),
            lambda: queue.dead(held, code="ocr.failed"),
            queue.status,
            queue.retry_dead,
        ):
            with pytest.raises(QueueError) as caught:
                call()
            assert caught.value.retryable
        cable.mend()

        assert queue.extend([held], lease_s=LONG_S) == []
        queue.ack([held])
        assert queue.put(jobs_named("c")) == 1
        assert ids(queue.receive_batch(5, lease_s=LONG_S)) == ["b", "c"]

    def test_a_connection_that_died_between_two_calls_is_not_noticed(self, queue, cable):
        queue.put(jobs_named("a"))
        cable.cut()
        cable.mend()

        assert ids(queue.receive_batch(1, lease_s=LONG_S)) == ["a"]


@needs_server
class TestWithAServerOfItsOwn:
    def test_a_server_that_is_killed_loses_nothing_when_it_writes_always(self, server_with):
        server = server_with("--appendonly", "yes", "--appendfsync", "always")
        queue = open_queue(f"redis://{HOST}:{server.port}")
        queue.put(jobs_named("a", "b", "c", "d"))
        held, done, bad = queue.receive_batch(3, lease_s=LONG_S)
        queue.ack([done])
        queue.dead(bad, code="input.corrupt")
        server.kill()
        with pytest.raises(QueueError):
            queue.status()
        server.start()

        status = queue.status()

        assert (status.ready, status.leased, status.dead) == (1, 1, 1)
        assert queue.extend([held], lease_s=LONG_S) == []
        queue.close()

    def test_a_full_server_refuses_new_work_and_can_be_emptied_without_loss(self, server_with):
        server = server_with("--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
        queue = open_queue(f"redis://{HOST}:{server.port}")
        with pytest.raises(QueueError) as caught:
            queue.put(jobs_named(*(f"job-{number}" for number in range(20_000))))
        assert caught.value.retryable
        put = queue.status().ready
        assert 0 < put < 20_000

        handed_back, forgotten = queue.receive_batch(2, lease_s=0.2)
        queue.nack(handed_back, delay_s=0.2, code="ocr.failed")
        time.sleep(0.3)
        found = []
        while held := queue.receive_batch(500, lease_s=LONG_S):
            queue.ack(held)
            found += ids(held)

        assert len(found) == len(set(found)) == put
        assert {*ids([handed_back, forgotten])} <= {*found}
        queue.close()

    def test_a_password_that_is_wrong_is_refused_for_good_and_never_shown(self, server_with):
        server = server_with("--requirepass", "right-secret")
        queue = open_queue(f"redis://:wrong-secret@{HOST}:{server.port}")
        with pytest.raises(QueueError) as caught:
            queue.put(jobs_named("a"))
        queue.close()

        assert not caught.value.retryable
        shown = "".join(traceback.format_exception(caught.value)) + repr(queue) + str(caught.value.__cause__)
        assert "wrong-secret" not in shown
        right = open_queue(f"redis://:right-secret@{HOST}:{server.port}")
        assert right.put(jobs_named("a")) == 1
        right.close()

    def test_all_keys_of_a_queue_stand_on_one_node_of_a_cluster(self, server_with):
        server = server_with("--cluster-enabled", "yes")
        cli = ["redis-cli", "-h", HOST, "-p", str(server.port)]
        subprocess.run(
            [*cli, "cluster", "addslotsrange", "0", "16383"], check=True, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while b"cluster_state:ok" not in subprocess.check_output([*cli, "cluster", "info"]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        queue = open_queue(f"redis://{HOST}:{server.port}?cluster=true")

        queue.put(jobs_named("a", "b", tenant="one"))
        queue.put(jobs_named("c", tenant="two"))
        held = queue.receive_batch(2, lease_s=LONG_S)
        queue.ack(held[:1])
        queue.dead(held[1], code="ocr.failed")
        assert queue.retry_dead() == 1
        assert queue.status().ready == 2
        slots = {queue._client.keyslot(key) for key in queue._client.scan_iter("*")}
        queue.close()

        assert len(slots) == 1


@pytest.mark.parametrize(
    "url",
    [
        "redis://h/zero",
        "redis://h/0?cluster=maybe",
        "redis://h/0?queue=no%20name",
        "redis://h/0?password=x",
        "redis://h:x",
    ],
    ids=["database", "cluster", "name", "unknown-option", "port"],
)
def test_a_url_that_makes_no_sense_is_named_before_anything_is_asked(url):
    with pytest.raises(ConfigError):
        open_queue(url)
