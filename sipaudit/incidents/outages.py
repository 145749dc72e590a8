"""server-outage and partial-outage: combines the evidence of single phones into one incident of a server."""

from __future__ import annotations

from collections.abc import Mapping, Set

from sipaudit.incidents.calls import Attempt, CallWatch
from sipaudit.incidents.draft import Drafts, Watched
from sipaudit.incidents.failing import Failing, InVain
from sipaudit.incidents.ongoing import answers_late, is_there, runs_out_as_before, serves_others, stands, still_failing
from sipaudit.incidents.outage import Outage
from sipaudit.incidents.same import join
from sipaudit.incidents.servers import ServerWatch
from sipaudit.incidents.timers import Timers
from sipaudit.incidents.untold import Untold
from sipaudit.model.events import Answered
from sipaudit.model.history import MoveSeen
from sipaudit.model.reach import LONG_AGO
from sipaudit.model.timers import SILENCE_MAX

LOOK_EVERY = 5.0        # seconds between two checks whether a server answers again
LATE = SILENCE_MAX + 3.0   # seconds after a request by which evidence about it has come


class Outages:
    """Opens and closes outages, one per server."""

    __slots__ = ("_calls", "_closed", "_drafts", "_phones", "_quiet", "_share", "_timers", "_within", "open",
                 "untold")

    def __init__(self, thresholds: Mapping[str, float], drafts: Drafts, timers: Timers, calls: CallWatch) -> None:
        self._phones = thresholds["phones"]
        self._share = thresholds["share"]
        self._within = thresholds["within"]
        self._quiet = thresholds["quiet"]
        self._drafts = drafts
        self._timers = timers
        self._calls = calls
        self.open: dict[str, Outage] = {}
        self._closed: dict[str, Outage] = {}   # the last one of each server
        self.untold = Untold()

    def forget(self, before: float) -> None:
        """Forget what was over before that time."""
        self._closed = {key: outage for key, outage in self._closed.items() if (outage.end or 0.0) >= before}
        for outage in (*self.open.values(), *self._closed.values()):
            outage.forget(before)
        self.untold.forget(before)

    def release(self, lines: Set[int], phones: Set[int]) -> None:
        """These lines and phones were forgotten."""
        self.untold.release(lines)
        for outage in (*self.open.values(), *self._closed.values()):
            outage.release(lines, phones)

    def dropped(self, server: ServerWatch) -> None:
        """The server was forgotten: an open outage of it ends, for good, when it was last seen."""
        outage = self.open.get(server.key)
        if outage is not None:
            self._close(server, outage, outage.last)
        self._closed.pop(server.key, None)

    # -- evidence

    def fails(self, server: ServerWatch, vain: InVain) -> None:
        """A request of one of the server's phones failed."""
        outage = self.open.get(server.key)
        if outage is not None and vain.sent < outage.start and vain.sent <= server.restored:
            return   # evidence of an outage that is over, repeated by a late move
        failing = server.fails(vain)
        if outage is None or self._is_over(server, outage, vain.sent):
            outage = self._found(server, vain)
            last = self._closed.get(server.key)
            if last is not None:
                last.late_to_show(vain)
        if outage is not None:
            self._join(server, outage, failing, vain)

    def _found(self, server: ServerWatch, vain: InVain) -> Outage | None:
        """The outage that this request shows, if none is open: the last one, which goes on, or a new one."""
        if vain.method == "INVITE":
            self.untold.unheard_at(server.key, vain.sent)
        outage = self._goes_on(server, vain)
        if outage is None and vain.sent > server.restored:
            outage = self._opens(server, vain.sent)
        return outage or self._opens_in_part(server)

    def _join(self, server: ServerWatch, outage: Outage, failing: Failing, vain: InVain) -> None:
        """Add the request to this outage, which may thereby turn out to be none, or to be one with earlier ones."""
        outage.joins(server, vain, failing)
        outage.asked_in_vain(vain.phone, vain.sent, vain.subjects)
        outage.lets_run_out(server, vain, self._enough(server))
        outage.sure = outage.sure or failing.sure
        outage.looks_at(server)
        outage.add(vain.subjects, vain.event)
        if is_there(server, outage, self._quiet):
            self._withdraw(server, outage)
        else:
            join(server, outage, self._phones, self._drafts)

    def _withdraw(self, server: ServerWatch, outage: Outage) -> None:
        """Drop an outage that turned out to be none."""
        self._drafts.withdraw(outage)
        del self.open[server.key]
        for failed in outage.attempts:
            self.untold.failed(server.key, failed)

    def failed_attempt(self, server: str, attempt: Attempt, sent: float) -> None:
        """A call attempt through this server, sent at `sent`, failed."""
        outage = self.open.get(server)
        if outage is not None:
            outage.failed(attempt, sent)
        else:
            self.untold.failed(server, (attempt, sent))

    def turned(self, server: ServerWatch, subject: Watched, time: float) -> None:
        """A line tries another server because of evidence against this one, its own."""
        server.was_forsaken(subject.number, time)
        outage = self.open.get(server.key)
        if outage is not None:
            outage.turned.setdefault(subject.number, time)

    def left(self, server: ServerWatch, subject: Watched, move: MoveSeen) -> None:
        """A line moved away after a failure."""
        outage = self.open.get(server.key)
        server.was_left(subject, move)
        if outage is not None:
            outage.moves.setdefault(subject.number, (subject, move))
            outage.add([subject])

    # -- the start

    def _enough(self, server: ServerWatch) -> float:
        """The number of phones it takes: one if only one uses the server."""
        return 1 if len(server.users) == 1 else self._phones

    def _opens(self, server: ServerWatch, sent: float) -> Outage | None:
        """A new outage, if enough phones that use the server hold it for failed: recently, or since it last answered
        anybody."""
        lately = sent - self._within
        since = max(min(lately, server.answered), server.restored)
        failing = dict(server.failing_since(since))
        if not failing or len(failing) < self._enough(server):
            return None
        if len(failing) < self._share * server.users_since(max(lately, server.restored)):
            return None
        start = min(one.since(server.answered, since) for one in failing.values())
        return None if serves_others(server, failing.values(), start, sent) else self._begin(server, failing, start)

    def _goes_on(self, server: ServerWatch, vain: InVain) -> Outage | None:
        """The last outage, if it turns out not to have ended."""
        last, sent = self._closed.get(server.key), vain.sent
        if last is None or not (runs_out_as_before(server, last, vain.method, sent, self.untold)
                                or answers_late(server, last, sent) or self._goes_on_for_some(server, last, sent)):
            return None
        return self._reopen(server, last)

    def _goes_on_for_some(self, server: ServerWatch, last: Outage, sent: float) -> bool:
        """Whether only phones outside the last outage were answered since: several phones fail again, or one of its
        phones if it was one of only some from the start."""
        failing = still_failing(server, last, sent, self._quiet, self._phones)
        asked = server.users_since(sent - self._within)
        enough = 1 if stands(last, failing) else self._phones
        if len(failing) < enough or len({*last.first, *failing}) < self._share * asked:
            return False
        last.is_of_some(server, failing)
        join(server, last, self._phones, self._drafts)
        return True

    def _opens_in_part(self, server: ServerWatch) -> Outage | None:
        """A new partial outage, in which only calls fail."""
        start = self.untold.since_in_part(server)
        if start is None:
            return None
        failing = {phone: one for phone, one in server.failing.items() if one.methods.get("INVITE", LONG_AGO) >= start}
        registers = any(one.registered_at(server.key, start) for one in failing.values())
        if len(failing) < self._enough(server) and not registers:
            return None   # one phone may have a failing path of its own while others register
        return self._begin(server, failing, start) if failing else None

    def _reopen(self, server: ServerWatch, outage: Outage) -> Outage:
        """Reopen an outage that is not of the whole server: it answers others, and still leaves these unanswered."""
        outage.end, outage.answer = None, None
        outage.looks_at(server)
        self._closed.pop(server.key)
        self._take_in(server, outage)
        return outage

    def _begin(self, server: ServerWatch, failing: Mapping[int, Failing], start: float) -> Outage:
        """Open an outage since `start`, of these phones so far."""
        one = next(iter(failing.values()))
        outage = Outage(start, server.key, next((subject.entry for subject in one.subjects), None))
        outage.last_answer = server.answered_before(start)
        outage.comes_after(self._closed.get(server.key))
        outage.takes_calls = self.untold.heard_since(server.key, start)
        for phone, each in failing.items():
            outage.first[phone] = max(each.since(start - 0.001, start), start)
            outage.lines_asked(phone, each.asked)
            outage.last = max(outage.last, each.sends[-1])
            outage.methods |= each.methods_since(start)
            outage.add(each.subjects, each.event)
        outage.looks_at(server)
        outage.refusals = sum(time >= start for time in server.refusals)
        outage.calls = self._calls.through(server.key, start)
        self._drafts.open(outage)
        self._take_in(server, outage)
        return outage

    def _take_in(self, server: ServerWatch, outage: Outage) -> None:
        """Open the outage, with the lines that left or turned away, and the calls that failed, since its start."""
        for subject, move in server.left.values():
            if move.time >= outage.start:
                outage.moves.setdefault(subject.number, (subject, move))
                outage.add([subject])
        for time, line in server.forsaken:
            if time >= outage.start:
                outage.turned.setdefault(line, time)
        for attempt, sent in self.untold.attempts_at(server.key):
            if sent >= outage.start:
                outage.failed(attempt, sent)
        self.untold.heard(server.key)
        self.open[server.key] = outage
        self._look_later(server, outage)

    # -- the end

    def answered(self, server: ServerWatch, phone: int, method: str, sent: float | None, time: float, *,
                 helps: bool) -> None:
        """A final response outside of dialogs, no failure, to a request sent at `sent`: apply what it disproves
        (reference-model.md 1, *failure*). `helps`: it does more than ask for credentials."""
        if helps:
            server.helped.append((time, phone, method))
        failing = server.failing.get(phone)
        if failing is None or sent is None:
            return
        late = server.answers_late(failing, sent, time)
        disproves = failing.disproved(method, sent)
        outage = self.open.get(server.key) or self._closed.get(server.key)
        if outage is not None:
            outage.serves(phone, sent, time, disproves=disproves, late=late)
        if not failing.methods:
            del server.failing[phone]

    def invite_answered(self, server: ServerWatch, answer: Answered) -> None:
        """Any response to an INVITE that opens a dialog: calls no longer go unanswered."""
        self.untold.heard(server.key)
        outage = self.open.get(server.key)
        if outage is None or answer.sent is None:
            return
        outage.called = max(outage.called, answer.sent)
        if outage.ends_with_any_call and answer.sent > outage.start:
            self._close(server, outage, answer.time)
        elif server.counts(answer.phone, answer.sent):   # ringing time afterwards is not the server's doing
            outage.late.setdefault(answer.phone, (answer.sent, answer.time))

    def _is_over(self, server: ServerWatch, outage: Outage, sent: float) -> bool:
        """Whether the outage had ended before this failed request was sent; if so, it is closed."""
        answer = outage.ends_with(server, sent)
        if answer is None or sent <= answer + self._quiet:
            return False
        self._close(server, outage, answer)
        return True

    def _look_later(self, server: ServerWatch, outage: Outage) -> None:
        self._timers.at(self._timers.now + LOOK_EVERY, self._look, (server, outage))

    def _look(self, looked_at: tuple[ServerWatch, Outage]) -> None:
        """Close the outage if the server has been answering for long enough."""
        server, outage = looked_at
        if self.open.get(server.key) is not outage:
            return
        answer = outage.ends_with(server, self._timers.now)
        if answer is not None and self._timers.now >= answer + self._quiet + LATE:
            self._close(server, outage, answer)
        else:
            self._look_later(server, outage)

    def _close(self, server: ServerWatch, outage: Outage, end: float) -> None:
        """Close the outage at `end`; its failed calls after that are free again for another outage."""
        outage.end = end
        join(server, outage, self._phones, self._drafts)
        self._closed[server.key] = outage
        if outage.methods == {"INVITE"} and outage.called < outage.last:   # registering does not show that it
            self.untold.unheard_at(server.key, outage.last)                # takes calls again
        for attempt, sent in outage.attempts:
            if sent > end:
                self.untold.failed(server.key, (attempt, sent))
        server.restored = max(server.restored, end)
        self.open.pop(server.key, None)
        server.left.clear()

    def finish(self, now: float, servers: Mapping[str, ServerWatch]) -> None:
        """The captures have ended: close the outages whose server has answered for long enough."""
        for key, outage in list(self.open.items()):
            answer = outage.ends_with(servers[key], now)
            if answer is not None and now >= answer + self._quiet:
                self._close(servers[key], outage, answer)
