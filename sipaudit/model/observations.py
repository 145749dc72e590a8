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


class Observation(Struct, frozen=True):
    """One expectation that an event reached, and the verdict.

    `expectation` and `clause` name the row of the table.  INCONCLUSIVE carries
    its `reason`; EARLY and FORBIDDEN carry `facts` (what a rule's text and CEL
    condition may use), the `assumptions` that are in doubt and the `proof`: the
    events that show it, in order.  `unless_heard` is the verdict that an
    INCONCLUSIVE one becomes when its server, silent so far, is heard after all.
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
    unless_heard: Verdict | None = None
