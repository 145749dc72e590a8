"""server-outage and partial-outage: from what single phones hold against a server to one incident of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Set

from sipaudit.incidents.calls import Attempt, Calls
from sipaudit.incidents.draft import Drafts, Watched
from sipaudit.incidents.outage import OUTAGE, PARTIAL, FailedAttempt, Outage
from sipaudit.incidents.servers import NEVER, Failing, ServerWatch
from sipaudit.incidents.timers import Timers
from sipaudit.model.events import Answered, ModelEvent
from sipaudit.model.history import MoveSeen
from sipaudit.turned_away import turned_away

LOOK_EVERY = 5.0        # seconds between two looks whether a server answers again
LATE = 35.0             # seconds by which evidence may come after the request that it is of (64*T1, and some)
UNTOLD_KEPT = 64        # of a server of which no outage is told (yet)
UNHEARD_KEPT = 16       # INVITEs to one server that ran out, beside the first


class Outages:
    """Opens and closes outages, by server."""

    __slots__ = ("_attempts", "_calls", "_closed", "_drafts", "_phones", "_quiet", "_share", "_timers", "_within",
                 "open", "unheard")

    def __init__(self, thresholds: Mapping[str, float], drafts: Drafts, timers: Timers, calls: Calls) -> None:
        self._phones = thresholds["phones"]
        self._share = thresholds["share"]
        self._within = thresholds["within"]
        self._quiet = thresholds["quiet"]
        self._drafts = drafts
        self._timers = timers
        self._calls = calls
        self.open: dict[str, Outage] = {}
        self._closed: dict[str, Outage] = {}   # the last one of each server
        self.unheard: dict[str, list[float]] = {}
        self._attempts: dict[str, list[FailedAttempt]] = {}

    def forget(self, before: float) -> None:
        """Forget what was over before that time."""
        self._closed = {key: outage for key, outage in self._closed.items() if (outage.end or 0.0) >= before}
        self.unheard = {key: unheard for key, unheard in self.unheard.items() if unheard[-1] >= before}
        self._attempts = {key: kept for key, kept in self._attempts.items() if kept[-1][0].event.time >= before}

    def release(self, lines: Set[int], phones: Set[int]) -> None:
        """These lines and phones were forgotten."""
        for key, kept in list(self._attempts.items()):
            kept[:] = [pair for pair in kept if pair[0].subject.number not in lines]
            if not kept:
                del self._attempts[key]
        for outage in (*self.open.values(), *self._closed.values()):
            outage.release(lines)
            for phone in outage.first.keys() & phones:
                del outage.first[phone]

    def dropped(self, server: ServerWatch) -> None:
        """The server was forgotten: its outage, if it has one, ends with the last that was seen of it."""
        outage = self.open.get(server.key)
        if outage is not None:
            self._close(server, outage, outage.last)

    # -- evidence

    def fails(self, server: ServerWatch, phone: int, method: str | None, sent: float, event: ModelEvent,
              subjects: list[Watched], *, sure: bool) -> None:
        """A request of this method (None: it was refused, or could not be delivered) that the phone sent then came to
        nothing; `sure`: that is seen, and not told from an answer's absence alone."""
        failing = server.failing.pop(phone, None) or Failing(sent, event, subjects)
        server.failing[phone] = failing
        failing.note(method, sent)
        failing.sure = failing.sure or sure
        outage = self.open.get(server.key)
        if outage is not None and self._is_over(server, outage, sent):
            outage = None
        if outage is None:
            if method == "INVITE":
                self._note_unheard(server, sent)
                outage = self._goes_on_in_part(server)
            if outage is None and sent > server.restored:   # what was sent before the last one ended tells of that
                outage = self._opens(server, sent)
            outage = outage or self._opens_in_part(server)
        if outage is not None:
            self._join(server, outage, phone, failing, method, sent, event, subjects)

    def _note_unheard(self, server: ServerWatch, sent: float) -> None:
        unheard = self.unheard.setdefault(server.key, [])
        unheard.append(sent)
        if len(unheard) > UNHEARD_KEPT + 1:
            turned_away("samples")
            del unheard[1:-UNHEARD_KEPT]

    def _join(self, server: ServerWatch, outage: Outage, phone: int, failing: Failing, method: str | None,
              sent: float, event: ModelEvent, subjects: list[Watched]) -> None:
        first = outage.first.get(phone)
        if first is None or sent < first:
            outage.first[phone] = sent
        outage.start = min(outage.start, sent)
        outage.last = max(outage.last, sent)
        if outage.answer is not None and sent > outage.answer:
            outage.answer = None
        outage.methods.add(method)
        outage.sure = outage.sure or failing.sure
        outage.registers = outage.registers or _registered_between(server, outage.start, sent)
        outage.settle_kind()
        outage.add(subjects, event)

    def failed_attempt(self, server: str, attempt: Attempt, sent: float) -> None:
        """A call could not be made through this server, which was asked then."""
        outage = self.open.get(server)
        if outage is not None:
            outage.failed(attempt, sent)
        else:
            self._keep(server, (attempt, sent))

    def _keep(self, server: str, failed: FailedAttempt) -> None:
        """It may be the first that is seen of an outage."""
        kept = self._attempts.setdefault(server, [])
        kept.append(failed)
        if len(kept) > UNTOLD_KEPT:
            turned_away("watched-calls")
            del kept[0]

    def turned(self, server: ServerWatch, subject: Watched, time: float) -> None:
        """A line asks another server since something speaks against this one, its own."""
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

    def _opens(self, server: ServerWatch, sent: float) -> Outage | None:
        """An outage, if enough phones that use the server hold it for failed: of late, or since it last answered
        anybody."""
        lately = sent - self._within
        since = max(min(lately, server.answered), server.restored)
        failing = dict(server.failing_since(since))
        enough = 1 if len(server.users) == 1 else self._phones
        if not failing or len(failing) < enough:
            return None
        if len(failing) < self._share * server.users_since(max(lately, server.restored)):
            return None
        start = min(one.since(server.answered, since) for one in failing.values())
        if all(isinstance(one.event, Answered) for one in failing.values()):
            served = server.first_life_after(start)
            if served is not None and served < sent:
                return None   # it refuses some requests with 503 and serves others: it is there
        first = min(one.first for one in failing.values())
        if server.answered > first and all(one.unnamed for one in failing.values()):
            return None   # some do not find it, for want of its name, and it serves others
        return self._begin(server, failing, start)

    def _unheard_in_part(self, server: ServerWatch) -> float | None:
        """Since when two INVITEs run out, of whomever, of which none is answered, and between which a REGISTER is."""
        unheard = self.unheard.get(server.key)
        if not unheard or not _registered_between(server, min(unheard), max(unheard)):
            return None
        return min(unheard)

    def _goes_on_in_part(self, server: ServerWatch) -> Outage | None:
        """The last outage, if it was one of calls alone and they are left to run out as before."""
        start, last = self._unheard_in_part(server), self._closed.get(server.key)
        if start is None or last is None or last.methods != {"INVITE"} or (last.end or start) < start:
            return None
        return self._reopen(server, last)

    def _opens_in_part(self, server: ServerWatch) -> Outage | None:
        """An outage of calls alone."""
        start = self._unheard_in_part(server)
        if start is None:
            return None
        failing = {phone: one for phone, one in server.failing.items() if one.methods.get("INVITE", NEVER) >= start}
        enough = 1 if len(server.users) == 1 else self._phones
        if len(failing) < enough and not any(one.registered_at(server.key, start) for one in failing.values()):
            return None   # one phone may have a path of its own that fails, while others register
        return self._begin(server, failing, start) if failing else None

    def _reopen(self, server: ServerWatch, outage: Outage) -> Outage:
        """The outage was none of the whole server: it registers, and goes on to let calls run out."""
        outage.end, outage.answer, outage.registers = None, None, True
        outage.settle_kind()
        self.unheard.pop(server.key, None)
        self._closed.pop(server.key)
        self.open[server.key] = outage
        self._look_later(server, outage)
        return outage

    def _begin(self, server: ServerWatch, failing: Mapping[int, Failing], start: float) -> Outage:
        one = next(iter(failing.values()))
        outage = Outage(start, server.key, next((subject.entry for subject in one.subjects), None))
        outage.last_answer = server.answered if server.answered < start else None
        for phone, each in failing.items():
            outage.first[phone] = max(each.since(start - 0.001, start), start)
            outage.last = max(outage.last, each.sends[-1])
            outage.methods.update(each.methods)
            outage.add(each.subjects, each.event)
        outage.registers = _registered_between(server, start, outage.last)
        outage.settle_kind()
        for subject, move in server.left.values():
            if move.time >= start:
                outage.moves.setdefault(subject.number, (subject, move))
                outage.add([subject])
        outage.refusals = sum(time >= start for time in server.refusals)
        outage.calls = self._calls.through(server.key, start)
        for time, line in server.forsaken:
            if time >= start:
                outage.turned.setdefault(line, time)
        for attempt, sent in self._attempts.pop(server.key, ()):
            if sent >= start:
                outage.failed(attempt, sent)
        self.unheard.pop(server.key, None)
        self.open[server.key] = outage
        self._drafts.open(outage)
        self._look_later(server, outage)
        return outage

    # -- the end

    def answered(self, server: ServerWatch, phone: int, method: str, sent: float | None) -> None:
        """A final answer outside of dialogs that is no failure, to a request sent then: what it disproves
        (reference-model.md 1, *failure*)."""
        failing = server.failing.get(phone)
        if failing is not None and sent is not None and failing.disproved(method, sent):
            del server.failing[phone]

    def invite_answered(self, server: ServerWatch, answer: Answered) -> None:
        """Any response to an INVITE that opens a dialog: calls are no longer left to run out."""
        self.unheard.pop(server.key, None)
        outage = self.open.get(server.key)
        if outage is None or answer.sent is None:
            return
        outage.called = max(outage.called, answer.sent)
        if outage.kind == PARTIAL and answer.sent > outage.start:
            self._close(server, outage, answer.time)

    def _is_over(self, server: ServerWatch, outage: Outage, sent: float) -> bool:
        """Whether the outage had ended before this request was sent in vain."""
        if outage.kind == PARTIAL:
            return False
        answer = self._answer(server, outage)
        if answer is None or sent <= answer + self._quiet:
            return False
        self._close(server, outage, answer)
        return True

    def _answer(self, server: ServerWatch, outage: Outage) -> float | None:
        """The first answer since the last request that came to nothing."""
        if outage.answer is None:
            outage.answer = server.first_life_after(outage.last)
        return outage.answer

    def _look_later(self, server: ServerWatch, outage: Outage) -> None:
        self._timers.at(self._timers.now + LOOK_EVERY, self._look, (server, outage))

    def _look(self, looked_at: tuple[ServerWatch, Outage]) -> None:
        """Whether the server has been answering for long enough."""
        server, outage = looked_at
        if outage.end is not None:
            return
        answer = self._answer(server, outage)
        if outage.kind == OUTAGE and answer is not None and self._timers.now >= answer + self._quiet + LATE:
            self._close(server, outage, answer)
        else:
            self._look_later(server, outage)

    def _close(self, server: ServerWatch, outage: Outage, end: float) -> None:
        outage.end = end
        self._closed[server.key] = outage
        if outage.methods == {"INVITE"} and outage.called < outage.last:
            self._note_unheard(server, outage.last)   # that it registers does not say that it takes calls again
        for attempt, sent in outage.attempts:
            if sent > end:
                self._keep(server.key, (attempt, sent))
        server.restored = max(server.restored, end)
        self.open.pop(server.key, None)
        server.left.clear()

    def finish(self, now: float, servers: Mapping[str, ServerWatch]) -> None:
        """The captures have ended: what answered for long enough is over."""
        for key, outage in list(self.open.items()):
            answer = self._answer(servers[key], outage) if outage.kind == OUTAGE else None
            if answer is not None and now >= answer + self._quiet:
                self._close(servers[key], outage, answer)


def _registered_between(server: ServerWatch, start: float, end: float) -> bool:
    """Whether a REGISTER or OPTIONS sent after `start` and before `end` was answered."""
    return any(start < sent < end for sent, _ in server.registered)
