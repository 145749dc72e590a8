"""The second pass finds the bytes and texts behind the evidence, however the capture was given."""

from __future__ import annotations

import gzip
import shutil
import ssl
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from bench.captures import Workload
from sipaudit.model.values import Confidence, Frame, Report, Severity
from sipaudit.pipeline import Job
from sipaudit.reconstruct.short_road import ShortRoad
from sipaudit.report.evidence import Spool
from sipaudit.report.exhibits import Exhibits, frames_of, places_of, worst_first
from sipaudit.report.messages import batches, write_parquet
from sipaudit.run import second_pass
from sipaudit.run.first_rows import FirstRows
from sipaudit.run.gathering import Gathering
from sipaudit.run.run import Run
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.parse import parse
from sipaudit.times import Span
from tests.capture.sessions import Connection, Tls, answer, certificate, register
from tests.frames import packets_in, write_pcap
from tests.outputs.desk import EARLY, early_return, judged, messages, site_file, written
from tests.shared import COMMAND, ROOT, needs, needs_tshark
from tests.stories import Handset, P, Packet, Story


def driven(folder: Path, *captures: Path) -> tuple[Run, Report]:
    run = Run(Job(tuple(map(str, captures)), site=site_file(folder), zone="utc"), print, reread=True)
    run.drive()
    return run, run.report()


def asked(report: Report) -> list[Frame]:
    """The frames that prove the early return."""
    (finding,) = (one for one in report.findings if one.rule == EARLY)
    return list(frames_of(finding))


def exhibits(run: Run, report: Report, worst: int) -> Exhibits:
    """The messages behind the evidence of the `worst` gravest findings."""
    with closing(Spool()) as spool:
        second = Gathering(run, set(places_of(worst_first(report.findings)[:worst])), set(), spool)
        second.gather()
    return second.exhibits


def test_each_message_of_the_evidence_comes_with_its_text(tmp_path: Path) -> None:
    run, report = driven(tmp_path, written(early_return(), tmp_path / "a.pcap"))
    shown = exhibits(run, report, 10)
    assert shown.keys() == set(places_of(report.findings))
    for frame in asked(report):
        (exhibit,) = shown[frame.capture, frame.frame or 0]
        method, _, way = frame.summary.partition(" ")
        assert (exhibit.time, exhibit.transport) == (frame.time, "udp")
        assert method in exhibit.text.splitlines()[0]
        assert way.endswith(exhibit.destination.partition(":")[0])
    assert exhibits(run, report, 0) == {}


def test_the_worst_come_first(tmp_path: Path) -> None:
    _, report = driven(tmp_path, written(early_return(), tmp_path / "a.pcap"))
    (error,) = report.findings
    findings = [
        replace(error, id="hushed", suppressed="known"), replace(error, id="info", severity=Severity.INFO),
        replace(error, id="late", time=2e9), replace(error, id="likely", confidence=Confidence.LIKELY),
        replace(error, id="first"),
    ]
    assert [one.id for one in worst_first(findings)] == ["first", "late", "likely", "info", "hushed"]


def test_packets_are_those_of_the_file_with_their_length_on_the_wire(tmp_path: Path) -> None:
    capture = written(early_return(), tmp_path / "a.pcap", snaplen=200)
    whole = packets_in(written(early_return(), tmp_path / "whole.pcap"))
    run, _ = driven(tmp_path, capture)
    wanted = {(str(capture), frame) for frame in (2, 7, 31)}
    found = list(second_pass.packets(run, wanted))
    assert [(packet.frame, packet.time, packet.data) for packet in found] == [
        (frame, time, data[:200]) for time, frame, _, data, _ in whole if frame in (2, 7, 31)]
    assert [packet.wire_length for packet in found] == [len(whole[packet.frame - 1][3]) for packet in found]
    assert max(packet.wire_length for packet in found) > 200


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_has_lengths_too(tmp_path: Path, order: str) -> None:
    from sipaudit.capture.write import PcapngWriter

    plain = packets_in(written(early_return(), tmp_path / "a.pcap"))
    capture = tmp_path / "b.pcapng"
    with capture.open("wb") as stream:
        writer = PcapngWriter(stream, order=order)
        writer.interface()
        for time, _, _, data, _ in plain:
            writer.write(time, data[:100], len(data))
    run, _ = driven(tmp_path, capture)
    found = list(second_pass.packets(run, {(str(capture), 5), (str(capture), 6)}))
    assert [(packet.data, packet.wire_length) for packet in found] == [
        (data[:100], len(data)) for _, _, _, data, _ in plain[4:6]]


