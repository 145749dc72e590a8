"""The provisioning files that a user names, as one provisioning: every phone and line they speak of.

Several paths are layers, as the names in CONFIG_FILES are: of a parameter the
first statement counts, overrides before everything.  A directory, or a master
file, stands for the files it makes a phone read; any other file is a layer of
every phone, or of the one whose MAC its name begins with.
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

# Issues of statements that do nothing.
WITHOUT_EFFECT = frozenset({"config-no-effect", "config-proxy-unused", "config-failover-on-fallback"})

Pair = tuple[Statement, Statement]


class Variant(Struct, frozen=True):
    """One phone as one model of it would read its files; `values` the statements that count, by parameter."""

    values: dict[str, Statement]
    lines: tuple[LineBlock, ...]
    issues: tuple[SettingIssue, ...]
    superseded: tuple[Pair, ...]


class Phone(Struct, frozen=True):
    """A phone of the provisioning: `mac` is None for one that no file is for. `variants` by model, `""` for any other
    than those named."""

    mac: str | None
    variants: dict[str, Variant]

    def seen_as(self, model: str | None) -> list[Variant]:
        """The variants that a phone of this model (as its User-Agent has it) may be."""
        if model is None:
            return list(self.variants.values())
        return [self.variants.get(bare_model(model)) or self.variants[""]]


class Found(Struct, frozen=True):
    """What is declared of a line; `pairs` are the readings, one for each model that the phone may be."""

    block: LineBlock
    pairs: list[tuple[Variant, LineBlock]]


class _Single:
    """A file that is a layer by itself, of every phone or of one."""

    def __init__(self, path: Path, reader: FileReader) -> None:
        named = _OF_PHONE.fullmatch(path.name)
        override = named is not None and named[2] is not None
        self.mac = named[1].lower() if named is not None else None
        file = reader.read(path, "override" if override else "")
        if file.empty and not override:   # a phone's own file is empty where a server lets it write no other
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
    """Every phone of some paths. Making one reads everything; raises InputErrors with all that cannot be read.
    `emergency` are the numbers that any of the files routes as emergency calls."""

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
        """By MAC, and last the phone that no file is for."""
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
        """What is declared of a line: by its phone's MAC, else where one phone alone has its address."""
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
        """What is to be said of the files of a line that was found."""
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
        """Every line of every phone, once for each different reading of it."""
        for phone in self.all_phones():
            for block in _blocks(phone.variants.values()):
                if self._counts(block):
                    yield phone, block

    def count(self) -> int:
        """How many lines of phones the files speak of."""
        return len({(phone.mac, block.line) for phone, block in self.lines() if block.address is not None})

    def _counts(self, block: LineBlock) -> bool:
        """Without an address a block is no line; it stands for all lines where no file gives any an address."""
        return block.address is not None or not self._addressed

    def issues(self) -> list[tuple[SettingIssue, str]]:
        """Everything there is to say, each with the AOR of the line it is about (empty: of no one line)."""
        found: list[tuple[SettingIssue, str]] = []
        for variant in self._variants():
            lines = [block for block in variant.lines if self._counts(block)]
            aors = [block.aor for block in lines]
            found += [(issue, aor) for issue in variant.issues for aor in aors or [""]]
            found += [(issue, block.aor) for block in lines
                      for issue in self.worth_saying(line_issues(variant.values, block))]
        return found + [(issue, "") for issue in self._shadowed.values()]

    def worth_saying(self, issues: Iterable[SettingIssue]) -> Iterator[SettingIssue]:
        """Of a statement that does nothing for one line nothing is said if it acts for another: it stands for all."""
        return (issue for issue in issues
                if issue.rule not in WITHOUT_EFFECT or issue.statements[0] not in self._acting)

    @cached_property
    def _acting(self) -> set[Statement]:
        """The failOver statements that do something for at least one line."""
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
        """Statements that no phone and no line gets."""
        variants = self._variants()
        lost = {id(one): (one, by) for variant in variants for one, by in variant.superseded}
        names = {one.name for one, _ in lost.values()}
        held = {id(variant.values[name]) for variant in variants for name in names & variant.values.keys()
                if not any(one is variant.values[name] for one, _ in variant.superseded)}
        for one, by in lost.values():
            if id(one) not in held:
                yield SettingIssue("config-shadowed", (one, by), {"other": by.said})


def distinct(issues: Iterable[SettingIssue]) -> tuple[SettingIssue, ...]:
    """Each issue once, in their order."""
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
    except (OSError, ValueError):  # a name longer than the file system bears
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
    """Statements that this phone does not get, with the one it gets instead: of an earlier file, or prefix."""
    for file in files[1:]:
        for name, statement in file.statements.items():
            if values[name] is not statement and values[name].text != statement.text:
                yield statement, values[name]
    servers = [server for block in lines for server in block.servers]
    held = {one for server in servers for choice in server.choices.values() for one in choice}
    for server in servers:
        yield from ((one, by) for one, by in losers(values, server) if one not in held)


def _blocks(variants: Iterable[Variant]) -> Iterator[LineBlock]:
    """The lines of a phone, those on which its models agree once."""
    seen: list[LineBlock] = []
    for variant in variants:
        for block in variant.lines:
            if block not in seen:
                seen.append(block)
                yield block


def _fitting(lines: Iterable[LineBlock], identity: LineIdentity) -> list[LineBlock]:
    return [block for block in lines if block.address is not None and block.fits(identity.user, identity.domain)]
