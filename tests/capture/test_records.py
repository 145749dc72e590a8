"""Our own reader of pcap and pcapng: the same packets whatever the variant, the pieces, or the damage behind them."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipaudit.capture import formats, linktypes
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Packet
from sipaudit.capture.pcapng import MAX_INTERFACES, MAX_SECRETS, PcapngRecords
from sipaudit.capture.records import MAX_CAPTURED, Records
from sipaudit.capture.write import PcapngWriter, PcapWriter
from tests.frames import udp_frame

FRAMES = [udp_frame(("10.1.0.5", 5060), ("10.0.0.1", 5060), b"OPTIONS sip:%d SIP/2.0\r\n\r\n" % n) for n in range(5)]
TIMES = [1_700_000_000.0 + n * 0.123457 for n in range(5)]
WANTED = [(time, number, 1, frame) for number, (time, frame) in enumerate(zip(TIMES, FRAMES, strict=True), 1)]


def read(data: bytes, piece: int = 1 << 20) -> tuple[list[tuple[float, int, int, bytes]], Records]:
    """Time, frame number, link type and bytes of each packet of a capture that arrives in pieces."""
    reader = formats.records(data[:4], CaptureHealth("test"))
    packets: list[Packet] = []
    for start in range(0, len(data), piece):
        for batch in reader.feed(data[start : start + piece]):
            packets += batch.packets()
    reader.finish()
    return [(round(packet[0], 6), *packet[1:4]) for packet in packets], reader


def pcap(*, order: str = "<", nanoseconds: bool = False) -> bytes:
    stream = io.BytesIO()
    writer = PcapWriter(stream, order=order, nanoseconds=nanoseconds)
    for time, frame in zip(TIMES, FRAMES, strict=True):
        writer.write(time, frame)
    return stream.getvalue()


def pcapng(*, order: str = "<", resolution: int = 6, offset: int = 0) -> bytes:
    stream = io.BytesIO()
    writer = PcapngWriter(stream, order=order)
    writer.interface(resolution=resolution, offset=offset)
    for time, frame in zip(TIMES, FRAMES, strict=True):
        writer.write(time, frame)
    return stream.getvalue()


def long_records() -> bytes:
    """Kuznetzov's variant: 24 bytes before each packet."""
    made = bytearray(struct.pack("<IHHiIII", 0xA1B2CD34, 2, 4, 0, 0, 65535, 1))
    for time, frame in zip(TIMES, FRAMES, strict=True):
        seconds, microseconds = divmod(round(time * 1_000_000), 1_000_000)
        made += struct.pack("<IIIIIHBx", seconds, microseconds, len(frame), len(frame), 2, 0x800, 0) + frame
    return bytes(made)


def block(kind: int, body: bytes) -> bytes:
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
ETHERNET = block(1, struct.pack("<HHI", 1, 0, 0))


def enhanced(ticks: int, frame: bytes, interface: int = 0) -> bytes:
    head = struct.pack("<IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, head + padded(frame))


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: pcap(), id="pcap"),
        pytest.param(lambda: pcap(order=">"), id="pcap-big-endian"),
        pytest.param(lambda: pcap(nanoseconds=True), id="pcap-nanoseconds"),
        pytest.param(lambda: pcap(order=">", nanoseconds=True), id="pcap-nanoseconds-big-endian"),
        pytest.param(long_records, id="pcap-long-records"),
        pytest.param(lambda: pcapng(), id="pcapng"),
        pytest.param(lambda: pcapng(order=">"), id="pcapng-big-endian"),
        pytest.param(lambda: pcapng(resolution=9), id="pcapng-nanoseconds"),
        pytest.param(lambda: pcapng(resolution=8, offset=-3600), id="pcapng-offset"),
        pytest.param(lambda: pcapng() + pcapng(order=">"), id="pcapng-two-sections"),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 100, 1 << 20])
def test_every_variant_gives_the_same_packets_in_whatever_pieces_it_comes(
    made: Callable[[], bytes], piece: int
) -> None:
    packets, reader = read(made(), piece)
    again = [(time, frame + len(WANTED), link_type, data) for time, frame, link_type, data in WANTED]
    assert packets in (WANTED, WANTED + again)
    assert reader.health.link_types == ["EN10MB"]
    assert not reader.health.truncated


