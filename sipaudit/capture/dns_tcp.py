"""DNS lookups over TCP: a response that did not fit into a datagram is queried again (RFC 1035 4.2.1, 4.2.2)."""

from __future__ import annotations

from sipaudit.capture.content import DNS_PORT
from sipaudit.capture.dns import parse_dns
from sipaudit.capture.segments import MODULUS
from sipaudit.sip.datagram import DnsMessage, Flow
from sipaudit.turned_away import forget_oldest

BEGUN = 64     # connections with an incomplete message, of 64 kB at most
_LENGTH = 2    # bytes of the length field before each message


class Lookups:
    """DNS messages from the segments of all connections. Segments are not reordered, and lost ones are not waited for:
    reading resumes at the next segment that begins with a message."""

    def __init__(self) -> None:
        self._begun: dict[Flow, tuple[int, bytes]] = {}   # next sequence number, and the bytes of a message so far

    def read(self, time: float, capture: int, frame: int, flow: Flow, seq: int, payload: bytes) -> list[DnsMessage]:
        """The messages that a segment completes."""
        messages = self._messages(flow, seq, payload)
        read = [parse_dns(message, time=time, capture=capture, frame=frame, source_host=flow.source_host,
                          destination_host=flow.destination_host, source_port=flow.source_port)
                for message in messages]
        return [message for message in read if message is not None]

    def _messages(self, flow: Flow, seq: int, payload: bytes) -> list[bytes]:
        begins, begun = self._begun.pop(flow, (seq, b""))
        data = begun + payload if begins == seq else payload
        messages: list[bytes] = []
        while len(data) >= _LENGTH and len(data) >= (end := _LENGTH + int.from_bytes(data[:_LENGTH], "big")):
            messages.append(data[_LENGTH:end])
            data = data[end:]
        if data:
            self._begun[flow] = (seq + len(payload)) % MODULUS, data
            forget_oldest(self._begun, BEGUN, "lookups")
        return messages


def is_lookup(flow: Flow) -> bool:
    """Whether one end of a connection has the DNS port."""
    return DNS_PORT in (flow.source_port, flow.destination_port)
