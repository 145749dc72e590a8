"""A provisioning directory: which files a phone reads from it, in which order (C7).

Nothing outside of the directory is opened, whatever a list of files names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from sipaudit.errors import InputError
from sipaudit.settings.issues import SettingIssue, Statement
from sipaudit.settings.polycom.files import ConfigFile, FileReader

DEFAULT_MASTER = "000000000000"
MOST_FILES = 255  # named by one list
OVERRIDES = ("-phone.cfg", "-web.cfg")  # set at the phone comes before set in its web page
MAC_WORD = "[PHONE_MAC_ADDRESS]"

MASTER = re.compile(r"([0-9a-fA-F]{12})\.cfg")
_OVERRIDE = re.compile(r"([0-9a-fA-F]{12})-(?:phone|web)\.cfg")
_COMMON_YEALINK = re.compile(r"y0{4,10}[0-9a-fA-F]{1,8}\.cfg")
_OTHER_WORD = re.compile(r"\[[A-Z_]+\]")


class Layers(Struct, frozen=True):
    """What one phone reads of one place: overrides beat all; `issues` are of files that it does not get, `unread`
    says of the first of them that a list names it and we do not have it, `behind` are the files that the list names
    after it: what they state it may have stated before (C7)."""

    overrides: tuple[ConfigFile, ...] = ()
    files: tuple[ConfigFile, ...] = ()
    issues: tuple[SettingIssue, ...] = ()
    unread: str | None = None
    behind: frozenset[str] = frozenset()


class Folder:
    """A provisioning directory, or the part of it that begins at one master file (`only`).

    `macs` are the phones that any file is for, `has_default` whether any other phone finds a master, too.
    """

    def __init__(self, root: Path, reader: FileReader, only: Path | None = None) -> None:
        self._root = root
        self._reader = reader
        self._found: dict[str, Path | None] = {}
        self._masters: dict[str, ConfigFile] = {}
        names = sorted(entry.name for entry in os.scandir(root) if entry.is_file())
        for name in [only.name] if only else names:
            master = MASTER.fullmatch(name)
            if master is not None:
                self._masters.setdefault(master[1].lower(), reader.read(root / name))
        self._common = [reader.read(root / name) for name in names if not only and _COMMON_YEALINK.fullmatch(name)]
        if not self._masters:
            capitals = next((name for name in names if MASTER.fullmatch(name.lower())), None)
            fix = "name the directory that holds them, or the parameter files themselves" if capitals is None else \
                f"phones ask for {capitals.lower()}: rename {capitals}"
            reader.errors.append(InputError(
                "no master file: neither 000000000000.cfg nor one named after a phone's MAC", fix=fix, file=str(root)))
        self.has_default = DEFAULT_MASTER in self._masters
        own = self._masters.keys() - {DEFAULT_MASTER}
        self.macs = own | (self._listed(names) if self.has_default else set())

    def _listed(self, names: list[str]) -> set[str]:
        """The MACs of phones that have no master of their own, but other files."""
        found = {match[1].lower() for match in map(_OVERRIDE.fullmatch, names) if match is not None}
        default = self._masters[DEFAULT_MASTER]
        for name, statement in default.lists.items():
            for word in _words(statement) if name.startswith("CONFIG_FILES") else ():
                found |= self._matching(word)
        return found

    def _matching(self, word: str) -> set[str]:
        """The MACs for which a file of a name like `cfg/[PHONE_MAC_ADDRESS]-reg.cfg` is there."""
        if MAC_WORD not in word or _refused(word) is not None:
            return set()
        folder, _, name = _plain(word).rpartition("/")
        pattern = re.compile(re.escape(name).replace(re.escape(MAC_WORD), "([0-9a-fA-F]{12})", 1))
        place = self._root / folder
        try:
            names = [entry.name for entry in os.scandir(place)]
        except (OSError, ValueError):
            return set()
        return {match[1].lower() for match in map(pattern.fullmatch, names) if match is not None}

    def models(self, mac: str | None) -> set[str]:
        """The models for which the master file of a phone says something of its own."""
        master = self._master(mac)
        return set() if master is None else {name.partition("S_")[2] for name in master.lists
                                             if name.startswith("CONFIG_FILES_")}

    def layers(self, mac: str | None, model: str | None) -> Layers | None:
        """What a phone reads, None when it finds no master. Without `mac`: a phone that no file is for."""
        master = self._master(mac)
        if master is None:
            return None
        common = self._common if len(self._common) == 1 else []
        if master.yealink or (master.empty and common):
            return Layers(files=(master, *common))
        statement = _list(master, "CONFIG_FILES", model)
        if statement is None:
            at = Statement("CONFIG_FILES", "", master.path, 1, "CONFIG_FILES")
            return Layers(issues=(_missing(at, "", "it names none, so the phone reads no other file"),))
        files: list[ConfigFile] = []
        issues: list[SettingIssue] = []
        before = 0
        for word in _words(statement):
            path, why = self._file(word, mac)
            file = None if path is None else self._reader.read(path)
            if file is not None and not file.empty:
                files.append(file)
            elif file is not None or why is not None:
                before = before if issues else len(files)
                issues.append(_missing(statement, word, why or "the file is empty"))
        unread = _unread(issues[0].statements[0]) if issues else None
        behind = frozenset(file.path for file in files[before:]) if issues else frozenset[str]()
        return Layers(self._overrides(master, mac, model), tuple(files), tuple(issues), unread, behind)

    def _master(self, mac: str | None) -> ConfigFile | None:
        return self._masters.get(mac or DEFAULT_MASTER) or self._masters.get(DEFAULT_MASTER)

    def _overrides(self, master: ConfigFile, mac: str | None, model: str | None) -> tuple[ConfigFile, ...]:
        if mac is None:
            return ()
        place = _list(master, "OVERRIDES_DIRECTORY", model)
        folder = "" if place is None or _refused(place.text) else place.text.replace("\\", "/").strip("/") + "/"
        paths = (self._existing(folder.lstrip("/") + MAC_WORD + ending, mac) for ending in OVERRIDES)
        return tuple(self._reader.read(path, "override") for path in paths if path is not None)

    def _file(self, word: str, mac: str | None) -> tuple[Path | None, str | None]:
        """The file that a list names, or why there is none; neither where that is another for every phone."""
        refused = _refused(word)
        if refused is not None:
            return None, refused
        if MAC_WORD in word and mac is None:
            return None, None
        path = self._existing(word, mac)
        return path, None if path is not None else self._absent(_plain(word))

    def _absent(self, name: str) -> str:
        """What to say of a file that is not there."""
        folder, slash, last = name.rpartition("/")
        try:
            names = sorted(entry.name for entry in os.scandir(self._root / folder))
        except (OSError, ValueError):
            names = []
        alike = next((one for one in names if one.lower() == last.lower()), None)
        if alike is None:
            return "there is no such file in the provisioning directory"
        return f"only {folder}{slash}{alike} is in the provisioning directory, and upper and lower case count"

    def _existing(self, word: str, mac: str | None) -> Path | None:
        plain = _plain(word)
        if MAC_WORD not in plain:
            if plain not in self._found:
                self._found[plain] = self._there(plain)
            return self._found[plain]
        forms = (plain.replace(MAC_WORD, form) for form in (mac or "", (mac or "").upper()))
        return next((path for path in map(self._there, forms) if path is not None), None)

    def _there(self, name: str) -> Path | None:
        try:
            path = self._root / name
            return path if path.is_file() else None
        except (OSError, ValueError):  # longer than the file system bears, or with a NUL
            return None


def _list(master: ConfigFile, name: str, model: str | None) -> Statement | None:
    """What a master file says, for this model where it says so."""
    return master.lists.get(f"{name}_{model}") or master.lists.get(name)


def _words(statement: Statement) -> Iterator[str]:
    """The names of a list, `statement`, separated by commas."""
    names = (name.strip() for name in statement.text.split(",", MOST_FILES)[:MOST_FILES])
    return (name for name in names if name)


def _plain(word: str) -> str:
    """A name as it counts from the provisioning directory."""
    return word.replace("\\", "/").lstrip("/")


def _refused(word: str) -> str | None:
    """Why a name is not looked for."""
    if "://" in word:
        return "it is fetched from another server, which is not asked here"
    if ".." in re.split(r"[/\\]", word):
        return "it lies outside of the provisioning directory"
    other = _OTHER_WORD.search(word.replace(MAC_WORD, ""))
    return None if other is None else f"what {other[0]} stands for is not known here"


def _missing(at: Statement, word: str, why: str) -> SettingIssue:
    one = Statement(at.name, word, at.file, at.line, at.attribute)
    return SettingIssue("config-missing-file", (one,), {"reason": why})


def _unread(named: Statement) -> str:
    """Why it is not known what a phone makes of what no file here states: one that is not here may state it."""
    return f"{named.source}: {named.text} is not here or empty, and may say it"
