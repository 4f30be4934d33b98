import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from extractor import registry
from extractor.errors import ConfigError, MissingToolError, QueueError
from extractor.queues import opening
from extractor.queues.address import split_options
from extractor.queues.opening import open_queue
from extractor.queues.sqlite import SqliteQueue


def test_the_scheme_names_the_adapter(tmp_path):
    queue = open_queue(f"sqlite:///{tmp_path}/jobs.db")

    assert isinstance(queue, SqliteQueue)
    assert queue.status().ready == 0
    queue.close()


@pytest.mark.parametrize(
    ("scheme", "adapter"),
    [
        ("postgres", "PostgresqlQueue"),
        ("PostgreSQL", "PostgresqlQueue"),
        ("amqps", "AmqpQueue"),
        ("rediss", "RedisQueue"),
    ],
)
def test_another_name_of_a_scheme_opens_the_same(scheme, adapter, monkeypatch):
    asked = []
    monkeypatch.setattr(opening, "load", lambda shelf, name, plugins: asked.append((shelf, name)) or str)

    assert open_queue(f"{scheme}://host/x") == f"{scheme}://host/x"
    ((shelf, name),) = asked
    assert registry.QUEUES[name].endswith(f":{adapter}")
    assert shelf == "queues"


def test_an_unknown_scheme_is_told_with_those_that_are_known():
    with pytest.raises(ConfigError) as caught:
        open_queue("kafka://jane:secret@host/topic")

    assert "'kafka'" in str(caught.value)
    for known in ("amqp", "amqps", "postgres", "postgresql", "redis", "rediss", "sqlite", "sqs"):
        assert known in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["jobs.db", "", "jane:secret@host", "://x", "1a://x"])
def test_what_is_no_url_is_refused_without_quoting_it(url):
    with pytest.raises(ConfigError) as caught:
        open_queue(url)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "library"),
    [("postgresql", "psycopg"), ("amqp", "kombu"), ("redis", "redis"), ("sqs", "boto3")],
)
def test_a_library_that_is_not_installed_is_told_with_the_extra_that_brings_it(scheme, library):
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from extractor.errors import MissingToolError\n"
        "from extractor.queues.opening import open_queue\n"
        f"try: open_queue('{scheme}://jane:secret@127.0.0.1/x').status()\n"
        "except MissingToolError as error: print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert f"pip install 'lifescience-extractor[{scheme}]'" in found.stdout
    assert "secret" not in found.stdout


def test_a_driver_without_its_client_library_is_told_with_the_extra(monkeypatch):
    def load(*_asked, **_options):
        raise ImportError("no pq wrapper available")  # what psycopg says without libpq

    monkeypatch.setattr(opening, "load", load)

    with pytest.raises(MissingToolError, match=r"\[postgresql\]"):
        open_queue("postgresql://host/base")


def test_a_bug_in_an_adapter_is_not_taken_for_a_missing_library(monkeypatch):
    def load(*_asked, **_options):
        raise ModuleNotFoundError("no such", name="extractor.queues.gone")

    monkeypatch.setattr(opening, "load", load)

    with pytest.raises(ModuleNotFoundError):
        open_queue("redis://host")


def test_an_adapter_from_elsewhere_is_used_only_when_it_is_named(monkeypatch, tmp_path):
    class Distribution:
        name = "some-queues"

    found = EntryPoint("memory", "extractor.queues.sqlite:SqliteQueue", "extractor.queues")
    vars(found)["dist"] = Distribution()
    monkeypatch.setattr(registry, "entry_points", lambda group: [found])

    with pytest.raises(ConfigError):
        open_queue("memory:///jobs.db")
    assert isinstance(open_queue("memory:///jobs.db", plugins=["some-queues"]), SqliteQueue)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://jane:secret@127.0.0.1:9/base?connect_timeout=2",
        "redis://jane:secret@127.0.0.1:9/0",
        "amqp://jane:secret@127.0.0.1:9//",
        "sqs://eu-central-1/jobs?endpoint=http://jane:secret@127.0.0.1:9",
    ],
    ids=lambda url: url.partition(":")[0],
)
def test_passwords_show_neither_in_errors_nor_in_repr(url, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "jane")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    said = []

    def use():
        queue = open_queue(url)
        said.append(repr(queue))
        queue.status()

    with pytest.raises((ConfigError, QueueError)) as caught:
        use()

    for text in (str(caught.value), repr(caught.value), *said):
        assert "secret" not in text
        assert "jane" not in text


def test_own_options_leave_the_url_and_others_stay():
    url, options = split_options(
        "postgresql://host/base?sslmode=require&queue=intake&application_name=a%20b",
        {"queue": "extractor", "schema": ""},
    )

    assert options == {"queue": "intake", "schema": ""}
    assert url == "postgresql://host/base?sslmode=require&application_name=a+b"


@pytest.mark.parametrize(
    "query", ["queue=", "queue=1a", "queue=a/b", "queue=" + "a" * 41, "queue", "queue=a&queue=b"]
)
def test_a_queue_s_name_is_short_and_plain(query):
    with pytest.raises(ConfigError):
        split_options(f"redis://host?{query}", {"queue": "extractor"})
