"""The terminal view of a live run: servers with their lines, open incidents, findings, and the health of the probe."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sipaudit import __version__
from sipaudit.live.standing import Standing
from sipaudit.model.captures import CaptureSummary
from sipaudit.model.sayings import FindingSaid, Health, Saying, Withdrawn
from sipaudit.model.values import Finding, Incident
from sipaudit.report.screen import STYLES, brief, count_of, shortened
from sipaudit.safe_text import safe_text
from sipaudit.times import TimeStyle, format_time

FINDINGS = 50       # kept to be shown
COUNTED = 20_000    # findings that are remembered as counted
SHARES = 8          # servers that are shown
BAR = 20            # columns of a bar
CELL = 60           # characters of a value
USER = 16           # characters of a line's user part
FIXED = 12          # rows that are always there, with the last one, which stays free


class View:
    """Collects sayings; `drawing` shows the current state. Text from the wire is shown safely: rich interprets no
    markup in it, and unprintable characters are escaped."""

    def __init__(self, title: str, clock: tzinfo) -> None:
        self.standing = Standing()
        self._title = title
        self._clock = clock
        self._findings: deque[Finding] = deque(maxlen=FINDINGS)
        self._counts: dict[str, bool] = {}     # by id, the oldest first; false for suppressed findings
        self._found: Counter[bool] = Counter()

    def take(self, saying: Saying) -> None:
        self.standing.take(saying)
        match saying:
            case FindingSaid(finding=finding):
                self._finding(finding)
            case Withdrawn(id=name):
                self._forget(name)
            case _:
                pass

    def drawing(self, now: float, height: int, log: Sequence[str]) -> RenderableType:
        """The state at `now`, with the last lines of the log below."""
        left = max(height - FIXED - len(log), 9)
        incidents = min(len(self.standing.open), max(left // 3, 2))
        servers = self._in_order()[: min(SHARES, max(left // 3, 2))]
        findings = max(left - incidents - len(servers), 3)
        return Group(*self._head(now), Text(), self._servers(servers), Text(), *self._incidents(incidents, now), Text(),
                     *self._last(findings), *(Text(_short(line, 200), style="dim", no_wrap=True) for line in log))

    # -- what is said

    def _finding(self, finding: Finding) -> None:
        """A finding that is said again keeps its place, and counts once."""
        if finding.id in self._counts:
            self._found[self._counts[finding.id]] -= 1
            self._findings = deque((finding if known.id == finding.id else known for known in self._findings), FINDINGS)
        else:
            if len(self._counts) >= COUNTED:
                del self._counts[next(iter(self._counts))]
            self._findings.append(finding)
        self._counts[finding.id] = finding.suppressed is None
        self._found[finding.suppressed is None] += 1

    def _forget(self, name: str) -> None:
        if name in self._counts:
            self._found[self._counts.pop(name)] -= 1
            self._findings = deque((known for known in self._findings if known.id != name), FINDINGS)

    # -- drawing

    def _head(self, now: float) -> Iterator[RenderableType]:
        line = Table.grid(expand=True)
        line.add_column(no_wrap=True, overflow="ellipsis")
        line.add_column(justify="right", no_wrap=True)
        line.add_row(Text(f"sipaudit {__version__} live  {_short(self._title)}", style="bold"),
                     Text(format_time(now, self._clock, TimeStyle.FULL).rpartition(".")[0]))
        yield line
        yield _rates(self.standing.health)
        yield _losses(self.standing.health, self.standing.captures.values())

    def _in_order(self) -> list[str]:
        """Servers with lines, those with the most first; then those of the site file without lines."""
        lines = self.standing.lines.by_server
        of_site = [name for name, server in self.standing.servers.items() if server.entry is not None]
        used = [server for server, count in lines.most_common() if count]
        return [*used, *(server for server in sorted(of_site) if not lines[server])]

    def _servers(self, servers: Sequence[str]) -> RenderableType:
        table = _table(("lines", "right"), ("server", "left"), ("address", "left"), ("entry", "left"), ("", "left"))
        lines, known = self.standing.lines.by_server, self.standing.servers
        name, total = self.standing.name, max(len(self.standing.lines), 1)
        for server in servers:
            entry = known[server].entry if server in known else None
            bar = "█" * max(round(BAR * lines[server] / total), int(lines[server] > 0))
            table.add_row(str(lines[server]), _cell(name(server)), _cell(server),
                          _cell(entry or "-"), Text(bar, style="cyan"))
        if not servers:
            table.add_row("0", Text("no line has been seen yet", style="dim"))
        return table

    def _incidents(self, rows: int, now: float) -> Iterator[RenderableType]:
        opened = list(self.standing.open.values())
        yield Text(count_of(len(opened), "open incident") if opened else "No open incident",
                   style="bold red" if opened else "green")
        if opened:
            yield self._open(opened[-rows:], now)

    def _open(self, incidents: Iterable[Incident], now: float) -> RenderableType:
        table = _table(("id", "left"), ("kind", "left"), ("where", "left"), ("since", "left"), ("lasts", "right"),
                       ("lines", "right"), ("findings", "right"))
        for incident in incidents:
            where = incident.entry or "-" if incident.server is None else self.standing.name(incident.server)
            table.add_row(_cell(incident.id), _cell(incident.kind, "red"), _cell(where),
                          format_time(incident.start, self._clock, TimeStyle.CLOCK), _lasting(now - incident.start),
                          str(len(incident.lines)),
                          str(sum(self._counts.get(finding, True) for finding in incident.findings)))
        return table

    def _last(self, rows: int) -> Iterator[RenderableType]:
        found, suppressed = self._found[True], self._found[False]
        besides = f", {suppressed} suppressed" if suppressed else ""
        yield Text((f"Last of {count_of(found, 'finding')}" if found else "No finding") + besides,
                   style="bold" if found else "green")
        if self._findings:
            table = _table(("id", "left"), ("time", "left"), ("", "left"), ("rule", "left"), ("line", "left"),
                           ("in", "left"), ("server", "left"), gives="server")
            for finding in list(self._findings)[-rows:]:
                table.add_row(*self._row(finding))
            yield table

    def _row(self, finding: Finding) -> tuple[RenderableType, ...]:
        when = "-" if finding.time is None else format_time(finding.time, self._clock, TimeStyle.CLOCK)[:8]
        severity = "suppressed" if finding.suppressed is not None else str(finding.severity)
        server = "-" if finding.server is None else self.standing.name(finding.server)
        user = _short(brief(finding.line or "").partition("@")[0], USER)   # `--line` accepts it
        return (_cell(finding.id), when, Text(severity, style=STYLES.get(severity, "dim")), _cell(finding.rule),
                _cell(user), _cell(finding.incident or "-"), _cell(server))


def _rates(health: Health | None) -> Text:
    if health is None:
        return Text("no traffic has been counted yet", style="dim")
    return Text(
        f"{health.packets_per_s:,.0f} packets/s  {health.sip_per_s:,.0f} SIP/s  {count_of(health.lines, 'line')}  "
        f"{count_of(health.dialogs, 'dialog')}  {count_of(health.transactions, 'transaction')}  "
        f"memory {health.memory_bytes / 1_000_000:,.0f} MB", no_wrap=True, overflow="ellipsis")


def _losses(health: Health | None, captures: Iterable[CaptureSummary]) -> Text:
    """What was not seen, or seen late, in red unless zero. The gravest comes first, since a narrow terminal cuts the
    end."""
    said = Text(no_wrap=True, overflow="ellipsis")
    if health is not None:
        if health.sources_away:
            said.append(f"{count_of(health.sources_away, 'source')} away  ", style="bold red")
        if health.blind_s:
            said.append(f"blind {_lasting(health.blind_s)}  ", style="bold red")
        for name, value in (("kernel drops", health.kernel_drops), ("interface drops", health.interface_drops),
                            ("evicted", sum(health.evicted.values()))):
            said.append(f"{name} {'-' if value is None else value}  ", style="bold red" if value else "")
        said.append(f"lag {health.lag_s:.1f} s  ", style="bold red" if health.lag_s > 5 else "")
        said.append(f"undecoded {sum(health.undecoded.values())}  ")
    said.append(f"malformed {sum(sum(capture.malformed.values()) for capture in captures)}")
    return said


def _table(*columns: tuple[str, str], gives: str | None = None) -> Table:
    """A table of columns, each with its alignment; the one that `gives` is cut first when there is too little room."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name, side in columns:
        table.add_column(_cell(name), justify="right" if side == "right" else "left", no_wrap=name != gives,
                         overflow="ellipsis")
    return table


def _cell(text: str, style: str = "") -> Text:
    return Text(_short(text), style=style, no_wrap=True, overflow="ellipsis")


def _short(text: str, length: int = CELL) -> str:
    return shortened(safe_text(text), length)


def _lasting(seconds: float) -> str:
    """`42 s`, `12:05`, `3:12:05`."""
    whole = int(max(seconds, 0))
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
