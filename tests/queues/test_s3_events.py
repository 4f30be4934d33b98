import json
from datetime import UTC, datetime
from urllib.parse import quote_plus

import pytest
from hypothesis import given, strategies as st

from extractor.errors import QueueMessageError
from extractor.queues.message import decode, job_id_of


def record(**changes):
    found = {"key": "scans/one.pdf", "size": 1024, "eTag": "d41d8cd9", "sequencer": "0055AED6DCD90281E5"}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-01-02T03:04:05.678Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AIDA"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "intake",
            "bucket": {"name": "clinic-intake", "arn": "arn:aws:s3:::clinic-intake"},
            "object": {**found, **changes.pop("object", {})},
        },
        **changes,
    }


def event(*records):
    return {"Records": list(records)}


def bridge(**changes):
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": "2026-01-02T03:04:05Z",
        "detail": {
            "version": "0",
            "bucket": {"name": "clinic-intake"},
            "object": {"key": "scans/a+b c.pdf", "size": 5, "etag": "b1946ac9", "sequencer": "00617F08"},
            "reason": "PutObject",
        },
        **changes,
    }


def sns(inner):
    return {
        "Type": "Notification",
        "MessageId": "da41e39f",
        "TopicArn": "arn:aws:sns:eu-central-1:1:intake",
        "Subject": "Amazon S3 Notification",
        "Message": json.dumps(inner),
        "SignatureVersion": "1",
    }


def jobs_of(raw):
    return decode(json.dumps(raw))


def test_a_created_object_is_a_job():
    (job,) = jobs_of(event(record()))

    assert job.kind == "extract"
    assert job.address == "s3://clinic-intake/scans/one.pdf"
    assert job.byte_count == 1024
    assert job.enqueued_at == datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    assert job.job_id == job_id_of(job.address, "d41d8cd9")
    assert (job.tenant, job.priority, job.entry) == ("default", "normal", {})


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60))
def test_every_key_comes_back_as_it_was_named(name):
    key = f"x/{name}x"
    jobs = jobs_of(event(record(object={"key": quote_plus(key, safe="/")})))

    assert [job.address for job in jobs] == (
        [] if key.rpartition("/")[2].startswith(".") else [f"s3://clinic-intake/{key}"]
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("red+flower.pdf", "red flower.pdf"),
        ("one%2Btwo.pdf", "one+two.pdf"),
        ("users%2FABC.pdf", "users/ABC.pdf"),
        ("Gr%C3%B6%C3%9Fe.pdf", "Größe.pdf"),
        ("100%25.pdf", "100%.pdf"),
    ],
)
def test_keys_are_written_as_in_a_form(written, meant):
    (job,) = jobs_of(event(record(object={"key": written})))

    assert job.address == f"s3://clinic-intake/{meant}"


def test_several_records_are_several_jobs_and_a_repeated_one_is_one():
    jobs = jobs_of(event(record(), record(object={"key": "two.pdf"}), record()))

    assert [job.address for job in jobs] == [
        "s3://clinic-intake/scans/one.pdf",
        "s3://clinic-intake/two.pdf",
    ]


def test_the_version_decides_which_job_it_is():
    plain, versioned = record(), record(object={"versionId": "v2"})
    without = record(object={"eTag": None})

    ids = [jobs_of(event(one))[0].job_id for one in (plain, versioned, without)]

    address = "s3://clinic-intake/scans/one.pdf"
    assert ids == [job_id_of(address, version) for version in ("d41d8cd9", "v2", "0055AED6DCD90281E5")]


@pytest.mark.parametrize(
    "changes",
    [
        {"eventSource": "minio:s3", "eventName": "s3:ObjectCreated:Put", "eventVersion": "2.0"},
        {
            "eventSource": "ceph:s3",
            "eventName": "ObjectCreated:CompleteMultipartUpload",
            "eventVersion": "2.2",
        },
    ],
    ids=["minio", "ceph"],
)
def test_other_object_stores_send_the_same(changes):
    assert len(jobs_of(event(record(**changes)))) == 1
    assert len(jobs_of({"EventName": "s3:ObjectCreated:Put", "Key": "b/k", **event(record(**changes))})) == 1


