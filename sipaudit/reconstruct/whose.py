"""The phone and line that a message belongs to, for recipients of all messages."""

from __future__ import annotations

from collections.abc import Callable

from sipaudit.reconstruct.dialogs import Leg
from sipaudit.reconstruct.transactions import Transaction
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.message import Message, Request

Whose = tuple[int | None, int | None, str | None, bool | None]
"""The numbers of phone and line, the server, and whether the phone sent the message. The numbers may be those of a
candidate: they are valid only if `phones` and `lines` contain them in the end."""

Note = Callable[[Datagram, Message, Whose, bool], None]
"""Called with each message, its owner, and whether it is a retransmission."""

NOBODYS: Whose = (None, None, None, None)


def whose(item: Datagram, message: Message, placed: Transaction | Leg | None) -> Whose:
    """The phone, line and server of a message that belongs to this transaction or leg, as far as known now."""
    if placed is None or placed.phone is None:
        return NOBODYS
    if type(placed) is Transaction:
        from_phone = placed.from_phone == (type(message) is Request)
    else:
        from_phone = placed.phone.host == item.flow.source_host
    return placed.phone.number, None if placed.line is None else placed.line.number, placed.server, from_phone
