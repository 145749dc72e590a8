"""What a report says, in a few sentences: the same words at a terminal, on the page and in a ticket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import tzinfo

from sipaudit.incidents.chronicle import AGAIN, STOP
from sipaudit.model.values import Finding, Incident, Report, ServerSummary, Severity
from sipaudit.report.advice import CAPTURING
from sipaudit.report.screen import brief, count_of
from sipaudit.times import TimeStyle, format_time, parse_zone

KINDS_SHOWN = 8
INCIDENTS_SAID = 4
RULES_SAID = 5
UNREACHED = frozenset({"icmp", "refused", "reset", "tls", "dns"})   # how the evidence of a transport failure begins
# What so many phones did, by rule: "3 phones signalled ...".
DID = {
    "signalling-to-unregistered-server": "signalled with a server before registering there",
    "registration-without-expiry": "got a registration of no duration from a server",
    "signalling-after-expiry": "started a call while registered nowhere",
    "deregistration-at-failover": "de-registered at the server that had failed",
    "unexpected-re-registration": "registered at the next server although set not to",
    "signalling-to-failed-server": "signalled with a server to be left alone until failback",
    "accepted-from-failed-server": "accepted a request from a server to be left alone until failback",
    "failover-without-failure": "left a server that had answered everything",
    "failover-skipped-server": "passed over a server of which nothing bad was known",
    "failover-missing": "kept asking a silent server and turned to no other",
    "premature-failback": "returned before the failback was due",
    "overdue-failback": "stayed on a secondary server after the return was due",
    "failback-during-call": "registered with the first server again while a call was up",
    "failback-without-registration": "returned to a server without registering there first",
    "failback-probe-registration": "registered with the first server again while registered there",
    "failback-retried-too-often": "tried the first server over and over",
    "primary-not-tried-first": "called through a lower server without trying the first",
    "secondary-abandoned": "gave up the working server because of a try to return",
    "credentials-to-wrong-server": "sent one server's credentials to another",
    "flapping": "moved between servers again and again",
}


def sentences(report: Report, zone: str) -> list[str]:
    """The verdict, the worst first; times in `zone` (as `--tz` names it). Text from the wire is in it as it was seen:
    who shows it must make it harmless."""
    messages = sum(capture.sip_messages for capture in report.captures)
    if not messages:
        return [_no_sip(report)]
    deviations = [*_nobody(report)] or _deviations(report.findings)
    said = [*incidents(report, zone), *deviations, _scope(report, messages), *report.notes]
    open_checks = sum(row.count for row in report.inconclusive)
    if open_checks:
        said.append(f"{count_of(open_checks, 'check')} could not be decided, see below why.")
    cut = sum(capture.snaplen_cut for capture in report.captures)
    if cut:
        said.append(f"{count_of(cut, 'SIP message')} lost the end to the snap length of the capture, so what they said "
                    f"is known in part only. See {CAPTURING}.")
    return said


def incidents(report: Report, zone: str) -> list[str]:
    """What happened, the gravest kinds first, each kind in order of time."""
    if not report.incidents:
        return ["No outage or other incident was seen."]
    words, rank = words_of(report, zone), {kind: place for place, kind in enumerate(SAID)}
    ordered = sorted(report.incidents, key=lambda incident: (rank.get(incident.kind, len(rank)), incident.start))
    said = [" ".join(words.of(incident)) for incident in ordered[:INCIDENTS_SAID]]
    if len(ordered) > INCIDENTS_SAID:
        rest = Counter(incident.kind for incident in ordered[INCIDENTS_SAID:])
        said.append(f"{count_of(rest.total(), 'more incident')}: "
                    + ", ".join(f"{count} {kind}" for kind, count in rest.items()) + ".")
    return said


class Words:
    """How incidents are said: servers by their shortest name, times by the clock."""

    def __init__(self, clock: tzinfo, names: Mapping[str, str], style: TimeStyle, alone: bool) -> None:
        """`names`: of servers; `alone`: every phone has one line."""
        self._clock = clock
        self._names = names
        self._style = style
        self._alone = alone

    def of(self, incident: Incident) -> list[str]:
        """One incident in sentences."""
        say = SAID.get(incident.kind)
        if say is None:
            return [f"{incident.kind}{self.at(incident)} {self.span(incident)}."]
        return list(say(self, incident))

    def server(self, server: str | None) -> str:
        return "A server" if server is None else self._names.get(server, brief(server))

    def time(self, seconds: float) -> str:
        return format_time(seconds, self._clock, self._style).rpartition(".")[0] or format_time(seconds, self._clock)

    def span(self, incident: Incident) -> str:
        """`from 12:03:04 to 12:09:10`, or `since 12:03:04` while it lasts."""
        if incident.end is None:
            return f"since {self.time(incident.start)}"
        if incident.end == incident.start:
            return f"at {self.time(incident.start)}"
        return f"from {self.time(incident.start)} to {self.time(incident.end)}"

    def at(self, incident: Incident) -> str:
        return "" if incident.server is None else f" at {self.server(incident.server)}"

    def lines(self, count: int) -> str:
        """`3 phones` where every phone has one line, else `3 lines`."""
        return count_of(count, "phone" if self._alone else "line")

    def groups(self, incident: Incident) -> Iterator[str]:
        """`Site A: 40 of 42`, those of an incident that reached several or a part of one."""
        if incident.groups:
            yield ", ".join(f"{share.group}: {share.lines} of {share.of}" for share in incident.groups[:KINDS_SHOWN]) \
                + "."


def words_of(report: Report, zone: str) -> Words:
    """How this report's incidents are said: days are named where there are several."""
    clock = parse_zone(zone)
    ends = [end for capture in report.captures for end in (capture.first, capture.last) if end is not None]
    days = {format_time(end, clock).partition(" ")[0] for end in ends}
    style = TimeStyle.CLOCK if len(days) < 2 else TimeStyle.FULL
    alone = len({line.phone for line in report.lines}) == len(report.lines)
    return Words(clock, short_names(report.servers), style, alone)


