"""A phone's life as a script: what the phone sends, when and to which server, and which rules it breaks by that.

Times are seconds after the beginning of the scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.lab.ground import BUSY, CALLEE, DOMAIN, GATEWAY, PASSWORD, SERVERS
from tests.lab.scenario import Scenario

GIVES_UP = (0.5, 1.0, 2.0)   # seconds between transmissions, the last until the phone gives up: retryMaxCount=2
TIMER_B = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 1.0)
VVX = "PolycomVVX-VVX_500-UA/4.0.1.13681"


@dataclass(frozen=True)
class Breach:
    """A rule that this phone breaks, and the message that breaks it: its CSeq number, and its method, or status and
    method.

    `maybe`: both a finding and none are right.
    """

    rule: str
    number: int
    method: str
    maybe: bool = False


@dataclass
class Call:
    """An answered call of the phone: its ordinal (`count`), its server, and its last CSeq number."""

    count: int
    server: str
    number: int


@dataclass
class Script:
    """Writes the scenario of a phone step by step. Servers are called P, S and T."""

    user: str
    address: str
    challenged: bool = False
    expires: int = 3600
    scenario: Scenario = field(default_factory=Scenario)
    breaches: list[Breach] = field(default_factory=list)
    registers: int = 0
    calls: int = 0
    branches: int = 0
    registration: str = "reg"          # Call-ID of its REGISTERs
    options: int = 0
    sent: tuple[int, str] = (0, "")    # CSeq (number and method) of the last new request
    sent_of_call: int = 0              # CSeq number of the last INVITE
    wanted: bool = False               # a call failed at one server and is tried at another next

    # -- actions of the phone

    def at(self, time: float) -> Script:
        """Wait until this second of the scene; go on at once if it has passed."""
        self.scenario.wait_until(time)
        return self

    def register(self, server: str, *, expires: int | None = None) -> Script:
        """REGISTER until the answer is 200, with credentials if the servers challenge."""
        if self.challenged:
            self._ask(server, self._register(expires), (401,))
        return self._ask(server, self._register(expires, credentials=self.challenged), (200,))

    def register_for_nothing(self, server: str) -> Script:
        """REGISTER, answered by a 200 without Contact or expiry (because of a header that kamailio.cfg knows)."""
        return self._ask(server, self._register(None, extra=("X-Lab-Grants-Nothing: 1",)), (200,))

    def send_register(self, server: str, *, expires: int | None = None) -> Script:
        """Send one REGISTER without waiting for the answer."""
        return self._send(server, self._register(expires))

    def answered_elsewhere(self, challenger: str, server: str) -> Script:
        """REGISTER, challenged by one server; the credentials go to another, which rejects them with 401."""
        self._ask(challenger, self._register(None), (401,))
        return self._ask(server, self._register(None, credentials=True), (401,))

    def unanswered(self, server: str, method: str = "INVITE", *, gaps: Sequence[float] = GIVES_UP) -> Script:
        """A request that nobody answers, retransmitted after each of these gaps (seconds) but the last; then the phone
        gives up. The next `call` tries a failed call again at its server."""
        return self._ask_in_vain(server, self._wanted(method), gaps)

    def unreachable(self, server: str, method: str = "INVITE") -> Script:
        """A request that is refused by ICMP, which the phone knows a moment later."""
        return self._ask_in_vain(server, self._wanted(method), (0.05,))

    def overloaded(self, server: str) -> Script:
        """An INVITE that the server answers with 503."""
        return self._refused(server, self._wanted("INVITE"), 503)

    def busy(self, server: str) -> Script:
        """A call to a busy number."""
        return self._refused(server, self._invite(BUSY), 486)

    def _refused(self, server: str, message: str, status: int) -> Script:
        self._ask(server, message, (status,))
        self.branches -= 1   # the ACK belongs to the same transaction (RFC 3261 17.1.1.3)
        callee = BUSY if status == 486 else CALLEE
        message = self._of_call("ACK", self.calls, self.sent[0], tag="[peer_tag_param]", callees=callee)
        return self._send(server, message)

    def ask_options(self, server: str) -> Script:
        """Send OPTIONS without waiting for the answer."""
        self.options += 1
        return self._send(server, self._request("OPTIONS", f"sip:{DOMAIN}", "options", self.options, to=self.user))

    def forget(self) -> Script:
        """The failed call is over: the next one has a new Call-ID."""
        self.wanted = False
        return self

    def boot(self) -> Script:
        """The phone restarts: it registers with another Call-ID."""
        self.registration += "-anew"
        return self

    def another_line(self, user: str) -> Script:
        """Another line of the same phone; the steps of both happen in the order in which they are written."""
        return replace(self, user=user, breaches=[], registers=0, calls=0, branches=0, options=0)

    def call(self, server: str, seconds: float = 1.0) -> Script:
        """A call from its INVITE to its BYE."""
        return self.hang_up(self.dial(server), seconds)

    def dial(self, server: str) -> Call:
        """Set up a call: INVITE, 100, 180, 200, ACK."""
        message = self._invite()
        self.wanted = False
        call = Call(self.calls, server, self.sent[0])
        self._ask(server, message, (200,), call)
        sent = self.sent
        self._within(call, "ACK")
        self.sent = sent
        return call

    def hang_up(self, call: Call, seconds: float = 0.0) -> Script:
        """Send BYE after so many seconds; it is answered."""
        if seconds:
            self.scenario.wait(seconds)
        call.number += 1
        return self._within(call, "BYE", (200,))

    def breaks(self, rule: str, *, maybe: bool = False, by: tuple[int, str] | None = None) -> Script:
        """The last request, or the message `by`, breaks this rule."""
        number, method = by or self.sent
        self.breaches.append(Breach(rule, number, method, maybe))
        return self

    # -- messages

    def _wanted(self, method: str) -> str:
        if method == "REGISTER":
            return self._register(None)
        message = self._invite()
        self.wanted = True
        return message

    def _register(self, expires: int | None, *, credentials: bool = False, extra: Sequence[str] = ()) -> str:
        self.registers += 1
        headers = [f"Expires: {self.expires if expires is None else expires}", *extra]
        headers += [f"[authentication username={self.user} password={PASSWORD}]"] if credentials else []
        return self._request("REGISTER", f"sip:{DOMAIN}", self.registration, self.registers, headers, to=self.user)

    def _invite(self, callees: int = CALLEE) -> str:
        """A new call, or another attempt of the one that failed elsewhere: the same Call-ID, the next CSeq."""
        if not self.wanted:
            self.calls += 1
        number = self.sent_of_call + 1 if self.wanted else 100 * self.calls
        self.sent_of_call = number
        return self._of_call("INVITE", self.calls, number, callees=callees)

    def _of_call(self, method: str, call: int, number: int, target: str = "", headers: Sequence[str] = (),
                 tag: str = "", callees: int = CALLEE) -> str:
        """A request of the phone's call with this ordinal; each call goes to another number."""
        callee = f"{callees + call}"
        return self._request(method, target or f"sip:{callee}@{DOMAIN}", f"call{call}", number, headers, to=callee,
                             tag=tag)

    def _request(self, method: str, target: str, dialog: str, number: int, headers: Sequence[str] = (), *,
                 to: str, tag: str = "") -> str:
        self.branches += 1
        self.sent = number, method
        return "\n".join([
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address}:5060;branch=z9hG4bK-{self.user}-{self.branches}",
            f"From: <sip:{self.user}@{DOMAIN}>;tag=near-{dialog}", f"To: <sip:{to}@{DOMAIN}>{tag}",
            f"Call-ID: {dialog}-{self.user}///[call_id]", f"CSeq: {number} {method}", "Max-Forwards: 70",
            f"Contact: <sip:{self.user}@{self.address}:5060>", f"User-Agent: {VVX}", *headers, "Content-Length: 0",
        ])

    def _within(self, call: Call, method: str, answers: Sequence[int] = ()) -> Script:
        """A request in a call's dialog: to the Contact of the far end, routed by its server (RFC 3261 12.2.1.1)."""
        route = f"Route: <sip:{SERVERS[call.server]};lr>"
        message = self._of_call(method, call.count, call.number, f"sip:{GATEWAY}:5060", [route],
                                f";tag=[$tag{call.count}]")
        return self._ask(call.server, message, answers) if answers else self._send(call.server, message)

    # -- sending

    def _send(self, server: str, message: str) -> Script:
        self.scenario.send(SERVERS[server], message)
        return self

    def _ask(self, server: str, message: str, answers: Sequence[int], call: Call | None = None) -> Script:
        self.scenario.ask(SERVERS[server], message, answers, f"tag{call.count}" if call else "")
        return self

    def _ask_in_vain(self, server: str, message: str, gaps: Sequence[float]) -> Script:
        self.scenario.ask_in_vain(SERVERS[server], message, gaps)
        return self
