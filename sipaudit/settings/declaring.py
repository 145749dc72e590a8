"""The declared settings of each line, from the command line, the site file and provisioning files combined.

For each suffix separately, in order of precedence: `--set`, `lines[].settings`, `lines[].config`, `--config`, the
default (contract.md 2). If there is any declared block, the suffixes that it omits have their defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from sipaudit.errors import InputError, collecting, raise_together
from sipaudit.model.settings import Declaration, LineIdentity, LineSettings, Origin, ServerEntry, Setting
from sipaudit.settings.catalogue import declared_block, in_force
from sipaudit.settings.firmware import firmware_issues
from sipaudit.settings.issues import SettingIssue
from sipaudit.settings.lines import LineItem
from sipaudit.settings.match import LineMatch
from sipaudit.settings.polycom.line import LineBlock, ServerBlock
from sipaudit.settings.provisioning import Found, Provisioning, distinct
from sipaudit.settings.site import Site

Stated = Mapping[str, Setting]


class Declarations:
    """All declarations. `entries`: those of the site file, and those that provisioning files list in full; `emergency`:
    the emergency numbers of both.

    The constructor reads the provisioning files of `config` (`--config`) and of the site file; it raises InputErrors.
    """

    def __init__(self, site: Site, config: Sequence[str] = (), overrides: Stated | None = None) -> None:
        self._overrides = dict(overrides or {})
        self.site = site.override(self._overrides)
        self._common, self._of_item = _read(site, config)
        self.provisioned = self._common is not None or bool(self._of_item)
        self._names: dict[ServerEntry, str] = {}
        self.entries: dict[str, ServerEntry] = dict(site.entries)
        self.emergency = frozenset(site.emergency)
        for provisioning in {id(one): one for one in (self._common, *self._of_item.values()) if one}.values():
            self.emergency |= provisioning.emergency
            for _, block in provisioning.lines():
                for server in block.servers:
                    self._entry(server)

    def declares_phone(self, address: str, mac: str | None) -> bool:
        """Whether the site file declares this source to be a phone, by an item with its address or MAC."""
        return self.site.finder.declares_phone(address, mac)

    def declare(self, identity: LineIdentity) -> Declaration:
        """The declaration for a line."""
        place = self.site.finder.first(identity)
        own, common = self._found(place, identity)
        if own is None and common is None:
            return self.site.undeclared if place is None else self.site.lines[place].declaration
        item = LineItem(LineMatch()) if place is None else self.site.lines[place]
        return self._declaration(item, [found.block for found in (common, own) if found is not None])

    def provisions(self, identity: LineIdentity) -> bool:
        """Whether any provisioning file declares a line."""
        return any(found is not None for found in self._found(self.site.finder.first(identity), identity))

    def issues(self, identity: LineIdentity, firmware: str | None, vouched: bool) -> tuple[SettingIssue, ...]:
        """The issues of the provisioning files that declare a line, for a phone with this firmware; `vouched`: whether
        the advisory names the firmware and the model (C9)."""
        place = self.site.finder.first(identity)
        issues: list[SettingIssue] = []
        for found, provisioning in zip(self._found(place, identity), (self._of_item.get(place), self._common),
                                       strict=True):
            if found is not None and provisioning is not None:
                issues += provisioning.issues_of(found)
                issues += firmware_issues(found.block, identity.model, firmware, vouched)
        return distinct(issues)

    def _found(self, place: int | None, identity: LineIdentity) -> tuple[Found | None, Found | None]:
        """The line as found in the files of its own item, and in those of `--config`."""
        own = self._of_item.get(place)
        return (own.find(identity) if own else None, self._common.find(identity) if self._common else None)

    def _declaration(self, item: LineItem, blocks: Sequence[LineBlock]) -> Declaration:
        """The item's declaration combined with its blocks, which are in ascending order of precedence."""
        main = blocks[-1]
        named = {name: place for place, name in enumerate(item.entries)} or self._entries_of(main)
        settings = {"": self._settings(item, blocks, [block.common for block in blocks], "")}
        for key, place in (named or _hosts_of(main)).items():
            settings[key] = self._settings(item, blocks, [block.settings_at(place) for block in blocks], key)
        return replace(item.declaration, entries=tuple(named), settings=settings)

    def _settings(self, item: LineItem, blocks: Sequence[LineBlock], layers: Sequence[Stated], entry: str
                  ) -> LineSettings:
        stated: dict[str, Setting] = {}
        for layer in (*layers, item.block.values):
            stated |= {name: one for name, one in layer.items() if one.origin is not Origin.DEFAULT}
        unread = next((block.unread for block in blocks if block.unread), None)
        settings = in_force(declared_block(stated, unread), [item.per_entry.get(entry, {}), self._overrides])
        behind = tuple(f"{file}:" for block in blocks for file in block.behind)
        doubted = any((one.source or "").startswith(behind) for one in settings.values.values())
        return replace(settings, doubted=doubted)

    def _entries_of(self, block: LineBlock) -> dict[str, int]:
        """The entries of a line's servers, each with the index of its first server; empty if the addresses of any are
        unknown: then DNS may give them."""
        names = [self._entry(server) for server in block.servers]
        return {name: names.index(name) for name in names if name} if all(names) else {}

    def _entry(self, server: ServerBlock) -> str | None:
        """The name of a server's entry: that of the site file if it has one by this name, otherwise the server's own,
        made distinct from other lists of the same name. None if there is neither."""
        if server.host is None:
            return None
        for name in (server.host.label, server.host.name):
            if name in self.site.entries:
                return name
        return None if server.entry is None else self._named(server.entry)

    def _named(self, entry: ServerEntry) -> str:
        known = self._names.get(entry)
        if known is not None:
            return known
        name, number = entry.name, 1
        while name in self.entries:
            number += 1
            name = f"{entry.name} ({number})"
        self._names[entry] = name
        self.entries[name] = replace(entry, name=name)
        return name


def _hosts_of(block: LineBlock) -> dict[str, int]:
    """The hosts of a line's servers, each with the index of its first server."""
    hosts: dict[str, int] = {}
    for place, server in enumerate(block.servers):
        if server.host is not None:
            hosts.setdefault(server.host.name, place)
    return hosts


def _read(site: Site, config: Sequence[str]) -> tuple[Provisioning | None, dict[int | None, Provisioning]]:
    """The provisioning of `--config`, and that of each item that names one, by item index; files that are named several
    times are read once."""
    paths: dict[int | None, tuple[str, ...]] = {None: tuple(config)} if config else {}
    paths |= {place: (item.config,) for place, item in enumerate(site.lines) if item.config is not None}
    read: dict[tuple[str, ...], Provisioning] = {}
    errors: list[InputError] = []
    for each in dict.fromkeys(paths.values()):
        with collecting(errors):
            read[each] = Provisioning(each)
    raise_together(errors)
    found = {place: read[each] for place, each in paths.items()}
    return found.pop(None, None), found
