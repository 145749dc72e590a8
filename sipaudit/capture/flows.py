"""A cache of flows, looked up by the packed bytes of their addresses and ports."""

from __future__ import annotations

from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop

from sipaudit.capture.bounds import FOR_FILES
from sipaudit.one import one_number, one_text
from sipaudit.sip.datagram import Flow, endpoint

ENDS_KEPT = 1 << 12  # transport addresses cached: a server's is in all flows, a phone's in two that begin together

_NO_MAC = b"\0\0\0\0\0\0"
_MAC, _TAG = 6, 4   # bytes


class Flows:
    """A bounded cache with two generations: flows in use survive, others are gone after `limit` newer flows or more.

    `young` is the newer generation, public for the hot path. A key consists of the packed addresses, ports, sender's
    MAC and VLAN tags (or neither), followed by the name of the transport unless it is UDP, so that no two flows share
    a key.
    """

    __slots__ = ("_old", "limit", "young")

    def __init__(self, limit: int = FOR_FILES.flows) -> None:
        self.limit = limit
        self.young: dict[bytes, Flow] = {}
        self._old: dict[bytes, Flow] = {}

    def get(self, transport: str, addresses: bytes, ports: bytes, link: bytes = b"") -> Flow:
        """The flow of these packed addresses (source, destination) and ports (2 bytes each). `link` is the sender's
        MAC, with the VLAN tags (4 bytes each) that the packet has."""
        key = addresses + ports + link
        if transport != "udp":
            key += transport.encode()
        return self.young.get(key) or self._miss(key, transport, addresses, ports, link)

    def __len__(self) -> int:
        return len(self.young) + len(self._old)

    def _miss(self, key: bytes, transport: str, addresses: bytes, ports: bytes, link: bytes) -> Flow:
        found = self._old.get(key) or _made(transport, addresses, ports, link[:_MAC], link[_MAC:])
        if len(self.young) >= self.limit:
            self._old = self.young
            self.young = {}
        self.young[key] = found
        return found


def host(address: bytes) -> str:
    """`10.0.0.1` or `2001:db8::1`."""
    return inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)


def _made(transport: str, addresses: bytes, ports: bytes, mac: bytes, tags: bytes) -> Flow:
    half = len(addresses) // 2
    source_host, source_port, source = end(addresses[:half], ports[:2])
    destination_host, destination_port, destination = end(addresses[half:], ports[2:])
    source_mac = _hardware(mac) if mac and mac != _NO_MAC else None
    return Flow(
        transport, source_host, source_port, destination_host, destination_port, source, destination, source_mac,
        _vlan(tags) if tags else None,
    )


@lru_cache(ENDS_KEPT)
def _hardware(mac: bytes) -> str:
    """A MAC as text; one string object is shared by all flows of a sender."""
    return mac.hex()


@lru_cache(ENDS_KEPT)
def _vlan(tags: bytes) -> str | None:
    """The VLAN IDs in tags, outermost first. The priority in a tag differs from packet to packet and is ignored; a tag
    that carries only a priority has ID 0 (IEEE 802.1Q 9.6) and is left out."""
    numbers = (int.from_bytes(tags[at : at + 2], "big") & 0x0FFF for at in range(2, len(tags), _TAG))
    return ".".join(str(number) for number in numbers if number) or None


@lru_cache(ENDS_KEPT)
def end(address: bytes, port: bytes) -> tuple[str, int, str]:
    """A transport address as text: host, port, and both joined."""
    name, number = one_text(host(address)), one_number(int.from_bytes(port, "big"))   # shared, as hosts of URIs
    return name, number, endpoint(name, number)
