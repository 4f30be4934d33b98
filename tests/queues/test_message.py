import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from extractor.delivery import PRIORITIES, QueuedJob
from extractor.errors import QueueMessageError
from extractor.queues.message import MAX_BODY_BYTES, decode, encode, job_id_of

JOB = QueuedJob(
    job_id="a" * 64,
    address="s3://bucket/Jane Doe.pdf",
    byte_count=5,
    tenant="clinic",
    entry={"study_id": "ST-1"},
    enqueued_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
)

printable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
words = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
moments = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001  # hypothesis wants the bounds without their zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
common = {
    "job_id": words,
    "byte_count": st.none() | st.integers(0, 2**63 - 1),
    "tenant": words,
    "priority": st.sampled_from(PRIORITIES),
    "entry": st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), printable, max_size=4),
    "enqueued_at": moments,
}
jobs = st.builds(QueuedJob, address=printable.map("/data/{}".format), **common) | st.builds(
    QueuedJob,
    kind=st.just("reprocess"),
    doc_ids=st.lists(words, min_size=1, max_size=5, unique=True).map(tuple),
    **common,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def raw(**changes):
    return {**json.loads(encode(JOB)), **changes}


def body(**changes):
    return json.dumps(raw(**changes)).encode()


@given(jobs)
def test_what_was_encoded_decodes_to_the_same_job(job):
    (found,) = decode(encode(job))

    assert found == job
    assert found.enqueued_at.tzinfo is UTC


def test_a_message_is_ascii_and_is_read_as_text_too():
    message = encode(replace(JOB, address="s3://bucket/Größe 🙂.pdf"))

    assert message.isascii()
    assert decode(message.decode()) == decode(message)


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_anything_else_is_refused_and_nothing_breaks(content):
    with pytest.raises(QueueMessageError):
        decode(content)


@given(field=st.sampled_from(sorted(raw())), value=json_values)
def test_a_field_with_any_other_value_is_understood_or_refused(field, value):
    message = json.dumps(raw(**{field: value}))
    try:
        (found,) = decode(message)
    except QueueMessageError:
        return
    assert decode(encode(found)) == (found,)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "other.job"),
        ("version", 2),
        ("version", "1"),
        ("version", True),
        ("kind", "delete"),
        ("kind", ["extract"]),
        ("priority", "immediate"),
        ("priority", None),
        ("job_id", ""),
        ("job_id", "with space"),
        ("job_id", "x" * 129),
        ("job_id", "line\n"),
        ("job_id", 5),
        ("tenant", ""),
        ("tenant", "a/b"),
        ("tenant", None),
        ("address", ""),
        ("address", "relative.pdf"),
        ("address", "../up.pdf"),
        ("address", "s3://"),
        ("address", "/a\0b"),
        ("address", "/" + "x" * 8_192),
        ("address", 7),
        ("byte_count", -1),
        ("byte_count", 1.5),
        ("byte_count", True),
        ("byte_count", 2**63),
        ("doc_ids", ["d" * 64]),
        ("doc_ids", None),
        ("entry", []),
        ("entry", {"study_id": 5}),
        ("entry", {"study_id": None}),
        ("entry", {"no column": "x"}),
        ("entry", {"study_id": "x" * 4_097}),
        ("entry", {f"column_{number}": "x" for number in range(65)}),
        ("enqueued_at", "2026-01-02T03:04:05"),
        ("enqueued_at", "yesterday"),
        ("enqueued_at", "0001-01-01T00:00:00+14:00"),
        ("enqueued_at", 1_700_000_000),
        ("callback", "https://example.org"),
    ],
    ids=lambda value: str(value)[:24].encode("unicode_escape").decode(),
)
def test_a_field_that_cannot_be_meant_refuses_the_message_without_quoting_it(field, value):
    with pytest.raises(QueueMessageError) as caught:
        decode(body(**{field: value}))

    assert "Jane" not in str(caught.value)
    assert "bucket" not in str(caught.value)
    assert not caught.value.retryable
    assert caught.value.code == "queue.message"


@pytest.mark.parametrize("field", sorted(raw()))
def test_a_missing_field_refuses_the_message(field):
    message = raw()
    del message[field]

    with pytest.raises(QueueMessageError):
        decode(json.dumps(message))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"format": NaN}',
        b'{"version": ' + b"9" * 5_000 + b"}",
        encode(JOB).replace(b'"version":1', b'"version":1,"version":1'),
        encode(JOB).replace(b"Jane", b"\\ud800"),
        b" " * (MAX_BODY_BYTES + 1) + encode(JOB),
    ],
    ids=["empty", "list", "null", "utf-16", "deep", "nan", "huge-number", "twice", "half-a-sign", "too-long"],
)
def test_a_message_that_is_no_job_in_clean_json_is_refused(content):
    with pytest.raises(QueueMessageError):
        decode(content)


@pytest.mark.parametrize("kind", ["extract", "reprocess"])
def test_work_of_one_kind_carries_nothing_of_the_other(kind):
    with pytest.raises(QueueMessageError):
        decode(body(kind=kind, doc_ids=["d" * 64]))
    with pytest.raises(QueueMessageError):
        decode(body(kind=kind, doc_ids=[], address=""))


def test_as_many_documents_as_a_message_may_name_fit_into_it():
    many = QueuedJob(
        job_id="many", kind="reprocess", doc_ids=tuple(f"{number:064x}" for number in range(3_000))
    )

    assert decode(encode(many)) == (many,)
    with pytest.raises(QueueMessageError):
        encode(replace(many, doc_ids=tuple(f"{number:064x}" for number in range(3_001))))
    with pytest.raises(QueueMessageError):
        encode(replace(many, doc_ids=("d" * 64, "d" * 64)))


def test_a_job_that_would_be_too_long_is_not_encoded():
    entry = {f"column_{number}": "🙂" * 4_096 for number in range(64)}

    with pytest.raises(QueueMessageError, match="longer than"):
        encode(replace(JOB, entry=entry))


def test_equal_addresses_and_versions_have_equal_ids_and_others_do_not():
    first = job_id_of("s3://bucket/a", "tag")

    assert first == job_id_of("s3://bucket/a", "tag")
    assert len({first, job_id_of("s3://bucket/a", "gat"), job_id_of("s3://bucket/b", "tag")}) == 3
    assert job_id_of("ab", "c") != job_id_of("a", "bc")
    assert job_id_of("a:b", "c") != job_id_of("a", "b:c")
    assert len(first) == 64


def test_a_file_name_that_is_no_utf_8_has_an_id_too():
    assert job_id_of("/data/\udcff.pdf", "1-2") != job_id_of("/data/\udcfe.pdf", "1-2")
