"""The scenes of the lab: phones with their settings and scripts, and what happens to the servers meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.lab.ground import DOMAIN, NAMES, PHONES, RETRIES, SERVERS
from tests.lab.script import Script
from tests.lab.softphone import Softphone
from tests.stories import R0, R1, R2, R3, Settings

REGIMES = {"R0": R0, "R1": R1, "R2": R2, "R3": R3}


@dataclass(frozen=True)
class Event:
    """At this second of the scene `what` is done to `whom`: a server, a phone, or a percentage."""

    time: float
    what: str
    whom: str


@dataclass
class Phone:
    """A phone that SIPp plays. `answers`: it accepts incoming calls; `lines`: the number of its lines."""

    label: str
    settings: Settings
    script: Script
    answers: bool = False
    lines: int = 1


@dataclass
class Scene:
    """A network of its own for a minute or two. `kind` says in words what happens to it, `cause` (contract.md 3) why
    its phones first move."""

    name: str
    kind: str
    cause: str
    seconds: float
    settings: Settings
    servers: str = "PS"
    challenged: bool = False
    expires: int = 3600
    phones: list[Phone] = field(default_factory=list)
    softphones: list[Softphone] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    lookups: list[tuple[float, str]] = field(default_factory=list)   # second, and address of the phone

    @property
    def loses(self) -> bool:
        """Whether packets are lost at random, so that a phone may fail to finish its script by chance."""
        return any(event.what == "lose" for event in self.events)

    def fewest(self, whole: int) -> int:
        """How many of `whole` phones must finish their scripts."""
        return whole - whole // 3 if self.loses else whole

    def phone(self, label: str, regime: str, settings: Settings | None = None, *, answers: bool = False) -> Script:
        """Add a phone; the caller writes its life into the returned script."""
        user, address = self._next()
        of_all = {**self.settings, "retryMaxCount": RETRIES, "expires": self.expires}
        chosen = {**REGIMES[regime], **of_all, **(settings or {})}
        script = Script(user, address, challenged=self.challenged, expires=chosen["expires"])
        self.phones.append(Phone(f"{regime}: {label}", chosen, script, answers))
        return script

    def another_line(self, script: Script) -> Script:
        """Add a second line to the newest phone."""
        self.phones[-1].lines += 1
        return script.another_line(f"{int(script.user) + 500}")

    def softphone(self, transport: str = "udp") -> Softphone:
        phone = Softphone(*self._next(), transport)
        self.softphones.append(phone)
        return phone

    def _next(self) -> tuple[str, str]:
        number = len(self.phones) + len(self.softphones) + 1
        return f"{1000 + number}", f"{PHONES}{10 + number}"

    def event(self, time: float, what: str, whom: str) -> None:
        self.events.append(Event(time, what, whom))

    def site(self) -> dict[str, Any]:
        """The site file as an administrator would write it."""
        entry = [{"name": NAMES[key], "address": SERVERS[key]} for key in self.servers]
        lines = [
            {"match": {"address": phone.script.address}, "entry": "sbc", "label": phone.label,
             "settings": phone.settings} for phone in self.phones
        ]
        lines += [
            {"match": {"address": phone.address}, "entry": "sbc", "label": f"baresip over {phone.transport}",
             "settings": {"reRegisterOn": 0, "expires": phone.interval}} for phone in self.softphones
        ]
        return {"entries": {"sbc": entry}, "lines": lines}

    def lines(self) -> int:
        return sum(phone.lines for phone in self.phones) + len(self.softphones)

    def breaches(self) -> list[tuple[str, str]]:
        """AOR and rule of every deliberate breach."""
        return [(aor(phone.script.user), breach.rule) for phone in self.phones for breach in phone.script.breaches]


def aor(user: str) -> str:
    return f"sip:{user}@{DOMAIN}"
