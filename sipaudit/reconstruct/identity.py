"""Which of the phones behind an address a message is from, and which of their lines it is about."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter

from sipaudit.reconstruct.bounds import GUISES, SOURCE_LINES
from sipaudit.reconstruct.contacts import gruu_of, port_of
from sipaudit.reconstruct.phones import Guise, Line, Phone
from sipaudit.reconstruct.source import Source
from sipaudit.reconstruct.useragent import Device, read_user_agent
from sipaudit.sip.datagram import Flow
from sipaudit.sip.message import Address, Request, Uri
from sipaudit.sip.uri import aor as address_of_record
from sipaudit.sip.uri import is_name
from sipaudit.turned_away import latest

ANONYMOUS = "anonymous.invalid"   # of the From of who stays nameless (RFC 3261 8.1.1.3)
SEVERAL = "several Contacts or User-Agents behind one address, and neither instance nor MAC to part them"
APART = "several lines with one private address, never seen from one port, and neither instance nor MAC to part them"
SHARED = "one AOR and Contact registered under two Call-IDs at a time, and neither instance nor MAC to part the two"
LINE_LASTS = 3600.0   # seconds since its last request for which a line counts as its phone's: what Polycoms ask for


def note_guise(line: Line, guise: Guise) -> None:
    """Note how the phone looks. With neither instance nor MAC two phones behind one address show by looks that come
    back, or that a line has which never had the other; one that only changes (a new firmware, a new port) does not."""
    phone = line.owner
    seen = phone.guises
    if not seen or guise == seen[-1]:
        phone.guises = seen or _only(guise)
        return
    changed = line.address is not None and (line.user_agent, line.contact_port) in (seen[-1], (None, seen[-1][1]))
    if weak(phone) and (guise in seen or not changed):
        phone.unsure = SEVERAL
    others = tuple(known for known in seen if known != guise)
    phone.guises = latest(others, guise, GUISES, "phone-state")


@lru_cache(maxsize=256)
def _only(guise: Guise) -> tuple[Guise]:
    """One value for all phones that look the same, as those of a model do."""
    return (guise,)


def weak(phone: Phone) -> bool:
    """Whether nothing but User-Agent and Contact tells this phone from another."""
    return phone.instance is None and phone.agent_mac is None


def in_turns(line: Line) -> bool:
    """Whether this line and another of its phone have asked one server in turns from two ports, or by two links. A NAT
    that maps a phone's port anew does so for all its lines, and behind it they share a connection; of two phones that
    look the same there, or that have one address in two networks of which the capture shows both, each has its own.
    """
    if not weak(line.owner):
        return False
    flow = line.flow
    natted = line.contact_host != line.owner.host
    return flow is not None and (natted or flow.transport == "udp") and any(
        other.flow is not None and other.flow.destination == flow.destination and _came_otherwise(other.flow, flow)
        and other.spoke > line.taken and line.spoke > other.taken for other in line.owner.lines[:SOURCE_LINES])


def _came_otherwise(one: Flow, other: Flow) -> bool:
    """Whether two flows to one server begin at different ports, or came by different hosts of the segment, or in
    different VLANs."""
    return (one.source != other.source
            or (one.source_mac != other.source_mac and None not in (one.source_mac, other.source_mac))
            or _are_apart(one.vlan, other.vlan))


def _are_apart(one: str | None, other: str | None) -> bool:
    """Whether VLANs are two networks. What a tap shows on either side of a switch may have lost its outer tags there,
    or all."""
    return one != other and None not in (one, other) and not f".{one}".endswith(f".{other}") \
        and not f".{other}".endswith(f".{one}")


def note_apart(line: Line) -> None:
    """Note whether the line, which has turned to another server or port, shows that its phone may be two; or is one
    after all."""
    phone = line.owner
    if phone.unsure is None:
        if weak(phone) and _is_apart(line):
            phone.unsure = APART
    elif phone.unsure == APART and not any(map(_is_apart, phone.lines[:SOURCE_LINES])):
        phone.unsure = None


def _is_apart(line: Line) -> bool:
    """Whether this line and another have asked one server, but never from one port: they may be two phones with one
    private address behind a carrier's NAT, to which each has a port of its own. Or the NAT forgot the port of a phone
    between its lines; that shows when they ask again."""
    return line.flow is not None and any(
        other.flow is not None and other.flow.source != line.flow.source
        and line.spoke - other.spoke <= LINE_LASTS and _only_apart(line.ways, other.ways)
        for other in line.owner.lines[:SOURCE_LINES])


def _only_apart(ways: Sequence[Flow], others: Sequence[Flow]) -> bool:
    """Whether two lines have asked one server by UDP, and none from one port."""
    both = [(one.source, other.source) for one in ways for other in others
            if one.destination == other.destination and one.transport == other.transport == "udp"]
    return bool(both) and all(one != other for one, other in both)


def parted(source: Source, contact: Address, device: Device) -> Phone | None:
    """The phone with this instance, or MAC; else one that has shown neither so far and has this Contact."""
    instance, mac = contact.instance, device.mac
    if instance is None and mac is None:
        return None
    known = source.with_mac(mac) if instance is None else source.with_instance(instance)
    if known is not None:
        return known
    for phone in source.without_mac() if instance is None else source.without_instance():
        strange = mac and phone.agent_mac not in (None, mac)
        if not strange and phone.uses(contact.uri):
            return phone
    return None


def alike(source: Source, contact: Address, user_agent: str | None, uri: Uri) -> Phone | None:
    """Without instance and MAC: the phone with this Contact host and port, else with this User-Agent and Contact host
    (the one that has the AOR, where several do)."""
    if contact.instance is not None or read_user_agent(user_agent).mac is not None:
        return None
    port, near = port_of(contact.uri), source.with_contact_host(contact.uri.host)
    if len(source.phones) == 1:   # thousands of lines behind a border controller look like one phone's
        looks = any(line.contact_port == port or user_agent in (None, line.user_agent) for line in near)
        return source.phones[0] if looks else None
    found = {line.owner for line in near if line.contact_port == port} \
        or {line.owner for line in near if user_agent in (None, line.user_agent)}
    same = sorted(found, key=attrgetter("number"))
    if len(same) < 2:
        return same[0] if same else None
    aor = address_of_record(uri)
    named = [phone for phone in same if any(line.aor == aor for line in phone.lines)]
    return named[0] if named else next((phone for phone in same if weak(phone)), None)


def bare(lines: Sequence[Line], uri: Uri) -> Line | None:
    """Without a Contact: the line with this AOR, the last used of several."""
    aor = address_of_record(uri)
    named = [line for line in lines if line.aor == aor]
    if named:
        return max(named, key=lambda line: line.last)
    return lines[0] if len(lines) == 1 and not names_another(uri, lines[0]) else None


def names_another(uri: Uri, line: Line) -> bool:
    """Whether this may be the AOR of a line that is not known, with the number of this one on another domain: a phone
    that has both gives them the same Contact. The address of a server is no domain of its own."""
    return uri.user == line.user and uri.host not in (line.domain, ANONYMOUS) and is_name(uri.host)


def by_gruu(source: Source, contact: Address, uri: Uri) -> Line | None:
    """The line of a request whose Contact is a GRUU: that is where the registrar has the phone reached, and tells of
    its own address nothing (RFC 5627 4.4). By its AOR, a nameless caller's if there is but one; None if it tells
    none."""
    gruu = gruu_of(contact.uri)
    if gruu is None:
        return None
    phone = source.with_instance(gruu)   # a temporary one names none
    lines = phone.lines if phone is not None else () if gruu else source.lines
    aor = address_of_record(uri)
    named = [line for line in lines if line.aor == aor] or (lines if uri.host == ANONYMOUS else ())
    return bare(named, uri) if len({line.owner for line in named}) == 1 else None


def narrowed(found: Sequence[Line], request: Request, flow: Flow) -> Line | None:
    """Of lines with the right Contact user, the one with its host and port, or its mapped address behind a NAT."""
    if len(found) < 2:
        return found[0] if found else None
    host, port = request.uri.host, port_of(request.uri)
    same = [line for line in found if line.contact_host == host and line.contact_port == port] or list(found)
    if len(same) > 1:
        same = [line for line in same if line.flow is not None and line.flow.source == flow.destination]
    return same[0] if len(same) == 1 else None
