import json
import time
import traceback
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest

from extractor.errors import ConfigError, QueueError, QueueMessageError
from extractor.queues import sqs_client
from extractor.queues.opening import open_queue
from extractor.queues.sqs import SqsQueue
from tests.queues.brokers import Cable, free_port
from tests.queues.contract import CONSUMER, CREATED, LONG_S, QueueContract, ids, jobs_named

REGION = "eu-central-1"


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")


@pytest.fixture
def sqs(keys, s3_endpoint):
    """A client of the same server, which speaks for SQS too."""
    client = boto3.client("sqs", endpoint_url=s3_endpoint, region_name=REGION)
    yield client
    for url in client.list_queues().get("QueueUrls", []):
        client.delete_queue(QueueUrl=url)
    client.close()


@pytest.fixture
def url(sqs, s3_endpoint):
    return f"sqs://{REGION}/test-{uuid4().hex[:12]}?endpoint={s3_endpoint}"


@pytest.fixture
def queue(url):
    queue = open_queue(url)
    yield queue
    queue.close()


def name_of(url):
    return urlsplit(url).path.removeprefix("/")


class TestSqsQueue(QueueContract):
    exact_fairness = False
    knows_tenants = False
    knows_oldest = False
    dedupes = False
    lease_s = 1.0
    slack_s = 10.0

    @pytest.fixture
    def url(self, sqs, s3_endpoint):
        return f"sqs://{REGION}/test-{uuid4().hex[:12]}?endpoint={s3_endpoint}"

    # SQS promises to deliver at least once, and no more than that
    test_nothing_is_lost_or_doubled_among_four_processes = None

    def test_nothing_is_lost_among_four_processes(self, queue, start):
        names = [f"job-{number:03d}" for number in range(200)]
        consumers = [start(CONSUMER, 2.0) for _process in range(4)]
        self.let_go(consumers)
        queue.put(jobs_named(*names[:100], tenant="first"))
        queue.put(jobs_named(*names[100:], priority="urgent"))
        found = " ".join(consumer.communicate(timeout=90)[0] for consumer in consumers).split()

        assert [consumer.returncode for consumer in consumers] == [0] * 4
        assert sorted({*found}) == names
        assert (queue.status().ready, queue.status().dead) == (0, 0)

    # What is delayed cannot be received, and a purge receives what it removes
    test_a_purge_leaves_what_is_leased = None

    def test_a_purge_leaves_what_is_leased_or_delayed(self, queue):
        queue.put(jobs_named("a", "b", "c", "d"))
        held, delayed = self.take(queue, 2)
        queue.nack(delayed, delay_s=LONG_S, code="ocr.failed")

        assert queue.purge() == 2
        assert self.is_empty(queue)
        status = queue.status()
        assert (status.ready, status.delayed, status.leased) == (0, 1, 1)
        assert queue.extend([held], lease_s=LONG_S) == []

    def put_raw(self, url, body):
        queue = SqsQueue(url)
        queue._client._client.send_message(
            QueueUrl=queue._url(queue._lanes["normal"][0]), MessageBody=body.decode()
        )
        queue.close()


def test_tenants_with_lanes_of_their_own_are_served_in_equal_shares(url):
    queue = open_queue(f"{url}&lanes=7")
    queue.put(jobs_named(*(f"big-{number}" for number in range(40)), tenant="big"))
    queue.put(jobs_named("small-0", "small-1", tenant="small"))
    queue.put(jobs_named("tiny-0", tenant="tiny"))

    found = ids(queue.receive_batch(14, lease_s=LONG_S))
    queue.close()

    assert len(found) == 14
    assert {"small-0", "small-1", "tiny-0"} <= {*found}


def test_a_message_of_a_full_tenant_goes_back_without_a_try(queue):
    queue.put(jobs_named("a", tenant="a"))
    assert queue.receive_batch(5, lease_s=LONG_S, full_tenants={"a"}) == []

    (held,) = queue.receive_batch(5, lease_s=LONG_S, wait_s=10.0)

    assert held.attempt == 1


