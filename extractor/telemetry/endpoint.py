"""Health, readiness and metrics over HTTP: three addresses, nothing else, nothing written down about who asked.

The server is the standard library's, one thread per request. A request is held
to a size and a time, and only so many are answered at once: a client that is
slow or hostile can hold up the answers to others, never the worker.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from extractor.errors import ConfigError
from extractor.telemetry.logs import frames_of

if TYPE_CHECKING:
    from extractor.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

REQUEST_BYTES = 8192
"""A request line with its headers may be so long; beyond it the answer is 431."""
REQUEST_S = 5.0
"""A request must have come, and its answer must be taken, in so long each; otherwise the connection is closed."""
AT_ONCE = 16
"""So many requests are answered at a time; a further connection is closed at once."""

_POLL_S = 0.1
_LINGER_S = 1.0
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"

_Answer = tuple[HTTPStatus, str, bytes]


class Endpoint:
    """``GET /healthz``, ``/readyz`` and ``/metrics`` while the context lasts; anything else is 404.

    ``/healthz`` answers 200 while ``is_alive`` says so and 503 otherwise.
    ``/readyz`` answers 200 when every named condition of ``readiness`` holds, 503
    otherwise or when there is none yet, with the conditions as JSON. Both
    functions are called in threads of the server: they must be quick, and take
    what they tell from memory. ``port`` 0 means any free one; ``port`` tells it
    once the context is entered.

    Raises on entering:
        ConfigError: the address cannot be used (``telemetry.port``, ``telemetry.host``).
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        metrics: Metrics,
        is_alive: Callable[[], bool],
        readiness: Callable[[], Mapping[str, bool]],
    ) -> None:
        self.host = host
        self.port = port
        self._metrics = metrics
        self._is_alive = is_alive
        self._readiness = readiness
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            server = _server_class(self.host)((self.host, self.port), self._answer)
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else "not a port"
            raise ConfigError(
                f"telemetry.port {self.port} of telemetry.host cannot be used ({why})",
                hint="Operator: choose a free telemetry.port and an address of this machine as telemetry.host.",
            ) from error
        self._server = server
        self.port = server.server_address[1]
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": _POLL_S}, name="telemetry", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server = self._thread = None

    def _answer(self, path: str) -> _Answer:
        if path == "/healthz":
            if self._is_alive():
                return HTTPStatus.OK, _TEXT, b"ok\n"
            return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"not alive\n"
        if path == "/readyz":
            conditions = dict(self._readiness())
            ready = _holds(conditions)
            body = json.dumps({"ready": ready, "conditions": conditions}).encode() + b"\n"
            return HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, _JSON, body
        if path == "/metrics":
            self._metrics.state(alive=self._is_alive(), ready=_holds(self._readiness()))
            return HTTPStatus.OK, self._metrics.content_type, self._metrics.render()
        return _empty(HTTPStatus.NOT_FOUND)


def _holds(conditions: Mapping[str, bool]) -> bool:
    """Whether all conditions hold; without any, nothing is known yet."""
    return bool(conditions) and all(conditions.values())


def _empty(status: HTTPStatus) -> _Answer:
    return status, _TEXT, b""


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False  # a slow client must not hold up the end of the worker
    allow_reuse_address = True  # a worker that starts again need not wait for old connections to time out
    request_queue_size = 2 * AT_ONCE

    def __init__(self, address: tuple[str, int], answer: Callable[[str], _Answer]) -> None:
        self.answer = answer
        self._places = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(address, _Request)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # it must not be told
        error = sys.exception()
        if error is not None:
            log.error("bug while answering at the telemetry port: %s", frames_of(error))


class _Server6(_Server):
    address_family = socket.AF_INET6


def _server_class(host: str) -> type[_Server]:
    return _Server6 if ":" in host else _Server


class _Request(socketserver.BaseRequestHandler):
    """One request, one answer, then the connection is closed. Bodies are not read."""

    server: _Server
    request: socket.socket

    def handle(self) -> None:
        try:
            head = self._head()
        except OSError:  # the client is gone, or too slow
            return
        if head is None:
            return
        try:
            answer = self._answer(head)
        except BaseException:
            self._send(_empty(HTTPStatus.INTERNAL_SERVER_ERROR))
            raise
        self._send(answer)

    def _head(self) -> bytes | None:
        """Request line and headers, as far as they came within the size; None when the client hung up before."""
        deadline_s = time.monotonic() + REQUEST_S
        head = b""
        while b"\r\n\r\n" not in head and b"\n\n" not in head and len(head) <= REQUEST_BYTES:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return None
            self.request.settimeout(left_s)
            part = self.request.recv(REQUEST_BYTES)
            if not part:
                return None
            head += part
        return head

    def _answer(self, head: bytes) -> _Answer:
        if len(head) > REQUEST_BYTES:
            return _empty(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        words = head.split(b"\n", 1)[0].split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _empty(HTTPStatus.BAD_REQUEST)
        if words[0] != b"GET":
            return _empty(HTTPStatus.NOT_FOUND)
        return self.server.answer(words[1].split(b"?", 1)[0].decode("ascii", errors="replace"))

    def _send(self, answer: _Answer) -> None:
        status, content_type, body = answer
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            f"Content-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\n"
            "Connection: close\r\n\r\n"
        )
        with contextlib.suppress(OSError):  # the client is gone, or does not take it
            self.request.settimeout(REQUEST_S)
            self.request.sendall(head.encode("ascii") + body)
            self._let_go()

    def _let_go(self) -> None:
        """Wait a moment for the client to hang up: closing over bytes not read would take the answer from it."""
        self.request.shutdown(socket.SHUT_WR)
        deadline_s = time.monotonic() + _LINGER_S
        while (left_s := deadline_s - time.monotonic()) > 0:
            self.request.settimeout(left_s)
            if not self.request.recv(REQUEST_BYTES):
                return
