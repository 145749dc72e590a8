"""Outages of only some phones, whose site has lost a server that others still reach."""

from __future__ import annotations

from collections.abc import Container, Set
from typing import TYPE_CHECKING

from sipaudit.incidents.draft import let_go

if TYPE_CHECKING:
    from sipaudit.incidents.outage import Outage
    from sipaudit.incidents.servers import ServerWatch

BEFORE_KEPT = 16        # earlier outages that may be one with this one


class OfSome:
    """What one outage shows about whether it is one of only some phones. Times in seconds since the epoch, phones by
    number.

    `meanwhile`: the first answer to other phones that seemed to end it, None while it counts as one of the whole
    server; `returned`: the first answer to a concerned phone since its last unanswered request; `disproved`: whether
    such an answer was to what had run out; `of_methods`: only such answers end it, since the server answers the same
    phones other methods all along. `spared`: a phone not concerned that was answered, and when.

    `joined`: phones that were served after the start, before they lost the server too, or that were answered again
    while others still had no answer (`again`); answers to these end nothing for the others, and `freed` is when each
    was answered. `back`: when the others were answered since the last unanswered request. `before`: earlier outages
    that may be one with this one."""

    __slots__ = ("again", "back", "before", "disproved", "freed", "joined", "meanwhile", "of_methods", "returned",
                 "spared")

    def __init__(self) -> None:
        self.meanwhile: float | None = None
        self.returned: float | None = None
        self.disproved = False
        self.of_methods = False
        self.spared: tuple[int, float] | None = None
        self.joined: set[int] = set()
        self.again: set[int] = set()
        self.back: dict[int, float] = {}
        self.freed: dict[int, float] = {}
        self.before: tuple[Outage, ...] = ()

    def answers(self, phone: int, time: float, *, anew: bool, disproves: bool) -> None:
        """The server answered a phone. `anew`: the phone is concerned, and the request came after the last unanswered
        one; `disproves`: the answer is to what ran out, not to another method."""
        if disproves:
            self.before = tuple(one for one in self.before if phone not in one.first)
        if phone in self.joined and disproves:
            self.freed.setdefault(phone, time)
        elif anew:
            self.disproved = self.disproved or disproves
            if disproves:
                self.back.setdefault(phone, time)
            if self.returned is None and (disproves or not self.of_methods):
                self.returned = time

    def vain(self, phone: int, sent: float, *, by_turns: bool) -> None:
        """A request of a phone, sent at `sent`, had no answer; `by_turns`: the same is true of phones that were
        answered just before."""
        if sent > self.freed.get(phone, sent):
            del self.freed[phone]
            if phone in self.again:
                self.again.remove(phone)
                self.joined.remove(phone)
        if self.returned is not None and sent > self.returned:
            self.returned, self.disproved = None, False
            self._goes_on_for_others(phone, sent, by_turns)

    def _goes_on_for_others(self, phone: int, sent: float, by_turns: bool) -> None:
        """Phones that were answered are no longer concerned, while others still are."""
        if self.meanwhile is not None and not by_turns:
            back = {one: time for one, time in self.back.items() if one != phone and time < sent}
            self.freed.update(back)
            self.joined |= back.keys()
            self.again |= back.keys()
        self.back.clear()

    def goes_on(self, end: float | None) -> None:
        """The answer that seemed to end the outage was to other phones."""
        self.meanwhile = self.meanwhile or end
        self.of_methods = self.of_methods or self.returned is not None

    def goes_on_since(self, *ends: float | None) -> None:
        """An earlier outage was one with this one: the answers that seemed to end it were to other phones, too."""
        self.meanwhile = min(time for time in (self.meanwhile, *ends) if time is not None)

    def look(self, server: ServerWatch, start: float, until: float, concerned: Container[int]) -> None:
        """Look for an answer to a phone that is not concerned, in that time."""
        if self.spared is None or self.spared[0] in concerned:
            self.spared = server.first_life_of_others(start, until, concerned)

    def comes_after(self, last: Outage) -> None:
        """Note that the server's last outage may turn out to be one with this one."""
        if not last.some.disproved:
            self.before = (*last.some.before, last)[-BEFORE_KEPT:]

    def take_in(self, before: OfSome, own: Set[int], concerned: Container[int]) -> None:
        """Merge in an earlier outage: both together concern the phones `concerned`, and the phones `own` all along."""
        self.of_methods = self.of_methods or before.of_methods
        self.joined = (self.joined | before.joined) - own
        self.again = (self.again | before.again) & self.joined
        self.freed = {phone: time for phone, time in (before.freed | self.freed).items() if phone in self.joined}
        spared = (one for one in (before.spared, self.spared) if one is not None and one[0] not in concerned)
        self.spared = next(spared, None)

    def forget(self, before: float) -> None:
        """Forget the earlier outages that were over before that time."""
        self.before = tuple(one for one in self.before if (one.end or 0.0) >= before)

    def release(self, phones: Set[int]) -> None:
        """These phones were forgotten."""
        let_go(phones, self.freed, self.back)
        self.joined -= phones
        self.again -= phones
