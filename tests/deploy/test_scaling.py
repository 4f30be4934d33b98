"""What KEDA counts is what waits: its triggers held against the queues themselves."""

import os
import re
import uuid

import psycopg
import pytest
from psycopg import sql

from extractor.delivery import QueuedJob
from extractor.queues.opening import open_queue
from extractor.telemetry.metrics import QUEUE_STATES, Metrics
from tests.deploy.kustomize import build
from tests.deploy.test_kubernetes import LAYOUTS

SERVER = os.environ.get("EXTRACTOR_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test")


def trigger(layout):
    (scaler,) = [one for one in build(LAYOUTS[layout]) if one["kind"] == "ScaledObject"]
    return scaler["spec"]["triggers"][0]["metadata"]


def most_workers(layout):
    (scaler,) = [one for one in build(LAYOUTS[layout]) if one["kind"] == "ScaledObject"]
    return scaler["spec"]["maxReplicaCount"]


def test_rabbitmq_lanes_are_counted_and_neither_dead_letters_nor_delays():
    queue = open_queue("amqp://broker?queue=extractor")
    counted = trigger("base")["queueName"]

    assert [lane for lane in queue._all_lanes if not re.search(counted, lane)] == []
    assert [name for name in (queue._dead, *queue._delays.values()) if re.search(counted, name)] == []


def test_sqs_lanes_are_counted_each_by_a_trigger_of_its_own():
    objects = build(LAYOUTS["sqs"])
    (place,) = [one for one in objects if one["metadata"]["name"] == "extractor-place"]
    (scaler,) = [one for one in objects if one["kind"] == "ScaledObject"]
    queue = open_queue(place["data"]["EXTRACTOR_QUEUE"])
    counted = [one["metadata"]["queueURL"].rpartition("/")[2] for one in scaler["spec"]["triggers"]]

    assert counted == queue._read
    assert queue._creates is False


@pytest.fixture
def server():
    try:
        with psycopg.connect(SERVER, connect_timeout=5, autocommit=True) as connection:
            yield connection
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL server answers (EXTRACTOR_TEST_POSTGRESQL names one)")


@pytest.fixture
def name(server):
    chosen = f"test_{uuid.uuid4().hex[:12]}"
    yield chosen
    for kind in ("jobs", "dead", "turns"):
        server.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(f"{chosen}_{kind}")))


def test_postgresql_counts_what_is_ready_or_held_and_not_what_waits_for_its_next_try(server, name):
    query = trigger("postgresql")["query"].replace("extractor_jobs", f"{name}_jobs")
    queue = open_queue(f"{SERVER}?queue={name}")
    queue.put(QueuedJob(job_id=str(number), address=f"/inbox/{number}") for number in range(5))
    delayed, done, *_held = queue.receive_batch(3, lease_s=60)
    queue.nack(delayed, delay_s=60, code="input.unreadable")
    queue.ack([done])

    assert server.execute(query).fetchone() == (3,)
    queue.close()


def test_postgresql_counts_no_further_than_the_most_workers_need():
    metadata = trigger("postgresql")
    (bound,) = re.findall(r"LIMIT (\d+)", metadata["query"])

    assert int(bound) > most_workers("postgresql") * int(metadata["targetQueryValue"])


def test_the_metric_that_redis_is_scaled_by_is_one_that_workers_tell():
    query = trigger("redis")["query"]
    (metric,) = re.findall(r"extractor_\w+", query)
    (states,) = re.findall(r'state=~"([a-z|]+)"', query)

    assert f"# TYPE {metric} gauge" in Metrics().render().decode()
    assert set(states.split("|")) == {"ready", "leased"} <= set(QUEUE_STATES)


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"gpu"}))
def test_no_worker_is_started_for_messages_that_another_one_holds_already(layout):
    """A worker holds so many at a time: a target below that would start workers that find nothing."""
    metadata = trigger(layout)
    target = next(
        metadata[key] for key in ("value", "queueLength", "targetQueryValue", "threshold") if key in metadata
    )
    (config,) = [one for one in build(LAYOUTS[layout]) if one["metadata"]["name"] == "extractor-config"]
    (held,) = re.findall(r"in_flight_documents: (\d+)", config["data"]["config.yaml"])

    assert int(target) > int(held)
