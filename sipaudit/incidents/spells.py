"""Spells: times in which a line has no registration, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf

from sipaudit.incidents.draft import Draft, Watched
from sipaudit.incidents.requests import went_on
from sipaudit.model.events import Answered, Failed, ModelEvent, Sent
from sipaudit.model.state import Binding
from sipaudit.model.timers import DEFAULT_EXPIRES, RENEWAL_LATE, first_renewal, renewal

CREDENTIALS_WITHIN = 5.0   # seconds within which a phone sends credentials and gets an answer
CAUSES_KEPT = 8       # of one line
RECENT = 120.0        # seconds before the last registration ended in which a failure may be the cause
SOONER = 0.9          # of the renewal time: if a phone asks again sooner, the last request failed
# How a timeline gives the cause, between the server and the number of lines.
REFUSES = " refuses REGISTERs of "
IS_SILENT = " does not answer REGISTERs of "
IS_NOT_REACHED = " is not reached by "

Cause = Answered | Sent | Failed


class Spell:
    """A time in which one line has no live binding: from `start`, when the last binding ended or the phone was first
    seen after that, to the 200 that ended it, or as far as is known. `seen`: the line's last request in it; `causes`:
    by server and type of event, what kept the line from registering: the first response that refused it, the first
    REGISTER without an answer, or the first that could not be delivered; `challenged`: the last challenge."""

    __slots__ = ("causes", "challenged", "end", "event", "seen", "start", "subject")

    def __init__(self, start: float, subject: Watched, event: ModelEvent) -> None:
        self.start = start
        self.end: float | None = None
        self.subject = subject
        self.event = event
        self.seen = event.time
        self.causes: dict[tuple[str, type[Cause]], Cause] = {}
        self.challenged: Answered | None = None

    def met(self, bindings: Iterable[Binding], request: Sent | Failed) -> None:
        """Collect the causes that the bindings show before this request of the line."""
        for binding in bindings:
            if binding.refused is not None:
                self._cause(binding.refused)
            elif binding.register is not None and found_no_answer(binding, binding.register, request, self.subject):
                self._cause(binding.register)
        if isinstance(request, Failed):
            self._cause(request)

    def challenges(self, answer: Answered) -> None:
        """A REGISTER was challenged (401 or 407). A challenge that follows another at once refuses the credentials."""
        before, self.challenged = self.challenged, answer
        if before is not None and before.server == answer.server and answer.time - before.time <= CREDENTIALS_WITHIN:
            self._cause(answer)

    def kept_from_registering(self) -> Iterator[tuple[tuple[str, type[Cause]], Cause]]:
        """The causes, except responses just before the line registered: a stale nonce, too short an expiry."""
        until = inf if self.end is None else self.end - CREDENTIALS_WITHIN
        return ((key, event) for key, event in self.causes.items() if event.time < until)

    def _cause(self, event: Cause) -> None:
        is_recent = event.time >= self.start - RECENT   # otherwise it has worked since, or registered elsewhere
        if is_recent and len(self.causes) < CAUSES_KEPT:
            self.causes.setdefault((event.server, type(event)), event)


def tell(draft: Draft, spells: list[Spell]) -> None:
    """Add to an incident its first line, and why the lines were not registered."""
    draft.happened(spells[0].start, f"first line without a registration: {spells[0].subject.line}")
    by: dict[tuple[str, type[Cause]], dict[int, tuple[Cause, Watched]]] = {}
    for spell in spells:
        for key, event in spell.kept_from_registering():
            by.setdefault(key, {}).setdefault(spell.subject.number, (event, spell.subject))
    for (server, _), met in by.items():
        event, subject = min(met.values(), key=lambda one: one[0].time)
        lines = "1 line" if len(met) == 1 else f"{len(met)} lines"
        draft.happened(event.time, subject.server(server) + _said([one for one, _ in met.values()], lines))
        draft.add([subject], event)


def _said(met: list[Cause], lines: str) -> str:
    codes = sorted({str(one.status) for one in met if isinstance(one, Answered)})
    kinds = sorted({str(one.kind) for one in met if isinstance(one, Failed)})
    if codes:
        return f"{REFUSES}{lines} with {', '.join(codes)}"
    return f"{IS_NOT_REACHED}{lines}: {', '.join(kinds)}" if kinds else f"{IS_SILENT}{lines}"


def found_no_answer(binding: Binding, asked: Sent, request: Sent | Failed, subject: Watched) -> bool:
    """Whether the phone shows that a REGISTER had no answer: it went on retransmitting, or it sends that server another
    one sooner than it would renew, but not at once, with credentials. A REGISTER to another server shows it only over
    connections, where SIP retransmits nothing."""
    if binding.resent is not None and went_on(asked, binding.resent, subject.silence):
        return True
    passed = request.time - asked.time
    asks_anew = isinstance(request, Sent) and request.method == "REGISTER" \
        and (request.server == asked.server or subject.connects(asked.server))
    return asks_anew and subject.silence <= passed < SOONER * renewed_after(binding, subject)


def renewed_after(binding: Binding, subject: Watched) -> float:
    """Seconds after which a binding there is renewed at the earliest, whatever the firmware."""
    return first_renewal(binding.expires or DEFAULT_EXPIRES, subject.profile().settings)


def was_there(subject: Watched, time: float) -> bool:
    """Whether the line had a registration then and was not overdue with its renewal, like that of a phone that is
    off."""
    over = [row for row in subject.history.ended if row.since <= time]
    held = [one for one in subject.state.bindings
            if one.granted is not None and one.since is not None and one.since.time <= time]
    if not over and not held:
        return True   # nothing is known of the line so far
    return any(row.until is None or row.until >= time for row in over) \
        or any(time <= min(one.until, _renews_by(one, subject)) for one in held)


def _renews_by(binding: Binding, subject: Watched) -> float:
    """By when the line must have renewed a binding if it is still on: at its own pace, or at that of today's firmware
    if it has also registered for other reasons (B3); inf if it has already sent a REGISTER."""
    granted, asked = binding.granted, binding.register
    if granted is None or (asked is not None and asked.time > granted.time):
        return inf
    return max(binding.due, granted.time + renewal(binding.expires, subject.profile().settings)) + RENEWAL_LATE
