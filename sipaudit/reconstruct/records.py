"""The contents of one DNS answer: the records of one name and type, their targets, and the spelling of names."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.reach import LONG_AGO
from sipaudit.sip.datagram import DnsRecord, Flow

SetKey = tuple[str, str]  # owner name, type
Data = str | tuple[int | str, ...]

FAMILIES = ("A", "AAAA")   # the types of records that hold addresses
_TRANSPORTS = {("_sip", "_udp"): "udp", ("_sip", "_tcp"): "tcp", ("_sips", "_tcp"): "tls"}


class RecordSet(Struct, frozen=True):
    """The records of one name and type, as the last answer gave them to `client`. Times as captured, TTLs in seconds.
    While other, earlier answers may still be in use (`disputed_until`), only a host that received all of them
    (`known_to`; empty if there is none) is known to use this one."""

    data: tuple[Data, ...]
    ttl_low: int
    ttl_high: int
    time: float
    client: str
    disputed_until: float = LONG_AGO
    known_to: str = ""

    def is_same_as(self, other: RecordSet) -> bool:
        """Whether both have the same records, in any order: the order means nothing."""
        return set(self.data) == set(other.data)

    def after(self, before: RecordSet) -> RecordSet:
        """This set, with the dispute that the previously stored set leaves."""
        if self.is_same_as(before):
            return replace(self, disputed_until=before.disputed_until, known_to=before.known_to)
        until = max(before.time + before.ttl_high, before.disputed_until)
        if until < self.time:
            return self
        got_all = self.client == before.client and (before.disputed_until < self.time or before.known_to == self.client)
        return replace(self, disputed_until=until, known_to=self.client if got_all else "")


# The position of the target in a record's data; None where the data is the target.
TARGET = {"A": None, "AAAA": None, "CNAME": None, "SRV": 3, "NAPTR": 4}


def sets_of(records: Iterable[DnsRecord]) -> dict[SetKey, list[DnsRecord]]:
    """The records that have a target, grouped by name and type."""
    sets: dict[SetKey, list[DnsRecord]] = {}
    for record in records:
        if record.type in TARGET:
            sets.setdefault((record.name, record.type), []).append(record)
    return sets


def target_of(kind: str, data: Data) -> str:
    """The target of a record."""
    place = TARGET[kind]
    if place is None or isinstance(data, str):
        return str(data)
    return str(data[place]) if len(data) > place else ""


def service_of(data: Data) -> tuple[int, int, str]:
    """Priority, port and target of an SRV record (RFC 2782)."""
    if isinstance(data, tuple) and len(data) == 4 and isinstance(data[0], int) and isinstance(data[2], int):
        return data[0], data[2], str(data[3])
    return 0, 0, ""


def ranked(addresses: Iterable[tuple[int, str]]) -> list[frozenset[str]]:
    """Group addresses by priority, the best priority first."""
    ranks: dict[int, set[str]] = {}
    for priority, address in addresses:
        ranks.setdefault(priority, set()).add(address)
    return [frozenset(ranks[priority]) for priority in sorted(ranks)]


def contradict(one: list[frozenset[str]], other: list[frozenset[str]]) -> bool:
    """Whether two lists (`ranked`) order the addresses that they share differently."""
    shared = frozenset[str]().union(*one) & frozenset[str]().union(*other)
    return [rank & shared for rank in one if rank & shared] != [rank & shared for rank in other if rank & shared]


def family_of(address: str) -> str:
    """The record type for this kind of address."""
    return "AAAA" if ":" in address else "A"


def plain_name(name: str) -> str:
    """A domain name as stored: in lower case and without its last dot (RFC 4343, RFC 1034 3.1)."""
    return name.lower().rstrip(".")


def srv_domain(owner: str) -> str:
    """The domain of an SRV owner: `example.com` for `_sip._udp.example.com`."""
    labels = owner.split(".", 2)
    return labels[2] if len(labels) == 3 and owner.startswith("_") else owner


def srv_owners(domain: str) -> list[str]:
    """The SRV owners of a domain, one for each transport."""
    return [f"{service}.{transport}.{domain}" for service, transport in _TRANSPORTS]


def srv_transport(owner: str) -> str:
    """The transport of an SRV owner; udp if it names none."""
    labels = owner.split(".", 2)
    return _TRANSPORTS.get((labels[0], labels[1]), "udp") if len(labels) == 3 else "udp"


def serves(owner: str, ways: Iterable[Flow]) -> bool:
    """Whether an SRV owner is for the transport of any of these flows."""
    return srv_transport(owner) in (flow.transport for flow in ways)
