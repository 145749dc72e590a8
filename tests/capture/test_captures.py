"""Whole captures: the result does not depend on how, or in how many files, the packets were stored."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypedDict

import lz4.frame
import pytest
import zstandard

from sipaudit.capture import engine, linktypes
from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Packet
from sipaudit.capture.write import PcapngWriter, PcapWriter
from sipaudit.errors import InputError
from sipaudit.sip.datagram import Datagram
from tests.capture.numbered import SERVER, START, message, numbers, pcap
from tests.frames import udp_frame, write_pcap
from tests.shared import CAPTURES, INDEX, needs_captures


def pcapng(times: Sequence[float], **options: Any) -> bytes:
    stream = io.BytesIO()
    writer = PcapngWriter(stream, **options)
    writer.interface()
    for number, time in enumerate(times, 1):
        writer.write(time, message(number))
    return stream.getvalue()


def captures(*paths: Path, **options: Any) -> Captures:
    return Captures(resolve([str(path) for path in paths]).files, **options)


def frames(of: Captures) -> list[tuple[float, int, int]]:
    return [(item.time, item.capture, item.frame) for item in of if isinstance(item, Datagram)]


TIMES = [START + number / 8 for number in range(1, 41)]
PLAIN = [(time, 0, number) for number, time in enumerate(TIMES, 1)]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pcap(TIMES), id="pcap"),
        pytest.param(pcap(TIMES, order=">"), id="big-endian"),
        pytest.param(pcap(TIMES, nanoseconds=True), id="nanoseconds"),
        pytest.param(pcapng(TIMES), id="pcapng"),
        pytest.param(pcapng(TIMES, order=">"), id="pcapng-big-endian"),
        pytest.param(gzip.compress(pcap(TIMES)), id="gz"),
        pytest.param(gzip.compress(pcapng(TIMES)[:3000]) + gzip.compress(pcapng(TIMES)[3000:]), id="gz-two-members"),
        pytest.param(zstandard.compress(pcap(TIMES)), id="zst"),
        pytest.param(lz4.frame.compress(pcapng(TIMES)), id="lz4"),
    ],
)
@pytest.mark.parametrize("batch", [7, 2048])
def test_the_way_of_storing_makes_no_difference(
    content: bytes, batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BATCH", batch)
    (tmp_path / "a").write_bytes(content)
    read = captures(tmp_path / "a")
    assert frames(read) == PLAIN
    health = read.health[0]
    assert (health.packets, health.first, health.last) == (40, TIMES[0], TIMES[-1])
    assert (health.truncated, health.link_types, health.clock_steps) == (False, ["EN10MB"], [])


def _packets(path: Path) -> tuple[list[Packet], CaptureHealth]:
    file, health = resolve([str(path)]).files[0], CaptureHealth("any")
    return [packet for batch in engine.batches(file, health, lambda _: None) for packet in batch.packets()], health


@needs_captures
@pytest.mark.parametrize("name", [entry["file"] for entry in INDEX])
def test_libpcap_and_our_own_reader_give_the_same_packets(name: str, tmp_path: Path) -> None:
    path = CAPTURES / name
    (tmp_path / "copy").write_bytes(gzip.compress(path.read_bytes(), 1))
    assert _packets(path) == _packets(tmp_path / "copy")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [0xBAD, 0x40000BAD, 9])
def test_what_wireshark_numbers_beside_packets_is_numbered_in_a_plain_file_too(
    order: str, kind: int, tmp_path: Path
) -> None:
    """libpcap skips custom blocks and journal entries, Wireshark numbers them (draft-ietf-opsawg-pcapng 4.7, 4.8)."""
    stream = io.BytesIO()
    writer = PcapngWriter(stream, order=order)
    writer.interface()
    for number, time in enumerate(TIMES, 1):
        writer.write(time, message(number))
        stream.write(struct.pack(f"{order}IIII", kind, 20, 32473, 1) + struct.pack(f"{order}I", 20))
    (tmp_path / "a").write_bytes(stream.getvalue())
    assert frames(captures(tmp_path / "a")) == [(time, capture, 2 * frame - 1) for time, capture, frame in PLAIN]


# Where we find SIP and Wireshark does not: SIP in HEP (shown as HEP), requests with only the method damaged, and
# start lines that only the port gives away (a matter of the parser, not of frame numbers).
_MORE_THAN_WIRESHARK = {
    "sipcapture+hep-wireshark/hep.pcap": {1, 2, 3, 4, 6, 7},
    "sipcapture+hep-wireshark/hep3_compressed.pcap.pcapng": {1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20},
    "marcelocubria+ptavi-p4/register@6f399e2a.pcap": {82, 186, 269, 301},
    "OISF+suricata-verify/http-evader__http-evader-486__input.pcap": {5},
}


class Wireshark:
    """One sharkd for all captures: starting tshark takes longer than the query."""

    def __init__(self) -> None:
        self._loaded = 0
        self._process = subprocess.Popen(
            ["sharkd", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def _ask(self, method: str, **params: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())["result"]

    def frames(self, path: Path, display_filter: str) -> set[int]:
        self._ask("load", file=str(path))
        self._loaded += 1  # sharkd caches filter results, even across captures: no filter may repeat
        found = self._ask("frames", filter=f"{display_filter} and frame.number < {1_000_000_000 + self._loaded}")
        return {frame["num"] for frame in found}

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def wireshark() -> Iterator[Wireshark]:
    if shutil.which("sharkd") is None:
        pytest.skip("sharkd (Debian: in the package tshark or wireshark-common) is not installed")
    process = Wireshark()
    yield process
    process.end()


@needs_captures
@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_frame_numbers_are_those_of_wireshark(entry: dict[str, Any], wireshark: Wireshark) -> None:
    path = CAPTURES / entry["file"]
    if "fuzz" in path.name:
        pytest.skip("a fuzzed capture: what is SIP in it is a matter of opinion")
    read = captures(path)
    ours = {item.frame for item in read if isinstance(item, Datagram)}
    theirs = wireshark.frames(path, "sip and not icmp and not icmpv6")
    health = read.health[0]
    assert health.packets == entry["packets"]
    assert ours - theirs == _MORE_THAN_WIRESHARK.get(entry["file"], set())
    assert len(theirs - ours) <= health.duplicates  # Wireshark counts what a mirror port shows twice


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_a_capture_cut_off_at_any_byte_of_its_last_record_keeps_all_before_it(
    make: Callable[[Sequence[float]], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BATCH", 16)  # the last batch begins at 33
    whole = make(TIMES)
    last = len(whole) - len(make(TIMES[:-1]))
    for missing in range(1, last):
        path = tmp_path / f"cut{missing}"
        path.write_bytes(whole[:-missing])
        read = captures(path)
        assert frames(read) == PLAIN[:-1], missing
        health = read.health[0]
        assert (health.truncated, health.packets, health.duplicates) == (True, 39, 0)
        path.unlink()


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, lz4.frame.compress])
def test_a_compressed_capture_that_breaks_off_is_read_up_to_there(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    noisy = bytes(range(256)) * 4
    stream = io.BytesIO()
    writer = PcapWriter(stream)
    for number in range(4000):
        writer.write(START + number, message(number) + bytes(byte ^ number & 255 for byte in noisy))
    packed = pack(stream.getvalue())
    (tmp_path / "a").write_bytes(packed[: len(packed) * 3 // 4])
    read = captures(tmp_path / "a")
    found = frames(read)
    assert 100 < len(found) < 4000
    assert [frame for _, _, frame in found] == list(range(1, len(found) + 1))
    assert read.health[0].truncated


def test_a_damaged_record_ends_the_reading_and_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap(TIMES) + b"\xff" * 1000 + pcap(TIMES)[24:])
    read = captures(tmp_path / "a")
    assert frames(read) == PLAIN
    assert (read.health[0].truncated, read.health[0].undecoded) == (True, {"damaged-record": 1})


class Interface(TypedDict, total=False):
    link_type: int
    snaplen: int
    resolution: int


@pytest.mark.parametrize(
    "second", [{"link_type": linktypes.RAW}, {"snaplen": 2000}, {"resolution": 9}], ids=["link", "snaplen", "clock"]
)
@pytest.mark.parametrize("late", [False, True], ids=["declared-first", "declared-late"])
def test_interfaces_that_differ_are_read_as_one_capture(
    second: Interface, late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BATCH", 8)
    cut = 14 if "link_type" in second else 0
    with (tmp_path / "a").open("wb") as stream:
        writer = PcapngWriter(stream)
        writer.interface()
        if not late:
            writer.interface(**second)
        for number, time in enumerate(TIMES, 1):
            if late and number == 30:
                writer.interface(**second)
            odd = number % 2 and (not late or number >= 30)
            frame = message(number)
            writer.write(time, frame[cut:] if odd else frame, interface=int(odd))
    read = captures(tmp_path / "a")
    assert frames(read) == PLAIN
    assert (read.health[0].packets, read.health[0].duplicates) == (40, 0)
    assert read.health[0].link_types == (["EN10MB", "RAW"] if cut else ["EN10MB"])


def test_what_the_interfaces_lost_is_known_although_libpcap_does_not_tell(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as stream:
        writer = PcapngWriter(stream)
        for interface in range(2):
            writer.interface()
            writer.write(START, message(interface), interface=interface)
        for interface in range(2):
            writer.statistics(START, interface=interface, dropped=4 + interface)
    read = captures(tmp_path / "a")
    assert len(list(read)) == 2
    assert read.health[0].kernel_drops == 9


def _open_below(path: Path) -> int:
    """The number of files below a folder that this process has open."""
    links = (entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    return sum(str(path) in str(link.readlink()) for link in links if link.exists())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="there is no /proc to see open files in")
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_ring_files_follow_each_other_and_one_is_open_at_a_time(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    paths = [tmp_path / f"ring{number}" for number in range(10)]
    for number, path in enumerate(paths):
        times = [START + number * 60 + second for second in range(60)]
        path.write_bytes(pack(pcap(times, first=number * 60)))
    read = captures(*reversed(paths))
    found, most = [], 0
    for item in read:
        assert isinstance(item, Datagram)
        found.append((item.capture, item.frame))
        most = max(most, _open_below(tmp_path))
    assert found == [(9 - number, frame) for number in range(10) for frame in range(1, 61)]
    assert most == 1
    assert [health.packets for health in read.health] == [60] * 10


def test_captures_that_overlap_are_merged_packet_by_packet(tmp_path: Path) -> None:
    odd = [START + second for second in range(1, 100, 2)]
    even = [START + second for second in range(20, 60, 2)]
    (tmp_path / "odd").write_bytes(pcap(odd, first=1000))
    (tmp_path / "even").write_bytes(gzip.compress(pcap(even, first=2000)))
    found = frames(captures(tmp_path / "odd", tmp_path / "even"))
    wanted = [(time, 0, frame) for frame, time in enumerate(odd, 1)]
    wanted += [(time, 1, frame) for frame, time in enumerate(even, 1)]
    assert found == sorted(wanted)


def test_a_packet_that_two_taps_saw_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap(TIMES))
    (tmp_path / "b").write_bytes(pcap([time + 0.0001 for time in TIMES]))
    read = captures(tmp_path / "a", tmp_path / "b")
    assert numbers(read) == list(range(1, 41))
    assert [health.duplicates for health in read.health] == [0, 40]


def test_within_a_capture_the_order_of_the_file_stays_when_its_clock_steps_back(tmp_path: Path) -> None:
    stepped = [START + second for second in (0, 1, 2, 3600, 3601, 3, 4)]
    (tmp_path / "a").write_bytes(pcap(stepped))
    (tmp_path / "b").write_bytes(pcap([START + 5, START + 3602], first=100))
    read = captures(tmp_path / "a", tmp_path / "b")
    found = numbers(read)
    assert [number for number in found if number < 100] == [1, 2, 3, 4, 5, 6, 7]
    assert read.health[0].clock_steps == [(6, START + 3, -3598.0)]
    assert (read.health[0].first, read.health[0].last) == (START, START + 3601)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("batch", [1, 2, 3, 2048])
def test_steps_of_the_clock_are_noted_and_jitter_is_not(
    pack: Callable[[bytes], bytes], batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BATCH", batch)
    times = [START, START + 5, START + 4.5, START + 80_000, START + 166_401, START + 90_000]
    (tmp_path / "a").write_bytes(pack(pcap(times)))
    read = captures(tmp_path / "a")
    list(read)
    assert read.health[0].clock_steps == [(5, START + 166_401, 86_401.0), (6, START + 90_000, -76_401.0)]


def test_nothing_after_the_end_asked_for_is_read_or_counted(tmp_path: Path) -> None:
    times = [START + second for second in (0, 10, 20.5, 20, 21, 22, 3000)]
    (tmp_path / "a").write_bytes(pcap(times))
    (tmp_path / "later").write_bytes(pcap([START + 30], first=100))
    read = captures(tmp_path / "a", tmp_path / "later", until=START + 20)
    (tmp_path / "later").unlink()
    assert numbers(read) == [1, 2, 4]
    assert (read.health[0].packets, read.health[0].last) == (3, START + 20)
    assert read.health[1].packets == 0


def test_a_filter_is_applied_to_packets_and_their_numbers_stay(tmp_path: Path) -> None:
    capture = write_pcap(tmp_path / "a", [
        (START + number, udp_frame((f"10.1.0.{number % 2}", 5060), SERVER, b"OPTIONS sip:a SIP/2.0\r\n\r\n"))
        for number in range(1, 11)])
    read = captures(capture, bpf="udp port 5060 and host 10.1.0.1")
    assert [frame for _, _, frame in frames(read)] == [1, 3, 5, 7, 9]
    assert read.health[0].packets == 10


def test_a_filter_works_on_raw_ip_as_well(tmp_path: Path) -> None:
    capture = write_pcap(tmp_path / "a", [(START, message(1)[14:])], linktypes.RAW)
    assert numbers(captures(capture, bpf="udp port 5060")) == [1]


def test_labels_may_come_without_a_link(tmp_path: Path) -> None:
    """A router that labels packets (MPLS) may capture them without a link header."""
    label = bytes.fromhex("000141ff")
    read = captures(write_pcap(tmp_path / "a", [(START, label + message(1)[14:])], linktypes.MPLS))
    assert (numbers(read), read.health[0].link_types) == ([1], ["MPLS"])


def test_a_filter_that_is_none_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap(TIMES))
    with pytest.raises(InputError, match="udp prt 5060") as caught:
        captures(tmp_path / "a", bpf="udp prt 5060")
    assert caught.value.fix


@pytest.mark.parametrize(
    "content",
    [pcap(TIMES), pcapng(TIMES), pcap(TIMES)[:-5], pcapng(TIMES)[:-5], gzip.compress(pcap(TIMES), mtime=0)],
    ids=["pcap", "pcapng", "pcap-cut", "pcapng-cut", "gz"],
)
def test_progress_tells_of_every_stored_byte_once(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    told: list[int] = []
    list(captures(tmp_path / "a", progress=told.append))
    assert sum(told) == len(content)


def test_what_a_capture_without_sip_holds_is_known(tmp_path: Path) -> None:
    media = udp_frame(("10.1.0.5", 16384), ("10.1.0.6", 16384), b"\x80\x00" + bytes(170))
    read = captures(write_pcap(tmp_path / "a", [(START + number, media) for number in range(3)]))
    assert list(read) == []
    assert read.health[0].content == {"rtp-like": 3}


def test_importing_the_package_imports_neither_numpy_nor_optional_packages() -> None:
    program = "import sys, sipaudit.capture.captures; print(sorted({'numpy', 'zstandard', 'lz4'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