def evidence_messages(out: Path) -> list[bytes]:
    """The messages in the evidence files, as our own reader reads them."""
    return [item.payload for path in sorted((out / "evidence").iterdir()) for item in messages(path)]


def expected_messages(report: Report, capture: Path) -> list[bytes]:
    at = {item.frame: item.payload for item in messages(capture)}
    return [at[frame.frame] for finding in report.findings for frame in frames_of(finding) if frame.frame in at]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_evidence_can_be_read_as_the_capture_can(tmp_path: Path, transport: str) -> None:
    capture = written(early_return(transport), tmp_path / "a.pcap")
    report, out = judged(tmp_path, capture)
    assert EARLY in {finding.rule for finding in report.findings}
    assert evidence_messages(out) == expected_messages(report, capture)


@pytest.mark.parametrize(("transport", "engine", "followed"), [
    ("udp", "auto", False), ("tcp", "auto", True), pytest.param("udp", "tshark", True, marks=needs_tshark),
])
def test_captures_are_followed_again_only_where_a_packet_does_not_say_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: str, engine: str, followed: bool
) -> None:
    capture = written(early_return(transport), tmp_path / "a.pcap")
    again: list[Run] = []
    datagrams = second_pass.datagrams

    def noted(run: Run) -> Iterator[Datagram]:
        again.append(run)
        return datagrams(run)

    monkeypatch.setattr(second_pass, "datagrams", noted)
    report, out = judged(tmp_path, capture, job={"engine": engine})
    assert bool(again) is followed
    assert EARLY in {finding.rule for finding in report.findings}
    assert evidence_messages(out) == expected_messages(report, capture)


def test_a_message_in_fragments_brings_all_its_frames(tmp_path: Path) -> None:
    capture = written(early_return(story=Story(mtu=200)), tmp_path / "a.pcap")
    report, out = judged(tmp_path, capture)
    assert all(frame.frames for frame in asked(report))
    assert evidence_messages(out) == expected_messages(report, capture)


def test_frames_that_the_first_pass_forgot_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipaudit.run.route.FRAMES_KEPT", 1)
    capture = written(early_return(story=Story(mtu=200)), tmp_path / "a.pcap")
    report, out = judged(tmp_path, capture)
    assert not all(frame.frames for frame in asked(report))
    assert evidence_messages(out) == expected_messages(report, capture)


def test_compressed_and_piped_captures_give_the_same_files(tmp_path: Path) -> None:
    capture = written(early_return(), tmp_path / "a.pcap")
    packed = tmp_path / "a.pcap.gz"
    packed.write_bytes(gzip.compress(capture.read_bytes()))
    _, plain = judged(tmp_path, capture)
    command = [*COMMAND, "analyze", "--site", site_file(tmp_path)]
    for name, source in ((str(packed), b""), ("-", capture.read_bytes())):
        out = tmp_path / "other"
        subprocess.run([*command, name, "-o", out], input=source, check=True, capture_output=True)
        assert evidence_messages(out) == evidence_messages(plain)
        assert (out / "messages.parquet").stat().st_size > 1000
        shutil.rmtree(out)


def test_of_two_taps_each_frame_is_fetched_from_its_own_capture(tmp_path: Path) -> None:
    story = early_return()

    def sent(packet: Packet) -> bool:
        """Whether the phone sent it."""
        return packet.source == ("10.1.0.5", 5060)

    sides = [written(story.without(sent), tmp_path / "answers.pcap"),
             written(story.without(lambda packet: not sent(packet)), tmp_path / "requests.pcap")]
    report, out = judged(tmp_path, *sides)
    assert len({frame.capture for frame in asked(report)}) == 2
    whole = written(story, tmp_path / "whole.pcap")
    one, alone = judged(tmp_path, whole)
    assert [len(list(frames_of(finding))) for finding in one.findings] == [
        len(list(frames_of(finding))) for finding in report.findings]
    assert evidence_messages(out) == evidence_messages(alone)


