"""How connections begin, end and fail: evidence from SYN, FIN, RST and silence."""

from __future__ import annotations

from math import inf

from sipaudit.capture.segments import MODULUS, STALE, ahead
from sipaudit.capture.tcp_connections import CLOSED_KEPT, Half, Pair, Place
from sipaudit.capture.tcp_table import Table
from sipaudit.sip.datagram import Connection, ConnectionKind, Item, TransportError

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

MOVED_ON = 1.0  # seconds: an unanswered SYN older than this has failed if its sender turns elsewhere
IN_VAIN = 3.0    # seconds of retransmissions without a packet from the other side; with mere packet loss, fewer suffice
PASSED_OVER = 1_000  # SYNs of a host checked in vain, the oldest first; the others are left to their deadlines


class Lifecycle:
    """Follows the state of connections; only those that are or may be SIP yield evidence."""

    __slots__ = ("_table",)

    def __init__(self, table: Table) -> None:
        self._table = table

    def syn(self, half: Half, place: Place, seq: int, ack: int, flags: int) -> list[Item]:
        """Process a SYN or SYN-ACK."""
        if flags & ACK:
            self.acknowledged(half.peer, ack)
            self._established(half.pair)
        items: list[Item] = []
        if half.isn == seq:
            items = self._repeated_syn(half, place, opens=not flags & ACK)
        else:
            items = self._first_syn(half, place, seq, opens=not flags & ACK)
        self._table.schedule(half.pair)
        return items

    def moved_on(self, host: str, destination: str, time: float) -> list[Item]:
        """A host turns to `destination`: its unanswered SYNs to others have failed."""
        items: list[Item] = []
        for pair in self._given_up(host, destination, time):
            items += self.unanswered(pair, time)
        return items

    def _given_up(self, host: str, destination: str, time: float) -> list[Pair]:
        """The connections of this host whose SYN has thereby failed; a flood of SYNs is checked only in part."""
        failed: list[Pair] = []
        passed = 0
        for pair in self._table.opening.get(host, ()):
            opener = pair.client
            if opener and pair.syn and opener.flow.destination != destination and time - pair.syn.time >= MOVED_ON:
                failed.append(pair)
                continue
            passed += 1
            if passed >= PASSED_OVER:
                break
        return failed

    def _repeated_syn(self, half: Half, place: Place, *, opens: bool) -> list[Item]:
        """A repeated SYN is another attempt to reach the server, even if the first one was taken for given up: some
        systems repeat for 127 s."""
        pair = half.pair
        pair.repeat_syn(place)
        if not opens or not pair.sip or pair.established or pair.closed < inf:
            return []
        return [Connection(place.time, place.capture, place.frame, ConnectionKind.SYN, half.evidence_flow())]

    def _first_syn(self, half: Half, place: Place, seq: int, *, opens: bool) -> list[Item]:
        pair = half.pair
        half.isn = seq
        if not half.reassembly.started:
            half.reassembly.start((seq + 1) % MODULUS)
        pair.client = half if opens else half.peer
        if not opens:
            return []
        pair.syn = pair.syn_last = place
        pair.established = half.peer.seen
        if not pair.sip:
            return []
        flow = half.evidence_flow()
        items = self.moved_on(flow.source_host, "", place.time)
        self._table.asked(pair)
        return [*items, Connection(place.time, place.capture, place.frame, ConnectionKind.SYN, flow)]

    def _established(self, pair: Pair) -> None:
        pair.established = True
        self._table.answered(pair)

    def unanswered(self, pair: Pair, time: float) -> list[Item]:
        """The client has given up its SYN, as established at `time`: the evidence."""
        self._table.answered(pair)
        return _evidence(pair, pair.unanswered(time))

    def acknowledged(self, half: Half, ack: int) -> None:
        """The other side of `half` has received all bytes before `ack`."""
        if half.acked is None or ahead(ack, half.acked) > 0:
            half.acked = ack
            if half.reassembly.waiting:
                self._table.schedule(half.pair)
        if not half.pair.established and half.pair.client is half.peer:
            self._established(half.pair)  # a client can acknowledge only after its SYN was answered

    def reset(self, half: Half, place: Place, seq: int, ack: int, flags: int) -> list[Item]:
        """Process a RST: a refusal, a failure, or merely the end of a connection that was no longer used."""
        pair = half.pair
        if pair.closed < inf or _is_astray(half, seq):
            return []
        if pair.is_opening() and pair.client is half:  # the client gave up before an answer
            return self.unanswered(pair, place.time) if pair.syn and place.time - pair.syn.time >= MOVED_ON else []
        if pair.is_opening() and flags & ACK and half.peer.isn is not None and ahead(ack, half.peer.isn) != 1:
            return []  # answers another SYN (RFC 9293 3.10.7.3)
        if flags & ACK:
            self.acknowledged(half.peer, ack)
        items = _evidence(pair, pair.reset(half, place))
        if not items and pair.sip and not (half.fin or half.peer.fin):
            items.append(_ended(half, place, ConnectionKind.DROPPED))
        pair.closed = place.time
        self._table.answered(pair)
        self._table.schedule(pair)
        return items

    def fin(self, half: Half, place: Place) -> list[Item]:
        """Process a FIN: this side sends no more (a repeated FIN is ignored)."""
        pair = half.pair
        if half.fin:
            return []
        half.fin = True
        items: list[Item] = []
        if pair.sip:
            items.append(_ended(half, place, _of_fin(half)))
            items += _evidence(pair, pair.handshake_failed(place))
        if half.peer.fin:
            pair.closed = place.time
            self._table.schedule(pair)
        return items

    def repeated(self, half: Half, time: float, capture: int, frame: int) -> list[Item]:
        """One side retransmits: reports the connection as dropped after IN_VAIN seconds of this without any packet of
        the other side."""
        if half.repeats is None or half.peer.heard >= half.repeats:
            half.repeats = time
            return []
        if time - half.repeats < IN_VAIN or not half.pair.sip:
            return []
        half.repeats = None
        return [_ended(half, Place(0, 0, time, capture, frame), ConnectionKind.DROPPED)]

    def overdue(self, pair: Pair, time: float) -> list[Item]:
        """The evidence of deadlines that have passed: for the answer to a SYN, or the end of a handshake."""
        items: list[Item] = []
        if (deadline := pair.syn_deadline()) <= time:
            items += self.unanswered(pair, deadline)
        if pair.hello and (deadline := pair.hello_deadline()) <= time:
            items += _evidence(pair, pair.handshake_failed(pair.hello._replace(time=deadline)))
        return items

    def settle(self, pair: Pair, time: float) -> None:
        """Schedule the next deadline of a connection, or forget it if it was closed long ago."""
        if pair.closed + CLOSED_KEPT <= time:
            self._table.forget(pair)
        else:
            self._table.schedule(pair)