def test_a_try_that_does_not_count_may_wait_too(queue):
    queue.put(jobs_named("a"))
    (held,) = queue.receive_batch(1, lease_s=LONG_S)
    started = time.monotonic()
    queue.nack(held, delay_s=1.2, code="worker.drained", counted=False)

    (again,) = queue.receive_batch(1, lease_s=LONG_S, wait_s=10.0)

    assert again.attempt == 1
    assert time.monotonic() - started >= 1.2


def test_a_delay_beyond_the_fifteen_minutes_of_sqs_is_kept_all_the_same(queue):
    queue.put(jobs_named("a"))
    (held,) = queue.receive_batch(1, lease_s=LONG_S)
    queue.nack(held, delay_s=3_600.0, code="ocr.failed")
    status = queue.status()

    assert (status.ready, status.delayed, status.leased) == (0, 0, 1)
    assert queue.extend([held], lease_s=LONG_S) == [held]


def test_hundreds_of_letters_and_messages_are_moved_and_removed_ten_at_a_time(queue):
    queue.put(jobs_named(*(f"job-{number}" for number in range(60))))
    held = queue.receive_batch(60, lease_s=LONG_S)
    for number, one in enumerate(held):
        queue.dead(one, code="ocr.failed" if number % 2 else "input.corrupt")

    assert queue.retry_dead(code="ocr.failed") == 30
    assert len(queue.dead_letters(100)) == 30
    assert queue.purge() == 30
    assert queue.purge(dead=True) == 30
    assert (queue.status().ready, queue.status().dead) == (0, 0)


def test_a_queue_that_a_store_notifies_is_read_beside_the_lanes(sqs, url):
    events = f"events-{uuid4().hex[:8]}"
    events_url = sqs.create_queue(QueueName=events)["QueueUrl"]
    sqs.send_message(QueueUrl=events_url, MessageBody=json.dumps(CREATED))
    queue = open_queue(f"{url}&events={events}")
    queue.put(jobs_named("ours"))
    found = queue.receive_batch(5, lease_s=LONG_S)
    event = next(one for one in found if len(one.jobs) == 2)

    assert len(found) == 2
    queue.nack(event, delay_s=0.0, code="worker.drained", counted=False)
    state = sqs.get_queue_attributes(QueueUrl=events_url, AttributeNames=["All"])["Attributes"]
    assert (state["ApproximateNumberOfMessages"], state["ApproximateNumberOfMessagesNotVisible"]) == (
        "0",
        "0",
    )
    (again,) = queue.receive_batch(5, lease_s=LONG_S, wait_s=5.0)
    assert again.jobs == event.jobs
    queue.close()


def test_an_event_queue_that_is_not_there_is_never_made(sqs, url):
    queue = open_queue(f"{url}&events=no-such-queue")
    with pytest.raises(QueueError) as caught:
        queue.receive_batch(1, lease_s=LONG_S)
    queue.close()

    assert not caught.value.retryable
    assert not [one for one in sqs.list_queues().get("QueueUrls", []) if "no-such-queue" in one]


def test_queues_are_made_with_the_longest_retention_unless_that_is_forbidden(sqs, url):
    forbidden = open_queue(f"{url}&create=false")
    with pytest.raises(QueueError) as caught:
        forbidden.put(jobs_named("a"))
    forbidden.close()
    assert not caught.value.retryable
    assert sqs.list_queues(QueueNamePrefix=name_of(url)).get("QueueUrls", []) == []

    queue = open_queue(url)
    queue.put(jobs_named("a"))
    queue.close()
    (made,) = sqs.list_queues(QueueNamePrefix=name_of(url))["QueueUrls"]
    attributes = sqs.get_queue_attributes(QueueUrl=made, AttributeNames=["All"])["Attributes"]
    assert made.endswith("-normal")
    assert attributes["MessageRetentionPeriod"] == str(14 * 24 * 3600)


