"""The evidence for and against servers: unanswered requests, transport failures, 503 (F2, F3), and answers."""

from __future__ import annotations

from collections.abc import Container, Sequence, Set

from sipaudit.incidents.calls import CallWatch, comes_through
from sipaudit.incidents.cut import CutOff
from sipaudit.incidents.draft import Watched, let_go, works_with
from sipaudit.incidents.failing import InVain
from sipaudit.incidents.outages import LATE, Outages
from sipaudit.incidents.overload import Overloads
from sipaudit.incidents.refused import Refusals
from sipaudit.incidents.requests import OpenRequest, went_on
from sipaudit.incidents.servers import ServerWatch
from sipaudit.incidents.spells import SOONER, renewed_after
from sipaudit.incidents.tally import Tally
from sipaudit.incidents.timers import Timers
from sipaudit.incidents.unfound import does_without
from sipaudit.model.conditions.failures import RETRY_WAIT
from sipaudit.model.conditions.trust import LOSS_REACH
from sipaudit.model.events import CHALLENGES, Answered, Contacted, ContactKind, Failed, FailureKind, Lost, Sent
from sipaudit.model.history import MoveKind, MoveSeen, left_for, when_turned
from sipaudit.model.packets import MOVERS, success
from sipaudit.model.reach import LONG_AGO, repeated_until
from sipaudit.model.state import PhoneState, Stay
from sipaudit.turned_away import forget_oldest, has_room, turned_away

UNSHOWN_KEPT = 20_000   # lines
UNSERVED_KEPT = 16      # requests of a line that was never answered so far
SILENT_METHODS = frozenset({"REGISTER", "INVITE"})   # every server answers these, so silence is evidence
BREAKS = frozenset({ContactKind.DROPPED, FailureKind.REFUSED, FailureKind.RESET, FailureKind.TLS})   # of connections


