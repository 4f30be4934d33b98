"""A store on which two writers both win one commit is found out before it holds a lake."""

import importlib.util
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

SCRIPT = Path(__file__).parents[2] / "deploy" / "compose" / "prepare_store.py"


@pytest.fixture
def prepare_store():
    spec = importlib.util.spec_from_file_location("prepare_store", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Store:
    """Keys in memory; a subclass says how a write with the condition goes wrong."""

    def __init__(self):
        self.keys = {}
        self.lock = threading.Lock()

    def put(self, key, body):
        with self.lock:
            if key in self.keys:
                return False
            self.keys[key] = body
            return True

    def read(self, key):
        return self.keys[key]


class Ignoring(Store):
    def put(self, key, body):
        self.keys[key] = body
        return True


class LookingFirst(Store):
    def put(self, key, body):
        if key in self.keys:
            return False
        time.sleep(0.01)  # others look meanwhile
        self.keys[key] = body
        return True


class LettingTheLoserWrite(Store):
    def put(self, key, body):
        won = super().put(key, body)
        self.keys[key] = body
        return won


class Refusing(Store):
    def put(self, key, body):
        return False


def lost(prepare_store, store, rounds=3):
    return prepare_store.races_lost(store.put, store.read, writers=8, rounds=rounds)


def test_a_store_that_lets_one_writer_win_is_good(prepare_store):
    store = Store()

    assert lost(prepare_store, store) == 0
    assert len(store.keys) == 3


@pytest.mark.parametrize(
    "kind", [Ignoring, LookingFirst, LettingTheLoserWrite, Refusing], ids=lambda one: one.__name__
)
def test_a_store_on_which_not_exactly_one_wins_is_not(prepare_store, kind):
    assert lost(prepare_store, kind()) > 0


def test_a_failure_of_the_store_is_no_lost_race(prepare_store):
    class Broken(Store):
        def put(self, key, body):
            raise ConnectionError

    with pytest.raises(ConnectionError):
        lost(prepare_store, Broken())


@pytest.fixture
def keys(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


def test_buckets_are_made_once_and_nothing_of_the_probe_stays(prepare_store, s3, keys, monkeypatch, capsys):
    """One writer: the server of the tests lets two win now and then, as the script finds with more."""
    monkeypatch.setattr(prepare_store, "WRITERS", 1)
    monkeypatch.setattr(prepare_store, "ROUNDS", 5)
    for _ in range(2):
        assert prepare_store.main([s3.endpoint, "inbox", "lake"]) == 0
        assert "exactly one of 1 writers won" in capsys.readouterr().out

    assert {bucket["Name"] for bucket in s3.client.list_buckets()["Buckets"]} >= {"inbox", "lake"}
    assert "Contents" not in s3.client.list_objects_v2(Bucket="inbox")


def test_a_store_that_ignores_the_condition_is_refused(prepare_store, s3, keys, monkeypatch, capsys):
    class WithoutCondition:
        """The real client, whose writes forget what they were told."""

        def __init__(self, client):
            self.client = client

        def __getattr__(self, name):
            return getattr(self.client, name)

        def put_object(self, **asked):
            return self.client.put_object(**{name: asked[name] for name in asked if name != "IfNoneMatch"})

    real = boto3.client
    monkeypatch.setattr(boto3, "client", lambda *args, **options: WithoutCondition(real(*args, **options)))
    monkeypatch.setattr(prepare_store, "WRITERS", 2)
    monkeypatch.setattr(prepare_store, "ROUNDS", 3)

    assert prepare_store.main([s3.endpoint, "inbox"]) == 1
    assert "in 3 of 3 rounds not exactly one of 2 writers won" in capsys.readouterr().err
    assert "Contents" not in s3.client.list_objects_v2(Bucket="inbox")


def test_a_store_that_does_not_answer_ends_the_preparation(prepare_store, keys, monkeypatch, capsys):
    monkeypatch.setattr(prepare_store, "WAIT_S", 0)

    assert prepare_store.main(["http://127.0.0.1:9", "inbox"]) == 1
    assert "the store cannot be used" in capsys.readouterr().err


def test_a_store_that_starts_late_is_waited_for(prepare_store, s3, keys, monkeypatch):
    class StartingLate:
        """The real client; its first answer is that nobody listens yet."""

        def __init__(self, client):
            self.client = client
            self.asked = 0

        def __getattr__(self, name):
            return getattr(self.client, name)

        def list_buckets(self):
            self.asked += 1
            if self.asked == 1:
                raise EndpointConnectionError(endpoint_url=s3.endpoint)
            return self.client.list_buckets()

    store = StartingLate(s3.client)
    monkeypatch.setattr(boto3, "client", lambda *args, **options: store)
    monkeypatch.setattr(prepare_store, "WRITERS", 1)
    monkeypatch.setattr(prepare_store, "ROUNDS", 1)

    assert prepare_store.main([s3.endpoint, "inbox"]) == 0
    assert store.asked == 2


def test_without_arguments_it_says_how_it_is_called():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith("python prepare_store.py ENDPOINT BUCKET")