def _evidence(pair: Pair, error: TransportError | None) -> list[Item]:
    return [error] if error is not None and pair.sip else []


def _ended(half: Half, place: Place, kind: ConnectionKind) -> Connection:
    """This side ended a SIP connection: that may be evidence of a server failure (F1)."""
    return Connection(place.time, place.capture, place.frame, kind, half.evidence_flow())


def _of_fin(half: Half) -> ConnectionKind:
    """The client may close a connection that it no longer needs; it need not expect the server to close first."""
    expected = half.peer.fin or half.pair.client is half
    return ConnectionKind.CLOSED if expected else ConnectionKind.DROPPED


def gives_up(half: Half) -> bool:
    """Whether a FIN of this side withdraws an unanswered SYN. A repeated SYN shows that no answer arrived; without a
    repetition the tap may have missed the answer."""
    pair = half.pair
    return pair.is_opening() and pair.client is half and pair.syn_interval > 0


def is_other_connection(half: Half, seq: int) -> bool:
    """Whether a SYN with this sequence number opens a connection other than the one followed on these ports."""
    if half.isn is not None:
        return half.isn != seq
    return half.reassembly.started and not -STALE < _ahead_of_stream(half, seq + 1) <= 0


def is_repeated(half: Half, seq: int, flags: int) -> bool:
    """Whether a segment repeats what was sent before: bytes or a FIN; or is a keep-alive, whose sequence number is one
    less than the next (RFC 9293 3.8.4)."""
    return (half.fin and bool(flags & FIN)) or (half.reassembly.started and _ahead_of_stream(half, seq) < 0)


def _is_astray(half: Half, seq: int) -> bool:
    """Whether a RST belongs to another connection, or is forged (RFC 9293 3.5.3)."""
    return half.reassembly.started and abs(_ahead_of_stream(half, seq)) > STALE


def _ahead_of_stream(half: Half, seq: int) -> int:
    return half.reassembly.offset(seq) - half.reassembly.position
