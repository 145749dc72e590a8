"""SIP messages and their headers as values.  Fields are named after their headers (RFC 3261 20).

The parser (`sip.parse`) never raises: problems of a message are listed in its
`defects`; bytes that cannot be read as a message at all become a `Malformed`.
"""

from __future__ import annotations

from msgspec import Struct


class Uri(Struct, frozen=True, gc=False, array_like=True):
    """A parsed SIP, SIPS or tel URI (RFC 3261 19.1); with other schemes `user` is None and `host` holds the rest.

    `host` is in lower case, IPv6 in its shortest form without brackets; `port` is 0 when not given;
    `parameters` is the raw text after the first `;`, without headers.
    """

    scheme: str
    user: str | None
    host: str
    port: int = 0
    parameters: str = ""


class Address(Struct, frozen=True, gc=False, array_like=True):
    """A name-addr or addr-spec with its header parameters (From, To, Contact, Route ...).

    `tag` is From/To's, `expires` and `instance` Contact's; None when absent.
    A Contact of `*` has the scheme `*`.
    """

    uri: Uri
    tag: str | None = None
    expires: int | None = None
    instance: str | None = None
    display: str | None = None


class Via(Struct, frozen=True, gc=False, array_like=True):
    """The topmost Via (RFC 3261 20.42). `port` 0 when not given; `branch` empty when absent."""

    transport: str
    host: str
    port: int
    branch: str
    received: str | None = None
    rport: int | None = None


class CSeq(Struct, frozen=True, gc=False, array_like=True):
    """Sequence number and method; number -1 when unreadable."""

    number: int
    method: str


class Challenge(Struct, frozen=True, gc=False, array_like=True):
    """A digest challenge, or the credentials that answer one; nonce "" when absent."""

    realm: str
    nonce: str
    username: str = ""


class Request(Struct, frozen=True, gc=False, array_like=True, tag=1):
    """A request as read. Optional headers that are absent are None or empty."""

    method: str
    uri: Uri
    via: Via
    from_: Address
    to: Address
    call_id: str
    cseq: CSeq
    contacts: tuple[Address, ...] = ()
    expires: int | None = None
    user_agent: str | None = None
    routes: tuple[Uri, ...] = ()
    credentials: tuple[Challenge, ...] = ()
    event: str | None = None
    ends: bool = False   # the subscription: a NOTIFY whose Subscription-State is `terminated` (RFC 6665 4.1.3)
    replaces: str | None = None
    rack: str | None = None
    defects: tuple[str, ...] = ()


class Response(Struct, frozen=True, gc=False, array_like=True, tag=2):
    """A response as read."""

    status: int
    reason: str
    via: Via
    from_: Address
    to: Address
    call_id: str
    cseq: CSeq
    contacts: tuple[Address, ...] = ()
    expires: int | None = None
    min_expires: int | None = None
    retry_after: int | None = None
    user_agent: str | None = None
    challenges: tuple[Challenge, ...] = ()
    defects: tuple[str, ...] = ()


class Malformed(Struct, frozen=True, gc=False, array_like=True, tag=3):
    """Bytes that look like SIP but cannot be attributed: no readable start line, or a mandatory header (Via, From, To,
    Call-ID, CSeq) is missing.  `start` is the first line, at most 200 characters."""

    start: str
    defects: tuple[str, ...]


Message = Request | Response | Malformed
