"""All lines replayed side by side: events in, faults and histories out.

State is kept per line and server entry: moving between the entries of a line is
fallback, to which no failover rule applies (reference-model.md 1, *server
entry*), so each entry has a replay of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from sipaudit.incidents.watch import Watch
from sipaudit.model.absorb import absorb_line
from sipaudit.model.absorb_phone import absorb_phone
from sipaudit.model.arrival import Arriving, begins_to_register
from sipaudit.model.events import NO_LINE, Answered, Booted, Lost, ModelEvent, Received, Replied, Sent
from sipaudit.model.observations import Observation, Verdict
from sipaudit.model.profile import Profile
from sipaudit.model.proofs import next_deadline, settle
from sipaudit.model.replay import advance, step
from sipaudit.model.routine import BEGUN, DONE, OFF, ON, Renewals, begins
from sipaudit.model.settings import Tolerances
from sipaudit.model.stakes import at_home, leaves_alone
from sipaudit.model.state import LineState, PhoneState
from sipaudit.model.values import Reason
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.rulebook.fault import LOSS_ALLOWED
from sipaudit.rulebook.faults import Faults
from sipaudit.rulebook.rules import IncidentKind, Rule
from sipaudit.run.line_replay import LineReplay
from sipaudit.run.naming import Naming
from sipaudit.run.passing import Passing

RENEWS_WITHIN = 1.0   # seconds that what looks like a mere renewal is waited for, when nothing else comes
NOBODYS = -1       # index of the replay for servers outside of all entries of the line


def _nothing_lost() -> float:
    return 0.0


class Auditor:
    """Replays every line. `lines` are reconstruction's records, `since` the time before which nothing is reported.

    `kinds` are the incidents to look for. (`rolling`) it runs without an end: `forget` and `release` are called, and a
    full table makes room for what is new.
    (`in_short`) reconstruction may tell of mere renewals without events: nobody else wants them.
    `began` is since when the captures show all, `loss` the share of packets they lack, `steps` where a clock was set,
    `tolerances_of` those of single expectations, where they differ from `tolerances`.
    """

    def __init__(self, rules: Iterable[Rule], lines: dict[int, Line], naming: Naming, tolerances: Tolerances,
                 kinds: Iterable[IncidentKind] = (), *, rolling: bool = False) -> None:
        self.faults = Faults(rules)
        self.watch = Watch(kinds, self._siblings, self._is_lossy, rolling=rolling)
        self.since = float("-inf")
        self.began = 0.0
        self.loss: Callable[[], float] = _nothing_lost
        self.steps: Callable[[], tuple[tuple[int, int, float], ...]] = tuple
        self._lines = lines
        self._naming = naming
        self._profile_of = self._full   # one for all lines
        self.tolerances_of: Mapping[str, Tolerances] = {}
        self._tolerances = tolerances
        self._phones: dict[int, PhoneState] = {}
        self._replays: dict[int, list[LineReplay]] = {}
        self._lines_of: dict[int, list[int]] = {}
        self._timed: dict[int, set[LineReplay]] = {}
        self._renewals: dict[int, Renewals] = {}   # by phone: the one line of which nothing but these was seen lately
        self._under_way: dict[int, None] = {}      # phones of which a renewal has begun, the oldest first
        self._arriving: dict[int, tuple[Arriving, LineReplay]] = {}   # phones that register for the first time
        self.in_short = True
        self._passing: Passing[LineReplay] = Passing(self.faults)
        self._passed = False

    def take(self, event: ModelEvent) -> None:
        """One event of one line, or of a whole phone."""
        if self._passed:
            for replay in self._passing.came(event.phone, event.time):
                self._time(event.phone, replay, replay.waiting)
        if (type(event) is Received or type(event) is Replied) and self._passes_by(event):
            self.watch.passes_by(event)
            return
        renewals = self._renewals.get(event.phone)
        if renewals is not None:
            way = renewals.take(event) if not renewals.moved or self._is_at_home(renewals) else OFF
            if way is ON:
                return
            if way is DONE:
                renewals.done(event)  # type: ignore[arg-type]
                if self.in_short:   # what was declared of it since is no hindrance (`_is_at_home`)
                    self._lines[renewals.line].renewals = renewals
                return
            if way is BEGUN:
                return
            self._end_renewals(event.phone)
        if event.phone not in self._phones and self._arrives(event):
            return
        if not self._begins_renewal(event):
            self._follow(event)

    def _passes_by(self, event: Received | Replied) -> bool:
        """Whether the event changes nothing of what is known of its line and phone, and ends no renewals."""
        replays = self._replays.get(event.line)
        if replays is None or len(replays) != 1:
            return False
        replay = replays[0]
        return replay.index == 0 and not replay.waiting and leaves_alone(replay.written, event) \
            and replay.follows(event.server)

    def _arrives(self, event: ModelEvent) -> bool:
        """Take an event of a phone of which nothing is written yet, if it is of its first registration: at the end of
        that its states are written (`model.arrival`). False if it is something else."""
        known = self._arriving.get(event.phone)
        if known is None:
            return self._begins_to_arrive(event)
        arriving, replay = known
        # DNS, or what the phone says it is, may show meanwhile that the server is of another entry
        same = replay.follows(arriving.first.server) and not (self.faults.open and self._may_rearm(replay.record))
        way = arriving.take(event) if same else OFF
        if way is OFF:
            self._end_arrival(event.phone)
            return False
        if type(event) is Sent:
            self.watch.registers(event, replay)
            return True
        self.watch.answers(event, replay)   # type: ignore[arg-type]
        if way is DONE:
            del self._arriving[event.phone]
            replay.written, self._phones[event.phone] = arriving.done(event)   # type: ignore[arg-type]
            self.watch.arrived(event, replay)   # type: ignore[arg-type]
            self._may_renew(event, replay)   # type: ignore[arg-type]
        return True

    def _begins_to_arrive(self, event: ModelEvent) -> bool:
        """The same of the first event of a phone."""
        phone = event.phone
        if phone in self._lines_of or not begins_to_register(event) \
                or (self.faults.open and self._may_rearm(self._lines[event.line])):
            return False
        replay = self._replay(event)
        if replay.index != 0:
            return False
        self._arriving[phone] = Arriving(event), replay   # type: ignore[arg-type]
        self.watch.registers(event, replay)   # type: ignore[arg-type]
        return True

    def _may_rearm(self, line: Line) -> bool:
        """Whether a fault is open of a line of that name, maybe of one that was forgotten."""
        return (line.aor, line.owner.address) in self.faults.open

    def _end_arrival(self, phone: int) -> None:
        """Write down what came of the phone's first registration, since something else comes, or nothing does."""
        arriving, replay = self._arriving.pop(phone)
        replay.written, self._phones[phone] = arriving.so_far()

    def _begins_renewal(self, event: ModelEvent) -> bool:
        """Whether the event may be the first of a mere renewal: then it is only remembered (`model.routine`)."""
        if type(event) is not Sent or event.follows is not None:
            return False
        replays, phone = self._replays.get(event.line), self._phones.get(event.phone)
        if replays is None or len(replays) != 1 or phone is None:
            return False
        replay = replays[0]
        if replay.waiting or event.phone in self._timed or not begins(replay.written, phone, event, replay.profile):
            return False
        renewals = self._may_renew(event, replay)
        if self.in_short:
            renewals.adopt(event)
        return True

    def _may_renew(self, event: Sent | Answered, replay: LineReplay) -> Renewals:
        """From this event on nothing but mere renewals is awaited of the line."""
        renewals = Renewals(replay.written, event, self._under_way, self.watch.renewed)
        replay.renewals = self._renewals[event.phone] = renewals
        if self.in_short:
            replay.record.renewals = renewals
        return renewals

    def _is_at_home(self, renewals: Renewals) -> bool:
        """Whether a line that came from another server works with its primary still, as far as DNS tells."""
        return at_home(renewals.server, self._replays[renewals.line][0].profile)

    def _end_renewals(self, phone: int, *, follow: bool = True) -> None:
        """Write down the phone's renewals, and follow the one that has begun."""
        renewals = self._renewals.pop(phone, None)
        if renewals is None:
            return
        self._under_way.pop(phone, None)
        self._phones[phone] = renewals.phone_after(self._phones[phone])
        for replay in self._replays.get(renewals.line, ()):
            replay.write_down()
        for event in renewals.under_way() if follow else ():
            self._follow(event)

    def _follow(self, event: ModelEvent) -> None:
        """One event, judged and absorbed."""
        if event.phone in self._timed:
            self._pass_time(event.phone, event.time)
        if event.line == NO_LINE:
            self._take_phone(event)
            return
        replay = self._replay(event)
        phone = self._phones.get(event.phone) or PhoneState()
        taken = step(replay.written, phone, event, replay.full, replay.waiting, replay.profile)
        if taken.waiting is not replay.waiting:
            self._time(event.phone, replay, taken.waiting)
        replay.written, replay.waiting = taken.after, taken.waiting
        self._phones[event.phone] = taken.phone
        if taken.before is not taken.after:
            replay.history.take(taken, replay)
        self.watch.follow(taken, replay, phone)
        if event.time >= self.since and (taken.observations or self.faults.open):
            self.faults.take(taken, replay)

    def _time(self, phone: int, replay: LineReplay, waiting: tuple[Observation, ...]) -> None:
        """Note whether something of this line waits for time to pass."""
        timed = self._timed.setdefault(phone, set())
        timed.discard(replay)
        if next_deadline(waiting) != float("inf"):
            timed.add(replay)
        if not timed:
            del self._timed[phone]

    def _pass_time(self, phone: int, now: float) -> None:
        """What of the phone's lines the passing of time settles, before what happens now is known."""
        for replay in tuple(self._timed[phone]):
            if next_deadline(replay.waiting) < now:
                said, replay.waiting = advance(replay.waiting, self._phones[phone], now)
                self._time(phone, replay, replay.waiting)
                self._say(said, replay)

    def _say(self, observations: tuple[Observation, ...], replay: LineReplay) -> None:
        self.faults.judge_all((one for one in observations if one.event.time >= self.since), replay)

    def pass_time(self, now: float) -> None:
        """Nothing has come until `now`: what that settles, of every line. What comes late after all takes it back."""
        self._passed = True
        self._let_go(now - RENEWS_WITHIN)
        for phone, replays in tuple(self._timed.items()):
            for replay in replays:
                if next_deadline(replay.waiting) < now:
                    self._passing.note(phone, now, replay, replay.waiting)
            self._pass_time(phone, now)
        self.watch.pass_time(now)

    def _let_go(self, before: float = float("inf")) -> None:
        """Follow the renewals, and write down the first registrations, that began before then and were not ended."""
        for phone, (arriving, _) in tuple(self._arriving.items()):
            if arriving.first.time < before:
                self._end_arrival(phone)
        for phone in tuple(self._under_way):
            began = self._renewals[phone].began
            if began is not None and began < before:
                self._end_renewals(phone)

    def finish(self, now: float) -> None:
        """The captures have ended at `now`: what still waits to be settled stays undecided."""
        self._let_go()
        for phone in tuple(self._timed):
            self._pass_time(phone, now)
        for replays in self._replays.values():
            for replay in replays:
                self._say(replay.waiting, replay)
        self.faults.finish(self.loss())
        self.watch.finish(now)

    def _is_lossy(self) -> bool:
        return self.loss() > LOSS_ALLOWED

    def view_begins(self, now: float) -> None:
        """Nothing was seen for a while until `now`, and phones may have done anything: what is known of their state
        begins anew, and what waited for a packet stays undecided."""
        self._let_go()
        for phone in tuple(self._renewals):
            self._end_renewals(phone)
        for replays in self._replays.values():
            for replay in replays:
                self._say(replay.waiting, replay)
                replay.history.view_begins(replay.state, now, replay.track)
                replay.waiting, replay.written = (), LineState()
        self._timed.clear()
        self._phones.clear()
        self.faults.open.clear()
        self.watch.view_begins()
        self.began = now

    def set_back(self, before: float, now: float) -> None:
        """The clock was set back, from `before` to `now`. What was said stands; what is known has times from the future
        of what comes: neither must be held against the other."""
        self.view_begins(before)
        self.began = now
        self._passing = Passing(self.faults)
        self.faults.begin_anew()
        self.watch.set_back(now)
        for line in self._lines.values():
            line.since = min(line.since, now)

    def begin_anew(self, lines: Iterable[int]) -> None:
        """What is declared of these lines has changed: they are judged as if first seen now."""
        self._let_go()
        for number in lines:
            self._end_renewals(self._lines[number].phone)
            for replay in self._replays.pop(number, ()):
                self._say(replay.waiting, replay)
                self._time(self._lines[number].phone, replay, ())
            of_phone = self._lines_of.get(self._lines[number].phone, [])
            if number in of_phone:
                of_phone.remove(number)

    def obey(self, rules: Iterable[Rule], tolerances: Tolerances, tolerances_of: Mapping[str, Tolerances]) -> None:
        """From now on these rules and tolerances are in force."""
        self.faults.obey(rules)
        self._tolerances, self.tolerances_of = tolerances, tolerances_of

    # -- what need not be remembered

    def forget(self, before: float) -> None:
        """Forget what was over before that time (seconds since the epoch) and was told: faults that nothing can join,
        incidents, minutes, and of the lines' histories all but what tells where they are."""
        self.faults.forget(before, {(line.aor, line.owner.address) for line in self._lines.values()})
        self.watch.forget(before)
        self._passing.forget(before)
        for replays in self._replays.values():
            for replay in replays:
                replay.history.forget(before)

    def release(self, lines: Sequence[Line], phones: Sequence[Phone]) -> None:
        """Reconstruction has forgotten these lines, and these phones: what still waits to be settled never will be."""
        for line in lines:
            renewals = self._renewals.get(line.phone)
            if renewals is not None and renewals.line == line.number:
                self._end_renewals(line.phone, follow=False)
            if line.phone in self._arriving and self._arriving[line.phone][0].first.line == line.number:
                del self._arriving[line.phone]
            for replay in self._replays.pop(line.number, ()):
                self._say(tuple(map(_evicted, replay.waiting)), replay)
                if line.phone in self._timed:
                    self._time(line.phone, replay, ())
        numbers = {line.number for line in lines}
        for phone in {line.phone for line in lines}:
            self._lines_of[phone] = [number for number in self._lines_of.get(phone, ()) if number not in numbers]
        gone = {phone.number for phone in phones}
        self._passing.release({line.phone for line in lines})
        for number in gone:
            for table in (self._phones, self._lines_of, self._timed):
                table.pop(number, None)
        shared = {(line.aor, line.phone) for owner in {line.owner for line in lines} for line in owner.lines
                  if line.number in self._lines}
        self.faults.release([(line.aor, line.owner.address) for line in lines
                             if (line.aor, line.phone) not in shared], gone)
        self.watch.release(numbers, gone)

    def tighten(self, findings: float, incidents: int, servers: int, requests: int) -> None:
        """Other bounds from now on: for faults, and for what incidents know of servers and of requests and calls."""
        self.faults.tighten(findings)
        self.watch.tighten(incidents, servers, requests)

    @property
    def evicted(self) -> dict[str, int]:
        """What the bounds pushed out, or turned away, by kind."""
        counts = {"findings": self.faults.evicted, **self.watch.evicted}
        return {kind: count for kind, count in counts.items() if count}

    @property
    def open(self) -> dict[str, int]:
        """How much is remembered now, by kind."""
        replays = [replay for replays in self._replays.values() for replay in replays]
        rows = sum(len(one.history.moves) + len(one.history.tries) + len(one.history.ended) for one in replays)
        return {"replays": len(replays), "phone-states": len(self._phones), "waiting": len(self._timed),
                "renewals": len(self._under_way), "findings": len(self.faults.done), "checks": len(self.faults.checks),
                "history": rows, **self.watch.open}

    def _siblings(self, line: int) -> list[LineReplay]:
        return self._replays.get(line, [])

    def everyone(self) -> list[LineReplay]:
        """Every replay of the lines that belong to phones."""
        return [replay for number in self._lines for replay in self._replays.get(number, ())]

    def server(self, key: str) -> str:
        """The server as the report names it."""
        return self._naming.server(key)

    def replays(self, line: int) -> Sequence[LineReplay]:
        """The replays of a line: one for each entry it used, in the order of its entries."""
        replays = self._replays.get(line, [])
        return replays if len(replays) < 2 else sorted(replays, key=lambda replay: (replay.index < 0, replay.index))

    def _take_phone(self, event: ModelEvent) -> None:
        self._phones[event.phone] = absorb_phone(self._phones.get(event.phone, PhoneState()), event)
        replays = [replay for number in self._lines_of.get(event.phone, ()) for replay in self._replays[number]]
        self.watch.of_phone(event, replays)
        if isinstance(event, Lost):
            self.faults.doubt(event)
        if not isinstance(event, Booted):
            return
        for replay in replays:
            said, waiting = settle(replay.waiting, event, self._phones[event.phone])
            self._time(event.phone, replay, waiting)
            self._say(said, replay)
            replay.waiting = waiting
            replay.written = absorb_line(replay.written, self._phones[event.phone], event)

    def _replay(self, event: ModelEvent) -> LineReplay:
        replays = self._replays.get(event.line)
        if replays is None:
            first = LineReplay(self._lines[event.line], self._index(event), self._naming, self._profile_of)
            self._replays[event.line] = [first]   # not appended to a list, which would make room for more
            if event.phone in self._lines_of:
                self._lines_of[event.phone].append(event.line)
            else:
                self._lines_of[event.phone] = [event.line]
            return first
        if len(replays) == 1 and replays[0].index == 0:
            server = getattr(event, "server", None)
            if server is not None and replays[0].follows(server):
                return replays[0]  # nearly always: one entry, and a server of it
        return self._replay_at(replays, self._index(event), event.line)

    def _replay_at(self, replays: list[LineReplay], index: int, line: int) -> LineReplay:
        for replay in replays:
            if replay.index == index:
                return replay
        replays.append(LineReplay(self._lines[line], index, self._naming, self._profile_of))
        return replays[-1]

    def _index(self, event: ModelEvent) -> int:
        """Which entry of the line an event belongs to: that of its server, or the one it names."""
        entries = self._lines[event.line].entries
        server, name = getattr(event, "server", None), getattr(event, "entry", None)
        if not entries or (server is None and name is None):
            return 0
        for index, entry in enumerate(entries):
            if entry.name == name or (server is not None and entry.priority(server) is not None):
                return index
        return NOBODYS

    def _full(self, replay: LineReplay) -> Profile:
        """The profile with what grows while the capture is read."""
        plain, record = replay.profile(), replay.record
        return replace(
            plain, identity_unsure=record.owner.identity_unsure, encrypted=record.owner.encrypted,
            list_in_doubt=record.list_in_doubt, covered_from=max(self.began, record.since),
            steps=self.steps(), heard=frozenset(record.heard), tolerances=self._tolerances,
            tolerances_of=self.tolerances_of,
            fallback=replay.fallback,
        )


def _evicted(waiting: Observation) -> Observation:
    """What waits to be settled never will be; what only waits for others of its event stands."""
    if waiting.awaited is None:
        return waiting
    return replace(waiting, verdict=Verdict.INCONCLUSIVE, reason=Reason.EVICTED, unless=None, awaited=None)
