"""A capture of a fault, and the directory that `-o` writes for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.model.values import Report
from sipaudit.pipeline import Job, Output, analyze
from sipaudit.sip.datagram import Datagram
from tests.frames import write_pcap
from tests.stories import MINUTE, R2, Handset, Story, site
from tests.wire import ORIGIN

EARLY = "premature-failback"


def early_return(transport: str = "udp", story: Story | None = None, **known: Any) -> Story:
    """A phone that goes back to the first server after about half a minute instead of a whole one."""
    story = story or Story()
    phone = Handset(story, transport=transport, **known)
    phone.register(0)
    phone.fail_over(300)
    phone.register(336)
    return story


def written(story: Story, path: Path, *, snaplen: int | None = None, first: float = -7200.0) -> Path:
    """The story as a capture whose first packet is at `first` seconds, by default two hours before it."""
    return write_pcap(path, [(ORIGIN + first, bytes(60)), *story.frames()], snaplen=snaplen)


def site_file(folder: Path, **more: Any) -> str:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(site({**R2, **MINUTE}, **more)))
    return str(path)


def judged(folder: Path, *captures: Path, evidence: int | None = None, job: dict[str, Any] | None = None
           ) -> tuple[Report, Path]:
    """The report, and the directory with its files."""
    out = folder / "out"
    wanted = Job(tuple(map(str, captures)), site=site_file(folder), zone="utc", **job or {})
    return analyze(wanted, output=Output(str(out), evidence), warn=lambda _: None), out


def messages(path: Path) -> Iterator[Datagram]:
    """All SIP messages of a capture file."""
    return (item for item in Captures(resolve((str(path),)).files, engine="libpcap") if isinstance(item, Datagram))
