"""A line: its working server, its registrations, and when it may return to the primary."""

from __future__ import annotations

from msgspec import Struct

from sipaudit.simulate.clock import NEVER, Inbox, Lock
from sipaudit.simulate.message import Endpoint, Message, host_port
from sipaudit.simulate.phone.device import Answer, Phone
from sipaudit.simulate.plan.values import Settings

HEAD = 0  # the index of the primary in the list
EARLY_ENOUGH = 15.0  # seconds: a third of a shorter delay would be within the auditor's tolerances
SAME_FAULT = 60.0    # seconds during which later packets still show the same deviation
LATE_ENOUGH = 25.0   # seconds after which an omitted return is late beyond the tolerances and the time to dial
AFTER_ALL = 30.0     # seconds from the commission of that deviation to the try that is made after all
TRIES = frozenset({  # deviations that are requests to the primary
    "premature-failback", "failback-during-call", "failback-without-registration", "failback-probe-registration",
    "failback-retried-too-often",
})


class Binding(Struct, gc=False):
    """A registration at one server: granted at `since`, alive until `until`, renewed at `renew`."""

    since: float
    until: float
    renew: float


class Line:
    """The state of one registration of a phone (reference-model.md 1: all state is per line)."""

    __slots__ = (
        "aor", "bindings", "call_id", "calls_since", "cseqs", "domain", "down", "due", "failed_tries", "fallback",
        "granted_nothing", "hasty", "home", "lock", "moved_at", "neglected", "nonces", "not_before", "out", "phone",
        "plain", "regime", "renew_at", "restarted", "served", "servers", "settings", "shunned", "tries", "ttl", "user",
        "wake", "working", "wrongs",
    )

    def __init__(self, phone: Phone, user: str, domain: str, servers: list[Endpoint], ttl: float, plain: bool) -> None:
        self.phone = phone
        self.user = user
        self.domain = domain
        self.aor = f"sip:{user}@{domain}"
        self.servers = servers
        self.ttl = ttl
        self.plain = plain     # its servers fail only in unambiguous ways
        self.settings: Settings = phone.group.settings
        self.regime = self.settings.regime
        self.wrongs: set[str] = set(phone.group.deviates)
        self.fallback: Line | None = None   # the same line at its second entry
        self.served = HEAD     # the server that served the line last; a restart does not change it
        self.forget()

    def forget(self) -> None:
        """Reset all state, as at a start of the phone."""
        clock = self.phone.clock
        if self.fallback is not None:
            self.fallback.forget()
        self.working = HEAD
        self.home = HEAD
        self.bindings: dict[int, Binding] = {}
        self.shunned: set[int] = set()
        self.nonces: dict[int, str] = {}
        self.due = NEVER
        self.moved_at = 0.0
        self.renew_at = NEVER
        self.failed_tries = 0
        self.tries: list[float] = []
        self.calls_since = 0
        self.neglected = NEVER
        self.hasty = False
        self.not_before = NEVER
        self.granted_nothing = False
        self.restarted = True  # since the last move
        self.out = False       # the user has logged out
        self.down = False      # all servers of the entry have failed, and none has registered the line since
        self.wake = Inbox(clock)
        self.lock = Lock(clock)
        self.call_id = self.phone.call_id("reg")
        self.cseqs: dict[str, int] = {}

    # -- its properties

    @property
    def gated(self) -> bool:
        """Whether the line registers at a server before it signals there (F6), if it registers at all."""
        return self.regime != "R0" and bool(self.settings.register)

    @property
    def invalidates(self) -> bool:
        """Whether the line gives up its registration at a server that it leaves (F8)."""
        return self.gated and self.regime in ("R2", "R3")

    @property
    def mode(self) -> str:
        return self.settings.failBack_mode

    @property
    def away(self) -> bool:
        return self.working != HEAD

    @property
    def delay(self) -> float:
        """Seconds from a move until the primary may be tried again; endless in mode registration, where the renewal
        decides, and in newRequests."""
        return {"duration": self.settings.timeout, "DNSTTL": self.ttl}.get(self.mode, NEVER)

    def primary_first(self) -> bool:
        """Whether a new call tries the primary first (B1 to B4)."""
        return self.away and (self.mode == "newRequests" or self.phone.clock.now >= self.due)

    def shuns(self, index: int) -> bool:
        """Whether the line sends nothing to this server and accepts nothing from it: R2, the server has failed (F9)."""
        return self.regime == "R2" and index in self.shunned

    def live(self, index: int) -> bool:
        """Whether the line holds a binding at this server."""
        binding = self.bindings.get(index)
        return binding is not None and binding.until > self.phone.clock.now

    def following(self, index: int) -> list[int]:
        """The servers after this one, and then those before it (F1)."""
        count = len(self.servers)
        return [(index + step) % count for step in range(1, count)]

    def place_of(self, server: Endpoint) -> int | None:
        """Which of the line's servers this is, by address (reference-model.md 1)."""
        for index, place in enumerate(self.servers):
            if place[0] == server[0]:
                return index
        return None

    # -- its moves

    def moved(self, old: int, new: int, *, sure: bool = True) -> None:
        """Complete a failover from `old` to `new` (F8, and T0 of B2 to B4). `sure`: its trigger moves a line beyond
        doubt: a call with a 2xx, or a registration at a server with no binding left from an earlier stay."""
        now = self.phone.clock.now
        if self.invalidates:
            self.bindings.pop(old, None)
            self.shunned = {old}
        self._tell("failover", new, sure=sure)
        self.working = new
        self.moved_at = now
        self.granted_nothing = False
        self.failed_tries = self.calls_since = 0
        self.tries = []
        self.neglected = NEVER
        self.due = now + self.delay if new != HEAD else NEVER
        self.hasty = False
        if new != HEAD:
            self._be_wrong_about_time(now)
        self.woken()

    def returned(self, *, by_call: bool | None = None) -> None:
        """Make the primary the working server again; this invalidates no binding (F8)."""
        self._tell("failback", HEAD, sure=self.invalidates if by_call is None else by_call)
        self.working = HEAD
        self.shunned.discard(HEAD)
        self.due = NEVER
        self.woken()

    def try_failed(self) -> None:
        """Restart the failback timer after a failed try (research/polycom.md 3.5)."""
        self.failed_tries += 1
        self.due = self.phone.clock.now + self.delay
        if self.wrong("failback-retried-too-often") and self.delay != NEVER:
            self.due = self.phone.clock.now + self.delay / 20

    def _be_wrong_about_time(self, now: float) -> None:
        """Begin a deviation that is a wrong failback timer: too short, or none."""
        delay = self.delay
        if self.mode == "registration":
            binding = self.bindings.get(self.working if self.gated else self.home)
            delay = NEVER if binding is None else binding.renew - now
        if self.wrong("premature-failback") and EARLY_ENOUGH < delay < NEVER:
            self.due, self.hasty, self.not_before = now + delay / 3, True, now + delay
        elif self.wrong("overdue-failback") and self.delay != NEVER:
            self.due, self.neglected = NEVER, now + self.delay

    def commit_haste(self) -> None:
        """Commit the deviation of a try before its time, if this is one."""
        if self.hasty and self.phone.clock.now < self.not_before - EARLY_ENOUGH / 2:
            if self.phone.sent_at.get(self.servers[HEAD], 0.0) > self.moved_at:
                self.truth("premature-failback", maybe=True)  # an earlier call may count as a failed try
                self.wrongs.discard("premature-failback")
            else:
                self.commit("premature-failback")
        self.hasty = False

    def commit_neglect(self) -> None:
        """Commit the deviation of an omitted try, which the current event shows; a try follows soon after all. A DNS
        lookup of the servers meanwhile counts as contact with the primary in the wide sense that acquits."""
        looked_up = self.phone.must_look_up or self.phone.looked_up_at > self.neglected - LATE_ENOUGH
        self.commit("overdue-failback", maybe=looked_up)
        self.due, self.neglected = self.phone.clock.now + AFTER_ALL, NEVER

    @property
    def acting(self) -> Line:
        """The line at the entry that calls use now."""
        return self.fallback if self.down and self.fallback is not None else self

    def woken(self) -> None:
        """Wake the task that attends the line, so that it recomputes its times."""
        self.wake.put(True)

    def began(self) -> None:
        """Note that the line is registered at the primary after a start."""
        self._tell("unknown", HEAD, sure=False)

    def _tell(self, kind: str, new: int, sure: bool) -> None:
        if self.served != new:
            doubtful = not sure or not self.plain or self.restarted or self.granted_nothing
            self.phone.truth.move(self.aor, kind, self._server(self.served), self._server(new), self.phone.clock.now,
                                  doubtful)
        self.served, self.restarted = new, False

    def _server(self, index: int) -> str:
        return f"{host_port(self.servers[index])}/{self.phone.group.transport}"

    def fails(self, answer: Answer) -> bool:
        """Whether the answer counts as a failure of the server (F2 to F4)."""
        if answer.cause:
            return answer.cause != "abandoned"
        return answer.status == 503 and self.phone.habits.on_503 == "moves" \
            and self.settings.failoverOn503Response != 0

    # -- deviations

    def wrong(self, rule: str) -> bool:
        """Whether this deviation is still to be committed."""
        return rule in self.wrongs

    def begin(self, rule: str) -> bool:
        """Whether this deviation begins with the line's next action; it can then not begin a second time."""
        if rule in self.wrongs:
            self.wrongs.discard(rule)
            return True
        return False

    def commit(self, rule: str, *, slack: float = 1.0, time: float | None = None, maybe: bool = False) -> None:
        """Commit the deviation, now or at `time`; it is not committed again. `maybe`: it need not be found."""
        self.wrongs.discard(rule)
        # a request whose connection cannot be opened never appears on the wire, and may go unnoticed
        unseen = rule in TRIES and self.phone.group.transport != "udp" \
            and not self.phone.network.connects(self.servers[HEAD])
        self.truth(rule, slack=slack, time=time, maybe=unseen or maybe)
        # if the decisive packet is not captured, one of those that follow it may show the deviation
        when = self.phone.clock.now if time is None else time
        self.truth(rule, slack=SAME_FAULT / 2, time=when + SAME_FAULT / 2, maybe=True)

    def neglects(self) -> bool:
        """Whether the try at the primary is overdue beyond doubt: it is late, and the phone was idle long enough."""
        late = self.phone.clock.now - self.neglected
        asked = self.phone.sent_at.get(self.servers[HEAD], 0.0) > self.neglected - LATE_ENOUGH
        if self.regime == "R1" and not self.calls_since:
            return False  # the first call after a failover may go to the server that challenged last (F13)
        return late > LATE_ENOUGH and self.phone.idle_for() > LATE_ENOUGH and not asked

    def hesitates(self) -> bool:
        """Whether a call now would be neither in time nor late beyond doubt; the call is then not made."""
        return self.neglected != NEVER and self.phone.clock.now > self.neglected and not self.neglects()

    def truth(self, rule: str, *, maybe: bool, slack: float = 1.0, time: float | None = None) -> None:
        when = self.phone.clock.now if time is None else time
        phone = f"{self.phone.wire[0]}:{self.phone.wire[1]}" if self.phone.group.shared else None
        self.phone.truth.wrong(self.aor, rule, when, slack, maybe, phone)

    # -- its messages

    @property
    def contact(self) -> str:
        return f"<sip:{self.user}@{self.phone.via}>"

    def request(self, method: str, call_id: str, cseq: int, uri: str, callee: str, from_tag: str, *, to_tag: str = "",
                expires: int | None = None, headers: str = "", body: str = "") -> Message:
        """A request of this line with a new branch."""
        group = self.phone.group
        return Message(
            method, call_id, cseq, self.phone.branch(), self.phone.via, self.aor, callee, from_tag, to_tag,
            uri=uri, contact=self.contact, expires=expires, headers=f"User-Agent: {group.agent}\r\n{headers}",
            body=body, transport=group.transport.upper(),
        )