def short_names(servers: Iterable[ServerSummary]) -> dict[str, str]:
    """By server the first label of its name where no other has it, else the name, else address and port."""
    servers = list(servers)
    labels = Counter(server.name.partition(".")[0] for server in servers if server.name)
    names = Counter(server.name for server in servers)
    short = {}
    for server in servers:
        label = (server.name or "").partition(".")[0]
        unique = server.name is not None and names[server.name] == 1
        short[server.server] = label if unique and labels[label] == 1 and not label.isdigit() else \
            server.name if unique and server.name else brief(server.server)
    return short


# -- each kind --------------------------------------------------------------------------------------------------------

def _outage(words: Words, incident: Incident) -> Iterator[str]:
    again = next((entry for entry in incident.timeline if entry.what.endswith(AGAIN)), None)
    last = f"; it answered again at {words.time(again.time)}" if again is not None and incident.end is None else ""
    yield f"{words.server(incident.server)} {_failed(incident)} {words.span(incident)}{last}."
    yield from _reaction(words, incident)
    yield from words.groups(incident)


def _failed(incident: Incident) -> str:
    """How the server failed, as far as the first packets that show it agree."""
    shown = {frame.summary.partition(" ")[0] for frame in incident.evidence}
    if shown == {"503"}:
        return "answered nothing but 503"
    return "could not be reached" if shown and shown <= UNREACHED else "did not answer"


def _partial(words: Words, incident: Incident) -> Iterator[str]:
    yield (f"{words.server(incident.server)} answered registrations but let calls run out {words.span(incident)}, "
           f"those of {words.lines(len(incident.lines))}.")
    yield from _reaction(words, incident)
    yield from words.groups(incident)


