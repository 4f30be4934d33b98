import http.client
import io
import json
import logging
import socket
import threading
import time

import pytest

from extractor.errors import ConfigError
from extractor.telemetry import endpoint as module
from extractor.telemetry.endpoint import AT_ONCE, REQUEST_BYTES, Endpoint
from extractor.telemetry.metrics import Metrics


class Worker:
    """What a worker knows of itself."""

    def __init__(self):
        self.alive = True
        self.conditions = {"models": True, "queue": True}

    def is_alive(self):
        return self.alive

    def readiness(self):
        return self.conditions


@pytest.fixture
def worker():
    return Worker()


@pytest.fixture
def endpoint(worker):
    with Endpoint(
        "127.0.0.1", 0, metrics=Metrics(), is_alive=worker.is_alive, readiness=worker.readiness
    ) as running:
        yield running


def ask(endpoint, path, method="GET", body=None):
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=10)
    try:
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def send(endpoint, *parts):
    """Raw bytes in, everything that comes back out."""
    with socket.create_connection((endpoint.host, endpoint.port), timeout=10) as client:
        for part in parts:
            client.sendall(part)
        received = b""
        while part := client.recv(65536):
            received += part
        return received


def test_a_worker_is_healthy_while_it_says_so(endpoint, worker):
    assert ask(endpoint, "/healthz")[:2] == (200, b"ok\n")

    worker.alive = False
    assert ask(endpoint, "/healthz")[0] == 503


def test_a_worker_is_ready_when_every_condition_holds_and_names_the_one_that_does_not(endpoint, worker):
    status, body, headers = ask(endpoint, "/readyz")
    assert (status, json.loads(body)) == (200, {"ready": True, "conditions": {"models": True, "queue": True}})
    assert headers["Content-Type"] == "application/json"

    worker.conditions = {"models": True, "queue": False}
    status, body, _ = ask(endpoint, "/readyz")
    assert (status, json.loads(body)["conditions"]["queue"]) == (503, False)


def test_a_worker_without_any_condition_is_not_ready(endpoint, worker):
    worker.conditions = {}

    assert ask(endpoint, "/readyz")[0] == 503


def test_a_worker_that_is_not_ready_may_be_alive(endpoint, worker):
    worker.conditions = {"queue": False}

    assert (ask(endpoint, "/healthz")[0], ask(endpoint, "/readyz")[0]) == (200, 503)


def test_metrics_are_served_with_the_state_that_the_other_addresses_tell(endpoint, worker):
    status, body, headers = ask(endpoint, "/metrics")
    assert (status, headers["Content-Type"]) == (200, Metrics.content_type)
    assert int(headers["Content-Length"]) == len(body)
    assert b"\nextractor_up 1.0\n" in body
    assert b"\nextractor_ready 1.0\n" in body

    worker.conditions = {"queue": False}
    assert b"\nextractor_ready 0.0\n" in ask(endpoint, "/metrics")[1]


def test_a_query_is_passed_over(endpoint):
    assert ask(endpoint, "/healthz?from=probe")[0] == 200


@pytest.mark.parametrize("path", ["/", "/health", "/healthz/", "/metrics/x", "//healthz", "/../metrics"])
def test_other_addresses_are_not_found(endpoint, path):
    assert ask(endpoint, path)[:2] == (404, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "JANE"])
def test_other_methods_are_not_found(endpoint, method):
    body = b"x" * 100_000 if method in {"POST", "PUT"} else None

    assert ask(endpoint, "/metrics", method, body)[:2] == (404, b"")


