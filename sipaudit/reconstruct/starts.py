"""Whether a phone was seen to start (reference-model.md 1, *boot*).

No single sign proves it: a phone also polls its provisioning server while it works, and requests an address again after
its cable was unplugged. A start ends with a REGISTER under a new Call-ID, to the head of the list, after a silence;
with signs of a start shortly before, it is *seen*, without them merely possible. When all signs that only a starting
device gives are there, no silence is needed: the phone may have been active until it lost power.
"""

from __future__ import annotations

from math import inf

from sipaudit.reconstruct.bounds import START_TAKES, STARTS_KEPT
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.reconstruct.useragent import polycom_mac
from sipaudit.sip.datagram import Start, StartKind


class Signs:
    """Signs of one start: when the first and the last was seen, and their kinds; `mac` is the device's, if known."""

    __slots__ = ("began", "kinds", "last", "mac")

    def __init__(self, time: float, mac: str | None) -> None:
        self.began = self.last = time
        self.mac = mac
        self.kinds: set[StartKind] = set()

    def certain(self, phone: Phone) -> bool:
        """Whether only a starting device does all this: request an address and files, or files by its boot program; and
        the phone sent nothing meanwhile."""
        telling = StartKind.UPDATER in self.kinds or {StartKind.ADDRESS, StartKind.FILE} <= self.kinds
        return telling and phone.last < self.began


class Starts:
    """The latest signs by hardware address and by host, valid for as long as a start takes; `latest` is when the last
    sign of any device was seen (seconds since the epoch)."""

    def __init__(self) -> None:
        self._by_mac: dict[str, Signs] = {}
        self._by_host: dict[str, Signs] = {}
        self.evicted = 0
        self.latest = -inf

    def take(self, item: Start) -> None:
        """Store a sign. Signs of one device within START_TAKES belong to one start."""
        self.latest = item.time
        fetches = item.kind in (StartKind.FILE, StartKind.UPDATER)
        mac = polycom_mac(item.mac) if fetches else item.mac  # on the segment the MAC may be a router's
        signs = self._of(mac, item.host if fetches else None, item.time)
        if item.kind is StartKind.LEASE:
            if signs is not None and item.host is not None:
                self._put(self._by_host, item.host, signs)
            return
        if signs is None:
            signs = Signs(item.time, mac)
        signs.kinds.add(item.kind)
        signs.last = item.time
        signs.mac = signs.mac or mac
        if mac is not None:
            self._put(self._by_mac, mac, signs)
        if fetches and item.host is not None:
            self._put(self._by_host, item.host, signs)

    def began(self, phone: Phone, time: float) -> bool:
        """Whether the phone, since it last sent, has given all signs that only a starting device gives."""
        signs = self._of_phone(phone, time)
        return signs is not None and signs.certain(phone)

    def ends(self, phone: Phone, line: Line, time: float) -> bool:
        """Whether a REGISTER of the line now, under a new Call-ID to the head of its list, ends a start that was seen.

        The Call-ID of a phone never seen before may be an old one, and a line that turns to the head from elsewhere may
        merely be coming back: then the signs must be certain.
        """
        signs = self._of_phone(phone, time)
        if signs is None or phone.last >= signs.last or not (signs.certain(phone) or line.turned < time):
            return False
        self._over(signs, phone)
        return True

    def _over(self, signs: Signs, phone: Phone) -> None:
        """The start has ended: signs that follow belong to the next one."""
        if signs.mac is not None:
            self._by_mac.pop(signs.mac, None)
        if self._by_host.get(phone.host) is signs:
            del self._by_host[phone.host]

    def _of_phone(self, phone: Phone, time: float) -> Signs | None:
        return self._of(phone.mac, phone.host if len(phone.source.phones) == 1 else None, time)

    def _put(self, signs_by: dict[str, Signs], key: str, signs: Signs) -> None:
        signs_by.pop(key, None)
        if len(signs_by) >= STARTS_KEPT:
            del signs_by[next(iter(signs_by))]
            self.evicted += 1
        signs_by[key] = signs

    def _of(self, mac: str | None, host: str | None, time: float) -> Signs | None:
        """The signs of this device that are not too old: by its hardware address, otherwise by its host."""
        signs = self._by_mac.get(mac or "")
        if signs is None and host is not None:
            signs = self._by_host.get(host)
            if signs is not None and None not in (mac, signs.mac) and signs.mac != mac:
                return None
        return signs if signs is not None and 0 <= time - signs.last <= START_TAKES else None


def is_at_head(line: Line) -> bool:
    """Whether the line's server is at the head of its list; true if the list is unknown."""
    if not line.view.states:
        return True
    for entry in line.entries:
        priority = entry.priority(line.server)
        if priority is not None:
            return priority == min(server.priority for server in entry.servers)
    return False
