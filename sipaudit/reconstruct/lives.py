"""How long a server entry is valid for one phone, according to the DNS answers that this phone received (B2).

A resolver hands out the remaining life of a cached record: two phones that ask for the same name a minute apart have it
until the same moment, but receive different TTLs, from which their timers count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.events import EntryChanged
from sipaudit.reconstruct.names import ENDS, Names
from sipaudit.reconstruct.phones import Line
from sipaudit.reconstruct.records import Data, SetKey, serves, sets_of
from sipaudit.reconstruct.views import EntryState
from sipaudit.sip.datagram import Datagram, DnsMessage, Item
from sipaudit.turned_away import forget_oldest

SETS_KEPT = 16   # record sets stored per host


class Life(Struct, frozen=True, gc=False):
    """A record set as one host received it: when, its TTLs in seconds, its first record, and the answer's packet."""

    time: float
    low: int
    high: int
    first: Data = ""
    capture: int = 0
    frame: int = 0

    @property
    def end(self) -> float:
        return self.time + self.low


Lives = Mapping[SetKey, Life]   # of the record sets that one host received
NOTHING_TOLD: Lives = {}


def note_told(told: dict[SetKey, Life], answer: DnsMessage) -> None:
    """Store the records of this answer with those its host received before."""
    for key, records in sets_of(answer.records[:SETS_KEPT]).items():
        told.pop(key, None)
        ttls = [record.ttl for record in records]
        told[key] = Life(answer.time, min(ttls), max(ttls), records[0].data, answer.capture, answer.frame)
        forget_oldest(told, SETS_KEPT, "lookups")


def entry_changed(line: Line, state: EntryState, item: Item, told: Lives, *, reordered: bool) -> EntryChanged:
    """The event of an entry's new list or new end of life; `state.ends` must be known, and `told` is what the phone
    received. A phone that receives another order than the declared one uses another list, because it queries DNS before
    it uses a static cache."""
    answer = state.answer or item
    ways = (*line.ways, item.flow) if isinstance(item, Datagram) else line.ways
    turned = any((owner, "SRV") in told and serves(owner, ways) for owner in state.turned)
    own = _own(line, state, told)
    ends, low, high = _lives(state, own)
    return EntryChanged(
        answer.time, answer.capture, answer.frame, line.phone, line.number, state.entry.name, ends[0], low, high,
        reordered or turned, ends[1:], own=bool(own), turned=turned,
    )


def entry_noticed(line: Line, state: EntryState, item: Item, told: Lives, *, found: bool) -> Iterator[EntryChanged]:
    """The events for an entry that turns out to be the line's (`found`: one for each answer about it that its phone
    received before), or whose list changed since the line was last seen."""
    changed = entry_changed(line, state, item, told, reordered=state.reordered and not found)
    own = _own(line, state, told) if found else NOTHING_TOLD
    answers = sorted({(life.time, life.capture, life.frame) for life in own.values()})
    if not answers:
        yield changed
    for time, capture, frame in answers:
        yield replace(changed, time=time, capture=capture, frame=frame)


def told_at_once(line: Line, item: Item, told: Lives, names: Names) -> Iterator[EntryChanged]:
    """The events for declared lists where one answer gave the phone several of the servers under one name, with another
    first than is declared: records of one name have no order, and a phone that takes them as they come follows no
    declared one."""
    for key, life in told.items():
        addresses = names.targets(key) if key[1] in ("A", "AAAA") else []
        for state in line.view.states if len(addresses) > 1 else ():
            ranks = {server.address: server.priority for server in state.entry.servers if server.address in addresses}
            best = min(ranks.values(), default=0)
            if state.owner is None and ranks.get(str(life.first), best) > best:
                yield EntryChanged(item.time, item.capture, item.frame, line.phone, line.number, state.entry.name,
                                   life.end, life.low, life.high, True, own=not _behind_nat(line), turned=True)


def entry_asked(line: Line, state: EntryState, item: Item) -> EntryChanged:
    """The event of a lookup for an entry with known records, which may be different now."""
    return EntryChanged(
        item.time, item.capture, item.frame, line.phone, line.number, state.entry.name, state.ends[0],
        state.ttl_low, state.ttl_high, False, state.ends[1:], True,
    )


def _behind_nat(line: Line) -> bool:
    """Whether the phone's own address differs from the one where it is seen."""
    own = line.contact_host or ""
    return own != line.owner.host and (own[:1].isdigit() or ":" in own)


def _own(line: Line, state: EntryState, told: Lives) -> Lives:
    """The record sets of the entry that the line's phone received."""
    if _behind_nat(line):
        return NOTHING_TOLD   # its router received them, and may answer the phone from its cache
    return {key: life for key, life in told.items() if key[0] in state.names}


def _lives(state: EntryState, own: Lives) -> tuple[tuple[float, ...], float, float]:
    """When the entry's records expire, and their TTLs: of the sets the phone received; and if it may have received
    others unseen, of those as well."""
    if not own:
        return state.ends, state.ttl_low, state.ttl_high
    ends = {life.end for life in own.values()}
    low: float = min(life.low for life in own.values())
    high: float = max(life.high for life in own.values())
    if {name for name, _ in own} < state.names:
        ends |= set(state.ends)
        low, high = min(low, state.ttl_low), max(high, state.ttl_high)
    return tuple(sorted(ends))[:ENDS], low, high
