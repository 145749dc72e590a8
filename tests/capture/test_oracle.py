"""All shared captures have as many SIP messages, methods and statuses as tshark counts, or a reason why not."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from typing import Any, NamedTuple

import pytest

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.sip.datagram import Datagram
from tests.shared import CAPTURES, INDEX, needs_captures, needs_tshark

START = re.compile(rb"\s*(?:SIP/2\.0 (?P<status>\d{3})|(?P<method>[A-Za-z]+) +[^\r\n]*SIP/2\.0)")


class Difference(NamedTuple):
    """Why our count differs from tshark's, and by how much (ours minus tshark's)."""

    reason: str
    messages: int = 0
    methods: dict[str, int] | None = None
    statuses: dict[str, int] | None = None
    duplicates: int = 0


DIFFERENCES = {
    "ntop+nDPI/FAX-Call-t38-CA-TDM-SIP-FB-1.pcap": Difference(
        "a mirror shows one leg twice, the same IP identification within a millisecond: tshark counts both",
        -23, {"ACK": -4, "BYE": -1, "INVITE": -4, "OPTIONS": -2}, {"100": -4, "180": -1, "200": -6, "488": -1}, 23,
    ),
    "sipcapture+hep-wireshark/hep3_compressed.pcap.pcapng": Difference(
        "captured on `any`: each HEP packet passes docker's bridge and a container, identical but for its interface",
        -7, {"REGISTER": -4}, {"200": -1, "401": -2}, 7,
    ),
    "CESNET+ipfixprobe/sip.pcap": Difference(
        "tshark counts the five INVITEs that ICMP port unreachable quotes", -5, {"INVITE": -5},
    ),
    "ntop+nDPI/fuzz-2006-06-26-2594.pcap": Difference(
        "fuzzed: 11 messages on port 5060 without a readable start line go on to be counted as malformed; two (frames "
        "253, 603) have a UDP length beyond their IP packet, which no host delivers; REGIStER is no REGISTER, and one "
        "has its version damaged",
        9, {"ACK": -1, "REGISTER": -2, "REGIStER": 1}, {"407": -1},
    ),
    "IvanNardi+pl7m/sip.pcap@7f376112.fuzzed": Difference(
        "fuzzed: frame 10 is frame 9 again, and frame 6 on port 5060 has no readable start line",
        0, {"UPDATE": -1}, None, 1,
    ),
    "IvanNardi+pl7m/sip.pcap@8b084637.fuzzed": Difference(
        "fuzzed: four messages on port 5060 (frames 4, 8, 9, 11) without a readable start line", 4,
    ),
}  # fmt: skip


def counts(path: str) -> tuple[int, Counter[str], Counter[str], Captures]:
    """The number of messages (with damaged ones on port 5060), their methods and statuses, and the captures."""
    captures = Captures(resolve([path]).files, engine="libpcap")
    payloads = [item.payload for item in captures if isinstance(item, Datagram)]
    starts = [found for found in map(START.match, payloads) if found]
    methods = Counter(found["method"].decode() for found in starts if found["method"])
    statuses = Counter(found["status"].decode() for found in starts if found["status"])
    return len(payloads), methods, statuses, captures


def difference(ours: Counter[str], theirs: dict[str, int]) -> dict[str, int]:
    return {key: ours[key] - theirs.get(key, 0) for key in {*ours, *theirs} if ours[key] != theirs.get(key, 0)}


@needs_captures
@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_as_many_messages_as_tshark_or_the_reason_why_not(entry: dict[str, Any]) -> None:
    messages, methods, statuses, captures = counts(str(CAPTURES / entry["file"]))
    expected = DIFFERENCES.get(entry["file"], Difference("no difference is known"))
    health = captures.health[0]
    assert health.packets == entry["packets"]
    assert health.duplicates == expected.duplicates, expected.reason
    assert messages - entry["sip_messages"] == expected.messages, expected.reason
    assert difference(methods, entry["methods"]) == (expected.methods or {}), expected.reason
    assert difference(statuses, entry["statuses"]) == (expected.statuses or {}), expected.reason


@needs_captures
def test_every_difference_is_one_of_a_file_that_is_there() -> None:
    assert {*DIFFERENCES} <= {entry["file"] for entry in INDEX}


@needs_captures
@needs_tshark
@pytest.mark.parametrize(
    "file",
    ["irontec+sngrep/ipv6frag.pcap", "arkime+arkime/gtp-iphone.pcap", "arkime+arkime/arkime_synthetic.pcap",
     "OISF+suricata-verify/sip-body-large.pcap", "seladb+PcapPlusPlus/sip_resp.pcap", "ntop+nDPI/webex.pcap"],
)  # fmt: skip
def test_frames_are_the_numbers_that_wireshark_shows(file: str) -> None:
    path = str(CAPTURES / file)
    command = ["tshark", "-r", path, "-Y", "sip", "-T", "fields", "-e", "frame.number"]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    items = Captures(resolve([path]).files, engine="libpcap")
    assert [item.frame for item in items if isinstance(item, Datagram)] == [int(number) for number in theirs]
