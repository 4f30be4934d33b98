import os
import signal
import socket
import threading
import time
import traceback
from contextlib import contextmanager
from uuid import uuid4

import pytest

from extractor.delivery import QueuedJob
from extractor.errors import ConfigError, QueueError
from extractor.queues.amqp import AmqpQueue
from extractor.queues.amqp_link import Link
from extractor.queues.amqp_message import TRIES, letter_of, tries_of
from extractor.queues.broker_url import parse_broker_url
from extractor.queues.message import encode
from extractor.queues.opening import open_queue
from tests.queues.brokers import Cable, answers, free_port
from tests.queues.contract import HOLDER, LONG_S, QueueContract, ids, jobs_named

HOST, PORT = "127.0.0.1", 5672
OPTIONS = {"lanes": "8", "type": "quorum", "heartbeat": "20", "ca": ""}

needs_rabbitmq = pytest.mark.skipif(not answers(HOST, PORT), reason="no RabbitMQ on 127.0.0.1:5672")


def raw_connection():
    from kombu.connection import Connection

    return Connection(hostname=HOST, port=PORT, userid="guest", password="guest", transport="pyamqp")


def remove(queue):
    """All that an adapter made at the broker."""
    name = queue._where.name
    with raw_connection() as connection, connection.channel() as channel:
        for one in (*queue._all_lanes, queue._dead, f"{name}.lanes", *queue._delays.values()):
            channel.queue_delete(one)
        for one in queue._delays.values():
            channel.exchange_delete(one)


@contextmanager
def own_queue(port=PORT, **options):
    name = f"test-{uuid4().hex[:12]}"
    more = "".join(f"&{key}={value}" for key, value in options.items())
    yield f"amqp://guest:guest@{HOST}:{port}?queue={name}&heartbeat=4{more}"
    remove(AmqpQueue(f"amqp://{HOST}?queue={name}{more}"))


def publish(url, body, headers=None):
    queue = AmqpQueue(url)
    with queue._using() as link:
        link.publish(body, to=queue._lanes["normal"][0], headers=headers or {})
        link.settle()
    queue.close()


