"""Our parse of a message under the field names that Wireshark users know, for comparison with Wireshark's own."""

from __future__ import annotations

from sipaudit.sip.message import Address, Malformed, Message, Request, Response, Via
from sipaudit.sip.uri import uri_text


def describe(message: Message) -> list[tuple[str, str]]:
    """Rows of field and value, as text: absent fields are left out, each Contact has its own row."""
    if isinstance(message, Malformed):
        return [("First line", message.start)]
    rows = _start(message)
    rows += [("Via branch", message.via.branch), ("Via sent-by", _sent_by(message.via))]
    rows += [*_party("From", message.from_), *_party("To", message.to)]
    rows += [
        ("Call-ID", message.call_id),
        ("CSeq number", str(message.cseq.number) if message.cseq.number >= 0 else ""),
        ("CSeq method", message.cseq.method),
    ]
    rows += [("Contact", uri_text(contact.uri)) for contact in message.contacts]
    rows += [
        ("Expires", "" if message.expires is None else str(message.expires)),
        ("User-Agent", message.user_agent or ""),
    ]
    return [row for row in rows if row[1]]


def _start(message: Request | Response) -> list[tuple[str, str]]:
    if isinstance(message, Request):
        return [("Request-Line method", message.method), ("Request-URI", uri_text(message.uri))]
    return [("Status-Code", str(message.status))]


def _sent_by(via: Via) -> str:
    host = f"[{via.host}]" if ":" in via.host else via.host
    return f"{host}:{via.port}" if via.port else host


def _party(name: str, party: Address) -> list[tuple[str, str]]:
    return [(f"{name} URI", uri_text(party.uri)), (f"{name} tag", party.tag or "")]
