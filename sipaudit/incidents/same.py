"""Joins outages that turn out to be one, though answers had seemed to end the earlier ones."""

from __future__ import annotations

from sipaudit.incidents.by_turns import earlier_ones
from sipaudit.incidents.draft import EVIDENCE_KEPT, Drafts
from sipaudit.incidents.ongoing import is_one_with
from sipaudit.incidents.outage import ATTEMPTS_KEPT, OUTAGE, Outage
from sipaudit.incidents.servers import ServerWatch


def join(server: ServerWatch, outage: Outage, few: float, drafts: Drafts) -> None:
    """Merge the earlier outages that are one with this one into it; it takes `few` phones or more to show that only
    some phones have lost the server."""
    if outage.kind != OUTAGE:
        return
    if outage.some.spared is not None:
        for before in [one for one in outage.some.before if is_one_with(server, one, outage, few)]:
            outage.some.goes_on_since(before.some.meanwhile, before.end)
            _take_in(outage, before)
            drafts.withdraw(before)
    for before in earlier_ones(outage):
        outage.turns.take_in(before.turns)
        _take_in(outage, before)
        drafts.withdraw(before)


def _take_in(outage: Outage, before: Outage) -> None:
    """Merge in an earlier outage."""
    if before.start < outage.start:
        outage.start, outage.last_answer = before.start, before.last_answer
    outage.some.before = tuple(one for one in outage.some.before if one is not before)
    outage.turns.earlier = tuple(one for one in outage.turns.earlier if one is not before)
    _take_in_phones(outage, before)
    outage.moves = {**outage.moves, **before.moves}
    outage.turned = {**outage.turned, **before.turned}
    outage.methods |= before.methods
    outage.keeps = outage.keeps or before.keeps
    outage.registers = outage.registers or before.registers
    outage.service = outage.service if before.service is None else before.service
    outage.sure = outage.sure or before.sure
    outage.refusals += before.refusals
    outage.calls = list(dict.fromkeys([*before.calls, *outage.calls]))
    outage.attempts = [*before.attempts, *outage.attempts][:ATTEMPTS_KEPT]
    outage.lines = {**before.lines, **outage.lines}
    outage.evidence = [*before.evidence, *outage.evidence][:EVIDENCE_KEPT]
    outage.settle_kind()


def _take_in_phones(outage: Outage, before: Outage) -> None:
    """Merge the phones concerned."""
    own = outage.own | before.own
    outage.first = {**outage.first, **before.first}
    _take_in_lines(outage, before)
    outage.late = {**outage.late, **before.late}
    outage.some.take_in(before.some, own, outage.first)


def _take_in_lines(outage: Outage, before: Outage) -> None:
    """Merge when each line's first request failed. If a line was answered in between, and had not turned away, its
    earlier time does not count."""
    outage.served = {**before.served, **outage.served}
    for line, sent in before.asked.items():
        owner = before.lines[line].owner if line in before.lines else None
        served = line not in before.turned and owner is not None and outage.served.get(owner, sent) > sent
        if line not in outage.asked or not served:
            outage.asked[line] = sent
