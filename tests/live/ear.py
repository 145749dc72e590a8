"""A probe that is fed with stories instead of a port, and whose clock the test sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from sipaudit.capture.decode import Decoder
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.linktypes import ETHERNET
from sipaudit.live.checkpoint import Checkpoint
from sipaudit.live.journal import Journal
from sipaudit.live.limits import Limits
from sipaudit.live.probe import Probe
from sipaudit.live.teller import Teller
from sipaudit.live.upkeep import Upkeep
from sipaudit.live.vitals import Vitals
from sipaudit.model.sayings import FindingSaid, IncidentSaid, Saying, Withdrawn
from sipaudit.run.brief import Brief, understand
from sipaudit.run.job import Job
from sipaudit.sip.datagram import Item
from tests.stories import Packet, Story
from tests.wire import ORIGIN


class Wire:
    """A source whose packets arrive when the test says so."""

    blind = 0.0
    away = False
    by_our_clock = True
    taps = 1

    def __init__(self, capture: int = 0) -> None:
        self.capture = capture
        self.health = CaptureHealth("wire")
        self.reader = Decoder([self.health] * (capture + 1))
        self._come: list[Packet] = []

    def come(self, packets: Sequence[Packet]) -> None:
        self._come += packets

    def descriptors(self) -> Sequence[int]:
        return ()

    def read(self) -> Sequence[Item]:
        items: list[Item] = []
        for packet in self._come:
            self.health.packets += 1
            time = ORIGIN + packet.time
            self.health.first = time if self.health.first is None else self.health.first
            self.health.last, self.health.at = max(time, self.health.last or time), time
            items += self.reader.decode((time, self.health.packets, ETHERNET, packet.frame, 0),
                                        self.capture)
        self._come = []
        return items

    def position(self) -> int:
        return self.health.packets

    def go_on(self, position: int) -> bool:
        self.health.packets = position
        return False

    def place(self, frame: int) -> tuple[str, int | None]:
        return "wire", frame

    def close(self) -> None:
        pass


class Ear:
    """A probe with its teller. Its clock shows seconds after ORIGIN, like the times of the packets."""

    def __init__(self, folder: Path, declared: dict[str, Any], *, began: float = ORIGIN - 50_000, wires: int = 1
                 ) -> None:
        self._site = folder / "site.yaml"
        self.wires = [Wire(capture) for capture in range(wires)]
        self.wire = self.wires[0]
        self.probe = Probe(self._understood(declared), self.wires, began)
        self.set_ahead = 0.0   # seconds by which the wall clock was set wrong since the beginning
        self.said: list[Saying] = []
        self.tells(Teller(self.probe))

    def tells(self, teller: Teller) -> None:
        """Use this teller from now on."""
        self.teller = teller
        self.probe.clock_sets, self.probe.clock_was_set = self._say_all, teller.set_back

    def _say_all(self) -> None:
        self.said += self.teller.turn(self.probe.newest, at_last=True)

    def _understood(self, declared: dict[str, Any]) -> Brief:
        self._site.write_text(yaml.safe_dump(declared))
        return understand(Job((), site=str(self._site), zone="utc"))

    def obeys(self, declared: dict[str, Any]) -> None:
        """Put another site file in force."""
        self.probe.obey(self._understood(declared))
        self.teller.files_changed()

    def hears(self, story: Story, since: float = float("-inf"), until: float = float("inf"), clock: float | None = None
              ) -> list[Saying]:
        """Feed the packets of a story after `since` and up to `until`, each at its own time or all at `clock`; return
        what is said."""
        said = []
        for packet in sorted(story.packets, key=lambda packet: packet.time):
            if since < packet.time <= until:
                self.wire.come([packet])
                said += self.turn(packet.time if clock is None else clock, read=True)
        return said

    def turn(self, clock: float, *, read: bool = False) -> list[Saying]:
        """One turn of the loop at this clock; return what is said."""
        self.probe.look_at_clocks(ORIGIN + clock + self.set_ahead, clock)
        count = self.probe.read(clock)
        self.probe.pass_time(clock, drained=not (read and count))
        said = list(self.teller.turn(self.probe.now(clock)))
        self.said += said
        return said

    def again(self, folder: Path, *, after: float) -> Ear:
        """Another process that goes on from the present state of this one, started `after` seconds later."""
        return self.goes_on(self.keeps(folder), after=after)

    def keeps(self, folder: Path) -> Checkpoint:
        """Write a checkpoint of the present state."""
        checkpoint = Checkpoint(str(folder / "state"), print)
        checkpoint.write(self.probe, self.teller, "run")
        return checkpoint

    def notes_in(self, journal: Journal, since: int = 0) -> None:
        """Note in the journal all that was said so far, as at the end of a turn. Nothing is closed, as in a kill."""
        for saying in self.said[since:]:
            journal.take(saying)
        journal.turn(0.0)
        assert journal.is_written(60)

    def goes_on(self, checkpoint: Checkpoint, *, after: float) -> Ear:
        """Another process that goes on from the checkpoint `after` seconds later. It reads the same, whether the first
        process was killed or ended."""
        folder = checkpoint.path.parent
        other = Ear(folder, yaml.safe_load((folder / "site.yaml").read_text()))
        kept = checkpoint.read(other.probe)
        assert kept is not None
        other.wire.go_on(kept.positions[0])
        other.probe.go_on(kept.probe, kept.time, kept.time + after, kept.blind, begun=kept.begun)
        other.tells(kept.teller)
        if after:
            kept.teller.begins_anew()
        if other.probe.newest < kept.time:
            kept.teller.set_back()
        return other

    def finish(self, clock: float) -> list[Saying]:
        self.probe.finish()
        said = list(self.teller.turn(self.probe.now(clock), at_last=True))
        self.said += said
        return said


def findings(said: Sequence[Saying]) -> list[str]:
    return [one.finding.rule for one in said if isinstance(one, FindingSaid)]


def incidents(said: Sequence[Saying]) -> list[str]:
    return [f"{one.incident.kind} {one.incident.state}" for one in said if isinstance(one, IncidentSaid)]


def withdrawn(said: Sequence[Saying]) -> list[str]:
    return [f"{one.id} {one.reason}" for one in said if isinstance(one, Withdrawn)]


def vitals(ear: Ear) -> Vitals:
    return Vitals(ear.probe, Upkeep(ear.probe, Limits(None), [ear.wire.reader]))