@needs_rabbitmq
class TestAmqpQueue(QueueContract):
    knows_leased = False
    knows_tenants = False
    knows_oldest = False
    dedupes = False
    lease_s = 1.0

    @pytest.fixture
    def url(self):
        # Of seven lanes every tenant that the contract sets against another has its own
        with own_queue(lanes=7) as url:
            yield url

    def put_raw(self, url, body):
        publish(url, body)

    def test_a_tenant_that_shares_no_lane_is_not_held_up_by_one_that_is_full(self, queue):
        queue.put(jobs_named("a-0", "a-1", tenant="a"))
        queue.put(jobs_named("b-0", "b-1", tenant="b"))

        assert ids(self.take(queue, 2, full_tenants={"a"})) == ["b-0", "b-1"]

    def test_a_message_put_aside_for_a_full_tenant_is_no_try_of_it(self, queue, open_again):
        queue.put(jobs_named("a-0", "a-1", tenant="a"))
        assert queue.receive_batch(5, lease_s=LONG_S, full_tenants={"a"}) == []
        queue.close()

        found = self.take(open_again(), 2)

        assert sorted(ids(found)) == ["a-0", "a-1"]
        assert [one.attempt for one in found] == [1, 1]

    def test_a_message_put_aside_is_given_to_others_when_its_lease_ends(self, queue, open_again):
        queue.put(jobs_named("a-0", tenant="a"))
        assert queue.receive_batch(5, lease_s=self.lease_s, full_tenants={"a"}) == []
        time.sleep(0.6 * self.lease_s)
        assert queue.receive_batch(5, lease_s=self.lease_s, full_tenants={"a"}) == []

        assert ids(self.take(open_again(), 1, within_s=self.lease_s + self.slack_s)) == ["a-0"]

    def test_a_purge_takes_what_was_put_aside(self, queue):
        queue.put(jobs_named("a-0", "a-1", tenant="a"))
        assert queue.receive_batch(5, lease_s=LONG_S, full_tenants={"a"}) == []

        assert queue.purge() == 2
        assert self.is_empty(queue)

    def test_leases_outlast_the_heartbeat_while_the_process_lives(self, queue, open_again):
        queue.put(jobs_named("one"))
        held = self.take(queue, 1)
        time.sleep(9)  # more than two heartbeats of 4 s

        assert self.is_empty(open_again())
        assert queue.extend(held, lease_s=LONG_S) == []

    def test_a_process_that_is_frozen_gives_its_messages_back_after_two_heartbeats(self, url, start):
        # A machine that is gone looks no different to the broker
        quick = url.replace("heartbeat=4", "heartbeat=1")
        queue = open_queue(quick)
        queue.put(jobs_named("one"))
        holder = start(HOLDER.replace("sys.argv[1]", repr(quick)), 1, LONG_S)
        assert holder.stdout.readline() == "one\n"
        os.kill(holder.pid, signal.SIGSTOP)

        (again,) = self.take(queue, 1, within_s=2 + self.slack_s)
        queue.close()

        assert again.attempt == 2

    def test_a_lease_that_ends_beside_a_renewed_one_ends_alone(self, queue, open_again):
        queue.put(jobs_named("kept", "forgotten"))
        kept, forgotten = self.take(queue, 2, lease_s=self.lease_s)
        assert queue.extend([kept], lease_s=LONG_S) == []
        time.sleep(self.lease_s)
        assert queue.receive_batch(0, lease_s=LONG_S) == []

        (again,) = self.take(open_again(), 1)

        assert ids([again]) == ids([forgotten])
        assert again.attempt == 2
        assert ids(queue.extend([kept, forgotten], lease_s=LONG_S)) == ["forgotten"]

    def test_closing_gives_back_at_once_what_is_held(self, queue, open_again):
        queue.put(jobs_named("one"))
        self.take(queue, 1)
        queue.close()

        assert [one.attempt for one in self.take(open_again(), 1)] == [2]

    def test_a_delay_is_rounded_up_to_one_that_there_is(self, queue):
        delays = (0.2, 1.0, 5.0, 60.0, 3_600.0, 5_000.0, 1e6)
        queue.put(jobs_named(*(f"job-{number}" for number in range(len(delays)))))
        for held, delay_s in zip(self.take(queue, len(delays)), delays, strict=True):
            queue.nack(held, delay_s=delay_s, code="ocr.failed")

        with queue._using() as link:
            found = {seconds: link.count(name) for seconds, name in queue._delays.items()}

        assert [seconds for seconds, count in found.items() for _message in range(count)] == [
            1, 1, 8, 64, 4_096, 16_384, 65_536,
        ]  # fmt: skip

    def test_hundreds_of_dead_letters_are_read_retried_and_left_in_place(self, queue):
        queue.put(jobs_named(*(f"job-{number}" for number in range(600))))
        for number, one in enumerate(self.take(queue, 600, within_s=60)):
            queue.dead(one, code="ocr.failed" if number % 2 else "input.corrupt")

        assert [one.job_id for one in queue.dead_letters(2)] == ["job-599", "job-598"]
        assert queue.retry_dead(code="ocr.failed") == 300
        assert len(queue.dead_letters(1000)) == 300
        status = queue.status()
        assert (status.ready, status.dead) == (300, 300)

    def test_hundreds_of_acknowledgements_are_kept_although_the_connection_closes_at_once(
        self, queue, open_again
    ):
        queue.put(jobs_named(*(f"job-{number}" for number in range(600))))
        queue.ack(self.take(queue, 600, within_s=60))
        queue.close()

        assert self.is_empty(open_again())

    def test_another_number_of_lanes_is_refused_for_good(self, queue, url):
        queue.put(jobs_named("one"))
        with pytest.raises(QueueError, match="lanes") as caught:
            open_queue(url.replace("lanes=7", "lanes=6")).status()

        assert not caught.value.retryable

    def test_a_message_that_the_broker_itself_gives_up_becomes_a_dead_letter(self, queue, url):
        queue.put(jobs_named("one"))
        (held,) = self.take(queue, 1)
        with queue._using() as link:
            link._channel.basic_reject(held.receipt.tag, requeue=False)
            link.sync()

        deadline = time.monotonic() + self.slack_s
        while not (letters := queue.dead_letters(5)) and time.monotonic() < deadline:
            time.sleep(0.05)

        assert [(one.job_id, one.code) for one in letters] == [("one", "queue.rejected")]
        assert queue.retry_dead() == 1
        assert ids(self.take(queue, 1)) == ["one"]


