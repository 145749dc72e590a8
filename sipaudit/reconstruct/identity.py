"""Which of the phones behind an address sent a message, and which of their lines it is about."""

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

ANONYMOUS = "anonymous.invalid"   # host in the From of an anonymous caller (RFC 3261 8.1.1.3)
SEVERAL = "several Contacts or User-Agents behind one address, and neither instance nor MAC to part them"
APART = "several lines with one private address, never seen from one port, and neither instance nor MAC to part them"
SHARED = "one AOR and Contact registered under two Call-IDs at a time, and neither instance nor MAC to part the two"
LINE_LASTS = 3600.0   # seconds since its last request for which a line is in use: the expiry that Polycoms request


def note_guise(line: Line, guise: Guise) -> None:
    """Note the phone's guise. Without instance and MAC, two phones behind one address show when an earlier guise comes
    back, or when a line changes its guise without having had the phone's last one; a guise that merely changes (new
    firmware, new port) shows nothing."""
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
    """One shared tuple for all phones with the same guise, as those of one model have."""
    return (guise,)


def weak(phone: Phone) -> bool:
    """Whether only User-Agent and Contact distinguish this phone from another."""
    return phone.instance is None and phone.agent_mac is None


def in_turns(line: Line) -> bool:
    """Whether this line and another of its phone have sent to one server alternately from two ports, or over two links.
    A NAT that remaps a phone's port does so for all its lines, and behind it they share a connection; but two phones of
    the same guise behind the NAT, or two phones with one address in two captured networks, each have a port or link of
    their own."""
    if not weak(line.owner):
        return False
    flow = line.flow
    natted = line.contact_host != line.owner.host
    return flow is not None and (natted or flow.transport == "udp") and any(
        other.flow is not None and other.flow.destination == flow.destination and _came_otherwise(other.flow, flow)
        and other.spoke > line.taken and line.spoke > other.taken for other in line.owner.lines[:SOURCE_LINES])


def _came_otherwise(one: Flow, other: Flow) -> bool:
    """Whether two flows to one server have different source ports, different MACs on the segment, or different VLANs.
    """
    return (one.source != other.source
            or (one.source_mac != other.source_mac and None not in (one.source_mac, other.source_mac))
            or _are_apart(one.vlan, other.vlan))


def _are_apart(one: str | None, other: str | None) -> bool:
    """Whether two VLAN tags mean two networks. Behind a switch, a tap may see a packet without its outer tags, or
    without any."""
    return one != other and None not in (one, other) and not f".{one}".endswith(f".{other}") \
        and not f".{other}".endswith(f".{one}")


def note_apart(line: Line) -> None:
    """Note whether the line, which now uses another server or port, shows that its phone may be two; or that it is one
    after all."""
    phone = line.owner
    if phone.unsure is None:
        if weak(phone) and _is_apart(line):
            phone.unsure = APART
    elif phone.unsure == APART and not any(map(_is_apart, phone.lines[:SOURCE_LINES])):
        phone.unsure = None


def _is_apart(line: Line) -> bool:
    """Whether this line and another have sent to one server, but never from one port: they may be two phones with the
    same private address behind a carrier's NAT, which gives each its own port. Or the NAT dropped a phone's port
    mapping between its lines' requests; that shows at their next requests."""
    return line.flow is not None and any(
        other.flow is not None and other.flow.source != line.flow.source
        and line.spoke - other.spoke <= LINE_LASTS and _only_apart(line.ways, other.ways)
        for other in line.owner.lines[:SOURCE_LINES])


def _only_apart(ways: Sequence[Flow], others: Sequence[Flow]) -> bool:
    """Whether two lines have sent to one server by UDP, and never from the same port."""
    both = [(one.source, other.source) for one in ways for other in others
            if one.destination == other.destination and one.transport == other.transport == "udp"]
    return bool(both) and all(one != other for one, other in both)


def parted(source: Source, contact: Address, device: Device) -> Phone | None:
    """The phone with this instance (or, without one, this MAC); otherwise a phone with this Contact that has shown none
    yet, nor another MAC."""
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
    """Without instance and MAC: the phone with this Contact host and port, otherwise the one with this User-Agent and
    Contact host (among several, the one that has the AOR)."""
    if contact.instance is not None or read_user_agent(user_agent).mac is not None:
        return None
    port, near = port_of(contact.uri), source.with_contact_host(contact.uri.host)
    if len(source.phones) == 1:   # the thousands of lines behind a border controller look like one phone
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
    """Without a Contact: the line with this AOR, the most recently used of several."""
    aor = address_of_record(uri)
    named = [line for line in lines if line.aor == aor]
    if named:
        return max(named, key=lambda line: line.last)
    return lines[0] if len(lines) == 1 and not names_another(uri, lines[0]) else None


def names_another(uri: Uri, line: Line) -> bool:
    """Whether this may be the AOR of an unknown line with the same number as this line but on another domain: a phone
    that has both gives them the same Contact. A server's address does not count as another domain."""
    return uri.user == line.user and uri.host not in (line.domain, ANONYMOUS) and is_name(uri.host)


def by_gruu(source: Source, contact: Address, uri: Uri) -> Line | None:
    """The line of a request whose Contact is a GRUU: a GRUU leads to the registrar, which forwards to the phone, and
    says nothing of the phone's own address (RFC 5627 4.4). Found by the AOR, or for an anonymous caller by being the
    only line; None if that does not settle it."""
    gruu = gruu_of(contact.uri)
    if gruu is None:
        return None
    phone = source.with_instance(gruu)   # "" (a temporary GRUU) is nobody's instance
    lines = phone.lines if phone is not None else () if gruu else source.lines
    aor = address_of_record(uri)
    named = [line for line in lines if line.aor == aor] or (lines if uri.host == ANONYMOUS else ())
    return bare(named, uri) if len({line.owner for line in named}) == 1 else None


def narrowed(found: Sequence[Line], request: Request, flow: Flow) -> Line | None:
    """Of lines with the right Contact user, the one with the Request-URI's host and port, or the one behind a NAT whose
    mapped address the request goes to."""
    if len(found) < 2:
        return found[0] if found else None
    host, port = request.uri.host, port_of(request.uri)
    same = [line for line in found if line.contact_host == host and line.contact_port == port] or list(found)
    if len(same) > 1:
        same = [line for line in same if line.flow is not None and line.flow.source == flow.destination]
    return same[0] if len(same) == 1 else None
