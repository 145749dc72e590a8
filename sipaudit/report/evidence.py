"""Writes a capture file for each finding: its packets as captured, with comments that say what they prove."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

from sipaudit.capture.write import PcapngWriter
from sipaudit.model.values import Finding, Frame
from sipaudit.report.exhibits import FramePlace, Packet, frames_of
from sipaudit.safe_text import safe_text

COMMENT_SHOWN = 2_000   # characters of a comment
LINES_SHOWN = 200       # lines of a decrypted message

Parts = Mapping[FramePlace, tuple[int, ...]]
"""The numbers of all frames of a message, by the frame that completes it."""


class _Kept(NamedTuple):
    frame: int
    time: float
    link_type: int
    wire_length: int
    start: int
    length: int


class Spool:
    """Packets of the evidence in a temporary file: findings share them, and there may be very many.

    `note` adds a comment to a packet, such as its decrypted message.
    """

    def __init__(self) -> None:
        self._file = TemporaryFile(prefix="sipaudit-")  # noqa: SIM115 - lives as long as the spool
        self._kept: dict[FramePlace, list[_Kept]] = {}
        self._notes: dict[FramePlace, list[tuple[int, int]]] = {}

    def add(self, packet: Packet) -> None:
        """Store a packet, after others of the same place."""
        start, length = self._lay_down(packet.data)
        self._kept.setdefault((packet.capture, packet.frame), []).append(
            _Kept(packet.frame, packet.time, packet.link_type, packet.wire_length, start, length))

    def __contains__(self, place: FramePlace) -> bool:
        return place in self._kept

    def note(self, place: FramePlace, text: str) -> None:
        """Add a comment to a packet; its lines are made safe to print, and cut at the bounds above."""
        lines = [safe_text(line)[:COMMENT_SHOWN] for line in text.splitlines()[:LINES_SHOWN]]
        self._notes.setdefault(place, []).append(self._lay_down("\n".join(lines).encode()))

    def packets(self, place: FramePlace) -> list[Packet]:
        """The packets added for a place: one, or with pseudonyms one for each message of the frame."""
        return [Packet(place[0], kept.frame, kept.time, kept.link_type, self._read(kept.start, kept.length),
                       kept.wire_length) for kept in self._kept.get(place, ())]

    def notes(self, place: FramePlace) -> list[str]:
        return [self._read(start, length).decode() for start, length in self._notes.get(place, ())]

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()

    def _lay_down(self, data: bytes) -> tuple[int, int]:
        start = self._file.seek(0, 2)
        self._file.write(data)
        return start, len(data)

    def _read(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        return self._file.read(length)


def write_evidence(findings: Iterable[Finding], spool: Spool, parts: Parts, path_of: Mapping[str, Path]) -> None:
    """Write a file for each finding that has packets, to the path that `path_of` has for its id."""
    for finding in findings:
        frames = _frames(finding, parts)
        packets = [packet for place in frames for packet in spool.packets(place)]
        if packets:
            with path_of[finding.id].open("wb") as stream:
                _write(stream, packets, {place: [*said, *spool.notes(place)] for place, said in frames.items()})


def _frames(finding: Finding, parts: Parts) -> dict[FramePlace, list[str]]:
    """The places of a finding's packets, each with its comments."""
    said: dict[FramePlace, list[str]] = {}
    for frame in frames_of(finding):
        if frame.frame is None:
            continue
        place = frame.capture, frame.frame
        for number in (*(frame.frames or ()), *parts.get(place, ())):
            if number != frame.frame:
                said.setdefault((frame.capture, number), []).append(
                    f"{finding.id} {finding.rule}: part of the message that frame {frame.frame} completes")
        said.setdefault(place, []).extend(_comments(finding, frame))
    return said


def _comments(finding: Finding, frame: Frame) -> Iterator[str]:
    texts = [f"{finding.id} {finding.rule}: {frame.summary} ({frame.capture}, frame {frame.frame})"]
    if frame.time == finding.time:
        texts += [f"expected: {finding.expected}", f"observed: {finding.observed}"]
    return (safe_text(text)[:COMMENT_SHOWN] for text in texts)


def _write(stream: BinaryIO, packets: list[Packet], comments: Mapping[FramePlace, list[str]]) -> None:
    """One interface for each capture and link type, named after the capture; packets in order of time."""
    writer = PcapngWriter(stream)
    interfaces: dict[tuple[str, int], int] = {}
    for packet in packets:
        key = packet.capture, packet.link_type
        if key not in interfaces:
            interfaces[key] = writer.interface(packet.link_type, name=safe_text(packet.capture)[-COMMENT_SHOWN:])
    for packet in sorted(packets, key=lambda packet: (packet.time, packet.capture, packet.frame)):
        writer.write(packet.time, packet.data, packet.wire_length, comments=comments[packet.capture, packet.frame],
                     interface=interfaces[packet.capture, packet.link_type])