@needs_rabbitmq
class TestClassicQueues:
    @pytest.fixture
    def url(self):
        with own_queue(lanes=1, type="classic") as url:
            yield url

    @pytest.fixture
    def queue(self, url):
        queue = open_queue(url)
        yield queue
        queue.close()

    def test_tries_that_ended_without_a_word_are_counted_all_the_same(self, queue, url):
        queue.put(jobs_named("one"))
        attempts = []
        for _time in range(4):
            holder = open_queue(url)
            attempts += [one.attempt for one in holder.receive_batch(1, lease_s=LONG_S, wait_s=5.0)]
            holder._link.drop()

        assert attempts == [1, 2, 3, 4]

    def test_delays_and_dead_letters_work_as_with_quorum_queues(self, queue):
        queue.put(jobs_named("one"))
        (held,) = queue.receive_batch(1, lease_s=LONG_S, wait_s=5.0)
        queue.nack(held, delay_s=1.0, code="ocr.failed")
        assert queue.status().delayed == 1
        (again,) = queue.receive_batch(1, lease_s=LONG_S, wait_s=5.0)
        queue.dead(again, code="ocr.failed")

        assert [(one.job_id, one.attempts) for one in queue.dead_letters(5)] == [("one", 2)]


@needs_rabbitmq
class TestWhenTheConnectionIsCut:
    @pytest.fixture
    def cable(self):
        cable = Cable(HOST, PORT)
        yield cable
        cable.cut()

    @pytest.fixture
    def queue(self, cable):
        with own_queue(cable.port, lanes=1) as url:
            queue = open_queue(url)
            yield queue
            queue.close()

    def test_what_was_held_is_lost_and_comes_again(self, queue, cable):
        queue.put(jobs_named("a", "b"))
        held = queue.receive_batch(2, lease_s=LONG_S, wait_s=5.0)
        cable.cut()

        assert queue.extend(held, lease_s=LONG_S) == held
        queue.ack(held)
        queue.nack(held[0], delay_s=0.0, code="ocr.failed")
        queue.dead(held[1], code="ocr.failed")
        with pytest.raises(QueueError) as caught:
            queue.receive_batch(1, lease_s=LONG_S)
        assert caught.value.retryable
        cable.mend()

        again = []
        while len(again) < 2:
            again += queue.receive_batch(2, lease_s=LONG_S, wait_s=5.0)
        assert sorted(ids(again)) == ["a", "b"]
        assert [one.attempt for one in again] == [2, 2]
        assert queue.dead_letters(5) == []

    @pytest.mark.parametrize(
        "call",
        [
            lambda queue, held: queue.put(jobs_named("c")),
            lambda queue, held: queue.receive_batch(1, lease_s=LONG_S),
            lambda queue, held: queue.ack([held]),
            lambda queue, held: queue.nack(held, delay_s=1.0, code="ocr.failed"),
            lambda queue, held: queue.dead(held, code="ocr.failed"),
            lambda queue, held: queue.status(),
            lambda queue, held: queue.dead_letters(1),
            lambda queue, held: queue.retry_dead(),
            lambda queue, held: queue.purge(),
        ],
        ids=["put", "receive", "ack", "nack", "dead", "status", "dead_letters", "retry_dead", "purge"],
    )
    def test_a_call_fails_as_retryable_and_works_when_repeated(self, queue, cable, call):
        queue.put(jobs_named("a"))
        (held,) = queue.receive_batch(1, lease_s=LONG_S, wait_s=5.0)
        cable.cut()
        with pytest.raises(QueueError) as caught:
            call(queue, held)
        assert caught.value.retryable
        cable.mend()

        call(queue, held)
        assert queue.put(jobs_named("d")) == 1

    def test_a_call_after_an_idle_cut_fails_once_and_then_works(self, queue, cable):
        queue.put(jobs_named("a"))
        cable.cut()
        cable.mend()
        with pytest.raises(QueueError):
            queue.put(jobs_named("b"))

        assert queue.put(jobs_named("b")) == 1
        assert sorted({*ids(queue.receive_batch(5, lease_s=LONG_S, wait_s=5.0))}) == ["a", "b"]


