"""What a probe reports while it listens, in the order in which it finds out.

Each saying is a line of JSON (contract.md 3: `{"type": "finding", "time": ..., "finding": {...}}`), and feeds the
store, the metrics, the console and the notifications.  An incident is repeated as it grows, a finding when more is
known
of it, a line and a registration when they changed, each time whole and under the same name.
"""

from __future__ import annotations

from msgspec import Struct, field

from sipaudit.model.captures import CaptureSummary, ServerMinute, ServerSummary
from sipaudit.model.values import (
    CallSpan,
    Finding,
    Incident,
    KnownEvent,
    LineSummary,
    Move,
    Reached,
    Registration,
    Try,
    Undecided,
)


class Saying(Struct, frozen=True, tag_field="type"):
    """`time` is in seconds since the epoch: that of the packets, or by the clock while the port is silent."""

    time: float


class CaptureSaid(Saying, frozen=True, tag="capture"):
    """What one source saw since the probe began."""

    capture: CaptureSummary


class ServerSaid(Saying, frozen=True, tag="server"):
    server: ServerSummary


class LineSaid(Saying, frozen=True, tag="line"):
    """A line as it is known now, without moves, tries, registrations and calls: each of those has its own saying."""

    line: LineSummary


class LineForgotten(Saying, frozen=True, tag="forgotten"):
    """A line of which nothing is stored any more: nothing was received of it for long, it made room for others, or it
    has another name now. Earlier sayings about it stand."""

    line: str
    phone: str


class MoveSaid(Saying, frozen=True, tag="move"):
    line: str
    phone: str
    move: Move


class RegistrationSaid(Saying, frozen=True, tag="registration"):
    """A registration of (line, phone) that began, was refreshed, or ended; (line, phone, server, from) name it."""

    line: str
    phone: str
    registration: Registration


class TrySaid(Saying, frozen=True, tag="try"):
    """A failback try of (line, phone), once its result is known."""

    line: str
    phone: str
    try_: Try = field(name="try")


class CallSaid(Saying, frozen=True, tag="call"):
    """A call of (line, phone), identified by its beginning (if that was not seen: by its 2xx, or its end)."""

    line: str
    phone: str
    call: CallSpan


class FindingSaid(Saying, frozen=True, tag="finding"):
    finding: Finding


class IncidentSaid(Saying, frozen=True, tag="incident"):
    incident: Incident


class Withdrawn(Saying, frozen=True, tag="withdrawn"):
    """The finding or incident `id` no longer stands: a late packet, or a loss found later, explains it."""

    id: str
    reason: str


class UndecidedSaid(Saying, frozen=True, tag="inconclusive"):
    """How often a rule could not be decided, and why: counts since the probe began."""

    inconclusive: Undecided


class ReachedSaid(Saying, frozen=True, tag="reached"):
    reached: Reached


class MinuteSaid(Saying, frozen=True, tag="minute"):
    """Requests to a server and its answers in a minute that is over; (server, time of the minute) name it."""

    minute: ServerMinute


class EventSaid(Saying, frozen=True, tag="event"):
    """Something the user knows to have happened."""

    event: KnownEvent


class NoteSaid(Saying, frozen=True, tag="note"):
    """A sentence on how the judging was done."""

    note: str


class Health(Struct, frozen=True):
    """The health of the probe: rates over the last ten seconds, drops since it began (None: the source cannot tell),
    `lag_s` seconds from a packet's capture to its judgement, `evicted` and `undecoded` counts by kind, `blind_s` the
    seconds since the beginning in which a source could not see, reported when it sees again, `clock_set_back` and
    `clock_set_forward` how often the clock was set, `sources_away` how many sources cannot see now."""

    packets_per_s: float
    sip_per_s: float
    kernel_drops: int | None
    interface_drops: int | None
    lag_s: float
    memory_bytes: int
    lines: int
    dialogs: int
    transactions: int
    evicted: dict[str, int]
    undecoded: dict[str, int]
    blind_s: float = 0.0
    clock_set_back: int = 0
    clock_set_forward: int = 0
    sources_away: int = 0


class HealthSaid(Saying, frozen=True, tag="health"):
    health: Health
