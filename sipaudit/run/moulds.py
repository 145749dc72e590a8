"""A message as like an earlier one: most of what a phone says, and is told, it has said before.

A message that goes whole is the mould of those to the same address of record
that differ from it in branch, tags, CSeq number and what proves a password
alone; of these only that goes. Putting such a message together takes less than
unpacking thirty values, and freeing them, which comes first with each message.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from sipaudit.sip.message import Address, Challenge, CSeq, Malformed, Request, Response, Via

MOULDS_KEPT = 32_768         # at a time: some three a line
WEIGHT_KEPT = 32_000_000     # bytes of the messages that they were
REST = 1_500                 # runs in which none are made after most were made for nothing

Whole = Request | Response | Malformed
NONE: tuple[int, None] = (0, None)


class Like(Struct, array_like=True, gc=False, tag=4):
    """A message like the one that was sent as number `mould`, but for this; `proof` are credentials or challenges."""

    mould: int
    branch: str
    from_tag: str | None
    to_tag: str | None
    cseq: int
    proof: tuple[Challenge, ...]


class Writer:
    """Writes messages as like earlier ones. What the parser remembers is one object in every message, so that objects
    are compared and not what they say; where that fails, a message goes whole."""

    def __init__(self) -> None:
        self._moulds: dict[int, tuple[int, Request | Response]] = {}   # the last one of each address and status
        self._count = 0
        self._weight = 0
        self._used = 0
        self._rest = 0

    def turn(self) -> tuple[bool, bool]:
        """Another run begins; whether it makes moulds, and whether it forgets those that there were. With more phones
        than the parser remembers, or in a flood, no message would be like an earlier one."""
        self._rest -= self._rest > 0
        forgets = self._count > MOULDS_KEPT or self._weight > WEIGHT_KEPT
        if forgets:
            self._rest = REST if self._used < self._count else 0
            self._moulds.clear()
            self._count = self._weight = self._used = 0
        return not self._rest, forgets

    def write(self, message: Whole, size: int) -> Whole | Like:
        """A message of so many bytes."""
        kind = type(message)
        if kind is Malformed or self._rest:
            return message
        to = message.to  # type: ignore[union-attr]
        key = id(to.uri) + message.status if kind is Response else id(to.uri)  # type: ignore[union-attr]
        number, mould = self._moulds.get(key, NONE)
        if type(mould) is kind and _is_of(message, mould):  # type: ignore[arg-type]
            self._used += 1
            proof = message.challenges if kind is Response else message.credentials  # type: ignore[union-attr]
            return Like(number, message.via.branch, message.from_.tag, to.tag, message.cseq.number, proof)  # type: ignore[union-attr]
        self._moulds[key] = self._count, message  # type: ignore[assignment]
        self._count += 1
        self._weight += size
        return message


def _is_of(message: Request | Response, mould: Request | Response) -> bool:
    """Whether a message differs from its mould in nothing but what is sent. Flat, for it is asked of every message."""
    to, from_, via = message.to, message.from_, message.via
    old_to, old_from, old_via = mould.to, mould.from_, mould.via
    if (
        message.contacts is not mould.contacts or message.expires is not mould.expires
        or message.user_agent is not mould.user_agent or message.defects is not mould.defects
        or message.call_id != mould.call_id or message.cseq.method is not mould.cseq.method
        or to.uri is not old_to.uri or to.display is not old_to.display
        or to.expires is not old_to.expires or to.instance is not old_to.instance
        or from_.uri is not old_from.uri or from_.display is not old_from.display
        or from_.expires is not old_from.expires or from_.instance is not old_from.instance
        or via.host is not old_via.host or via.port is not old_via.port or via.transport is not old_via.transport
        or via.received is not old_via.received or via.rport is not old_via.rport
    ):
        return False
    if type(message) is Request:
        assert type(mould) is Request
        return (
            message.method is mould.method and message.uri is mould.uri and message.routes is mould.routes
            and message.event is mould.event and message.replaces is mould.replaces and message.rack is mould.rack
        )
    assert type(message) is Response
    assert type(mould) is Response
    return (
        message.status == mould.status and message.reason is mould.reason
        and message.min_expires is mould.min_expires and message.retry_after is mould.retry_after
    )


class Reader:
    """Reads what a `Writer` wrote, in the same order."""

    def __init__(self) -> None:
        self._moulds: list[Request | Response] = []
        self._parts: dict[Any, Any] = {}   # what many moulds have in common, once
        self._moulding = True

    def turn(self, *, moulding: bool, forgets: bool) -> None:
        """Another run begins."""
        self._moulding = moulding
        if forgets:
            self._moulds.clear()
            self._parts.clear()

    def read(self, written: Whole | Like) -> Whole:
        """A message as it was."""
        kind = type(written)
        if kind is Like:
            return _cast(self._moulds[written.mould], written)  # type: ignore[union-attr, arg-type]
        if self._moulding and kind is not Malformed:
            self._moulds.append(self._lean(written))  # type: ignore[arg-type]
        return written  # type: ignore[return-value]

    def _lean(self, message: Request | Response) -> Request | Response:
        """The mould of a message: without what it need not hold, and of parts that others have as well."""
        known = self._parts.setdefault
        via, from_, to, agent = message.via, message.from_, message.to, message.user_agent
        via = Via(known(via.transport, via.transport), known(via.host, via.host), via.port, "", via.received, via.rport)
        from_ = Address(known(from_.uri, from_.uri), None, from_.expires, from_.instance, from_.display)
        to = Address(known(to.uri, to.uri), None, to.expires, to.instance, to.display)
        call_id, method = known(message.call_id, message.call_id), known(message.cseq.method, message.cseq.method)
        cseq = CSeq(0, method)
        if type(message) is Request:
            return Request(
                message.method, known(message.uri, message.uri), via, from_, to, call_id, cseq, message.contacts,
                message.expires, known(agent, agent), message.routes, (), message.event, message.replaces, message.rack,
                message.defects)
        assert type(message) is Response
        return Response(
            message.status, known(message.reason, message.reason), via, from_, to, call_id, cseq, message.contacts,
            message.expires, message.min_expires, message.retry_after, known(agent, agent), (), message.defects)


def _cast(mould: Request | Response, like: Like) -> Request | Response:
    via, from_, to, cseq = mould.via, mould.from_, mould.to, CSeq(like.cseq, mould.cseq.method)
    via = Via(via.transport, via.host, via.port, like.branch, via.received, via.rport)
    if like.from_tag != from_.tag:
        from_ = Address(from_.uri, like.from_tag, from_.expires, from_.instance, from_.display)
    if like.to_tag != to.tag:
        to = Address(to.uri, like.to_tag, to.expires, to.instance, to.display)
    if type(mould) is Request:
        return Request(
            mould.method, mould.uri, via, from_, to, mould.call_id, cseq, mould.contacts, mould.expires,
            mould.user_agent, mould.routes, like.proof, mould.event, mould.replaces, mould.rack, mould.defects)
    assert type(mould) is Response
    return Response(
        mould.status, mould.reason, via, from_, to, mould.call_id, cseq, mould.contacts, mould.expires,
        mould.min_expires, mould.retry_after, mould.user_agent, like.proof, mould.defects)
