"""The report for a person at a terminal: the verdict first, then findings, then what they rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo

from sipaudit.model.values import CaptureSummary, Finding, Frame, LineSummary, Place, Proof, Report, Undecided
from sipaudit.report.advice import ADVICE, ASSUMED, CAPTURING
from sipaudit.report.screen import STYLES, Screen, brief, count_of
from sipaudit.report.verdict import sentences
from sipaudit.times import TimeStyle, format_time, parse_zone

LINES_SHOWN = 40
FINDINGS_SHOWN = 100
EVIDENCE_SHOWN = 8
THROUGH_TSHARK = frozenset({"websocket", "sctp"})


def render(report: Report, zone: str, width: int, color: bool) -> str:
    """The whole report as text of `width` columns, times in `zone` (as `--tz` names it)."""
    screen, clock = Screen(width, color), parse_zone(zone)
    _verdict(screen, report, zone)
    _findings(screen, report, clock)
    _events(screen, report, clock)
    _moves(screen, report, clock)
    _lines(screen, report)
    _servers(screen, report)
    _undecided(screen, report)
    _captures(screen, report, clock)
    return screen.text()


def _verdict(screen: Screen, report: Report, zone: str) -> None:
    for sentence in sentences(report, zone):
        screen.say(sentence)


def _findings(screen: Screen, report: Report, clock: tzinfo) -> None:
    if not report.findings:
        return
    screen.title("Findings")
    worst = sorted(report.findings, key=lambda finding: (finding.suppressed is not None, -finding.severity.rank))
    for finding in worst[:FINDINGS_SHOWN]:
        _finding(screen, finding, clock)
    if len(worst) > FINDINGS_SHOWN:
        screen.say(f"{len(worst) - FINDINGS_SHOWN} more: see --format json or -o DIR.")


def _finding(screen: Screen, finding: Finding, clock: tzinfo) -> None:
    when = "" if finding.time is None else format_time(finding.time, clock, TimeStyle.FULL) + "  "
    mark = "" if finding.suppressed is None else f" (suppressed: {finding.suppressed})"
    screen.say(f"{finding.id} {finding.severity}  {finding.rule} ({finding.confidence}){mark}",
               style=STYLES[finding.severity])
    if finding.line:
        whose = "" if finding.phone is None else f"  phone {finding.phone}"
        screen.say(f"{when}{finding.line}{whose}", indent=4)
    screen.say(f"expected: {finding.expected}", indent=4)
    screen.say(f"observed: {finding.observed}", indent=4)
    if finding.assumptions:
        said = [f"{ASSUMED[doubt]} ({doubt})" for doubt in finding.assumptions]
        screen.say("assumes:  " + "; ".join(said), indent=4)
    screen.say("evidence: " + "; ".join(_proofs(finding.evidence)), indent=4)
    if finding.wireshark:
        screen.say(f"wireshark: {finding.wireshark}", indent=4)


def _proofs(evidence: Sequence[Proof]) -> list[str]:
    """`#158 INVITE a → b`, the capture named where there are several; `site.cfg:12 voIpProt.server.1.expires=60`."""
    several = len({proof.capture for proof in evidence if isinstance(proof, Frame)}) > 1
    said = []
    for proof in evidence[:EVIDENCE_SHOWN]:
        if isinstance(proof, Frame):
            said.append(f"{proof.capture if several else ''}#{proof.frame} {proof.summary}")
        elif isinstance(proof, Place):
            said.append(f"{proof.file}:{proof.line} {proof.summary}")
    return said


def _events(screen: Screen, report: Report, clock: tzinfo) -> None:
    if report.events:
        screen.title("Known events")
        events = sorted(report.events, key=lambda event: event.time)
        screen.table(("time", "what"), [(format_time(event.time, clock, TimeStyle.CLOCK), event.what)
                                        for event in events])


def _moves(screen: Screen, report: Report, clock: tzinfo) -> None:
    moves = sorted(((move, line) for line in report.lines for move in line.moves), key=lambda pair: pair[0].time)
    if not moves:
        return
    screen.title("Moves")
    rows = [(format_time(move.time, clock, TimeStyle.CLOCK), brief(line.line), brief(line.phone), move.kind,
             f"{brief(move.from_)} → {brief(move.to)}", move.cause) for move, line in moves[:LINES_SHOWN]]
    screen.table(("time", "line", "phone", "kind", "servers", "cause"), rows)
    _more(screen, len(moves))


def _lines(screen: Screen, report: Report) -> None:
    if not report.lines:
        return
    screen.title("Lines")
    screen.table(
        ("line", "phone", "entry", "regime", "mode", "works with", "calls", "moves", "group", "label"),
        [_line_row(line) for line in report.lines[:LINES_SHOWN]], right=frozenset({"calls", "moves"}),
    )
    _more(screen, len(report.lines))


def _line_row(line: LineSummary) -> tuple[object, ...]:
    return (brief(line.line), brief(line.phone), line.entry, line.regime, line.mode,
            line.working and brief(line.working), line.calls, len(line.moves), line.group, line.label)


def _servers(screen: Screen, report: Report) -> None:
    if not report.servers:
        return
    screen.title("Servers")
    rows = [(server.server, server.name, server.entry, server.priority, " ".join(server.transports))
            for server in report.servers[:LINES_SHOWN]]
    screen.table(("server", "name", "entry", "priority", "transports"), rows, right=frozenset({"priority"}))
    _more(screen, len(report.servers))


def _more(screen: Screen, count: int) -> None:
    if count > LINES_SHOWN:
        screen.say(f"{count - LINES_SHOWN} more: see --format json.")


def _undecided(screen: Screen, report: Report) -> None:
    if report.inconclusive:
        screen.title("Not decided")
    for row in report.inconclusive:
        screen.say(_why(row))
    wanted = Counter(name for line in report.lines for name in line.declare)
    if wanted:
        names = ", ".join(f"{name} ({count_of(count, 'line')})" for name, count in sorted(wanted.items()))
        screen.say(f"To judge more, declare in a site file: {names}.")


def _why(row: Undecided) -> str:
    times = "once" if row.count == 1 else f"{row.count} times"
    return f"{row.rule}: {times} {row.reason}. {ADVICE[row.reason]} See {CAPTURING}."


def _captures(screen: Screen, report: Report, clock: tzinfo) -> None:
    screen.title("Captures")
    for capture in report.captures:
        for sentence in health(capture, clock):
            screen.say(sentence)


def health(capture: CaptureSummary, clock: tzinfo) -> list[str]:
    """What a capture holds and what it lacks, in sentences."""
    ends = [format_time(end, clock, TimeStyle.FULL) for end in (capture.first, capture.last) if end is not None]
    span = f" from {ends[0]} to {ends[-1]}" if ends else ""
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
        (capture.duplicates > 0, f"{count_of(capture.duplicates, 'duplicate')} of a mirror port left out."),
        (bool(capture.encrypted), f"Encrypted and not read: {_named(capture.encrypted)}. With --tls-keylog and tshark "
                                  f"installed they can be, see {CAPTURING}."),
        (bool(capture.undecoded), f"Not decoded: {_named(capture.undecoded)}."),
        (bool(THROUGH_TSHARK & set(capture.undecoded)), "SIP over WebSocket and SCTP is read through tshark: install "
                                                        "it (apt install tshark) and leave --engine at auto."),
        (bool(capture.malformed), f"Malformed SIP: {_named(capture.malformed)}."),
        (bool(capture.clock_steps), f"The clock stepped {count_of(len(capture.clock_steps), 'time')}."),
        (capture.mid_life > 0, f"{count_of(capture.mid_life, 'registration or call')} began before the capture."),
        (capture.one_way > 0, f"Only one direction is seen of {count_of(capture.one_way, 'phone')}, see {CAPTURING}."),
        (bool(loss.kernel_drops), f"The capturing machine dropped {loss.kernel_drops} packets."),
        (loss.tcp_gaps > 0, f"{count_of(loss.tcp_gaps, 'gap')} in TCP streams."),
        (loss.missing_halves > 0, f"{count_of(loss.missing_halves, 'message')} without its other half "
                                  f"(estimated loss {loss.estimate:.2%}), see {CAPTURING}."),
    ]
    return [sentence for applies, sentence in facts if applies]


def _named(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