def _reaction(words: Words, incident: Incident) -> Iterator[str]:
    """What the lines of a failed server did, and what was lost."""
    metrics = incident.metrics
    moved, stayed = metrics.get("lines_moved") or 0, metrics.get("lines_stayed") or 0
    if moved or stayed:
        median = metrics.get("time_to_recover_p50")
        stop = next((entry for entry in incident.timeline if entry.what.startswith(STOP)), None)
        since = "" if stop is None else f" after the known stop at {words.time(stop.time)}"
        within = f" in {median:.1f} s (median){since}" if moved and median is not None else ""
        yield f"{moved} of {words.lines(int(moved + stayed))} moved{within}."
    if metrics.get("registrations_lost"):
        yield f"{words.lines(int(metrics['registrations_lost'] or 0))} lost every registration."


def _overload(words: Words, incident: Incident) -> Iterator[str]:
    yield (f"{words.server(incident.server)} refused work with {incident.metrics.get('responses_503') or 0} responses "
           f"503 {words.span(incident)}, of {words.lines(len(incident.lines))}.")
    yield from words.groups(incident)


def _storm(words: Words, incident: Incident) -> Iterator[str]:
    peak, median = incident.metrics.get("register_rate_peak") or 0, incident.metrics.get("register_rate_median") or 0
    whose = f", of {words.lines(len(incident.lines))}" if incident.lines else ""  # of a storm long ago it is forgotten
    yield (f"{words.server(incident.server)} was hit by {peak:g} REGISTERs a second (usual: {median:g}) "
           f"{words.span(incident)}{whose}.")


def _flapping(words: Words, incident: Incident) -> Iterator[str]:
    yield f"{words.lines(len(incident.lines))} kept moving between servers {words.span(incident)}."
    yield from words.groups(incident)


def _split(words: Words, incident: Incident) -> Iterator[str]:
    entry = incident.entry or "an entry"
    yield f"The lines of {entry} were spread over two servers that both answered {words.span(incident)}."
    yield from words.groups(incident)


def _stuck(words: Words, incident: Incident) -> Iterator[str]:
    yield (f"{words.lines(len(incident.lines))} did not return to {words.server(incident.server)}, which served "
           f"others, {words.span(incident)}.")
    yield from words.groups(incident)


def _gap(words: Words, incident: Incident) -> Iterator[str]:
    yield f"{words.lines(len(incident.lines))} had no registration anywhere {words.span(incident)}."
    yield from words.groups(incident)


def _calls_lost(words: Words, incident: Incident) -> Iterator[str]:
    metrics, at = incident.metrics, words.at(incident)
    if metrics.get("emergency_failed"):
        yield f"{count_of(int(metrics['emergency_failed'] or 0), 'emergency call')} failed{at}."
    if metrics.get("calls_failed"):
        yield f"{count_of(int(metrics['calls_failed'] or 0), 'call')} could not be made{at} {words.span(incident)}."
    if metrics.get("calls_lost"):
        yield f"{count_of(int(metrics['calls_lost'] or 0), 'call')} that went through it had no later message."


def _ghosts(words: Words, incident: Incident) -> Iterator[str]:
    yield (f"Calls of {words.lines(len(incident.lines))} lived on{words.at(incident)} that the phones had forgotten, "
           f"{words.span(incident)}.")


def _dead(words: Words, incident: Incident) -> Iterator[str]:
    yield (f"{words.lines(len(incident.lines))} did not renew subscriptions after leaving "
           f"{words.server(incident.server)}, {words.span(incident)}.")


def _stale(words: Words, incident: Incident) -> Iterator[str]:
    yield (f"{words.lines(len(incident.lines))} went on using {words.server(incident.server)}, which DNS no longer "
           f"lists, {words.span(incident)}.")


Saying = Callable[[Words, Incident], Iterator[str]]
SAID: dict[str, Saying] = {   # the gravest first
    "server-outage": _outage, "partial-outage": _partial, "calls-lost": _calls_lost, "registration-gap": _gap,
    "overload": _overload, "ghost-calls": _ghosts, "stuck-on-secondary": _stuck, "split-brain": _split,
    "register-storm": _storm, "flapping": _flapping, "dead-subscriptions": _dead, "stale-dns": _stale,
}


