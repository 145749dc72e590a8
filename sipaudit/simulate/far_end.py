"""The far end of calls and subscriptions: the parties behind a server that answer calls and make them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from msgspec import Struct

from sipaudit.simulate.clock import Inbox, Steps
from sipaudit.simulate.message import Endpoint, Message, acknowledgement, host, reply
from sipaudit.simulate.numbers import BUSY, RINGS_ON, hangs_up_after
from sipaudit.simulate.registrar import Binding
from sipaudit.simulate.repeating import until_heard
from sipaudit.simulate.wire.media import sdp

if TYPE_CHECKING:
    from sipaudit.simulate.server import Server

LONGEST_CALL = 7200.0  # seconds


class FarDialog(Struct):
    """The far end's side of a call; `inbox` gets the messages for it; `ours`: the far end is the caller."""

    invite: Message
    place: Endpoint
    tag: str
    inbox: Inbox
    ours: bool
    cseq: int = 1

    @property
    def uri(self) -> str:
        """The Request-URI for requests in the dialog."""
        return self.invite.uri if self.ours else self.invite.target


class FarEnd:
    """Answers the calls that a server receives from phones, and makes the calls that it sends to phones."""

    def __init__(self, server: Server, chance: random.Random) -> None:
        self._server = server
        self._chance = chance
        self._dialogs: dict[str, FarDialog] = {}

    def hear(self, request: Message) -> None:
        """Take a request of an existing call."""
        dialog = self._dialogs.get(request.call_id)
        if dialog is not None:
            dialog.inbox.put(request)

    def over(self, request: Message, source: Endpoint) -> None:
        """Take a BYE or CANCEL."""
        self._server.answer(request, source, 200 if request.call_id in self._dialogs else 481)
        self.hear(request)

    # -- calls from phones

    def invited(self, request: Message, source: Endpoint) -> None:
        """Take an INVITE that was not challenged or refused: a new call, or a re-INVITE."""
        server = self._server
        if request.to_tag:
            known = request.call_id in self._dialogs
            server.answer(request, source, 200 if known else 481, contact=self._contact(request.user),
                          body=sdp(server.place) if known else "")
            return
        server.send(source, reply(request, 100))
        if request.user == BUSY:
            server.answer(request, source, 486)
            return
        dialog = FarDialog(request, source, server.tag(request), Inbox(server.clock), ours=False)
        self._dialogs[request.call_id] = dialog
        server.clock.begin(self._answer(dialog))

    def _contact(self, user: str) -> str:
        return f"<sip:{user}@{host(self._server.place)}>"

    def _answer(self, dialog: FarDialog) -> Steps[None]:
        """Send 180, then 200 until the ACK, then wait until either side hangs up."""
        server, request, place = self._server, dialog.invite, dialog.place
        try:
            yield 0.12
            server.answer(request, place, 180, contact=self._contact(request.user))
            patience = 120.0 if request.user == RINGS_ON else 0.8 + 2.0 * self._chance.random()
            if (yield (dialog.inbox, patience)) is not None:
                server.answer(request, place, 487)
                return
            heard = yield from until_heard(lambda: server.answer(
                request, place, 200, contact=self._contact(request.user), body=sdp(server.place)), dialog.inbox)
            if heard is not None and heard.method == "ACK":
                yield from self._talk(dialog)
        finally:
            self._dialogs.pop(request.call_id, None)

    def _talk(self, dialog: FarDialog) -> Steps[None]:
        """Wait until the phone hangs up; after the time that belongs to this number, hang up."""
        clock = self._server.clock
        until = clock.now + (hangs_up_after(dialog.invite.user) or LONGEST_CALL)
        heard: Message | None = dialog.invite
        while heard is not None and heard.method != "BYE":
            heard = yield (dialog.inbox, max(0.0, until - clock.now))
        if heard is None:
            yield from self._hang_up(dialog)

    def _hang_up(self, dialog: FarDialog) -> Steps[None]:
        """Send a BYE to the phone until it answers."""
        invite, server = dialog.invite, self._server
        dialog.cseq += 1
        swapped = (invite.callee, invite.sender, dialog.tag, invite.from_tag)
        if dialog.ours:
            swapped = (invite.sender, invite.callee, invite.from_tag, dialog.tag)
        yield from server.ask(dialog.place, Message(
            "BYE", invite.call_id, dialog.cseq, server.branch(), host(server.place), *swapped, uri=dialog.uri,
            transport=invite.transport,
        ))

    # -- calls to phones

    def call(self, user: str, binding: Binding, seconds: float) -> Steps[None]:
        """Call a registered user; the caller hangs up after `seconds`."""
        server = self._server
        number = server.number()
        invite = Message(
            "INVITE", f"in{number}-{user}@{server.place[0]}", 1, server.branch(), host(server.place),
            f"sip:2000@{server.domain}", f"sip:{user}@{server.domain}", f"c{number}", uri=binding.target,
            contact=self._contact("2000"), body=sdp(server.place), transport=binding.transport,
        )
        response = yield from server.ask(binding.place, invite)
        if response is None:
            return
        dialog = FarDialog(invite, binding.place, response.to_tag, Inbox(server.clock), ours=True)
        self._dialogs[invite.call_id] = dialog
        server.send(binding.place, acknowledgement(invite, response, server.branch))
        if response.status < 300 and (yield (dialog.inbox, seconds)) is None:
            yield from self._hang_up(dialog)
        del self._dialogs[invite.call_id]

    # -- subscriptions

    def subscribed(self, request: Message, source: Endpoint) -> None:
        """Answer 202, and send a NOTIFY with the state."""
        seconds = min(request.expires or 0, 3600)
        self._server.answer(request, source, 202, contact=self._contact(request.user), expires=seconds)
        self._server.clock.begin(self._notify(request, source, seconds))

    def _notify(self, request: Message, source: Endpoint, seconds: int) -> Steps[None]:
        yield 0.05
        server = self._server
        yield from server.ask(source, Message(
            "NOTIFY", request.call_id, request.cseq + 1000, server.branch(), host(server.place), request.callee,
            request.sender, request.to_tag or server.tag(request), request.from_tag,
            uri=request.target, contact=self._contact(request.user),
            headers=f"Event: message-summary\r\nSubscription-State: active;expires={seconds}\r\n",
            transport=request.transport,
        ))
