"""Bounds on the responses of HTTP services to notifications. `requests`, the library beneath Apprise, reads a response
into memory as a whole, and waits for it as long as a byte comes every few seconds. Patched, it reads only the beginning
of an endless response. After a redirect (301, 302) it would send a GET without the notification: that now fails."""

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
ANSWER_SECONDS = 30.0   # for the whole response

MOVED = (301, 302)      # 303 means that the notice was accepted (RFC 9110 15.4.4); 307 and 308 keep method and body

Pieces = Callable[..., Iterator[Any]]
Rebuild = Callable[[requests.Session, requests.PreparedRequest, requests.Response], None]


def bound_answers() -> None:
    """Patch `requests` and `urllib3` in this process, once."""
    if not hasattr(requests.Response.iter_content, "__wrapped__"):
        requests.Response.iter_content = _beginning(requests.Response.iter_content)  # type: ignore[method-assign]
        requests.Session.rebuild_method = _kept(  # type: ignore[method-assign,assignment]
            requests.Session.rebuild_method)
        HTTPConnection.response_class = _Timed


class _Timed(HTTPResponse):
    """A response that ends after ANSWER_SECONDS, as if the server had closed the connection."""

    def __init__(self, sock: socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._timer = Timer(ANSWER_SECONDS, _end, (sock,))
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        self._timer.cancel()
        super().close()


def _end(sock: socket) -> None:
    with suppress(OSError):   # already closed
        sock.shutdown(SHUT_RDWR)


def _beginning(pieces: Pieces) -> Pieces:
    """The first ANSWER_BYTES of a response, or what was received before it broke off: the status, which comes first,
    already says whether the service accepted the notice."""
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
    """Make a redirect fail that would change the method and drop the body, such as one from http:// to https://."""
    @wraps(rebuild)
    def kept(session: requests.Session, request: requests.PreparedRequest, response: requests.Response) -> None:
        before = request.method
        rebuild(session, request, response)
        if response.status_code in MOVED and request.method != before:
            response.close()
            raise TooManyRedirects("the service has moved", response=response)

    return kept
