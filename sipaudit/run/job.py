"""What the user asked for, and what of it can be checked before a packet is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo

from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.rules import RulePack
from sipaudit.rulebook.suppress import Suppressions, load_suppressions
from sipaudit.settings.catalogue import parse_set
from sipaudit.settings.declaring import Declarations
from sipaudit.settings.site import Site, load_site
from sipaudit.times import When, parse_event, parse_time, parse_zone


@dataclass(frozen=True)
class Job:
    """The options that analyze, phones, ladder and events share (contract.md 1), as texts of the command line."""

    paths: tuple[str, ...]
    site: str | None = None
    config: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    engine: str = "auto"
    bpf: str | None = None
    keylog: str | None = None
    start: str | None = None
    end: str | None = None
    zone: str = "local"
    events: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    suppress: str | None = None
    redact: bool = False
    redact_key: str | None = None
    end_option: str = "--to"
    jobs: int | None = None

    def until(self, time: str, option: str) -> Job:
        """The same job, read no further than `time` (a TIME), which `option` gave."""
        return replace(self, end=time, end_option=option)


@dataclass(frozen=True)
class Brief:
    """A job understood: what is declared, times that wait for the first packet, known events, the rules in force and
    the findings that shall not count."""

    declared: Declarations
    zone: tzinfo
    start: When | None
    end: When | None
    events: tuple[tuple[When, str], ...]
    pack: RulePack
    suppressions: Suppressions

    @property
    def site(self) -> Site:
        """The site file, with `--set` over it."""
        return self.declared.site


def understand(job: Job) -> Brief:
    """Read the files that a job names, and its times. Raises InputError or InputErrors."""
    zone = parse_zone(job.zone)
    site = load_site(job.site) if job.site is not None else Site.empty()
    known = [parse_event(event.text, zone, option="events", file=event.file, line=event.line)
             for event in site.events]
    said = [parse_event(text, zone) for text in job.events]
    pack = load_pack(job.rules)
    return Brief(
        declared=Declarations(site, job.config, parse_set(job.settings)),
        zone=zone,
        start=None if job.start is None else parse_time(job.start, zone, option="--from"),
        end=None if job.end is None else parse_time(job.end, zone, option=job.end_option),
        events=(*known, *said),
        pack=pack,
        suppressions=load_suppressions(job.suppress, zone, pack.known),
    )
