"""Contacts: the expiry a REGISTER requests for one, and the expiry the 200 grants to the phone's own (RFC 3261 10.2,
10.2.4; F6)."""

from __future__ import annotations

from urllib.parse import unquote

from sipaudit.sip.message import Address, Request, Response, Uri

ALL = "*"  # the scheme of `Contact: *` (RFC 3261 10.2.2)


def own_contact(contacts: tuple[Address, ...]) -> Address | None:
    """The phone's own Contact in a request: the first that is not being removed, otherwise the first."""
    if len(contacts) < 2:
        return contacts[0] if contacts else None
    return next((contact for contact in contacts if contact.expires != 0), contacts[0])


def asked_expiry(request: Request, contact: Address | None) -> int | None:
    """The seconds a REGISTER requests: the Contact's `expires`, else the Expires header, else None; `*` removes (0)."""
    if contact is None:
        return None
    if contact.expires is not None:
        return contact.expires
    return 0 if contact.uri.scheme == ALL else request.expires


def granted_expiry(contact: Address | None, response: Response) -> tuple[int | None, bool | None]:
    """The seconds that a 200 to REGISTER grants this Contact (None: not stated), and whether the 200 lists it (None: it
    lists no Contact)."""
    listed = response.contacts
    if not listed or contact is None:
        return response.expires, None
    own = listed[0]
    if len(listed) > 1 or not _same_address(contact.uri, own.uri):
        found = _find(contact, listed)
        if found is None:
            return response.expires, False
        own = found
    return (response.expires if own.expires is None else own.expires), True


def _find(contact: Address, listed: tuple[Address, ...]) -> Address | None:
    """The listed Contact with the same address (if several have it, the one most alike in instance and transport; None
    if those are granted different expiries). Otherwise the same user at a rewritten address (NAT, SBC): the one with
    the same instance, or the only one listed."""
    same = [other for other in listed if _same_address(contact.uri, other.uri)]
    if same:
        likest = max(_likeness(contact, other) for other in same)
        alike = [other for other in same if _likeness(contact, other) == likest]
        return alike[0] if len({other.expires for other in alike}) == 1 else None
    user = [other for other in listed if _same_user(contact.uri, other.uri)]
    if contact.instance is not None:
        instance = [other for other in user if other.instance == contact.instance]
        if instance:
            return instance[0]
    return user[0] if len(listed) == 1 and user and None in (user[0].instance, contact.instance) else None


def _same_address(one: Uri, other: Uri) -> bool:
    """Compare user, host and port (RFC 3261 19.1.4, but the default port equals no port: servers add and drop it)."""
    if one.host != other.host or (one.port != other.port and port_of(one) != port_of(other)):
        return False
    return one.user == other.user or _same_user(one, other)


def _same_user(one: Uri, other: Uri) -> bool:
    if one.user == other.user:
        return True
    if one.user is None or other.user is None:
        return False
    return unquote(one.user) == unquote(other.user)


def _likeness(contact: Address, other: Address) -> tuple[bool, bool]:
    return contact.instance == other.instance, _transport(contact.uri) == _transport(other.uri)


def _transport(uri: Uri) -> str:
    """The URI's transport parameter, UDP by default: a phone that changed from TCP to UDP may still be listed with
    both."""
    named = [parameter for parameter in uri.parameters.lower().split(";") if parameter.startswith("transport=")]
    return named[0] if named else "transport=udp"


def gruu_of(uri: Uri) -> str | None:
    """The instance that a public GRUU names, "" for a temporary GRUU, None if the URI is no GRUU (RFC 5627 3.1, 3.2).
    """
    for parameter in uri.parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "gr":
            return unquote(value)
    return None


def port_of(uri: Uri) -> int:
    """The port of a URI, the default one if it names none."""
    if uri.port:
        return uri.port
    return 5061 if uri.scheme == "sips" or "transport=tls" in uri.parameters.lower() else 5060
