"""DNS lookups over TCP."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipaudit.capture import dns_tcp
from sipaudit.capture.dns_tcp import Lookups
from sipaudit.model.values import Report
from sipaudit.pipeline import Job, analyze
from sipaudit.sip.datagram import DnsMessage, Flow, flow
from sipaudit.turned_away import since, so_far
from tests.capture.dns_replies import SRV, reply
from tests.frames import write_pcap
from tests.stories import RESOLVER, Handset, Story

ANSWER = flow("tcp", "10.0.0.53", 53, "10.1.0.5", 40_053)
MESSAGES = [reply(SRV, "SRV", [f"{SRV} 300 SRV {number} 5 5060 sbc{number}.example.com."]).to_wire()
            for number in range(3)]


def framed(messages: Sequence[bytes]) -> bytes:
    return b"".join(struct.pack(">H", len(message)) + message for message in messages)


def read(lookups: Lookups, seq: int, data: bytes, way: Flow = ANSWER) -> list[DnsMessage]:
    return lookups.read(1.0, 0, 1, way, seq, data)


def priorities(messages: list[DnsMessage]) -> list[object]:
    return [message.records[0].data[0] for message in messages]


@given(cuts=st.sets(st.integers(1, len(framed(MESSAGES)) - 1)))
def test_however_segments_cut_them_the_messages_are_the_same(cuts: set[int]) -> None:
    stream, lookups, places = framed(MESSAGES), Lookups(), [0, *sorted(cuts), len(framed(MESSAGES))]
    first = 2 ** 32 - 40    # the sequence numbers wrap on the way
    found = [message for begin, end in pairwise(places)
             for message in read(lookups, (first + begin) % 2 ** 32, stream[begin:end])]
    assert priorities(found) == [0, 1, 2]


def test_behind_what_was_lost_the_next_segment_that_begins_a_message_is_read() -> None:
    lookups = Lookups()
    assert read(lookups, 0, framed(MESSAGES[:1])[:30]) == []
    assert priorities(read(lookups, 5000, framed(MESSAGES[1:2]))) == [1]


def test_what_is_no_lookup_says_nothing() -> None:
    lookups = Lookups()
    assert read(lookups, 0, b"HTTP/1.1 200 OK\r\n\r\n") == []
    assert read(lookups, 0, b"\x00\x00" * 20) == []


def test_parts_are_kept_of_few_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_tcp, "BEGUN", 2)
    lookups, before = Lookups(), so_far()
    ways = [flow("tcp", "10.0.0.53", 53, "10.1.0.5", port) for port in range(3)]
    stream = framed(MESSAGES[:1])
    for way in ways:
        read(lookups, 0, stream[:9], way)
    assert [priorities(read(lookups, 9, stream[9:], way)) for way in reversed(ways)] == [[0], [0], []]
    assert since(before)["lookups"] >= 1


def asked(transport: str, folder: Path) -> Report:
    """The report on a phone that finds its servers by DNS over this transport, and fails over."""
    story = Story()
    owner = "_sip._udp.pbx.example.com."
    story.lookup(-9, ("10.1.0.5", 5060), owner, "SRV", f"{owner} 300 IN SRV 10 1 5060 sbc1.example.com.",
                 f"{owner} 300 IN SRV 20 1 5060 sbc2.example.com.", transport=transport)
    for number in (1, 2):
        story.lookup(number - 5, ("10.1.0.5", 5060), f"sbc{number}.example.com.", "A",
                     f"sbc{number}.example.com. 300 IN A 10.0.0.{number}", transport=transport)
    phone = Handset(story)
    phone.register(0)
    phone.fail_over(300)
    capture = write_pcap(folder / f"{transport}.pcap", story.frames())
    return analyze(Job((str(capture),), zone="utc", engine="libpcap"), warn=lambda _: None)


def test_servers_that_are_asked_for_by_tcp_have_their_names_and_their_order(tmp_path: Path) -> None:
    by_tcp, by_udp = asked("tcp", tmp_path), asked("udp", tmp_path)
    assert by_tcp.servers == by_udp.servers
    assert [(server.server, server.priority) for server in by_tcp.servers] == [
        ("10.0.0.1:5060/udp", 10), ("10.0.0.2:5060/udp", 20)]
    assert by_tcp.servers[0].name == "sbc1.example.com"
    assert {line.entry for line in by_tcp.lines} == {line.entry for line in by_udp.lines}
    assert by_tcp.findings == []


def test_a_question_by_tcp_is_none_of_sip(tmp_path: Path) -> None:
    query = dns.message.make_query(SRV, "SRV").to_wire()
    lookups = Lookups()
    way = flow("tcp", "10.1.0.5", 40_053, *RESOLVER)
    (question,) = read(lookups, 0, framed([query]), way)
    assert (question.response, question.client, question.server) == (False, "10.1.0.5", RESOLVER[0])