def test_finer_times_are_cut_to_microseconds_and_not_rounded() -> None:
    stream = io.BytesIO()
    PcapWriter(stream, nanoseconds=True).write(1.0, b"x")
    data = bytearray(stream.getvalue())
    data[28:32] = struct.pack("<I", 999_999_999)
    assert read(bytes(data))[0][0][0] == 1.999999


def test_a_resolution_that_is_a_power_of_two() -> None:
    interface = block(1, struct.pack("<HHI", 1, 0, 0) + struct.pack("<HHBxxxHH", 9, 1, 0x80 | 20, 0, 0))
    packets, _ = read(SECTION + interface + enhanced((5 << 20) + (1 << 19), FRAMES[0]))
    assert packets[0][0] == 5.5


def test_interfaces_of_different_link_types_and_resolutions_in_one_section() -> None:
    stream = io.BytesIO()
    writer = PcapngWriter(stream)
    writer.interface()
    writer.interface(linktypes.RAW, resolution=9, snaplen=1000)
    for number, frame in enumerate(FRAMES):
        raw = number % 2
        writer.write(TIMES[number], frame[14:] if raw else frame, interface=raw)
    packets, reader = read(stream.getvalue())
    assert [(time, frame) for time, frame, _, _ in packets] == [(time, frame) for time, frame, _, _ in WANTED]
    assert [link_type for _, _, link_type, _ in packets] == [1, 101, 1, 101, 1]
    assert [data for _, _, _, data in packets] == [
        frame[14:] if number % 2 else frame for number, frame in enumerate(FRAMES)
    ]
    assert reader.health.link_types == ["EN10MB", "RAW"]


def test_simple_packets_have_no_time_and_obey_the_snap_length() -> None:
    interface = block(1, struct.pack("<HHI", 1, 0, 10))
    packets, _ = read(SECTION + interface + block(3, struct.pack("<I", 60) + FRAMES[0][:12]))
    assert packets == [(0.0, 1, 1, FRAMES[0][:10])]


def test_the_obsolete_packet_block() -> None:
    frame, ticks = FRAMES[0], 1_700_000_000_500_000
    head = struct.pack("<HHIIII", 0, 9, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    assert read(SECTION + ETHERNET + block(2, head + padded(frame)))[0] == [(1_700_000_000.5, 1, 1, frame)]


def test_unknown_blocks_are_passed_over_and_those_that_wireshark_numbers_are_numbered() -> None:
    names, unknown, custom = block(4, bytes(8)), block(0x77, b"abcd"), block(0xBAD, struct.pack("<II", 32473, 1))
    packets, _ = read(
        SECTION + ETHERNET + names + enhanced(0, FRAMES[0]) + unknown + enhanced(1, FRAMES[1]) + custom
        + enhanced(2, FRAMES[2])
    )
    assert [frame for _, frame, _, _ in packets] == [1, 2, 4]


def test_what_the_interfaces_lost_is_their_last_word_summed_over_interfaces_and_sections() -> None:
    def section(first: int, last: int, other: int) -> bytes:
        stream = io.BytesIO()
        writer = PcapngWriter(stream)
        writer.interface()
        writer.interface()
        writer.write(TIMES[0], FRAMES[0])
        writer.statistics(TIMES[1], dropped=first)
        writer.statistics(TIMES[2], dropped=last)
        writer.statistics(TIMES[2], interface=1, dropped=other)
        return stream.getvalue()

    assert read(section(3, 5, 10) + section(0, 100, 0))[1].health.kernel_drops == 115
    assert read(pcapng())[1].health.kernel_drops is None


def test_what_interfaces_of_former_sections_lost_is_remembered_as_one_number() -> None:
    """A file may consist of any number of sections and statistics, so only the sum of their drops is stored."""
    health = CaptureHealth("a.pcapng")
    reader = PcapngRecords(health)
    for _ in range(50):
        stream = io.BytesIO()
        writer = PcapngWriter(stream)
        for _ in range(20):
            writer.statistics(TIMES[0], interface=writer.interface(), dropped=1)
        reader.feed(stream.getvalue())
    assert health.kernel_drops == 1000
    assert len(reader._drops) == 20


def test_tls_secrets_are_handed_out() -> None:
    stream = io.BytesIO()
    writer = PcapngWriter(stream)
    writer.secrets(b"CLIENT_RANDOM 00 11\n")
    assert read(stream.getvalue() + block(10, struct.pack("<II", 0x57474B4C, 4) + b"wire"))[1].secrets == [
        b"CLIENT_RANDOM 00 11\n"
    ]


@pytest.mark.parametrize("whole", [pcap(), pcapng()], ids=["pcap", "pcapng"])
def test_a_capture_cut_off_anywhere_in_its_last_record_keeps_all_before_it(whole: bytes) -> None:
    last = len(whole) - whole.rfind(FRAMES[-1][:14]) + (16 if whole == pcap() else 28)
    for missing in range(1, last):
        packets, reader = read(whole[:-missing], piece=64)
        assert packets == WANTED[:-1], missing
        assert reader.health.truncated
        assert not reader.damaged


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(pcap() + struct.pack("<IIII", 1, 1, MAX_CAPTURED + 1, 1) + FRAMES[0], id="pcap-length"),
        pytest.param(pcapng() + struct.pack("<II", 6, 0xFFFFFFF0) + bytes(100), id="block-length"),
        pytest.param(pcapng() + struct.pack("<II", 6, 8) + bytes(100), id="block-too-short"),
        pytest.param(pcapng() + struct.pack("<II", 77, 16) + bytes(8) + bytes(100), id="lengths-differ"),
        pytest.param(pcapng() + enhanced(0, FRAMES[0], interface=7), id="no-such-interface"),
        pytest.param(pcapng() + block(6, struct.pack("<IIIII", 0, 0, 0, 4000, 4000)), id="longer-than-its-block"),
        pytest.param(pcapng() + block(2, b"abcd"), id="old-packet-too-short"),
        pytest.param(pcapng() + block(1, b"abcd"), id="interface-too-short"),
        pytest.param(pcapng() + SECTION + block(3, b"abcd"), id="simple-packet-without-interface"),
        pytest.param(pcapng() + block(0x0A0D0D0A, b"abcdabcd"), id="byte-order-unknown"),
    ],
)
@pytest.mark.parametrize("piece", [16, 1 << 20])
def test_reading_stops_at_a_record_that_cannot_be_true_and_says_so(broken: bytes, piece: int) -> None:
    packets, reader = read(broken + enhanced(0, FRAMES[1]), piece)
    assert packets == WANTED
    assert reader.damaged
    assert reader.health.truncated
    assert reader.health.undecoded["damaged-record"] == 1


