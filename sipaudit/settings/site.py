"""The site file: what the user declares about servers and phones (contract.md 2).

`load_site` checks the whole file and raises InputErrors with everything that is wrong; a `Site` is always complete and
consistent.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.errors import InputError
from sipaudit.model.settings import MOST_TOLERANCE, Declaration, LineSettings, ServerEntry, Setting, Tolerances
from sipaudit.settings.catalogue import in_force
from sipaudit.settings.entries import read_entries
from sipaudit.settings.finder import Finder
from sipaudit.settings.lines import LineItem, read_lines
from sipaudit.times import parse_event
from sipaudit.yamlfile.files import read_bytes
from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.reader import Reader
from sipaudit.yamlfile.tree import Mapping, Node, is_empty, read_tree

TOLERANCE_KEYS = Tolerances.__struct_fields__
SITE_KEYS = ("entries", "lines", "tolerances", "events", "emergency")

# The default: 3GPP TS 22.101 10.1 makes both emergency numbers of every phone, and a Polycom routes 911.
USUAL_EMERGENCY = ("112", "911")

_SITE_EXAMPLE = "'entries:' and 'lines:' blocks"


class EventText(Struct, frozen=True, gc=False):
    """A known event as written in the site file: `times.parse_event` parses it once the time zone is known."""

    text: str
    file: str
    line: int


class Site(Struct, frozen=True):
    """The declarations of a site; without a site file there are none. `lines`: in file order, the first match counts;
    `undeclared`: the declaration by `--set` for a line that none matches.

    `stated_tolerances`: those that the file names (the others are defaults that a rule pack may change);
    `states_emergency`: whether it gives emergency numbers; `warnings`: sentences for stderr.
    """

    path: str | None = None
    entries: dict[str, ServerEntry] = {}
    lines: tuple[LineItem, ...] = ()
    finder: Finder = Finder(())
    undeclared: Declaration = Declaration()
    tolerances: Tolerances = Tolerances()
    stated_tolerances: tuple[str, ...] = ()
    events: tuple[EventText, ...] = ()
    emergency: tuple[str, ...] = USUAL_EMERGENCY
    states_emergency: bool = False
    warnings: tuple[str, ...] = ()

    def override(self, settings: dict[str, Setting]) -> Site:
        """The site with these settings (`parse_set`) over those of every line; they do not make a line declared."""
        undeclared = Declaration(settings={"": in_force(LineSettings(), [settings])}) if settings else Declaration()
        return replace(self, lines=tuple(item.under(settings) for item in self.lines), undeclared=undeclared)


def load_site(path: str | Path) -> Site:
    """Read a site file. Raises InputErrors with all its errors, each with file, line and remedy."""
    problems = Problems(str(path))
    root = read_tree(read_bytes(Path(path), "the site file"), problems)
    site = Site(path=str(path)) if root is None or is_empty(root) else _read_site(Reader(problems), root, Path(path))
    problems.raise_any()
    return site.override({})


def _read_site(reader: Reader, root: Node, path: Path) -> Site:
    fields = reader.keys(root, "the site file", SITE_KEYS, _SITE_EXAMPLE) or {}
    named = fields.get("entries")
    entries = read_entries(reader, named) if named is not None else {}
    # An entry with an error still exists: lines that use it must not be reported for naming an unknown one.
    names = tuple(named.items) if isinstance(named, Mapping) else ()
    lines = read_lines(reader, fields["lines"], names, path.parent) if "lines" in fields else ()
    tolerances = _read_tolerances(reader, fields["tolerances"]) if "tolerances" in fields else {}
    return Site(
        path=str(path),
        entries=entries,
        lines=lines,
        finder=Finder([item.match for item in lines]),
        tolerances=Tolerances(**tolerances),
        stated_tolerances=tuple(tolerances),
        events=_read_events(reader, fields["events"], str(path)) if "events" in fields else (),
        emergency=tuple(text for text, _ in reader.texts(fields["emergency"], "emergency", '["112", "911"]'))
        if "emergency" in fields else USUAL_EMERGENCY,
        states_emergency="emergency" in fields,
        warnings=tuple(_warnings(str(path), lines)),
    )


def _read_tolerances(reader: Reader, node: Node) -> dict[str, float]:
    fields = reader.keys(node, "tolerances", TOLERANCE_KEYS, "{timer: 2.0, overdue: 5.0}") or {}
    read = {key: reader.number(value, f"tolerances.{key}", 0.0, MOST_TOLERANCE) for key, value in fields.items()}
    return {key: value for key, value in read.items() if value is not None}


def _read_events(reader: Reader, node: Node, file: str) -> tuple[EventText, ...]:
    texts = reader.texts(node, "events", '["2026-11-22T12:03:04 sbc1 stopped"]')
    for text, line in texts:
        try:
            parse_event(text, UTC, option="events")   # in any zone, to report errors now
        except InputError as error:
            reader.problems.add(line, error.message, error.fix or "")
    return tuple(EventText(text, file, line) for text, line in texts)


def _warnings(file: str, lines: tuple[LineItem, ...]) -> list[str]:
    """Warnings about items that are never used."""
    warnings: list[str] = []
    catch_all: int | None = None
    seen: dict[object, int] = {}
    for index, item in enumerate(lines):
        where = f"{file}:{item.line}: lines[{index}]"
        before = seen.setdefault(item.match.written, index)
        if catch_all is not None:
            warnings.append(f"{where} is never used: lines[{catch_all}] matches every line before it")
        elif before != index:
            warnings.append(f"{where} is never used: lines[{before}] has the same match")
        elif not item.match.globs and item.match.network is None:
            catch_all = index
    return warnings
