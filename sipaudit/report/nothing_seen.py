"""Why a report has nothing to judge: no SIP in its captures, or no phone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from sipaudit.model.captures import CaptureSummary
from sipaudit.model.values import Report
from sipaudit.report.advice import CAPTURING
from sipaudit.report.screen import count_of

KINDS_SHOWN = 8


def nobody(report: Report) -> Iterator[str]:
    """The sentence that says why there is nothing to judge; none if there is something."""
    if not any(capture.sip_messages for capture in report.captures):
        yield no_sip(report)
    elif not report.lines:
        yield from no_line(report)


def no_line(report: Report) -> Iterator[str]:
    """The sentence that no phone was seen, if the report has neither lines nor findings."""
    if not report.lines and not report.findings:
        yield ("Nothing was judged: no line of a phone was seen in the time that is reported. A source counts as a "
               "phone once a REGISTER or INVITE from it is answered with 2xx, or when the site file declares its "
               "address or MAC.")


def no_sip(report: Report) -> str:
    """What captures without a SIP message contain instead."""
    if not report.captures:
        return "Nothing is known of this period: no capture covers any of it."
    packets = sum(capture.packets for capture in report.captures)
    cut = sum(capture.snaplen_cut for capture in report.captures)
    if cut:
        return (f"No SIP that can be understood in {count_of(packets, 'packet')}: {count_of(cut, 'SIP message')} lost "
                f"the end to the snap length of the capture. Capture with full length (-s 0), see {CAPTURING}.")
    held, encrypted = _held(report.captures)
    content = ", ".join(f"{count} {kind}" for kind, count in held.most_common(KINDS_SHOWN)) or (
        "nothing that is known, or that --filter lets through where there is one")
    understood = " that can be understood" if held["malformed SIP"] else ""
    return (f"No SIP{understood} in {count_of(packets, 'packet')}. They hold: {content}. {_closed(encrypted)}"
            f"See {CAPTURING} for where and how to capture.")


def _held(captures: Iterable[CaptureSummary]) -> tuple[Counter[str], Counter[str]]:
    """Counts of what the packets contain, by kind, and of what is encrypted, by transport."""
    held: Counter[str] = Counter()
    encrypted: Counter[str] = Counter()
    for capture in captures:
        held.update(capture.content)
        held.update({f"undecoded {kind}": count for kind, count in capture.undecoded.items()})
        encrypted.update(capture.encrypted)
        if capture.malformed:   # counts by defect: one message may have several
            held["malformed SIP"] += max(capture.malformed.values())
    return held, encrypted


def _closed(encrypted: Counter[str]) -> str:
    if not encrypted:
        return ""
    named = ", ".join(f"{count} {kind}" for kind, count in encrypted.most_common(KINDS_SHOWN))
    opens = ", which --tls-keylog opens" if keys_open(encrypted) else ""
    return f"Encrypted and not read: {named}; there may be SIP in it{opens}. "


def keys_open(encrypted: Mapping[str, int]) -> bool:
    """Whether TLS keys decrypt any of these transports, that is, whether any is not IPsec."""
    return not encrypted.keys() <= {"esp"}
