"""The shared public captures, judged: they contain no failover, so nothing beyond infos may be reported.

Each is analysed as it comes, and with a site file in which its servers are one failover list of phones, in every
regime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sipaudit import pipeline
from sipaudit.model.values import Report, Severity
from tests.shared import CAPTURES, CORPORA, needs_captures
from tests.stories import MINUTE, R0, R1, R2, R3, Settings

FILES = [str(path.relative_to(CAPTURES)) for path in CORPORA]
DECLARED: dict[str, Settings] = {
    f"{name} {mode}": {**regime, **settings}
    for name, regime in (("R0", R0), ("R1", R1), ("R2", R2), ("R3", R3))
    for mode, settings in (("duration", MINUTE), ("newRequests", {}))
}


def analyzed(name: str, site: Path | None = None) -> Report:
    job = pipeline.Job(paths=(str(CAPTURES / name),), site=None if site is None else str(site))
    return pipeline.analyze(job, warn=lambda _: None)


def declared(report: Report, settings: Settings) -> dict[str, Any]:
    """A site file in which all servers of the report are one entry."""
    servers = []
    for server in report.servers:
        place, _, transport = server.server.rpartition("/")
        host, _, port = place.rpartition(":")
        servers.append({"address": host.strip("[]"), "port": int(port), "transport": transport})
    return {"entries": {"sbc": servers}, "lines": [{"match": {}, "entry": "sbc", "settings": settings}]}


def accusations(report: Report) -> list[str]:
    return [f"{finding.rule} of {finding.line}: {finding.observed}" for finding in report.findings
            if finding.severity is not Severity.INFO]


@needs_captures
@pytest.mark.parametrize("name", FILES)
def test_nobody_is_accused(name: str, tmp_path: Path) -> None:
    report = analyzed(name)
    assert accusations(report) == []
    for number, settings in enumerate(DECLARED.values() if report.servers else ()):
        site = tmp_path / f"{number}.yaml"
        site.write_text(yaml.safe_dump(declared(report, settings)))
        judged = analyzed(name, site)
        assert accusations(judged) == []
        assert [line.entry for line in judged.lines] == ["sbc"] * len(judged.lines)


@needs_captures
def test_there_are_phones_to_be_judged_in_them() -> None:
    """Several lines talk to more than one server, so the declared site files can make a difference."""
    reports = [analyzed(name) for name in FILES if "8Wenders8" in name or "nDPI/sip.pcap" in name]
    assert sum(len(report.lines) for report in reports) >= 10
    assert sum(len(report.servers) > 1 for report in reports) >= 3
