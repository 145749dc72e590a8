"""dead-subscriptions: subscriptions of a line at a server that failed, which it did not make again elsewhere."""

from __future__ import annotations

from collections.abc import Set

from sipaudit.incidents.draft import TOGETHER, Draft, Drafts, Watched
from sipaudit.incidents.timers import Timers
from sipaudit.model.events import Answered, Received, Replied, Sent
from sipaudit.model.history import MoveSeen
from sipaudit.model.packets import success
from sipaudit.turned_away import turned_away

SUBSCRIPTIONS_KEPT = 50_000
OF_ONE_LINE = 32
LASTS = 3600.0      # seconds if neither side gives an expiry (the default of the event packages that phones use)
BRIEF = 60.0        # seconds: a phone that asks for no more may mean to let it end, as a shared line's `line-seize`
GRACE = 5.0         # seconds after the refresh time


class Lapse(Draft):
    """Subscriptions that expired at one server; `latest` is when the last one did."""

    latest = 0.0
    _waiting = 0

    def lapsed(self, one: Subscription) -> None:
        """Add an expired subscription; the incident lasts until it has been replaced."""
        self._waiting += 1
        self.latest = max(self.latest, one.until)
        self.start = min(self.start, one.until)
        self.end = None
        self.add([one.subject], one.event)

    def replaced(self, time: float) -> None:
        """One of the subscriptions was replaced at `time`."""
        self._waiting -= 1
        if not self._waiting:
            self.end = time


class Subscription:
    """One SUBSCRIBE dialog, opened by `event`. `until`: when it expires; `left`: whether its line has gone to another
    server since; `renewed`: whether it was refreshed; `dead`: whether it has expired unreplaced; `draft`: its
    incident."""

    __slots__ = ("dead", "draft", "event", "left", "renewed", "server", "subject", "until")

    def __init__(self, event: Sent, subject: Watched, until: float) -> None:
        self.event = event
        self.subject = subject
        self.server = event.server
        self.until = until
        self.left = False
        self.renewed = False
        self.dead = False
        self.draft: Lapse | None = None

    @property
    def is_to_last(self) -> bool:
        """Whether its phone means to refresh it: it asked for a long expiry, or has refreshed it before."""
        return self.renewed or _lasts(self.event) > BRIEF


