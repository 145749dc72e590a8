"""What HTTP services answer to a notification. `requests`, through which Apprise asks them, keeps an answer in memory
as a whole, and waits for it as long as a byte comes every few seconds: of one without end it gets the beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from http.client import HTTPResponse
from socket import SHUT_RDWR, socket
from threading import Timer
from typing import Any

import requests
from requests.exceptions import RequestException
from urllib3.connection import HTTPConnection

ANSWER_BYTES = 1 << 20
ANSWER_SECONDS = 30.0   # that it may take as a whole

Pieces = Callable[..., Iterator[Any]]


def bound_answers() -> None:
    """From now on, in this process."""
    if not hasattr(requests.Response.iter_content, "__wrapped__"):
        requests.Response.iter_content = _beginning(requests.Response.iter_content)  # type: ignore[method-assign]
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
