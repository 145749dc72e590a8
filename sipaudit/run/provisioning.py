"""`config check` and `config show`: provisioning files on their own, without a capture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from sipaudit.errors import InputError
from sipaudit.model.settings import LineSettings
from sipaudit.model.values import Finding
from sipaudit.report.configuration import ShownLine, ShownServer, ShownSetting
from sipaudit.rulebook.rules import Rule
from sipaudit.rulebook.telling import in_order
from sipaudit.run.issue_findings import issue_findings
from sipaudit.run.meaning import meaning, predictions
from sipaudit.settings.catalogue import declared_block, in_force
from sipaudit.settings.match import bare_mac
from sipaudit.settings.polycom.line import LineBlock, ServerBlock
from sipaudit.settings.provisioning import Phone, Provisioning
from sipaudit.yamlfile.files import exists

_MAC = re.compile(r"[0-9a-f]{12}")


def check(provisioning: Provisioning, rules: Iterable[Rule]) -> list[Finding]:
    """All findings about the files, numbered."""
    return in_order(issue_findings(provisioning.issues(), rules))


def show(target: str, config: Sequence[str]) -> list[ShownLine]:
    """The lines in a file or directory, or those of the phone with this MAC in the files of `config`. Raises
    InputError."""
    named = exists(target)
    phones = Provisioning([target, *config]).all_phones() if named else [_phone(target, config)]
    lines = [line for phone in phones for line in _lines(phone)]
    addressed = [line for line in lines if line.line]
    if not lines:
        raise InputError("nothing is said of any line here", fix="name a file with reg.* or voIpProt.* parameters",
                         file=target)
    return addressed or lines


def _phone(target: str, config: Sequence[str]) -> Phone:
    mac = bare_mac(target)
    if not _MAC.fullmatch(mac):
        raise InputError(f"{target!r} is neither a file or directory nor a MAC", fix="write a MAC as 0004f2abcdef")
    if not config:
        raise InputError(f"where are the files of the phone {target}?", fix="name them with --config PATH")
    provisioning = Provisioning(config)
    phone = provisioning.phones.get(mac) or provisioning.other
    if phone is None:
        known = ", ".join(list(provisioning.phones)[:5])
        raise InputError(f"no phone {target} in these files", fix=f"they are for {known}")
    return phone


def _lines(phone: Phone) -> Iterator[ShownLine]:
    """Each line; if it differs by model, once for each variant."""
    readings: list[tuple[LineBlock, list[str]]] = []
    for model, variant in phone.variants.items():
        for block in variant.lines:
            same = next((models for known, models in readings if known == block), None)
            if same is None:
                readings.append((block, [model or "any other model"]))
            else:
                same.append(model or "any other model")
    for block, models in readings:
        every = len(models) == len(phone.variants)
        servers = [_server(one, block.unread) for one in block.servers]
        yield ShownLine(phone.mac, block.aor or None, [] if every else models, servers)


def _server(server: ServerBlock, unread: str | None) -> ShownServer:
    settings = in_force(declared_block(server.settings, unread), [])
    entry = server.entry
    return ShownServer(
        name=server.host.label if server.host else None, proxy=bool(server.host and server.host.proxy),
        addresses=[one.key for one in entry.servers] if entry else [], dns_ttl=entry.dns_ttl if entry else None,
        regime=settings.regime, mode=settings.mode, settings=_settings(settings),
        predictions=list(predictions(settings, entry)),
    )


def _settings(settings: LineSettings) -> list[ShownSetting]:
    return [ShownSetting(name, one.value, one.origin, one.source, meaning(name, one, settings))
            for name, one in settings.values.items()]
