"""Event strings that no real phone need have produced: answers without requests, failures without cause."""

from __future__ import annotations

from hypothesis import strategies as st

from sipaudit.model.events import (
    Answered,
    Booted,
    CallChanged,
    Contacted,
    ContactKind,
    EntryChanged,
    Failed,
    FailureKind,
    Lost,
    ModelEvent,
    Received,
    Replied,
    Resent,
    Sent,
)
from tests.model.fleet.habits import names

SERVERS = names(3)
METHODS = ("REGISTER", "REGISTER", "INVITE", "INVITE", "SUBSCRIBE", "OPTIONS", "BYE", "CANCEL", "MESSAGE", "NOTIFY")
PAUSES = (0.0, 0.05, 0.6, 4.0, 35.0, 61.0, 1800.0)
KINDS = ("sent", "sent", "sent", "answer", "answer", "resent", "received", "replied", "failed", "other")


@st.composite
def histories(draw: st.DrawFn, most: int = 30) -> list[ModelEvent]:
    """Up to `most` events of one line, in the order of their times."""
    string = _String(draw)
    for _ in range(draw(st.integers(0, most))):
        string.add()
    return string.events


class _String:
    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.events: list[ModelEvent] = []
        self.sent: list[Sent] = []
        self.received: list[Received] = []
        self.now = 0.0

    def add(self) -> None:
        self.now += self.draw(st.sampled_from(PAUSES))
        kind = self.draw(st.sampled_from(KINDS))
        if kind == "sent" or (kind in ("answer", "resent") and not self.sent):
            self._send()
        elif kind == "answer":
            self._answer()
        elif kind == "resent":
            request = self.draw(st.sampled_from(self.sent))
            self._say(Resent(self.now, 0, 0, 0, 0, request.server, request.method, request.transaction))
        elif kind == "received" or (kind == "replied" and not self.received):
            self._receive()
        elif kind == "replied":
            asked = self.draw(st.sampled_from(self.received))
            self._say(Replied(self.now, 0, 0, 0, 0, asked.server, asked.method, asked.transaction,
                              self.draw(st.sampled_from((180, 200, 486, 503))), asked.in_dialog, asked.call))
        else:
            self._beside(kind)

    def _say(self, event: ModelEvent) -> None:
        self.events.append(event)

    def _send(self) -> None:
        draw = self.draw
        method, number = draw(st.sampled_from(METHODS)), len(self.events) + 1
        expires = draw(st.sampled_from((None, 0.0, 60.0, 3600.0))) if method in ("REGISTER", "SUBSCRIBE") else None
        follows = draw(st.sampled_from(self.sent)).transaction if self.sent and draw(st.integers(0, 4)) == 0 else None
        in_dialog = method == "BYE" or (method != "REGISTER" and draw(st.integers(0, 4)) == 0)
        call = draw(st.sampled_from((1, 2, None))) if method in ("INVITE", "BYE") else None
        self.sent.append(Sent(
            self.now, 0, 0, 0, 0, draw(st.sampled_from(SERVERS)), method, number, in_dialog, expires, follows,
            method == "REGISTER" and draw(st.booleans()), draw(st.integers(0, 20)) == 0, call,
            draw(st.sampled_from(("a", "b"))), draw(st.sampled_from(("x", "y"))), follows is not None))
        self._say(self.sent[-1])

    def _answer(self) -> None:
        draw = self.draw
        request = draw(st.sampled_from(self.sent))
        status = draw(st.sampled_from((100, 180, 200, 200, 200, 302, 401, 403, 480, 486, 503)))
        self._say(Answered(
            self.now, 0, 0, 0, 0, request.server, request.method, request.transaction, status, sent=request.time,
            in_dialog=request.in_dialog, asked=request.expires,
            granted=draw(st.sampled_from((None, 0.0, 60.0, 3600.0))),
            own=draw(st.sampled_from((True, True, False, None))), call=request.call,
            retry_after=draw(st.sampled_from((None, 30)))))

    def _receive(self) -> None:
        draw = self.draw
        self.received.append(Received(
            self.now, 0, 0, 0, 0, draw(st.sampled_from(SERVERS)), draw(st.sampled_from(("INVITE", "BYE", "OPTIONS"))),
            len(self.events) + 1, draw(st.booleans()), draw(st.sampled_from((1, 2, None)))))
        self._say(self.received[-1])

    def _beside(self, kind: str) -> None:
        draw, now, server = self.draw, self.now, self.draw(st.sampled_from(SERVERS))
        if kind == "failed":
            self._say(Failed(now, 0, 0, 0, 0, server, draw(st.sampled_from(tuple(FailureKind))), now))
            return
        others: tuple[ModelEvent, ...] = (
            Booted(now, 0, 0, 0, 0, True), Booted(now, 0, 0, 0, 0, False), Lost(now, 0, 0, 0, 0, "x"),
            EntryChanged(now, 0, 0, 0, 0, "sbc", now + 60, 60, 120, False),
            EntryChanged(now, 0, 0, 0, 0, "sbc", now + 60, 60, 120, True),
            Contacted(now, 0, 0, 0, 0, server, ContactKind.SYN),
            CallChanged(now, 0, 0, 0, 0, server, 1, "up"), CallChanged(now, 0, 0, 0, 0, server, 1, "over"),
        )
        self._say(draw(st.sampled_from(others)))
