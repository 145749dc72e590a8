"""Small tables of the incident watch, one for each server, line, call or incident: each keeps its bound, which is set
low here."""

from __future__ import annotations

from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sipaudit.incidents import draft
from sipaudit.incidents.draft import Draft, Drafts
from sipaudit.incidents.timers import Timers
from sipaudit.incidents.watch import Watch
from tests.bounds.ground import LOW, Post, small
from tests.stories import Handset, P, Story

pytestmark = pytest.mark.usefixtures("low")

MANY = 4 * LOW
SERVERS = [(f"10.0.0.{number + 1}", 5060) for number in range(MANY)]   # P first, and S
HOST, DECLARED = "pbx.example.com", {"address": "10.1.0.0/16"}


class Case(NamedTuple):
    """A flood, and the table (`look`) that it fills, which may hold `beyond` entries more than its bound. `served`: the
    phones are registered; `named`: their servers are known by DNS; `until`: when the story ends."""

    flood: Callable[[list[Handset]], object]
    look: str
    beyond: int = 0
    served: bool = True
    transport: str = "udp"
    named: bool = False
    until: int = 400


def each(what: Callable[[Handset, float], object], apart: float = 0.5) -> Callable[[list[Handset]], None]:
    """All phones do it, one after the other."""
    def flood(phones: list[Handset]) -> None:
        for index, phone in enumerate(phones):
            what(phone, 40 + apart * index)
    return flood


def one(what: Callable[[Handset, float], object], apart: float = 1.0) -> Callable[[list[Handset]], None]:
    """One phone does it over and over."""
    def flood(phones: list[Handset]) -> None:
        for index in range(MANY):
            what(phones[0], 40 + apart * index)
    return flood


def registers_in_vain(phone: Handset, time: float) -> None:
    phone.silence(time, P, "REGISTER")


def registers_once(phone: Handset, time: float) -> None:
    phone.ask(time, P, "REGISTER", expires=3600)


def fails_over(phone: Handset, time: float) -> None:
    phone.fail_over(time)


def calls_in_vain(phone: Handset, time: float) -> None:
    phone.silence(time, to=f"sip:{phone.calls}@{HOST}")


def is_refused(phone: Handset, time: float, status: int = 500) -> None:
    asked = phone.ask(time, P, "INVITE", to=f"sip:{phone.user}{phone.calls}@{HOST}")
    phone.told(time + 0.1, asked, status)


def is_busied_out(phone: Handset, time: float) -> None:
    is_refused(phone, time, 503)


def is_not_reached(phone: Handset, time: float) -> None:
    asked = phone.ask(time, P, "REGISTER", expires=3600)
    phone.story.unreachable(time + 0.1, asked.packet, P, phone.place)


def forgets_a_call(phone: Handset, time: float) -> None:
    """The phone leaves the server through which a call is up, and refuses the far end's requests in that dialog."""
    asked = phone.ask(time - 20, P, "INVITE")
    phone.told(time - 19, asked, 200, headers="Contact: <sip:2000@10.0.0.1>\r\n")
    phone.acknowledge(time - 18.9, asked)
    phone.fail_over(time)
    phone.replies(time + 30.1, phone.called(time + 30, P, "INFO", call_id=asked.call_id, tag=asked.near), 481)


def is_spoken_to_in_vain(phones: list[Handset]) -> None:
    phone = phones[0]
    asked = phone.ask(20, P, "INVITE")
    phone.told(21, asked, 200, headers="Contact: <sip:2000@10.0.0.1>\r\n")
    phone.acknowledge(21.1, asked)
    phone.fail_over(40)
    for number in range(MANY):
        phone.called(70 + number / 10, P, "INFO", call_id=asked.call_id, tag=asked.near, number=number + 1)


def asks_others(phone: Handset, time: float) -> None:
    """While it is registered nowhere, the phone asks servers of its entry, which refuse it."""
    asked = phone.ask(time + 60, SERVERS[int(time) % MANY], "REGISTER", expires=60)
    phone.told(time + 60.1, asked, 403)


def learns_a_list(phone: Handset, time: float) -> None:
    host = int(time * 2) % 200
    phone.story.lookup(time, phone.place, HOST, "A", *(
        f"{HOST}. 60 IN A 10.0.0.{number}" for number in (1, host + 2, host + 3)))


def subscribes(phone: Handset, time: float) -> None:
    asked = phone.ask(time, P, "SUBSCRIBE", headers="Event: dialog\r\n")
    phone.told(time + 0.1, asked, 200, headers="Expires: 3600\r\n")


