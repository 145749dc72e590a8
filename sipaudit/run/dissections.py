"""Wireshark's dissection of evidence frames, for the HTML report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from sipaudit.capture.write import PcapngWriter
from sipaudit.model.values import Finding
from sipaudit.report.dissect import Dissection, Layer, dissect
from sipaudit.report.evidence import Spool
from sipaudit.report.exhibits import FramePlace, Packet, frames_of

MOST = 200  # frames: each takes ten milliseconds, and fifty findings are more than anybody reads in full


def dissections(spool: Spool, findings: Iterable[Finding], warn: Callable[[str], None]) -> dict[FramePlace, Dissection]:
    """The dissections of the first frames of these findings' evidence, if the spool holds them; without tshark, or if
    it fails, there are none, with a warning.

    The frames are first written to a capture of their own, so that tshark reads a few packets, whatever the size of the
    original captures.
    """
    places = dict.fromkeys((frame.capture, frame.frame) for finding in findings for frame in frames_of(finding)
                           if frame.frame is not None)
    packets = list(islice((packet for place in places for packet in spool.packets(place)), MOST))
    if not packets:
        return {}
    with TemporaryDirectory(prefix="sipaudit-") as folder:
        path = Path(folder) / "frames.pcapng"
        _write(path, packets)
        try:
            read = dissect(str(path), range(1, len(packets) + 1))
        except Exception as error:  # pyshark and tshark read hostile bytes: what they raise must not cost the report
            warn(f"report.html is without Wireshark's dissection: {error}")
            return {}
    by_number = {dissection.frame: dissection for dissection in read}
    return {(packet.capture, packet.frame): _as_captured(by_number[number], packet)
            for number, packet in enumerate(packets, 1) if number in by_number}


def _write(path: Path, packets: list[Packet]) -> None:
    with path.open("wb") as stream:
        writer, interfaces = PcapngWriter(stream), dict[int, int]()
        for packet in packets:
            if packet.link_type not in interfaces:
                interfaces[packet.link_type] = writer.interface(packet.link_type)
            writer.write(packet.time, packet.data, packet.wire_length, interface=interfaces[packet.link_type])


def _as_captured(dissection: Dissection, packet: Packet) -> Dissection:
    """The dissection with the frame's number in its own capture."""
    layers = tuple(Layer(layer.name, tuple(
        replace(field, text=f"Frame Number: {packet.frame}", value=str(packet.frame))
        if field.name == "frame.number" else field for field in layer.fields)) for layer in dissection.layers)
    return replace(dissection, frame=packet.frame, layers=layers)
