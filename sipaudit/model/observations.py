"""The results of judging: verdicts on events, with their proof."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from math import inf

from msgspec import Struct

from sipaudit.model.events import ModelEvent
from sipaudit.model.values import Assumption, Reason

Fact = int | float | str | None


class Verdict(StrEnum):
    """How an event, or a deadline that passed, compares with an expectation (design.md 3)."""

    CONFORMED = "conformed"
    EARLY = "early"
    LATE = "late"
    MISSING = "missing"
    FORBIDDEN = "forbidden"
    UNEXPECTED = "unexpected"
    INCONCLUSIVE = "inconclusive"


class Sign(StrEnum):
    """What a verdict may wait for; `proofs` settles each of them."""

    WAITED = "waited"         # the phone had no final answer yet when it sent the request on trial
    ANSWERED = "answered"     # the server answers the request on trial
    REFUSED = "refused"       # the try on trial fails
    CALL = "call"             # the call was still up
    SILENCE = "silence"       # the time passes without a contact elsewhere
    WORKS_ON = "works-on"     # the line works on elsewhere
    REGISTERS = "registers"   # the line goes on registering
    STAYS = "stays"           # the line stays where its call went
    BEGAN = "began"           # the request on trial is retransmitted as soon as after a first sending


class Awaited(Struct, frozen=True, gc=False):
    """What would prove the case: see `Sign`.

    `since` is from when an event counts and `until` when the waiting ends (seconds since the epoch). `transaction`,
    `server` and `calls` say whose packets count (for REGISTERS: `calls` whose do not; for CALL: `transaction` is that
    of a BYE that came since). `others` are the servers that count as elsewhere (empty: all). `seen`: one half of the
    proof has come. `behind` is how many seconds answers may lag behind the requests that the phone sent because of
    them; for BEGAN, how many may pass before the retransmission.
    The last retransmission must be at `repeats` at the earliest, and before `rests` (a phone is as patient the second
    time). `why` is the reason for which the verdict is open until then.
    """

    sign: Sign
    transaction: int = 0
    since: float = -inf
    until: float = inf
    server: str = ""
    calls: tuple[int, ...] = ()
    seen: bool = False
    others: tuple[str, ...] = ()
    repeats: float = -inf
    rests: float = inf
    behind: float = 0.0
    why: Reason | None = None


class Outcome(Enum):
    """The result of a verdict that waited."""

    CONDEMNED = "condemned"
    DOUBTED = "doubted"      # condemned, if the capture lacks nothing
    ACQUITTED = "acquitted"


News = Outcome | Awaited | None   # what an event shows: the outcome, half of the proof, or nothing


class Observation(Struct, frozen=True):
    """One expectation that an event reached, and the verdict.

    `expectation` and `clause` name the row of the table.  INCONCLUSIVE carries its `reason`; a deviation carries
    `facts` (available to a rule's text and CEL condition), the `assumptions` that are in doubt and the `proof`: the
    events that show it, in order.  `unless` is the verdict that an INCONCLUSIVE one becomes once all that is `awaited`
    has come.  `at` is the time of what the event only reveals (a deadline that passed), None for the event's own time.
    `server` is empty where the deviation concerns no single server.  `absent`: it rests on packets that are not there,
    and would be undecided if the capture were known to lack some.  `elsewhere`: contact with these servers would have
    acquitted, and none was seen.  `slight`: one more packet would have acquitted, though nothing shows that the capture
    lacks it: likely at most.
    """

    expectation: str
    clause: str
    verdict: Verdict
    event: ModelEvent
    server: str
    reason: Reason | None = None
    facts: Mapping[str, Fact] = {}
    assumptions: tuple[Assumption, ...] = ()
    proof: tuple[ModelEvent, ...] = ()
    unless: Verdict | None = None
    awaited: tuple[Awaited, ...] = ()
    at: float | None = None
    absent: bool = False
    elsewhere: tuple[str, ...] = ()
    slight: bool = False

    @property
    def doubts(self) -> tuple[Assumption, ...]:
        """The assumptions in doubt; where a single packet would acquit, that the capture is complete is one of them."""
        if not self.slight:
            return self.assumptions
        doubts = {*self.assumptions, Assumption.CAPTURE_COMPLETE}
        return tuple(doubt for doubt in Assumption if doubt in doubts)

    @property
    def time(self) -> float:
        return self.event.time if self.at is None else self.at
