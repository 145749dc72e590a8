"""`lines:` of the site file: the declarations of the lines that each item matches."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.settings import Declaration, LineSettings, Setting
from sipaudit.settings.catalogue import declared_block, in_force, known_setting, read_setting
from sipaudit.settings.match import LineMatch, read_match
from sipaudit.yamlfile.files import exists
from sipaudit.yamlfile.reader import Reader
from sipaudit.yamlfile.tree import Node, Sequence, is_empty
from sipaudit.yamlfile.wording import printable, quoted, suggestion

LINE_KEYS = ("match", "entry", "label", "group", "settings", "entry_settings", "config")

_LINE_EXAMPLE = '{match: {user: "10??"}, entry: NAME}'
_SETTINGS_EXAMPLE = "{reRegisterOn: 1, failBack.mode: duration}"


class LineItem(Struct, frozen=True):
    """One item of `lines:`. `block`: the block that its `settings` declare; `per_entry`: what `entry_settings` add to
    it; `config`: its Polycom provisioning path, resolved from the site file's folder.
    """

    match: LineMatch
    entries: tuple[str, ...] = ()
    label: str | None = None
    group: str | None = None
    block: LineSettings = LineSettings()
    per_entry: dict[str, dict[str, Setting]] = {}
    config: str | None = None
    line: int = 0
    declaration: Declaration = Declaration()

    def under(self, overrides: dict[str, Setting]) -> LineItem:
        """The item with its declaration built, with these settings (`--set`) over its own."""
        settings = {"": in_force(self.block, [overrides])}
        for entry in self.entries:
            settings[entry] = in_force(self.block, [self.per_entry.get(entry, {}), overrides])
        return replace(self, declaration=Declaration(self.entries, self.label, self.group, settings))


def read_lines(reader: Reader, node: Node, entries: Collection[str], folder: Path) -> tuple[LineItem, ...]:
    """The items in file order. `entries`: the valid entry names; `folder`: the base of relative paths."""
    items = enumerate(reader.sequence(node, "lines", f"[{_LINE_EXAMPLE}]"))
    read = [_read_line(reader, item, f"lines[{index}]", entries, folder) for index, item in items]
    return tuple(item for item in read if item is not None)


def _read_line(reader: Reader, node: Node, where: str, entries: Collection[str], folder: Path) -> LineItem | None:
    fields = reader.keys(node, where, LINE_KEYS, _LINE_EXAMPLE)
    if fields is None:
        return None
    if "match" not in fields:
        fix = "add 'match: {user: \"10??\"}', or 'match: {}' for every line"
        reader.problems.add(node.line, f"{where} has no match", fix)
    names = _read_entry_names(reader, fields["entry"], f"{where}.entry", entries) if "entry" in fields else ()
    block = None
    if "settings" in fields:
        block = _read_settings(reader, fields["settings"], f"{where}.settings")
    config = _read_config(reader, fields["config"], f"{where}.config", folder) if "config" in fields else None
    return LineItem(
        match=read_match(reader, fields["match"], f"{where}.match") if "match" in fields else LineMatch(),
        entries=names,
        label=reader.text(fields["label"], f"{where}.label", "Reception") if "label" in fields else None,
        group=reader.text(fields["group"], f"{where}.group", "Site A") if "group" in fields else None,
        block=_block(block, "config" in fields),
        per_entry=_read_entry_settings(reader, fields, where, names),
        config=config,
        line=node.line,
    )


def _block(stated: dict[str, Setting] | None, config: bool) -> LineSettings:
    """`settings` alone declares a whole block. Next to `config`, omitted settings may be in those files: unknown
    here."""
    if stated is None:
        return LineSettings()
    return LineSettings(stated) if config else declared_block(stated)


def _read_entry_names(reader: Reader, node: Node, where: str, entries: Collection[str]) -> tuple[str, ...]:
    """One name or a list of names, each defined and without duplicates."""
    items = node.items if isinstance(node, Sequence) else (node,)
    names: list[str] = []
    for item in items:
        name = reader.text(item, where, "NAME or [NAME, NAME]")
        if name is None:
            continue
        if name not in entries:
            reader.problems.add(item.line, f"{where}: there is no entry {quoted(name)}", suggestion(name, entries))
        elif name in names:
            reader.problems.add(item.line, f"{where}: {quoted(name)} is named twice", "name each entry once")
        else:
            names.append(name)
    return tuple(names)


def _read_settings(reader: Reader, node: Node, where: str) -> dict[str, Setting] | None:
    """The settings that a block states; an empty value counts as unset (C3)."""
    mapping = reader.mapping(node, where, _SETTINGS_EXAMPLE)
    if mapping is None:
        return None
    stated: dict[str, Setting] = {}
    for name, value in mapping.items.items():
        if known_setting(name, reader.problems, mapping.key_lines[name], where) is None or is_empty(value):
            continue
        text = reader.text(value, f"{where}: {name}", f"'{name}: VALUE'")
        setting = None if text is None else read_setting(name, text, reader.problems, value.line, where)
        if setting is not None:
            stated[name] = setting
    return stated


def _read_entry_settings(
    reader: Reader, fields: dict[str, Node], where: str, names: tuple[str, ...]
) -> dict[str, dict[str, Setting]]:
    """The settings that are stated for single entries of the line."""
    if "entry_settings" not in fields:
        return {}
    place = f"{where}.entry_settings"
    mapping = reader.mapping(fields["entry_settings"], place, "{NAME: {register: 0}}")
    if mapping is None:
        return {}
    per_entry: dict[str, dict[str, Setting]] = {}
    for name, node in mapping.items.items():
        stated = _read_settings(reader, node, f"{place}.{printable(name)}")
        if name in names:
            per_entry[name] = stated or {}
        else:
            line, advice = mapping.key_lines[name], suggestion(name, names) if names else f"add it to {where}.entry"
            reader.problems.add(line, f"{place}: the line has no entry {quoted(name)}", advice)
    return per_entry


def _read_config(reader: Reader, node: Node, where: str, folder: Path) -> str | None:
    """A provisioning path that exists and can be read again, as `live` does on SIGHUP."""
    text = reader.text(node, where, "provisioning/")
    if text is None:
        return None
    path = folder / text
    if not exists(path):
        fix = "name a provisioning file or directory, counted from the site file's folder"
        reader.problems.add(node.line, f"{where}: {str(path)!r} does not exist", fix)
        return None
    if path.is_fifo():
        reader.problems.add(node.line, f"{where}: {str(path)!r} is a pipe, which cannot be read again", "name a file")
        return None
    return str(path)
