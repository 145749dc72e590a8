"""The part of a job that decides what is read: the servers and phones that are declared, and times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import partial
from typing import TypeVar

from sipaudit.errors import InputError, collecting, raise_together
from sipaudit.run.job import Job
from sipaudit.settings.catalogue import parse_set
from sipaudit.settings.declaring import Declarations
from sipaudit.settings.site import Site, load_site
from sipaudit.times import When, parse_event, parse_time, parse_zone, zone_doubt

Read = TypeVar("Read")


@dataclass(frozen=True)
class Scope:
    """The declarations, times that are resolved by the first packet, and known events."""

    declared: Declarations
    zone: tzinfo
    start: When | None
    end: When | None
    events: tuple[tuple[When, str], ...]

    @property
    def site(self) -> Site:
        """The site file, overridden by `--set`."""
        return self.declared.site

    @property
    def warnings(self) -> tuple[str, ...]:
        """Oddities in it that are no errors."""
        doubt = zone_doubt(self.zone)
        return (*(() if doubt is None else (doubt,)), *self.site.warnings)


def scope_of(job: Job) -> Scope:
    """Read the site and provisioning files that a job names, and its times. Raises InputErrors with all errors in any
    of them, and in what is otherwise read later."""
    faults = _Faults()
    zone = faults.of(lambda: parse_zone(job.zone)) or UTC
    site = (None if job.site is None else faults.of(partial(load_site, job.site))) or Site()
    events = [faults.of(partial(parse_event, event.text, zone, option="events", file=event.file, line=event.line))
              for event in site.events]
    events += [faults.of(partial(parse_event, text, zone)) for text in job.events]
    settings = faults.of(lambda: parse_set(job.settings, job.settings_option))
    declared = faults.of(lambda: Declarations(site, job.config, settings))
    start = None if job.start is None else faults.of(partial(parse_time, job.start, zone, option="--from"))
    end = None if job.end is None else faults.of(partial(parse_time, job.end, zone, option=job.end_option))
    if faults.errors:
        from sipaudit.capture.files import must_be_captures

        faults.of(partial(must_be_captures, job.paths))
        faults.errors += wrong_later(job, zone)
    raise_together(faults.errors)
    assert declared is not None
    return Scope(declared, zone, start, end, tuple(event for event in events if event is not None))


def wrong_later(job: Job, zone: tzinfo) -> list[InputError]:
    """The errors in files that are read later, while another process already reads the captures."""
    from sipaudit.rulebook.in_force import load_rules
    from sipaudit.run.hiding import hiding_for

    faults = _Faults()
    faults.of(partial(load_rules, job.rules, job.suppress, zone))
    faults.of(partial(hiding_for, job.redact, job.redact_key))
    return faults.errors


class _Faults:
    """Collects the errors of several inputs, to be raised together."""

    def __init__(self) -> None:
        self.errors: list[InputError] = []

    def of(self, read: Callable[[], Read]) -> Read | None:
        """The result of `read`, None if it raises InputError."""
        with collecting(self.errors):
            return read()
        return None