@pytest.mark.parametrize("piece", [16, 1 << 20])
def test_a_capture_that_was_put_behind_another_is_no_packet(piece: int) -> None:
    """After `cat a.pcap b.pcap`, the header of b.pcap read as a record would be an empty packet of the year 2055."""
    packets, reader = read(pcap() + pcap(), piece)
    assert packets == WANTED
    assert reader.damaged
    assert not reader.health.truncated
    assert reader.health.undecoded == {"capture-behind": 1}


def test_what_a_hostile_file_makes_us_keep_is_bounded() -> None:
    _, reader = read(SECTION + ETHERNET * (MAX_INTERFACES + 1))
    assert reader.damaged
    strange = b"".join(block(1, struct.pack("<HHI", number, 0, 0)) for number in range(300, 400))
    assert len(read(SECTION + strange)[1].health.link_types) <= 32
    chunk = block(10, struct.pack("<II", 0x544C534B, 1 << 20) + bytes(1 << 20))
    assert sum(map(len, read(SECTION + chunk * 20)[1].secrets)) <= MAX_SECRETS


def test_raw_ip_has_one_number_however_the_system_numbers_it() -> None:
    for number in (12, 14, 101):
        stream = io.BytesIO()
        PcapWriter(stream, number).write(1.0, b"E")
        assert read(stream.getvalue())[0][0][2] == linktypes.RAW


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from([pcap(), pcapng(), pcapng(order=">"), long_records()])))
    for _ in range(draw(st.integers(0, 8))):
        data[draw(st.integers(4, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(4, len(data)))]) + draw(st.binary(max_size=64))


@settings(max_examples=300, deadline=None)
@given(mutated(), st.sampled_from([3, 50, 1 << 20]))
def test_no_bytes_raise_and_pieces_make_no_difference(data: bytes, piece: int) -> None:
    packets, reader = read(data, piece)
    whole, same = read(data)
    assert packets == whole
    assert (reader.damaged, reader.health) == (same.damaged, same.health)
    assert all(len(packet[3]) <= len(data) for packet in packets)


def test_names_of_link_types() -> None:
    assert (linktypes.name(1), linktypes.name(276), linktypes.name(9999)) == ("EN10MB", "LINUX_SLL2", "linktype-9999")
