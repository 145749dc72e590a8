"""All lines replayed side by side: events in, faults and histories out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from sipaudit.incidents.watch import Watch
from sipaudit.model.absorb import absorb_line
from sipaudit.model.absorb_phone import absorb_phone
from sipaudit.model.events import NO_LINE, Answered, Booted, Lost, ModelEvent, Received, Replied, Sent
from sipaudit.model.observations import Observation, Verdict
from sipaudit.model.proofs import next_deadline, settle
from sipaudit.model.replay import step
from sipaudit.model.state import NOBODY, NOTHING
from sipaudit.model.values import Reason
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.rulebook.fault import LOSS_ALLOWED
from sipaudit.rulebook.faults import Faults
from sipaudit.rulebook.rules import IncidentKind, Rule
from sipaudit.run.calls import CallFollowers
from sipaudit.run.deadlines import Deadlines
from sipaudit.run.fallbacks import Fallbacks
from sipaudit.run.line_replay import LineReplay, Shared
from sipaudit.run.naming import Naming
from sipaudit.run.passing import Passing
from sipaudit.run.profiles import Profiles
from sipaudit.run.registrations import Registrations
from sipaudit.run.replays import Replays

RENEWS_WITHIN = 1.0   # seconds to wait for the rest of what looks like a mere renewal, when nothing else comes


class Auditor:
    """Replays every line. `lines` and `phones` are reconstruction's records, `since` the time before which nothing is
    reported, `loss` returns the share of packets that the captures lack.

    `kinds` are the incidents to look for. `rolling`: the run has no end, so that `forget` and `release` are called, and
    a full table makes room for new items.
    """

    __slots__ = ("_anew", "_deadlines", "_followers", "_lines", "_passed", "_passing", "_phones", "_renewals", "_timed",
                 "calls", "fallbacks", "faults", "loss", "naming", "profiles", "registrations", "replays", "since",
                 "watch")

    def __init__(self, rules: Iterable[Rule], lines: dict[int, Line], phones: dict[int, Phone], naming: Naming,
                 profiles: Profiles, kinds: Iterable[IncidentKind], *, since: float, loss: Callable[[], float],
                 rolling: bool) -> None:
        self._phones = profiles.phones
        self.profiles = profiles
        self.faults = Faults(rules)
        self.replays = Replays(lines, phones)
        self.watch = Watch(kinds, self.replays.of_line, self._is_lossy, rolling=rolling)
        self.replays.shared = Shared(naming, profiles.full, self.watch.lost_from_sight)
        self.fallbacks = Fallbacks(self.watch)
        self.since = since
        self.loss = loss
        self._lines = lines
        self.naming = naming
        self._deadlines = Deadlines(self._phones, self._say)
        self._timed = self._deadlines.by_phone
        self.registrations = Registrations(lines, self.replays, self._phones, self._timed, self.faults, self.watch,
                                           self._follow)
        self._renewals = self.registrations.renewals
        self.calls = CallFollowers(self.replays, self._phones, self._timed, self.watch)
        self._followers = self.calls.followers
        self._passing = Passing(self.faults)
        self._passed = False
        self._anew = False   # whether the view began anew: answers may be to requests from before

    def take(self, event: ModelEvent) -> None:
        """Process one event of a line, or of a whole phone."""
        if self._passed:
            for replay in self._passing.came(event.phone, event.time):
                self._deadlines.wait(event.phone, replay, replay.waiting)
        number = event.phone
        is_followed = number in self._followers
        if is_followed and self.calls.takes(event):   # of a line with nothing wrong
            return
        if (type(event) is Received or (type(event) is Replied and number not in self._timed)) \
                and self.replays.is_idle(event.line, event.server):   # it changes nothing
            self.watch.passes_by(event)
            return
        if is_followed:
            self.calls.end(number)
        registers = type(event) is Sent and event.method == "REGISTER"
        if (registers or number in self._renewals or number not in self._phones) and self.registrations.takes(event):
            return
        if type(event) is Sent and not registers and self.calls.begins(event):
            return
        self._follow(event)

    def lets_pass(self, line: int, server: str, time: float) -> bool:
        """Whether `take` would only advance the time for a server's request to a line (outside calls), or for the
        phone's answer. If so, the time was advanced (`reconstruct.notified`)."""
        if self._passed or not self.replays.is_idle(line, server):
            return False
        self.watch.pass_time(time)
        return True

    def _follow(self, event: ModelEvent) -> None:
        """Judge and absorb one event."""
        number, faults = event.phone, self.faults
        if number in self._timed:
            self._deadlines.pass_time(number, event.time)
        if self._anew and type(event) is Answered and not self.profiles.began <= event.request_time <= event.time:
            self.watch.pass_time(event.time)   # the phone may have given that request up, and moved, before (F2)
            return
        if event.line == NO_LINE:
            self._take_phone(event)
            return
        replay = self.replays.of(event)
        phone, waiting = self._phones.get(number, NOBODY), replay.waiting
        taken = step(replay.written, phone, event, replay.full, waiting, replay.profile)
        if taken.waiting is not waiting:
            self._deadlines.wait(number, replay, taken.waiting)
        self._phones[number] = taken.phone
        if taken.before is not taken.after:
            replay.written = taken.after
            replay.own_history().take(taken, replay)
        elif replay.kept is not None and replay.kept.tries and replay.kept.is_trying:   # a 480 only settles a try
            replay.kept.take(taken, replay)
        if type(event) is Answered and event.line in self.replays.dispersed:
            self.fallbacks.take(event, replay, self.replays.of_line(event.line), phone)
        if number in self._timed and isinstance(event, Sent | Replied | Received) and event.call is not None:
            self._deadlines.spoken(number, event, replay)
        self.watch.follow(taken, replay, phone)
        if (taken.observations or faults.open) and event.time >= self.since:
            faults.take(taken, replay)

    def _say(self, observations: tuple[Observation, ...], replay: LineReplay) -> None:
        self.faults.judge_all((one for one in observations if one.event.time >= self.since), replay)

    def pass_time(self, now: float) -> None:
        """No packet has come until `now`: settle whatever that decides, of every line. A packet that comes late after
        all takes it back."""
        self._passed = True
        self.registrations.let_go(now - RENEWS_WITHIN)
        for phone, replays in tuple(self._timed.items()):
            for replay in replays:
                if next_deadline(replay.waiting) < now:
                    self._passing.note(phone, now, replay, replay.waiting)
            self._deadlines.pass_time(phone, now)
        self.watch.pass_time(now)

    def finish(self, now: float) -> None:
        """The captures have ended at `now`: verdicts that still wait stay undecided."""
        self.registrations.let_go()
        self.calls.end_all()
        for phone in tuple(self._timed):
            self._deadlines.pass_time(phone, now)
        for replay in self.replays:
            self._say(replay.waiting, replay)
        self.watch.finish(now)

    def _is_lossy(self) -> bool:
        return self.loss() > LOSS_ALLOWED

    def view_begins(self, now: float) -> None:
        """Nothing was seen for a while until `now`, and phones may have done anything: their state starts afresh, and
        verdicts that waited for a packet stay undecided."""
        self.registrations.end_all()
        self.calls.end_all()
        for replay in self.replays:
            self._say(replay.waiting, replay)
            replay.own_history().view_begins(replay.state, now, replay.track)
            replay.waiting, replay.written = (), NOTHING
        self.fallbacks.clear()
        self._timed.clear()
        self._phones.clear()
        self.faults.open.clear()
        self.watch.view_begins(now)
        self.profiles.began = now
        self._anew = True

    def set_back(self, before: float, now: float) -> None:
        """The clock was set back, from `before` to `now`. Findings stand, but the stored state has times in the future
        of the events to come: neither may be judged by the other."""
        self.view_begins(before)
        self.profiles.began = now
        self._passing = Passing(self.faults)
        self.faults.begin_anew()
        self.watch.set_back(now)
        for line in self._lines.values():
            line.since = min(line.since, now)

    def begin_anew(self, lines: Iterable[int]) -> None:
        """The declaration of these lines has changed: they are judged as if first seen now."""
        self.registrations.let_go()
        for line in map(self._lines.__getitem__, lines):
            self.registrations.end_renewals(line.phone)
            self.calls.end(line.phone)
            self.fallbacks.release(line.number)
            for replay in self.replays.drop(line):
                self._say(replay.waiting, replay)
                self._deadlines.wait(line.phone, replay, ())

    # -- what need not be remembered

    def forget(self, before: float) -> None:
        """Forget what was over and reported before that time (seconds since the epoch): faults that nothing can join,
        incidents, minutes, and of the lines' histories all but where the lines are."""
        self.faults.forget(before, {(line.aor, line.owner.address) for line in self._lines.values()})
        self.watch.forget(before)
        self._passing.forget(before)
        self.fallbacks.forget(before)
        for replay in self.replays:
            replay.history.forget(before)

    def release(self, lines: Sequence[Line], phones: Sequence[Phone]) -> None:
        """Reconstruction has forgotten these lines and phones: verdicts that still wait will never be settled."""
        for line in lines:
            self.registrations.release(line)
            self.calls.end(line.phone)
            self.fallbacks.release(line.number)
            for replay in self.replays.drop(line):
                self._say(tuple(map(_evicted, replay.waiting)), replay)
                if line.phone in self._timed:
                    self._deadlines.wait(line.phone, replay, ())
        numbers = {line.number for line in lines}
        gone = {phone.number for phone in phones}
        self._passing.release({line.phone for line in lines})
        for number in gone:
            self.calls.end(number)
            self._phones.pop(number, None)
            self._timed.pop(number, None)
        shared = {(kept.aor, kept.phone) for owner in {line.owner for line in lines} for kept in owner.lines
                  if kept.number in self._lines}
        self.faults.release([(line.aor, line.owner.address) for line in lines
                             if (line.aor, line.phone) not in shared], gone)
        self.watch.release(numbers, gone)

    @property
    def evicted(self) -> dict[str, int]:
        """How much the bounds evicted, or turned away, by kind."""
        counts = {"findings": self.faults.evicted, **self.watch.evicted}
        return {kind: count for kind, count in counts.items() if count}

    @property
    def open(self) -> dict[str, int]:
        """How much is stored now, by kind."""
        replays, registrations = list(self.replays), self.registrations
        rows = sum(len(one.history.moves) + len(one.history.tries) + len(one.history.ended) for one in replays)
        phones = self._phones.keys() | registrations.renewals.keys()
        return {"replays": len(replays), "phone-states": len(phones), "waiting": len(self._timed),
                "renewals": len(registrations.under_way), "findings": len(self.faults.done),
                "checks": len(self.faults.checks), "history": rows, **self.watch.open}

    def _take_phone(self, event: ModelEvent) -> None:
        before, replays = self._phones.get(event.phone, NOBODY), self.replays.of_phone(event.phone)
        self._phones[event.phone] = absorb_phone(before, event)
        self.watch.of_phone(event, replays, before)
        if isinstance(event, Lost):
            self.faults.doubt(event)
        if not isinstance(event, Booted):
            return
        if not event.possible:
            self.faults.started(event.phone)
        for replay in replays:
            said, waiting = settle(replay.waiting, event, self._phones[event.phone])
            self._deadlines.wait(event.phone, replay, waiting)
            self._say(said, replay)
            if not event.possible:   # its registrations are over, but belong to its history
                replay.own_history().view_begins(replay.state, event.time, replay.track)
            replay.written = absorb_line(replay.written, self._phones[event.phone], event)


def _evicted(waiting: Observation) -> Observation:
    """A verdict that waits for a sign becomes inconclusive; one that only waits for others of its event stands."""
    if not waiting.awaited:
        return waiting
    return replace(waiting, verdict=Verdict.INCONCLUSIVE, reason=Reason.EVICTED, unless=None, awaited=())
