"""How long a server entry lives for one phone: by what its own DNS answers said (B2).

A resolver hands out what is left of a record's life: two phones that ask for the same name a minute apart have it until
the same moment, but are told different TTLs, from which their timers count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from sipaudit.model.events import EntryChanged
from sipaudit.reconstruct.names import ENDS
from sipaudit.reconstruct.phones import Line
from sipaudit.reconstruct.records import TARGET, SetKey, serves
from sipaudit.reconstruct.views import EntryState
from sipaudit.sip.datagram import Datagram, DnsMessage, Item
from sipaudit.turned_away import turned_away

SETS_KEPT = 16   # of what one host was told


class Life(Struct, frozen=True, gc=False):
    """When a host was told a record set, and its TTLs in seconds."""

    time: float
    low: int
    high: int

    @property
    def end(self) -> float:
        return self.time + self.low


Lives = Mapping[SetKey, Life]   # of the record sets that one host was told
NOTHING_TOLD: Lives = {}


def make_room(table: dict[Any, Any], limit: int) -> None:
    """For one more of what was asked and told; what is in the table longest goes."""
    if len(table) >= limit:
        turned_away("lookups")
        del table[next(iter(table))]


def note_told(told: dict[SetKey, Life], answer: DnsMessage) -> None:
    """Remember what this answer says, with all that its host was told before."""
    ttls: dict[SetKey, list[int]] = {}
    for record in answer.records[:SETS_KEPT]:
        if record.type in TARGET:
            ttls.setdefault((record.name, record.type), []).append(record.ttl)
    for key, of_set in ttls.items():
        told.pop(key, None)
        make_room(told, SETS_KEPT)
        told[key] = Life(answer.time, min(of_set), max(of_set))


def entry_changed(line: Line, state: EntryState, item: Item, told: Lives, *, reordered: bool) -> EntryChanged:
    """The event of an entry's new list or end of life; `state.ends` are known, and `told` is what its phone was told.
    One that is told another order than the declared one has another list, for it asks before it uses a static cache.
    """
    answer = state.answer or item
    if _behind_nat(line):
        told = NOTHING_TOLD   # that was its router, which may serve it from what is left of these
    ways = (*line.ways, item.flow) if isinstance(item, Datagram) else line.ways
    if any((owner, "SRV") in told and serves(owner, ways) for owner in state.turned):
        line.strayed = reordered = True
    ends, low, high = _lives(state, told)
    return EntryChanged(
        answer.time, answer.capture, answer.frame, line.phone, line.number, state.entry.name, ends[0], low, high,
        reordered, ends[1:], own=bool(told),
    )


def entry_asked(line: Line, state: EntryState, item: Item) -> EntryChanged:
    """The event of a lookup of an entry of which something is known, and which may be something else now."""
    return EntryChanged(
        item.time, item.capture, item.frame, line.phone, line.number, state.entry.name, state.ends[0],
        state.ttl_low, state.ttl_high, False, state.ends[1:], True,
    )


def _behind_nat(line: Line) -> bool:
    """Whether the phone has another address than it is seen at."""
    own = line.contact_host or ""
    return own != line.owner.host and (own[:1].isdigit() or ":" in own)


def _lives(state: EntryState, told: Lives) -> tuple[tuple[float, ...], float, float]:
    """When the entry's records run out, and their TTLs: of those that the phone was told, and where it may have got
    others unseen, of these as well."""
    own = {key: life for key, life in told.items() if key[0] in state.names}
    if not own:
        return state.ends, state.ttl_low, state.ttl_high
    ends = {life.end for life in own.values()}
    low: float = min(life.low for life in own.values())
    high: float = max(life.high for life in own.values())
    if {name for name, _ in own} < state.names:
        ends |= set(state.ends)
        low, high = min(low, state.ttl_low), max(high, state.ttl_high)
    return tuple(sorted(ends))[:ENDS], low, high