def test_a_request_that_is_none_is_refused(endpoint):
    assert send(endpoint, b"Jane Doe\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert send(endpoint, b"GET /healthz SPDY/3\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_request_may_come_in_pieces(endpoint):
    assert send(endpoint, b"GET /hea", b"lthz HTTP/1.1\r\nHost: x\r", b"\n\r\n").startswith(
        b"HTTP/1.1 200 OK"
    )


def test_a_request_that_is_too_long_is_refused(endpoint):
    long = b"GET /healthz HTTP/1.1\r\nX: " + b"a" * REQUEST_BYTES

    assert send(endpoint, long, b"\r\n\r\n").startswith(b"HTTP/1.1 431 ")


def test_a_client_that_is_too_slow_is_let_go_and_others_are_answered_meanwhile(endpoint, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_S", 0.3)
    with socket.create_connection((endpoint.host, endpoint.port), timeout=10) as slow:
        started_s = time.monotonic()
        slow.sendall(b"GET /healthz HT")
        assert ask(endpoint, "/healthz")[0] == 200
        assert slow.recv(100) == b""
        assert time.monotonic() - started_s < 5


def test_a_crowd_of_silent_clients_is_bounded_and_leaves(endpoint, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_S", 0.5)
    before = threading.active_count()
    crowd = [socket.create_connection((endpoint.host, endpoint.port), timeout=10) for _ in range(AT_ONCE + 8)]
    try:
        assert threading.active_count() - before <= AT_ONCE
        assert [client.recv(1) for client in crowd] == [b""] * len(crowd)
    finally:
        for client in crowd:
            client.close()
    deadline_s = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert ask(endpoint, "/healthz")[0] == 200


def test_nothing_about_a_request_is_written_anywhere(endpoint, capfd):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        ask(endpoint, "/Jane-Doe?name=Jane")
        ask(endpoint, "/healthz")
        send(endpoint, b"Jane Doe\r\n\r\n")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    assert stream.getvalue() == ""
    assert capfd.readouterr() == ("", "")


def test_a_condition_that_fails_answers_500_and_its_message_is_not_told(worker, capfd):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)

    def broken():
        raise ValueError("Jane Doe")

    try:
        with Endpoint(
            "127.0.0.1", 0, metrics=Metrics(), is_alive=worker.is_alive, readiness=broken
        ) as running:
            assert ask(running, "/readyz")[:2] == (500, b"")
            assert ask(running, "/healthz")[0] == 200
            deadline_s = time.monotonic() + 5
            while not stream.getvalue() and time.monotonic() < deadline_s:
                time.sleep(0.01)
    finally:
        logging.getLogger().removeHandler(handler)

    assert "ValueError in broken:" in stream.getvalue()
    assert "Jane" not in stream.getvalue() + "".join(capfd.readouterr())


def test_port_0_means_a_free_one_and_the_address_is_free_again_afterwards(worker):
    def at(port):
        return Endpoint(
            "127.0.0.1", port, metrics=Metrics(), is_alive=worker.is_alive, readiness=worker.readiness
        )

    with at(0) as first:
        port = first.port
        assert port > 0
    with at(port) as second:
        assert ask(second, "/healthz")[0] == 200
    with pytest.raises(OSError):
        ask(second, "/healthz")


def test_a_port_in_use_is_an_error_of_the_settings(endpoint):
    second = Endpoint("127.0.0.1", endpoint.port, metrics=Metrics(), is_alive=bool, readiness=dict)

    with pytest.raises(ConfigError, match=r"telemetry\.port .*in use") as raised, second:
        pass
    assert raised.value.exit_code == 2
    assert raised.value.hint.startswith("Operator:")


@pytest.mark.parametrize(
    ("host", "port"),
    [("192.0.2.1", 0), ("not a host", 0), ("127.0.0.1", 70_000)],
    ids=["foreign", "none", "high"],
)
def test_an_address_that_is_none_of_this_machine_is_an_error_of_the_settings(host, port):
    with (
        pytest.raises(ConfigError, match=r"telemetry\.port"),
        Endpoint(host, port, metrics=Metrics(), is_alive=bool, readiness=dict),
    ):
        pass


def test_a_worker_can_be_asked_over_ipv6(worker):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with Endpoint(
        "::1", 0, metrics=Metrics(), is_alive=worker.is_alive, readiness=worker.readiness
    ) as running:
        assert ask(running, "/healthz")[0] == 200


def test_a_slow_client_does_not_hold_up_the_end(worker):
    with Endpoint(
        "127.0.0.1", 0, metrics=Metrics(), is_alive=worker.is_alive, readiness=worker.readiness
    ) as running:
        slow = socket.create_connection((running.host, running.port), timeout=10)
        slow.sendall(b"GET")
        started_s = time.monotonic()
    slow.close()

    assert time.monotonic() - started_s < 2
    assert "telemetry" not in [thread.name for thread in threading.enumerate()]
