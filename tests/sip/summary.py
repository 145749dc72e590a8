"""A message as a few readable lines, for the table of expected readings in torture.txt."""

from __future__ import annotations

from sipaudit.sip.message import Address, Challenge, Malformed, Message, Request, Via
from sipaudit.sip.uri import uri_text


def summary(message: Message) -> str:
    """Every value that was read, one field a line; what is absent has no line."""
    if isinstance(message, Malformed):
        lines = [f"Malformed {message.start!r}"]
    else:
        lines = [
            f"{message.method} {uri_text(message.uri)}" if isinstance(message, Request)
            else f"{message.status} {message.reason}".rstrip(),
            _via(message.via), f"From {_address(message.from_)}", f"To {_address(message.to)}",
            f"Call-ID {message.call_id}", f"CSeq {message.cseq.number} {message.cseq.method}".rstrip(),
            *[f"Contact {_address(contact)}" for contact in message.contacts],
            *_optional(message),
        ]
    lines.append(f"Defects {' '.join(message.defects)}" if message.defects else "No defects")
    return "\n".join(_printable(line) for line in lines)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _optional(message: Message) -> list[str]:
    names = ("expires", "min_expires", "retry_after", "user_agent", "event", "replaces", "rack")
    found = [f"{name} {getattr(message, name)}" for name in names if getattr(message, name, None) is not None]
    found += [f"Route {uri_text(uri)}" for uri in getattr(message, "routes", ())]
    for name in ("credentials", "challenges"):
        found += [f"{name} {_challenge(value)}" for value in getattr(message, name, ())]
    return found


def _via(via: Via) -> str:
    host = f"[{via.host}]" if ":" in via.host else via.host
    port = f":{via.port}" if via.port else ""
    extra = "".join(f" {name} {value}" for name, value in (("received", via.received), ("rport", via.rport)) if value)
    return f"Via {via.transport} {host}{port} branch {via.branch or '-'}{extra}"


def _address(address: Address) -> str:
    values = (("tag", address.tag), ("expires", address.expires), ("instance", address.instance),
              ("name", address.display))
    return uri_text(address.uri) + "".join(f" {name} {value}" for name, value in values if value is not None)


def _challenge(value: Challenge) -> str:
    return f"realm {value.realm or '-'} nonce {value.nonce or '-'} username {value.username or '-'}"
