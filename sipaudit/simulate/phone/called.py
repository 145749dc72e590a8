"""Requests to the phone: incoming calls, and other requests from servers."""

from __future__ import annotations

from sipaudit.simulate.clock import Inbox, Steps
from sipaudit.simulate.message import Endpoint, Message
from sipaudit.simulate.phone.device import Phone
from sipaudit.simulate.phone.line import Line
from sipaudit.simulate.repeating import until_heard
from sipaudit.simulate.wire.media import sdp

MOST_CALLS = 2
PICKS_UP = 2.0
HANGS_UP_AFTER = 60.0  # seconds after which the phone hangs up if the caller has not


class Called:
    """Answers the requests that one phone receives."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    def take(self, request: Message, source: Endpoint) -> None:
        """Take one request."""
        phone = self._phone
        line = phone.lines.get(request.user)
        if line is None:
            if request.method != "ACK":
                phone.answer(source, request, 404)
            return
        index = line.place_of(source)
        opens = request.method == "INVITE" and not request.to_tag
        if index is not None and line.shuns(index) and request.method in ("INVITE", "BYE"):
            if opens and line.wrong("accepted-from-failed-server") and not line.failed_tries and not phone.up:
                line.commit("accepted-from-failed-server")
                self._invited(line, request, source)
            elif request.call_id not in phone.dialogs or not opens:
                self._refuse(request, source)
        elif opens:
            self._invited(line, request, source)
        elif request.method in ("ACK", "BYE", "CANCEL"):
            self._heard(request, source)
        else:
            phone.answer(source, request, 200)

    def _refuse(self, request: Message, source: Endpoint) -> None:
        """R2: nothing is accepted from a failed server; F9 leaves open how the phone refuses it."""
        if self._phone.habits.refuses == "answer":
            self._phone.answer(source, request, 480 if request.method == "INVITE" else 481)

    def _invited(self, line: Line, request: Message, source: Endpoint) -> None:
        phone = self._phone
        if request.call_id in phone.dialogs:
            return  # a retransmission: the call is being answered already
        if phone.up >= MOST_CALLS:
            phone.answer(source, request, 486)
            return
        phone.do(self._ring(line, request, source, phone.busy(request.call_id)))

    def _heard(self, request: Message, source: Endpoint) -> None:
        dialog = self._phone.dialogs.get(request.call_id)
        if request.method != "ACK":
            self._phone.answer(source, request, 200 if dialog is not None else 481)
        if dialog is not None:
            dialog.put(request)

    def _ring(self, line: Line, request: Message, source: Endpoint, inbox: Inbox) -> Steps[None]:
        phone = self._phone
        try:
            phone.answer(source, request, 180, contact=line.contact)
            if (yield (inbox, PICKS_UP)) is not None:
                phone.answer(source, request, 487)
                return
            heard = yield from until_heard(
                lambda: phone.answer(source, request, 200, contact=line.contact, body=sdp(phone.place)), inbox)
            if heard is None or heard.method == "BYE" or (yield from self._until_bye(inbox)):
                return
            index = line.place_of(source)
            if index is None or not line.shuns(index):
                yield from phone.ask(source, self._bye(request), last=True)
        finally:
            phone.free(request.call_id)

    def _until_bye(self, inbox: Inbox) -> Steps[bool]:
        until = self._phone.clock.now + HANGS_UP_AFTER
        while (heard := (yield (inbox, max(0.0, until - self._phone.clock.now)))) is not None:
            if heard.method == "BYE":
                return True
        return False

    def _bye(self, request: Message) -> Message:
        """The phone's BYE for an incoming call: From and To are swapped (RFC 3261 12.2.1.1)."""
        phone = self._phone
        return Message(
            "BYE", request.call_id, 1, phone.branch(), phone.via, request.callee, request.sender,
            f"p{phone.number:x}", request.from_tag, uri=request.target,
            headers=f"User-Agent: {phone.group.agent}\r\n", transport=request.transport,
        )
