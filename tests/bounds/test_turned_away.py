"""Small tables, one for each line, phone, server or incident: it is counted when one of them is full."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from sipaudit.capture.health import CaptureHealth
from sipaudit.live.hep.clock import Agent, Clock
from sipaudit.live.standing import Standing
from sipaudit.model.absorb_moves import OTHERS_KEPT, PERHAPS_KEPT
from sipaudit.model.absorb_phone import LATE_KEPT, absorb_phone
from sipaudit.model.captures import ServerSummary
from sipaudit.model.profile import Profile
from sipaudit.model.replay import replay
from sipaudit.model.sayings import ServerSaid
from sipaudit.model.scenario import parse
from sipaudit.model.settings import LineSettings
from sipaudit.model.state import PhoneState
from sipaudit.turned_away import since, so_far
from tests.bounds.ground import Post, site_life, small
from tests.live.ear import Ear
from tests.shared import ROOT
from tests.stories import MINUTE, R2, Handset, P, S, Story, site

CAPS = {   # module: the kind under which it counts, and its bounds
    "model.absorb": ("line-state", "BINDINGS_KEPT"), "model.history": ("history", "ROWS_KEPT"),
    "model.absorb_phone": ("line-state", "WAITING_KEPT", "REACHES_KEPT", "CALLS_KEPT"),
    "reconstruct.memory": ("phone-state", "ROUTES"), "reconstruct.phones": ("line-calls", "CALLS_KEPT"),
    "rulebook.faults": ("samples", "EVIDENCE_KEPT"), "incidents.draft": ("samples", "EVIDENCE_KEPT"),
    "incidents.moves": ("watched-lines", "LINES_KEPT"), "incidents.minutes": ("watched-minutes", "MINUTES_KEPT"),
    "incidents.seconds": ("watched-minutes", "SECONDS_KEPT"), "incidents.outage": ("watched-calls", "ATTEMPTS_KEPT"),
    "incidents.untold": ("samples", "UNHEARD_KEPT"),
}
COUNT = ("turned_away", "has_room", "latest", "forget_oldest")   # the functions that count


def life() -> Story:
    """The life of the site, and two more phones that lose their server in mid-call."""
    story = site_life()
    for index in range(2):
        phone = Handset(story, str(1201 + index), (f"10.1.2.{index + 1}", 5060), granted=600)
        phone.register(0)
        phone.ask(399, P, "INVITE")
        phone.fail_over(403)
    return story


def lived(folder: Path) -> dict[str, int]:
    """What was evicted in that life by kind, as in the health; only the small tables may lack room."""
    post = Post(folder, small(64 << 20))
    post.hear((packet.time, packet.frame) for packet in sorted(life().packets, key=lambda packet: packet.time))
    return post.listener.upkeep.evicted


def test_in_an_ordinary_life_no_table_is_full(tmp_path: Path) -> None:
    assert lived(tmp_path) == {}


@pytest.mark.parametrize("name", CAPS)
def test_a_table_that_is_full_says_so(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, (kind, *caps) = import_module(f"sipaudit.{name}"), CAPS[name]
    for cap in caps:
        monkeypatch.setattr(module, cap, 0 if getattr(module, cap) > 8 else 1)
    assert kind in lived(tmp_path)


def test_every_kind_that_is_counted_stands_in_the_table() -> None:
    """A user who sees the kind in the health or the metrics looks up its meaning in docs/bounds.md."""
    sources = "".join(path.read_text() for path in (ROOT / "sipaudit").rglob("*.py"))
    kinds = set(re.findall(rf'\b(?:{"|".join(COUNT)})\([^"\n]*"([a-z-]+)"', sources))
    table = (ROOT / "docs" / "bounds.md").read_text()
    assert len(kinds) > 20
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in table] == []


def test_servers_beyond_what_the_screen_shows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipaudit.live.standing.SERVERS", 1)
    before, standing = so_far(), Standing()
    for number in range(3):
        standing.take(ServerSaid(0.0, ServerSummary(f"10.0.0.{number}:5060/udp", None, None, None, ["udp"])))
    assert since(before) == {"shown": 2}


def test_findings_of_which_nothing_more_is_said_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipaudit.live.said_findings.FOLLOWED", 0)
    before, ear, story = so_far(), Ear(tmp_path, site({**R2, **MINUTE}, P, S)), Story()
    phone = Handset(story)
    phone.register(0)
    phone.register(phone.fail_over(300) + 5)
    ear.hears(story)
    ear.turn(400)
    assert since(before)["said"] > 0


def test_agents_with_wrong_clocks_beyond_the_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipaudit.live.hep.clock.AGENTS", 2)
    before, clock = so_far(), Clock(CaptureHealth("hep"))
    clock.listen(None, 1e9)
    for number in range(5):
        clock.time(Agent(number, "10.9.9.9"), 5e8, 1e9, number)
    assert since(before) == {"agents": 3}


def test_a_line_that_may_work_at_any_of_many_servers_says_so() -> None:
    """Each server answers so late that the line need not have moved there: only eight possible servers are stored."""
    before = so_far()
    servers = [f"S{number}" for number in range(12)]
    events = "".join(f"{at} > {server} REGISTER #{at}\n{at + 5} < {server} 200 REGISTER #{at}\n"
                     for at, server in zip(range(0, 240, 20), servers, strict=True))
    heard = parse(f"entry: {' '.join(servers)}\n{events}").events
    states = [step.after for step in replay(heard, Profile(LineSettings()))]
    stays = [stay for stay in states[-1].stays if stay is not None]
    assert max(len(stay.perhaps) for stay in stays) == PERHAPS_KEPT
    assert since(before)["line-state"] > 0


def test_answers_of_many_servers_that_may_have_moved_a_line_are_kept_of_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """In R0 a 486 may make another server the working one."""
    away: list[str] = []
    monkeypatch.setattr("sipaudit.turned_away.turned_away", away.append)   # which `latest` calls
    servers = [f"S{number}" for number in range(12)]
    calls = "".join(f"{at} > {server} INVITE\n{at + 1} < {server} 486 INVITE\n"
                    for at, server in zip(range(10, 120, 10), servers[1:], strict=True))
    heard = parse(f"entry: {' '.join(servers)}\n0 > S0 REGISTER\n1 < S0 200 REGISTER\n{calls}").events
    stay = [step.after for step in replay(heard, Profile(LineSettings()))][-1].stays[0]
    assert stay is not None
    assert len(stay.others) == OTHERS_KEPT
    assert away == ["line-state"] * (11 - 1 - OTHERS_KEPT)


def test_of_many_late_answers_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """An INVITE that waited three seconds for its answer, and one that may still be waiting when a later one is
    answered, outlive a table full of INVITEs that waited for less; keepalives and requests in a dialog go first."""
    away: list[str] = []
    monkeypatch.setattr("sipaudit.model.absorb_phone.turned_away", away.append)
    shorter = range(3, 3 + LATE_KEPT)
    sent = "10 > P INVITE #1\n12.8 > P INVITE #2\n12.9 > P OPTIONS #90\n12.9 > P INVITE dialog call=7 #91\n" + "".join(
        f"12.9 > P INVITE call={one} #{one}\n" for one in shorter)
    answered = "13 < P 486 INVITE #1\n" + "".join(f"13.2 < P 486 INVITE #{one}\n" for one in shorter)
    phone = PhoneState()
    for event in parse(f"entry: P\n{sent}{answered}17.8 < P 200 INVITE #91\n17.9 < P 200 OPTIONS #90\n").events:
        phone = absorb_phone(phone, event)
    late = [request.transaction for request, _ in phone.reaches[0].late]
    assert late == [1, 2, *list(shorter)[2:]]
    assert away == ["line-state"] * 4
