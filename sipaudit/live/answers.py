"""What HTTP services answer to a notification. `requests`, through which Apprise asks them, keeps an answer in memory
as a whole, and waits for it as long as a byte comes every few seconds: of one without end it gets the beginning.
Where a service has moved, `requests` asks for the new place by GET and drops what was to be told: that is no answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from http.client import HTTPResponse
from socket import SHUT_RDWR, socket
from threading import Timer
from typing import Any

import requests
from requests.exceptions import RequestException, TooManyRedirects
from urllib3.connection import HTTPConnection

ANSWER_BYTES = 1 << 20
ANSWER_SECONDS = 30.0   # that it may take as a whole

MOVED = (301, 302)      # 303 says that the notice was taken (RFC 9110 15.4.4), 307 and 308 keep what is sent

Pieces = Callable[..., Iterator[Any]]
Rebuild = Callable[[requests.Session, requests.PreparedRequest, requests.Response], None]


def bound_answers() -> None:
    """From now on, in this process."""
    if not hasattr(requests.Response.iter_content, "__wrapped__"):
        requests.Response.iter_content = _beginning(requests.Response.iter_content)  # type: ignore[method-assign]
        requests.Session.rebuild_method = _kept(  # type: ignore[method-assign,assignment]
            requests.Session.rebuild_method)
        HTTPConnection.response_class = _Timed


class _Timed(HTTPResponse):
    """An answer that ends when its time is up, as if who gives it had gone."""

    def __init__(self, sock: socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._timer = Timer(ANSWER_SECONDS, _end, (sock,))
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        self._timer.cancel()
        super().close()


def _end(sock: socket) -> None:
    with suppress(OSError):   # it is closed already
        sock.shutdown(SHUT_RDWR)


def _beginning(pieces: Pieces) -> Pieces:
    """What came of an answer that breaks off: whether it took the notice, a service says first."""
    @wraps(pieces)
    def beginning(response: requests.Response, *arguments: Any, **options: Any) -> Iterator[Any]:
        left = ANSWER_BYTES
        with suppress(RequestException):
            for piece in pieces(response, *arguments, **options):
                yield piece
                left -= len(piece)
                if left <= 0:
                    break
        response.close()

    return beginning


def _kept(rebuild: Rebuild) -> Rebuild:
    """A request that would go on without what it was to carry, as one to http:// that belongs to https://, fails."""
    @wraps(rebuild)
    def kept(session: requests.Session, request: requests.PreparedRequest, response: requests.Response) -> None:
        before = request.method
        rebuild(session, request, response)
        if response.status_code in MOVED and request.method != before:
            response.close()
            raise TooManyRedirects("the service has moved", response=response)

    return kept
