"""Whether a phone was seen to start (reference-model.md 1, *boot*).

No single sign proves it: a phone polls its provisioning server while it works,
and asks for an address anew when its cable was out.  A start ends with a
REGISTER under a Call-ID that was never used, to the head of the list, after a
silence; with signs of a start shortly before it is *seen*, without it is merely
possible.  All that only a device that starts does needs no silence: the phone
may have spoken until its plug was pulled.
"""

from __future__ import annotations

from math import inf

from sipaudit.reconstruct.bounds import START_TAKES, STARTS_KEPT
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.reconstruct.useragent import polycom_mac
from sipaudit.sip.datagram import Start, StartKind


class Signs:
    """Signs of one start: when the first and the last was seen, and which; `mac` whose they are, if it is known."""

    __slots__ = ("began", "kinds", "last", "mac")

    def __init__(self, time: float, mac: str | None) -> None:
        self.began = self.last = time
        self.mac = mac
        self.kinds: set[StartKind] = set()

    def certain(self, phone: Phone) -> bool:
        """Whether only a device that starts does all this: ask for an address and for files, or for files by its boot
        program; and nothing else meanwhile."""
        telling = StartKind.UPDATER in self.kinds or {StartKind.ADDRESS, StartKind.FILE} <= self.kinds
        return telling and phone.last < self.began


class Starts:
    """The latest signs by hardware address and by host, for as long as a start takes; `latest` is when the last of all
    was seen (seconds since the epoch)."""

    def __init__(self) -> None:
        self._by_mac: dict[str, Signs] = {}
        self._by_host: dict[str, Signs] = {}
        self.evicted = 0
        self.latest = -inf

    def take(self, item: Start) -> None:
        """A sign. Those of one device within START_TAKES are of one start."""
        self.latest = item.time
        fetches = item.kind in (StartKind.FILE, StartKind.UPDATER)
        mac = polycom_mac(item.mac) if fetches else item.mac  # on the segment it may be a router's that is seen
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
        """Whether the phone, since it last sent, did what only a device that starts does."""
        signs = self._of_phone(phone, time)
        return signs is not None and signs.certain(phone)

    def ends(self, phone: Phone, line: Line, time: float) -> bool:
        """Whether a REGISTER of the line now, under a new Call-ID to the head of its list, ends a start that was seen.

        Of a phone never seen before the Call-ID may be an old one, and one that turns to the head from elsewhere may
        only be coming back: then the signs must be certain.
        """
        signs = self._of_phone(phone, time)
        if signs is None or phone.last >= signs.last or not (signs.certain(phone) or line.turned < time):
            return False
        self._over(signs, phone)
        return True

    def _over(self, signs: Signs, phone: Phone) -> None:
        """The start has ended: what comes is of the next one."""
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
        """The signs of this device that are not too old: by its hardware address, else by its host's."""
        signs = self._by_mac.get(mac or "")
        if signs is None and host is not None:
            signs = self._by_host.get(host)
            if signs is not None and None not in (mac, signs.mac) and signs.mac != mac:
                return None
        return signs if signs is not None and 0 <= time - signs.last <= START_TAKES else None


def is_at_head(line: Line) -> bool:
    """Whether the line's server is at the head of its list; a list that is not known has no head to speak against."""
    if not line.view.states:
        return True
    for entry in line.entries:
        priority = entry.priority(line.server)
        if priority is not None:
            return priority == min(server.priority for server in entry.servers)
    return False
