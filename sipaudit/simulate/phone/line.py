"""A line: which server it works with, where it is registered, and when it may go home."""

from __future__ import annotations

from msgspec import Struct

from sipaudit.simulate.clock import NEVER, Inbox, Lock
from sipaudit.simulate.message import Endpoint, Message, host_port
from sipaudit.simulate.phone.device import Answer, Phone
from sipaudit.simulate.plan.values import Settings

HEAD = 0  # the place of the primary in the list
EARLY_ENOUGH = 15.0  # seconds: a third of less is within the tolerances of those who judge
SAME_FAULT = 60.0    # seconds for which what follows a deviation still shows it
LATE_ENOUGH = 25.0   # seconds after which a neglected return is late beyond tolerances and the time to dial
AFTER_ALL = 30.0     # seconds from there to the try
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
        self.plain = plain     # its servers fail in ways that leave no doubt whether they did
        self.settings: Settings = phone.group.settings
        self.regime = self.settings.regime
        self.wrongs: set[str] = set(phone.group.deviates)
        self.fallback: Line | None = None   # the same line at its second entry
        self.served = HEAD     # by which server the line was served last; a restart does not change that
        self.forget()

    def forget(self) -> None:
        """As after a start of the phone: nothing is remembered."""
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

    # -- what it is like

    @property
    def gated(self) -> bool:
        """Registers at a server before it signals there (F6), if it registers at all."""
        return self.regime != "R0" and bool(self.settings.register)

    @property
    def invalidates(self) -> bool:
        """Gives up the registration at a server that it leaves (F8)."""
        return self.gated and self.regime in ("R2", "R3")

    @property
    def mode(self) -> str:
        return self.settings.failBack_mode

    @property
    def away(self) -> bool:
        return self.working != HEAD

    @property
    def delay(self) -> float:
        """Seconds from a move until the primary may be tried again; in mode registration the renewal says when."""
        return {"duration": self.settings.timeout, "DNSTTL": self.ttl}.get(self.mode, NEVER)

    def primary_first(self) -> bool:
        """Whether a new call tries the primary first (B1 to B4)."""
        return self.away and (self.mode == "newRequests" or self.phone.clock.now >= self.due)

    def shuns(self, index: int) -> bool:
        """R2: nothing goes to this server, and nothing is taken from it (F9)."""
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

    # -- what becomes of it

    def moved(self, old: int, new: int, *, sure: bool = True) -> None:
        """A failover from `old` to `new` is complete (F8, and T0 of B2 to B4). `sure`: whether what brought it moves a
        line beyond doubt, a call by its 2xx, a registration where none was left of an earlier stay."""
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
        """The primary is the working server again; nothing is invalidated by that (F8)."""
        self._tell("failback", HEAD, sure=self.invalidates if by_call is None else by_call)
        self.working = HEAD
        self.shunned.discard(HEAD)
        self.due = NEVER
        self.woken()

    def try_failed(self) -> None:
        """The timer starts again (research/polycom.md 3.5)."""
        self.failed_tries += 1
        self.due = self.phone.clock.now + self.delay
        if self.wrong("failback-retried-too-often") and self.delay != NEVER:
            self.due = self.phone.clock.now + self.delay / 20

    def _be_wrong_about_time(self, now: float) -> None:
        """A deviation that is a wrong timer: too soon, or none."""
        delay = self.delay
        if self.mode == "registration":
            binding = self.bindings.get(self.working if self.gated else self.home)
            delay = NEVER if binding is None else binding.renew - now
        if self.wrong("premature-failback") and EARLY_ENOUGH < delay < NEVER:
            self.due, self.hasty, self.not_before = now + delay / 3, True, now + delay
        elif self.wrong("overdue-failback") and self.delay != NEVER:
            self.due, self.neglected = NEVER, now + self.delay

    def commit_haste(self) -> None:
        """Deviation: a try that comes before its time."""
        if self.hasty and self.phone.clock.now < self.not_before - EARLY_ENOUGH / 2:
            if self.phone.sent_at.get(self.servers[HEAD], 0.0) > self.moved_at:
                self.truth("premature-failback", maybe=True)  # a call of before may count as a try that failed
                self.wrongs.discard("premature-failback")
            else:
                self.commit("premature-failback")
        self.hasty = False

    def commit_neglect(self) -> None:
        """Deviation: what happens now shows that no try was made; soon there is one after all. Who looks the servers up
        meanwhile has a contact with the primary, in the wide sense that acquits."""
        looked_up = self.phone.must_look_up or self.phone.looked_up_at > self.neglected - LATE_ENOUGH
        self.commit("overdue-failback", maybe=looked_up)
        self.due, self.neglected = self.phone.clock.now + AFTER_ALL, NEVER

    @property
    def acting(self) -> Line:
        """The line at the entry by which calls go now."""
        return self.fallback if self.down and self.fallback is not None else self

    def woken(self) -> None:
        """Whoever attends the line counts its times anew."""
        self.wake.put(True)

    def began(self) -> None:
        """The line is registered at the primary after a start."""
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
        """Whether the answer is a failure of the server (F2 to F4)."""
        if answer.cause:
            return answer.cause != "abandoned"
        return answer.status == 503 and self.phone.habits.on_503 == "moves" \
            and self.settings.failoverOn503Response != 0

    # -- deviations

    def wrong(self, rule: str) -> bool:
        """Whether this deviation is still to be committed."""
        return rule in self.wrongs

    def begin(self, rule: str) -> bool:
        """Whether this deviation begins with what the line does next; no second one begins meanwhile."""
        if rule in self.wrongs:
            self.wrongs.discard(rule)
            return True
        return False

    def commit(self, rule: str, *, slack: float = 1.0, time: float | None = None, maybe: bool = False) -> None:
        """The deviation happens, now or at `time`; it is not committed again. `maybe`: it need not be found."""
        self.wrongs.discard(rule)
        # a request for which no connection is opened is on no wire, and may pass unseen
        unseen = rule in TRIES and self.phone.group.transport != "udp" \
            and not self.phone.network.connects(self.servers[HEAD])
        self.truth(rule, slack=slack, time=time, maybe=unseen or maybe)
        # where the packet that condemns is not captured, one of those that follow it may
        when = self.phone.clock.now if time is None else time
        self.truth(rule, slack=SAME_FAULT / 2, time=when + SAME_FAULT / 2, maybe=True)

    def neglects(self) -> bool:
        """Whether it is late by now that the primary was not tried, the phone having been idle long enough."""
        late = self.phone.clock.now - self.neglected
        asked = self.phone.sent_at.get(self.servers[HEAD], 0.0) > self.neglected - LATE_ENOUGH
        if self.regime == "R1" and not self.calls_since:
            return False  # the first call after a failover may go to who challenged last (F13)
        return late > LATE_ENOUGH and self.phone.idle_for() > LATE_ENOUGH and not asked

    def hesitates(self) -> bool:
        """Whether a call now would be neither in time nor late beyond doubt; it is then not made."""
        return self.neglected != NEVER and self.phone.clock.now > self.neglected and not self.neglects()

    def truth(self, rule: str, *, maybe: bool, slack: float = 1.0, time: float | None = None) -> None:
        when = self.phone.clock.now if time is None else time
        phone = f"{self.phone.wire[0]}:{self.phone.wire[1]}" if self.phone.group.shared else None
        self.phone.truth.wrong(self.aor, rule, when, slack, maybe, phone)

    # -- what it says

    @property
    def contact(self) -> str:
        return f"<sip:{self.user}@{self.phone.via}>"

    def request(self, method: str, call_id: str, cseq: int, uri: str, callee: str, from_tag: str, *, to_tag: str = "",
                expires: int | None = None, headers: str = "", body: str = "") -> Message:
        """A request of this line with a branch of its own."""
        group = self.phone.group
        return Message(
            method, call_id, cseq, self.phone.branch(), self.phone.via, self.aor, callee, from_tag, to_tag,
            uri=uri, contact=self.contact, expires=expires, headers=f"User-Agent: {group.agent}\r\n{headers}",
            body=body, transport=group.transport.upper(),
        )
