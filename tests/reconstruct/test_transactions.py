"""Transactions alone: how long they are kept, and which make room."""

from __future__ import annotations

from sipaudit.reconstruct.transactions import Transaction, Transactions
from tests.factories import path

FLOW = path("10.1.0.5", "10.0.0.1")


def transaction(number: int = 1, key: tuple[str, ...] = ("z9hG4bKa", "h", "0", "INVITE")) -> Transaction:
    return Transaction(number, key, 1, "c", "INVITE", FLOW, None, None, "s", True, 0.0, False, 0.0)


def test_a_transaction_is_kept_for_32_s_after_its_answer_and_four_times_as_long_without_one() -> None:
    """A server that recovers may answer a request given up long ago: that must not pass for an answer to another
    one."""
    store = Transactions(10, 10, lambda _: None)
    answered, waiting = transaction(1), transaction(2, ("z9hG4bKb", "h", "0", "REGISTER"))
    answered.status = 200
    for one in (answered, waiting):
        store.add(one, known=True)
    store.sweep(31.0)
    assert store.find(answered.key) is answered
    store.sweep(40.0)
    assert store.find(answered.key) is None
    store.sweep(120.0)
    assert store.find(waiting.key) is waiting
    store.sweep(160.0)
    assert store.find(waiting.key) is None


def test_an_invite_that_rings_is_kept_and_a_cancelled_one_is_not() -> None:
    ringing, cancelled = transaction(1), transaction(2, ("z9hG4bKb", "h", "0", "INVITE"))
    ringing.status = cancelled.status = 180
    cancelled.cancelled = True
    store = Transactions(10, 10, lambda _: None)
    store.add(ringing, known=True)
    store.add(cancelled, known=True)
    for clock in (40.0, 80.0, 120.0, 160.0):
        store.sweep(clock)
    assert store.find(ringing.key) is ringing
    assert store.find(cancelled.key) is None


def test_siblings_go_one_by_one_and_never_grow_beyond_a_few() -> None:
    store = Transactions(100, 100, lambda _: None)
    for number in range(30):
        store.add(transaction(number), known=True)
    chain = []
    one = store.find(transaction().key)
    while one is not None:
        chain.append(one.number)
        one = one.sibling
    assert chain == [29, 28, 27, 26, 25, 24, 23, 22]
    store.sweep(200.0)
    assert store.find(transaction().key) is None
    assert len(store) == 0


def test_strangers_push_out_strangers() -> None:
    store = Transactions(2, 3, lambda _: None)
    for number in range(10):
        store.add(transaction(number, (f"z9hG4bK{number}", "h", "0", "INVITE")), known=number == 0)
    assert store.find(("z9hG4bK0", "h", "0", "INVITE")) is not None
    assert len(store) == 4
    assert store.evicted == 6
