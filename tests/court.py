"""Judges stories: writes the capture and the site file, runs the whole route, and returns the findings as lines of
text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from sipaudit import pipeline
from sipaudit.capture.write import Endpoint, ethernet_frame, udp_packet
from sipaudit.model.values import Severity
from tests.frames import write_pcap
from tests.handset import P, S
from tests.tap import STRANGERS, Story
from tests.wire import ORIGIN

COVERED = 50_000.0        # seconds that the capture shows before a story begins, unless it says otherwise

R0 = {"reRegisterOn": 0}
R1 = {"reRegisterOn": 1, "failRegistrationOn": 0}
R2 = {"reRegisterOn": 1, "failRegistrationOn": 1, "onlySignalWithRegistered": 1}
R3 = {"reRegisterOn": 1, "failRegistrationOn": 1, "onlySignalWithRegistered": 0}
MINUTE = {"failBack.mode": "duration", "failBack.timeout": 60}

Settings = dict[str, Any]


def site(settings: Settings | None, *servers: Endpoint, ttl: int | None = None, priorities: tuple[int, ...] = (),
         match: Settings | None = None, **more: Any) -> dict[str, Any]:
    """A site file with one entry, `sbc`, and one item of lines. `settings` None: no settings are declared."""
    listed = [{"address": host, "port": port} for host, port in servers or (P, S)]
    for server, priority in zip(listed, priorities, strict=False):
        server["priority"] = priority
    entry: dict[str, Any] = {"servers": listed} | ({"dns_ttl": ttl} if ttl is not None else {})
    line: dict[str, Any] = {"match": match or {}, "entry": "sbc"}
    if settings is not None:
        line["settings"] = settings
    return {"entries": {"sbc": entry}, "lines": [line], **more}


class Court:
    """Judges stories in a folder of its own. For rules not in `about` (None: all rules) it returns only errors and
    warnings, no infos and no open checks."""

    def __init__(self, folder: Path, about: Sequence[str] | None = None) -> None:
        self.folder = folder
        self.about = about
        self.count = 0

    def __call__(self, story: Story | list[Story], declared: dict[str, Any] | None, *, covered: float = COVERED,
                 **job: Any) -> list[str]:
        """The findings (`335.000 premature-failback 1001 10.0.0.1 certain`) and the open checks
        (`? premature-failback started-later`), sorted. Several stories are the captures of several taps."""
        report = self.report(story, declared, covered=covered, **job)
        found = [
            " ".join([f"{(finding.time or 0.0) - ORIGIN:.3f}", finding.rule, finding.line[4:].partition("@")[0],
                      (finding.server or "").rpartition(":")[0], finding.confidence, *finding.assumptions])
            for finding in report.findings if self._is_asked(finding.rule) or finding.severity is not Severity.INFO
        ]
        left_open = (f"? {row.rule} {row.reason}" for row in report.inconclusive if self._is_asked(row.rule))
        return sorted([*found, *left_open])

    def _is_asked(self, rule: str) -> bool:
        return self.about is None or rule in self.about

    def report(self, story: Story | list[Story], declared: dict[str, Any] | None, *, covered: float = COVERED,
               **job: Any) -> Any:
        """The whole report."""
        self.count += 1
        paths = [self._write(number, told, covered) for number, told in
                 enumerate([story] if isinstance(story, Story) else story)]
        where = None
        if declared is not None:
            file = self.folder / f"site{self.count}.yaml"
            file.write_text(yaml.safe_dump(declared))
            where = str(file)
        return pipeline.analyze(pipeline.Job(paths=tuple(paths), site=where, zone="utc", **job))

    def _write(self, number: int, story: Story, covered: float) -> str:
        """Write one capture; the first begins with a packet of unrelated hosts."""
        stray = [(ORIGIN - covered, ethernet_frame(udp_packet(*STRANGERS, b"\x80stray")))]
        path = self.folder / f"{self.count}-{number}.pcap"
        return str(write_pcap(path, (stray if covered and not number else []) + story.frames(), snaplen=story.snaplen))
