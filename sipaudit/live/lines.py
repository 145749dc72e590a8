"""Sayings as plain lines, one for each finding, incident or move: the console where there is no terminal."""

from __future__ import annotations

from datetime import tzinfo
from typing import TextIO, TypeVar

from sipaudit.live.standing import Standing
from sipaudit.live.writer import Writer
from sipaudit.model.sayings import FindingSaid, IncidentSaid, MoveSaid, Saying, Withdrawn
from sipaudit.model.values import Finding, Incident
from sipaudit.report.screen import count_of, shortened
from sipaudit.report.when import lasting
from sipaudit.safe_text import safe_text
from sipaudit.times import TimeStyle, format_time

STATE_EVERY = 60.0   # seconds between two lines about the state of the probe
LENGTH = 800         # characters of a line
INCIDENTS = 2_000    # of which is remembered what was written; FINDINGS likewise
FINDINGS = 20_000

T = TypeVar("T")


class Lines:
    """A Sink that writes lines to read or to grep. An incident gets one when it opens and one when its state changes,
    but none for each phone line that joins it. A finding gets one, and a short one when an incident claims it. A line
    begins with the time of the saying; the time of the event itself stands in the text. Times are in the zone `clock`.
    """

    def __init__(self, stream: TextIO, clock: tzinfo) -> None:
        self._writer = Writer(stream)
        self._clock = clock
        self._standing = Standing()
        self._states: dict[str, str] = {}
        self._findings: dict[str, tuple[object, ...]] = {}   # severity, reason of suppression, incident
        self._stated: float | None = None
        self._lost = 0

    def take(self, saying: Saying) -> None:
        self._standing.take(saying)
        text = self._in_words(saying)
        if text is not None:
            self._write(saying.time, text)

    def learn(self, saying: Saying) -> None:
        self._standing.take(saying)
        self._in_words(saying)

    def turn(self, now: float) -> None:
        if self._stated is None or not 0 <= now - self._stated < STATE_EVERY:
            self._stated = now
            self._write(now, self._state())

    def close(self) -> None:
        self._writer.close()

    def _write(self, time: float, text: str) -> None:
        if self._writer.lost > self._lost:
            text = f"({count_of(self._writer.lost - self._lost, 'line')} lost before this one) {text}"
        lost = self._writer.lost
        if self._writer.put(f"{format_time(time, self._clock)} {shortened(safe_text(text), LENGTH)}\n"):
            self._lost = lost

    def _in_words(self, saying: Saying) -> str | None:
        match saying:
            case FindingSaid(finding=finding):
                return self._finding(finding, saying.time)
            case IncidentSaid(incident=incident):
                return self._incident(incident, saying.time)
            case MoveSaid(line=line, move=move):
                name = self._standing.name
                when = self._when(move.time, saying.time)
                return f"move {move.kind} {line} at {when} {name(move.from_)} -> {name(move.to)} ({move.cause})"
            case Withdrawn(id=withdrawn, reason=reason):
                self._states.pop(withdrawn, None)
                self._findings.pop(withdrawn, None)
                return f"withdrawn {withdrawn}: {reason}"
        return None

    def _finding(self, finding: Finding, said: float) -> str | None:
        under = "" if finding.incident is None else f" [{finding.incident}]"
        before = self._findings.pop(finding.id, None)
        now = (finding.severity, finding.suppressed, finding.incident)
        _remember(self._findings, finding.id, now, FINDINGS)
        if before is not None and before[:2] == now[:2]:
            return f"finding {finding.id}{under}" if before != now else None
        mark = "" if finding.suppressed is None else f" (suppressed: {finding.suppressed})"
        line = "" if not finding.line else f" {finding.line}"
        when = "" if finding.time is None else f" at {self._when(finding.time, said)}"
        return (f"finding {finding.id} {finding.severity} {finding.rule}{line}{when}{under}{mark}: "
                f"expected {finding.expected.rstrip('.')}; observed {finding.observed}")

    def _incident(self, incident: Incident, said: float) -> str | None:
        before = self._states.pop(incident.id, None)
        _remember(self._states, incident.id, incident.state, INCIDENTS)
        if before == incident.state:
            return None
        where = incident.entry or "" if incident.server is None else self._standing.name(incident.server)
        lasted = "" if incident.end is None else f", lasted {lasting(incident.end - incident.start)}"
        counted = sum(self._findings.get(name, (None, None))[1] is None for name in incident.findings)
        return (f"incident {incident.id} {incident.state} {incident.kind} {where} from "
                f"{self._when(incident.start, said)}: "
                f"{count_of(len(incident.lines), 'line')}, {count_of(counted, 'finding')}{lasted}")

    def _when(self, time: float, said: float) -> str:
        """The time of day, with its date where that is not the date of the saying."""
        whole = format_time(time, self._clock)
        same_day = whole[:10] == format_time(said, self._clock)[:10]
        return format_time(time, self._clock, TimeStyle.CLOCK) if same_day else whole

    def _state(self) -> str:
        standing, health = self._standing, self._standing.health
        held = [f"{standing.name(server)} {count}" for server, count in standing.lines.by_server.most_common(5)]
        parts = [f"lines: {', '.join(held) or 'none'}", count_of(len(standing.open), "open incident")]
        if health is not None:
            drops = "not known" if health.kernel_drops is None else str(health.kernel_drops)
            parts += [f"{health.packets_per_s:.0f} packets/s", f"{health.sip_per_s:.0f} SIP/s",
                      f"lag {health.lag_s:.1f} s", f"drops {drops}"]
            parts += [f"{count_of(health.sources_away, 'source')} away"] if health.sources_away else []
            parts += [f"blind {health.blind_s:.0f} s"] if health.blind_s else []
        return "state " + "; ".join(parts)


def _remember(kept: dict[str, T], name: str, value: T, limit: int) -> None:
    """Add as the newest; beyond `limit` the oldest is removed."""
    kept[name] = value
    if len(kept) > limit:
        del kept[next(iter(kept))]
