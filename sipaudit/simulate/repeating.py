"""What is sent again until the other end is heard of."""

from __future__ import annotations

from collections.abc import Callable

from sipaudit.simulate.clock import Inbox, Steps
from sipaudit.simulate.message import Message

RESENT = (0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0)  # waits between sendings, to 32 s


def until_heard(answer: Callable[[], None], inbox: Inbox) -> Steps[Message | None]:
    """Gives a 2xx to an INVITE until something comes for the call, ACK or not (RFC 3261 13.3.1.4); that, or None."""
    for wait in RESENT:
        answer()
        heard: Message | None = yield (inbox, wait)
        if heard is not None:
            return heard
    return None
