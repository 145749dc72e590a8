"""Reads rule packs: the one that ships, and what `--rules` lays over it.

All errors of a pack are raised together, each with file and line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from sipaudit.errors import InputError, collecting, raise_together, unreadable
from sipaudit.rulebook.incident_file import read_incident
from sipaudit.rulebook.overrides import Override, read_overrides
from sipaudit.rulebook.rule_file import RuleFile
from sipaudit.rulebook.rules import REPLAYED, Group, IncidentKind, Rule, RulePack
from sipaudit.yamlfile import tree
from sipaudit.yamlfile.fields import Fields
from sipaudit.yamlfile.files import read_bytes
from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.wording import suggestion

TEST_SUFFIX = ".test.yaml"
PACK = "ea66546"
_REQUIREMENT = re.compile("[RCFB][0-9]+")   # of reference-model.md; custom rules may also cite any other basis


def pack_folder() -> Path:
    """The folder of the rules that ship with the program: inside the package in a wheel, next to it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "rules"
    return (inside if inside.is_dir() else package.parent / "rules") / PACK


def load_pack(extra: Iterable[str | Path] = ()) -> RulePack:
    """The rules that ship, with each file or folder of `extra` laid over them in turn.

    Raises InputErrors with every error found. Conditions are compiled now, so that no typing error can stay hidden
    until an outage; those of the shipped pack are not, as its tests have checked them.
    """
    loader = Loader(what_ships())
    for named in extra:
        loader.add(Path(named))
    return loader.done()


class Pack(Struct, frozen=True):
    """The contents of a folder of rules, each kind by id."""

    rules: dict[str, Rule]
    kinds: dict[str, IncidentKind]


def what_ships() -> Pack:
    """The shipped pack, read once per process: reading it takes longer than analysing many a capture."""
    return _read_once(pack_folder())


@cache
def _read_once(folder: Path) -> Pack:
    return read_pack(folder, check=False)


def read_pack(folder: Path, *, check: bool) -> Pack:
    """A base pack: its folders are the groups, and ids are unique. `check` compiles its conditions. Raises InputErrors
    with every error found."""
    files = rule_files(folder)
    if not files:
        raise InputError("no rule files here", fix="reinstall sipaudit: its rules are missing", file=str(folder))
    errors: list[InputError] = []
    pack = Pack({}, {})
    for path in files:
        with collecting(errors):
            _take_new(pack, path, check=check)
    raise_together(errors)
    return pack


def _take_new(pack: Pack, path: Path, *, check: bool) -> None:
    fields = read_file(path)
    read = read_rule(path, fields, {}, check=check)
    known: dict[str, Any] = pack.kinds if isinstance(read, IncidentKind) else pack.rules
    if read.id and read.id != path.stem:
        fields.wrong("id", f"the id {read.id!r} is not the file's name", "rename one of them")
    if read.id in known:
        fields.wrong("id", f"the rule {read.id!r} stands in {known[read.id].file}, too", "give one of them another id")
    known[read.id] = read
    fields.problems.raise_any()


def _check_basis(rule: Rule, fields: Fields) -> None:
    for name in rule.basis:
        if _REQUIREMENT.fullmatch(name) and name not in _requirements():
            fields.wrong("basis", f"there is no requirement {name!r}", suggestion(name, sorted(_requirements())))


@cache
def _requirements() -> frozenset[str]:
    return frozenset(read_file(Path(__file__).parent / "terms" / "requirements.yaml").node.items)


def rule_files(folder: Path) -> list[Path]:
    """The rule files below a folder, except test files and pipes, which may never end."""
    return sorted(path for path in folder.rglob("*.yaml")
                  if not path.name.endswith(TEST_SUFFIX) and not path.is_fifo())


def closed_folders(folder: Path) -> list[InputError]:
    """An error for each folder below this one, or itself, that may not be read: its files would otherwise be silently
    left out."""
    refused: list[OSError] = []
    for _ in os.walk(folder, onerror=refused.append):
        pass
    return [unreadable(error, Path(error.filename), "check the folder") for error in refused]


class Taken(Struct, frozen=True):
    """A file that was laid over the pack: a description of its contents, and its rule if that is a replayed one."""

    file: str
    what: str
    rule: Rule | None = None


