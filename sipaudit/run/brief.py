"""A job understood: what of it can be checked before a packet is read."""

from __future__ import annotations

from dataclasses import dataclass

from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.rules import RulePack
from sipaudit.rulebook.suppress import Suppressions, load_suppressions
from sipaudit.run.job import Job
from sipaudit.run.scope import Scope, scope_of


@dataclass(frozen=True)
class Brief(Scope):
    """The scope of a job, the rules in force and the findings that shall not count."""

    pack: RulePack
    suppressions: Suppressions


def understand(job: Job, scope: Scope | None = None) -> Brief:
    """Read the files that a job names, and its times; (`scope`) but for those that were read. Raises InputError or
    InputErrors."""
    known = scope or scope_of(job)
    pack = load_pack(job.rules)
    return Brief(**vars(known), pack=pack, suppressions=load_suppressions(job.suppress, known.zone, pack.known))
