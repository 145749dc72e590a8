"""Transactions as an observer sees them (RFC 3261 17.1.3, 17.2.3), with the RFC 2543 rules for branches without the
cookie.

A *key* is what a request and its responses share: branch, sent-by host without port, and method (ACK has its INVITE's).
The port is left out because servers write the default port where the phone wrote none, which is equivalent (18.2.2),
and a branch belongs to one request anyway (8.1.1.7, 17.1.3). One key may be used towards several servers, which a phone
should not do; these transactions are *siblings* and are never merged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from msgspec import Struct

from sipaudit.model.packets import ASKS_AGAIN, REDIRECTS
from sipaudit.reconstruct.bounds import (
    RINGING_LIFE,
    SECOND_CHANCES,
    TRANSACTION_CHECK,
    TRANSACTION_LIFE,
    UNANSWERED_LIFE,
)
from sipaudit.reconstruct.dialogs import RINGING, Leg
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.sip.datagram import Flow
from sipaudit.sip.message import Address, Challenge, Request, Response, Uri

COOKIE = "z9hG4bK"
SIBLINGS = 8
BRANCH_KEY = 3  # length of a key whose branch is unique; longer without the cookie
ANOTHER_CSEQ = ASKS_AGAIN.union(REDIRECTS)   # answers after which the phone sends again, with CSeq + 1

Key = tuple[str | int | None, ...]


class Transaction(Struct, gc=False):
    """One transaction: its first packet, and its state since.

    `line` and `phone` are None if the sender is no phone. `time` is when the request was first sent, None if that is
    not in the capture; `seen` the reconstruction's own clock at its last packet; `classes` a bit for each status class
    seen; `status` the highest status seen. `asked` (seconds) and `contact` are a REGISTER's.
    """

    number: int
    key: Key
    cseq: int
    call_id: str
    method: str
    flow: Flow
    line: Line | None
    phone: Phone | None
    server: str
    from_phone: bool
    time: float | None
    in_dialog: bool
    seen: float
    asked: float | None = None
    contact: Address | None = None
    uri: Uri | None = None
    to_tag: str | None = None
    leg: Leg | None = None
    classes: int = 0
    status: int = 0
    cancelled: bool = False
    check: float = 0.0
    sibling: Transaction | None = None

    @property
    def call(self) -> int | None:
        return None if self.leg is None else self.leg.number


def identifies(branch: str) -> bool:
    """Whether a branch identifies its transaction (RFC 3261 17.1.3)."""
    return branch.startswith(COOKIE) and branch != COOKIE


def transaction_key(message: Request | Response, method: str) -> Key:
    """The key of a message; `method` is INVITE for an ACK. A branch without the cookie is not unique by itself."""
    via = message.via
    branch = via.branch
    if branch.startswith(COOKIE) and branch != COOKIE:   # as `identifies`, inlined
        return (branch, via.host, method)
    return (branch, via.host, method, message.call_id, message.cseq.number, message.from_.tag)


def of_request(transaction: Transaction | None, request: Request, flow: Flow) -> Transaction | None:
    """The sibling that this request belongs to, as a retransmission or as its ACK."""
    number = request.cseq.number
    while transaction is not None:
        if (
            transaction.cseq == number
            and (transaction.flow is flow or _same_ends(transaction.flow, flow))
            and (len(transaction.key) == BRANCH_KEY or request.method == "ACK" or _same_legacy(transaction, request))
        ):
            return transaction
        transaction = transaction.sibling
    return None


def of_response(transaction: Transaction | None, response: Response, flow: Flow) -> Transaction | None:
    """The sibling that this response answers: between the same two hosts; if there is only one, that one (a server may
    answer from another of its addresses)."""
    number = response.cseq.number
    alone = transaction is not None and transaction.sibling is None
    while transaction is not None:
        if transaction.cseq == number and _answers(transaction, response) and (
            alone or _opposite_ends(transaction.flow, flow)
        ):
            return transaction
        transaction = transaction.sibling
    return None


def _same_ends(one: Flow, other: Flow) -> bool:
    """Compare hosts, and ports where both ends share a host."""
    if one.source_host == one.destination_host:
        return one.source == other.source and one.destination == other.destination
    return one.source_host == other.source_host and one.destination_host == other.destination_host


def _opposite_ends(request: Flow, response: Flow) -> bool:
    if request.source_host == request.destination_host:
        return request.destination == response.source
    return (
        request.source_host == response.destination_host and request.destination_host == response.source_host
    )


def _same_legacy(transaction: Transaction, request: Request) -> bool:
    """RFC 3261 17.2.3: without the cookie, Request-URI and To tag must agree, too."""
    return transaction.uri == request.uri and transaction.to_tag == request.to.tag


def _answers(transaction: Transaction, response: Response) -> bool:
    return len(transaction.key) == BRANCH_KEY or transaction.to_tag in (None, response.to.tag)


class Ring:
    """Transactions in the order of their next check, and the limit of their number."""

    __slots__ = ("limit", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.waiting: deque[Transaction] = deque()


class Transactions:
    """The transactions of the last 32 s, and for longer those that wait for their final response, by key.

    Those of phones and of strangers are in separate rings: the oldest of a ring is evicted when it is full, so that
    strangers only evict strangers. `forgotten` is called with each transaction that is forgotten, or that its phone has
    given up, if it is referenced elsewhere: by a leg, or by its phone, which waits to send something again.
    """

    __slots__ = ("_by_key", "_forgotten", "_known", "_strange", "evicted", "find")

    def __init__(self, limit: int, strange_limit: int, forgotten: Callable[[Transaction], None]) -> None:
        self._known = Ring(limit)
        self._strange = Ring(strange_limit)
        self._forgotten = forgotten
        self._by_key: dict[Key, Transaction] = {}
        self.find = self._by_key.get  # the first with a key, which links to its siblings
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._known.waiting) + len(self._strange.waiting)

    def add(self, transaction: Transaction, known: bool) -> None:
        """Store a transaction from now (`seen`) on; `known`: it is a phone's."""
        transaction.check = transaction.seen + TRANSACTION_CHECK
        key = transaction.key
        head = self._by_key.setdefault(key, transaction)
        if head is not transaction:
            transaction.sibling = _shortened(head)
            self._by_key[key] = transaction
        ring = self._known if known else self._strange
        waiting = ring.waiting
        waiting.append(transaction)
        if len(waiting) > ring.limit:
            self._evict(waiting)

    def tighten(self, limit: int, strange_limit: int) -> None:
        """Apply new bounds from now on."""
        self._known.limit, self._strange.limit = limit, strange_limit
        for ring in (self._known, self._strange):
            while len(ring.waiting) > ring.limit:
                self._evict(ring.waiting)

    def clear(self) -> None:
        """Forget all, without calling `forgotten`."""
        self._by_key.clear()
        for ring in (self._known, self._strange):
            ring.waiting.clear()

    def _evict(self, waiting: deque[Transaction]) -> None:
        """Evict the oldest; that of a phone seen for a while is skipped, at most SECOND_CHANCES times."""
        for _ in range(SECOND_CHANCES):
            phone = waiting[0].phone
            if phone is None or not phone.lasting:
                break
            waiting.rotate(-1)
        self.evicted += 1
        self._forget(waiting.popleft())

    def sweep(self, clock: float) -> None:
        """Forget the transactions whose lifetime is over at `clock`."""
        check = clock + TRANSACTION_CHECK
        for ring in (self._known.waiting, self._strange.waiting):
            while ring and ring[0].check <= clock:
                transaction = ring.popleft()
                life = TRANSACTION_LIFE if transaction.status >= 200 else _life_of_open(transaction)
                if transaction.seen + life <= clock:
                    self._forget(transaction)
                    continue
                transaction.check = check
                ring.append(transaction)
                if life == UNANSWERED_LIFE and transaction.seen + TRANSACTION_LIFE <= clock:
                    self._forgotten(transaction)   # its phone has given it up (RFC 3261 17.1.1.2, 17.1.2.2)

    def _forget(self, transaction: Transaction) -> None:
        head = self._by_key.pop(transaction.key, None)
        if head is not transaction or transaction.sibling is not None:
            self._relink(head, transaction)
        phone, leg = transaction.phone, transaction.leg
        if phone is not None and (phone.again or (leg is not None and leg.state is RINGING)):
            self._forgotten(transaction)

    def _relink(self, head: Transaction | None, gone: Transaction) -> None:
        """Keep the siblings of a transaction that goes; `head` is the first of all."""
        if head is gone:
            head = gone.sibling
        elif head is not None:
            _unlink(head, gone)
        if head is not None:
            self._by_key[gone.key] = head
        gone.sibling = None


