"""The shortcuts of the short road do not change the result."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from sipaudit.capture.decode import Decoder
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Batch, Run
from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.framing import looks_like_sip, surely_sip
from tests.capture.packets import ETHERNET, REGISTER, TIME, ethernet, ip4, tagged, tcp, udp

BEGINNINGS = st.one_of(
    st.binary(max_size=16),
    st.sampled_from([REGISTER, b"SIP/2.0 200 OK\r\n", b"INVITE sips:a", b"SUBSCRIBE tel:1", b"INVITE sip", b"SIP/2.0"]),
    st.text("SIP/2.0 REGTERsip:\r\n", max_size=16).map(str.encode),
)
FRAMES = st.one_of(
    st.binary(max_size=80),
    st.builds(lambda data, source: ethernet(ip4(udp(data, source))), BEGINNINGS, st.integers(5060, 5062)),
    st.builds(lambda data, number: ethernet(ip4(udp(REGISTER + data), identification=number)), BEGINNINGS,
              st.integers(0, 2)),
    st.builds(lambda data: ethernet(tagged(tagged(ip4(udp(data))), 0x8100), 0x8100), BEGINNINGS),
    st.sampled_from([ethernet(ip4(udp()))[:70], ethernet(ip4(tcp(flags=2), 6)), ethernet(ip4(tcp(REGISTER), 6))]),
    st.builds(lambda data, padding: ethernet(ip4(udp(data)) + padding), BEGINNINGS,
              st.sampled_from([b" 200 OK", b":"])),
)


@given(BEGINNINGS, st.binary(max_size=20))
def test_what_is_surely_sip_looks_like_it_whatever_follows(beginning: bytes, rest: bytes) -> None:
    if surely_sip(beginning):
        assert looks_like_sip(beginning + rest)


def run_of(frames: list[tuple[float, bytes]]) -> Run:
    rows, offset = b"", 0
    for time, frame in frames:
        rows += struct.pack("=IIII", int(time), round(time % 1 * 1_000_000), offset, len(frame))
        offset += len(frame)
    return Batch(b"".join(frame for _, frame in frames), rows, ETHERNET, 1).run()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.001, 0.019, 0.5, 700.0, -1.0]), FRAMES), max_size=12), st.data())
def test_packets_say_the_same_alone_and_in_runs(steps: list[tuple[float, bytes]], data: st.DataObject) -> None:
    time, frames = TIME, []
    for step, frame in steps:
        time += step
        frames.append((time, frame))
    run = run_of(frames)
    cut = data.draw(st.integers(0, len(run)))
    together, alone = Decoder([CaptureHealth("a")]), Decoder([CaptureHealth("a")])
    items = [item for part in (run.part(0, cut), run.part(cut, len(run))) for item in together.run(part, 0)]
    assert items == [item for packet in run for item in alone.decode(packet, 0)]
    assert together.finish() == alone.finish()
    assert together._health == alone._health


def payloads(items: list[Item]) -> list[bytes]:
    return [item.payload for item in items if isinstance(item, Datagram)]


def test_bytes_behind_a_short_payload_are_not_taken_for_its_own() -> None:
    """The link pads short frames; `SIP/2.0` alone is no start line, whatever the padding holds."""
    padded = ethernet(ip4(udp(b"SIP/2.0", 4000, 4001)) + b" 200 OK\r\n" * 5)
    assert Decoder([CaptureHealth("a")]).decode((TIME, 1, ETHERNET, padded, 0), 0) == []


def test_a_copy_that_came_another_way_counts_once() -> None:
    """Plain or tagged, it takes the short road; behind an MPLS label, the long one."""
    health = CaptureHealth("a")
    decoder = Decoder([health])
    plain, in_vlan = ethernet(ip4(udp(), identification=9)), ethernet(tagged(ip4(udp(), identification=9)), 0x8100)
    mpls = ethernet(b"\0\0\x11\x40" + ip4(udp(), identification=9), 0x8847)
    run = run_of([(TIME, plain), (TIME + 0.001, mpls), (TIME + 0.002, in_vlan)])
    assert payloads(decoder.run(run, 0)) == [REGISTER]
    assert health.duplicates == 2
