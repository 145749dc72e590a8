"""A job after parsing and checking: everything that can be checked before a packet is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sipaudit.errors import InputError
from sipaudit.rulebook.in_force import load_rules
from sipaudit.rulebook.rules import RulePack
from sipaudit.rulebook.suppress import Suppressions
from sipaudit.run.job import Job
from sipaudit.run.scope import Scope, scope_of
from sipaudit.settings.site import Site


@dataclass(frozen=True)
class Brief(Scope):
    """The scope of a job, the rules in force and the suppressions."""

    pack: RulePack
    suppressions: Suppressions


def understand(job: Job, scope: Scope | None = None) -> Brief:
    """Read the files that a job names, and its times; those of `scope` are not read again. Raises InputErrors."""
    known = scope or scope_of(job)
    pack, suppressions = load_rules(job.rules, job.suppress, known.zone)
    return Brief(**vars(known), pack=pack, suppressions=suppressions)


def understand_again(job: Job, before: Brief) -> Brief:
    """Read them once more. Also raises InputError for a pipe, which can only be read once, and for a site file that
    declared something `before` and declares nothing now, as one in the middle of being written does."""
    for path in (job.site, job.suppress, *job.rules, *job.config):
        if path is not None and Path(path).is_fifo():
            raise InputError("is a pipe, which cannot be read again", fix="name a file, or start anew", file=path)
    now = understand(job)
    if _declares(before.site) and not _declares(now.site):
        raise InputError("declares nothing any more", fix="start anew, if that is meant", file=job.site)
    return now


def _declares(site: Site) -> bool:
    return bool(site.entries or site.lines)
