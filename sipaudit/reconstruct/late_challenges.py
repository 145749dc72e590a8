"""REGISTERs captured before the challenge that they answer: the capture shows what servers send too late.

A nonce is chosen by the server (RFC 3261 22.4), so a phone that uses it has received the challenge. Where the capture
shows it first in the phone's own request, the capture's two directions have separate clocks, or queues, and whatever
the phone did because of an answer may come before that answer. As with an ACK before its final response, the order of
packets near there proves nothing.
"""

from __future__ import annotations

from sipaudit.reconstruct.memory import Memory
from sipaudit.reconstruct.phones import Phone
from sipaudit.reconstruct.transactions import Transaction, proves
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.message import Challenge, Request
from sipaudit.turned_away import forget_oldest

CHALLENGE_ANSWERED_WITHIN = 2.0   # seconds in which a phone answers a challenge, also on a slow path
UNASKED_KEPT = 1_000


def note_unasked(memory: Memory, phone: Phone, item: Datagram, request: Request) -> None:
    """Store time and credentials of a REGISTER that follows right after one without an answer, by phone, Call-ID and
    CSeq."""
    memory.unasked[phone.number, request.call_id, request.cseq.number] = item.time, request.credentials
    forget_oldest(memory.unasked, UNASKED_KEPT, "phone-state")


def challenged(memory: Memory, phone: Phone, transaction: Transaction, item: Datagram,
               challenges: tuple[Challenge, ...]) -> None:
    """A REGISTER is challenged: if the phone has already answered this challenge, the capture of this direction is
    late."""
    asked = memory.unasked.pop((phone.number, transaction.call_id, transaction.cseq + 1), None)
    if asked is not None and proves(asked[1], challenges):
        memory.traffic.behind = max(memory.traffic.behind, item.time - asked[0])
        memory.lose(phone, item, "a challenge behind its answer", transaction.time)