class Subscriptions:
    """The subscriptions of all lines, within bounds."""

    __slots__ = ("_count", "_drafts", "_ends", "_timers", "of")

    def __init__(self, drafts: Drafts, timers: Timers) -> None:
        self._drafts = drafts
        self._timers = timers
        self._count = 0
        self._ends: dict[int, int] = {}   # by line: the last NOTIFY that ended one after the move
        self.of: dict[int, dict[str, Subscription]] = {}

    def answered(self, answer: Answered, request: Sent, subject: Watched) -> None:
        """A final response to a SUBSCRIBE."""
        own = self.of.setdefault(subject.number, {})
        known = own.get(request.call_id)
        if not success(answer.status) or request.expires == 0:
            if known is not None and (request.expires == 0 or answer.status == 481):
                self._forget(own, known)
            return
        until = answer.time + _lasts(request)
        if known is not None:
            known.until, known.server, known.renewed = until, request.server, True
        elif len(own) < OF_ONE_LINE and self._count < SUBSCRIPTIONS_KEPT:
            self._count += 1
            own[request.call_id] = Subscription(request, subject, until)
        else:
            turned_away("watched-lines")

    def notified(self, reply: Replied) -> None:
        """The phone has accepted a NOTIFY in a dialog: a subscription at that server is alive, though nobody saw how
        (RFC 6665 4.1.3), and may last as long again. Which of several it is, is not known here."""
        if not (reply.in_dialog and success(reply.status)) or self._ends.get(reply.line) == reply.transaction:
            return
        for one in self.of.get(reply.line, {}).values():
            if one.left and not one.dead and one.server == reply.server:
                one.until = max(one.until, reply.time + _lasts(one.event))

    def ended(self, notice: Received) -> None:
        """The far end has terminated a subscription (RFC 6665 4.4.1). If its line had left the server by then, it is
        kept: the phone may simply have let it expire, and that is what makes it dead."""
        own = self.of.get(notice.line, {})
        one = own.get(notice.ends)
        if one is not None and one.left:
            self._ends[notice.line] = notice.transaction
        elif one is not None:
            self._forget(own, one)

    def sent(self, request: Sent, subject: Watched) -> None:
        """A request shows that the phone is on. A subscription that a SUBSCRIBE renews, or replaces at another server,
        is not dead."""
        if request.method == "SUBSCRIBE":
            self._subscribes(request, subject)
        for one in self.of.get(subject.number, {}).values():
            if one.dead and one.draft is None:   # the line could have subscribed anew
                one.draft = self._draft(one)
                one.draft.lapsed(one)

    def _subscribes(self, request: Sent, subject: Watched) -> None:
        own = self.of.get(subject.number)
        if not own or request.follows is not None:
            return
        same = own.get(request.call_id)
        replaced = same or next((one for one in own.values() if one.left and _replaces(request, one)), None)
        if replaced is not None and replaced.left:
            self._forget(own, replaced)
            if replaced.draft is not None:
                replaced.draft.replaced(request.time)

    def moved(self, subject: Watched, move: MoveSeen) -> None:
        """The line left a server after a failure: its subscriptions there will expire, except those that it made anew
        in the course of the move (R0)."""
        own = self.of.get(subject.number, {})
        for one in list(own.values()):
            if one.server == move.source and not one.left and one.until > move.time and one.is_to_last:
                if any(other.event.time > one.event.time and _replaces(other.event, one) for other in own.values()):
                    self._forget(own, one)
                    continue
                one.left = True
                self._timers.at(one.until + GRACE, self._ran_out, one)

    def forget(self, before: float) -> None:
        """Forget the subscriptions that expired before that time and have no open incident."""
        for number, own in list(self.of.items()):
            for one in [one for one in own.values() if one.until < before and (one.draft is None or one.draft.end)]:
                self._forget(own, one)
            if not own:
                del self.of[number]
                self._ends.pop(number, None)

    def release(self, lines: Set[int], now: float) -> None:
        """These lines were forgotten."""
        waited: set[object] = set()
        for number in self.of.keys() & lines:
            own = self.of.pop(number)
            self._ends.pop(number, None)
            for one in list(own.values()):
                self._forget(own, one)
                if one.left:
                    waited.add(one)
                if one.draft is not None and one.draft.end is None:
                    one.draft.replaced(now)
        if waited:
            self._timers.cancel(waited)

    def _ran_out(self, one: Subscription) -> None:
        own = self.of.get(one.subject.number, {})
        if own.get(one.event.call_id) is not one or not one.left:
            return
        if one.until + GRACE > self._timers.now:
            self._timers.at(one.until + GRACE, self._ran_out, one)   # a NOTIFY came in between
        else:
            one.dead = True

    def _draft(self, one: Subscription) -> Lapse:
        for draft in self._drafts.latest():
            if isinstance(draft, Lapse) and draft.server == one.server and not draft.closed \
                    and one.until - draft.latest <= TOGETHER:
                return draft
        made = Lapse("dead-subscriptions", one.until, one.server, one.subject.entry)
        self._drafts.open(made)
        return made

    def _forget(self, own: dict[str, Subscription], one: Subscription) -> None:
        if own.get(one.event.call_id) is one:
            del own[one.event.call_id]
            self._count -= 1


def _lasts(request: Sent) -> float:
    """The expiry that a SUBSCRIBE requests, in seconds."""
    return LASTS if request.expires is None else request.expires


def _replaces(request: Sent, one: Subscription) -> bool:
    """Whether a SUBSCRIBE that opens a dialog at another server is for the same target."""
    return not request.in_dialog and request.server != one.server and request.target == one.event.target
