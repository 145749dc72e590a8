"""A source address and the phones behind it: one, or thousands behind a NAT or a border controller."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from sipaudit.reconstruct.several import Several

if TYPE_CHECKING:
    from sipaudit.reconstruct.phones import Line, Phone

FEW = 8  # phones or lines of a source that are searched one by one


class Source:
    """One source address and the phones behind it, in order of appearance."""

    __slots__ = ("_index", "_phones", "host")
    phones = Several["Phone"]()

    def __init__(self, host: str) -> None:
        self.host = host
        self.phones = ()
        self._index: Index | None = None

    @property
    def lines(self) -> list[Line]:
        return [line for phone in self.phones for line in phone.lines]

    def with_contact_user(self, user: str | None) -> Sequence[Line]:
        """The lines with this Contact user."""
        index = self._indexed()
        if index is None:
            return [line for line in self.lines if line.contact_user == user]
        return index.users.get(user, ())

    def with_contact_host(self, host: str) -> Sequence[Line]:
        """The lines with this Contact host."""
        index = self._indexed()
        if index is None:
            return [line for line in self.lines if line.contact_host == host]
        return index.hosts.get(host, ())

    def with_instance(self, instance: str) -> Phone | None:
        """The phone that has shown this instance (RFC 5626 4.1)."""
        index = self._indexed()
        if index is None:
            return next((phone for phone in self.phones if phone.instance == instance), None)
        return index.instances.get(instance)

    def with_mac(self, mac: str | None) -> Phone | None:
        """The phone whose User-Agent has this MAC."""
        index = self._indexed()
        if index is None:
            return next((phone for phone in self.phones if phone.agent_mac == mac), None)
        return None if mac is None else index.macs.get(mac)

    def without_instance(self) -> Iterable[Phone]:
        """The phones that have shown no instance."""
        index = self._indexed()
        return [phone for phone in self.phones if phone.instance is None] if index is None else index.no_instance

    def without_mac(self) -> Iterable[Phone]:
        """The phones whose User-Agent has shown no MAC."""
        index = self._indexed()
        return [phone for phone in self.phones if phone.agent_mac is None] if index is None else index.no_mac

    def _indexed(self) -> Index | None:
        """The index if there are many phones or lines; None if there are few."""
        index, phones = self._index, self.phones
        if index is None and (len(phones) > FEW or sum([len(phone.lines) for phone in phones]) > FEW):
            index = self._index = Index(phones)
        return index

    # -- who comes, and what is new of them

    def came(self, phone: Phone) -> None:
        """Add a phone."""
        self.phones += (phone,)
        if self._index is not None:
            self._index.add(phone)

    def has_line(self, line: Line) -> None:
        """One of its phones has a new line."""
        if self._index is not None:
            self._index.add_line(line)

    def showed(self, phone: Phone) -> None:
        """One of its phones has shown its instance, or its MAC."""
        if self._index is not None:
            self._index.name(phone)

    def lose(self, gone: Collection[Phone]) -> None:
        """Remove these phones."""
        self.phones = tuple(phone for phone in self.phones if phone not in gone)
        self.lost_lines()

    def lost_lines(self) -> None:
        """Its phones have lost lines: the index must be rebuilt."""
        self._index = None


class Index:
    """The phones and lines of a source by what they show, so that no search walks all of them."""

    __slots__ = ("hosts", "instances", "macs", "no_instance", "no_mac", "users")

    def __init__(self, phones: Iterable[Phone]) -> None:
        self.users: dict[str | None, list[Line]] = {}
        self.hosts: dict[str | None, list[Line]] = {}
        self.instances: dict[str, Phone] = {}
        self.macs: dict[str, Phone] = {}
        self.no_instance: dict[Phone, None] = {}
        self.no_mac: dict[Phone, None] = {}
        for phone in phones:
            self.add(phone)
            for line in phone.lines:
                self.add_line(line)

    def add(self, phone: Phone) -> None:
        self.no_instance[phone] = self.no_mac[phone] = None
        self.name(phone)

    def add_line(self, line: Line) -> None:
        self.users.setdefault(line.contact_user, []).append(line)
        self.hosts.setdefault(line.contact_host, []).append(line)

    def name(self, phone: Phone) -> None:
        """The phone may have an instance and a MAC now; once known, neither changes."""
        if phone.instance is not None:
            _put_first(self.instances, phone.instance, phone)
            self.no_instance.pop(phone, None)
        if phone.agent_mac is not None:
            _put_first(self.macs, phone.agent_mac, phone)
            self.no_mac.pop(phone, None)


def _put_first(known: dict[str, Phone], name: str, phone: Phone) -> None:
    """Store the phone under a name. If two phones share it (an instance and a MAC may contradict each other), keep the
    first."""
    other = known.get(name)
    if other is None or phone.number < other.number:
        known[name] = phone
