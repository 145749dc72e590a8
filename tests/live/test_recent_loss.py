"""The recent loss of the sources, and its effect on what is said."""

from __future__ import annotations

from pathlib import Path

from sipaudit.capture.health import CaptureHealth
from sipaudit.live.loss import RecentLoss
from sipaudit.model.sayings import FindingSaid, Saying, UndecidedSaid, Withdrawn
from sipaudit.model.values import Confidence, Reason
from sipaudit.reconstruct.traffic import Traffic
from tests.live.ear import Ear, findings
from tests.stories import MINUTE, R2, Handset, P, S, Story, site

EARLY = "premature-failback"


def test_a_loss_counts_over_the_last_minute_and_the_last_ten_and_is_then_forgotten() -> None:
    health, loss = CaptureHealth("eth1", kernel_drops=0), RecentLoss()
    shares = []
    for second in range(0, 1500, 5):
        health.packets += 1000
        if second == 300:
            health.kernel_drops = 500
        loss.mark(float(second), [health], {})
        shares.append(loss.share)
    at = dict(zip(range(0, 1500, 5), shares, strict=True))
    assert at[295] == 0
    assert 0.03 < at[305] < 0.05      # 500 of the minute's 12,500
    assert 0.003 < at[600] < 0.008    # 500 of the ten minutes' 120,000
    assert at[905] == 0


def test_what_the_card_lost_counts_as_well() -> None:
    health, loss = CaptureHealth("eth1", packets=1000, kernel_drops=0), RecentLoss()
    loss.mark(0.0, [health], {})
    health.packets, health.interface_drops = 1900, 100
    loss.mark(10.0, [health], {})
    assert loss.share == 0.1


def test_halves_that_are_missing_count_against_the_messages_of_the_same_time() -> None:
    health, loss, traffic = CaptureHealth("hep"), RecentLoss(), Traffic()
    traffic.methods["REGISTER"], traffic.missing_halves = 1000, 10
    loss.mark(0.0, [health], {0: traffic})
    traffic.methods["REGISTER"], traffic.missing_halves = 1900, 110
    loss.mark(10.0, [health], {0: traffic})
    assert loss.share == 0.1


def early_return(ear: Ear, *, drops: int) -> list[FindingSaid]:
    """A phone returns much too soon, while the kernel drops packets."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    phone.fail_over(300)
    ear.wire.health.kernel_drops = 0
    ear.hears(story, until=320)
    ear.wire.health.kernel_drops = drops
    ear.turn(320)
    phone.register(330, P)
    phone.call(331, P)
    ear.hears(story, since=325)
    ear.turn(400)
    return [one for one in ear.said if isinstance(one, FindingSaid) and one.finding.rule == EARLY]


def test_a_finding_in_the_midst_of_drops_is_likely_only(tmp_path: Path) -> None:
    ear = Ear(tmp_path, site({**R2, **MINUTE}, P, S))
    assert {one.finding.confidence for one in early_return(ear, drops=0)} == {Confidence.CERTAIN}
    other = Ear(tmp_path, site({**R2, **MINUTE}, P, S))
    assert {one.finding.confidence for one in early_return(other, drops=50)} == {Confidence.LIKELY}
    assert findings(other.said)


def test_a_file_that_is_read_in_one_lacks_what_it_lacks_and_not_what_came_within_a_minute_of_reading() -> None:
    """Catching up with a followed directory takes seconds, in which hours of packets are read."""
    health, loss = CaptureHealth("ring"), RecentLoss()
    loss.mark(1_000_000.0, [health], {})    # the beginning, by our clock
    health.packets, health.kernel_drops = 9_000, 1_000
    loss.mark(300.0, [health], {})          # the packets are older
    assert loss.share == 0.1
    health.packets += 10_000
    loss.mark(4_000.0, [health], {})
    assert loss.share == 0


def unregistered(ear: Ear, *, drops: int = 0, later: int = 0) -> list[Saying]:
    """A line calls at a server where it did not register while `drops` packets are dropped, and `later` much later."""
    story = Story()
    phone = Handset(story)
    phone.register(0)
    phone.fail_over(300, registers=False)
    ear.wire.health.kernel_drops = 0
    ear.hears(story, until=100)
    ear.wire.health.kernel_drops = drops
    ear.hears(story, since=100)
    for second in range(440, 1500, 5):
        ear.wire.health.packets += 10
        ear.turn(second)
    ear.wire.health.kernel_drops += later
    ear.wire.health.packets += 10
    ear.turn(1505)
    return [one for one in ear.said if isinstance(one, FindingSaid | Withdrawn)]


def test_a_loss_speaks_of_what_was_found_near_it_and_of_nothing_before_or_after(tmp_path: Path) -> None:
    declared = site({**R2, **MINUTE}, P, S)
    whole = unregistered(Ear(tmp_path, declared))
    assert {type(one) for one in whole} == {FindingSaid}
    assert not unregistered(Ear(tmp_path, declared), drops=50)   # nor when the loss is long past
    again = unregistered(Ear(tmp_path, declared), later=500)     # neither the finding nor an outage is withdrawn
    assert {type(one) for one in again} == {FindingSaid}


def test_what_stands_at_the_end_is_not_taken_back_because_it_was_doubtful(tmp_path: Path) -> None:
    """Packets are missing, but too few to leave open a finding that rests on an absent packet: it is likely."""
    ear = Ear(tmp_path, site({**R2, **MINUTE}, P, S))
    ear.wire.health.packets, ear.wire.health.kernel_drops = 10_000, 0
    story = Story()
    phone = Handset(story)
    phone.register(0)
    phone.fail_over(300, registers=False)
    ear.hears(story, until=100)
    ear.wire.health.kernel_drops = 60
    ear.wire.health.packets += 10_000
    ear.hears(story, since=100)
    ear.finish(440)
    assert {one.finding.confidence for one in ear.said if isinstance(one, FindingSaid)} == {Confidence.LIKELY}
    assert not [one for one in ear.said if isinstance(one, Withdrawn)]


def test_what_a_loss_leaves_open_shortly_before_the_end_is_counted(tmp_path: Path) -> None:
    """Undecided is not the same as not found."""
    ear = Ear(tmp_path, site({**R2, **MINUTE}, P, S))
    ear.wire.health.kernel_drops = 0
    story = Story()
    phone = Handset(story)
    phone.register(0)
    phone.fail_over(300, registers=False)
    ear.hears(story, until=100)
    ear.wire.health.kernel_drops = 50
    ear.hears(story, since=100)
    ear.finish(310)
    left_open = {(one.inconclusive.rule, one.inconclusive.reason) for one in ear.said if isinstance(one, UndecidedSaid)}
    assert ("signalling-to-unregistered-server", Reason.LOSS_NEARBY) in left_open
    assert not findings(ear.said)
