"""The report as text for a terminal, cut to fit a screen. All of it is in the report's files, and in `phones`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import tzinfo

from sipaudit.model.captures import CaptureSummary, ClockStep
from sipaudit.model.values import Finding, Incident, Report
from sipaudit.report.advice import ADVICE, ASSUMED, CAPTURING, by_reason, to_declare
from sipaudit.report.exhibits import counting, worst_first
from sipaudit.report.names import short_names, site_names
from sipaudit.report.nothing_seen import keys_open
from sipaudit.report.proof import filters_said, proof_text
from sipaudit.report.screen import STYLES, Screen, brief, count_of, counts_by_name, grouped
from sipaudit.report.series import gravest, shown_in_full
from sipaudit.report.verdict import sentences
from sipaudit.report.when import TimeText, ends_of, when_of
from sipaudit.safe_text import safe_text
from sipaudit.times import TimeStyle, format_time, zone_name

INCIDENTS_SHOWN = 5
FINDINGS_SHOWN = 6
EVENTS_SHOWN = 3
OPEN_SHOWN = 3
CAPTURES_SHOWN = 3
EVIDENCE_SHOWN = 4
ALL = "-o DIR or --format json"   # how to get all that is not shown
THROUGH_TSHARK = frozenset({"websocket", "sctp"})


def render(report: Report, clock: tzinfo, width: int, color: bool, *, program: str = "sipaudit",
           again: str | None = "CAPTURE ...") -> str:
    """The summary as text of `width` characters, times by `clock`. `program` and `again` are used in the commands that
    it recommends: the program's name, and the arguments that name the same input (None if there is no capture)."""
    screen = Screen(width, color)
    for sentence in sentences(report, clock):
        screen.say(sentence)
    _incidents(screen, report, clock)
    _findings(screen, report, clock)
    _events(screen, report, clock)
    _undecided(screen, report)
    _captures(screen, report, clock)
    _next(screen, report, program, again)
    return screen.text()


def _incidents(screen: Screen, report: Report, clock: tzinfo) -> None:
    if not report.incidents:
        return
    screen.title("Incidents")
    names, when = short_names(report.servers), when_of(report, clock)
    shown, _ = shown_in_full(report.incidents, INCIDENTS_SHOWN)
    counted = {finding.id for finding in counting(report.findings)}
    screen.table(("id", "kind", "where", "from", "to", "lines", "findings"),
                 [_incident_row(incident, counted, names, when) for incident in shown],
                 right=frozenset({"lines", "findings"}), least=("findings", "lines", "to", "where"))
    screen.more(len(report.incidents) - len(shown), "incident", ALL)


def _incident_row(incident: Incident, counted: set[str], names: dict[str, str], when: TimeText) -> tuple[object, ...]:
    where = incident.entry if incident.server is None else names.get(incident.server, brief(incident.server))
    end = "open" if incident.end is None else when(incident.end)
    return (incident.id, incident.kind, where, when(incident.start), end, len(incident.lines),
            len(counted.intersection(incident.findings)))


def _findings(screen: Screen, report: Report, clock: tzinfo) -> None:
    if not report.findings:
        return
    worst = worst_first(report.findings)
    screen.title("Findings" if len(worst) <= FINDINGS_SHOWN else "Worst findings")
    in_full = 2 if len(worst) == 2 else 1   # with what was expected and observed
    names = site_names(report)
    for finding in worst[:in_full]:
        _finding(screen, finding, report.captures, clock, names.get((finding.line, finding.phone)))
    if worst[in_full:]:
        when = when_of(report, clock)
        screen.table(("id", "severity", "rule", "time", "line", "incident"),
                     [_finding_row(finding, when) for finding in worst[in_full:FINDINGS_SHOWN]],
                     least=("incident", "severity", "time"))
    rest = Counter(finding.rule for finding in worst[FINDINGS_SHOWN:])
    screen.more(rest.total(), "finding", ALL, of_which=f" ({_most(rest)})")


def _finding_row(finding: Finding, when: TimeText) -> tuple[object, ...]:
    time = None if finding.time is None else when(finding.time)
    severity = str(finding.severity) if finding.suppressed is None else "suppressed"
    return finding.id, severity, finding.rule, time, brief(finding.line or "") or None, finding.incident