def _life_of_open(transaction: Transaction) -> float:
    """How many seconds after its last packet a transaction without a final response is stored. Its phone gives it up
    after 32 s; but a later answer still belongs to it, and not to a request that the capture lacks."""
    return RINGING_LIFE if _rings(transaction) else UNANSWERED_LIFE


def _rings(transaction: Transaction) -> bool:
    """Whether it is an INVITE with a provisional response that was not cancelled: it has no time limit."""
    return 100 <= transaction.status < 200 and transaction.method == "INVITE" and not transaction.cancelled


def _shortened(head: Transaction) -> Transaction:
    """A chain of siblings, cut to SIBLINGS - 1 members so that no packet has to walk further."""
    last = head
    for _ in range(SIBLINGS - 2):
        if last.sibling is None:
            return head
        last = last.sibling
    last.sibling = None
    return head


def _unlink(head: Transaction, gone: Transaction) -> None:
    while head.sibling is not None:
        if head.sibling is gone:
            head.sibling = gone.sibling
            return
        head = head.sibling


def proves(credentials: tuple[Challenge, ...], challenges: tuple[Challenge, ...]) -> bool:
    """Whether credentials answer one of these challenges, by its nonce (F13)."""
    for given in credentials:
        for asked in challenges:
            if given.nonce == asked.nonce != "":
                return True
    return False
