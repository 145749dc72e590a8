"""The header fields that the parser reads: their names, their slots in a message, and a reader for each.

A reader takes the text of one header field (unfolded, stripped) and returns its
value, or None when it has no usable value; defects are appended to `found`.
Fields that are not in `HEADERS` are skipped (RFC 3261 lets anybody add some).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from sipaudit.one import one_text
from sipaudit.sip.address import read_contacts, read_party, read_routes
from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.digest import read_challenge, read_credentials
from sipaudit.sip.message import CSeq, Via
from sipaudit.sip.text import is_token, mask, number, parameters, values
from sipaudit.sip.uri import read_host_port

MAGIC_COOKIE = "z9hG4bK"

# What most Vias look like without their branch (`front`).
USUAL_VIA = r"SIP/2\.0/([A-Z]+) ([A-Za-z0-9.:\-]++)(?:;rport)?\Z"

_usual_via = re.compile(USUAL_VIA).match

UNREADABLE_VIA = Via("", "", 0, "")

# Slots: the index of a header's value in the row that the parser fills. Plain integers, because they index a list ten
# times per message.  The five mandatory fields come first, fields with several values last.
UNREAD, VIA, FROM, TO, CALL_ID, CSEQ = range(6)
CONTENT_LENGTH, EXPIRES, USER_AGENT, EVENT, ENDS, REPLACES, RACK, MIN_EXPIRES, RETRY_AFTER = range(6, 15)
CONTACT, ROUTE, CREDENTIALS, CHALLENGE = range(15, 19)
FLAW = 19


class Header(Struct, frozen=True):
    """How a header field is read. `lasting`: the same line occurs in many messages, not only in one transaction."""

    slot: int
    read: Callable[[str, Found], object]
    lasting: bool = True


def read_via(text: str, found: Found) -> Via:
    """Read the first value of a Via header. White space around "/" and ":" is legal (RFC 3261 25.1, RFC 4475 3.1.1.1).
    """
    usual = _usual_via(text)
    if usual is not None:
        return Via(one_text(usual[1]), *read_host_port(usual[2], found), "")
    text, masked = values(text, mask(text, found))[0]
    head = masked.partition(";")[0]
    protocol, _, version_transport = head.partition("/")
    version, _, transport_host = version_transport.partition("/")
    transport, *sent_by = transport_host.split(None, 1) or [""]
    if not sent_by or not is_token(transport):
        found.append(Defect.BAD_VIA)
        return UNREADABLE_VIA
    if protocol.strip().upper() != "SIP" or version.strip() != "2.0":
        found.append(Defect.BAD_VERSION)
    host, port = read_host_port(sent_by[0].strip(), found)
    given = parameters(text, masked, len(head), found)
    received = given.get("received")
    return Via(
        one_text(transport.upper()), host, port, _branch(given, found),
        received.strip("[]").lower() if received else None,  # brackets: RFC 5118 4.5
        _rport(given, found),
    )


def _branch(given: dict[str, str], found: Found) -> str:
    """An absent branch is legal in RFC 2543 and no defect; an empty one, or the magic cookie alone, is a defect."""
    branch = given.get("branch")
    if branch == "" or branch == MAGIC_COOKIE:
        found.append(Defect.EMPTY_BRANCH)
    return branch or ""


def _rport(given: dict[str, str], found: Found) -> int | None:
    text = given.get("rport")
    if not text:
        return None
    port = number(text, 65535)
    if port is None:
        found.append(Defect.BAD_PARAMETER)
    return port


def read_call_id(text: str, found: Found) -> str:
    """The Call-ID unchanged, since Call-IDs are compared byte by byte (RFC 3261 20.8)."""
    if " " in text or "\t" in text:
        found.append(Defect.BAD_CALL_ID)
    return text


def read_cseq(text: str, found: Found) -> CSeq:
    """Read a CSeq; number -1 or method "" when that part cannot be read."""
    words = text.split(None, 2)
    value = number(words[0])
    if value is None or len(words) != 2:
        found.append(Defect.BAD_CSEQ)
    return CSeq(-1 if value is None else value, one_text(words[1]) if len(words) > 1 else "")


def read_text(text: str, _found: Found) -> str | None:
    """The text as it stands."""
    return text or None


def _whole_number(flaw: Defect) -> Callable[[str, Found], int | None]:
    def read(text: str, found: Found) -> int | None:
        value = number(text)
        if value is None:
            found.append(flaw)
        return value

    return read


def read_retry_after(text: str, found: Found) -> int | None:
    """Seconds; a comment and parameters may follow (RFC 3261 20.33)."""
    value = number(text.partition(";")[0].partition("(")[0].strip())
    if value is None:
        found.append(Defect.BAD_RETRY_AFTER)
    return value


def read_rack(text: str, found: Found) -> str:
    """`response-number CSeq-number method` (RFC 3262 7.2), kept as text."""
    words = text.split()
    if len(words) != 3 or number(words[0]) is None or number(words[1]) is None:
        found.append(Defect.BAD_RACK)
    return " ".join(words)


def read_ends(text: str, _found: Found) -> bool | None:
    """True when a Subscription-State is `terminated`, None for any other state (RFC 6665 4.1.3)."""
    return text.partition(";")[0].strip().lower() == "terminated" or None


def read_date(text: str, found: Found) -> None:
    """The value of Date is not used, but a zone other than GMT is a defect (RFC 4475 3.1.2.12)."""
    if not text.endswith("GMT"):
        found.append(Defect.BAD_DATE)


_CREDENTIALS = Header(CREDENTIALS, read_credentials)
_CHALLENGE = Header(CHALLENGE, read_challenge)
_FIELDS = {
    "Via": Header(VIA, read_via),
    "From": Header(FROM, read_party),
    "To": Header(TO, read_party),
    "Call-ID": Header(CALL_ID, read_call_id, lasting=False),
    "CSeq": Header(CSEQ, read_cseq, lasting=False),
    "Content-Length": Header(CONTENT_LENGTH, _whole_number(Defect.BAD_CONTENT_LENGTH)),
    "Contact": Header(CONTACT, read_contacts),
    "Expires": Header(EXPIRES, _whole_number(Defect.BAD_EXPIRES)),
    "User-Agent": Header(USER_AGENT, read_text),
    "Route": Header(ROUTE, read_routes),
    "Authorization": _CREDENTIALS,
    "Proxy-Authorization": _CREDENTIALS,
    "WWW-Authenticate": _CHALLENGE,
    "Proxy-Authenticate": _CHALLENGE,
    "Min-Expires": Header(MIN_EXPIRES, _whole_number(Defect.BAD_MIN_EXPIRES)),
    "Retry-After": Header(RETRY_AFTER, read_retry_after),
    "Event": Header(EVENT, read_text),
    "Subscription-State": Header(ENDS, read_ends),
    "Replaces": Header(REPLACES, read_text, lasting=False),
    "RAck": Header(RACK, read_rack, lasting=False),
    "Date": Header(UNREAD, read_date, lasting=False),
}
_COMPACT = {  # RFC 3261 7.3.3, RFC 6665 8.4
    "v": "Via", "f": "From", "t": "To", "i": "Call-ID", "m": "Contact", "l": "Content-Length", "o": "Event",
}
HEADERS: dict[str, Header] = _FIELDS | {name.lower(): header for name, header in _FIELDS.items()} | {
    short: _FIELDS[name] for short, name in _COMPACT.items()
}
"""Headers by name, in the usual spelling and in lower case, compact forms included."""
