"""Header lines that change with every transaction, read by their constant part: the front.

From message to message a phone's Via differs only in its branch, its From and To
in the tag, its credentials from the nonce on.  The constant part, the front, is
parsed once by `line.read_line` and cached; the new part then takes few steps.
Where these steps might give another result than `read_line` of the whole line,
they give None.
"""

from __future__ import annotations

import re
from typing import ClassVar

from msgspec import Struct

from sipaudit.one import one_text
from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.headers import (
    CALL_ID,
    CHALLENGE,
    CREDENTIALS,
    CSEQ,
    FLAW,
    FROM,
    MAGIC_COOKIE,
    TO,
    UNREAD,
    USUAL_VIA,
    VIA,
)
from sipaudit.sip.line import Field, Flaw, read_line
from sipaudit.sip.message import Address, Challenge, CSeq, Uri, Via
from sipaudit.sip.text import TOKENS_AS_LETTERS
from sipaudit.sip.uri import USUAL_PLACE, USUAL_USER, read_host_port

BRANCH = b";branch="
TAG = b";tag="
NONCE = b'nonce="'
COLON = b": "
CRLF = b"\r\n"
CSEQ_NAME = b"CSeq: "
LEADING = 6   # lines of a usual message from the start line to Call-ID and CSeq
PARAMETERS = (BRANCH, TAG)  # marks after which further parameters may follow
MARKS = {
    ord("V"): BRANCH, ord("F"): TAG, ord("T"): TAG, ord("A"): NONCE, ord("P"): NONCE, ord("W"): NONCE,
}
"""The mark before the new part of a line, by the line's first byte in the usual spelling (Via, From, To, Authorization,
Proxy-Authorization, WWW-Authenticate); `COLON` for all others, which suits Call-ID and CSeq. Another header with the
same first letter only costs a little time."""

MAX_DIGITS = 9  # any number of so many digits is below 2**32 (RFC 3261 8.1.1.5)

_COOKIE = MAGIC_COOKIE.encode()
_NO_NONCE = (Defect.BAD_CREDENTIALS,)
# What most phones write, matched in one step instead of pair by pair.
_DIGEST = re.compile(rb'(?:Proxy-)?Authorization: Digest username="([ !#-[\]-~]+)", ?realm="([ !#-[\]-~]+)", ?\Z')
_VIA = re.compile(b"Via: " + USUAL_VIA.encode())
_PARTY = re.compile(
    rf"""(From|To): (?:"([ !#-[\]-~]*+)" ?)?<(sips?):({USUAL_USER})@({USUAL_PLACE})>\Z""".encode()
)
_VISIBLE_AS_LETTERS = bytes(ord("a") if 33 <= byte <= 126 else ord(" ") for byte in range(256))
# Integers, because `in` finds a byte much faster by its number.
_LF, _CR, _QUOTE, _COMMA, _LESS, _GREATER, _BACKSLASH = b'\n\r",<>\\'


class ViaFront(Struct, frozen=True, gc=False):
    """A Via without its branch. As with every front, `read` takes the new part of a line and returns the value of the
    whole line, or None when only the general parser can tell."""

    transport: str
    host: str
    port: int
    received: str | None
    rport: int | None

    slot: ClassVar[int] = VIA

    def read(self, branch: bytes) -> Via | None:
        if not (branch.isalnum() or branch.translate(TOKENS_AS_LETTERS).isalnum()) or branch == _COOKIE:
            return None
        return Via(self.transport, self.host, self.port, branch.decode(), self.received, self.rport)


class PartyFront(Struct, frozen=True, gc=False):
    """A From or To without its tag."""

    uri: Uri
    display: str | None

    def read(self, tag: bytes) -> Address | None:
        if not (tag.isalnum() or tag.translate(TOKENS_AS_LETTERS).isalnum()):
            return None
        return Address(self.uri, tag.decode(), None, None, self.display)


class FromFront(PartyFront, frozen=True, gc=False):
    """A From without its tag."""

    slot: ClassVar[int] = FROM


class ToFront(PartyFront, frozen=True, gc=False):
    """A To without its tag."""

    slot: ClassVar[int] = TO


