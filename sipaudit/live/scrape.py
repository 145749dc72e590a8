"""The small HTTP server of `--metrics HOST:PORT`: `/metrics` for Prometheus, `/healthz` for service supervisors.

It answers in its own threads, a few at a time, so that slow clients, even many
of them, delay neither the capture nor each other for long.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import StringIO
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore, Thread, Timer
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from sipaudit.errors import InputError
from sipaudit.live.address import parse_address
from sipaudit.live.descriptors import none_is_left
from sipaudit.live.metrics import Metrics
from sipaudit.model.sayings import Saying

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SILENCE = 30.0      # seconds without a turn of the loop after which the probe counts as unhealthy
REQUESTS_AT_ONCE = 8
PATIENCE = 10.0     # seconds that a client may take for a part of its request, or of our response
LONGEST = 30.0      # seconds that it may take for all of it, in however small parts
POLL = 0.1          # seconds until the server notices that it is to end

log = logging.getLogger(__name__)


class Pulse:
    """Knows whether the loop still turns; `clock` is monotonic, in seconds."""

    def __init__(self, silence: float = SILENCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._silence = silence
        self._clock = clock
        self._turned = clock()
        self._ended = False

    def beat(self) -> None:
        self._turned = self._clock()

    def end(self) -> None:
        self._ended = True

    def ailment(self) -> str | None:
        """What is wrong; None when nothing is."""
        if self._ended:
            return "the probe is stopping"
        age = self._clock() - self._turned
        return None if age <= self._silence else f"the loop last turned {age:.0f} s ago ({self._silence:.0f} s allowed)"


class Scrape:
    """A Sink that serves `metrics` at an address. Raises InputError when it cannot listen there.

    It listens at once, but answers only from the first turn on, after privileges are dropped: capabilities belong to
    each thread.
    """

    def __init__(self, address: str, metrics: Metrics, pulse: Pulse | None = None) -> None:
        host, port = parse_address(address, "--metrics")
        self._metrics = metrics
        self._pulse = pulse or Pulse()
        self._server = _listening(host, port)
        self._server.set_app(_application(metrics, self._pulse))
        self.port: int = self._server.server_port
        self._thread: Thread | None = None

    def take(self, saying: Saying) -> None:
        self._metrics.take(saying)

    def learn(self, saying: Saying) -> None:
        self._metrics.learn(saying)

    def turn(self, now: float) -> None:
        self._pulse.beat()
        self._metrics.turn(now)
        if self._thread is None:
            self._thread = Thread(target=self._server.serve_forever, args=(POLL,), name="metrics", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._pulse.end()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join(PATIENCE)
        self._server.server_close()


def _application(metrics: Metrics, pulse: Pulse) -> WSGIApplication:
    exposition = metrics.exposition()

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        match environ.get("REQUEST_METHOD"):
            case "GET":
                return page(environ, start_response)
            case "HEAD":
                page({**environ, "REQUEST_METHOD": "GET"}, start_response)
                return []
        return _plain(start_response, "405 Method Not Allowed", "GET and HEAD only")

    def page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            return exposition(environ, start_response)
        if path == "/healthz":
            ailment = pulse.ailment()
            return _plain(start_response, "503 Service Unavailable" if ailment else "200 OK", ailment or "ok")
        return _plain(start_response, "404 Not Found", "here are /metrics and /healthz")

    return application


def _plain(start_response: StartResponse, status: str, text: str) -> list[bytes]:
    body = f"{text}\n".encode()
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE

    def get_stderr(self) -> Any:
        """Discard the traceback of a request that fails: only its client needs to know."""
        return StringIO()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """A scrape every few seconds is not worth a line."""


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each request, at most REQUESTS_AT_ONCE; connections beyond that are closed at once."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, family: int, address: tuple[str, int]) -> None:
        self.address_family = family
        self._free = BoundedSemaphore(REQUESTS_AT_ONCE)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without http.server's lookup of the host name: DNS may be what is failing."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def get_request(self) -> tuple[Any, Any]:
        """Pause when no descriptor is left: the pending connection would wake us again and again."""
        try:
            return super().get_request()
        except OSError as error:
            if none_is_left(error):
                time.sleep(POLL)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:   # no thread could be started
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        end = Timer(LONGEST, _break_off, (request,))
        end.daemon = True
        try:
            end.start()
            super().process_request_thread(request, client_address)
        except RuntimeError:   # no thread for the timer could be started: other errors are caught where they happen
            self.shutdown_request(request)
        finally:
            end.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the standard library's names
        """A client that went away, or took too long, is its own business."""
        log.debug("a request for metrics broke off", exc_info=True)


def _break_off(request: socket.socket) -> None:
    """Shut the connection down, which wakes the thread that waits for it; it may already be closed."""
    with suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


def _listening(host: str, port: int) -> _Server:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return _Server(family, (str(address[0]), int(address[1])))
    except OSError as error:
        raise InputError(
            f"--metrics: cannot listen on {host} port {port}: {error.strerror or error}",
            fix="choose an address of this machine and a port that is free (ss -ltnp shows who has it)",
        ) from error
