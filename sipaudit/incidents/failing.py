"""The evidence that one phone has against one server: its failed requests, until an answer disproves them."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from sipaudit.incidents.draft import Watched
from sipaudit.model.events import Failed, FailureKind, ModelEvent
from sipaudit.model.reach import LONG_AGO

SENDS_KEPT = 16   # failed sends of one phone


class InVain(NamedTuple):
    """A failed request of a phone: `method` (None: it was refused, or could not be delivered), time `sent` (seconds
    since the epoch), the event that shows the failure, and the lines concerned. `sure`: the failure itself was seen,
    not concluded from the absence of an answer alone."""

    phone: int
    method: str | None
    sent: float
    event: ModelEvent
    subjects: list[Watched]
    sure: bool

    def had_been_served(self, server: str, since: float) -> bool:
        """Whether that server has served one of the lines, since `since`, the same method that now fails."""
        served = (one.state.served for one in self.subjects if one.state.served_since(server, since))
        return any(answer is not None and answer.method == self.method for answer in served)


class Failing:
    """One phone's standing evidence against one server. `sends`: when failed requests were sent, the last few; `first`:
    the earliest; `methods`: the last failed send of each method (None: refused, or not delivered); `asked`: the last
    few sends, each with the number of its line; `sure`: whether more than silence shows the failure."""

    __slots__ = ("asked", "event", "first", "methods", "sends", "subjects", "sure")

    def __init__(self, first: InVain) -> None:
        self.first = first.sent
        self.sends: deque[float] = deque(maxlen=SENDS_KEPT)
        self.asked: deque[tuple[int, float]] = deque(maxlen=SENDS_KEPT)
        self.methods: dict[str | None, float] = {}
        self.event = first.event
        self.subjects = first.subjects
        self.sure = False

    def note(self, vain: InVain) -> None:
        """Add a failed send: the first, or another."""
        self.first = min(self.first, vain.sent)
        self.sends.append(vain.sent)
        self.asked.extend((subject.number, vain.sent) for subject in vain.subjects)
        self.methods[vain.method] = max(vain.sent, self.methods.get(vain.method, LONG_AGO))
        self.sure = self.sure or vain.sure

    def disproved(self, method: str, sent: float) -> bool:
        """Take in a final response to a request of this method that was sent at `sent`; returns whether it disproves
        anything."""
        gone = [known for known in (method, None) if self.methods.get(known, sent) < sent]
        for known in gone:
            del self.methods[known]
        return bool(gone)

    def methods_since(self, time: float) -> set[str | None]:
        """The methods that had a failed send at that time or later."""
        return {method for method, sent in self.methods.items() if sent >= time}

    @property
    def unnamed(self) -> bool:
        """Whether the only evidence against the server is that its name does not resolve."""
        return isinstance(self.event, Failed) and self.event.kind is FailureKind.DNS and self.methods.keys() == {None}

    def registered_at(self, server: str, since: float) -> bool:
        """Whether the phone itself was granted a binding there since then."""
        return any(binding.server == server and binding.granted is not None and binding.granted.time > since
                   for subject in self.subjects for binding in subject.state.bindings)

    def served_since(self, server: str, time: float) -> bool:
        """Whether that server has served the phone any request since then."""
        return any(subject.state.served_since(server, time) for subject in self.subjects)

    def had_been_served(self, vain: InVain, server: str, since: float) -> bool:
        """Whether that server had served the phone, since `since`, the same method that now fails; any method, if the
        failed one is unknown. That it took a call does not show that it would have registered the phone then."""
        if vain.method is None:
            return self.served_since(server, since)
        return vain.had_been_served(server, since) or (vain.method == "REGISTER" and self.registered_at(server, since))

    def since(self, answered: float, earliest: float) -> float:
        """The first failed send that belongs together with the last one: after the server's last answer to anybody, or,
        failing that, not before `earliest`."""
        if self.first > answered:
            return self.first
        return min((sent for sent in self.sends if sent >= earliest), default=self.first)
