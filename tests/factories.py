"""SIP messages as text, and the items that carry them: the input with which tests feed the route."""

from __future__ import annotations

from sipaudit.sip.datagram import Datagram, DnsMessage, DnsRecord, Flow, flow

CRLF = "\r\n"
START = 1_700_000_000.0  # an arbitrary moment; tests count from it


def address(text: str, default_port: int = 5060) -> tuple[str, int]:
    """`10.0.0.1:5060` or `10.0.0.1`, IPv6 in brackets."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, int(port[1:] or default_port)
    host, _, port = text.partition(":")
    return host, int(port or default_port)


def path(source: str, destination: str, transport: str = "udp") -> Flow:
    """The flow from one `host[:port]` to another."""
    return flow(transport, *address(source), *address(destination))


def request(
    method: str,
    uri: str,
    *,
    source: str,
    branch: str,
    call_id: str,
    cseq: int,
    from_: str,
    to: str,
    from_tag: str | None = "f",
    to_tag: str | None = None,
    contact: str | None = None,
    expires: int | None = None,
    user_agent: str | None = None,
    transport: str = "UDP",
    headers: tuple[str, ...] = (),
) -> bytes:
    """A request as on the wire; `contact` is the whole value of the header."""
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/{transport} {source}" + (f";branch={branch}" if branch else ""),
        *_parties(from_, from_tag, to, to_tag, call_id, cseq, method),
    ]
    if contact is not None:
        lines.append(f"Contact: {contact}")
    if expires is not None:
        lines.append(f"Expires: {expires}")
    if user_agent is not None:
        lines.append(f"User-Agent: {user_agent}")
    return _wire([*lines, *headers])


def response(
    status: int,
    asked: bytes,
    *,
    to_tag: str | None = "t",
    contact: str | None = None,
    expires: int | None = None,
    headers: tuple[str, ...] = (),
) -> bytes:
    """A response to the request `asked`: its Via, From, To (with a tag, unless it has one), Call-ID and CSeq."""
    echoed = []
    for line in asked.decode().split(CRLF):
        name = line.partition(":")[0]
        if name == "To" and to_tag is not None and status > 100 and ";tag=" not in line:
            line += f";tag={to_tag}"
        if name in ("Via", "From", "To", "Call-ID", "CSeq"):
            echoed.append(line)
    lines = [f"SIP/2.0 {status} Any", *echoed]
    if contact is not None:
        lines.append(f"Contact: {contact}")
    if expires is not None:
        lines.append(f"Expires: {expires}")
    return _wire([*lines, *headers])


def _parties(from_: str, from_tag: str | None, to: str, to_tag: str | None, call_id: str, cseq: int,
             method: str) -> list[str]:
    return [
        f"From: <{from_}>" + (f";tag={from_tag}" if from_tag else ""),
        f"To: <{to}>" + (f";tag={to_tag}" if to_tag else ""),
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
    ]


def _wire(lines: list[str]) -> bytes:
    return (CRLF.join([*lines, "Content-Length: 0"]) + CRLF + CRLF).encode()


def datagram(
    time: float, flow: Flow, payload: bytes, *, frame: int = 0, capture: int = 0, cut: bool = False,
) -> Datagram:
    """A payload at `time` seconds after START."""
    return Datagram(START + time, capture, frame, flow, payload, cut=cut)


def dns_query(time: float, client: str, name: str, type_: str = "A") -> DnsMessage:
    return DnsMessage(START + time, 0, 0, client, "10.0.0.53", False, 0, name, type_)


def dns_answer(
    time: float, client: str, name: str, type_: str, *records: tuple[str, str, int, object], rcode: int = 0,
) -> DnsMessage:
    """An answer; records are `(name, type, ttl, data)`."""
    made = tuple(DnsRecord(owner, kind, ttl, data) for owner, kind, ttl, data in records)  # type: ignore[arg-type]
    return DnsMessage(START + time, 0, 0, client, "10.0.0.53", True, rcode, name, type_, made)
