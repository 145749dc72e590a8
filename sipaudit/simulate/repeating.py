"""Retransmission until the other end responds."""

from __future__ import annotations

from collections.abc import Callable

from sipaudit.simulate.clock import Inbox, Steps
from sipaudit.simulate.message import Message

RESENT = (0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0)  # seconds to wait after each sending, about 32 s in all


def until_heard(answer: Callable[[], None], inbox: Inbox) -> Steps[Message | None]:
    """Send a 2xx to an INVITE until a message arrives for the call, ACK or not (RFC 3261 13.3.1.4). Returns that
    message, None if none arrives."""
    for wait in RESENT:
        answer()
        heard: Message | None = yield (inbox, wait)
        if heard is not None:
            return heard
    return None