@pytest.mark.parametrize("name", ["ObjectRemoved:Delete", "ObjectRestore:Completed", "s3:ObjectAccessed:Get"])
def test_events_of_other_kinds_ask_for_nothing(name):
    assert jobs_of(event(record(eventName=name))) == ()


@pytest.mark.parametrize("key", ["scans/", ".hidden", "scans/.DS_Store"])
def test_folder_markers_and_hidden_names_ask_for_nothing(key):
    assert jobs_of(event(record(object={"key": key}))) == ()


def test_the_event_that_tests_a_configuration_asks_for_nothing():
    test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-02T03:04:05Z", "Bucket": "b"}

    assert jobs_of(test) == ()
    assert jobs_of(sns(test)) == ()
    assert jobs_of(event()) == ()


def test_an_event_through_a_topic_is_the_same_event():
    assert jobs_of(sns(event(record()))) == jobs_of(event(record()))
    assert jobs_of(sns(bridge())) == jobs_of(bridge())


def test_an_event_bus_quotes_keys_as_they_are():
    (job,) = jobs_of(bridge())

    assert job.address == "s3://clinic-intake/scans/a+b c.pdf"
    assert job.byte_count == 5
    assert job.job_id == job_id_of(job.address, "b1946ac9")
    assert job.enqueued_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_other_events_of_the_bus_ask_for_nothing():
    assert jobs_of(bridge(**{"detail-type": "Object Deleted"})) == ()


@pytest.mark.parametrize(
    "raw",
    [
        {"Records": {}},
        {"Records": [5]},
        event(record(eventSource="aws:kinesis")),
        event(record(eventVersion="3.0")),
        event(record(s3={})),
        event(record(object={"key": ""})),
        event(record(object={"key": 5})),
        event(record(object={"key": "%FF.pdf"})),
        event(record(object={"key": "Jane%00.pdf"})),
        event(record(object={"key": "Jane" * 300})),
        event(record(object={"size": -1})),
        event(record(object={"size": "12"})),
        event(record(object={"eTag": None, "sequencer": None})),
        event(record(object={"eTag": 5})),
        event(record(s3={"bucket": {"name": "../etc"}, "object": {"key": "a", "eTag": "b"}})),
        event(*[record()] * 1_001),
        bridge(source="com.example"),
        bridge(detail={"bucket": {}}),
        bridge(detail={"bucket": {"name": "clinic-intake"}, "object": []}),
        {"Type": "Notification"},
        {"Type": "Notification", "Message": "Jane Doe"},
        {"Type": "Notification", "Message": "[]"},
        {"Type": "Notification", "Message": "{}"},
        sns(sns(event(record()))),
    ],
)
def test_a_malformed_event_is_refused_without_quoting_it(raw):
    with pytest.raises(QueueMessageError) as caught:
        decode(json.dumps(raw))

    assert "Jane" not in str(caught.value)
    assert "clinic" not in str(caught.value)


def places_in(raw, place=()):
    yield place
    inner = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    for name, value in inner:
        yield from places_in(value, (*place, name))


def with_value(raw, place, value):
    if not place:
        return value
    first, *rest = place
    copy = dict(raw) if isinstance(raw, dict) else list(raw)
    copy[first] = with_value(raw[first], rest, value)
    return copy


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.lists(st.integers(), max_size=2) | st.dictionaries(st.text(max_size=4), st.integers(), max_size=2)
)  # fmt: skip


@given(st.data(), st.sampled_from([event(record()), bridge(), sns(event(record()))]), ANYTHING)
def test_an_event_with_anything_in_any_place_is_understood_or_refused(data, whole, value):
    changed = with_value(whole, data.draw(st.sampled_from(list(places_in(whole)))), value)
    try:
        jobs = jobs_of(changed)
    except QueueMessageError:
        return
    assert all(job.address.startswith("s3://") for job in jobs)


def test_an_event_without_a_time_is_as_old_as_its_arrival():
    before = datetime.now(UTC)
    (job,) = jobs_of(event(record(eventTime="soon")))

    assert before <= job.enqueued_at <= datetime.now(UTC)