def test_a_lease_is_never_renewed_beyond_the_twelve_hours_of_sqs(queue):
    queue.put(jobs_named("a"))
    (held,) = queue.receive_batch(1, lease_s=LONG_S)
    held.receipt.since -= 12 * 3600 - 30

    assert queue.extend([held], lease_s=10 * LONG_S) == []
    assert held.receipt.ends - time.monotonic() <= 30.0


def test_a_message_that_sqs_would_not_take_is_refused_before_anything_is_sent(queue):
    letters = {f"field_{number}": "x" * 4_090 for number in range(63)}
    large = jobs_named("large", entry={**letters, "last": "x" * 2_900})
    with pytest.raises(QueueMessageError):
        queue.put([*jobs_named("small"), *large])

    assert queue.status().ready == 0


def test_large_messages_go_in_portions_that_sqs_takes(queue):
    queue.put(jobs_named(*(f"job-{n}" for n in range(12)), entry={f"f{n}": "x" * 4_000 for n in range(15)}))

    assert len(queue.receive_batch(12, lease_s=LONG_S, wait_s=5.0)) == 12


class TestWhenTheConnectionIsCut:
    @pytest.fixture
    def cable(self, sqs, s3_endpoint):
        cable = Cable("127.0.0.1", urlsplit(s3_endpoint).port)
        yield cable
        cable.cut()

    @pytest.fixture(autouse=True)
    def one_try(self, monkeypatch):
        config = sqs_client.Config

        def impatient(**settings):
            return config(**{**settings, "retries": {"total_max_attempts": 1}})

        monkeypatch.setattr(sqs_client, "Config", impatient)

    def test_calls_fail_as_retryable_and_work_again_once_it_is_mended(self, cable):
        queue = open_queue(f"sqs://{REGION}/test-{uuid4().hex[:12]}?endpoint=http://127.0.0.1:{cable.port}")
        queue.put(jobs_named("a", "b"))
        held, handed_back = queue.receive_batch(2, lease_s=LONG_S)
        cable.cut()

        for call in (
            lambda: queue.put(jobs_named("c")),
            lambda: queue.receive_batch(1, lease_s=LONG_S),
            lambda: queue.extend([held], lease_s=LONG_S),
            lambda: queue.ack([held]),
            lambda: queue.nack(handed_back, delay_s=0.0, code="ocr.failed"),
            lambda: queue.dead(held, code="ocr.failed"),
            queue.status,
        ):
            with pytest.raises(QueueError) as caught:
                call()
            assert caught.value.retryable
        cable.mend()

        assert queue.extend([held], lease_s=LONG_S) == []
        queue.ack([held])
        queue.nack(handed_back, delay_s=0.0, code="ocr.failed")
        assert ids(queue.receive_batch(5, lease_s=LONG_S, wait_s=5.0)) == ids([handed_back])
        queue.close()


def test_missing_credentials_are_the_operators_and_say_nothing(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    queue = open_queue(f"sqs://{REGION}/extractor?endpoint=http://127.0.0.1:{free_port()}")
    with pytest.raises(QueueError, match="NoCredentialsError") as caught:
        queue.put(jobs_named("a"))
    queue.close()

    assert not caught.value.retryable


def test_nothing_secret_is_shown_of_a_service_that_is_not_there(keys, monkeypatch):
    monkeypatch.setattr(sqs_client, "MAX_WAIT_S", 1)
    queue = open_queue(f"sqs://{REGION}/extractor?endpoint=http://127.0.0.1:{free_port()}")
    with pytest.raises(QueueError) as caught:
        queue.put(jobs_named("a"))
    queue.close()

    assert caught.value.retryable
    assert "test-secret" not in "".join(traceback.format_exception(caught.value)) + repr(queue)
    assert "http" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "sqs:///extractor",
        "sqs://eu-central-1/no.dots",
        "sqs://eu-central-1/q?create=perhaps",
        "sqs://eu-central-1/q?lanes=events",
        "sqs://eu-central-1/q?key=secret",
    ],
    ids=["region", "name", "create", "lanes", "unknown-option"],
)
def test_a_url_that_makes_no_sense_is_named_before_anything_is_asked(url):
    with pytest.raises(ConfigError):
        open_queue(url)
