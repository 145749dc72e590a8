"""What is said as plain lines, one a finding, incident or move: the console where there is no terminal."""

from __future__ import annotations

from datetime import tzinfo
from typing import TextIO

from sipaudit.live.standing import Standing
from sipaudit.live.writer import Writer
from sipaudit.model.sayings import FindingSaid, IncidentSaid, MoveSaid, Saying, Withdrawn
from sipaudit.model.values import Incident
from sipaudit.report.screen import count_of, shortened
from sipaudit.report.verdict import short_names
from sipaudit.safe_text import safe_text
from sipaudit.times import format_time

STATE_EVERY = 60.0   # seconds between two lines on how the probe is
LENGTH = 400         # characters of a line
INCIDENTS = 2_000    # of which it is known what was written


class Lines:
    """A Sink of lines to read or to grep. An incident has one when it opens, one when its state changes; not one for
    every line that it grows by. Times in `clock`."""

    def __init__(self, stream: TextIO, clock: tzinfo) -> None:
        self._writer = Writer(stream)
        self._clock = clock
        self._standing = Standing()
        self._states: dict[str, str] = {}
        self._stated: float | None = None
        self._lost = 0

    def take(self, saying: Saying) -> None:
        self._standing.take(saying)
        text = self._in_words(saying)
        if text is not None:
            self._write(saying.time, text)

    def turn(self, now: float) -> None:
        if self._stated is None or now - self._stated >= STATE_EVERY:
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
                mark = "" if finding.suppressed is None else f" (suppressed: {finding.suppressed})"
                under = "" if finding.incident is None else f" [{finding.incident}]"
                return (f"finding {finding.id} {finding.severity} {finding.rule} {finding.line}{under}{mark}: "
                        f"expected {finding.expected}; observed {finding.observed}")
            case IncidentSaid(incident=incident):
                return self._incident(incident)
            case MoveSaid(line=line, move=move):
                return f"move {move.kind} {line} {self._server(move.from_)} -> {self._server(move.to)} ({move.cause})"
            case Withdrawn(id=name, reason=reason):
                return f"withdrawn {name}: {reason}"
        return None

    def _incident(self, incident: Incident) -> str | None:
        if self._states.pop(incident.id, None) == incident.state:
            self._states[incident.id] = incident.state
            return None
        self._states[incident.id] = incident.state
        if len(self._states) > INCIDENTS:
            del self._states[next(iter(self._states))]
        where = incident.entry or "" if incident.server is None else self._server(incident.server)
        lasted = "" if incident.end is None else f", lasted {incident.end - incident.start:.1f} s"
        return (f"incident {incident.id} {incident.state} {incident.kind} {where}: "
                f"{count_of(len(incident.lines), 'line')}, {count_of(len(incident.findings), 'finding')}{lasted}")

    def _server(self, server: str) -> str:
        return short_names(self._standing.servers.values()).get(server, server)

    def _state(self) -> str:
        standing, health = self._standing, self._standing.health
        names = short_names(standing.servers.values())
        held = [f"{names.get(server, server)} {count}" for server, count in standing.lines.by_server.most_common(5)]
        parts = [f"lines: {', '.join(held) or 'none'}", count_of(len(standing.open), "open incident")]
        if health is not None:
            drops = "not known" if health.kernel_drops is None else str(health.kernel_drops)
            parts += [f"{health.packets_per_s:.0f} packets/s", f"{health.sip_per_s:.0f} SIP/s",
                      f"lag {health.lag_s:.1f} s", f"drops {drops}"]
            parts += [f"blind {health.blind_s:.0f} s"] if health.blind_s else []
        return "state " + "; ".join(parts)
