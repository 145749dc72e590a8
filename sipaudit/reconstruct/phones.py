"""Who is a phone, and which of its lines a message belongs to (reference-model.md 1, *phone* and *line*).

A source that is not (yet) known to be a phone is a *candidate*: it has its
phones and lines like any other, but what they do is held back until one of its
requests is answered as a phone's is.  Scanners therefore leave no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from sipaudit.model.events import NO_LINE, ModelEvent
from sipaudit.model.profile import Vendor
from sipaudit.model.settings import Declaration, LineIdentity, ServerEntry
from sipaudit.reconstruct.bounds import LINES_UNPROVEN, PORTS, SOURCE_LINES, Bounds
from sipaudit.reconstruct.registrations import ALL
from sipaudit.reconstruct.servers import Entries, View
from sipaudit.reconstruct.useragent import Device, polycom_mac, read_user_agent
from sipaudit.sip.datagram import Flow, endpoint
from sipaudit.sip.message import Address, Request, Uri
from sipaudit.sip.uri import aor as address_of_record

SEVERAL = "several Contacts or User-Agents behind one address, and neither instance nor MAC to part them"
FEW = 8  # lines of a source that are searched one by one


class Knowledge(Protocol):
    """What the site file knows. `declares_phone` takes the source address and the MAC; `emergency` are the numbers."""

    @property
    def entries(self) -> Mapping[str, ServerEntry]: ...
    @property
    def declare(self) -> Callable[[LineIdentity], Declaration]: ...
    @property
    def declares_phone(self) -> Callable[[str, str | None], bool]: ...
    @property
    def emergency(self) -> frozenset[str]: ...


class Line:
    """One registration of a phone: AOR + Contact user and host.

    `phone` is the phone's number and `owner` the phone; `heard` the keys of the servers that ever sent to it; `first`
    and `last` when it was seen (seconds as captured); `calls` how many it had.  The rest below `strayed` is
    reconstruction's own: where it sends to (`flow`, `server`, `routes`), the view it has of its entries, and `held`,
    the list its events wait in while it is not known to be a phone's.
    """

    __slots__ = ("address", "aor", "calls", "contact", "contact_host", "contact_port", "contact_user", "declaration",
                 "device", "first", "flow", "heard", "held", "identity", "last", "number", "owner", "phone", "ports",
                 "proven", "registered", "revision", "routes", "server", "strayed", "user_agent", "view")

    def __init__(self, number: int, owner: Phone, aor: str, identity: LineIdentity, time: float) -> None:
        self.number = number
        self.phone = owner.number
        self.owner = owner
        self.aor = aor
        self.identity = identity
        self.declaration = Declaration()
        self.contact: str | None = None
        self.contact_user: str | None = None
        self.contact_host: str | None = None
        self.contact_port = 0
        self.user_agent: str | None = None
        self.device: Device | None = None
        self.first = time
        self.last = time
        self.calls = 0
        self.heard: tuple[str, ...] = ()
        self.strayed = False
        self.proven = False
        self.registered = False
        self.address: Address | None = None
        self.ports: tuple[int, ...] = ()
        self.flow: Flow | None = None
        self.server = ""
        self.routes: tuple[tuple[str, Flow], ...] = ()
        self.view: View
        self.revision = -1
        self.held: list[ModelEvent] | None = owner.held

    @property
    def instance(self) -> str | None:
        return self.owner.instance

    @property
    def mac(self) -> str | None:
        return self.owner.mac

    @property
    def model(self) -> str | None:
        return self.device.model if self.device else None

    @property
    def firmware(self) -> str | None:
        return self.device.firmware if self.device else None

    @property
    def entries(self) -> tuple[ServerEntry, ...]:
        """The server entries, resolved, in fallback order."""
        return self.view.entries

    @property
    def list_in_doubt(self) -> bool:
        """Whether the phone or DNS showed an address outside the declared entries."""
        return self.strayed or any(state.doubtful for state in self.view.states)


class Phone:
    """One device.

    `address` is its source address and port as contract.md 3 has it, and never changes; `mac` its MAC if it shows
    one; `unsure` why its identity is unsure, None when it is not; `first` and `last` when a packet of it was seen;
    `heard` whether any server was ever seen speaking to it; `encrypted` whether it speaks where nothing can be read.
    `held` is None once it is known to be a phone.
    """

    __slots__ = ("address", "again", "agent_mac", "call_ids", "declared", "encrypted", "first", "heard", "held", "host",
                 "implied", "instance", "last", "lines", "mac", "number", "source", "unsure", "user_agent", "vendor")

    def __init__(self, number: int, source: Source, address: str, time: float) -> None:
        self.number = number
        self.source = source
        self.host = source.host
        self.address = address
        self.mac: str | None = None
        self.agent_mac: str | None = None
        self.instance: str | None = None
        self.user_agent: str | None = None
        self.vendor = Vendor.UNKNOWN
        self.unsure: str | None = None
        self.declared = False
        self.encrypted = False
        self.heard = False
        self.implied = False
        self.first = time
        self.last = time
        self.lines: list[Line] = []
        self.held: list[ModelEvent] | None = []
        self.call_ids: dict[str, int] = {}   # REGISTER: last CSeq by Call-ID, the latest few
        self.again: dict[str, tuple[int, str, int, object]] = {}

    @property
    def identity_unsure(self) -> bool:
        return self.unsure is not None

    def uses(self, uri: Uri) -> bool:
        """Whether one of its lines has this Contact host and port now."""
        return any(line.contact_host == uri.host and line.contact_port == uri.port for line in self.lines)


class Source:
    """One source address and the phones behind it (more than one behind a NAT)."""

    __slots__ = ("by_user", "host", "phones")

    def __init__(self, host: str) -> None:
        self.host = host
        self.phones: list[Phone] = []
        self.by_user: dict[str | None, list[Line]] | None = None

    @property
    def lines(self) -> list[Line]:
        return [line for phone in self.phones for line in phone.lines]

    def with_contact_user(self, user: str | None) -> list[Line]:
        """The lines with this Contact user; an index is kept where there are many."""
        if self.by_user is None:
            lines = self.lines
            if len(lines) <= FEW:
                return [line for line in lines if line.contact_user == user]
            self.by_user = {}
            for line in lines:
                self.by_user.setdefault(line.contact_user, []).append(line)
        return self.by_user.get(user, [])


class Registry:
    """All phones and lines, their numbers, and the door through which events leave."""

    def __init__(self, knowledge: Knowledge, entries: Entries, bounds: Bounds) -> None:
        self._knowledge = knowledge
        self._entries = entries
        self._bounds = bounds
        self._sources: dict[str, Source] = {}
        self._candidates: dict[str, Source] = {}
        self._numbers = 0
        self.phones: dict[int, Phone] = {}
        self.lines: dict[int, Line] = {}
        self.out: list[ModelEvent] = []
        self.evicted = 0

    # -- events --------------------------------------------------------------------------------------------------

    def emit(self, phone: Phone, line: Line | None, event: ModelEvent) -> None:
        """Hand an event on, or hold it while the phone (or the line) is a candidate."""
        held = phone.held if line is None else line.held
        if held is None:
            self.out.append(event)
            return
        if len(held) >= self._bounds.held:
            del held[0]
        held.append(event)

    def prove(self, line: Line) -> bool:
        """A request of the line was answered as a phone's is: it is one. False if the candidate was forgotten."""
        line.proven = True
        if line.held is None:
            return True
        phone = line.owner
        if phone.held is not None:
            if self.source(phone.host) is not phone.source or phone not in phone.source.phones:
                return False
            self._show_phone(phone)
        if line.held is not None:
            self._show_line(line)
        return True

    def _show_phone(self, phone: Phone) -> None:
        source = phone.source
        if self._candidates.pop(source.host, None) is not None:
            self._sources[source.host] = source
        self.phones[phone.number] = phone
        held, phone.held = phone.held or [], None
        for line in phone.lines:
            line.held = None
            self.lines[line.number] = line
        self._release(held)

    def _show_line(self, line: Line) -> None:
        held, line.held = line.held or [], None
        self.lines[line.number] = line
        self._release(held)

    def _release(self, held: list[ModelEvent]) -> None:
        self.out.extend(event for event in held if event.line == NO_LINE or event.line in self.lines)

    # -- sources -------------------------------------------------------------------------------------------------

    @property
    def candidates(self) -> int:
        """How many sources are not known to be phones."""
        return len(self._candidates)

    def source(self, host: str) -> Source | None:
        return self._sources.get(host) or self._candidates.get(host)

    def is_phone(self, host: str) -> bool:
        """Whether a phone is known at this address."""
        return host in self._sources

    def phones_at(self, host: str) -> list[Phone]:
        """The phones and candidates at an address; the first SOURCE_LINES where there are more."""
        source = self.source(host)
        return source.phones[:SOURCE_LINES] if source is not None else []

    def _source_for(self, host: str) -> Source:
        known = self._sources.get(host)
        if known is not None:
            return known
        source = self._candidates.pop(host, None)
        if source is None:
            source = Source(host)
            if len(self._candidates) >= self._bounds.candidates:
                del self._candidates[next(iter(self._candidates))]
                self.evicted += 1
        self._candidates[host] = source  # last again: the longest unheard of is forgotten first
        return source

    def withdraw(self, host: str) -> None:
        """A host turns out to be a server: phones there that never registered, nor were declared, are none."""
        source = self._sources.get(host)
        if source is None or any(phone.declared or any(line.registered for line in phone.lines)
                                 for phone in source.phones):
            return
        del self._sources[host]
        for phone in source.phones:
            self.phones.pop(phone.number, None)
            for line in phone.lines:
                self.lines.pop(line.number, None)

    # -- whose request is it -------------------------------------------------------------------------------------

    def place(self, request: Request, flow: Flow, uri: Uri, contact: Address | None, time: float) -> Line | None:
        """The line of a request that a phone sends, made if need be; None when it says too little to tell.

        `uri` is the AOR's: To in a REGISTER, From in others (reference-model.md 1).
        """
        source = self._source_for(flow.source_host)
        if contact is None or contact.uri.scheme == ALL or contact.uri.host == "":
            return _bare(source.lines, address_of_record(uri))
        phone = self._phone(source, contact, request.user_agent, flow, uri, time)
        line = self._line(phone, request.method == "REGISTER", uri, contact, time)
        if line is not None:
            self._refresh(line, contact, request.user_agent)
        return line

    def place_called(self, request: Request, flow: Flow, time: float) -> Line | None:
        """A line for an INVITE from a server of an entry to an address of which nothing is known: its Request-URI is
        the Contact it once registered, its To the best guess of its AOR."""
        if request.uri.user is None:
            return None
        source = self._source_for(flow.destination_host)
        contact = Address(request.uri)
        phone = self._new_phone(source, flow.destination, None, None, flow, time) if not source.phones \
            else source.phones[0]
        line = self._line(phone, False, request.to.uri, contact, time)
        if line is not None:
            self._recontact(line, contact)
        return line

    def called(self, request: Request, flow: Flow) -> Line | None:
        """The line that a request to a phone is for: by the Contact in its Request-URI, else by To, else the only one."""
        source = self.source(flow.destination_host)
        if source is None:
            return None
        found = source.with_contact_user(request.uri.user) if request.uri.user is not None else []
        line = _narrowed(found, request, flow)
        if line is not None:
            return line
        lines = source.lines
        if len(lines) == 1:
            return lines[0]
        aor = address_of_record(request.to.uri)
        named = [line for line in (found or lines) if line.aor == aor]
        return named[0] if len(named) == 1 else None

    def of_contact(self, phone: Phone, contacts: Iterable[Address]) -> Line | None:
        """The phone's line with one of these Contacts."""
        for contact in contacts:
            for line in phone.lines:
                if line.contact_user == contact.uri.user and line.contact_host == contact.uri.host:
                    return line
        return None

    def of_aor(self, host: str, uri: Uri) -> Line | None:
        """The only line at this address with this AOR, or the only line at all."""
        source = self.source(host)
        return None if source is None else _bare(source.lines, address_of_record(uri))

    # -- phones --------------------------------------------------------------------------------------------------

    def _phone(self, source: Source, contact: Address, user_agent: str | None, flow: Flow, uri: Uri,
               time: float) -> Phone:
        device = read_user_agent(user_agent)
        found = _parted(source.phones, contact, device) or _alike(source.phones, contact, user_agent, uri)
        if found is None:
            shown = flow.source if flow.transport == "udp" else endpoint(source.host, contact.uri.port or 5060)
            weak = contact.instance is None and device.mac is None
            if weak and any(_weak(phone) for phone in source.phones):
                for phone in source.phones:
                    phone.unsure = SEVERAL if _weak(phone) else phone.unsure
            found = self._new_phone(source, shown, contact.instance, device.mac, flow, time)
            found.unsure = SEVERAL if weak and len(source.phones) > 1 else None
        elif found.instance is None or found.agent_mac is None:
            found.instance = found.instance or contact.instance
            found.agent_mac = found.agent_mac or device.mac
            found.mac = found.agent_mac or found.mac
        return found

    def _new_phone(self, source: Source, address: str, instance: str | None, mac: str | None, flow: Flow,
                   time: float) -> Phone:
        self._numbers += 1
        phone = Phone(self._numbers, source, address, time)
        phone.instance, phone.agent_mac = instance, mac
        link = flow.source_mac if flow.source_host == source.host else None
        phone.mac = mac or polycom_mac(instance) or polycom_mac(link)
        phone.declared = self._knowledge.declares_phone(source.host, phone.mac)
        candidates = [other for other in source.phones if other.held is not None]
        if len(candidates) >= LINES_UNPROVEN:
            source.phones.remove(candidates[0])
            source.by_user = None
            self.evicted += 1
        source.phones.append(phone)
        if phone.declared:
            self._show_phone(phone)
        return phone

    # -- lines ---------------------------------------------------------------------------------------------------

    def _line(self, phone: Phone, registers: bool, uri: Uri, contact: Address, time: float) -> Line | None:
        """The phone's line of this AOR and Contact; a new one where there is none."""
        aor = address_of_record(uri)
        user, host = contact.uri.user, contact.uri.host
        same_contact = [line for line in phone.lines if line.contact_user == user and line.contact_host == host]
        exact = next((line for line in same_contact if line.aor == aor), None)
        if exact is not None:
            return exact
        if registers:
            # seen before only in calls, where To and From may name another AOR than the one registered
            found = next((line for line in same_contact if not line.registered), None)
            if found is not None:
                self._name(found, aor, uri)
                return found
        else:
            named = [line for line in phone.lines if line.aor == aor]
            if len(named) == 1:
                return named[0]
            if same_contact:
                return same_contact[-1]
        return self._new_line(phone, aor, uri, contact, time)

    def _new_line(self, phone: Phone, aor: str, uri: Uri, contact: Address, time: float) -> Line:
        self._make_room(phone)
        self._numbers += 1
        identity = LineIdentity(uri.user or "", uri.host, aor, phone.host)
        line = Line(self._numbers, phone, aor, identity, time)
        line.view = self._entries.open
        if phone.held is None:
            if sum(1 for known in phone.lines if not known.proven) >= LINES_UNPROVEN:
                line.held = []
            else:
                self.lines[line.number] = line
        line.contact_user, line.contact_host = contact.uri.user, contact.uri.host
        phone.lines.append(line)
        if phone.source.by_user is not None:
            phone.source.by_user.setdefault(line.contact_user, []).append(line)
        self._declare(line)
        return line

    def _make_room(self, phone: Phone) -> None:
        """A phone has few lines that nothing was ever granted to: the oldest beyond them goes."""
        hidden = [line for line in phone.lines if line.held is not None]
        if len(hidden) >= LINES_UNPROVEN:
            phone.lines.remove(hidden[0])
            phone.source.by_user = None
            self.evicted += 1

    def _name(self, line: Line, aor: str, uri: Uri) -> None:
        if line.aor == aor:
            return
        line.aor = aor
        line.identity = LineIdentity(uri.user or "", uri.host, aor, line.owner.host, line.user_agent, line.model,
                                     line.mac)
        self._declare(line)

    def _declare(self, line: Line) -> None:
        line.declaration = self._knowledge.declare(line.identity)
        view = self._entries.view(line.declaration.entries)
        if view is not line.view:
            line.view = view
            line.revision = -1
            line.flow = None

    def _refresh(self, line: Line, contact: Address, user_agent: str | None) -> None:
        """Take in what a request of the line shows: its Contact's port, and who its phone says it is."""
        self._recontact(line, contact)
        phone = line.owner
        if user_agent is not None and user_agent != line.user_agent:
            if line.user_agent is not None and _weak(phone) and user_agent == phone.user_agent:
                phone.unsure = SEVERAL  # the one before, and now again
            named = line.user_agent is not None
            phone.user_agent, line.user_agent = line.user_agent or user_agent, user_agent
            line.device = read_user_agent(user_agent)
            phone.vendor = line.device.vendor
            identity = line.identity
            line.identity = LineIdentity(identity.user, identity.domain, identity.aor, identity.address, user_agent,
                                         line.model, phone.mac)
            if not named:
                self._declare(line)

    def _recontact(self, line: Line, contact: Address) -> None:
        line.address = contact
        port = contact.uri.port
        if line.contact is not None and port == line.contact_port:
            return
        line.contact = address_of_record(contact.uri)
        line.contact_port = port
        phone = line.owner
        if _weak(phone) and (port in line.ports or any(
            other.contact_port != port for other in phone.lines if other.contact is not None
        )):
            phone.unsure = SEVERAL
        if port not in line.ports:
            line.ports = (*line.ports[-PORTS + 1:], port)


