"""Messages read by their forms, each checked against the parser."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from sipaudit.sip.datagram import Datagram, Flow, flow
from sipaudit.sip.forms import Forms, Repeat
from sipaudit.sip.message import Challenge, Malformed, Message, Request, Response
from sipaudit.sip.parse import Parser

PHONE = flow("udp", "10.1.0.5", 5060, "10.0.0.1", 5060)
VARIABLES = {b"2b4fae2e": b"99ac5", b"A1B2-C3": b"7.7", b"f00": b"b+/=", b"beef": b"dead", b"CSeq: 7": b"CSeq: 8"}


class Reading:
    """`Forms` with a parser that counts its calls; each form stores the message from which it was learnt."""

    def __init__(self, limit: int = 1000) -> None:
        self.parsed = 0
        self.repeats = 0
        self._forms = Forms(self._parse, limit)

    def _parse(self, payload: bytes) -> Message:
        self.parsed += 1
        return Parser(0).parse(payload)

    def read(self, payloads: Iterable[bytes], on: Flow = PHONE) -> Reading:
        self.follow(Datagram(1.0, 0, 1, on, payload) for payload in payloads)
        return self

    def follow(self, items: Iterable[Datagram]) -> None:
        """Read, and check what is reported of messages of known forms against the parser."""
        for item in items:
            self._forms.turn()
            ((came, message, form),) = self._forms.read([item])
            if isinstance(came, Repeat):
                self.repeats += 1
                read = Parser(0).parse(item.payload)
                assert isinstance(read, Request | Response)
                assert came.datagram() == item
                assert (came.branch, came.cseq) == (read.via.branch, read.cseq.number), item.payload
                assert came.nonce == "".join(one.nonce for one in proof(read)), item.payload
                assert lasting(read) == came.form.known, item.payload
            elif form is not None:
                assert isinstance(message, Request | Response)
                assert form.known in (None, lasting(message))
                form.known = lasting(message)


def proof(message: Request | Response) -> tuple[Challenge, ...]:
    return message.credentials if isinstance(message, Request) else message.challenges


def lasting(message: Message) -> Message:
    """The message without the values that are new in each of its form; whether it has a To tag and a nonce is kept."""
    assert not isinstance(message, Malformed)
    tag = None if message.to.tag is None else "tag"
    parts = {"via": replace(message.via, branch=""), "from_": replace(message.from_, tag="tag"),
             "to": replace(message.to, tag=tag), "cseq": replace(message.cseq, number=0)}
    nonces = tuple(replace(one, nonce="") for one in proof(message))
    return replace(message, **parts, **{"credentials" if isinstance(message, Request) else "challenges": nonces})


def renewed(message: bytes) -> bytes:
    for old, new in VARIABLES.items():
        message = message.replace(old, new[:len(old)].ljust(len(old), b"0") if b":" not in old else new)
    return message
