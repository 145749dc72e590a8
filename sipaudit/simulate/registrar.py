"""The registrar of a server: which requests it challenges, what it grants, and the bindings of its users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from sipaudit.simulate.clock import NEVER
from sipaudit.simulate.digest import challenge, nonce_of
from sipaudit.simulate.message import Endpoint, Message

if TYPE_CHECKING:
    from sipaudit.simulate.server import Server

ASKED = {"none": (), "register": ("REGISTER",), "all": ("REGISTER", "INVITE", "SUBSCRIBE")}


class Binding(Struct, gc=False):
    """A binding of a Contact: its URI and source address, and from when until when it is valid (simulated seconds)."""

    target: str
    place: Endpoint
    transport: str
    granted: float
    until: float


class Registrar:
    """Bindings by user and Contact. The granted expiry is returned in the Contact's own parameter (RFC 3261 10.3)."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._bindings: dict[str, dict[str, Binding]] = {}

    @property
    def users(self) -> list[str]:
        return list(self._bindings)

    def challenged(self, request: Message, source: Endpoint) -> bool:
        """Whether the request needs (new) credentials; if so, it is answered with a challenge."""
        server = self._server
        if request.method not in ASKED[server.plan.challenge]:
            return False
        given, nonce = nonce_of(request.headers), self._nonce()
        if given == nonce:
            return False
        status = 401 if request.method == "REGISTER" else 407
        server.answer(request, source, status, headers=challenge(nonce, status, given is not None))
        return True

    def _nonce(self) -> str:
        life = self._server.plan.nonce_life
        return self._server.name + ("0" if life == NEVER else str(int(self._server.clock.now // life)))

    def register(self, request: Message, source: Endpoint) -> None:
        """Answer a REGISTER that needs no challenge."""
        server = self._server
        user = request.sender.partition(":")[2].partition("@")[0]
        asked = request.expires if request.expires is not None else 3600
        granted = 0 if server.fault("grants-nothing") else min(asked, server.plan.expires)
        self._bind(user, request, source, granted)
        contact = f"{request.contact};expires={granted}" if granted or asked else ""
        if server.fault("no-contact"):
            contact = ""
        others = [f"<sip:{user}@192.0.2.{number}>;expires=1800" for number in range(10, 10 + server.plan.contacts)]
        server.answer(request, source, 200, contact=", ".join([*others, contact] if contact else others))

    def _bind(self, user: str, request: Message, source: Endpoint, granted: int) -> None:
        bindings, now = self._bindings.setdefault(user, {}), self._server.clock.now
        if granted:
            bindings[request.contact] = Binding(request.target, source, request.transport, now, now + granted)
        else:
            bindings.pop(request.contact, None)
        for gone in [contact for contact, binding in bindings.items() if binding.until <= now]:
            del bindings[gone]

    def newest(self, user: str) -> Binding | None:
        """The user's newest binding here that has not expired."""
        now = self._server.clock.now
        live = [binding for binding in self._bindings.get(user, {}).values() if binding.until > now]
        return max(live, key=lambda binding: binding.granted, default=None)
