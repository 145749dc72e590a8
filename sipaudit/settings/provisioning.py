"""The provisioning files that a user names, combined: all phones and lines that they define.

Several paths are layers, like the names in CONFIG_FILES: the first statement of a parameter counts, and overrides come
before everything. A directory, or a master file, stands for the files it makes a phone read; any other file is a layer
of every phone, or of the phone whose MAC begins its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.errors import InputError, raise_together, unreadable
from sipaudit.model.settings import LineIdentity
from sipaudit.settings import yealink
from sipaudit.settings.catalogue import DEFAULTS
from sipaudit.settings.issues import SettingIssue, Statement
from sipaudit.settings.match import bare_mac
from sipaudit.settings.polycom.checks import line_issues
from sipaudit.settings.polycom.files import ConfigFile, FileReader, bare_model
from sipaudit.settings.polycom.folder import MASTER, Folder, Layers
from sipaudit.settings.polycom.line import LineBlock, losers, merged, one_of, read_lines

_OF_PHONE = re.compile(r"([0-9a-fA-F]{12})(-phone|-web)?[^/]*\.cfg")

# Issues of statements that have no effect.
WITHOUT_EFFECT = frozenset({"config-no-effect", "config-proxy-unused", "config-failover-on-fallback"})

Pair = tuple[Statement, Statement]


class Variant(Struct, frozen=True):
    """One phone as one model of it would read its files; `values`: the effective statements, by parameter."""

    values: dict[str, Statement]
    lines: tuple[LineBlock, ...]
    issues: tuple[SettingIssue, ...]
    superseded: tuple[Pair, ...]


class Phone(Struct, frozen=True):
    """A phone of the provisioning; `mac` is None for the phone without a file of its own. `variants` by model, `""` for
    all models that are not named."""

    mac: str | None
    variants: dict[str, Variant]

    def seen_as(self, model: str | None) -> list[Variant]:
        """The variants that may apply to a phone of this model (as in its User-Agent)."""
        if model is None:
            return list(self.variants.values())
        return [self.variants.get(bare_model(model)) or self.variants[""]]


class Found(Struct, frozen=True):
    """A line found in the files: its `block`, and in `pairs` its readings, one for each model that the phone may be."""

    block: LineBlock
    pairs: list[tuple[Variant, LineBlock]]


class _Single:
    """A file that is a layer of its own, of every phone or of one."""

    def __init__(self, path: Path, reader: FileReader) -> None:
        named = _OF_PHONE.fullmatch(path.name)
        override = named is not None and named[2] is not None
        self.mac = named[1].lower() if named is not None else None
        file = reader.read(path, "override" if override else "")
        if file.empty and not override:   # where a server allows no writing, a phone's override file is empty
            reader.errors.append(InputError(
                "is empty", fix="name a provisioning file, and not while it is written", file=file.path))
        self._layers = Layers((file,), ()) if override else Layers((), (file,))
        self.macs = {self.mac} if self.mac is not None else set()
        self.has_default = self.mac is None

    def models(self, mac: str | None) -> set[str]:  # noqa: ARG002 - a Folder's
        return set()

    def layers(self, mac: str | None, model: str | None) -> Layers | None:  # noqa: ARG002 - a Folder's
        return self._layers if self.mac in (None, mac) else None


class Provisioning:
    """All phones of some paths. The constructor reads everything; it raises InputErrors with all that cannot be read.
    `emergency`: the numbers that any of the files routes as emergency calls."""

    def __init__(self, paths: Sequence[str]) -> None:
        reader = FileReader()
        self._places = [place for path in paths for place in _places(Path(path), reader)]
        macs = sorted(set().union(*(place.macs for place in self._places)))
        self.phones = {mac: self._phone(mac) for mac in macs}
        self.other = self._phone(None) if any(place.has_default for place in self._places) else None
        raise_together(reader.errors)
        self.emergency = reader.emergency
        self._by_user: dict[str, list[tuple[Phone, LineBlock]]] = {}
        for phone in self.all_phones():
            for block in _blocks(phone.variants.values()):
                self._by_user.setdefault(unquote(block.user or ""), []).append((phone, block))
        self._addressed = any(user for user in self._by_user)
        self._shadowed = {id(issue.statements[0]): issue for issue in self._find_shadowed()}

    def all_phones(self) -> list[Phone]:
        """The phones by MAC, and last the one without a file of its own."""
        return [*self.phones.values(), *([] if self.other is None else [self.other])]

    def _phone(self, mac: str | None) -> Phone:
        models = set().union(*(place.models(mac) for place in self._places))
        return Phone(mac, {model: self._variant(mac, model) for model in ("", *sorted(models))})

    def _variant(self, mac: str | None, model: str) -> Variant:
        found = [layers for place in self._places if (layers := place.layers(mac, model or None)) is not None]
        files = [file for layers in found for file in layers.overrides]
        files += [file for layers in found for file in layers.files]
        values = merged([file.statements for file in files])
        makes_yealink = any(file.yealink for file in files)
        defaults = {**DEFAULTS, **yealink.DEFAULTS} if makes_yealink else DEFAULTS
        unread = next((layers.unread for layers in found if layers.unread), None)
        lines = read_lines(values, defaults, yealink=makes_yealink) if values else ()
        behind = frozenset[str]().union(*(layers.behind for layers in found))
        lines = tuple(replace(line, unread=unread, behind=behind) for line in lines)
        issues = [issue for layers in found for issue in layers.issues]
        issues += [issue for file in files for issue in file.issues]
        return Variant(values, lines, tuple(issues), tuple(_superseded(files, values, lines)))

    def find(self, identity: LineIdentity) -> Found | None:
        """The declaration of a line, found by the MAC of its phone, or otherwise by its address if only one phone has
        that. None without one, if not every model that the phone may be has the line exactly once, or for a Yealink
        phone."""
        phone = self._phone_of(identity)
        if phone is None:
            return None
        variants = phone.seen_as(identity.model)
        pairs = [(variant, block) for variant in variants for block in _fitting(variant.lines, identity)]
        if len(pairs) != len(variants):
            return None  # not every model has the line, or one has it twice
        block = one_of([block for _, block in pairs])
        if block.yealink:
            return None  # whose behaviour is not modelled
        return Found(block, pairs)

    def issues_of(self, found: Found) -> tuple[SettingIssue, ...]:
        """The issues of the files that define this line."""
        issues: list[SettingIssue] = []
        for variant, block in found.pairs:
            issues += [*variant.issues, *self.worth_saying(line_issues(variant.values, block))]
            issues += [self._shadowed[id(one)] for one, _ in variant.superseded if id(one) in self._shadowed]
        return distinct(issues)

    def _phone_of(self, identity: LineIdentity) -> Phone | None:
        if identity.mac is not None:
            return self.phones.get(bare_mac(identity.mac), self.other)
        found = {phone.mac: phone for phone, block in self._by_user.get(unquote(identity.user), ())
                 if block.fits(identity.user, identity.domain)}
        return next(iter(found.values())) if len(found) == 1 else None

    def lines(self) -> Iterator[tuple[Phone, LineBlock]]:
        """Every line of every phone, once for each distinct reading of it."""
        for phone in self.all_phones():
            for block in _blocks(phone.variants.values()):
                if self._counts(block):
                    yield phone, block

    def count(self) -> int:
        """The number of lines of phones in the files."""
        return len({(phone.mac, block.line) for phone, block in self.lines() if block.address is not None})

    def _counts(self, block: LineBlock) -> bool:
        """Whether a block is a line: one without an address is none, but stands for all lines if no file gives any
        address."""
        return block.address is not None or not self._addressed

    def issues(self) -> list[tuple[SettingIssue, str]]:
        """All issues, each with the AOR of its line (empty if it is not about a single line)."""
        found: list[tuple[SettingIssue, str]] = []
        for variant in self._variants():
            lines = [block for block in variant.lines if self._counts(block)]
            aors = [block.aor for block in lines]
            found += [(issue, aor) for issue in variant.issues for aor in aors or [""]]
            found += [(issue, block.aor) for block in lines
                      for issue in self.worth_saying(line_issues(variant.values, block))]
        return found + [(issue, "") for issue in self._shadowed.values()]

    def worth_saying(self, issues: Iterable[SettingIssue]) -> Iterator[SettingIssue]:
        """Drop the issue of a statement without effect on one line if the statement has an effect on another, as it is
        written for all."""
        return (issue for issue in issues
                if issue.rule not in WITHOUT_EFFECT or issue.statements[0] not in self._acting)

    @cached_property
    def _acting(self) -> set[Statement]:
        """The failOver statements that have an effect on at least one line."""
        acting: set[Statement] = set()
        for variant in self._variants():
            for block in variant.lines:
                if self._counts(block):
                    idle = {one.statements[0] for one in line_issues(variant.values, block)
                            if one.rule in WITHOUT_EFFECT}
                    choices = (one for server in block.servers for choice in server.choices.values() for one in choice)
                    acting |= {one for one in choices if one is not None and one not in idle}
        return acting

    def _variants(self) -> list[Variant]:
        return [variant for phone in self.all_phones() for variant in phone.variants.values()]

    def _find_shadowed(self) -> Iterator[SettingIssue]:
        """The issues of statements that apply to no phone and no line."""
        variants = self._variants()
        lost = {id(one): (one, by) for variant in variants for one, by in variant.superseded}
        names = {one.name for one, _ in lost.values()}
        held = {id(variant.values[name]) for variant in variants for name in names & variant.values.keys()
                if not any(one is variant.values[name] for one, _ in variant.superseded)}
        for one, by in lost.values():
            if id(one) not in held:
                yield SettingIssue("config-shadowed", (one, by), {"other": by.said})


def distinct(issues: Iterable[SettingIssue]) -> tuple[SettingIssue, ...]:
    """The issues in order, without duplicates."""
    return tuple({issue.key: issue for issue in reversed(list(issues))}.values())[::-1]


def _places(path: Path, reader: FileReader) -> list[Folder | _Single]:
    try:
        if path.is_dir():
            return [Folder(path, reader)]
        if path.exists():
            return [_file(path, reader)]
    except PermissionError as error:
        reader.errors.append(unreadable(error, error.filename or path, "check the path"))
        return []
    except (OSError, ValueError):  # a name longer than the file system allows
        pass
    reader.errors.append(InputError("there is no such provisioning file or directory", fix="check the path",
                                    file=str(path)))
    return []


def _file(path: Path, reader: FileReader) -> Folder | _Single:
    if MASTER.fullmatch(path.name) and reader.read(path).is_master:
        return Folder(path.parent, reader, only=path)
    return _Single(path, reader)


def _superseded(files: Sequence[ConfigFile], values: dict[str, Statement], lines: Sequence[LineBlock]
                ) -> Iterator[Pair]:
    """Statements that do not take effect for this phone, each with the one that does: from an earlier file, or by
    prefix."""
    for file in files[1:]:
        for name, statement in file.statements.items():
            if values[name] is not statement and values[name].text != statement.text:
                yield statement, values[name]
    servers = [server for block in lines for server in block.servers]
    held = {one for server in servers for choice in server.choices.values() for one in choice}
    for server in servers:
        yield from ((one, by) for one, by in losers(values, server) if one not in held)


def _blocks(variants: Iterable[Variant]) -> Iterator[LineBlock]:
    """The lines of a phone; a line that is the same for several models, once."""
    seen: list[LineBlock] = []
    for variant in variants:
        for block in variant.lines:
            if block not in seen:
                seen.append(block)
                yield block


def _fitting(lines: Iterable[LineBlock], identity: LineIdentity) -> list[LineBlock]:
    return [block for block in lines if block.address is not None and block.fits(identity.user, identity.domain)]
