"""Provisioning files read one by one, each once however many phones share it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from sipaudit import mistaken
from sipaudit.errors import InputError, collecting, unreadable
from sipaudit.safe_text import safe_path
from sipaudit.settings import yealink
from sipaudit.settings.issues import SettingIssue, Statement
from sipaudit.settings.polycom.parameters import EMERGENCY, LIST_NAMES, LISTS, meant, parameter_type
from sipaudit.yamlfile.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sipaudit.settings.polycom.xml import Attribute

CLAMPED = range(1, 60)  # seconds of failBack.timeout that act as 60 (C6)
MOST_LISTS = 200         # of one master file: there are fewer models of phone
_PER_MODEL = "APPLICATION_"


class ConfigFile(Struct, frozen=True):
    """One file. `statements` are the first of each parameter that has a value (C3); `lists` what a master file says
    of other files, by attribute; `issues` what is wrong with the file for whatever phone reads it; `emergency` the
    numbers whose calls it sends to servers of their own; `empty` says that nothing at all is in it."""

    path: str
    statements: dict[str, Statement] = {}
    lists: dict[str, Statement] = {}
    issues: tuple[SettingIssue, ...] = ()
    yealink: bool = False
    emergency: frozenset[str] = frozenset()
    empty: bool = False

    @property
    def is_master(self) -> bool:
        return any(name.startswith("CONFIG_FILES") for name in self.lists)


class FileReader:
    """Reads files and remembers them. What cannot be read is gathered in `errors`, an empty file in its place."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], ConfigFile] = {}
        self.errors: list[InputError] = []

    def read(self, path: Path, layer: str = "") -> ConfigFile:
        """The file at `path`; `layer` is what its statements say of how it is read."""
        key = str(path), layer
        if key not in self._files:
            self._files[key] = ConfigFile(str(path))
            with collecting(self.errors):
                self._files[key] = _read(path, layer)
        return self._files[key]

    @property
    def emergency(self) -> frozenset[str]:
        """The emergency numbers of all files that were read."""
        return frozenset[str]().union(*(file.emergency for file in self._files.values()))


def _read(path: Path, layer: str) -> ConfigFile:
    from sipaudit.settings.polycom.xml import MAX_BYTES, as_text, read_attributes  # deferred: many runs read no XML

    name = safe_path(str(path))
    problems = Problems(name)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(error, name, "check the path") from None
    if other := mistaken.known_as(data[:mistaken.HEAD], name, *mistaken.NO_SETTINGS, mistaken.SITE):
        raise other
    if len(data) > MAX_BYTES:
        problems.stop(None, f"larger than {MAX_BYTES >> 20} MB", "a provisioning file is far smaller: is this one?")
    text = as_text(data, problems)
    if not text.strip():
        return ConfigFile(name, empty=True)
    if text.lstrip()[:1] == "<":
        return _polycom(name, read_attributes(text, problems), layer, problems)
    return _yealink(name, text, layer, problems)


class _Taken:
    """The first statement of each parameter of a file, which counts, and what is wrong with it for every phone."""

    def __init__(self) -> None:
        self.statements: dict[str, Statement] = {}
        self.issues: list[SettingIssue] = []
        self._guessed: set[str] = set()

    def take(self, one: Statement) -> None:
        kind = parameter_type(one.name)
        if kind is None:
            name = meant(one.name, self._guessed)
            if name is not None:
                self.issues.append(SettingIssue("config-unknown-parameter", (one,), {"nearest": name}))
            return
        first = self.statements.setdefault(one.name, one)
        if first is not one:
            if first.text != one.text:
                self.issues.append(SettingIssue("config-shadowed", (one, first), {"other": first.said}))
            return
        value = kind.read(one.text)
        if value is None:
            self.issues.append(SettingIssue("config-invalid-value", (one,), {"expected": kind.advice(one.text)}))
        elif one.name.endswith("failBack.timeout") and value in CLAMPED:
            self.issues.append(SettingIssue("config-timeout-clamped", (one,)))


def _polycom(path: str, attributes: list[Attribute], layer: str, problems: Problems) -> ConfigFile:
    taken, emergency = _Taken(), set[str]()
    lists: dict[str, Statement] = {}
    for attribute in attributes:
        text, name = attribute.value.strip(), attribute.name
        if LIST_NAMES.fullmatch(name):
            name = _list_name(attribute)
            if len(lists) > MOST_LISTS:
                problems.stop(attribute.line, f"more than {MOST_LISTS} lists of files", "is this a master file?")
            lists.setdefault(name, Statement(name, text, path, attribute.line, attribute.name))
        elif EMERGENCY.fullmatch(name):
            emergency.update(_numbers(text))
        elif text:  # an empty attribute is an unset one (C3)
            taken.take(Statement(name, text, path, attribute.line, name, layer))
    return ConfigFile(path, taken.statements, lists, tuple(taken.issues), emergency=frozenset(emergency))


def _numbers(text: str) -> Iterator[str]:
    """What is dialled, of numbers or URIs between commas."""
    for written in text.split(","):
        dialled = re.sub(r"^(?:sips?|tel):", "", written.strip(), flags=re.IGNORECASE)
        number = re.split("[@;]", dialled, maxsplit=1)[0]
        if number:
            yield number


def _list_name(attribute: Attribute) -> str:
    """`CONFIG_FILES_SPIP650`, also where the model is said by the element: `<APPLICATION_SPIP650 CONFIG_FILES=...>`."""
    kind = next(kind for kind in LISTS if attribute.name.startswith(kind))
    model = attribute.name.removeprefix(kind)
    if not model and attribute.element.startswith(_PER_MODEL):
        model = attribute.element.removeprefix(_PER_MODEL)
    return f"{kind}_{bare_model(model)}" if model else kind


def bare_model(text: str) -> str:
    """`VVX500`, as these names have a model, however it is written (`VVX_500` in a User-Agent)."""
    return text.replace("_", "").upper()


def _yealink(path: str, text: str, layer: str, problems: Problems) -> ConfigFile:
    taken = _Taken()
    for statement in yealink.read_statements(path, text, layer, problems):
        taken.take(statement)
    return ConfigFile(path, taken.statements, {}, tuple(taken.issues), yealink=True)
