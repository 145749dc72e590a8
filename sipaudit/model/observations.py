"""What comes out of judging: verdicts on events, with what proves them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from sipaudit.model.events import ModelEvent
from sipaudit.model.values import Assumption, Reason

Fact = int | float | str | None


class Verdict(StrEnum):
    """How an event, or the passing of a deadline, compares with an expectation (design.md 3)."""

    CONFORMED = "conformed"
    EARLY = "early"
    FORBIDDEN = "forbidden"
    INCONCLUSIVE = "inconclusive"


class Awaited(Struct, frozen=True, gc=False):
    """A request without final answer: had it none when another was sent, or does the capture lack it?

    Its answer, its retransmission not before `since`, or its re-send with credentials shows that the phone was waiting
    still.
    """

    transaction: int
    since: float


class Observation(Struct, frozen=True):
    """One expectation that an event reached, and the verdict.

    `expectation` and `clause` name the row of the table.  INCONCLUSIVE carries
    its `reason`; EARLY and FORBIDDEN carry `facts` (what a rule's text and CEL
    condition may use), the `assumptions` that are in doubt and the `proof`: the
    events that show it, in order.  `unless` is the verdict that an INCONCLUSIVE
    one becomes when the phone turns out to have waited for `awaited`.
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
    awaited: Awaited | None = None