CASES: dict[str, Case] = {
    "evidence.UNSHOWN_KEPT": Case(each(registers_once), "_evidence._unshown", transport="tcp"),
    "evidence.UNSHOWN_KEPT, lines": Case(each(registers_in_vain), "_evidence.unserved", served=False),
    "evidence.UNSERVED_KEPT": Case(one(registers_in_vain, 5), "_evidence.unserved.*", served=False),
    "servers.FORSAKEN_KEPT": Case(each(fails_over), "tally.servers.*.forsaken"),
    "failing.SENDS_KEPT": Case(one(registers_in_vain, 5), "tally.servers.*.failing.*.sends"),
    "servers.REFUSALS_KEPT": Case(one(is_busied_out), "tally.servers.*.refusals"),
    "stuck.LISTED_KEPT": Case(one(learns_a_list), "_names._listed.*", named=True),
    "stuck.LINES_KEPT": Case(each(learns_a_list), "_names._listed", named=True),
    "calls.OFFERS_KEPT": Case(is_spoken_to_in_vain, "calls._up.*.offers", until=80),
    "calls.ATTEMPTS_KEPT": Case(one(calls_in_vain, 5), "calls._attempts"),
    "calls.ATTEMPTS_KEPT, by call": Case(one(calls_in_vain, 5), "calls._by_call"),
    "outage.ATTEMPTS_KEPT": Case(each(calls_in_vain), "outages.open.*.attempts"),
    "refused.REFUSALS_KEPT": Case(each(is_refused), "_refusals.open.*._refused"),
    "refused.UNTOLD_KEPT": Case(one(is_refused), "_refusals.open.*._refused"),
    "untold.ATTEMPTS_KEPT": Case(each(is_refused), "outages.untold._attempts.*"),
    "untold.UNHEARD_KEPT": Case(one(calls_in_vain, 5), "outages.untold.unheard.*", beyond=1),
    "gaps.OPEN_KEPT, of those that reach nobody": Case(each(is_not_reached), "gaps._failed"),
    "spells.CAUSES_KEPT": Case(one(asks_others), "gaps.open.*.causes"),
    "subscriptions.OF_ONE_LINE": Case(one(subscribes), "_subscriptions.of.*"),
}


def heard(folder: Path, case: Case) -> Watch:
    story = Story()
    phones = [Handset(story, str(1001 + index), (f"10.1.0.{index + 1}", 5060), granted=120 if case.served else 3600,
                      transport=case.transport) for index in range(MANY)]
    for index, phone in enumerate(phones):
        if case.served:
            phone.register(index / 4)
        if case.named:
            learns_a_list(phone, index / 4 - 0.5)
    case.flood(phones)
    story.murmur(0, case.until)
    entries = {"sbc": {"servers": [{"name": HOST}]}}
    post = Post(folder, small(64 << 20), *SERVERS, match=DECLARED, **({"entries": entries} if case.named else {}))
    post.hear((packet.time, packet.frame) for packet in sorted(story.packets, key=lambda packet: packet.time))
    return post.listener.route.auditor.watch


def table(watch: Watch, path: str) -> Sized:
    """The table at a dotted path of attributes; `*` stands for the first value of a table."""
    found: Any = watch
    for step in path.split("."):
        found = next(iter(found.values())) if step == "*" else getattr(found, step)
    assert isinstance(found, Sized)
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_small_table_holds_what_its_bound_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    monkeypatch.setattr("sipaudit.incidents.subscriptions.OF_ONE_LINE", LOW)
    monkeypatch.setattr("sipaudit.incidents.subscriptions.SUBSCRIPTIONS_KEPT", 2 * MANY)
    monkeypatch.setattr("sipaudit.model.absorb.BINDINGS_KEPT", MANY)
    found = table(heard(tmp_path, case), case.look)
    assert LOW / 2 < len(found) <= LOW + case.beyond


def test_the_timeline_of_an_incident_has_no_more_entries_than_its_bound_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sipaudit.incidents.calls.CALLS_KEPT", 10 * MANY)
    monkeypatch.setattr("sipaudit.incidents.timers.TIMERS_KEPT", 10 * MANY)
    drafts = heard(tmp_path, Case(each(forgets_a_call), "")).drafts.all
    (ghosts,) = [draft for draft in drafts if draft.kind == "ghost-calls"]
    assert len(ghosts.lines) > LOW
    assert len(ghosts.happenings) == LOW


def test_no_more_waits_for_time_to_pass_than_the_bound_says() -> None:
    timers, done = Timers(), list[int]()
    for number in range(MANY):
        timers.at(float(number), done.append, number)
    assert timers.dropped == MANY - LOW
    timers.pass_time(MANY)
    assert done == list(range(LOW))


def test_of_incidents_beyond_their_bound_a_few_may_still_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft, "LATEST", LOW)
    drafts = Drafts()
    for number in range(MANY):
        drafts.open(Draft("flapping", float(number)))
    assert len(drafts.all) == LOW   # DRAFTS_KEPT
    assert [one.start for one in drafts.latest()][:LOW] == [float(MANY - 1 - number) for number in range(LOW)]
    assert len(list(drafts.latest())) == 2 * LOW
