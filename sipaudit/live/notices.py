"""Decides what is worth a notification: incidents that open, grow or close, and findings that belong to none.

Three hundred phones that lose their server are one notice, not three hundred.
This module uses neither a clock nor the network: sayings and times go in,
notices come out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo

from sipaudit.live.standing import keep
from sipaudit.model.captures import ServerSummary
from sipaudit.model.sayings import FindingSaid, IncidentSaid, Saying, ServerSaid, Withdrawn
from sipaudit.model.values import Finding, Incident, Severity
from sipaudit.report.incident_words import Words
from sipaudit.report.names import short_names
from sipaudit.report.screen import count_of, shortened
from sipaudit.safe_text import safe_text
from sipaudit.times import TimeStyle, format_time
from sipaudit.turned_away import has_room

SETTLING = 5.0        # seconds until a new incident is told: more phones may follow the first ones
OVER = 30.0           # seconds without change until the end of an incident is told
GROWN_SOON = 60.0     # seconds until an incident that has doubled is told again
GROWN_LATE = 3600.0   # seconds until one that has grown at all is told again
BELONGING = 30.0      # seconds within which an incident may claim a finding
FINDINGS_TOLD = 10    # findings that one notice describes
RULES_TOLD = 5
RECENT = 60.0         # seconds: an earlier run may not have told the findings of its last minute
INCIDENTS = 2_000     # followed at a time
FINDINGS = 20_000     # of which is remembered whether they were told
SERVERS = 1_000
WIRE_TEXT = 200       # characters of a text from the wire

# The gravest kinds, in which phones cannot call, or could not (reference-model.md 7). All others are warnings.
GRAVE = frozenset({"server-outage", "partial-outage", "calls-lost", "registration-gap"})
_MENTION = re.compile(r"@(?=everyone|here|channel|all)", re.IGNORECASE)


@dataclass(frozen=True)
class Notice:
    """A notification: a title line, and the text below it. `severity` is None for good news, such as an end."""

    title: str
    body: str
    severity: Severity | None


@dataclass
class _Followed:
    """An incident as last said, and when and how it was last told (`told_at` None: never). `first` and `changed` are
    when it was first said and last changed; `resumed`: it comes from an earlier run."""

    incident: Incident
    first: float
    changed: float
    told_at: float | None = None
    told_size: int = 0
    told_closed: bool = False
    resumed: bool = False


@dataclass
class _Known:
    """What is remembered of a finding; suppressed ones are never counted."""

    rule: str
    severity: Severity
    suppressed: bool = False
    told: bool = False


@dataclass
class _Waiting:
    """A finding that an incident may still claim."""

    finding: Finding
    since: float


class Notices:
    """Takes sayings (`take`) and gives notices (`turn`). Severities below `least` are not told. Times are shown in the
    zone `clock`; `now` is the time until the first turn."""

    def __init__(self, least: Severity, clock: tzinfo, now: float) -> None:
        self._least = least
        self._clock = clock
        self._now = now
        self._servers: dict[str, ServerSummary] = {}
        self._incidents: dict[str, _Followed] = {}
        self._findings: dict[str, _Known] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._taken_back: list[str] = []

    def take(self, saying: Saying) -> None:
        match saying:
            case FindingSaid(finding=finding):
                self._finding(finding)
            case IncidentSaid(incident=incident):
                self._incident(incident)
            case Withdrawn():
                self._withdrawn(saying)
            case ServerSaid(server=server):
                keep(self._servers, server.server, server, SERVERS)
            case _:
                pass

    def learn(self, saying: Saying) -> None:
        """Take a saying of an earlier run. Incidents that are still open are told again, as going on; recent findings
        may not have been told, all others were."""
        self.take(saying)
        match saying:
            case IncidentSaid(incident=incident):
                self._incidents[incident.id].resumed = True
                self._incidents[incident.id].told_closed = incident.state == "closed"
            case FindingSaid(finding=finding):
                if finding.time is None or finding.time < self._now - RECENT:
                    self._waiting.pop(finding.id, None)
                    self._findings[finding.id].told = True
            case _:
                pass

    def turn(self, now: float, *, is_last: bool = False) -> Iterator[Notice]:
        """The notices that are due at `now`, in seconds since the epoch; if it `is_last`, all that are pending."""
        if now < self._now:
            self._set_back(now - self._now)
        self._now = float("inf") if is_last else now
        yield from self._of_incidents()
        yield from self._of_findings()
        if self._taken_back:
            told, self._taken_back = self._taken_back, []
            yield Notice(f"withdrawn: {len(told)} of what was told", "\n".join(_some(told)), None)

    def _set_back(self, seconds: float) -> None:
        """Our clock was set back (`seconds` is negative): shift stored times, so that no delay becomes longer."""
        for followed in self._incidents.values():
            followed.first += seconds
            followed.changed += seconds
            if followed.told_at is not None:
                followed.told_at += seconds
        for waiting in self._waiting.values():
            waiting.since += seconds

    # -- what is said

    def _finding(self, finding: Finding) -> None:
        known = self._findings.pop(finding.id, None) or _Known(finding.rule, finding.severity)
        known.severity, known.suppressed = finding.severity, finding.suppressed is not None
        self._findings[finding.id] = known
        if len(self._findings) > FINDINGS:
            del self._findings[next(iter(self._findings))]
        waits = self._waiting.get(finding.id)
        if finding.suppressed is not None or finding.severity.rank < self._least.rank:
            self._waiting.pop(finding.id, None)
        elif waits is not None:
            waits.finding = finding
        elif not known.told and has_room(self._waiting, FINDINGS, "notices"):
            self._waiting[finding.id] = _Waiting(finding, self._now)

    def _incident(self, incident: Incident) -> None:
        followed = self._incidents.get(incident.id)
        if followed is None:
            self._make_room()
            self._incidents[incident.id] = _Followed(incident, self._now, self._now)
        elif followed.incident != incident:
            followed.incident, followed.changed = incident, self._now

    def _make_room(self) -> None:
        """Remove the oldest incident whose end was told, or else the oldest."""
        if len(self._incidents) >= INCIDENTS:
            ended = (name for name, followed in self._incidents.items() if followed.told_closed)
            del self._incidents[next(ended, next(iter(self._incidents)))]

    def _withdrawn(self, saying: Withdrawn) -> None:
        self._waiting.pop(saying.id, None)
        followed, known = self._incidents.pop(saying.id, None), self._findings.pop(saying.id, None)
        was_told = (followed is not None and followed.told_at is not None) or (known is not None and known.told)
        if was_told and len(self._taken_back) < FINDINGS:
            what = followed.incident.kind if followed is not None else known.rule if known is not None else ""
            self._taken_back.append(f"{plain(saying.id)} {plain(what)}: {plain(saying.reason)}")

    # -- incidents

    def _of_incidents(self) -> Iterator[Notice]:
        for followed in self._incidents.values():
            how = self._due(followed)
            if how is not None and self._severity(followed.incident).rank >= self._least.rank:
                followed.told_at, followed.told_size = self._now, self._size(followed.incident)
                followed.told_closed = followed.incident.state == "closed"
                yield self._about(followed.incident, how)

    def _due(self, followed: _Followed) -> str | None:
        """How to tell it now: `opened`, `going on`, `over`, `open again`, `grown`; None: not now."""
        closed, told_at = followed.incident.state == "closed", followed.told_at
        if closed and not followed.told_closed:
            return "over" if self._now - followed.changed >= OVER else None
        if told_at is None:
            how = "going on" if followed.resumed else "opened"
            return how if not closed and self._now - followed.first >= SETTLING else None
        since, size = self._now - told_at, self._size(followed.incident)
        if since < GROWN_SOON:
            return None
        if followed.told_closed and not closed:
            return "open again"
        grown = size >= 2 * followed.told_size or (size > followed.told_size and since >= GROWN_LATE)
        return "grown" if grown else None

    def _severity(self, incident: Incident) -> Severity:
        """Error for a grave kind or if any finding is an error, otherwise warning."""
        is_error = incident.kind in GRAVE or any(one.severity is Severity.ERROR for one in self._known(incident))
        return Severity.ERROR if is_error else Severity.WARNING

    def _size(self, incident: Incident) -> int:
        return len(incident.lines) + len(self._counted(incident))

    def _counted(self, incident: Incident) -> list[_Known | None]:
        """Its findings that count; None for each that was forgotten."""
        findings = (self._findings.get(name) for name in incident.findings)
        return [known for known in findings if known is None or not known.suppressed]

    def _known(self, incident: Incident) -> list[_Known]:
        """Its findings that count, without the forgotten ones."""
        return [known for known in self._counted(incident) if known is not None]

    def _about(self, incident: Incident, how: str) -> Notice:
        words = Words(self._clock, short_names(self._servers.values()), TimeStyle.FULL, alone=False, unasked_since={},
                      without={})
        where = "" if incident.server is None else f" at {plain(words.server(incident.server))}"
        title = f"{how}: {plain(incident.kind)}{where}, {count_of(len(incident.lines), 'line')} ({plain(incident.id)})"
        said = [plain(sentence) for sentence in words.of(incident)]
        said += self._rules_of(incident)
        return Notice(title, "\n".join(said), None if how == "over" else self._severity(incident))

    def _rules_of(self, incident: Incident) -> Iterator[str]:
        """Its findings, counted by rule."""
        counted = self._counted(incident)
        if counted:
            named = _by_rule(self._known(incident))
            yield f"Findings: {len(counted)}" + (f" ({named})" if named else "")

    # -- findings that belong to no incident

    def _of_findings(self) -> Iterator[Notice]:
        due = [waiting.finding for waiting in self._waiting.values() if self._now - waiting.since >= BELONGING]
        if not due:
            return
        claimed = {name for followed in self._incidents.values() for name in followed.incident.findings}
        lone = [one for one in due if one.id not in claimed and one.incident not in self._incidents]
        for finding in due:
            del self._waiting[finding.id]
        for finding in lone:
            self._findings.setdefault(finding.id, _Known(finding.rule, finding.severity)).told = True
        if lone:
            yield self._batch(lone)

    def _batch(self, findings: list[Finding]) -> Notice:
        worst = sorted(findings, key=lambda finding: -finding.severity.rank)
        return Notice(f"{count_of(len(findings), 'finding')}: {_by_rule(findings)}",
                      "\n".join(_some([self._in_words(finding) for finding in worst])), worst[0].severity)

    def _in_words(self, finding: Finding) -> str:
        when = "" if finding.time is None else format_time(finding.time, self._clock) + " "
        line = "" if not finding.line else f" {plain(finding.line)}"
        phone = "" if finding.phone is None else f" phone {plain(finding.phone)}"
        return (f"{when}{finding.severity} {plain(finding.rule)} ({plain(finding.id)}){line}{phone}: "
                f"expected {plain(finding.expected)}; observed {plain(finding.observed)}")


def _by_rule(findings: Iterable[Finding | _Known]) -> str:
    """`3 premature-failback, 1 flapping`: the most frequent rules."""
    rules = Counter(finding.rule for finding in findings)
    return ", ".join(f"{count} {plain(rule)}" for rule, count in rules.most_common(RULES_TOLD))


def _some(lines: list[str]) -> list[str]:
    """The first ones, and how many more there are."""
    more = len(lines) - FINDINGS_TOLD
    return [*lines[:FINDINGS_TOLD], f"and {more} more"] if more > 0 else lines


def plain(text: str) -> str:
    """Text from the wire, made safe for chat or mail: one shortened line, without anything that these would act upon
    (markup, links, mentions of everybody)."""
    harmless = shortened(safe_text(text), WIRE_TEXT).translate(_ACTING).replace("](", "] (").replace("://", ": //")
    return _MENTION.sub("@ ", harmless)


_ACTING = str.maketrans({"<": "‹", ">": "›", "`": "'", "*": "·", "|": "¦", "~": "-", "#": "＃"})
