"""Captures of fleets, what may disturb them, and everything that a run finds and remembers: the short roads must give
the same result as the long one."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from msgspec import json

from bench.captures import SITE, Workload
from sipaudit.incidents.watch import Watch
from sipaudit.model.values import Report
from sipaudit.pipeline import Job
from sipaudit.reconstruct.phones import Phone
from sipaudit.run.run import Run
from tests.frames import Timed, frames_in, write_pcap
from tests.stories import Court, Settings, Story

FLEET = Workload("renewals", phones=6, rounds=8, spread=40.0)   # one phone after the other
CROWD = replace(FLEET, phones=20, rounds=4, spread=1.0)         # all phones at once

ODD_RENEWALS = [   # (pattern, replacement of the same length); bytes of the IP header are the server's address
    (rb"expires=3600", b"expires=0120"), (rb"expires=3600", b"expires=0000"), (rb"Expires: 3600", b"Expires: 1800"),
    (rb"Expires: 3600", b"Expires: 0000"), (rb" 401 ", b" 503 "), (rb" 401 ", b" 100 "), (rb" 401 ", b" 200 "),
    (rb" 200 OK", b" 403 OK"), (rb" 200 OK", b" 401 OK"), (rb" 200 OK", b" 202 OK"), (rb"VVX_500", b"VVX_600"),
    (rb"nonce=\"..", b"nonce=\"xx"), (rb"z9hG4bK", b"y9hG4bK"), (rb"=z9hG4bK.{16}", b"=z9hG4bK0000000000000000"),
    (rb"Call-ID: ....", b"Call-ID: last"), (rb"Contact: <sip:1", b"Contact: <sip:2"), (rb"CSeq: \d", b"CSeq: 9"),
    (rb"To: (.*)<sip:1", rb"To: \1<sip:2"), (rb"CSeq: .", b"CSeq: 4"), (rb"CSeq: .", b"CSeq: 5"),
    (rb"CSeq: .", b"CSeq: 6"),
    (rb";tag=....", b";tag=odd."), (rb"5060;branch", b"5061;branch"), (rb"Call-ID: ", b"call-id: "),
    (rb"REGISTER", b"OPTIONSX"), (rb"\n\x00\x00\x01", b"\n\x00\x00\x02"),
]

ODD_DIALOGS = [   # the same, for NOTIFYs and calls
    (rb" 200 OK", b" 481 OK"), (rb" 200 OK", b" 100 OK"), (rb" 200 OK", b" 503 OK"), (rb" 407 ", b" 503 "),
    (rb"z9hG4bK", b"y9hG4bK"), (rb"=z9hG4bK.{16}", b"=z9hG4bK0000000000000000"), (rb"CSeq: \d", b"CSeq: 9"),
    (rb"CSeq: \d", b"CSeq: 1"), (rb"From: (.*);tag=....", rb"From: \1;tag=odd."),
    (rb"To: (.*);tag=....", rb"To: \1;tag=odd."), (rb"INVITE", b"NOTIFY"),
    (rb"5060;branch", b"5061;branch"), (rb"Call-ID: ....", b"Call-ID: last"), (rb"NOTIFY", b"OPTION"),
    (rb"NOTIFY", b"INVITE"), (rb"SUBSCRIBE", b"INVITEXXX"),
    (rb"active", b"termin"), (rb"expires=3600", b"expires=0000"), (rb"Expires: 3600", b"Expires: 0000"),
    (rb"\n\x00\x00\x01", b"\n\x00\x00\x02"),
]

Packets = list[Timed]


def captured(folder: Path, fleet: Workload) -> Packets:
    """The packets that a fleet sends and receives."""
    path = folder / "capture.pcap"
    fleet.write(path)
    return frames_in(path)


def disturbed(packets: Packets, share: float, chance: random.Random, odds: list[tuple[bytes, bytes]] = ODD_RENEWALS
              ) -> Iterator[Timed]:
    """The packets as an imperfect tap records them: some are missing, doubled, late or out of order, and its clock
    jumps; some are altered, and the original may follow the altered one."""
    shift = 0.0
    for time, frame in packets:
        if chance.random() >= share:
            yield time + shift, frame
            continue
        match chance.randrange(8):
            case 0:
                pass
            case 1:
                yield from [(time + shift, frame), (time + shift + chance.choice([0.1, 0.6, 3.0, 31.0, 40.0]), frame)]
            case 2:
                yield time + shift + chance.choice([0.01, 0.4, 0.6, 5.0]), frame
            case 3:
                shift += chance.choice([0.5, 20.0, 600.0, -30.0])
                yield time + shift, frame
            case _:
                old, new = chance.choice(odds)
                odd = re.sub(old, new, frame)
                yield from [(time + shift, odd)] + [(time + shift + 0.001, frame)] * chance.randrange(2)


def followed(folder: Path, *captures: Iterable[Timed], site: Path = SITE) -> tuple[bytes, list[Any]]:
    """The report of captures, and the state at their end of every line and of reconstruction."""
    paths = [folder / f"capture-{number}.pcap" for number in range(len(captures))]
    for path, packets in zip(paths, captures, strict=True):
        write_pcap(path, packets)
    run = Run(Job(tuple(map(str, paths)), site=str(site), jobs=1), print)
    run.drive()
    lines = run.reconstruction.lines.values()
    report = json.encode(run.report())
    for phone in tuple(run.auditor.registrations.renewals):   # this writes the remaining state of phones down
        run.auditor.registrations.end_renewals(phone)
    return report, [
        [replay.state for replay in run.auditor.replays.everyone()], sorted(run.auditor._phones.items()),
        run.reconstruction.open, run.auditor.open, list(run.state()["_frames"].items()),
        [(line.cseq, line.call_id, line.asked, line.last, line.owner.last, again_of(line.owner)) for line in lines],
        *remembered(run),
    ]


def judged_alike(folder: Path, story: Story, declared: Settings, where: Any, name: str) -> Report:
    """The report of a story, after checking that it stays the same with a short road closed: `name` is the function of
    `where`, a module or class, that decides whether the road may be taken."""
    at_once: Report = Court(folder).report(story, declared)
    with patch.object(where, name, never):
        assert json.encode(Court(folder).report(story, declared)) == json.encode(at_once)
    return at_once


def again_of(phone: Phone) -> list[Any]:
    """Which requests of the phone are remembered because it may send them again."""
    return [(call_id, one.cseq, one.method, one.transaction, one.leg and one.leg.key, one.challenges)
            for call_id, one in (phone.again or {}).items()]


def remembered(run: Run) -> Iterator[Any]:
    """What reconstruction remembers of transactions and dialogs."""
    memory = run.reconstruction._memory
    for ring in (memory.transactions._known, memory.transactions._strange):
        yield [(one.number, one.key, one.cseq, one.method, one.flow, one.server, one.time, one.in_dialog, one.seen,
                one.asked, one.uri, one.to_tag, one.classes, one.status, one.check) for one in ring.waiting]
    for legs in (memory.calls.known, memory.calls.strange):
        yield [(leg.key, leg.number, leg.server, leg.state, leg.cseq_in, leg.cseq_out, leg.seen, leg.life, leg.forks)
               for leg in legs._ring]


def counted(folder: Path, packets: Packets, site: Path = SITE) -> tuple[Any, ...]:
    """The findings, the states of lines and phones, and the counts for servers."""
    runs: list[Run] = []
    drive = Run.drive

    def watched(run: Run) -> None:
        runs.append(run)
        drive(run)

    with patch.object(Run, "drive", watched):
        found = followed(folder, packets, site=site)
    watch = runs[0].auditor.watch
    return (*found, runs[0].auditor._phones, watch.timers.now, watch.open, [
        (one.users, one.served, one.asking, one.answered, list(one.registered), sorted(one.seconds.items()),
         list(one.crowd.items())) for one in watch.tally.servers.values()])


def never(*_: Any) -> bool:
    """Stands in for the function that says whether the short road may be taken."""
    return False


def remembered_by(watch: Watch) -> Iterator[Any]:
    """What the watch for incidents remembers of requests, calls and servers."""
    calls, outages, subscriptions = watch.calls, watch.outages, watch._subscriptions
    assert outages is not None
    assert subscriptions is not None
    yield watch.timers.now
    yield [(line, spell.start, spell.seen) for line, spell in watch.gaps.open.items()]
    yield [(number, one.repeated) for number, one in watch.requests._open.items()]
    yield [(number, one.server, one.last, one.left, list(one.offers)) for number, one in calls._up.items()]
    yield [(key, one.event, one.made) for key, one in calls._attempts.items()]
    yield [(key, one.event, sent) for key, kept in outages.untold._attempts.items() for one, sent in kept]
    yield [(call, one.event) for call, one in calls._by_call.items()]
    for number, own in subscriptions.of.items():
        yield number, [(call_id, one.event, one.server, one.until, one.left, one.dead) for call_id, one in own.items()]
    for key, one in watch.tally.servers.items():
        yield key, one.users, one.served, one.asking, one.answered, one.lives, one.registered
        yield one.failing.keys(), one.forsaken, one.refusals, [minute if isinstance(minute, bytes) else minute.packed()
                                                               for minute in one.minutes.values()]
