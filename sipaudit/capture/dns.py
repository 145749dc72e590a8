"""Name lookups: which server a name stood for, in which order and for how long (RFC 1035, 2782, 3403)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from sipaudit.sip.datagram import DnsMessage, DnsRecord

if TYPE_CHECKING:
    from dns.name import Name

DNS_PORTS = frozenset((53, 5353))
RECORDS_KEPT = 100
MEMO, MEMO_BYTES = 1024, 1500


class _Reading(Struct, frozen=True, gc=False):
    """A message without its time, place and identification."""

    response: bool
    rcode: int
    name: str
    type: str
    records: tuple[DnsRecord, ...]


def parse_dns(
    payload: bytes, *, time: float, capture: int, frame: int, source_host: str, destination_host: str,
    source_port: int,
) -> DnsMessage | None:
    """A query or answer, with the A, AAAA, SRV, NAPTR and CNAME records of its answer and additional sections.

    None for what is not a standard query about a name, for a damaged message, for an answer that does not come from
    a DNS port, and for a truncated one: it would pass for a list with fewer servers (its reader asks again by TCP,
    RFC 1035 4.2.1).  A name that does not exist is an answer too: `rcode` says so.
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
    """Read a message without its identification."""
    # Imported with the first DNS packet: few captures and no command need it at the start.
    from dns.exception import DNSException
    from dns.flags import QR, TC
    from dns.message import from_wire
    from dns.opcode import QUERY
    from dns.rdataclass import IN
    from dns.rdatatype import to_text

    try:
        # One record a set keeps the order of the records, which is the order of the servers.
        message = from_wire(b"\0\0" + body, ignore_trailing=True, one_rr_per_rrset=True)
        if message.opcode() != QUERY or not message.question or message.flags & TC:
            return None
        question = message.question[0]
        records = [
            DnsRecord(_text(found.name), kind, found.ttl, _DATA[kind](found[0]))
            for found in (*message.answer, *message.additional)
            if found.rdclass == IN and found and (kind := to_text(found.rdtype)) in _DATA
        ]
        return _Reading(
            bool(message.flags & QR), int(message.rcode()), _text(question.name), to_text(question.rdtype),
            tuple(records[:RECORDS_KEPT]),
        )
    except (DNSException, ValueError):
        return None


_known = lru_cache(maxsize=MEMO)(_read)  # questions and cached answers repeat


def _text(name: Name) -> str:
    """Lower case, without the final dot; the root is empty."""
    return str(name.to_text(omit_final_dot=True)).lower().rstrip(".")


def _word(value: bytes) -> str:
    return value.decode("ascii", "backslashreplace")


_DATA: dict[str, Callable[[Any], str | tuple[int | str, ...]]] = {
    "A": lambda record: str(record.address),
    "AAAA": lambda record: str(record.address),
    "CNAME": lambda record: _text(record.target),
    "SRV": lambda record: (record.priority, record.weight, record.port, _text(record.target)),
    "NAPTR": lambda record: (
        record.order, record.preference, _word(record.flags), _word(record.service), _text(record.replacement)
    ),
}
