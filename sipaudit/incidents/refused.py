"""calls-lost without an outage: a server that is up, and refuses every call."""

from __future__ import annotations

from collections.abc import Container, Hashable, Mapping, Sequence, Set

from sipaudit.incidents.calls import GIVEN_UP, WAITED, Attempt
from sipaudit.incidents.draft import EVIDENCE_KEPT, HAPPENINGS_KEPT, TOGETHER, Draft, Drafts
from sipaudit.model.events import Answered
from sipaudit.model.timers import SILENCE_MAX
from sipaudit.turned_away import turned_away

LOST_CALLS = "calls-lost"
ITS_OWN = frozenset({500, 502, 503, 504, GIVEN_UP})   # the server failed, not the callee (RFC 3261 21.5)
TIMED_OUT = 408       # the server gave up, if after `WAITED` or more; sooner, it is about the callee
REFUSALS_KEPT = 20_000   # of one incident
UNTOLD_KEPT = 64       # of a server, while too few for an incident
CALLEES = 2            # a single callee may be at fault

Refused = tuple[Attempt, Answered]


class RefusedCalls(Draft):
    """Calls that one server refused, with no call getting through there in between; `last` is the last refusal. Which
    of them could not be made at all is known later: another server may have taken them. Reported from `phones` and
    `responses` on."""

    def __init__(self, attempt: Attempt, refusal: Answered, phones: float, responses: float) -> None:
        super().__init__(LOST_CALLS, attempt.event.time, refusal.server, attempt.subject.entry)
        self.last = refusal.time
        self.told = False
        self._phones = phones
        self._responses = responses
        self._refused: list[Refused] = []

    def refuse(self, attempt: Attempt, refusal: Answered) -> bool:
        """Add a refused call; returns whether this makes them enough for an incident."""
        self.last = refusal.time
        if len(self._refused) >= (REFUSALS_KEPT if self.told else UNTOLD_KEPT):
            turned_away("watched-calls")
            if self.told:
                return False
            del self._refused[0]
        self._refused.append((attempt, refusal))
        if self.told or not self._are_enough(self._refused):
            return False
        self.told = True
        return True

    def leave_to_an_outage(self) -> None:
        """The 503 refusals have turned out to be an outage (F3), which reports them."""
        self._refused = [(attempt, refusal) for attempt, refusal in self._refused if refusal.status != 503]

    def failed(self, now: float) -> list[Refused]:
        """The calls that could not be made, as far as known at `now`, each once."""
        failed = {id(attempt): (attempt, refusal) for attempt, refusal in self._refused
                  if not attempt.made and attempt.event.time + SILENCE_MAX <= now}
        return list(failed.values())

    def settle(self, now: float) -> bool:
        """Fill the draft with the calls that could not be made, as far as known at `now`; returns whether they are
        enough."""
        self.lines.clear()
        self.evidence.clear()
        self.happenings.clear()
        failed = self.failed(now)
        for place, (attempt, refusal) in enumerate(failed):
            self.add([attempt.subject], refusal if place < EVIDENCE_KEPT else None)
        for attempt, refusal in failed[:HAPPENINGS_KEPT]:
            why = "nobody rang" if refusal.status == GIVEN_UP else refusal.status
            self.happened(attempt.event.time, f"{attempt.failure}: {why}")
        self.start = min((attempt.event.time for attempt, _ in failed), default=self.start)
        self.metrics = {"calls_lost": 0.0, "calls_failed": float(len(failed)),
                        "emergency_failed": float(sum(attempt.event.emergency for attempt, _ in failed))}
        return self._are_enough(failed)

    def unsettled(self, now: float, _spells: int) -> Sequence[Hashable]:
        return (len(self.failed(now)),)

    def _are_enough(self, failed: list[Refused]) -> bool:
        """Whether there are enough calls, of enough phones, and to several callees."""
        phones = {attempt.event.phone for attempt, _ in failed}
        callees = {attempt.event.target for attempt, _ in failed}
        return len(failed) >= self._responses and len(phones) >= self._phones and len(callees) >= CALLEES

    def release(self, lines: Set[int]) -> None:
        """These lines were forgotten."""
        super().release(lines)
        self._refused = [pair for pair in self._refused if pair[0].subject.number not in lines]


class Refusals:
    """By server, the calls that it refused since one last got through there. `out`: the servers that are out; what they
    refuse belongs to their outage."""

    __slots__ = ("_drafts", "_out", "_phones", "_responses", "open")

    def __init__(self, thresholds: Mapping[str, float], drafts: Drafts, out: Container[str]) -> None:
        self._phones = thresholds["phones"]
        self._responses = thresholds["responses"]
        self._drafts = drafts
        self._out = out
        self.open: dict[str, RefusedCalls] = {}

    def answered(self, answer: Answered, attempt: Attempt | None) -> None:
        """A response to an INVITE that opens a dialog, from a server that has refused calls, or does so now; `attempt`
        is the call if it failed."""
        if attempt is not None and _is_its_own(answer) and answer.server not in self._out:
            self._refused(answer, attempt)
        elif attempt is None or answer.server in self._out:
            draft = self.open.pop(answer.server, None)
            if draft is not None:
                draft.end = answer.time
            if draft is not None and attempt is not None:
                draft.leave_to_an_outage()

    def _refused(self, answer: Answered, attempt: Attempt) -> None:
        draft = self.open.get(answer.server)
        if draft is not None and answer.time - draft.last > TOGETHER:
            draft.end, draft = draft.last, None
        if draft is None:
            draft = self.open[answer.server] = RefusedCalls(attempt, answer, self._phones, self._responses)
        if draft.refuse(attempt, answer):
            self._drafts.open(draft)

    def forget(self, before: float) -> None:
        """Forget the refusals before that time."""
        for server, draft in list(self.open.items()):
            if draft.last < before:
                draft.end = draft.last
                del self.open[server]

    def release(self, lines: Set[int]) -> None:
        """These lines were forgotten."""
        for draft in self.open.values():
            draft.release(lines)


def _is_its_own(refusal: Answered) -> bool:
    """Whether, by its response, the server failed, not the callee."""
    if refusal.status == TIMED_OUT:
        return refusal.sent is not None and refusal.time - refusal.sent >= WAITED
    return refusal.status in ITS_OWN
