"""What HTTP services answer to a notification. `requests`, through which Apprise asks them, keeps an answer in memory
as a whole: of one without end it gets the beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import requests

ANSWER_BYTES = 1 << 20

Pieces = Callable[..., Iterator[Any]]


def bound_answers() -> None:
    """From now on, in this process."""
    if not hasattr(requests.Response.iter_content, "__wrapped__"):
        requests.Response.iter_content = _beginning(requests.Response.iter_content)  # type: ignore[method-assign]


def _beginning(pieces: Pieces) -> Pieces:
    @wraps(pieces)
    def beginning(response: requests.Response, *arguments: Any, **options: Any) -> Iterator[Any]:
        left = ANSWER_BYTES
        for piece in pieces(response, *arguments, **options):
            yield piece
            left -= len(piece)
            if left <= 0:
                response.close()
                return

    return beginning
