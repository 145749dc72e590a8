"""What a second pass over the captures brings to a report: packets and messages, and which of them prove a finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from sipaudit.model.values import Confidence, Finding, Frame, Severity
from sipaudit.report.screen import count_of
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.message import Message


class Exhibit(Struct, frozen=True):
    """One message of the evidence: its capture, its frame as Wireshark counts, its source and destination
    (`address:port`), and its text as it was sent, with bytes that are not UTF-8 replaced."""

    capture: str
    frame: int
    time: float
    transport: str
    source: str
    destination: str
    text: str


FramePlace = tuple[str, int]
"""A capture (its path as reported) and a frame number in it, as in Wireshark."""

Exhibits = Mapping[FramePlace, list[Exhibit]]
"""Exhibits by capture and frame; one frame may complete several messages."""


class Packet(Struct, frozen=True, gc=False):
    """A packet as it was captured. `link_type` is the LINKTYPE of capture files, `wire_length` its length in bytes
    before the snap length cut it."""

    capture: str
    frame: int
    time: float
    link_type: int
    data: bytes
    wire_length: int


class PlacedMessage(Struct, frozen=True):
    """A SIP message and whose it is: `phone` and `server` as the report names them, and the AOR as `line`, all None if
    it belongs to no phone. `from_phone` is whether the phone sent it; `length` is in bytes."""

    capture: str
    item: Datagram
    message: Message
    phone: str | None
    line: str | None
    server: str | None
    from_phone: bool | None
    retransmission: bool
    length: int


def counting(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that count: those that are not suppressed."""
    return [finding for finding in findings if finding.suppressed is None]


def by_severity(findings: Iterable[Finding]) -> str:
    """`2 errors, 1 info`: how many findings count, by severity, the worst first; empty if none does."""
    counted = Counter(finding.severity for finding in counting(findings))
    return ", ".join(f"{counted[severity]} info" if severity is Severity.INFO
                     else count_of(counted[severity], str(severity)) for severity in reversed(Severity)
                     if counted[severity])


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings sorted by weight: suppressed ones last, then by severity, certain before likely, and by time."""
    return sorted(findings, key=lambda finding: (
        finding.suppressed is not None, -finding.severity.rank, finding.confidence is not Confidence.CERTAIN,
        finding.time or 0.0, finding.id))


def frames_of(finding: Finding) -> Iterator[Frame]:
    """The packets that prove a finding; provisioning files do not count."""
    return (proof for proof in finding.evidence if isinstance(proof, Frame))


def places_of(findings: Iterable[Finding]) -> list[FramePlace]:
    """The places of all evidence of these findings: every frame of each message, in their order, each once."""
    return list(dict.fromkeys(
        (frame.capture, number) for finding in findings for frame in frames_of(finding)
        for number in (frame.frame, *(frame.frames or ())) if number is not None))