def test_a_broker_that_is_not_there_is_named_without_its_password():
    queue = open_queue(f"amqp://somebody:very-secret@{HOST}:{free_port()}")
    with pytest.raises(QueueError) as caught:
        queue.put(jobs_named("a"))

    assert caught.value.retryable
    assert "very-secret" not in "".join(traceback.format_exception(caught.value)) + repr(queue)


@needs_rabbitmq
@pytest.mark.parametrize(
    "place",
    ["nobody:wrong-secret@{host}", "guest:guest@{host}/no-such-host"],
    ids=["password", "virtual-host"],
)
def test_a_broker_that_refuses_does_so_for_good(place):
    queue = open_queue(f"amqp://{place.format(host=HOST)}")
    with pytest.raises(QueueError) as caught:
        queue.status()

    assert not caught.value.retryable
    assert "wrong-secret" not in "".join(traceback.format_exception(caught.value)) + repr(queue)


def test_a_broker_that_never_answers_is_not_waited_for_without_end(monkeypatch):
    from extractor.queues import amqp_link

    monkeypatch.setattr(amqp_link, "CONNECT_S", 0.5)
    with socket.create_server((HOST, 0)) as deaf:
        queue = open_queue(f"amqp://{HOST}:{deaf.getsockname()[1]}")
        with pytest.raises(QueueError) as caught:
            queue.status()

    assert caught.value.retryable


@needs_rabbitmq
def test_a_message_without_a_queue_is_not_taken_for_sent():
    link = Link(parse_broker_url(f"amqp://{HOST}", OPTIONS), heartbeat_s=20)
    link.publish(b"{}", to=f"test-{uuid4().hex}", headers={})
    with pytest.raises(QueueError):
        link.settle()
    link.close()


@needs_rabbitmq
def test_no_thread_stays_when_a_queue_is_closed():
    before = threading.active_count()
    with own_queue(lanes=1) as url:
        queue = open_queue(url)
        queue.put(jobs_named("a"))
        assert threading.active_count() == before + 1
        queue.close()
        assert threading.active_count() == before


@pytest.mark.parametrize(
    "url",
    [
        "amqp://h?lanes=0",
        "amqp://h?lanes=many",
        "amqp://h?type=stream",
        "amqp://h?heartbeat=0",
        "amqp://h?prefetch=9",
    ],
    ids=["no-lane", "lanes", "type", "heartbeat", "unknown-option"],
)
def test_a_url_that_makes_no_sense_is_named_before_anything_is_asked(url):
    with pytest.raises(ConfigError):
        open_queue(url)


class Message:
    def __init__(self, body=b"", **headers):
        self.body = body
        self.properties = {
            "application_headers": {key.replace("_", "-"): value for key, value in headers.items()}
        }


@pytest.mark.parametrize(
    ("headers", "tries"),
    [
        ({}, 0),
        ({"x_delivery_count": 2}, 2),
        ({"x_delivery_count": 1, "x_acquired_count": 3}, 3),
        ({"x_delivery_count": 1, "x_extractor_tries": 4}, 5),
        ({"x_extractor_tries": "many", "x_delivery_count": -1}, 0),
    ],
    ids=["first", "returned", "of-rabbitmq-4.3", "sent-again", "nonsense"],
)
def test_tries_are_those_written_down_and_those_the_broker_counted_since(headers, tries):
    assert tries_of(Message(**headers)) == tries


def test_a_letter_that_says_nothing_is_shown_all_the_same():
    letter = letter_of(Message(encode(QueuedJob(job_id="one", address="/a"))))

    assert (letter.job_id, letter.code, letter.attempts) == ("one", "queue.failed", 0)
    assert TRIES.startswith("x-")
