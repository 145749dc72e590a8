"""The report as values: the contents of `report.json`, field by field, in the order of its schema.

Times are seconds since the epoch rounded to the microsecond, durations to the millisecond; None means not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct, convert, field

from sipaudit.model.captures import CaptureSummary, ServerMinute, ServerSummary

SCHEMA = "sipaudit.report/1"


def moment(time: float) -> float:
    """A time as the report has it: 6 decimals."""
    return round(time, 6)


class Severity(StrEnum):
    """How much a finding weighs, the least first."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        return tuple(Severity).index(self)


class Confidence(StrEnum):
    """How sure a finding is: one that rests on something in doubt is likely."""

    CERTAIN = "certain"
    LIKELY = "likely"


class Assumption(StrEnum):
    """The closed list of contract.md 3; a finding names those that are in doubt."""

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


class SettingValue(Struct, frozen=True):
    """A setting that the line was judged by: `source` is `file:line where`, `origin` a word of contract.md 3."""

    value: int | str | None
    source: str | None
    origin: str


class Proof:
    """Evidence for a finding, with a short summary: a packet (`Frame`), or a provisioning file's statement (`Place`).
    """

    __slots__ = ()
    summary: str


class Place(Struct, Proof, frozen=True):
    """A statement in a provisioning file as evidence: where it stands, and what it says."""

    file: str
    line: int
    attribute: str
    summary: str


class Frame(Struct, Proof, frozen=True):
    """A packet as evidence: where Wireshark finds it, and a short summary."""

    capture: str
    frame: int | None
    time: float
    summary: str
    frames: list[int] | None = None


def read_proof(_kind: type, value: Any) -> Proof:
    """A finding's evidence from JSON: a place in a file has the key `file`, a packet has `capture`."""
    if isinstance(value, dict) and "file" in value:
        return convert(value, Place)
    return convert(value, Frame)


class Move(Struct, frozen=True):
    """A change of the working server. `time` is the answer that made it (R1-R3: the 200 to REGISTER), `first_packet`
    the first sent there; `kind` and `cause` are words of contract.md 3."""

    time: float
    first_packet: float | None
    kind: str
    from_: str = field(name="from")
    to: str
    cause: str
    evidence: list[Frame]


class Try(Struct, frozen=True):
    """A request to another server than the working one, and its `result` (contract.md 3)."""

    time: float
    server: str
    method: str
    result: str


class Registration(Struct, frozen=True):
    """A stretch of a registration, extended by refreshes. `until` is its end, or the expiry of a live one, `expires`
    the seconds granted, `end` why it ended (contract.md 3)."""

    server: str
    from_: float = field(name="from")
    until: float | None
    expires: int | float | None
    refreshes: int
    end: str | None


class CallSpan(Struct, frozen=True):
    """A call of the line: from its first INVITE to its end (None: it was still up when the capture ended); `up` is its
    2xx, `server` the last that its INVITE went to, `tries` to how many in turn. A call that began before the capture
    has no `from`."""

    from_: float | None = field(name="from")
    up: float | None
    until: float | None
    server: str
    tries: int


class Undecided(Struct, frozen=True):
    """How many checks of a rule were reached and could not be decided, for this reason."""

    rule: str
    reason: Reason
    count: int


class Reached(Struct, frozen=True):
    """How often a rule had something to check."""

    rule: str
    count: int


class LineSummary(Struct, frozen=True):
    """A line of a phone: its identity, its settings, what it did. `line` is its AOR, `phone` the address at which it
    was first seen, `label` and `group` are from the site file, `entry` its first server entry, `regime` R0 to R3,
    `mode` failBack.mode, `working` its working server at the end, `first` and `last` when it was seen, `declare` what
    to declare so that more can be judged."""

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
    """A deviation. `time` is when it was complete (None, like `phone` and `server`, for a provisioning file's, `line`
    where that concerns none), `basis` ids of reference-model.md, `facts` measured values (seconds), `also` the other
    rules that the same request breaks, `cause` the id of the finding of which it is a consequence, `incident` the id of
    the one it belongs to, `suppressed` the reason for which it does not count, `wireshark` a display filter for its
    packets."""

    id: str
    rule: str
    severity: Severity
    confidence: Confidence
    line: str | None
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
    """How much of a group an incident affected: "Site A: 40 of 42" lines."""

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
