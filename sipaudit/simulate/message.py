"""SIP messages as the simulator's objects exchange them; they are rendered to bytes when sent."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from sipaudit.reasons import REASONS

Endpoint = tuple[str, int]


class Message(Struct, gc=False):
    """A request (`status` 0) or a response; `sender` and `callee` are the URIs of From and To, without tag.

    `via` is the sent-by of the Via, `headers` holds whole further header lines with their line ends.
    """

    method: str
    call_id: str
    cseq: int
    branch: str
    via: str
    sender: str
    callee: str
    from_tag: str = ""
    to_tag: str = ""
    status: int = 0
    uri: str = ""
    contact: str = ""
    expires: int | None = None
    headers: str = ""
    body: str = ""
    transport: str = "UDP"

    @property
    def user(self) -> str:
        """The user part of the Request-URI."""
        return self.uri.partition(":")[2].partition("@")[0]

    @property
    def target(self) -> str:
        """The URI of the Contact, to which requests in the dialog go."""
        return self.contact.strip("<>")


def reply(request: Message, status: int, *, tag: str = "", contact: str = "", headers: str = "", body: str = "",
          expires: int | None = None) -> Message:
    """The response to a request; `tag` becomes the To tag if the request has none, except in a 100 (RFC 3261 8.2.6.2).
    """
    to_tag = request.to_tag or ("" if status == 100 else tag)
    return Message(
        request.method, request.call_id, request.cseq, request.branch, request.via, request.sender, request.callee,
        request.from_tag, to_tag, status, "", contact, expires, headers, body, request.transport,
    )


def acknowledgement(request: Message, response: Message, new_branch: Callable[[], str]) -> Message:
    """The ACK of a final response to an INVITE: in the INVITE's transaction unless it is a 2xx (RFC 3261 13.2.2.4)."""
    taken = response.status < 300
    return Message(
        "ACK", request.call_id, request.cseq, new_branch() if taken else request.branch, request.via, request.sender,
        request.callee, request.from_tag, response.to_tag,
        uri=response.target if taken and response.contact else request.uri, transport=request.transport,
    )


def render(message: Message) -> bytes:
    """The message as it goes on the wire."""
    status = message.status
    first = f"SIP/2.0 {status} {REASONS[status]}" if status else f"{message.method} {message.uri} SIP/2.0"
    to_tag = f";tag={message.to_tag}" if message.to_tag else ""
    contact = f"Contact: {message.contact}\r\n" if message.contact else ""
    expires = "" if message.expires is None else f"Expires: {message.expires}\r\n"
    hops = "" if status else "Max-Forwards: 70\r\n"
    kind = "Content-Type: application/sdp\r\n" if message.body.startswith("v=0") else ""
    cseq = f"{message.cseq} {message.method}"
    return (
        f"{first}\r\nVia: SIP/2.0/{message.transport} {message.via};branch={message.branch}\r\n"
        f"From: <{message.sender}>;tag={message.from_tag}\r\nTo: <{message.callee}>{to_tag}\r\n"
        f"Call-ID: {message.call_id}\r\nCSeq: {cseq}\r\n{hops}{contact}{expires}{message.headers}{kind}"
        f"Content-Length: {len(message.body)}\r\n\r\n{message.body}"
    ).encode()


def host_port(place: Endpoint) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{place[0]}]:{place[1]}" if ":" in place[0] else f"{place[0]}:{place[1]}"


def host(place: Endpoint) -> str:
    """`host:port` as in a URI; port 5060 is omitted."""
    return host_port(place).removesuffix(":5060")