# -- findings, and what was read --------------------------------------------------------------------------------------

def nobody(report: Report) -> Iterator[str]:
    """Why there is nothing to judge, where there is nothing."""
    if not any(capture.sip_messages for capture in report.captures):
        yield _no_sip(report)
    elif not report.lines:
        yield from _nobody(report)


def _nobody(report: Report) -> Iterator[str]:
    if not report.lines and not report.findings:
        yield ("Nothing was judged: no line of a phone was seen in the time that is reported. A source is a phone when "
               "a REGISTER or INVITE of its is answered with 2xx, or when the site file declares its address or MAC.")


def _deviations(findings: list[Finding]) -> list[str]:
    if not findings:
        return ["No deviation was found."]
    counted = [finding for finding in findings if finding.suppressed is None]
    broken = _phones_by_rule(counted)
    said = [_did(rule, phones) for rule, phones in broken[:RULES_SAID]]
    if len(broken) > RULES_SAID:
        more = len(broken) - RULES_SAID
        said.append(f"{count_of(more, 'more rule')} {'was' if more == 1 else 'were'} broken.")
    flaws = Counter(finding.rule for finding in counted
                    if finding.phone is None and finding.severity is not Severity.INFO)
    if flaws:
        said.append("Wrong in the provisioning: " + ", ".join(f"{count} {rule}" for rule, count in flaws.items()) + ".")
    return [*said, _counts(findings)]


def _phones_by_rule(findings: list[Finding]) -> list[tuple[str, int]]:
    """How many phones broke each rule that weighs, errors first, then the most frequent."""
    phones: dict[str, set[str]] = {}
    worst: dict[str, int] = {}
    for finding in findings:
        if finding.phone is not None and finding.severity is not Severity.INFO:
            phones.setdefault(finding.rule, set()).add(finding.phone)
            worst[finding.rule] = max(worst.get(finding.rule, 0), finding.severity.rank)
    ordered = sorted(phones, key=lambda rule: (-worst[rule], -len(phones[rule]), rule))
    return [(rule, len(phones[rule])) for rule in ordered]


def _did(rule: str, phones: int) -> str:
    return f"{count_of(phones, 'phone')} {DID.get(rule, f'broke the rule {rule}')}."


def _counts(findings: list[Finding]) -> str:
    """`Deviations: 2 error findings.`"""
    counted = Counter(finding.severity for finding in findings if finding.suppressed is None)
    suppressed = len(findings) - counted.total()
    parts = [count_of(counted[severity], str(severity) + " finding") for severity in reversed(Severity)
             if counted[severity]]
    besides = f" Suppressed and not counted: {suppressed}." if suppressed else ""
    return "Deviations: " + (", ".join(parts) or "none that counts") + "." + besides


def _scope(report: Report, messages: int) -> str:
    phones = len({line.phone for line in report.lines})
    moves = Counter(move.kind for line in report.lines for move in line.moves)
    moved = ", ".join(f"{count} {kind}" for kind, count in sorted(moves.items()))
    return (f"Seen: {count_of(messages, 'SIP message')} of {count_of(phones, 'phone')} with "
            f"{count_of(len(report.lines), 'line')} at {count_of(len(report.servers), 'server')}; "
            f"moves between servers: {moved or 'none'}.")


def _no_sip(report: Report) -> str:
    packets = sum(capture.packets for capture in report.captures)
    held: Counter[str] = Counter()
    for capture in report.captures:
        held.update(capture.content)
        held.update({f"undecoded {kind}": count for kind, count in capture.undecoded.items()})
        held.update({f"encrypted {kind}": count for kind, count in capture.encrypted.items()})
    content = ", ".join(f"{count} {kind}" for kind, count in held.most_common(KINDS_SHOWN)) or "nothing that is known"
    return (f"No SIP in {count_of(packets, 'packet')}. They hold: {content}. "
            f"See {CAPTURING} for where and how to capture.")
