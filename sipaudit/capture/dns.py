"""DNS lookups: which servers a name resolved to, in which order and for how long (RFC 1035, 2782, 3403)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct as Layout
from struct import error as StructError

from msgspec import Struct

from sipaudit.capture.dns_names import DamagedError, Names
from sipaudit.capture.flows import host
from sipaudit.sip.datagram import DnsMessage, DnsRecord

DNS_PORTS = frozenset((53, 5353))
RECORDS_KEPT = 100
MEMO, MEMO_BYTES = 1024, 1500

_RESPONSE, _OPCODE, _TRUNCATED, _RCODE = 0x8000, 0x7800, 0x0200, 0x000F   # of the flags
_IN, _OPT, _NEGATIVE = 1, 41, 1 << 31
_TYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 35: "NAPTR",
          64: "SVCB", 65: "HTTPS", 255: "ANY"}   # others by their number (RFC 3597 5)
_HEADER, _HEADER_BYTES = Layout(">2x5H").unpack_from, 12
_QUESTION, _QUESTION_BYTES = Layout(">HH").unpack_from, 4
_RECORD, _RECORD_BYTES = Layout(">HHIH").unpack_from, 10
_SRV, _NAPTR = Layout(">3H").unpack_from, Layout(">HH").unpack_from


class _Reading(Struct, frozen=True, gc=False):
    """The content of a DNS message, without its ID, time, capture, frame and hosts."""

    response: bool
    rcode: int
    name: str
    type: str
    records: tuple[DnsRecord, ...]


def parse_dns(
    payload: bytes, *, time: float, capture: int, frame: int, source_host: str, destination_host: str,
    source_port: int,
) -> DnsMessage | None:
    """A query or response, with the A, AAAA, SRV, NAPTR and CNAME records of its answer and additional sections.

    None for anything but a standard query about a name, for a damaged message (records of other types may hold
    anything), for a response that does not come from a DNS port, and for a truncated one: it would look like a list
    with fewer servers (the client repeats the query over TCP, RFC 1035 4.2.1).  That a name does not exist is a
    response too: see `rcode`.
    """
    body = payload[2:]
    reading = _known(body) if len(body) <= MEMO_BYTES else _read(body)
    if reading is None or (reading.response and source_port not in DNS_PORTS):
        return None
    client, server = (destination_host, source_host) if reading.response else (source_host, destination_host)
    return DnsMessage(
        time, capture, frame, client, server, reading.response, reading.rcode, reading.name, reading.type,
        reading.records,
    )


def _read(body: bytes) -> _Reading | None:
    """Parse a message from which the ID was removed; None as in `parse_dns`."""
    try:
        return _reading(b"\0\0" + body)   # pointers count from there
    except (DamagedError, IndexError, StructError):
        return None


def _reading(wire: bytes) -> _Reading | None:
    flags, questions, *sections = _HEADER(wire)
    if flags & (_OPCODE | _TRUNCATED) or not questions:
        return None
    names, at = Names(wire), _HEADER_BYTES
    asked: list[tuple[str, int]] = []
    for _ in range(questions):
        name, at = names.at(at)
        asked.append((name, _QUESTION(wire, at)[0]))
        at += _QUESTION_BYTES
    records, rcode = _records(wire, names, at, sections)
    name, kind = asked[0]
    return _Reading(bool(flags & _RESPONSE), flags & _RCODE | rcode, name, _TYPES.get(kind, f"TYPE{kind}"), records)


def _records(wire: bytes, names: Names, at: int, sections: list[int]) -> tuple[tuple[DnsRecord, ...], int]:
    """The records of the answer and additional sections, in message order, which is the order of the servers; and the
    upper bits of the response code (RFC 6891 6.1.3)."""
    answers, authorities, additional = sections
    records: list[DnsRecord] = []
    rcode = 0
    for number in range(answers + authorities + additional):
        name, at = names.at(at)
        kind, of_class, ttl, size = _RECORD(wire, at)
        begin, at = at + _RECORD_BYTES, at + _RECORD_BYTES + size
        if at > len(wire):
            raise DamagedError
        if kind == _OPT:
            rcode = ttl >> 24 << 4
        elif of_class == _IN and kind in _DATA:
            data = _DATA[kind](wire, names, begin, at)
            if not answers <= number < answers + authorities and len(records) < RECORDS_KEPT:
                records.append(DnsRecord(name, _TYPES[kind], ttl if ttl < _NEGATIVE else 0, data))   # RFC 2181 8
    return tuple(records), rcode


_known = lru_cache(maxsize=MEMO)(_read)  # questions and cached answers repeat


# -- the data of a record, between two offsets in the message

Data = str | tuple[int | str, ...]


def _ip4(wire: bytes, _names: Names, begin: int, end: int) -> str:
    return _address(wire[begin:end], 4)


def _ip6(wire: bytes, _names: Names, begin: int, end: int) -> str:
    return _address(wire[begin:end], 16)


def _address(packed: bytes, size: int) -> str:
    if len(packed) != size:
        raise DamagedError
    return host(packed)


def _target(_wire: bytes, names: Names, begin: int, end: int) -> str:
    name, behind = names.at(begin)
    if behind != end:
        raise DamagedError
    return name


def _srv(wire: bytes, names: Names, begin: int, end: int) -> Data:
    return *_SRV(wire, begin), _target(wire, names, begin + 6, end)


def _naptr(wire: bytes, names: Names, begin: int, end: int) -> Data:
    order, preference = _NAPTR(wire, begin)
    at, words = begin + 4, list[str]()
    for _ in range(3):   # flags, service, regular expression
        behind = at + 1 + wire[at]
        words.append(wire[at + 1:behind].decode("ascii", "backslashreplace"))
        at = behind
    return order, preference, words[0], words[1], _target(wire, names, at, end)


_DATA: dict[int, Callable[[bytes, Names, int, int], Data]] = {
    1: _ip4, 5: _target, 28: _ip6, 33: _srv, 35: _naptr,
}