class DigestFront(Struct, frozen=True, gc=False):
    """Credentials or a challenge up to the quote that opens the nonce: realm and user name."""

    realm: str
    username: str

    def read(self, last: bytes) -> tuple[Challenge, ...] | None:
        nonce, quote, behind = last.partition(b'"')
        if (
            not quote or behind.count(quote) % 2 or (behind and behind[0] != _COMMA)
            or not last.isascii() or _BACKSLASH in last or _LF in last or _CR in last
        ):
            return None
        return (Challenge(self.realm, nonce.decode(), self.username),)


class CredentialsFront(DigestFront, frozen=True, gc=False):
    """Credentials up to the nonce."""

    slot: ClassVar[int] = CREDENTIALS


class ChallengeFront(DigestFront, frozen=True, gc=False):
    """A challenge up to the nonce."""

    slot: ClassVar[int] = CHALLENGE


class CallIdFront(Struct, frozen=True, gc=False):
    """The front of a Call-ID line: its name alone."""

    slot: ClassVar[int] = CALL_ID

    def read(self, call_id: bytes) -> str | None:
        if not call_id.translate(_VISIBLE_AS_LETTERS).isalnum():
            return None
        return call_id.decode()


class CSeqFront(Struct, frozen=True, gc=False):
    """The front of a CSeq line: its name alone."""

    slot: ClassVar[int] = CSEQ

    def read(self, last: bytes) -> CSeq | None:
        number, _, method = last.partition(b" ")
        if not (number.isdigit() and len(number) <= MAX_DIGITS and method.isalpha()):
            return None
        return CSeq(int(number), one_text(method.decode()))


class NoFront(Struct, frozen=True, gc=False):
    """Stands for bytes that are not the front of a line readable this way."""

    slot: ClassVar[int] = UNREAD

    def read(self, _last: bytes) -> None:
        return None


Front = ViaFront | FromFront | ToFront | CredentialsFront | ChallengeFront | CallIdFront | CSeqFront | NoFront
"""`read` takes the rest of a line and returns the value of the whole line, or None when only the general parser can
tell."""

CALL_ID_FRONT, CSEQ_FRONT, NOT_A_FRONT = CallIdFront(), CSeqFront(), NoFront()
_NAMES: dict[bytes, Front] = {b"Call-ID": CALL_ID_FRONT, b"CSeq": CSEQ_FRONT}


def divide(front: bytes, last: bytes) -> tuple[bytes, bytes]:
    """Move the parameters after a branch or tag into the front.  The remaining part is empty when it may be inside
    quotes or brackets."""
    last, semicolon, behind = last.partition(b";")
    if _QUOTE in behind or _LESS in behind or _GREATER in behind:
        return front, b""
    return front + semicolon + behind, last


def read_front(front: bytes, known: Field | None = None) -> Front:
    """Parse a front; `known` is the cached field of the front taken as a whole line, if there is one."""
    if front in _NAMES:
        return _NAMES[front]
    usual = _usual_front(front)
    if usual is not None:
        return usual
    read = (known, True) if known else read_line(front)
    if read is None:
        return NOT_A_FRONT
    slot, value = read[0]
    if slot == VIA and not value.branch and _COMMA not in front:
        return ViaFront(value.transport, value.host, value.port, value.received, value.rport)
    if slot in (FROM, TO) and value.tag is None:
        return (FromFront if slot == FROM else ToFront)(value.uri, value.display)
    if slot == FLAW and value.defects == _NO_NONCE and front.rstrip()[-1] == _COMMA:
        return _digest_front(value)
    return NOT_A_FRONT


def _usual_front(front: bytes) -> Front | None:
    """Parse a front as most phones write it, in one step; None for anything else, and when it has a defect."""
    found: Found = []
    if party := _PARTY.match(front):
        name, display, scheme, user, place = party.groups()
        uri = Uri(one_text(scheme.decode()), user.decode(), *read_host_port(place.decode(), found))
        made: Front = (FromFront if name == b"From" else ToFront)(uri, None if display is None else display.decode())
    elif via := _VIA.match(front):
        made = ViaFront(one_text(via[1].decode()), *read_host_port(via[2].decode(), found), None, None)
    elif digest := _DIGEST.match(front):
        made = CredentialsFront(one_text(digest[2].decode()), digest[1].decode())
    else:
        return None
    return None if found else made


def _digest_front(flaw: Flaw) -> Front:
    known: Challenge = flaw.value[0]
    if not known.realm or known.nonce or (flaw.slot == CREDENTIALS and not known.username):
        return NOT_A_FRONT
    return (CredentialsFront if flaw.slot == CREDENTIALS else ChallengeFront)(known.realm, known.username)
