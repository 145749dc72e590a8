"""The state of a TCP connection, and the evidence when it fails.

`Half` is one direction, `Pair` both; `Side` is one direction of a calm connection (`tcp_calm`).
This module judges evidence of failure other than SIP (reference-model.md 1 *failure*, F2): a SYN without an answer,
a reset while a request was pending, a TLS handshake that did not finish.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import NamedTuple

from msgspec.structs import replace

from sipaudit.capture.content import SIPS_PORT
from sipaudit.capture.segments import Reassembly
from sipaudit.capture.tls import Records
from sipaudit.capture.websocket import Frames
from sipaudit.sip.datagram import ErrorKind, Flow, TransportError
from sipaudit.sip.framing import Framer

ATTEMPT = 32.0         # s; after this a SYN or a handshake without an answer has failed (64 T1, RFC 3261 17.1.1.2)
FIRST_SYN_WAIT = 7.0   # s; every stack in use repeats its SYN after 1 to 6 s: if it does not, it has given up
SYN_SLACK = 2.0        # s; SYNs are repeated after twice the last interval, plus or minus this
ACKED_HOLE_WAIT = 0.1  # s; the peer has acknowledged the bytes: they can only come out of order at the tap
BLIND_HOLE_WAIT = 1.0  # s; the peer is not in the capture: nothing shows whether the bytes arrived
HOLE_WAIT = ATTEMPT    # the peer has not received the bytes either: they will be retransmitted
CLOSED_KEPT = 64.0     # s for which late segments of a closed connection are recognised as such
FRAMES_KEPT = 512      # packets that one message may list


class Content(StrEnum):
    """What a connection carries."""

    UNDECIDED = "undecided"
    SIP = "sip"
    TLS = "tls"
    WEBSOCKET = "websocket"
    OTHER = "other"


class Place(NamedTuple):
    """The packet that carried the bytes from `begin` to `end` of a stream."""

    begin: int
    end: int
    time: float
    capture: int
    frame: int


class Half:
    """One direction.

    `opening` has its first bytes while the content is undecided, then `framer`, `records` or `frames` reads them
    (SIP, TLS, WebSocket); `places` are the packets of bytes not yet read, `held` is the memory that all of it takes.
    `isn` is the sequence number of its SYN, `acked` the acknowledgment number of the other side; `seen`: the capture
    shows this direction; `fin`: it has ended; `asking`: its last bytes expect an answer; `heard`: when it last sent
    anything; `repeats`: since when it has been retransmitting, unless the other side was `heard` since.
    """

    __slots__ = ("acked", "asking", "fin", "flow", "framer", "frames", "heard", "held", "isn", "last_data", "opening",
                 "pair", "peer", "places", "reassembly", "records", "repeats", "seen", "tls_flow")

    pair: Pair
    peer: Half

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.tls_flow: Flow | None = None
        self.reassembly = Reassembly()
        self.opening = bytearray()
        self.places: list[Place] = []
        self.framer: Framer | None = None
        self.records: Records | None = None
        self.frames: Frames | None = None
        self.isn: int | None = None
        self.acked: int | None = None
        self.seen = False
        self.fin = False
        self.asking = False
        self.last_data = -inf
        self.heard = -inf
        self.repeats: float | None = None
        self.held = 0

    def evidence_flow(self) -> Flow:
        """The flow to use in evidence: its transport is `tls` if the content is TLS, or undecided on the SIPS port."""
        pair = self.pair
        by_port = SIPS_PORT in (self.flow.source_port, self.flow.destination_port)
        if pair.content is not Content.TLS and not (by_port and pair.content is Content.UNDECIDED):
            return self.flow
        flow, known = self.flow, self.tls_flow
        if known is None or (known.source_mac, known.vlan) != (flow.source_mac, flow.vlan):
            known = self.tls_flow = replace(flow, transport="tls")
        return known

    def keep(self, place: Place) -> None:
        """Remember a packet that carried bytes not yet read; if there are too many, the first ones and the last."""
        if len(self.places) < FRAMES_KEPT:
            self.places.append(place)
        else:
            self.places[-1] = place._replace(begin=self.places[-1].begin)

    def hole_deadline(self) -> float:
        """When to stop waiting for missing bytes; infinite if none are missing."""
        reassembly = self.reassembly
        if not reassembly.waiting:
            return inf
        since = reassembly.waiting[0].time
        if self.acked is not None and reassembly.offset(self.acked) >= reassembly.waiting[0].offset:
            return since + ACKED_HOLE_WAIT
        return since + (HOLE_WAIT if self.peer.seen else BLIND_HOLE_WAIT)

    def forget_bytes(self) -> None:
        """Drop all bytes held; the stream restarts at its next segment."""
        self.opening.clear()
        self.places.clear()
        self.reassembly.abandon()
        if self.framer:
            self.framer = Framer(self.reassembly.position, synced=False)
        if self.records:
            self.records = Records(whole=False)

    def unacknowledged(self) -> bool:
        """Whether this direction sent bytes that the other side has not acknowledged."""
        reassembly = self.reassembly
        return self.acked is not None and reassembly.started and reassembly.offset(self.acked) < reassembly.position


class Pair:
    """Both directions of a connection.

    `client` opened it, None if that was not seen; `sip`: it is or may be SIP, so what happens to it is evidence;
    `foreign`: its content is not ours; `hello`: place of the ClientHello while the handshake is judged.
    """

    __slots__ = ("client", "closed", "content", "encrypted", "established", "failed", "first", "foreign", "hello",
                 "last", "learned", "scheduled", "second", "sip", "syn", "syn_interval", "syn_last")

    def __init__(self, first: Half, second: Half, sip: bool) -> None:
        self.first, self.second = first, second
        first.peer, second.peer = second, first
        first.pair = second.pair = self
        self.sip = sip
        self.content = Content.UNDECIDED
        self.foreign = False
        self.client: Half | None = None
        self.syn: Place | None = None       # the first SYN
        self.syn_last: Place | None = None  # the latest
        self.syn_interval = 0.0
        self.established = False
        self.failed = False                 # refused or unanswered, and reported
        self.hello: Place | None = None
        self.encrypted = False              # reported as such
        self.learned = False                # its port was added to the SIP ports
        self.closed = inf                   # when a reset or both FINs ended it
        self.last = 0.0
        self.scheduled = inf

    def untie(self) -> None:
        """Remove the references between halves and pair once it is forgotten: else only the cycle collector would free
        the memory."""
        for half in (self.first, self.second):
            del half.pair, half.peer

    def repeat_syn(self, place: Place) -> None:
        """Note a repetition of the SYN."""
        if self.syn_last is not None:
            self.syn_interval = max(place.time - self.syn_last.time, 0.0)
        self.syn_last = place

    def is_opening(self) -> bool:
        """Whether a SYN was seen and no answer yet."""
        return self.syn is not None and not self.established and not self.failed

    def syn_deadline(self) -> float:
        """When the client counts as having given up: it would have repeated its SYN by then, or 32 s have passed."""
        if self.syn is None or self.syn_last is None or not self.is_opening() or self.closed < inf:
            return inf
        wait = 2 * self.syn_interval + SYN_SLACK if self.syn_interval else FIRST_SYN_WAIT
        return min(self.syn.time + ATTEMPT, self.syn_last.time + wait)

    def hello_deadline(self) -> float:
        """When an unfinished handshake counts as failed; a server that the capture never shows is not judged."""
        if self.hello is None or self.client is None or not self.client.peer.seen:
            return inf
        return self.hello.time + ATTEMPT

    def deadline(self) -> float:
        """The next time at which something is to be reported or forgotten."""
        return min(
            self.syn_deadline(), self.hello_deadline(), self.first.hole_deadline(), self.second.hole_deadline(),
            self.closed + CLOSED_KEPT,
        )

    def unanswered(self, time: float) -> TransportError | None:
        """The evidence that the SYN had no answer, as established at `time`; None if that is not so."""
        if self.client is None or self.syn is None or self.syn_last is None or not self.is_opening():
            return None
        self.failed = True
        return _error(ErrorKind.UNANSWERED, self.client, self.syn_last._replace(time=time), self.syn.time)

    def reset(self, sender: Half, place: Place) -> TransportError | None:
        """The evidence in a reset by `sender`: a refusal, a failed handshake or a connection broken off; None if it
        interrupted nothing."""
        victim = sender.peer
        if self.syn is not None and self.is_opening() and self.client is victim:
            self.failed = True
            return _error(ErrorKind.REFUSED, victim, place, self.syn.time)
        if self.hello is not None:
            return self.handshake_failed(place)
        if victim.fin or not _broken_off(victim, place.time):
            return None
        return _error(ErrorKind.RESET, victim, place, victim.last_data)

    def handshake_failed(self, place: Place) -> TransportError | None:
        """The evidence that the TLS handshake did not finish; given once, with the alert if one could be read."""
        hello, self.hello = self.hello, None
        if hello is None or self.client is None or not self.client.peer.seen:
            return None
        alerts = [half.records.alert for half in (self.client, self.client.peer) if half.records]
        return _error(ErrorKind.TLS, self.client, place, hello.time, next(filter(None, alerts), ""))


class Side:
    """One direction of a calm connection. `first` is the direction that was seen first, and stands for the connection;
    `other` is the other direction, if seen.  `wanted`: the sequence number expected next; `acks`: its acknowledgment
    number; `asking`, `last_data`, `last` and `held` as in `Half` and `Pair`; `synced`: a message was seen; `begun`: the
    first part of a message, which came at `place`."""

    __slots__ = ("acks", "asking", "begun", "first", "flow", "held", "last", "last_data", "other", "place", "synced",
                 "wanted")

    sip = True

    def __init__(self, flow: Flow, wanted: int, acks: int, other: Side | None) -> None:
        self.flow = flow
        self.wanted = wanted
        self.acks = acks
        self.last = self.last_data = -inf
        self.synced = self.asking = False
        self.begun = b""
        self.place: Place | None = None
        self.held = 0
        self.other = other
        self.first: Side | None = None   # until it is followed


def _broken_off(victim: Half, time: float) -> bool:
    """Whether a reset hit a side that was sending, or waiting for an answer (F2, *connection reset while sending*).

    TLS hides what was sent, and an unread closing alert is no failure: its last record must be application data.
    """
    if victim.unacknowledged() and (victim.asking or victim.pair.content is not Content.TLS):
        return True
    return victim.asking and time - victim.last_data <= ATTEMPT and victim.last_data > victim.peer.last_data


def _error(kind: ErrorKind, victim: Half, place: Place, sent: float, code: str = "") -> TransportError:
    return TransportError(place.time, place.capture, place.frame, kind, victim.evidence_flow(), sent, b"", code)
