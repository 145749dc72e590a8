"""A segment gives the same result on either road; plain and in order, it takes the short one."""

from __future__ import annotations

from dataclasses import dataclass
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipaudit.capture import tcp as streams
from sipaudit.capture.decode import Decoder
from sipaudit.capture.health import CaptureHealth
from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.framing import Framer
from tests.capture.packets import ETHERNET, PHONE, SERVER, TIME, ethernet, ip4, packed, tagged, tcp
from tests.capture.tcpstory import ACK, FIN, PSH, RST, SYN, answer, message

MPLS, LABEL = 0x8847, b"\0\0\x11\x40"
OPTIONS = b"\x01\x01\x08\x0a" + bytes(8)  # RFC 7323 3.2: time stamps, as nearly all hosts send them

BYTES = st.one_of(
    st.sampled_from([
        message(1), message(2, b"v=0\r\n"), message(3) + message(4), answer(1), answer(2) + message(5, b"body"),
        message(6)[:70], message(6)[70:], answer(3)[:-1], b"\n", b"\r\n\r\n", b"junk\r\n", b"", b"",
        b"OPTIONS sip:a SIP/2.0\n\nContent-Length: 0\r\n\r\n", b"INVITE sip:a SIP/2.0\r\n\r\n",
        b"GET /0004f2123456.cfg HTTP/1.1\r\n",
        b"\x16\x03\x01\x00\x05\x01\0\0\x01\0", b"ODD x SIP/2.0\r\nContent-Length:  0\r\n\r\n",
    ]),
    st.binary(max_size=8),
)


@dataclass(frozen=True)
class Step:
    """One segment: sender, payload, offset from the expected sequence number, irregularities, and delay in seconds."""

    by_phone: bool
    payload: bytes
    flags: int = PSH | ACK
    shift: int = 0
    unacknowledged: int = 0
    seen: bool = True
    options: bytes = b""
    snapped: int = 0
    times: int = 1
    wait: float = 0.001
    port: int = 5060


STEPS = st.one_of(
    st.builds(Step, st.booleans(), BYTES),
    st.builds(
        Step, st.booleans(), BYTES,
        st.sampled_from([PSH | ACK] * 6 + [ACK, SYN, SYN | ACK, FIN | ACK, RST, RST | ACK, 0]),
        st.sampled_from([0] * 6 + [-70, -3, 3, 70, 1 << 21]), st.sampled_from([0] * 4 + [3, -3, 1 << 30]),
        st.sampled_from([True] * 6 + [False]), st.sampled_from([b"", OPTIONS]), st.sampled_from([0] * 8 + [1, 30, 60]),
        st.sampled_from([1] * 6 + [2]), st.sampled_from([0.001] * 6 + [0.0, 0.03, 0.6, 40.0, 700.0, -1.0]),
        st.sampled_from([5060] * 6 + [8080]),
    ),
)


def frames_of(steps: list[Step]) -> list[tuple[float, bytes, int]]:
    """Time, IP packet, and number of bytes removed by the snap length, for each segment that the tap sees."""
    time, frames = TIME, []
    places = {(port, by_phone): first for port in (5060, 8080) for by_phone, first in ((True, 1), (False, 2**32 - 100))}
    for number, step in enumerate(steps):
        time += step.wait
        begin, other = places[step.port, step.by_phone], places[step.port, not step.by_phone]
        if step.seen:
            ends, hosts = (49152, step.port), (PHONE, SERVER)
            ends, hosts = (ends, hosts) if step.by_phone else (ends[::-1], hosts[::-1])
            segment = tcp(step.payload, *ends, seq=(begin + step.shift) % 2**32,
                          ack=(other - step.unacknowledged) % 2**32 if step.flags & ACK else 0, flags=step.flags)
            if step.options:
                segment = segment[:12] + bytes([0x80]) + segment[13:20] + step.options + segment[20:]
            snapped = min(step.snapped, len(step.payload))
            frames += [(time, ip4(segment, 6, *hosts, identification=number), snapped)] * step.times
        if not step.shift:
            places[step.port, step.by_phone] += len(step.payload) + bool(step.flags & (SYN | FIN))
    return frames


def told(
    steps: list[Step], *, in_vlan: bool, labelled: bool = False
) -> tuple[list[Item], list[Item], CaptureHealth]:
    """The items of the packets, those at the end of the capture, and the counters."""
    health = CaptureHealth("test.pcap")
    decoder, items = Decoder([health]), []
    for number, (time, packet, snapped) in enumerate(frames_of(steps)):
        kind, inner = (MPLS, LABEL + packet) if labelled else (0x0800, packet)
        frame = ethernet(tagged(inner, kind), 0x8100) if in_vlan else ethernet(inner, kind)
        items += decoder.decode((time, number, ETHERNET, frame[: len(frame) - snapped], len(frame)), 0)
    return items, decoder.finish(), health


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=14), st.booleans())
def test_segments_say_the_same_on_both_roads(steps: list[Step], in_vlan: bool) -> None:
    short = told(steps, in_vlan=in_vlan)
    with mock.patch.object(streams, "CONTROL", 0), mock.patch.object(Framer, "passes", return_value=False):
        long = told(steps, in_vlan=in_vlan, labelled=True)
    assert short == long


def test_a_conversation_goes_the_short_road(monkeypatch: pytest.MonkeyPatch) -> None:
    """No layer is peeled, and no bytes are reordered or copied."""
    steps = [Step(True, message(1)), Step(False, answer(1)), Step(True, message(2)), Step(False, answer(2))]
    monkeypatch.setattr(Decoder, "_otherwise", lambda *_: pytest.fail("the long road"))
    monkeypatch.setattr(Framer, "feed", lambda *_: pytest.fail("bytes that are not a message"))
    items, _, health = told(steps, in_vlan=False)
    assert [item.payload for item in items if isinstance(item, Datagram)] == [step.payload for step in steps]
    assert health.content["tcp"] == 4


def test_a_mirrored_segment_counts_once_whichever_way_it_comes() -> None:
    """Plain, it takes the short road; behind an MPLS label, the long one."""
    health = CaptureHealth("test.pcap")
    decoder = Decoder([health])
    segment = ip4(tcp(message(1)), 6, identification=9)
    frames = [ethernet(segment), ethernet(LABEL + segment, MPLS), ethernet(tagged(segment), 0x8100)]
    items = [item for number, frame in enumerate(frames)
             for item in decoder.decode((TIME + number / 1000, number, ETHERNET, frame, len(frame)), 0)]
    assert len(items) == 1
    assert health.duplicates == 2


@pytest.mark.parametrize("changed", ["DF", "protocol"])
def test_packets_that_differ_are_no_copies(changed: str) -> None:
    """What the key of a plain packet leaves out must tell two apart as well: here DF, and UDP with the same bytes."""
    health = CaptureHealth("test.pcap")
    decoder = Decoder([health])
    first = ip4(tcp(message(1)), 6, identification=9)
    second = first[:6] + b"\x40" + first[7:] if changed == "DF" else first[:9] + b"\x11" + first[10:]
    for number, packet in enumerate((first, second)):
        decoder.decode((TIME, number, ETHERNET, ethernet(packet), 0), 0)
    assert health.duplicates == 0
    assert packed(PHONE) == first[12:16]
