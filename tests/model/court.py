"""The findings of a history: every line is replayed, with the state that lines of one phone share, as the auditor does
it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sipaudit.model.absorb import absorb_line
from sipaudit.model.absorb_phone import absorb_phone
from sipaudit.model.events import NO_LINE, Booted, ModelEvent
from sipaudit.model.observations import Observation
from sipaudit.model.profile import Profile
from sipaudit.model.proofs import next_deadline, pass_time
from sipaudit.model.replay import step
from sipaudit.model.state import LineState, PhoneState
from sipaudit.model.transcript import Transcript
from sipaudit.model.values import Finding
from sipaudit.rulebook.faults import Faults
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.trial import ScenarioLine
from tests.model.fleet.habits import REGIMES, Habits
from tests.model.fleet.story import History

PACK = load_pack().rules
LONG_BEFORE = -1e5   # seconds: a view that begins here covers everything
RULES = frozenset(rule.id for rule in PACK)
NAMES = {"P": "10.0.0.1:5060", "S": "10.0.0.2:5060", "T": "10.0.0.3:5060", "U": "10.0.0.4:5060"}


@dataclass
class Replay:
    """The replay of one line."""

    number: int
    subject: ScenarioLine
    state: LineState = field(default_factory=LineState)
    waiting: tuple[Observation, ...] = ()
    observations: list[Observation] = field(default_factory=list)


class Court:
    """Lines of several phones, side by side. `profiles` are (from when, profile), the same for all lines."""

    def __init__(self, profiles: Sequence[tuple[float, Profile]]) -> None:
        self.profiles = profiles
        self.faults = Faults(PACK)
        self.phones: dict[int, PhoneState] = {}
        self.replays: dict[tuple[int, int], Replay] = {}

    def take(self, events: Iterable[ModelEvent]) -> None:
        for event in events:
            self.pass_time(event.phone, event.time)
            if event.line == NO_LINE:
                self._take_phone(event)
            else:
                self._take_line(event)

    def pass_time(self, phone: int, now: float, *, always: bool = False) -> None:
        """Settle what the passing of time decides; with `always`, even if no observation has reached its deadline."""
        for replay in self._of(phone):
            if always or next_deadline(replay.waiting) < now:
                said, replay.waiting = pass_time(replay.waiting, now, self.phones[phone])
                replay.observations += said
                self.faults.judge_all(said, replay.subject)

    def _take_line(self, event: ModelEvent) -> None:
        replay = self._replay(event.phone, event.line)
        taken = step(replay.state, self.phones.get(event.phone) or PhoneState(), event,
                     lambda: self.profile(event.time), replay.waiting)
        replay.state, replay.waiting, self.phones[event.phone] = taken.after, taken.waiting, taken.phone
        replay.observations += taken.observations
        self.faults.take(taken, replay.subject)

    def _take_phone(self, event: ModelEvent) -> None:
        phone = self.phones[event.phone] = absorb_phone(self.phones.get(event.phone) or PhoneState(), event)
        if isinstance(event, Booted):
            for replay in self._of(event.phone):
                replay.state = absorb_line(replay.state, phone, event)

    def profile(self, time: float) -> Profile:
        return next(profile for since, profile in reversed(self.profiles) if since <= time)

    def _of(self, phone: int) -> list[Replay]:
        return [replay for (owner, _), replay in self.replays.items() if owner == phone]

    def _replay(self, phone: int, line: int) -> Replay:
        if (phone, line) not in self.replays:
            subject = ScenarioLine(self.profiles[0][1], NAMES, f"line {line}", f"phone {phone}")
            self.replays[phone, line] = Replay(line, subject)
        return self.replays[phone, line]


def findings(history: History) -> list[Finding]:
    """All findings of a history."""
    court = Court(history.profiles)
    court.take(history.events)
    return court.faults.findings()


def scenario(habits: Habits, events: Iterable[ModelEvent], line: int, begins: float = LONG_BEFORE) -> str:
    """One line of a history in the scenario language, so that it can be judged again by hand; the view begins at
    `begins`."""
    shown = {name: key for name, key in NAMES.items() if key in habits.servers}
    re_register, fail, only = REGIMES[habits.regime]
    settings = {
        "reRegisterOn": re_register, "failRegistrationOn": fail, "onlySignalWithRegistered": only,
        "failBack.mode": habits.mode, "failBack.timeout": habits.timeout, "expires": habits.expires,
        **({"retryTimeOut": habits.retry_timeout, "retryMaxCount": habits.retry_count}
           if habits.timers_declared else {}),
        **{name: value for name, value in (
            ("expires.overlap", habits.overlap), ("tcpFastFailover", habits.fast_tcp),
            ("failoverOn503Response", habits.on_503)) if value is not None},
    }
    head = ["entry: " + " ".join(shown)]
    if habits.declared:
        head.append("settings: " + " ".join(f"{name}={value}" for name, value in settings.items()))
    head.append(f"agent: VVX_500 {habits.firmware or ''}".rstrip())
    if habits.ttl is not None and not habits.ttl_seen:
        head.append(f"ttl: {habits.ttl[0]}")
    if begins > LONG_BEFORE:
        head.append(f"covered: {-begins:.3f}")
    transcript = Transcript(shown, 0.0)
    return "\n".join(head + [transcript.line(event) for event in events if event.line in (line, NO_LINE)])
