"""The report as values: what `report.json` holds, field by field, in the order of its schema.

Times are seconds since the epoch rounded to the microsecond, durations to the
millisecond; None is knowledge that is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct, convert, field

SCHEMA = "sipaudit.report/1"


def moment(time: float) -> float:
    """A time as the report writes it: 6 decimals."""
    return round(time, 6)


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Confidence(StrEnum):
    CERTAIN = "certain"
    LIKELY = "likely"


class Assumption(StrEnum):
    """The closed list of contract.md 3; a finding names those that something puts in doubt."""

    LIST_AS_RESOLVED = "list-as-resolved"
    CAPTURE_COMPLETE = "capture-complete"
    FIRMWARE_OBEYS = "firmware-obeys"
    SETTINGS_IN_FORCE = "settings-in-force"
    TTL_FROM_FAILOVER = "ttl-from-failover"
    NO_EARLIER_STAY = "no-earlier-stay"


class Reason(StrEnum):
    """Why a check that was reached could not be decided: the closed list of contract.md 3."""

    SETTINGS_UNKNOWN = "settings-unknown"
    SETTINGS_AMBIGUOUS = "settings-ambiguous"
    ENTRY_UNKNOWN = "entry-unknown"
    SINGLE_SERVER = "single-server"
    LOAD_BALANCED = "load-balanced"
    FALLBACK = "fallback"
    CONCURRENT_REGISTRATION = "concurrent-registration"
    TTL_UNKNOWN = "ttl-unknown"
    STARTED_LATER = "started-later"
    CAPTURE_ENDED = "capture-ended"
    LOSS_NEARBY = "loss-nearby"
    ONE_WAY = "one-way"
    IDENTITY_UNSURE = "identity-unsure"
    ENCRYPTED = "encrypted"
    POSSIBLE_BOOT = "possible-boot"
    FIRMWARE_UNKNOWN = "firmware-unknown"
    OPEN_CODE = "open-code"
    RETRY_AFTER = "retry-after"
    BUSY_UNPROVEN = "busy-unproven"
    VENDOR_UNMODELLED = "vendor-unmodelled"
    EVICTED = "evicted"
    READINGS_DIFFER = "readings-differ"


class Loss(Struct, frozen=True):
    kernel_drops: int | None
    tcp_gaps: int
    missing_halves: int
    estimate: float


def lost_share(packets: int, messages: int, drops: int, halves: int) -> float:
    """The share of packets that a capture lacks, as far as it can be measured: the larger of what the kernel dropped,
    and of the halves of transactions that are missing."""
    of_halves = halves / (messages + halves) if halves else 0.0
    return max(of_halves, drops / (packets + drops) if drops else 0.0)


class CaptureSummary(Struct, frozen=True):
    """One capture and its health. `content` counts by kind what its packets were besides SIP."""

    path: str
    packets: int
    sip_messages: int
    first: float | None
    last: float | None
    truncated: bool
    link_types: list[str]
    undecoded: dict[str, int]
    duplicates: int
    snaplen_cut: int
    clock_steps: list[ClockStep]
    malformed: dict[str, int]
    one_way: int
    mid_life: int
    encrypted: dict[str, int]
    loss: Loss
    content: dict[str, int]


class ClockStep(Struct, frozen=True):
    """The capture's clock went back, or leapt: at which frame, by how many seconds."""

    frame: int
    time: float
    seconds: float


class ServerSummary(Struct, frozen=True):
    server: str
    name: str | None
    entry: str | None
    priority: int | None
    transports: list[str]


class SettingValue(Struct, frozen=True):
    value: int | str | None
    source: str | None
    origin: str


class Proof:
    """What proves a finding: a packet (`Frame`), or what a provisioning file says (`Place`)."""

    __slots__ = ()


class Place(Struct, Proof, frozen=True):
    """A statement in a provisioning file as evidence: where it stands, and what it says."""

    file: str
    line: int
    attribute: str
    summary: str


class Frame(Struct, Proof, frozen=True):
    """A packet as evidence: where Wireshark finds it, and what it is in a few words."""

    capture: str
    frame: int | None
    time: float
    summary: str
    frames: list[int] | None = None


