"""Counts of every sample compared with tshark and sngrep: messages, dialogs and calls."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipaudit import pipeline
from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.model.values import Report
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.message import Malformed, Request, Response
from sipaudit.sip.parse import parse
from tests.shared import ROOT

SAMPLES = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "samples").rglob("capture.pcap"))]
OPENING = {"REGISTER", "INVITE", "SUBSCRIBE", "NOTIFY", "OPTIONS", "PUBLISH", "MESSAGE"}
"""Methods with which sngrep lets a dialog begin; a dialog whose first message is not in the capture it leaves out."""


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed: nothing to compare with")


def printed(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def messages(sample: str) -> Iterator[Request | Response]:
    for item in Captures(resolve([str(ROOT / sample)]).files):
        if isinstance(item, Datagram) and item.payload.strip():   # a blank payload keeps a connection alive
            message = parse(item.payload)
            assert not isinstance(message, Malformed)
            yield message


def report(sample: str) -> Report:
    return pipeline.analyze(pipeline.Job(paths=(str(ROOT / sample),)))


def said(message: Request | Response) -> list[tuple[str, str]]:
    """What is counted of a message: its Call-ID with the method in its CSeq, and the status of a response."""
    of_call = [(message.call_id, message.cseq.method)]
    return of_call if isinstance(message, Request) else [*of_call, ("status", str(message.status))]


def seen_by_tshark(sample: str) -> Counter[tuple[str, str]]:
    """The same counts by tshark, where a packet may hold several messages. Messages quoted in ICMP errors are not
    counted."""
    command = ["tshark", "-r", sample, "-Y", "sip && !icmp && !icmpv6", "-T", "fields", "-E", "aggregator=|"]
    fields = ["sip.Call-ID", "sip.CSeq.method", "sip.Status-Code"]
    found: Counter[tuple[str, str]] = Counter()
    for line in printed(*command, *(part for field in fields for part in ("-e", field))).splitlines():
        call_ids, methods, statuses = (column.split("|") if column else [] for column in line.split("\t"))
        found.update(zip(call_ids, methods, strict=True))
        found.update(("status", status) for status in statuses)
    return found


@needs("tshark")
@pytest.mark.parametrize("sample", SAMPLES)
def test_messages_are_those_that_tshark_sees(sample: str) -> None:
    read = list(messages(sample))
    ours = Counter(fact for message in read for fact in said(message))
    theirs = seen_by_tshark(sample)
    (capture,) = report(sample).captures
    assert capture.sip_messages == len(read)
    assert not ours - theirs
    assert (theirs - ours).total() <= 2 * capture.duplicates, "but for the doubles of a mirror, which count once"


@needs("sngrep")
@pytest.mark.parametrize("sample", SAMPLES)
def test_dialogs_and_their_messages_are_as_many_as_sngrep_counts(sample: str, tmp_path: Path) -> None:
    first: dict[str, Request | Response] = {}
    counts: Counter[str] = Counter()
    for message in messages(sample):
        if message.call_id in first or (isinstance(message, Request) and message.method in OPENING):
            first.setdefault(message.call_id, message)
            counts[message.call_id] += 1
    saved = tmp_path / "saved.pcap"
    doubles = report(sample).captures[0].duplicates
    assert dialogs(sample, "-O", str(saved)) == len(first)
    assert counts.total() <= sum(1 for _ in messages(str(saved))) <= counts.total() + doubles


@needs("sngrep")
@pytest.mark.parametrize("sample", SAMPLES)
def test_calls_are_as_many_as_sngrep_counts(sample: str) -> None:
    """`line.calls` may be higher than sngrep's count, which leaves out a call whose INVITE is not in the capture."""
    opened = {message.call_id for message in messages(sample)
              if isinstance(message, Request) and message.method == "INVITE" and message.to.tag is None}
    assert dialogs(sample, "-c") == len(opened) <= sum(line.calls for line in report(sample).lines)


def dialogs(sample: str, *options: str) -> int:
    found = re.findall(r"Dialog count: (\d+)", printed("sngrep", "-N", "-I", sample, *options))
    return int(found[-1])
