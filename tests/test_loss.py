"""Captures that lack packets: a deviation that the whole capture does not show must not be reported as certain."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from sipaudit.simulate.simulate import simulate
from tests.frames import frames_in
from tests.lives import NOBODY, declared, told
from tests.model.fleet.story import disobedient, plain
from tests.score import plans
from tests.shared import SAMPLE
from tests.stories import Court, Packet, Story
from tests.wire import ORIGIN

SHARES = [0.001, 0.01, 0.05]
RUNS = 60
SECONDS = 900.0
HOLES = [(2, 1021.0, 300.0), (46, 737.0, 90.0), (51, 895.0, 60.0), (53, 664.0, 90.0), (55, 866.0, 60.0)]
WRONGS = ("signalling-to-unregistered-server", "premature-failback")


@pytest.fixture
def court(tmp_path: Path) -> Court:
    return Court(tmp_path)


def story_of(capture: Path) -> Story:
    """The packets of a capture as a story, with times counted from ORIGIN as in all stories."""
    return Story([Packet(time - ORIGIN, frame, NOBODY, NOBODY) for time, frame in frames_in(capture)])


def accused(said: list[str]) -> dict[tuple[str, ...], str]:
    """The findings: time, rule, line and server, mapped to confidence and assumptions."""
    return {tuple(one.split()[:4]): " ".join(one.split()[4:]) for one in said if not one.startswith("?")}


@pytest.mark.parametrize("share", SHARES)
def test_a_perfect_phone_seen_with_gaps(court: Court, share: float) -> None:
    wrong: Counter[str] = Counter()
    for run in range(RUNS):
        history = plain(run, SECONDS)
        wrong.update(accused(court(told(history).thinned(share, run), declared(history.habits))).values())
    print(f"{share:.1%} lost: {dict(wrong)}")
    assert wrong["certain"] == 0


@pytest.mark.parametrize("share", SHARES)
def test_a_faulty_phone_seen_with_gaps(court: Court, share: float) -> None:
    """With gaps, no fault may be certain that the whole capture does not show, and at least half of the faults that it
    shows must still be found."""
    wrong: Counter[str] = Counter()
    known = found = 0
    for run in range(RUNS):
        history = disobedient(run, WRONGS[run % len(WRONGS)], SECONDS)
        story, site_file = told(history), declared(history.habits)
        truth = accused(court(story, site_file))
        seen = accused(court(story.thinned(share, run), site_file))
        wrong.update(said for fault, said in seen.items() if fault not in truth)
        known, found = known + len(truth), found + len(truth.keys() & seen.keys())
    print(f"{share:.1%} lost: {found} of {known} found, beside them {dict(wrong)}")
    assert wrong["certain"] == 0
    assert found >= known / 2


@pytest.mark.parametrize("share", SHARES)
def test_the_sample_seen_with_gaps(court: Court, share: float) -> None:
    whole = story_of(SAMPLE / "capture.pcap")
    site_file = yaml.safe_load((SAMPLE / "site.yaml").read_text())
    truth = accused(court(whole, site_file, covered=0))
    assert len(truth) == 2
    wrong: Counter[str] = Counter()
    found = 0
    for run in range(RUNS // 2):
        seen = accused(court(whole.thinned(share, run), site_file, covered=0))
        wrong.update(said for fault, said in seen.items() if fault not in truth)
        found += len(truth.keys() & seen.keys())
    print(f"{share:.1%} lost: {found} of {RUNS // 2 * len(truth)} found, beside them {dict(wrong)}")
    assert wrong["certain"] == 0


@pytest.mark.parametrize(("seed", "begins", "lasts"), HOLES)
def test_phones_that_obey_and_a_tap_that_was_away(court: Court, seed: int, begins: float, lasts: float) -> None:
    """Servers that were up when the tap went away may be down when it is back, and the phones may have moved."""
    plan = court.folder / "plan.yaml"
    plan.write_text(yaml.safe_dump(plans.obedient(seed), sort_keys=False))
    capture, declared, *_ = simulate(str(plan), str(court.folder / "plan.pcap"))
    whole = story_of(Path(capture))
    first = whole.packets[0].time + begins
    seen = whole.without(lambda packet: first <= packet.time < first + lasts)
    found = court(seen, yaml.safe_load(Path(declared).read_text()), covered=0)
    assert [said for said in found if "certain" in said] == []
