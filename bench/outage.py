"""A fleet in an outage, played by the simulator, to measure the cost of its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.captures import DATA


@dataclass(frozen=True)
class Outage:
    """A capture of `phones` phones in an hour in which their first server is out for ten minutes; one in twenty returns
    too soon."""

    name: str
    phones: int

    @property
    def path(self) -> Path:
        return DATA / f"{self.name}.pcap"

    @property
    def site(self) -> Path:
        return self.path.with_suffix(".yaml")

    @property
    def size(self) -> int:
        """The approximate size in bytes, an upper estimate."""
        return self.phones * 15_000

    def write(self, path: Path) -> None:
        """Write the capture to `path`, and its site file to `site`."""
        from bench.weeks import plan  # this and the rest are not needed where the capture is only measured
        from sipaudit.capture.write import PcapWriter
        from sipaudit.simulate.plan.read import read_plan
        from sipaudit.simulate.play import Play
        from sipaudit.simulate.site import site_text
        from sipaudit.simulate.wire.sink import Sink

        written = path.with_suffix(".plan.yaml")
        written.write_text(plan(self.phones, 1, outages=True))
        played = read_plan(str(written))
        self.site.write_text(site_text(played))
        with path.open("wb") as stream:
            Play(played, Sink(PcapWriter(stream), played.start)).run()

    def __str__(self) -> str:
        return f"{self.phones:,} phones in an outage"
