"""What to declare or to capture so that a check can be decided next time, for each reason it was not."""

from __future__ import annotations

import re
from collections import Counter

from sipaudit.model.values import Assumption, Reason, Report
from sipaudit.report.screen import count_of

CAPTURING = "docs/capturing.md"
TYPED = re.compile(r"`([^`]+)`")   # text to type, in the advice here and in rules

ADVICE: dict[Reason, str] = {
    Reason.SETTINGS_UNKNOWN: "Declare the line's settings in the site file, or name its provisioning files (--config); "
                             "`sipaudit config check` shows what is wrong with those.",
    Reason.SETTINGS_AMBIGUOUS: "Two provisioning layers give different values: set the parameter in one of them.",
    Reason.ENTRY_UNKNOWN: "Declare the servers as one entry in the site file (entries:), or capture the phone's DNS.",
    Reason.SINGLE_SERVER: "The entry has one address, so there is nothing to fail over to.",
    Reason.LOAD_BALANCED: "Both servers have the same priority: either is right.",
    Reason.FALLBACK: "The servers belong to different entries, to which no failover rule applies.",
    Reason.CONCURRENT_REGISTRATION: "The line registers with all servers at once.",
    Reason.TTL_UNKNOWN: "Declare dns_ttl for the entry, or capture the phone's DNS.",
    Reason.STARTED_LATER: "The line had moved before the capture began, or during a gap in it: start capturing "
                          "one registration period earlier, and leave no gap.",
    Reason.CAPTURE_ENDED: "The capture ended before the moment that decides: let it run longer.",
    Reason.LOSS_NEARBY: "A packet that must have existed is missing from the capture.",
    Reason.ONE_WAY: "Nothing of that server was seen: capture both directions. Or messages were shipped without the "
                    "connections that carried them (HEP): capture whole packets.",
    Reason.IDENTITY_UNSURE: "Several phones share one address, or one has several: capture on their side of the NAT.",
    Reason.ENCRYPTED: "The messages are encrypted: give the keys of all connections with --tls-keylog.",
    Reason.POSSIBLE_BOOT: "The phone may have restarted or logged out just then, which forgets the timer.",
    Reason.FIRMWARE_UNKNOWN: "The User-Agent is not seen: old firmware renews at half the expiry.",
    Reason.OPEN_CODE: "The answer may or may not count as a failure of the server.",
    Reason.RETRY_AFTER: "The server had asked to be left alone for a while.",
    Reason.BUSY_UNPROVEN: "A call may have been up; off-hook is not seen on the wire.",
    Reason.VENDOR_UNMODELLED: "Only Polycom phones are modelled: others are judged by what holds for all, F1 to F4.",
    Reason.EVICTED: "Too many lines at once: this one's history was dropped to stay within memory.",
    Reason.READINGS_DIFFER: "The advisory can be read both ways here, no failover was seen before the move, or a "
                            "server may have failed unseen (a connection that ended, ARP without an answer).",
}

ASSUMED: dict[Assumption, str] = {
    Assumption.LIST_AS_RESOLVED: "the phone has the servers of the entry, although another address was seen, or DNS "
                                 "gave another list, be it to another phone",
    Assumption.CAPTURE_COMPLETE: "the capture holds all packets of this phone, although some are missing nearby, or "
                                 "nothing was seen of a server of its list",
    Assumption.FIRMWARE_OBEYS: "this model and firmware obey the advisory, which does not name them",
    Assumption.SETTINGS_IN_FORCE: "the declared settings were in force, although the phone has started since, or a "
                                  "provisioning file that may say otherwise is missing",
    Assumption.TTL_FROM_FAILOVER: "the declared TTL began to run at the failover",
    Assumption.NO_EARLIER_STAY: "no registration there from before the capture is still alive",
}


def by_reason(report: Report) -> list[tuple[Reason, Counter[str]]]:
    """The reasons why checks were undecided, the most frequent first, each with the number of checks by rule. They are
    grouped by reason, since what would decide a check depends on the reason, not on the rule."""
    rules: dict[Reason, Counter[str]] = {}
    for row in report.inconclusive:
        rules.setdefault(row.reason, Counter())[row.rule] += row.count
    return sorted(rules.items(), key=lambda item: -item[1].total())


def to_declare(report: Report) -> list[tuple[str, str]]:
    """What a site file should declare, each with the number of lines (`3 lines`) of which it would decide more."""
    lines = Counter(name for line in report.lines for name in line.declare)
    return [(name, count_of(count, "line")) for name, count in sorted(lines.items())]
