"""What one DNS answer says: the records of one name and type, where they point, and how names are written."""

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
    While other answers, given before, may be in use (`disputed_until`), only who got them all (`known_to`; empty if
    nobody did) is known to go by this one."""

    data: tuple[Data, ...]
    ttl_low: int
    ttl_high: int
    time: float
    client: str
    disputed_until: float = LONG_AGO
    known_to: str = ""

    def is_same_as(self, other: RecordSet) -> bool:
        """Whether both have the same records: their order says nothing."""
        return set(self.data) == set(other.data)

    def after(self, before: RecordSet) -> RecordSet:
        """These records, where others or the same were known."""
        if self.is_same_as(before):
            return replace(self, disputed_until=before.disputed_until, known_to=before.known_to)
        until = max(before.time + before.ttl_high, before.disputed_until)
        if until < self.time:
            return self
        got_all = self.client == before.client and (before.disputed_until < self.time or before.known_to == self.client)
        return replace(self, disputed_until=until, known_to=self.client if got_all else "")


# Where in a record stands what it points at; None where it is nothing else.
TARGET = {"A": None, "AAAA": None, "CNAME": None, "SRV": 3, "NAPTR": 4}


def sets_of(records: Iterable[DnsRecord]) -> dict[SetKey, list[DnsRecord]]:
    """Records that lead anywhere, those of one name and type together."""
    sets: dict[SetKey, list[DnsRecord]] = {}
    for record in records:
        if record.type in TARGET:
            sets.setdefault((record.name, record.type), []).append(record)
    return sets


def target_of(kind: str, data: Data) -> str:
    """Where a record points."""
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
    """Addresses with their priorities: those of the best priority first."""
    ranks: dict[int, set[str]] = {}
    for priority, address in addresses:
        ranks.setdefault(priority, set()).add(address)
    return [frozenset(ranks[priority]) for priority in sorted(ranks)]


def contradict(one: list[frozenset[str]], other: list[frozenset[str]]) -> bool:
    """Whether two lists (`ranked`) put the addresses that both have in different orders."""
    shared = frozenset[str]().union(*one) & frozenset[str]().union(*other)
    return [rank & shared for rank in one if rank & shared] != [rank & shared for rank in other if rank & shared]


def family_of(address: str) -> str:
    """The type of the records that hold such an address."""
    return "AAAA" if ":" in address else "A"


def plain_name(name: str) -> str:
    """A domain name as answers are kept by it: in small letters and without its last dot (RFC 4343, RFC 1034 3.1)."""
    return name.lower().rstrip(".")


def srv_domain(owner: str) -> str:
    """`example.com` of `_sip._udp.example.com`."""
    labels = owner.split(".", 2)
    return labels[2] if len(labels) == 3 and owner.startswith("_") else owner


def srv_owners(domain: str) -> list[str]:
    """The names under which a domain lists its servers, one a transport."""
    return [f"{service}.{transport}.{domain}" for service, transport in _TRANSPORTS]


def srv_transport(owner: str) -> str:
    """The transport that an SRV owner stands for; udp when it says none."""
    labels = owner.split(".", 2)
    return _TRANSPORTS.get((labels[0], labels[1]), "udp") if len(labels) == 3 else "udp"


def serves(owner: str, ways: Iterable[Flow]) -> bool:
    """Whether an SRV owner stands for the transport of any of these."""
    return srv_transport(owner) in (flow.transport for flow in ways)
