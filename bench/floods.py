"""Floods of every kind, as frames that a hostile sender can put on the wire to fill the tables of a probe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle

from sipaudit.capture.write import (
    TCP_ACK,
    TCP_PSH,
    TCP_SYN,
    Endpoint,
    ethernet_frame,
    ip_packet,
    tcp_packet,
    udp_packet,
)

Flood = Callable[[int], Iterator[bytes]]

VICTIM = ("10.0.0.1", 5060)        # a real server
ACCOMPLICE = ("203.0.113.9", 5060)  # the attacker's server, which accepts everything
PHONE = "10.1.0.7"                 # the address of a real phone


def stranger(number: int) -> Endpoint:
    """An unknown endpoint, one of sixteen million."""
    return f"11.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 5060


def udp(source: Endpoint, destination: Endpoint, payload: str, number: int) -> bytes:
    return ethernet_frame(udp_packet(source, destination, payload.encode(), identification=number & 0xFFFF))


def request(method: str, number: int, source: Endpoint, *, call_id: str = "", user: str = "", cseq: int = 1,
            more: str = "") -> str:
    """A request whose identifiers are all new, except those given as arguments."""
    user = user or f"u{number}"
    return (
        f"{method} sip:{user}@flood.example SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {source[0]}:{source[1]};branch=z9hG4bK{method}{number}\r\n"
        f"From: <sip:{user}@flood.example>;tag=t{number}\r\nTo: <sip:{user}@flood.example>\r\n"
        f"Call-ID: {call_id or f'c{number}@flood'}\r\nCSeq: {cseq} {method}\r\n"
        f"Contact: <sip:{user}@{source[0]}:{source[1]}>\r\n{more}Content-Length: 0\r\n\r\n"
    )


def answer(text: str, status: int, more: str = "") -> str:
    """A response to the request `text`, with the header line `more`."""
    kept = [line for line in text.split("\r\n") if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:", "Contact:"))]
    to = next(line for line in text.split("\r\n") if line.startswith("To:"))
    return "\r\n".join([f"SIP/2.0 {status} Any", *kept, f"{to};tag=far", *([more] if more else []),
                        "Content-Length: 0", "", ""])


def call_ids(count: int) -> Iterator[bytes]:
    """INVITEs of strangers under random Call-IDs."""
    for number in range(count):
        source = stranger(number)
        yield udp(source, VICTIM, request("INVITE", number, source), number)


def branches(count: int) -> Iterator[bytes]:
    """One stranger, one Call-ID, random branches."""
    source = stranger(0)
    for number in range(count):
        yield udp(source, VICTIM, request("OPTIONS", number, source, call_id="same", user="same"), number)


def aors(count: int) -> Iterator[bytes]:
    """REGISTERs for random AORs, from random addresses, unanswered."""
    for number in range(count):
        source = stranger(number)
        yield udp(source, VICTIM, request("REGISTER", number, source, more="Expires: 3600\r\n"), number)


def aors_of_a_phone(count: int) -> Iterator[bytes]:
    """REGISTERs for random AORs, from random ports of a real phone's address, unanswered."""
    for number in range(count):
        source = (PHONE, 1024 + number % 60_000)
        yield udp(source, VICTIM, request("REGISTER", number, source, more="Expires: 3600\r\n"), number)


def granted(count: int) -> Iterator[bytes]:
    """REGISTERs for random AORs that an accomplice grants."""
    for number in range(count // 2):
        source = stranger(number)
        text = request("REGISTER", number, source, more="Expires: 3600\r\n")
        yield udp(source, ACCOMPLICE, text, number)
        yield udp(ACCOMPLICE, source, answer(text, 200, "Expires: 3600"), number)


def accomplices(count: int) -> Iterator[bytes]:
    """REGISTERs for random AORs, each granted by a different accomplice."""
    for number in range(count // 2):
        source, server = stranger(number), stranger(1 << 23 | number)
        text = request("REGISTER", number, source, more="Expires: 3600\r\n")
        yield udp(source, server, text, number)
        yield udp(server, source, answer(text, 200, "Expires: 3600"), number)


def calls(count: int) -> Iterator[bytes]:
    """Calls that an accomplice answers, and that never end."""
    for number in range(count // 2):
        source = stranger(number)
        text = request("INVITE", number, source)
        yield udp(source, ACCOMPLICE, text, number)
        yield udp(ACCOMPLICE, source, answer(text, 200), number)


def responses(count: int) -> Iterator[bytes]:
    """Responses without requests, half of them to a phone."""
    for number in range(count):
        text = answer(request("INVITE", number, stranger(number)), 180)
        yield udp(VICTIM, (PHONE, 5060) if number % 2 else stranger(number), text, number)


def fragments(count: int) -> Iterator[bytes]:
    """First fragments of datagrams whose other fragments never come."""
    for number in range(count):
        whole = ip_packet(stranger(number)[0], VICTIM[0], 17, bytes(1400), identification=number & 0xFFFF)
        yield ethernet_frame(whole[:6] + b"\x20\x00" + whole[8:])


def connections(count: int) -> Iterator[bytes]:
    """SYNs from random addresses, and connections that carry only half a message."""
    for number in range(count // 3):
        source = (stranger(number)[0], 1024 + number % 60_000)
        begun = request("INVITE", number, source)[:300].encode()
        yield ethernet_frame(tcp_packet((source[0], 1023), VICTIM, b"", sequence=number, acknowledgement=0,
                                        flags=TCP_SYN))
        yield ethernet_frame(tcp_packet(source, VICTIM, b"", sequence=number, acknowledgement=0, flags=TCP_SYN))
        yield ethernet_frame(tcp_packet(source, VICTIM, begun, sequence=number + 1, acknowledgement=1,
                                        flags=TCP_PSH | TCP_ACK))


def names(count: int) -> Iterator[bytes]:
    """DNS answers for random names, with two addresses each."""
    for number in range(count):
        name = b"\x08" + b"n%07d" % number + b"\x05flood\x07example\0"
        record = b"\xc0\x0c\0\1\0\1\0\0\x0e\x10\0\4"
        body = number.to_bytes(4, "big")[2:] + b"\x81\x80\0\1\0\2\0\0\0\0" + name + b"\0\1\0\1"
        body += b"".join(record + bytes((11, place, number >> 8 & 255, number & 255)) for place in (200, 201))
        yield ethernet_frame(udp_packet(("10.0.0.53", 53), ("10.1.0.99", 40_000), body, identification=number & 0xFFFF))


FLOODS: dict[str, Flood] = {
    each.__name__: each for each in (call_ids, branches, aors, aors_of_a_phone, granted, accomplices, calls, responses,
                                     fragments, connections, names)
}


def mixed(count: int) -> Iterator[bytes]:
    """All kinds in turn."""
    flows = [flood(count // len(FLOODS) + 1) for flood in FLOODS.values()]
    for flow in cycle(flows):
        frame = next(flow, None)
        if frame is None:
            return
        yield frame