def _finding(
    screen: Screen, finding: Finding, captures: list[CaptureSummary], clock: tzinfo, called: str | None
) -> None:
    """One finding in full: which, when, whose (`called` is its name in the site file), and why."""
    mark = "" if finding.suppressed is None else f" (suppressed: {finding.suppressed})"
    under = "" if finding.incident is None else f"  {finding.incident}"
    screen.say(f"{finding.id} {finding.severity}  {finding.rule} ({finding.confidence}){under}{mark}",
               style=STYLES[finding.severity])
    if finding.line:
        when = "" if finding.time is None else format_time(finding.time, clock, TimeStyle.FULL) + "  "
        whose = "" if finding.phone is None else f"  phone {finding.phone}"
        screen.say(f"{when}{finding.line}{whose}" + (f"  ({called})" if called else ""), indent=4)
    screen.say(f"{expected(finding)}: {finding.expected}", indent=4)
    screen.say(f"observed: {finding.observed}", indent=4)
    if finding.assumptions:
        said = [f"{ASSUMED[doubt]} ({doubt})" for doubt in finding.assumptions]
        screen.say("assumes:  " + "; ".join(said), indent=4)
    _proof(screen, finding, captures)


def expected(finding: Finding) -> str:
    """`expected (B4)`, with the requirements that the finding rests on."""
    return f"expected ({', '.join(finding.basis)})" if finding.basis else "expected"


def _proof(screen: Screen, finding: Finding, captures: list[CaptureSummary]) -> None:
    """The evidence; the display filter alone is enough if all of it is in one capture."""
    said = filters_said(finding, captures)
    if len(said) != 1:
        shown = (f"{proof_text(proof)} {proof.summary}" for proof in finding.evidence[:EVIDENCE_SHOWN])
        screen.say("evidence: " + "; ".join(shown), indent=4)
    for line in said:
        screen.say(line, indent=4)


def _events(screen: Screen, report: Report, clock: tzinfo) -> None:
    if report.events:
        screen.title("Known events")
        events = sorted(report.events, key=lambda event: event.time)
        seen = ends_of(report)
        within = when_of(report, clock)
        rows = [(_moment(event.time, seen, within, clock), event.what) for event in events[:EVENTS_SHOWN]]
        screen.table(("time", "what"), rows)
        screen.more(len(events) - EVENTS_SHOWN, "event", ALL)


def _moment(time: float, seen: Sequence[float], within: TimeText, clock: tzinfo) -> str:
    """A time within the captures in the form of other times; outside of them with its date, which may be another."""
    return within(time) if not seen or min(seen) <= time <= max(seen) else format_time(time, clock, TimeStyle.FULL)


def _undecided(screen: Screen, report: Report) -> None:
    """What could not be judged: the most frequent reasons, each with what would decide it."""
    if not report.inconclusive:
        return
    screen.title("Not decided")
    ordered = by_reason(report)
    for reason, rules in ordered[:OPEN_SHOWN]:
        screen.say(f"{count_of(rules.total(), 'check')}: {reason} ({_most(rules)}). {ADVICE[reason]}")
    reasons = count_of(len(ordered) - OPEN_SHOWN, "more reason")
    screen.more(sum(rules.total() for _, rules in ordered[OPEN_SHOWN:]), "check", ALL, of_which=f" for {reasons}")


def _most(rules: Counter[str]) -> str:
    """`4 premature-failback, 1 flapping, ...`"""
    named = counts_by_name(dict(rules.most_common(OPEN_SHOWN)))
    return f"{named}, ..." if len(rules) > OPEN_SHOWN else named


def _next(screen: Screen, report: Report, program: str, again: str | None) -> None:
    """What to do next, the most useful first."""
    steps = list(_steps(report, again))
    if steps:
        screen.title("What next")
    for step, command in steps:
        shown = safe_text(f"{program} {command}")
        if not command or len(f"- {step}: {shown}") <= screen.width:
            screen.say(f"- {step}: {shown}" if command else f"- {step}.")
        else:   # a command that is broken cannot be pasted
            screen.say(f"- {step}:")
            screen.raw(f"    {shown}")


def _steps(report: Report, again: str | None) -> Iterator[tuple[str, str]]:
    """Each step's purpose, and its command ("" if it has none)."""
    undeclared = ", ".join(f"{name} ({lines})" for name, lines in to_declare(report))
    if undeclared:
        yield f"To judge more, declare in a site file: {undeclared}. See docs/site-file.md", ""
        if again is not None and "--site" not in again:
            yield "A site file to begin with", f"phones {again} --draft-site > site.yaml"
    if report.inconclusive:
        yield f"What to capture so that more can be decided: {CAPTURING}", ""
    counted = worst_first(counting(report.findings))
    the_worst = "the " if len(counted) == 1 else "the worst "
    packets = [finding for finding in counted if finding.time is not None]
    if packets and again is not None:
        name, _, run = packets[0].id.partition("-r")   # the suffix is of a store with several runs
        where = f", with the captures of run {run} alone" if run else ""
        yield f"What led to {the_worst}finding{where}", f"ladder {again} --finding {name}"
    for incident in gravest(report.incidents, 1):
        which = "" if len(report.incidents) == 1 else "gravest "
        yield f"What the {which}incident means, and what to do", f"explain {incident.kind}"
    if counted:
        yield f"What {the_worst}finding means, and what to do", f"explain {counted[0].rule}"
    if report.lines and again is not None:
        yield "Every line with its settings, registrations and moves", f"phones {again}"


