"""Reports to render as pages: the sample's, and one in which every name is an attack."""

from __future__ import annotations

import base64
import gzip
import re
from datetime import UTC
from functools import cache
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from bench.fleet import START, Fleet
from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.model.values import Happening, Incident, KnownEvent, Place, Report
from sipaudit.report import document
from sipaudit.report.dissect import Dissection, Field, Layer
from sipaudit.report.exhibits import Exhibit, Exhibits, frames_of
from sipaudit.report.html import render
from sipaudit.sip.datagram import Datagram
from tests.shared import SAMPLE

CAPTURE = "samples/first-outage/capture.pcap"


@cache
def sample() -> tuple[Report, Exhibits]:
    """The report of samples/first-outage, and the messages of its capture."""
    exhibits: dict[tuple[str, int], list[Exhibit]] = {}
    for item in Captures(resolve((str(SAMPLE / "capture.pcap"),)).files):
        if isinstance(item, Datagram):
            exhibits.setdefault((CAPTURE, item.frame), []).append(Exhibit(
                CAPTURE, item.frame, item.time, item.flow.transport, item.flow.source, item.flow.destination,
                item.payload.decode("utf-8", "replace")))
    return document.from_json((SAMPLE / "report.json").read_bytes()), exhibits


def sample_page() -> bytes:
    report, exhibits = sample()
    return render(report, UTC, exhibits, {(CAPTURE, 220): dissection()}, 500)


def dissection(text: str = "Request-Line: INVITE sip:2000@pbx.example.com SIP/2.0") -> Dissection:
    return Dissection(220, (Layer("frame", (Field("frame.number", "Frame Number: 220", "220"),)),
                            Layer("sip", (Field("sip.Request-Line", text, text),))), ("a remark",))


def fleet_page(lines: int, findings: int, embed: int = 20) -> bytes:
    """A fleet in an outage; its first finding is about a provisioning file, its second is proven in two captures."""
    fleet = Fleet(lines, findings)
    report = fleet.report()
    first, second, *others = report.findings
    place = Place("site.cfg", 10, "failBack.timeout", "failBack.timeout=30")
    first = replace(first, rule="config-timeout-clamped", phone=None, server=None, time=None, wireshark=None,
                    evidence=[place], facts={"lines": 4})
    before, after = frames_of(second)
    second = replace(second, evidence=[replace(before, capture="first.pcap", frames=[5, 6], frame=6),
                                       replace(after, capture="second one.pcap", frame=9)],
                     wireshark="frame.number in {9}")
    report = replace(report, findings=[first, second, *others])
    return render(report, ZoneInfo("Europe/Berlin"), fleet.exhibits(embed), {}, embed)


def labels_page() -> bytes:
    """Two lines with one label, as the site file gives it to a range of numbers, and one with its own."""
    report, _ = sample()
    labels = ["Reception", "Reception", "Lift", None]
    lines = [replace(line, label=label) for line, label in zip(report.lines, labels, strict=True)]
    return render(replace(report, lines=lines), UTC, {}, {}, 0)


def days_page() -> bytes:
    """An outage of an hour in captures of two days."""
    report = Fleet(10, 0).report()
    days = [replace(capture, first=START - 26 * 3600) for capture in report.captures]
    return render(replace(report, captures=days), ZoneInfo("Europe/Berlin"), {}, {}, 0)


def storms_page() -> bytes:
    """An outage, and a register storm in each of thirty minutes."""
    report = Fleet(10, 0).report()
    (outage,) = report.incidents
    storms = [replace(outage, id=f"i-{number:04}", kind="register-storm", start=outage.start + 60 * number,
                      end=outage.start + 60 * number + 5, metrics={}, timeline=[]) for number in range(2, 32)]
    return render(replace(report, incidents=[outage, *storms]), UTC, {}, {}, 0)


def broken_clock_page() -> bytes:
    """A capture whose last packet has a time beyond every calendar, as pcapng allows."""
    report, exhibits = sample()
    capture = replace(report.captures[0], last=2.0**64)
    line = replace(report.lines[0], last=2.0**64)
    return render(replace(report, captures=[capture], lines=[line, *report.lines[1:]]), UTC, exhibits, {}, 500)


def unpacked(page: bytes) -> dict[str, bytes]:
    """The data blocks of a page by name, decompressed as in the browser."""
    blocks = re.findall(rb'<script type="text/plain" id="data-([^"]*)">([^<]*)</script>', page)
    return {name.decode(): gzip.decompress(base64.b64decode(text)) for name, text in blocks}


OWNED = "<script>window.owned=1</script><img src=x onerror=window.owned=1>"
ENDING = "</script><script>window.owned=1</script>-->"
TERMINAL = "\x1b[31mred\x1b[0m"
TURNED = "abc\u202egpj.exe\u2066\u200f"
LONG = "n" * 8_000
BAD = OWNED + ENDING + TERMINAL + TURNED


def hostile_page() -> bytes:
    """Markup, script ends, escapes, direction controls and names of 8 kB, wherever something from the wire is shown."""
    report, exhibits = sample()
    lines = [replace(line, line=f"sip:{number}{BAD}{LONG}@pbx", label=BAD if number else LONG, group=BAD, contact=BAD,
                     user_agent=BAD, model=BAD, firmware=BAD, mac=BAD, entry=BAD, declare=[BAD])
             for number, line in enumerate(report.lines)]
    names = {old.line: new.line for old, new in zip(report.lines, lines, strict=True)}
    findings = [replace(finding, line=names[finding.line or ""], expected=BAD, observed=BAD + LONG, suppressed=BAD,
                        facts={**finding.facts, "method": BAD}, wireshark=BAD,
                        evidence=[replace(frame, summary=BAD) for frame in frames_of(finding)])
                for finding in report.findings]
    servers = [replace(server, name=f"{number}{BAD}") for number, server in enumerate(report.servers)]
    incident = Incident(
        "i-0001", "server-outage", servers[0].server, BAD, "closed", report.lines[0].first, report.lines[0].last,
        [lines[0].line], 1, [], [findings[0].id], {}, [], [Happening(report.lines[0].first, BAD)])
    messages = {key: [replace(message, text=f"INVITE {BAD}\r\nSubject: {BAD}\r\n\r\n{LONG}") for message in several]
                for key, several in exhibits.items()}
    minute = Fleet(1, 0).report().minutes[0]
    bad = replace(report, lines=lines, findings=findings, servers=servers, incidents=[incident], notes=[BAD],
                  events=[KnownEvent(report.events[0].time, f"<b>{BAD}</b> <a href='javascript:owned=1'>%{{y}}</a>")],
                  minutes=[replace(minute, time=report.lines[0].first, server=servers[0].server,
                                   requests={BAD: 3, "REGISTER": 2}, answers={BAD: 1, "2xx": 2})])
    return render(bad, UTC, messages, {(CAPTURE, 220): dissection(BAD)}, 500)