class EvidenceWatch:
    """Passes evidence to the detectors. `lost`: by phone, the time span in which silence means nothing, as the capture
    lacked one of the phone's packets; `gaps`: by phone, the two times (seconds since the epoch) between which the last
    missing packet must have passed, where known; `unserved`: by line, the requests that ran out before any answer to
    the line was seen."""

    __slots__ = ("_calls", "_cut", "_outages", "_overloads", "_refusals", "_tally", "_unshown", "gaps", "lost",
                 "unserved")

    def __init__(self, tally: Tally, timers: Timers, calls: CallWatch, outages: Outages | None,
                 overloads: Overloads | None, refusals: Refusals | None) -> None:
        self._tally = tally
        self._cut = None if outages is None else CutOff(tally, timers, outages)
        self._calls = calls
        self._outages = outages
        self._overloads = overloads
        self._refusals = refusals
        self._unshown: dict[int, Sent] = {}   # by line: its last request that ran out over a connection
        self.unserved: dict[int, list[Sent]] = {}
        self.lost: dict[int, tuple[float, float]] = {}
        self.gaps: dict[int, tuple[float, float]] = {}

    def lacks(self, lost: Lost) -> None:
        """The capture lacks a packet of a phone."""
        self.lost[lost.phone] = lost.time - LOSS_REACH, lost.time + (0.0 if lost.over else LOSS_REACH)
        if lost.since is not None:
            self.gaps[lost.phone] = lost.since, lost.time

    def unseen(self, time: float) -> int:
        """For how many phones the capture lacks packets that may have passed about that time."""
        return sum(since <= time <= until + LOSS_REACH for since, until in self.gaps.values())

    def forget(self, before: float) -> None:
        """Forget the gaps and requests before that time."""
        self.lost = {phone: about for phone, about in self.lost.items() if about[1] >= before}
        self.gaps = {phone: gap for phone, gap in self.gaps.items() if gap[1] >= before}
        self._unshown = {line: request for line, request in self._unshown.items() if request.time >= before}
        self.unserved = {line: kept for line, kept in self.unserved.items() if kept[-1].time >= before}

    def release(self, lines: Set[int], phones: Set[int]) -> None:
        """These lines and phones were forgotten."""
        let_go(lines, self._unshown, self.unserved)
        let_go(phones, self.lost, self.gaps)

    def view_begins(self) -> None:
        """Nothing was captured for a while: earlier requests may have been answered."""
        self.lost.clear()
        self._unshown.clear()
        self.unserved.clear()

    # -- against the server

    def ran_out(self, waiting: OpenRequest) -> None:
        """A request has had no answer for as long as phones wait."""
        event = waiting.request
        server = self._tally.server(event.server, event.time)
        self._tally.minute_then(server, event.time).unanswered += 1
        if not _tells_by_silence(event):
            return
        if waiting.shows_silence and not _was_served(waiting.subject):
            self._not_served(event)
        elif waiting.shows_silence:
            self._came_to_nothing(server, event, waiting.subject, sure=False)
        elif waiting.subject.connects(event.server):
            self._ran_out_again(server, event, waiting.subject)

    def _ran_out_again(self, server: ServerWatch, event: Sent, subject: Watched) -> None:
        """Over a connection SIP retransmits nothing (F2), though the far end's kernel may acknowledge the data. But if
        the line soon sends the same request anew, also unanswered, and the server answers nobody else, then nobody
        answered: the capture may lack one answer, not all."""
        before = self._unshown.pop(event.line, None)
        self._unshown[event.line] = event
        forget_oldest(self._unshown, UNSHOWN_KEPT, "samples")
        if before is None or (before.server, before.method) != (event.server, event.method) \
                or server.answered > before.time or event.time - before.time >= _asks_anew_within(event, subject):
            return
        for request in (before, event):
            if not server.counts(request.phone, request.time):
                self._came_to_nothing(server, request, subject, sure=False)

    def _came_to_nothing(self, server: ServerWatch, event: Sent, subject: Watched, *, sure: bool) -> None:
        """A REGISTER or INVITE had no answer, and its phone behaved as if it received none: it retransmitted, or
        (`sure`) went elsewhere. If the capture had merely lost an answer, the phone would do neither."""
        since, until = self.lost.get(event.phone, (LONG_AGO, LONG_AGO))
        if server is self._tally.beyond or not _was_served(subject) or since <= event.time <= until:
            return
        if event.method == "INVITE":
            self._attempt_failed(event, subject)
        if self._outages is not None:
            self._outages.fails(server, InVain(event.phone, event.method, event.time, event, [subject], sure))

    def _not_served(self, event: Sent) -> None:
        """A request ran out, retransmitted, of a line that was never seen answered. It is held back until the line is
        answered: then it is known that it had no answer before, and that the captures would show one."""
        if event.line not in self.unserved and not has_room(self.unserved, UNSHOWN_KEPT, "samples"):
            return
        kept = self.unserved.setdefault(event.line, [])
        kept.append(event)
        if len(kept) > UNSERVED_KEPT:
            turned_away("samples")
            del kept[1]

    def served(self, subject: Watched) -> None:
        """The line is answered for the first time as phones are by servers that they work with."""
        for request in self.unserved.pop(subject.number):
            server = self._tally.server(request.server, request.time)
            if not server.counts(request.phone, request.time):
                self._came_to_nothing(server, request, subject, sure=False)

    def _attempt_failed(self, event: Sent, subject: Watched) -> None:
        attempt = self._calls.attempt(event, subject)
        if attempt is not None and self._outages is not None:
            self._outages.failed_attempt(event.server, attempt, event.time)

    def failed(self, event: Failed, subjects: Sequence[Watched], phone: PhoneState, waiting: OpenRequest | None
               ) -> None:
        """A transport failure, maybe of a request that was pending. It concerns the lines that work with that server,
        or if there are none, all lines of the phone."""
        server = self._tally.server(event.server, event.sent)
        server.used(event.phone, event.sent)
        named = event.kind is not FailureKind.DNS
        if named:
            self._tally.minute_then(server, event.sent)   # creates the minute: somebody tried
        if waiting is not None:
            self._tally.minute_then(server, waiting.request.time).unanswered += 1
            if waiting.request.method == "INVITE":
                self._attempt_failed(waiting.request, waiting.subject)
        there = [subject for subject in subjects if works_with(subject, event.server)] or [
            subject for subject in subjects if named or not does_without(subject, event, self._tally.servers)]
        if self._outages is None or self._cut is None or not there or server is self._tally.beyond:
            return
        vain = InVain(event.phone, None, event.sent, event, there, True)
        if event.kind is not FailureKind.RESET:
            self._outages.fails(server, vain)
        elif phone.reach(event.server).waiting:   # otherwise the reset met an answer or a keepalive: no open request
            self._cut.off(server, vain, event.time)

    def broke(self, event: Contacted | Failed, subjects: Sequence[Watched], phone: PhoneState, open_: Container[int]
              ) -> None:
        """A connection broke, data sent over it was retransmitted in vain, or none can be opened. SIP retransmits
        nothing over a connection (F2), so this shows that the requests which had waited there long enough, and are no
        longer among the `open_`, had no answer."""
        reach = phone.reach(event.server)
        if event.kind not in BREAKS or not reach.waiting:
            return
        server = self._tally.server(event.server, event.time)
        for request in reach.waiting:
            if not _tells_by_silence(request) or request.transaction in reach.ringing \
                    or request.transaction in open_ or event.time - request.time > LATE \
                    or server.counts(request.phone, request.time):
                continue
            for subject in subjects:
                if subject.number == request.line and subject.follows(event.server) \
                        and event.time - request.time >= subject.silence:
                    self._came_to_nothing(server, request, subject, sure=False)

    def refused(self, event: Answered, server: ServerWatch, subject: Watched) -> None:
        """A 503 counts against a server (F3)."""
        if self._overloads is not None:
            self._overloads.refused(event, subject)
        server.refusals.append(event.time)
        outage = None if self._outages is None else self._outages.open.get(server.key)
        if outage is not None:
            outage.refusals += 1
        if self._outages is None or event.in_dialog or server is self._tally.beyond:
            return
        self._outages.fails(server, InVain(event.phone, None, event.request_time, event, [subject], True))

    def left(self, subject: Watched, move: MoveSeen) -> None:
        """A line has failed over."""
        server = self._tally.server(move.source, move.time)
        for event in move.evidence:   # TCP: no retransmissions, but leaving shows that no answer came
            if isinstance(event, Sent) and event.server == move.source and event.line == subject.number \
                    and not event.in_dialog and event.method in MOVERS and _left_for(event, move) \
                    and not server.counts(event.phone, event.time, surely=True):   # ICMP or a reset has shown it
                self._came_to_nothing(server, event, subject, sure=True)
        if self._outages is not None and server is not self._tally.beyond:
            self._outages.left(server, subject, move)

    def taken_in(self, subject: Watched, stay: Stay, phone: PhoneState) -> None:
        """In R0, a line that had to leave its server has received from another server an answer that is neither a 2xx
        nor a failure: that server works, and counts as the line's new one (section 1, *failover* and *working
        server*)."""
        answer = stay.aside
        if answer is None or success(answer.status) or answer.in_dialog or answer.method not in MOVERS:
            return
        move = left_for(stay, answer, phone.reach(stay.server), subject.profile())
        if move.kind is MoveKind.FAILOVER:
            self.left(subject, move)

    def found(self, subject: Watched, arrived: Answered, phone: PhoneState) -> None:
        """A line that was never seen answered now works with a server, by its first answer. Other servers of its entry,
        to which it had sent requests again and again, had not answered, and it has turned away from them."""
        if arrived.line in self.unserved:
            self.served(subject)
        entry = subject.profile().entry
        for reach in phone.reaches:
            if reach.server == arrived.server or entry is None or entry.priority(reach.server) is None:
                continue
            for request in reach.waiting:
                if request.line == subject.number and _tells_by_silence(request) \
                        and went_on(request, repeated_until(reach, request), subject.silence):
                    self._turned_away(subject, request, arrived.request_time)

    def _turned_away(self, subject: Watched, request: Sent, turned: float) -> None:
        """A line has sent a request to another server at `turned`, since this request of it had no answer."""
        server = self._tally.server(request.server, request.time)
        if not server.counts(request.phone, request.time):
            self._came_to_nothing(server, request, subject, sure=True)
        failing = server.failing.get(request.phone)
        first = request.time if failing is None else failing.first
        if self._outages is not None and turned - first <= LATE:   # otherwise it had left before
            self._outages.turned(server, subject, turned)

    # -- for the server

    def lives(self, event: Answered, server: ServerWatch) -> None:
        """A final response outside of dialogs: the server is alive."""
        if event.method == "REGISTER" and event.sent is not None:
            server.lived_registering(event.sent, event.time, event.phone)
        elif event.method == "OPTIONS" and event.sent is not None:
            server.lived_pinged(event.sent, event.time, event.phone)
        else:
            server.lived(event.time if event.sent is None else event.sent, event.time, event.phone)
        if server.cut:
            server.cut.pop(event.phone, None)
        if server.failing and self._outages is not None:
            self._outages.answered(server, event.phone, event.method, event.sent, event.time,
                                   helps=event.status not in CHALLENGES)

    def invite_answered(self, event: Answered, server: ServerWatch) -> None:
        """A response to a call attempt."""
        outages = self._outages
        if outages is not None and (outages.open or outages.untold.unheard) and event.status != 503:
            outages.invite_answered(server, event)
        attempt, refusals = self._calls.answered(event), self._refusals
        if refusals is not None and (attempt is not None or (refusals.open and comes_through(event.status))):
            refusals.answered(event, attempt)
        if attempt is not None and outages is not None:
            outages.failed_attempt(event.server, attempt, attempt.event.time if event.sent is None else event.sent)


def _tells_by_silence(request: Sent) -> bool:
    """Whether every server answers such a request, and a phone without an answer leaves the server for it."""
    return not request.in_dialog and request.method in SILENT_METHODS


def _asks_anew_within(request: Sent, subject: Watched) -> float:
    """Seconds within which a line without an answer sends the request anew: after the retry wait (30 to 60 s, section
    3), and sooner than it would renew its binding."""
    binding = subject.state.binding(request.server)
    if request.method != "REGISTER" or binding is None:
        return LATE + RETRY_WAIT
    return min(LATE + RETRY_WAIT, SOONER * renewed_after(binding, subject))


def _left_for(request: Sent, move: MoveSeen) -> bool:
    """Whether the line may have left because of this request, and not of a later one: it does not wait longer than LATE
    (F2)."""
    return 0 <= when_turned(move) - request.time <= LATE


def _was_served(subject: Watched) -> bool:
    """Whether any answer to the line was ever seen: where only one direction is captured, silence means nothing."""
    return any(stay is not None for stay in subject.state.stays)