def _weak(phone: Phone) -> bool:
    """Whether nothing but User-Agent and Contact tells this phone from another."""
    return phone.instance is None and phone.agent_mac is None


def _parted(phones: list[Phone], contact: Address, device: Device) -> Phone | None:
    """The phone with this instance, or MAC; else one that has shown neither so far and has this Contact."""
    if contact.instance is None and device.mac is None:
        return None
    for phone in phones:
        if contact.instance is not None:
            if phone.instance == contact.instance:
                return phone
        elif phone.agent_mac == device.mac:
            return phone
    for phone in phones:
        strange = (contact.instance and phone.instance) or (device.mac and phone.agent_mac not in (None, device.mac))
        if not strange and phone.uses(contact.uri):
            return phone
    return None


def _alike(phones: list[Phone], contact: Address, user_agent: str | None, uri: Uri) -> Phone | None:
    """Without instance and MAC: the phone with this Contact host and port, else with this User-Agent and Contact host
    (the one that has the AOR, where several do)."""
    if contact.instance is not None or read_user_agent(user_agent).mac is not None:
        return None
    same = [phone for phone in phones if phone.uses(contact.uri)]
    if not same:
        same = [
            phone for phone in phones
            if any(line.contact_host == contact.uri.host and user_agent in (None, line.user_agent)
                   for line in phone.lines)
        ]
    if len(same) < 2:
        return same[0] if same else None
    aor = address_of_record(uri)
    named = [phone for phone in same if any(line.aor == aor for line in phone.lines)]
    return named[0] if named else next((phone for phone in same if _weak(phone)), None)


def _bare(lines: list[Line], aor: str) -> Line | None:
    """Without a Contact: the line with this AOR, the last used of several."""
    named = [line for line in lines if line.aor == aor]
    if named:
        return max(named, key=lambda line: line.last)
    return lines[0] if len(lines) == 1 else None


def _narrowed(found: list[Line], request: Request, flow: Flow) -> Line | None:
    """Of lines with the right Contact user, the one with its host and port, or its mapped address behind a NAT."""
    if len(found) < 2:
        return found[0] if found else None
    for fits in (
        lambda line: line.contact_host == request.uri.host and line.contact_port == request.uri.port,
        lambda line: line.flow is not None and line.flow.source == flow.destination,
    ):
        fitting = [line for line in found if fits(line)]
        if len(fitting) == 1:
            return fitting[0]
        found = fitting or found
    return None