def read_proof(_kind: type, value: Any) -> Proof:
    """A member of a finding's evidence as JSON has it: a place in a file has the file's name, a packet its capture's.
    """
    if isinstance(value, dict) and "file" in value:
        return convert(value, Place)
    return convert(value, Frame)


class Move(Struct, frozen=True):
    time: float
    first_packet: float | None
    kind: str
    from_: str = field(name="from")
    to: str
    cause: str
    evidence: list[Frame]


class Try(Struct, frozen=True):
    time: float
    server: str
    method: str
    result: str


class Registration(Struct, frozen=True):
    server: str
    from_: float = field(name="from")
    until: float | None
    expires: int | float | None
    refreshes: int
    end: str | None


class CallSpan(Struct, frozen=True):
    """A call of the line: from its first INVITE to its end (None: it was going on when the capture ended); `up` is its
    2xx, `server` the last that its INVITE went to, `tries` to how many in turn. A call that began before the capture
    has no `from`."""

    from_: float | None = field(name="from")
    up: float | None
    until: float | None
    server: str
    tries: int


class Undecided(Struct, frozen=True):
    rule: str
    reason: Reason
    count: int


class Reached(Struct, frozen=True):
    rule: str
    count: int


class LineSummary(Struct, frozen=True):
    line: str
    phone: str
    contact: str | None
    mac: str | None
    user_agent: str | None
    model: str | None
    firmware: str | None
    label: str | None
    group: str | None
    entry: str | None
    entries: list[str]
    regime: str | None
    mode: str | None
    working: str | None
    first: float
    last: float
    calls: int
    settings: dict[str, SettingValue]
    moves: list[Move]
    tries: list[Try]
    registrations: list[Registration]
    inconclusive: list[Undecided]
    declare: list[str]
    call_spans: list[CallSpan] = []


class Finding(Struct, frozen=True):
    id: str
    rule: str
    severity: Severity
    confidence: Confidence
    line: str
    phone: str | None
    server: str | None
    time: float | None
    expected: str
    observed: str
    basis: list[str]
    facts: dict[str, int | float | str | list[float] | None]
    assumptions: list[Assumption]
    also: list[str]
    cause: str | None
    incident: str | None
    suppressed: str | None
    wireshark: str | None
    evidence: Sequence[Proof]


class Happening(Struct, frozen=True):
    """One entry of an incident's timeline."""

    time: float
    what: str


class GroupShare(Struct, frozen=True):
    """How much of a group an incident reached: "Site A: 40 of 42" lines."""

    group: str
    lines: int
    of: int


class Incident(Struct, frozen=True):
    """What an operator reads (reference-model.md 7). `metrics` holds the names of contract.md 3, times in seconds."""

    id: str
    kind: str
    server: str | None
    entry: str | None
    state: str
    start: float
    end: float | None
    lines: list[str]
    phones: int
    groups: list[GroupShare]
    findings: list[str]
    metrics: dict[str, int | float | None]
    evidence: list[Frame]
    timeline: list[Happening]


class ServerMinute(Struct, frozen=True):
    """What one server was asked and answered in one minute that begins at `time`: requests by method, answers by class
    (`2xx`), 503s, requests that ran out, and how long answers took (seconds, nearest rank)."""

    time: float
    server: str
    requests: dict[str, int]
    answers: dict[str, int]
    responses_503: int
    unanswered: int
    delay_p50: float | None
    delay_max: float | None


class Report(Struct, frozen=True):
    """The whole report; `events` are the known events of the site file and the command line, `notes` sentences on how
    it was judged (a severity above that of the rules that ship)."""

    schema: str
    generator: str
    captures: list[CaptureSummary]
    servers: list[ServerSummary]
    lines: list[LineSummary]
    findings: list[Finding]
    inconclusive: list[Undecided]
    reached: list[Reached]
    incidents: list[Incident]
    events: list[KnownEvent]
    notes: list[str] = []
    minutes: list[ServerMinute] = []


class KnownEvent(Struct, frozen=True):
    """Something the user knows to have happened: `2026-11-22T12:03:04 sbc1 stopped`."""

    time: float
    what: str
