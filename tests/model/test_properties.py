"""Properties of the model over histories that nobody wrote by hand (design.md 8)."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sipaudit.model import conditions, readings
from sipaudit.model import expectations as table
from sipaudit.model.events import Answered, Booted, EntryChanged, Failed, FailureKind, Lost, ModelEvent, Resent, Sent
from sipaudit.model.observations import Observation, Verdict
from sipaudit.model.profile import Profile, Vendor
from sipaudit.model.readings import ALWAYS, NEVER, WORLDS, Reading
from sipaudit.model.replay import replay
from sipaudit.model.settings import EntryServer, LineSettings, Origin, ServerEntry, Setting
from tests.model.phone import Habits, Network, Phone, live

KEYS = ["10.0.0.1:5060", "10.0.0.2:5060", "10.0.0.3:5060"]
ENTRY = ServerEntry("sbc", tuple(EntryServer(key[:-5], 5060, "udp", number) for number, key in enumerate(KEYS, 1)),
                    dns_ttl=120)


def profile(habits: Habits | None, firmware: str | None = "4.0.1") -> Profile:
    values: dict[str, int | str] = {} if habits is None else {
        "reRegisterOn": int(habits.re_register), "failRegistrationOn": int(habits.fail_registration),
        "onlySignalWithRegistered": 1, "failBack.mode": habits.mode, "failBack.timeout": habits.timeout,
        "expires": habits.expires, "retryTimeOut": 0, "retryMaxCount": 3,
    }
    known = {name: Setting(value, "test", Origin.EXPLICIT) for name, value in values.items()}
    return Profile(LineSettings(known, declared=habits is not None), entry=ENTRY, vendor=Vendor.MODELLED,
                   firmware=firmware, vouched=True, covered_from=-1e6, heard=frozenset(KEYS))


def observed(events: Sequence[ModelEvent], known: Profile) -> list[Observation]:
    return [observation for step in replay(events, known) for observation in step.observations]


# -- any history at all

METHODS = ["REGISTER", "INVITE", "SUBSCRIBE", "OPTIONS", "BYE"]


@st.composite
def histories(draw: st.DrawFn) -> list[ModelEvent]:
    """Event strings that no phone need have produced: answers to nothing, failures out of the blue."""
    events: list[ModelEvent] = []
    now, sent = 0.0, []
    for number in range(draw(st.integers(0, 25))):
        now += draw(st.sampled_from([0.0, 0.05, 0.6, 4.0, 35.0, 61.0, 1800.0]))
        server, method = draw(st.sampled_from(KEYS)), draw(st.sampled_from(METHODS))
        kind = draw(st.sampled_from(["sent", "sent", "sent", "answer", "answer", "resent", "failed", "other"]))
        if kind == "sent" or not sent:
            expires = draw(st.sampled_from([None, 0.0, 60.0, 3600.0])) if method == "REGISTER" else None
            sent.append(Sent(now, 0, number, 0, 0, server, method, number + 1, in_dialog=method == "BYE",
                             expires=expires))
            events.append(sent[-1])
        elif kind == "answer":
            request = draw(st.sampled_from(sent))
            status = draw(st.sampled_from([100, 180, 200, 200, 200, 302, 401, 403, 480, 486, 503]))
            events.append(Answered(now, 0, number, 0, 0, request.server, request.method, request.transaction, status,
                                   sent=request.time, in_dialog=request.in_dialog, asked=request.expires,
                                   granted=draw(st.sampled_from([None, 0.0, 60.0, 3600.0])), own=True))
        elif kind == "resent":
            request = draw(st.sampled_from(sent))
            events.append(Resent(now, 0, number, 0, 0, request.server, request.method, request.transaction))
        elif kind == "failed":
            events.append(Failed(now, 0, number, 0, 0, server, FailureKind.ICMP, now))
        else:
            events.append(draw(st.sampled_from([
                Booted(now, 0, number, 0, 0, True), Booted(now, 0, number, 0, 0, False),
                Lost(now, 0, number, 0, 0, "x"),
                EntryChanged(now, 0, number, 0, 0, "sbc", now + 60, 60, 120, False),
                EntryChanged(now, 0, number, 0, 0, "sbc", now + 60, 60, 120, True),
            ])))
    return events


HABITS = [Habits(re_register, fail, mode) for re_register, fail in ((False, False), (True, False), (True, True))
          for mode in ("newRequests", "DNSTTL", "registration", "duration")]
ANY_HABITS = st.sampled_from([None, *HABITS])


@settings(max_examples=300, deadline=None)
@given(histories(), ANY_HABITS)
def test_no_history_raises_and_the_same_history_gives_the_same(events: list[ModelEvent], habits: Habits | None) -> None:
    assert observed(events, profile(habits)) == observed(events, profile(habits))


@settings(max_examples=200, deadline=None)
@given(histories(), st.sampled_from(HABITS), st.integers(1, 1 << 20))
def test_a_history_shifted_in_time_is_judged_alike(events: list[ModelEvent], habits: Habits, shift: int) -> None:
    moved = [_shifted(event, float(shift)) for event in events]
    known = profile(habits)
    later = replace(known, covered_from=known.covered_from + shift)
    before, after = observed(events, known), observed(moved, later)
    assert [(o.expectation, o.verdict, o.reason, o.assumptions) for o in before] == [
        (o.expectation, o.verdict, o.reason, o.assumptions) for o in after]


def _shifted(event: ModelEvent, shift: float) -> ModelEvent:
    changes = {name: getattr(event, name) + shift for name in ("time", "sent", "until")
               if getattr(event, name, None) is not None}
    return replace(event, **changes)


@settings(max_examples=200, deadline=None)
@given(histories(), st.sampled_from(HABITS), st.sampled_from(["4.0.1", None]))
def test_masks_judge_as_one_replay_a_world_would(
    events: list[ModelEvent], habits: Habits, firmware: str | None
) -> None:
    known = profile(habits, firmware)
    worlds = [{_place(one): one.verdict for one in _observed_in_world(world, events, known)}
              for world in range(WORLDS)]
    for fast in observed(events, known):
        slow = [world.get(_place(fast), Verdict.CONFORMED) for world in worlds]
        condemned = [verdict.deviates for verdict in slow]
        if fast.verdict.deviates:
            assert all(condemned)
        elif fast.verdict is Verdict.CONFORMED:
            assert not any(condemned)
        else:
            assert any(condemned) != all(condemned) or Verdict.INCONCLUSIVE in slow


def _place(observation: Observation) -> tuple[ModelEvent, str]:
    return observation.event, observation.expectation


def _observed_in_world(world: int, events: list[ModelEvent], known: Profile) -> list[Observation]:
    """The slow oracle: every reading settled one way before the replay begins."""

    def settled(reading: Reading) -> int:
        return ALWAYS if world >> reading & 1 else NEVER

    with patch.dict(readings.TAKEN, {reading: settled(reading) for reading in Reading}):
        return observed(events, known)


# -- phones that obey, and phones that do not

def plan(seed: int) -> Network:
    """Servers that fail and come back, never all at once for long."""
    chance = random.Random(seed)
    outages: dict[str, list[tuple[float, float, str]]] = {}
    now = 0.0
    while now < 3000:
        now += chance.uniform(60, 500)
        server = chance.choice(KEYS)
        end = now + chance.uniform(10, 600)
        outages.setdefault(server, []).append((now, end, chance.choice(["silent", "silent", "icmp", "503"])))
        now = end
    return Network(outages)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("servers", [2, 3])
def test_a_perfect_phone_is_never_accused(seed: int, servers: int) -> None:
    for habits in HABITS:
        phone = Phone(habits, plan(seed), KEYS[:servers])
        accused = [o for o in observed(live(phone, 3600, seed), profile(habits))
                   if o.verdict in (Verdict.EARLY, Verdict.FORBIDDEN)]
        assert accused == [], habits


@pytest.mark.parametrize("habits", [habits for habits in HABITS if habits.re_register],
                         ids=lambda habits: f"{habits.mode}-{int(habits.fail_registration)}")
def test_a_phone_that_does_not_wait_for_its_200_is_accused(habits: Habits) -> None:
    found = 0
    for seed in range(20):
        careless = Habits(**{**vars(habits), "careless": True})
        phone = Phone(careless, plan(seed), KEYS[:2])
        times = {o.event.time for o in observed(live(phone, 3600, seed), profile(habits))
                 if o.verdict is Verdict.FORBIDDEN}
        assert times <= set(phone.ungated)
        found += len(times)
    assert found > 0


@pytest.mark.parametrize("habits", [habits for habits in HABITS if habits.mode != "newRequests"],
                         ids=lambda habits: f"{habits.mode}-{int(habits.re_register)}{int(habits.fail_registration)}")
def test_a_phone_that_returns_too_early_is_accused(habits: Habits) -> None:
    found = 0
    for seed in range(20):
        impatient = Habits(**{**vars(habits), "impatient": True})
        phone = Phone(impatient, plan(seed), KEYS[:2])
        times = {o.event.time for o in observed(live(phone, 3600, seed), profile(habits))
                 if o.verdict is Verdict.EARLY}
        assert times <= set(phone.early)
        found += len(times)
    assert found > 0


def test_every_reading_can_decide_a_verdict() -> None:
    """A reading that no condition asks for would be dead weight in every mask."""
    folder = Path(conditions.__file__).parent
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    asked = {name for name in Reading if f"Reading.{name.name}" in source}
    assert asked == set(Reading)


def test_every_row_of_the_table_condemns_somewhere() -> None:
    combinations = {(row.expectation, row.clause) for row in table.MUST_NOT}
    seen = set()
    for habits, seed in itertools.product(HABITS, range(10)):
        broken = Habits(**{**vars(habits), "impatient": True, "careless": True})
        for o in observed(live(Phone(broken, plan(seed), KEYS[:2]), 3600, seed), profile(habits)):
            if o.verdict in (Verdict.EARLY, Verdict.FORBIDDEN):
                seen.add((o.expectation, o.clause))
    assert seen == combinations
