"""DNS as the tap sees it: a phone's queries for the servers of its entry, and the resolver's answers."""

from __future__ import annotations

import struct
from functools import lru_cache

import dns.message
import dns.rrset


@lru_cache(maxsize=1024)
def query(name: str, kind: str) -> bytes:
    """The question, with a transaction id of 0."""
    return dns.message.make_query(name, kind, id=0).to_wire()


@lru_cache(maxsize=1024)
def answer(name: str, kind: str, ttl: int, values: tuple[str, ...]) -> bytes:
    """The resolver's answer to it."""
    response = dns.message.make_response(dns.message.make_query(name, kind, id=0), recursion_available=True)
    # each record in an RRset of its own: the library shuffles the records within one
    response.answer.extend(dns.rrset.from_text(name, ttl, "IN", kind, value) for value in values)
    return response.to_wire()


def numbered(wire: bytes, number: int) -> bytes:
    """The DNS message with this transaction id."""
    return struct.pack("!H", number & 0xFFFF) + wire[2:]


def chain(name: str, transport: str, servers: list[tuple[str, str, int]], balanced: bool = False
          ) -> list[tuple[str, str, tuple[str, ...]]]:
    """The queries that lead from a name to its servers (host, address, port), with their answers: SRV, then A or AAAA
    of each target (RFC 3263 4). `balanced`: all targets have the same priority."""
    service = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}[transport]
    found = tuple(f"{10 if balanced else 10 * place} 1 {port} {host}."
                  for place, (host, _, port) in enumerate(servers, 1))
    steps: list[tuple[str, str, tuple[str, ...]]] = [(f"{service}.{name}.", "SRV", found)]
    for host, address, _ in servers:
        steps.append((f"{host}.", "AAAA" if ":" in address else "A", (address,)))
    return steps
