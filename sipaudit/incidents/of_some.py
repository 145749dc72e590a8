"""Outages of some phones alone, whose site has lost a server that others reach: what one shows of that."""

from __future__ import annotations

from collections.abc import Container, Set
from typing import TYPE_CHECKING

from sipaudit.incidents.draft import let_go

if TYPE_CHECKING:
    from sipaudit.incidents.outage import Outage
    from sipaudit.incidents.servers import ServerWatch

BEFORE_KEPT = 16        # outages before one that may have been the same


class OfSome:
    """What one outage shows of that. Times in seconds since the epoch, phones by number.

    `meanwhile` is the first answer to others that seemed to end it, None where it is one of the whole server so far;
    `returned` the first since the last request in vain to one of those that it concerns, `disproved` whether one was
    to what had run out, and `of_methods` that only such answers end it, since it answers those phones other methods
    all the while. `spared` is a phone that was answered and that it does not concern, and when.

    `joined` are the phones that were served since the start, before they too lost the server, or were answered again
    while others went on to ask in vain (`again`): that these are answered ends nothing for the others, and `freed` is
    when each was. `back` is when the others were answered since the last request in vain. `before` are the outages
    before it that may have been the same."""

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
        """The server answered a phone; `anew`: one that it concerns, and what was asked after the last in vain; whether
        that `disproves` what ran out, or is of another method."""
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
        """A phone asked in vain then; `by_turns`: so do those that were answered just before."""
        if sent > self.freed.get(phone, sent):
            del self.freed[phone]
            if phone in self.again:
                self.again.remove(phone)
                self.joined.remove(phone)
        if self.returned is not None and sent > self.returned:
            self.returned, self.disproved = None, False
            self._goes_on_for_others(phone, sent, by_turns)

    def _goes_on_for_others(self, phone: int, sent: float, by_turns: bool) -> None:
        """Who was answered is no longer concerned, where others still are."""
        if self.meanwhile is not None and not by_turns:
            back = {one: time for one, time in self.back.items() if one != phone and time < sent}
            self.freed.update(back)
            self.joined |= back.keys()
            self.again |= back.keys()
        self.back.clear()

    def goes_on(self, end: float | None) -> None:
        """What seemed to end it was answered to others."""
        self.meanwhile = self.meanwhile or end
        self.of_methods = self.of_methods or self.returned is not None

    def goes_on_since(self, *ends: float | None) -> None:
        """An outage before it was the same: what had seemed to end it, too, was answered to others."""
        self.meanwhile = min(time for time in (self.meanwhile, *ends) if time is not None)

    def look(self, server: ServerWatch, start: float, until: float, concerned: Container[int]) -> None:
        """Whether others than those concerned were answered in that time."""
        if self.spared is None or self.spared[0] in concerned:
            self.spared = server.first_life_of_others(start, until, concerned)

    def comes_after(self, last: Outage) -> None:
        """The last outage of the server may turn out to be the same."""
        if not last.some.disproved:
            self.before = (*last.some.before, last)[-BEFORE_KEPT:]

    def take_in(self, before: OfSome, own: Set[int], concerned: Container[int]) -> None:
        """An outage before it was the same: both together concern these phones, and all the while its `own`."""
        self.of_methods = self.of_methods or before.of_methods
        self.joined = (self.joined | before.joined) - own
        self.again = (self.again | before.again) & self.joined
        self.freed = {phone: time for phone, time in (before.freed | self.freed).items() if phone in self.joined}
        spared = (one for one in (before.spared, self.spared) if one is not None and one[0] not in concerned)
        self.spared = next(spared, None)

    def forget(self, before: float) -> None:
        """Forget the outages that were over before that time."""
        self.before = tuple(one for one in self.before if (one.end or 0.0) >= before)

    def release(self, phones: Set[int]) -> None:
        """These phones were forgotten."""
        let_go(phones, self.freed, self.back)
        self.joined -= phones
        self.again -= phones
