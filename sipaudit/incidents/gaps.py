"""registration-gap: lines that no server has a binding for, so that nobody can reach them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from math import inf

from sipaudit.incidents.draft import Draft, Watched, let_go
from sipaudit.incidents.spells import Spell, found_no_answer, tell
from sipaudit.model.events import Answered, Failed, Sent
from sipaudit.model.state import Binding, PhoneState
from sipaudit.turned_away import has_room

AWAY = 120.0          # seconds of silence after which a phone may have been off: a retry comes within a minute (B3)
CONNECTS = 2.0        # seconds before a request in which its phone looks up and connects for it
SPELLS_KEPT = 100_000
OPEN_KEPT = 100_000


class Gaps:
    """Follows which lines have no registration; `begun` counts the spells. Spells shorter than `lasting` are kept, too,
    as outages count them."""

    def __init__(self, lasting: float) -> None:
        self._lasting = lasting
        self.open: dict[int, Spell] = {}
        self.begun = 0
        self._over: list[Spell] = []
        self._latest: dict[int, Spell] = {}   # by line: the latest spell that is over
        self._failed: dict[int, float] = {}   # by line: when its phone last failed to reach one of its servers
        self._may_be: dict[int, float] = {}   # by line: until when missing packets may have registered it

    def sent(self, request: Sent | Failed, subject: Watched, bindings: Iterable[Binding], phone: PhoneState) -> None:
        """A request of a line, or a failure of its phone to send one. The bindings of the line at all servers, and the
        state of the phone, are those before it."""
        number, now = subject.number, request.time
        logs_out = isinstance(request, Sent) and request.expires == 0 and request.method == "REGISTER"
        failed = self._failed.get(number, -inf)
        if isinstance(request, Failed):
            self._keep(self._failed, number, now)
        spell = self.open.get(number)
        bindings = tuple(bindings)
        if spell is not None:
            self._asks_in(spell, request, subject, bindings, logs_out)
            return
        ended = _ended(bindings)
        if ended is None or logs_out:
            return
        ended = max(ended, self._unseen(bindings, request, subject, phone))
        if ended >= now:
            return
        spoke = max((time for time in (failed, *(reach.touched for reach in phone.reaches)) if time < now - CONNECTS),
                    default=-inf)
        if now - spoke <= AWAY:
            self._begin(Spell(ended, subject, request), bindings, request)
        else:
            self._returns(request, subject, bindings)

    def _asks_in(self, spell: Spell, request: Sent | Failed, subject: Watched, bindings: tuple[Binding, ...],
                 logs_out: bool) -> None:
        """A request of a line that has no registration: the spell continues, unless the line logs out or the phone was
        off."""
        if logs_out:
            self._end(spell, request.time)
        elif request.time - spell.seen > AWAY:
            self._end(spell, spell.seen)
            self._returns(request, subject, bindings)
        else:
            spell.seen = request.time
            spell.met(bindings, request)

    def _returns(self, request: Sent | Failed, subject: Watched, bindings: tuple[Binding, ...]) -> None:
        """The phone was not seen for a while. If it sends a REGISTER, or tries to, it was off; if it simply goes on
        calling, it may have renewed outside the capture."""
        if isinstance(request, Failed) or request.method == "REGISTER":
            self._begin(Spell(request.time, subject, request), (), request)   # the bindings are from before it was off
        else:
            lasts = max((binding.expires for binding in bindings), default=0.0)
            self._keep(self._may_be, subject.number, request.time + lasts)

    def _unseen(self, bindings: tuple[Binding, ...], request: Sent | Failed, subject: Watched, phone: PhoneState
                ) -> float:
        """Until when the line may be registered, although no packet shows it."""
        until = max(_may_be_granted(bindings, phone, request, subject), self._may_be.get(subject.number, -inf))
        if until > request.time:
            self._keep(self._may_be, subject.number, until)
        return until

    def challenged(self, number: int, answer: Answered) -> None:
        """A REGISTER of a line was answered with 401 or 407."""
        spell = self.open.get(number)
        if spell is not None:
            spell.challenges(answer)

    @staticmethod
    def _keep(table: dict[int, float], number: int, time: float) -> None:
        """Store a time of a line, within bounds."""
        if number in table or has_room(table, OPEN_KEPT, "watched-lines"):
            table[number] = time

    def granted(self, subject: Watched, time: float) -> None:
        """A REGISTER of the line was granted."""
        self._may_be.pop(subject.number, None)
        self._failed.pop(subject.number, None)
        spell = self.open.get(subject.number)
        if spell is not None:
            self._end(spell, time)

    def lost(self, number: int, since: float | None) -> None:
        """The capture lacks a packet of the line's phone that passed after `since`: it may have registered the line."""
        if since is None:
            return
        over, spell = self._latest.get(number), self.open.get(number)
        if over is not None and over.end is not None and over.end > max(since, over.start):
            over.end = max(since, over.start)
            self.begun += 1   # as if there were a new spell: what is reported of them changes
        if spell is not None:
            self._end(spell, since)
            self.begun += 1

    def gone(self, number: int) -> None:
        """The phone has restarted: its line had no registration to lose."""
        self.open.pop(number, None)
        self._may_be.pop(number, None)
        self._failed.pop(number, None)

    def forget(self, before: float) -> None:
        """Forget the spells that were over before that time."""
        self._over = [spell for spell in self._over if spell.end is None or spell.end >= before]
        self._latest = {spell.subject.number: spell for spell in self._over}

    def release(self, lines: Set[int]) -> None:
        """These lines were forgotten."""
        let_go(lines, self.open, self._latest, self._may_be, self._failed)
        self._over = [spell for spell in self._over if spell.subject.number not in lines]

    def view_begins(self) -> None:
        """Nothing was captured for a while: lines without a registration may have got one at once."""
        for spell in tuple(self.open.values()):
            self._end(spell, spell.seen)

    def _begin(self, spell: Spell, bindings: Iterable[Binding], request: Sent | Failed) -> None:
        self.begun += 1
        spell.met(bindings, request)
        if has_room(self.open, OPEN_KEPT, "watched-lines"):
            self.open[spell.subject.number] = spell

    def _end(self, spell: Spell, time: float) -> None:
        """End a spell; one of zero length is dropped."""
        del self.open[spell.subject.number]
        spell.end = time
        if time <= spell.start:
            return
        if has_room(self._over, SPELLS_KEPT, "watched-lines"):
            self._over.append(spell)
            self._latest[spell.subject.number] = spell

    def spells(self) -> Iterator[Spell]:
        """All spells, including open ones."""
        yield from (spell for spell in self._over if spell.end is None or spell.end > spell.start)
        yield from self.open.values()

    def drafts(self) -> list[Draft]:
        """The incidents: overlapping spells of one entry are one incident."""
        long = sorted((spell for spell in self.spells() if self._is_long(spell)),
                      key=lambda spell: (spell.start, spell.subject.number))
        last: dict[str | None, tuple[Draft, list[Spell]]] = {}
        made: list[tuple[Draft, list[Spell]]] = []
        for spell in long:
            entry = spell.subject.entry
            draft, spells = last.get(entry) or (None, [])
            if draft is None or (draft.end is not None and draft.end < spell.start):
                draft, spells = Draft("registration-gap", spell.start, None, entry), []
                draft.end = spell.end
                last[entry] = draft, spells
                made.append((draft, spells))
            draft.end = None if draft.end is None or spell.end is None else max(draft.end, spell.end)
            draft.add([spell.subject], spell.event)
            spells.append(spell)
        for draft, spells in made:
            tell(draft, spells)
        return [draft for draft, _ in made]

    def _is_long(self, spell: Spell) -> bool:
        return (spell.seen if spell.end is None else spell.end) - spell.start > self._lasting