def _captures(screen: Screen, report: Report, clock: tzinfo) -> None:
    if report.captures:
        screen.title("Captures")
    for capture in report.captures[:CAPTURES_SHOWN]:
        for sentence in health(capture, clock):
            screen.say(sentence)
    screen.more(len(report.captures) - CAPTURES_SHOWN, "capture", ALL)


def health(capture: CaptureSummary, clock: tzinfo) -> list[str]:
    """Sentences on the content of a capture, and on its defects."""
    ends = [format_time(end, clock, TimeStyle.FULL) for end in capture.ends]
    zones = ", later ".join(dict.fromkeys(zone_name(end, clock) for end in capture.ends))
    span = f" from {ends[0]} to {ends[-1]} {zones}" if ends else ""
    links = ", ".join(capture.link_types)
    said = [f"{capture.path}: {count_of(capture.packets, 'packet')} ({links}){span}, "
            f"{count_of(capture.sip_messages, 'SIP message')}."]
    said += [f"  {sentence}" for sentence in _defects(capture)]
    return said


def _defects(capture: CaptureSummary) -> list[str]:
    loss = capture.loss
    facts: list[tuple[bool, str]] = [
        (capture.truncated, f"It ends in the middle of a packet; all before it was used. See {CAPTURING}."),
        (capture.snaplen_cut > 0, f"{count_of(capture.snaplen_cut, 'SIP message')} lost the end to the snap length: "
                                  f"capture with full length (-s 0), see {CAPTURING}."),
        (capture.duplicates > 0, f"{count_of(capture.duplicates, 'packet')} left out that a mirror port or another "
                                 "capture shows as well."),
        (bool(capture.encrypted), f"Encrypted and not read: {counts_by_name(capture.encrypted)}."
                                  f"{_opens(capture.encrypted)}"),
        (bool(capture.undecoded), f"Not decoded: {counts_by_name(capture.undecoded)}."),
        (bool(THROUGH_TSHARK & set(capture.undecoded)), "SIP over WebSocket and SCTP is read through tshark: install "
                                                        "it (apt install tshark) and leave --engine at auto."),
        (bool(capture.malformed), f"Malformed SIP: {counts_by_name(capture.malformed)}."),
        (bool(capture.clock_steps), f"The clock stepped {_steps_of(capture.clock_steps)}; where files "
                                    "were put one behind the other instead, reordercap IN OUT puts their packets in "
                                    f"order, see {CAPTURING}."),
        (capture.mid_life > 0, f"Registrations and calls that began before the capture: {grouped(capture.mid_life)}."),
        (capture.one_way > 0, f"Only one direction is seen of {count_of(capture.one_way, 'phone')}, see {CAPTURING}."),
        (bool(loss.kernel_drops), f"The capturing machine dropped {count_of(loss.kernel_drops or 0, 'packet')}."),
        (loss.tcp_gaps > 0, f"{count_of(loss.tcp_gaps, 'gap')} in TCP streams."),
        (loss.missing_halves > 0, f"{count_of(loss.missing_halves, 'message')} without the other half "
                                  f"(estimated loss {loss.estimate:.2%}), see {CAPTURING}."),
    ]
    return [sentence for applies, sentence in facts if applies]


def _opens(encrypted: dict[str, int]) -> str:
    """How to decrypt it; empty if all of it is IPsec, which we cannot."""
    return f" --tls-keylog with its keys opens TLS (through tshark), see {CAPTURING}." if keys_open(encrypted) else ""


def _steps_of(steps: list[ClockStep]) -> str:
    """`5 times back`, `9 times (5 back, 4 forward)`."""
    back = sum(step.seconds < 0 for step in steps)
    times = count_of(len(steps), "time")
    if 0 < back < len(steps):
        return f"{times} ({back} back, {len(steps) - back} forward)"
    return f"{times} {'back' if back else 'forward'}"