def test_evidence_before_from_is_fetched_as_well(tmp_path: Path) -> None:
    capture = written(early_return(), tmp_path / "a.pcap")
    report, out = judged(tmp_path, capture, job={"start": "+7530s"})
    assert any(frame.time < (one.time or 0) - 10 for one in report.findings for frame in frames_of(one))
    assert evidence_messages(out) == expected_messages(report, capture)


@needs("openssl", "tshark")
def test_decrypted_messages_come_as_text(tmp_path: Path) -> None:
    connection = Connection(5061)
    tls = Tls(connection, certificate(tmp_path), tmp_path / "keys.log", ssl.TLSVersion.TLSv1_2)
    tls.send(True, register(1))
    tls.send(False, answer(1))
    capture = write_pcap(tmp_path / "tls.pcap", connection.packets)
    run = Run(Job((str(capture),), keylog=str(tmp_path / "keys.log")), print, reread=True)
    run.drive()
    with run.reading.ahead_again() as ahead:
        read = [item for item, *_ in chain.from_iterable(ahead) if isinstance(item, Datagram)]
    wanted = {(str(capture), item.frame) for item in read}
    second = Gathering(run, wanted, wanted, Spool())
    second.gather()
    shown = second.exhibits
    assert [one.text.encode() for place in sorted(shown) for one in shown[place]] == [register(1), answer(1)]
    assert {one.transport for found in shown.values() for one in found} == {"tls"}
    assert [placed.message for placed in second_pass.messages(run)] == [
        parse(item.payload) for item in read]
    frames = {frame: data for _, frame, _, data, _ in packets_in(capture)}
    for item in read:
        place = str(capture), item.frame
        (note,) = second.spool.notes(place)
        assert note == "\n".join(["decrypted:", *item.payload.decode().splitlines()])
        assert [packet.data for packet in second.spool.packets(place)] == [frames[item.frame]]


@pytest.mark.parametrize("capture", sorted(ROOT.glob("samples/*/capture.pcap*")), ids=lambda path: path.parent.name)
def test_the_rows_of_the_first_pass_are_those_of_a_second(capture: Path, tmp_path: Path) -> None:
    site = capture.with_name("site.yaml")
    noted, found = both_passes(capture, str(site) if site.exists() else None, tmp_path)
    assert noted.equals(found)
    assert len(noted) > 0


def test_renewals_that_go_the_short_road_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet, taken = Workload("renewals", phones=6, rounds=8, spread=40.0), Counter[bool]()
    fleet.write(tmp_path / "a.pcap")
    for step in ("_ask", "_answer"):
        monkeypatch.setattr(ShortRoad, step, counting(getattr(ShortRoad, step), taken))
    noted, found = both_passes(tmp_path / "a.pcap", str(fleet.site), tmp_path)
    assert taken[True] > fleet.messages / 2
    assert noted.equals(found)
    assert len(noted) == fleet.messages


def counting(step: Callable[..., bool], taken: Counter[bool]) -> Callable[..., bool]:
    def counted(*what: object) -> bool:
        done = step(*what)
        taken[done] += 1
        return done
    return counted


def both_passes(capture: Path, site: str | None, folder: Path) -> list[pa.Table]:
    """The rows as noted in the first pass, and as found by a second pass."""
    rows = FirstRows(Span(None, None))
    run = Run(Job((str(capture),), site=site, jobs=1), print, note=rows.note, reread=True)
    run.drive()
    rows.write(run, folder / "noted")
    write_parquet(batches(second_pass.messages(run)), folder / "found")
    return [pq.read_table(folder / name) for name in ("noted", "found")]


def test_who_proves_to_be_no_phone_is_none_in_either_pass(tmp_path: Path) -> None:
    """A stranger sends an INVITE that nobody answers."""
    story = early_return()
    stranger = Handset(story, "9900", ("10.9.9.9", 5060))
    stranger.ask(40, P, "INVITE")
    for table in both_passes(written(story, tmp_path / "a.pcap"), site_file(tmp_path), tmp_path):
        (row,) = (row for row in table.to_pylist() if row["source"] == "10.9.9.9:5060")
        assert [row[name] for name in ("phone", "line", "server", "from_phone")] == [None] * 4
