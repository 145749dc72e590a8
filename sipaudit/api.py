"""The Python interface: captures in, pandas DataFrames out (docs/api.md).

`import sipaudit` does not load this module: `sipaudit.analyze`, `sipaudit.read_messages` and `sipaudit.Report` are
imported from here on first access.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from html import escape
from os import PathLike, fspath
from typing import TYPE_CHECKING, TypeVar

from sipaudit import pipeline
from sipaudit.errors import InputError
from sipaudit.model import values
from sipaudit.report import document, frames, html
from sipaudit.report.exhibits import worst_first
from sipaudit.report.verdict import sentences
from sipaudit.run.job import ENGINES
from sipaudit.safe_text import safe_text
from sipaudit.times import LocalZone, parse_zone

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Report", "analyze", "read_messages"]

PathName = str | PathLike[str]
Found = TypeVar("Found")

NOT_THE_CALLER = ("sipaudit.", "contextlib")   # modules between a warning and the caller's line
FINDINGS_SHOWN = 20      # rows shown in a notebook
VALUE_SHOWN = 300        # characters of one value shown there


class Report:
    """The result of `analyze`. The tables are made on first access; `document` is the report as values, with the same
    fields as `report.json`."""

    def __init__(self, found: values.Report) -> None:
        self.document = found

    @cached_property
    def findings(self) -> pd.DataFrame:
        """One row per deviation, ordered by id."""
        return frames.findings(self.document)

    @cached_property
    def lines(self) -> pd.DataFrame:
        """One row per line of a phone."""
        return frames.lines(self.document)

    @cached_property
    def moves(self) -> pd.DataFrame:
        """One row per move of a line from one server to another."""
        return frames.moves(self.document)

    @cached_property
    def registrations(self) -> pd.DataFrame:
        """One row per registration of a line at a server, including its refreshes."""
        return frames.registrations(self.document)

    @cached_property
    def incidents(self) -> pd.DataFrame:
        """One row per incident, with its metrics as columns."""
        return frames.incidents(self.document)

    def to_json(self) -> str:
        """The document that `--format json` prints."""
        return document.to_json(self.document).decode()

    def to_html(self, zone: str = "local") -> str:
        """The HTML page that `-o` writes, without the messages behind the findings; times are in `zone` (named as for
        `--tz`). Raises sipaudit.InputError for a zone that does not exist."""
        return html.render(self.document, parse_zone(zone, option="zone"), {}, {}, 0, evidence=frozenset()).decode()

    def __repr__(self) -> str:
        return " ".join(["sipaudit.Report:", *map(safe_text, sentences(self.document, LocalZone()))])

    def _repr_html_(self) -> str:
        """The verdict and the worst findings as HTML for notebooks; text from the wire is escaped."""
        worst = worst_first(self.document.findings)
        said = "".join(f"<p>{_html(sentence)}</p>" for sentence in sentences(self.document, LocalZone()))
        more = len(worst) - FINDINGS_SHOWN
        rest = f"<p>{more} more in <code>.findings</code></p>" if more > 0 else ""
        return f"<div>{said}{_table(worst[:FINDINGS_SHOWN]) if worst else ''}{rest}</div>"


def _table(findings: Sequence[values.Finding]) -> str:
    names = ("id", "severity", "rule", "line", "phone", "server", "observed")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = ("".join(f"<td>{_html(str(getattr(finding, name) or ''))}</td>" for name in names) for finding in findings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table>"


def _html(text: str) -> str:
    return escape(safe_text(text)[:VALUE_SHOWN])


def analyze(
    paths: PathName | Iterable[PathName], *, site: PathName | None = None,
    config: PathName | Iterable[PathName] = (), settings: Mapping[str, object] | None = None,
    rules: PathName | Iterable[PathName] = (), suppress: PathName | None = None, engine: str = "auto",
    jobs: int | None = None,
) -> Report:
    """Analyse captures as `sipaudit analyze` does. `paths` are files, patterns or directories.

    `site`, `config`, `rules` and `suppress` are paths, as for the options of these names; `settings` is what `--set`
    declares (`{"failBack.mode": "duration"}`); `engine` is auto, libpcap or tshark.  `jobs` is the maximum number of
    processes (None: all cores); the result does not depend on it.

    Raises sipaudit.InputError for problems that the caller can fix: a path that cannot be read, an error in a site
    file.  Warnings are issued as UserWarning.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs={jobs}: at least one process has to work", fix="leave it out to use all cores")
    job = _job(paths, site=site, config=config, settings=settings, rules=rules, suppress=suppress, engine=engine,
               jobs=jobs)
    return Report(_left(pipeline.analyze(job, warn=_warn)))


def read_messages(
    paths: PathName | Iterable[PathName], *, site: PathName | None = None,
    config: PathName | Iterable[PathName] = (), settings: Mapping[str, object] | None = None, engine: str = "auto",
) -> pd.DataFrame:
    """All SIP messages of captures, one row each: the table of `messages.parquet` (docs/outputs.md). The whole table is
    held in memory.

    Parameters and errors are those of `analyze`.
    """
    job = _job(paths, site=site, config=config, settings=settings, engine=engine)
    return _left(frames.messages(pipeline.messages(job, warn=_warn)))


def _left(found: Found) -> Found:
    """Return a run's result after collecting the rest: it is in cycles, and in an old generation (`rare_collections`),
    so that it would otherwise stay in memory for long."""
    gc.collect()
    return found


def _job(
    paths: PathName | Iterable[PathName], *, site: PathName | None, config: PathName | Iterable[PathName],
    settings: Mapping[str, object] | None, engine: str, rules: PathName | Iterable[PathName] = (),
    suppress: PathName | None = None, jobs: int | None = None,
) -> pipeline.Job:
    if engine not in ENGINES:
        raise InputError(f"engine={engine!r} is unknown", fix=f"use one of {', '.join(ENGINES)}")
    return pipeline.Job(
        paths=_names(paths), site=None if site is None else _name(site), config=_names(config),
        settings=tuple(f"{name}={value}" for name, value in (settings or {}).items()), engine=engine,
        rules=_names(rules), suppress=None if suppress is None else _name(suppress), jobs=jobs,
        settings_option="settings",
    )


def _names(paths: PathName | Iterable[PathName]) -> tuple[str, ...]:
    """The names of one path or of several."""
    return (_name(paths),) if isinstance(paths, str | PathLike) else tuple(map(_name, paths))


def _name(path: PathName) -> str:
    """A path as text. Raises InputError for an empty one, which would mean the current directory."""
    name = fspath(path)
    if not name:
        raise InputError("a path is empty", fix="name it, or leave it out")
    return name


def _warn(text: str) -> None:
    """Issue a warning that names the caller's line, so that Python shows it once for each such line."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(NOT_THE_CALLER):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, stacklevel=level)