class Loader:
    """Collects rules by id over those of a pack, later ones replacing earlier ones, and all errors."""

    def __init__(self, pack: Pack) -> None:
        self.errors: list[InputError] = []
        self.taken: list[Taken] = []
        self._rules = dict(pack.rules)
        self._kinds = dict(pack.kinds)
        self._shipped = pack
        self._disabled: set[str] = set()
        self._changed: dict[str, str] = {}
        self._causes: list[tuple[str, str, int]] = []   # ids in `consequence_of`, each with file and line

    def _keep(self, read: Rule | IncidentKind) -> None:
        if isinstance(read, IncidentKind):
            self._kinds[read.id] = read
        else:
            self._rules[read.id] = read

    def add(self, named: Path) -> None:
        """Add one `--rules` file or folder: its rules first, then its overrides."""
        closed = closed_folders(named) if named.is_dir() else []
        self.errors += closed
        files = rule_files(named) if named.is_dir() else [named]
        if not files and not closed:
            self.errors.append(InputError("no rule files here", fix="name a .yaml file, or a folder with some",
                                          file=str(named)))
        overrides: list[tuple[Path, Fields]] = []
        for path in files:
            with collecting(self.errors):
                fields = read_file(path)
                if "override" in fields.node.items:
                    overrides.append((path, fields))
                else:
                    self._lay_over(path, fields)
        for path, fields in overrides:
            with collecting(self.errors):
                overriding = read_overrides(fields, self._rules, self._kinds, str(path))
                fields.problems.raise_any()
                self._override(overriding)
                self.taken.append(Taken(str(path), f"overrides of {', '.join(overriding) or 'nothing'}"))

    def _lay_over(self, path: Path, fields: Fields) -> None:
        read = read_rule(path, fields, self._rules, check=True)
        if isinstance(read, IncidentKind):
            self._check_kind(read, fields)
        else:
            self._changed[read.id] = f"{path}:{fields.line('severity')}"
            self._causes += [(name, str(path), fields.line("consequence_of")) for name in sorted(read.consequence_of)]
            _check_basis(read, fields)
        fields.problems.raise_any()
        self._disabled.discard(read.id)
        self._keep(read)
        replayed = read if isinstance(read, Rule) and read.group in REPLAYED else None
        what = "incident kind" if isinstance(read, IncidentKind) else "rule"
        self.taken.append(Taken(str(path), f"{what} {read.id}", replayed))

    def _check_kind(self, read: IncidentKind, fields: Fields) -> None:
        """An incident kind must be a known one, with the same thresholds: the detectors are written for these."""
        known = self._kinds.get(read.id)
        if known is None:
            fields.wrong("id", f"there is no incident kind {read.id!r}", suggestion(read.id, sorted(self._kinds)))
        elif set(known.thresholds) != set(read.thresholds):
            fields.wrong("thresholds", f"the thresholds of {read.id} are other ones",
                         f"give {', '.join(known.thresholds) or 'none'}")

    def _override(self, overrides: dict[str, Override]) -> None:
        for name, override in overrides.items():
            if name in self._rules:
                self._rules[name] = override.of_rule(self._rules[name])
            if name in self._kinds:
                self._kinds[name] = override.of_kind(self._kinds[name])
            if override.severity is not None:
                self._changed[name] = override.where
            if override.enabled is not None:
                (self._disabled.discard if override.enabled else self._disabled.add)(name)

    def done(self) -> RulePack:
        """All rules in force. Raises InputErrors if there were any errors."""
        self.errors += [
            InputError(f"consequence_of: there is no rule {name!r}", file=file, line=line,
                       fix=suggestion(name, sorted(self._rules)))
            for name, file, line in self._causes if name not in self._rules]
        raise_together(self.errors)
        rules = [self._rules[name] for name in sorted(self._rules.keys() - self._disabled)]
        kinds = sorted(self._kinds.keys() - self._disabled)
        return RulePack(
            rules=tuple(rule for rule in rules if rule.group in REPLAYED),
            settings=tuple(rule for rule in rules if rule.group not in REPLAYED),
            incidents=tuple(self._kinds[name] for name in kinds),
            notes=(*self._raised(rules), *self._off(), *self._limits(kinds, rules)), known=frozenset(self._rules),
        )

    def _off(self) -> Iterator[str]:
        """A note on what is switched off: that none of it was found then means nothing."""
        if self._disabled:
            yield f"Switched off by --rules: {', '.join(sorted(self._disabled))}."

    def _limits(self, kinds: Iterable[str], rules: Iterable[Rule]) -> Iterator[str]:
        """Notes on changed limits: that nothing was found then means less, or more, than with the shipped ones."""
        counted = [name for name in kinds if self._kinds[name].thresholds != self._shipped.kinds[name].thresholds]
        if counted:
            yield f"Thresholds changed by --rules: {', '.join(counted)}."
        timed = [rule.id for rule in rules
                 if rule.id in self._shipped.rules and rule.tolerance != self._shipped.rules[rule.id].tolerance]
        if timed:
            yield f"Tolerances changed by --rules: {', '.join(timed)}."

    def _raised(self, rules: list[Rule]) -> Iterator[str]:
        """Notes on severities above those of the pack, as sentences for the report."""
        for rule in rules:
            shipped = self._shipped.rules.get(rule.id)
            if shipped is None or rule.id not in self._changed:
                continue
            now, before = rule.levels, shipped.levels
            if now[0].rank > before[0].rank or now[-1].rank > before[-1].rank:
                yield (f"{rule.id} is {' or '.join(now)} by {self._changed[rule.id]}; "
                       f"in the rules that ship it is {' or '.join(before)}.")


def read_file(path: Path) -> Fields:
    """The fields of one file of a pack. Raises InputError or InputErrors."""
    problems = Problems(str(path))
    root = tree.read_tree(read_bytes(path, "the rule file"), problems)
    if not isinstance(root, tree.Mapping):
        problems.stop(1, "a rule file holds a mapping", "begin it with `id:` or `override:`")
    return Fields(root, problems)


def read_rule(path: Path, fields: Fields, replaced: Mapping[str, Rule], *, check: bool) -> Rule | IncidentKind:
    """The rule or incident kind of one file; its errors are in the problems of its fields. `check` compiles conditions
    at once.

    The group is that of its folder; otherwise that of the rule that it replaces; otherwise inferred from its keys.
    """
    items = fields.node.items
    if "id" not in items and "override" not in items:
        fields.problems.stop(1, "the file has neither `id` nor `override`", "begin a rule with `id: its-name`")
    named = items.get("id")
    old = replaced.get(named.text.strip()) if isinstance(named, tree.Scalar) else None
    group = next((group for group in Group if group == path.parent.name), None)
    if group is None:
        group = Group.INCIDENTS if "thresholds" in items else old.group if old else \
            Group.FAILOVER if "on" in items else Group.SETTINGS
    if group is Group.INCIDENTS:
        return read_incident(fields, str(path))
    return RuleFile(fields, group, str(path), check=check).rule()
