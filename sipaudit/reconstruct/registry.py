"""Which sources are phones, and to which of their lines a message belongs.

A source that is not (yet) known to be a phone is a *candidate*: it has its phones and lines like any other, but their
events are held back until one of its requests is answered as a phone's is. Scanners therefore leave no trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sipaudit.model.events import ModelEvent
from sipaudit.model.settings import DEFAULT_PORTS
from sipaudit.one import one_text
from sipaudit.reconstruct.bounds import SOURCE_LINES, Bounds
from sipaudit.reconstruct.contacts import ALL
from sipaudit.reconstruct.descriptions import Descriptions
from sipaudit.reconstruct.devices import Devices, same
from sipaudit.reconstruct.entries import Entries
from sipaudit.reconstruct.identity import SEVERAL, alike, bare, by_gruu, names_another, narrowed, parted, weak
from sipaudit.reconstruct.knowledge import Knowledge
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.reconstruct.population import Population
from sipaudit.reconstruct.source import Source
from sipaudit.reconstruct.useragent import read_user_agent
from sipaudit.sip.datagram import Datagram, Flow, endpoint
from sipaudit.sip.message import Address, Request, Uri
from sipaudit.sip.uri import aor as address_of_record
from sipaudit.turned_away import turned_away


class Registry:
    """All phones and lines, their numbers, and the output of all events."""

    __slots__ = ("_descriptions", "_entries", "_numbers", "_sources", "devices", "lines", "out", "phones", "population",
                 "source")

    def __init__(self, knowledge: Knowledge, entries: Entries, bounds: Bounds) -> None:
        self._entries = entries
        self._descriptions = Descriptions(knowledge, entries)
        self.devices = Devices(knowledge, bounds.devices)
        self.population = Population(bounds, self.devices, self._taking)
        self._sources = self.population.sources
        self._numbers = 0
        self.phones = self.population.phones
        self.lines = self.population.lines
        self.source = self.population.source
        self.out: list[ModelEvent] = []

    # -- events --------------------------------------------------------------------------------------------------

    def _taking(self) -> list[ModelEvent]:
        return self.out

    def emit(self, phone: Phone, line: Line | None, event: ModelEvent) -> None:
        """Output an event, or hold it while the phone (or the line) is a candidate."""
        held = phone.held if line is None else line.held
        if held is None:
            self.out.append(event)
            return
        if len(held) >= self.population.bounds.held:
            del held[0]
            turned_away("held-events")
        held.append(event)

    def prove(self, line: Line) -> bool:
        """A request of the line was answered as a phone's is: show it as a line. False if the candidate was already
        forgotten."""
        phone, first = line.owner, not line.proven
        line.proven = True
        before = self.devices.here(line)
        if before is not None:
            self._seen_twice(phone, before)
        if line.held is not None and (self.source(phone.host) is not phone.source
                                      or phone not in phone.source.phones or line not in phone.lines):
            return False
        phone.unproven -= first
        if phone.held is not None:
            self.population.show_phone(phone)
        if line.held is not None:
            self.population.show_line(line)
        return True

    def _seen_twice(self, phone: Phone, host: str) -> None:
        """A device known at another address is now at this one: it may have moved, or send from both."""
        for other in self.phones_at(host):
            if same(phone, other):
                phone.twin, other.twin = (other.number, phone.last), (phone.number, phone.last)

    # -- sources -------------------------------------------------------------------------------------------------

    def is_phone(self, host: str) -> bool:
        """Whether a phone is known at this address."""
        return host in self._sources

    def has_registered(self, host: str) -> bool:
        """Whether a phone at this address is beyond doubt: declared, or granted a registration."""
        source = self._sources.get(host)
        return source is not None and any(
            phone.declared or any(line.registered for line in phone.lines) for phone in source.phones)

    def phones_at(self, host: str) -> Sequence[Phone]:
        """The phones and candidates at an address, at most SOURCE_LINES."""
        source = self.source(host)
        return source.phones[:SOURCE_LINES] if source is not None else ()

    def only_phone(self, host: str) -> Phone | None:
        """The phone at this address, if there is exactly one."""
        phones = self.phones_at(host)
        return phones[0] if len(phones) == 1 else None

    def withdraw(self, host: str) -> bool:
        """A host turns out to be a server: drop the phones there, unless one of them registered or is declared; whether
        they were dropped.

        Events already released stand, but no more are.
        """
        if host not in self._sources or self.has_registered(host):
            return False
        self.population.withdraw(host)
        return True

    # -- whose request is it -------------------------------------------------------------------------------------

    def place(self, request: Request, flow: Flow, uri: Uri, contact: Address | None, item: Datagram) -> Line | None:
        """The line of a request that a phone sends, created if need be; None if the request shows too little to tell.

        `uri` is the AOR's: To in a REGISTER, From in other requests (reference-model.md 1).
        """
        source = self.population.source_for(flow.source_host)
        if contact is None or contact.uri.scheme == ALL or contact.uri.host == "":
            return bare(source.lines, uri)
        known = by_gruu(source, contact, uri) if request.method != "REGISTER" else None
        if known is not None:
            return known
        phone = self._phone(source, contact, request.user_agent, flow, uri, item)
        line = self._line(phone, request.method == "REGISTER", uri, contact, request.user_agent, item.time)
        if line is not None:
            self._descriptions.refresh(line, contact, request.user_agent)
        return line

    def place_called(self, request: Request, flow: Flow, item: Datagram) -> Line | None:
        """A line for an INVITE from a server of an entry to an unknown address: the Request-URI is the Contact it once
        registered, To the best guess of its AOR."""
        if request.uri.user is None:
            return None
        source = self.population.source_for(flow.destination_host)
        contact = Address(request.uri)
        phone = self._new_phone(source, flow.destination, None, None, flow, item) if not source.phones \
            else source.phones[0]
        line = self._line(phone, False, request.to.uri, contact, None, item.time)
        if line is not None:
            self._descriptions.refresh(line, contact, None)
        return line

    def called(self, request: Request, flow: Flow) -> Line | None:
        """The line that a request to a phone is for: by the Contact in its Request-URI, otherwise the only line,
        otherwise by To."""
        source = self.source(flow.destination_host)
        if source is None:
            return None
        found = source.with_contact_user(request.uri.user) if request.uri.user is not None else []
        line = narrowed(found, request, flow)
        lines, uri = source.lines, request.to.uri
        if line is None and len(lines) == 1:
            line = lines[0]
        if line is not None:
            return None if names_another(uri, line) else line
        aor = address_of_record(uri)
        named = [line for line in (found or lines) if line.aor == aor]
        return named[0] if len(named) == 1 else None

    def of_contact(self, phone: Phone, contacts: Iterable[Address]) -> Line | None:
        """The phone's line with the first of these Contacts that it has, if only one line has it."""
        for contact in contacts:
            found = [line for line in phone.lines if _has(line, contact)]
            if found:
                return found[0] if len(found) == 1 else None
        return None

    def calls_from(self, host: str, contact: Address) -> Phone | None:
        """The phone at this address that has this Contact on any of its lines, if there is exactly one."""
        source = self.source(host)
        lines = [] if source is None else source.with_contact_user(contact.uri.user)
        owners = {line.owner for line in lines if _has(line, contact)}
        return owners.pop() if len(owners) == 1 else None

    def of_aor(self, host: str, uri: Uri) -> Line | None:
        """The line at this address with this AOR (the last used of several), or the only line at all."""
        source = self.source(host)
        return None if source is None else bare(source.lines, uri)

    # -- phones --------------------------------------------------------------------------------------------------

    def _phone(self, source: Source, contact: Address, user_agent: str | None, flow: Flow, uri: Uri,
               item: Datagram) -> Phone:
        """The phone at this source with the instance, the MAC or the guise of the request; otherwise a new one. If only
        guises distinguish several phones, their identity is unsure."""
        device = read_user_agent(user_agent)
        known = source.phones
        found = (parted(source, contact, device) or alike(source, contact, user_agent, uri)) if known else None
        if found is None:
            shown = flow.source if flow.transport == "udp" else endpoint(
                source.host, contact.uri.port or DEFAULT_PORTS.get(flow.transport, 5060))
            nameless = contact.instance is None and device.mac is None
            if nameless and known and weak(known[0]):   # all later ones were not alone when they appeared
                known[0].unsure = SEVERAL
            found = self._new_phone(source, shown, contact.instance, device.mac, flow, item)
            found.unsure = SEVERAL if nameless and len(source.phones) > 1 else None
        elif found.instance is None or found.agent_mac is None:
            found.instance = found.instance or contact.instance
            found.agent_mac = found.agent_mac or device.mac
            source.showed(found)
            self._identify(found, flow)
        return found

    def _new_phone(self, source: Source, address: str, instance: str | None, mac: str | None, flow: Flow,
                   item: Datagram) -> Phone:
        self._numbers += 1
        phone = Phone(self._numbers, source, address, item)
        phone.instance, phone.agent_mac = instance, mac
        self.population.add_phone(phone)
        self._identify(phone, flow)
        return phone

    def _identify(self, phone: Phone, flow: Flow) -> None:
        """Update the phone's identity; the site file's items may then match its lines by its MAC."""
        if self.devices.identify(phone, flow):
            for line in phone.lines:
                self._descriptions.declare(line)
        if phone.declared and phone.held is not None:
            self.population.show_phone(phone)

    # -- lines ---------------------------------------------------------------------------------------------------

    def _line(self, phone: Phone, registers: bool, uri: Uri, contact: Address, user_agent: str | None, time: float
              ) -> Line | None:
        """The phone's line with this AOR and Contact, otherwise a new one; None if several lines may be meant."""
        aor = address_of_record(uri)
        if not phone.lines:
            return self._new_line(phone, aor, uri, contact, user_agent, time)
        user, host = contact.uri.user, contact.uri.host
        same_contact = [line for line in phone.source.with_contact_user(user)
                        if line.contact_host == host and line.owner is phone]
        exact = next((line for line in same_contact if line.aor == aor), None)
        if exact is not None:
            return exact
        if registers:
            # a line seen only in calls, whose To and From may name another AOR than the registered one
            found = next((line for line in same_contact if not line.registered and line.call_id is None), None)
            if found is not None and not names_another(uri, found):
                self._descriptions.name(found, aor, uri)
                return found
        else:
            named = [line for line in phone.lines if line.aor == aor]
            if len(named) == 1:
                return named[0]
            if same_contact:
                # one number on two domains: an anonymous call, or one under another name, may be of either
                alone = len(same_contact) == 1 and not names_another(uri, same_contact[0])
                return same_contact[0] if alone else None
        return self._new_line(phone, aor, uri, contact, user_agent, time)

    def _new_line(self, phone: Phone, aor: str, uri: Uri, contact: Address, user_agent: str | None, time: float
                  ) -> Line:
        self._numbers += 1
        line = Line(self._numbers, phone, aor, uri.user or "", one_text(uri.host), time)
        line.view = self._entries.open
        if self.population.forgot or self.devices.came(phone, aor):  # it may be a line that was forgotten
            line.since = time
        user, host = contact.uri.user, contact.uri.host
        line.contact_user = line.user if line.user == user else user
        line.contact_host = phone.host if phone.host == host else host
        self.population.add_line(line)
        if user_agent is None:   # otherwise `refresh` declares it next, by its model as well
            self._descriptions.declare(line)
        return line

    def declare(self, knowledge: Knowledge) -> list[int]:
        """Put another site file in force. Returns the numbers of the lines whose declaration in force, or entries,
        change."""
        self.devices.obey(knowledge)
        self._descriptions.obey(knowledge)
        changed = []
        for phone in self.phones.values():
            phone.declared = phone.declared or knowledge.declares_phone(phone.host, phone.mac)
            for line in phone.lines:
                before = line.declaration.in_force(), line.entries
                self._descriptions.declare(line)
                if line.number in self.lines and (line.declaration.in_force(), line.entries) != before:
                    changed.append(line.number)
        return changed


def _has(line: Line, contact: Address) -> bool:
    return line.contact_user == contact.uri.user and line.contact_host == contact.uri.host
