"""Provisioning as text and JSON: the issues that `config check` found, the settings that `config show` explains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec import Struct

from sipaudit import __version__
from sipaudit.model.values import Finding, Place
from sipaudit.report import document
from sipaudit.report.by_key import by_key
from sipaudit.report.exhibits import by_severity, counting, worst_first
from sipaudit.report.screen import PARAGRAPH_SHOWN, STYLES, Screen, count_of, grouped, shortened
from sipaudit.safe_text import safe_text

SCHEMA = "sipaudit.config/1"
FINDINGS_SHOWN = 500   # issues
ALIKE_SHOWN = 3        # further places of one issue


class ShownSetting(Struct, frozen=True):
    """One setting in force; `meaning` in plain words, `origin` explicit|inherited|default|unknown|ambiguous."""

    name: str
    value: int | str | None
    origin: str
    source: str | None
    meaning: str


class ShownServer(Struct, frozen=True):
    """One server entry of a line. `addresses` is empty if only DNS or the site file has them."""

    name: str | None
    proxy: bool
    addresses: list[str]
    dns_ttl: int | None
    regime: str | None
    mode: str | None
    settings: list[ShownSetting]
    predictions: list[str]


class ShownLine(Struct, frozen=True):
    """One line of one phone. `models` are the models that this applies to, if the files differ by model. `line` is
    None if the files state only settings of all lines."""

    mac: str | None
    line: str | None
    models: list[str]
    servers: list[ShownServer]


class Checked(Struct, frozen=True):
    """The findings of `config check`, and how many phones and lines were checked."""

    schema: str
    generator: str
    phones: int
    lines: int
    findings: list[Finding]


def checked(phones: int, lines: int, findings: list[Finding]) -> Checked:
    return Checked(SCHEMA, f"sipaudit {__version__}", phones, lines, findings)


def to_json(value: Checked | list[ShownLine]) -> bytes:
    """One indented JSON document."""
    shown = value if isinstance(value, Checked) else {
        "schema": SCHEMA, "generator": f"sipaudit {__version__}", "lines": value}
    return document.indented(shown)


def render_check(found: Checked, width: int, color: bool, program: str) -> str:
    """The issues, worst first, each with its places in the files; then the commands that explain the rules."""
    screen = Screen(width, color)
    phones = f" of {count_of(found.phones, 'phone')}" if found.phones else ""
    screen.say(f"{count_of(found.lines, 'line')}{phones}. {_verdict(found)}")
    worst = worst_first(found.findings)
    issues = _alike(worst)
    for issue in issues[:FINDINGS_SHOWN]:
        _issue(screen, issue)
    screen.more(sum(map(len, issues[FINDINGS_SHOWN:])), "finding")
    if counted := counting(worst):
        screen.title("What they mean, and what to do")
        for rule in dict.fromkeys(finding.rule for finding in counted):
            screen.raw(f"    {safe_text(program)} explain {rule}")
    return screen.text()


def _verdict(found: Checked) -> str:
    said = by_severity(found.findings)
    if said:
        return f"{said}."
    return "Nothing to say against them." if found.lines else (
        "No parameter of a line or of failover is in them: are these the files that the phones get?")


def _alike(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Group findings that expect the same of one parameter into issues, so that a mistake in the files of 300 phones
    is shown once."""
    return list(by_key(((one.rule, one.severity, one.expected, one.facts.get("attribute"), one.suppressed), one)
                       for one in findings).values())


def _issue(screen: Screen, alike: Sequence[Finding]) -> None:
    finding, *others = alike
    places = _places(finding)
    mark = "" if finding.suppressed is None else f" (suppressed: {finding.suppressed})"
    screen.say("")
    screen.say(f"{places[0].file}:{places[0].line}  {finding.severity}  {finding.rule}{mark}",
               style=STYLES[finding.severity])
    screen.say(f"expected: {finding.expected}", indent=4)
    screen.say(f"observed: {finding.observed}", indent=4)
    for place in places[1:]:
        screen.say(f"see also: {place.file}:{place.line} {place.summary}", indent=4)
    _others(screen, others, finding.observed)
    if lines := _lines(alike):
        more = sum(lines.values()) - 1
        screen.say(f"line:     {next(iter(lines))}{f' and {grouped(more)} more' if more else ''}", indent=4)


def _others(screen: Screen, others: Sequence[Finding], observed: str) -> None:
    """Further places of an issue, each with its observed value if that differs from `observed`."""
    for one in others[:ALIKE_SHOWN]:
        place = _places(one)[0]
        said = "" if one.observed == observed else f" {one.observed}"
        screen.say(f"also at:  {place.file}:{place.line}{said}", indent=4)
    screen.more(len(others) - ALIKE_SHOWN, "place", indent=14)


def _places(finding: Finding) -> list[Place]:
    return [proof for proof in finding.evidence if isinstance(proof, Place)]


def _lines(alike: Iterable[Finding]) -> dict[str, int]:
    """The lines that findings name, each with the number of lines that it stands for, itself included."""
    lines: dict[str, int] = {}
    for finding in alike:
        if finding.line is not None:
            count = finding.facts.get("lines")
            lines[finding.line] = max(lines.get(finding.line, 1), count if isinstance(count, int) else 1)
    return lines


def render_show(lines: Sequence[ShownLine], width: int, color: bool) -> str:
    """Every line with its servers: what is in force, where it comes from, what it does, what it predicts."""
    screen = Screen(width, color)
    for (mac, models, servers), alike in groupby(lines, key=lambda line: (line.mac, line.models, line.servers)):
        phone = f"phone {mac}" if mac else "any phone"
        names = ", ".join(line.line for line in alike if line.line) or "All lines"
        screen.title(safe_text(f"{names} ({phone}{', as ' if models else ''}{' or '.join(models)})"))
        for server in servers:
            _server(screen, server)
    return screen.text()


def _server(screen: Screen, server: ShownServer) -> None:
    kind = "Outbound proxy" if server.proxy else "Server"
    addresses = ", ".join(server.addresses) or "addresses by DNS"
    ttl = f", TTL {server.dns_ttl} s" if server.dns_ttl is not None else ""
    known = f"{kind} {server.name}: {addresses}{ttl}" if server.name else \
        f"{kind} not known: its address, port or transport is missing or not valid"
    screen.say(f"{known}. Regime {server.regime or 'not known'}, failback mode {server.mode or 'not known'}.")
    rows = [(one.name, one.value, one.origin, one.meaning or None) for one in server.settings]
    screen.table(("setting", "value", "origin", "what it does"), rows, least=("origin",))
    _sources(screen, server)
    screen.say("If the first server fails:")
    for sentence in server.predictions:
        screen.say(sentence, indent=2)


def _sources(screen: Screen, server: ShownServer) -> None:
    """Where each setting is stated, each on one unwrapped line that can be copied, and clicked in many terminals."""
    stated = [one for one in server.settings if one.source]
    if stated:
        screen.say("Stated in:")
    for one in stated:
        screen.raw(f"  {shortened(safe_text(f'{one.source} ({one.name})'), PARAGRAPH_SHOWN)}")
