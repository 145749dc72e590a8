"""Which of the phones behind an address a message is from, and which of their lines it is about."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sipaudit.reconstruct.bounds import GUISES
from sipaudit.reconstruct.phones import Guise, Line, Phone
from sipaudit.reconstruct.registrations import port_of
from sipaudit.reconstruct.useragent import Device, read_user_agent
from sipaudit.sip.datagram import Flow
from sipaudit.sip.message import Address, Request, Uri
from sipaudit.sip.uri import aor as address_of_record
from sipaudit.turned_away import turned_away

SEVERAL = "several Contacts or User-Agents behind one address, and neither instance nor MAC to part them"


def look(line: Line, guise: Guise) -> None:
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
    others = [known for known in seen if known != guise]
    if len(others) >= GUISES:
        turned_away("phone-state")
    phone.guises = (*others[-GUISES + 1:], guise)


@lru_cache(maxsize=256)
def _only(guise: Guise) -> tuple[Guise]:
    """One value for all phones that look the same, as those of a model do."""
    return (guise,)


def weak(phone: Phone) -> bool:
    """Whether nothing but User-Agent and Contact tells this phone from another."""
    return phone.instance is None and phone.agent_mac is None


def parted(phones: Sequence[Phone], contact: Address, device: Device) -> Phone | None:
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


def alike(phones: Sequence[Phone], contact: Address, user_agent: str | None, uri: Uri) -> Phone | None:
    """Without instance and MAC: the phone with this Contact host and port, else with this User-Agent and Contact host
    (the one that has the AOR, where several do)."""
    if contact.instance is not None or read_user_agent(user_agent).mac is not None:
        return None
    host, port = contact.uri.host, port_of(contact.uri)
    near = [line for phone in phones for line in phone.lines if line.contact_host == host]   # there may be thousands
    same = list(dict.fromkeys([line.owner for line in near if line.contact_port == port]))
    if not same:
        same = list(dict.fromkeys([line.owner for line in near if user_agent in (None, line.user_agent)]))
    if len(same) < 2:
        return same[0] if same else None
    aor = address_of_record(uri)
    named = [phone for phone in same if any(line.aor == aor for line in phone.lines)]
    return named[0] if named else next((phone for phone in same if weak(phone)), None)


def bare(lines: Sequence[Line], aor: str) -> Line | None:
    """Without a Contact: the line with this AOR, the last used of several."""
    named = [line for line in lines if line.aor == aor]
    if named:
        return max(named, key=lambda line: line.last)
    return lines[0] if len(lines) == 1 else None


def narrowed(found: list[Line], request: Request, flow: Flow) -> Line | None:
    """Of lines with the right Contact user, the one with its host and port, or its mapped address behind a NAT."""
    if len(found) < 2:
        return found[0] if found else None
    uri = request.uri
    same = [line for line in found if line.contact_host == uri.host and line.contact_port == port_of(uri)] or found
    if len(same) > 1:
        same = [line for line in same if line.flow is not None and line.flow.source == flow.destination]
    return same[0] if len(same) == 1 else None
