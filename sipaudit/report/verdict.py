"""The verdict of a report in a few sentences, which are the same at a terminal, on the page and in a ticket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import tzinfo

from sipaudit.model.values import Confidence, Finding, Report, Severity
from sipaudit.report.absent import absent
from sipaudit.report.advice import CAPTURING
from sipaudit.report.answering import unserved
from sipaudit.report.began_below import began_below
from sipaudit.report.by_key import by_key
from sipaudit.report.exhibits import by_severity, counting
from sipaudit.report.incident_words import words_of
from sipaudit.report.left import servers_left
from sipaudit.report.names import short_names
from sipaudit.report.nothing_seen import no_line, no_sip
from sipaudit.report.screen import brief, count_of, counts_by_name, grouped, shortened
from sipaudit.report.series import others, told_as, told_in_full
from sipaudit.report.when import lasting

KINDS_OF_MOVES = ("failover", "failback", "fallback", "unknown")
SERVERS_NAMED = 4
PHONES_NAMED = 3
USER_SHOWN = 40
INCIDENTS_SAID = 4
RULES_SAID = 5
BELOW = "the reasons are below."
# What phones did that broke each rule: "3 phones signalled ...".
DID = {
    "signalling-to-unregistered-server": "signalled with a server before registering there",
    "registration-without-expiry": "got a registration of zero seconds from a server",
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


def sentences(report: Report, clock: tzinfo) -> list[str]:
    """The verdict, the worst first; times by `clock`. It contains unescaped text from the wire: whoever shows it must
    make that harmless."""
    messages = sum(capture.sip_messages for capture in report.captures)
    if not messages:
        return [no_sip(report), *_set_back(report)]
    unjudged = [*no_line(report)]
    happened = _incidents(report, clock) if report.incidents or not unjudged else []
    said = [*_set_back(report), *happened, *(unjudged or _deviations(report)), _scope(report, messages),
            *report.notes]
    if report.findings or (report.lines and (unjudged or not _checked(report)[1])):   # otherwise said above
        said.append(_checks(report))
    said += began_below(report)
    cut = sum(capture.snaplen_cut for capture in report.captures)
    if cut:
        said.append(f"{count_of(cut, 'SIP message')} lost the end to the snap length of the capture, so what they said "
                    f"is known in part only. See {CAPTURING}.")
    return [*said, *_unread(report)]


def _unread(report: Report) -> Iterator[str]:
    """The sentence that unreadable TLS is not judged: without it, no finding there would look as if all were well."""
    records = sum(capture.encrypted.get("tls", 0) for capture in report.captures)
    if records:
        yield (f"{count_of(records, 'record')} of TLS, where SIP is expected, could not be read: nothing that was said "
               f"in them is judged. --tls-keylog opens the connections whose keys it is given. See {CAPTURING}.")


def _set_back(report: Report) -> Iterator[str]:
    """The sentence on a clock that went back. It stands first: the analysis starts afresh there, and may miss much."""
    steps = [(capture.path, step) for capture in report.captures for step in capture.clock_steps if step.seconds < 0]
    if steps:
        path, first = min(steps, key=lambda step: step[1].seconds)
        yield (f"The captures' clock went back {count_of(len(steps), 'time')}, furthest by {lasting(-first.seconds)} "
               f"in {path} at frame {first.frame}: what was known before is not held against what comes after. Where "
               f"packets only stand in the wrong order (files put one behind the other), reordercap IN OUT mends that "
               f"file. See {CAPTURING}.")


def _incidents(report: Report, clock: tzinfo) -> list[str]:
    """Sentences on incidents, the gravest kinds first, each by time; then on silence and departures without one."""
    words = words_of(report, clock)
    besides = [*absent(report, words), *unserved(report), *servers_left(report, words)]
    if not report.incidents:
        return besides or ["No outage or other incident was seen."]
    told, rest = told_in_full(report.incidents, INCIDENTS_SAID)
    said: list[str] = []
    for one in told:
        said.append(told_as(words, one))
        words = words.after(words.unseen(one[0]))
    return said + ([others(rest)] if rest else []) + besides


def _deviations(report: Report) -> list[str]:
    findings = report.findings
    if not findings:
        checks, left = _checked(report)
        if left == checks > 1:
            return [f"No deviation was found, but none of {count_of(checks, 'check')} could be decided; {BELOW}"]
        return [f"No deviation was found, but {grouped(left)} of {count_of(checks, 'check')} could not be decided; "
                f"{BELOW}" if left else "No deviation was found."]
    counted = counting(findings)
    broken = _phones_by_rule(counted)
    said = [_did(rule, phones, certain=certain) for rule, phones, certain in broken[:RULES_SAID]]
    if len(broken) > RULES_SAID:
        more = len(broken) - RULES_SAID
        said.append(f"{count_of(more, 'more rule')} {'was' if more == 1 else 'were'} broken.")
    flaws = Counter(finding.rule for finding in counted
                    if finding.phone is None and finding.severity is not Severity.INFO)
    if flaws:
        said.append(f"Wrong in the provisioning: {counts_by_name(flaws)}.")
    return [*said, _counts(findings)]


def _phones_by_rule(findings: list[Finding]) -> list[tuple[str, str, bool]]:
    """For each rule with a finding above info: the rule, the phones that broke it, and whether any did for certain. The
    most severe come first, then those that most phones broke."""
    weigh = {finding.rule for finding in findings if finding.severity is not Severity.INFO}
    broken = by_key((one.rule, one) for one in findings if one.phone is not None and one.rule in weigh)
    worst = {rule: max(one.severity.rank for one in each) for rule, each in broken.items()}
    phones = {rule: len({one.phone for one in each}) for rule, each in broken.items()}
    return [(rule, _some(phones[rule], {brief(one.line or "").partition("@")[0] for one in broken[rule]}),
             any(map(_is_certain, broken[rule])))
            for rule in sorted(broken, key=lambda rule: (-worst[rule], -phones[rule], rule))]


def _is_certain(finding: Finding) -> bool:
    return finding.confidence is Confidence.CERTAIN and finding.severity is not Severity.INFO


def _some(phones: int, users: set[str]) -> str:
    """`2 phones (1002, 1003)`: with the users of their lines if they are few and each has one."""
    named = ", ".join(shortened(user, USER_SHOWN) for user in sorted(users))
    return count_of(phones, "phone") + (f" ({named})" if len(users) == phones <= PHONES_NAMED else "")


def _did(rule: str, phones: str, *, certain: bool) -> str:
    return f"{phones} {'' if certain else 'likely '}{DID.get(rule, f'broke the rule {rule}')}."


def _counts(findings: list[Finding]) -> str:
    """`Deviations: 2 errors, 1 info.`"""
    suppressed = len(findings) - len(counting(findings))
    besides = f" Suppressed and not counted: {grouped(suppressed)}." if suppressed else ""
    return f"Deviations: {by_severity(findings) or 'none that counts'}.{besides}"


def _scope(report: Report, messages: int) -> str:
    phones = len({line.phone for line in report.lines})
    moves = Counter(str(move.kind) for line in report.lines for move in line.moves)
    moved = ", ".join(f"{grouped(moves[kind])} of unknown kind" if kind == "unknown" else count_of(moves[kind], kind)
                      for kind in KINDS_OF_MOVES if moves[kind])
    return (f"Seen: {count_of(messages, 'SIP message')} of {count_of(phones, 'phone')} with "
            f"{count_of(len(report.lines), 'line')} at {count_of(len(report.servers), 'server')}{_named(report)}. "
            f"Moves between servers: {moved or 'none'}.")


def _named(report: Report) -> str:
    """The names and addresses of servers: the sentences use names, but findings and Wireshark addresses."""
    if not 0 < len(report.servers) <= SERVERS_NAMED:
        return ""
    names = short_names(report.servers)
    return ": " + ", ".join(f"{names[row.server]} ({row.server})" if row.name else row.server
                            for row in report.servers)


def _checks(report: Report) -> str:
    """How many checks there were: without any, it means little that nothing was found."""
    checks, left = _checked(report)
    if not checks:
        return "No rule had anything to check."
    if left == checks > 1:
        return f"Checks: {grouped(checks)}, none of which could be decided; {BELOW}"
    return f"Checks: {grouped(checks)}, " + (
        f"of which {grouped(left)} could not be decided; {BELOW}" if left else "all decided.")


def _checked(report: Report) -> tuple[int, int]:
    """The number of checks, and how many of them were undecided."""
    left = sum(row.count for row in report.inconclusive)
    return max(sum(row.count for row in report.reached), left), left