def lapsed(spells: Iterable[Spell], lines: Mapping[int, object], start: float, end: float) -> int:
    """How many of these lines lost their last binding between `start` and `end`."""
    return len({spell.subject.number for spell in spells
                if spell.subject.number in lines and start <= spell.start <= end})


def _ended(bindings: Iterable[Binding]) -> float | None:
    """When the last of a line's bindings expired; None if it has none, or has logged out since."""
    until, granted, removed = -inf, -inf, -inf
    for binding in bindings:
        if binding.granted is not None:
            until = max(until, binding.until)
            granted = max(granted, binding.granted.time)
        elif binding.removed is not None and binding.removed.asked == 0:
            removed = max(removed, binding.removed.time)
    return None if granted == -inf or removed > granted or until == inf else until


def _may_be_granted(bindings: tuple[Binding, ...], phone: PhoneState, request: Sent | Failed, subject: Watched
                    ) -> float:
    """Until when the line may be registered although the capture lacks the packets that show it: a REGISTER has no
    answer and its phone acts as if it had one, or packets of the phone are missing since the last 200. Servers are
    assumed to grant as much as before."""
    granted, lasts = max((binding.granted.time, binding.expires) for binding in bindings if binding.granted is not None)
    since = max(granted, granted + lasts - AWAY)   # what failed long before the expiry was no renewal
    vain, unseen = False, -inf
    for binding in bindings:
        asked, refused = binding.register, binding.refused
        if asked is not None and found_no_answer(binding, asked, request, subject):
            vain = vain or asked.time > since
        elif asked is not None and asked.time > granted:
            unseen = max(unseen, asked.time)
        vain = vain or (refused is not None and refused.time > since)
    if phone.lost is not None and phone.lost > granted and not vain:
        unseen = max(unseen, phone.lost)
    return unseen + lasts
