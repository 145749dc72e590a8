"""What of a job says what is read: what is declared of servers and phones, and times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from sipaudit.errors import InputError, InputErrors
from sipaudit.run.job import Job
from sipaudit.settings.catalogue import parse_set
from sipaudit.settings.declaring import Declarations
from sipaudit.settings.site import Site, load_site
from sipaudit.times import When, parse_event, parse_time, parse_zone


@dataclass(frozen=True)
class Scope:
    """What is declared, times that wait for the first packet, and known events."""

    declared: Declarations
    zone: tzinfo
    start: When | None
    end: When | None
    events: tuple[tuple[When, str], ...]

    @property
    def site(self) -> Site:
        """The site file, with `--set` over it."""
        return self.declared.site


def scope_of(job: Job) -> Scope:
    """Read the site and provisioning files that a job names, and its times. Raises InputError or InputErrors."""
    zone = parse_zone(job.zone)
    site = load_site(job.site) if job.site is not None else Site.empty()
    events = _events(site, job, zone)
    return Scope(
        declared=Declarations(site, job.config, parse_set(job.settings, job.settings_option)),
        zone=zone,
        start=None if job.start is None else parse_time(job.start, zone, option="--from"),
        end=None if job.end is None else parse_time(job.end, zone, option=job.end_option),
        events=events,
    )


def _events(site: Site, job: Job, zone: tzinfo) -> tuple[tuple[When, str], ...]:
    """The events of the site file and of `--event`. Raises InputErrors with all that cannot be read."""
    events: list[tuple[When, str]] = []
    errors: list[InputError] = []
    for text, option, file, line in [*((event.text, "events", event.file, event.line) for event in site.events),
                                     *((text, "--event", None, None) for text in job.events)]:
        try:
            events.append(parse_event(text, zone, option=option, file=file, line=line))
        except InputError as error:
            errors.append(error)
    if errors:
        raise InputErrors(errors)
    return tuple(events)
