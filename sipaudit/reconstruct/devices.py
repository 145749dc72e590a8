"""Device identity: a phone's MAC, and whether the phone, or one of its lines, was known at another address before."""

from __future__ import annotations

from sipaudit.reconstruct.knowledge import Knowledge
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.reconstruct.useragent import polycom_mac
from sipaudit.sip.datagram import Flow


class Devices:
    """The address of each proven phone, by instance and MAC, and of its lines, by AOR and Contact."""

    __slots__ = ("_declares", "_hosts", "_limit", "evicted")

    def __init__(self, knowledge: Knowledge, limit: int) -> None:
        self._declares = knowledge.declares_phone
        self._limit = limit
        self.evicted = 0
        # instance, MAC, AOR, or AOR with a Contact behind NAT -> the address at which that phone last proved itself
        self._hosts: dict[str, str] = {}

    def obey(self, knowledge: Knowledge) -> None:
        """Another site file is in force."""
        self._declares = knowledge.declares_phone

    def identify(self, phone: Phone, flow: Flow) -> bool:
        """Update the phone's MAC and `declared` from this flow and from what is already known; whether the MAC changed.
        """
        mac = self._on_segment(phone.host, flow) or phone.agent_mac or polycom_mac(phone.instance) or phone.mac
        changed = mac != phone.mac
        phone.mac = mac
        phone.declared = phone.declared or self._declares(phone.host, mac)
        return changed

    def here(self, line: Line) -> str | None:
        """Note that a phone's line is at this address now. Returns the other address where the device was before, if
        any."""
        owner, before = line.owner, None
        for known in (owner.instance, owner.mac, _contact(line), line.aor):
            if known:
                at = self._hosts.get(known)
                if at is None and len(self._hosts) >= self._limit:
                    self._evict()
                if at is not None and at != owner.host and known != line.aor:   # another phone may share that
                    before = at
                self._hosts[known] = owner.host
        return before

    def gone(self, line: Line) -> None:
        """The line is forgotten."""
        self._leave(line.aor, line.owner.host)
        self._leave(_contact(line), line.owner.host)

    def gone_phone(self, phone: Phone) -> None:
        """The phone is forgotten."""
        self._leave(phone.instance, phone.host)
        self._leave(phone.mac, phone.host)

    def tighten(self, limit: int) -> None:
        """Apply a new bound from now on."""
        self._limit = limit
        while len(self._hosts) > limit:
            self._evict()

    def _leave(self, known: str | None, host: str) -> None:
        if known is not None and self._hosts.get(known) == host:
            del self._hosts[known]

    def _evict(self) -> None:
        del self._hosts[next(iter(self._hosts))]
        self.evicted += 1

    def moved(self, phone: Phone) -> bool:
        """Whether the phone was last known at another address."""
        instance, mac, at, host = phone.instance, phone.mac, self._hosts.get, phone.host
        return (instance is not None and at(instance, host) != host) or (mac is not None and at(mac, host) != host)

    def came(self, phone: Phone, aor: str) -> bool:
        """Whether a new line of a phone may be an old one that was elsewhere. (Another phone may share its AOR, too.)
        """
        return self.moved(phone) or self._hosts.get(aor, phone.host) != phone.host

    def _on_segment(self, host: str, flow: Flow) -> str | None:
        """The MAC on the link, if it surely is the phone's: a Polycom's, or one that the site declares. Any other may
        be a router's, which replaces the address of one phone as well as of many."""
        link = flow.source_mac
        if link is None or flow.source_host != host:
            return None
        return polycom_mac(link) or (link if self._declares(host, link) and not self._declares(host, None) else None)


def _contact(line: Line) -> str | None:
    """AOR and Contact of a line that shows an address behind NAT, otherwise None: seen at two addresses, both are one
    phone."""
    return f"{line.aor} {line.contact_user}@{line.contact_host}" if line.contact_host != line.owner.host else None


def same(one: Phone, other: Phone) -> bool:
    """Whether two phones at different addresses show that they are one device."""
    if one.instance or other.instance or one.mac or other.mac:
        return one.instance == other.instance is not None or one.mac == other.mac is not None
    contacts = {_contact(line) for line in one.lines} - {None}
    return any(_contact(line) in contacts for line in other.lines)
