"""A followed directory: captures of numbered messages, and a reader of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from sipaudit.capture.write import PcapngWriter, PcapWriter
from sipaudit.live.follow.directory import SETTLED
from sipaudit.live.follow.source import FollowSource
from sipaudit.sip.datagram import Datagram, Item
from tests.frames import udp_frame

START = 1_795_000_000.0
PHONE, SERVER = ("10.1.0.5", 5060), ("10.0.0.1", 5060)
Said = tuple[str, int, Item]


def message(number: int, size: int = 0) -> bytes:
    text = b"OPTIONS sip:%d@example.com SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n" % number
    return udp_frame(PHONE, SERVER, text + b"x" * size)


def capture(*numbers: int, pcapng: bool = False, size: int = 0) -> bytes:
    """A capture with one message for each number, at that many seconds after START."""
    stream = io.BytesIO()
    writer: Any = PcapngWriter(stream) if pcapng else PcapWriter(stream)
    if pcapng:
        writer.interface()
    for number in numbers:
        writer.write(START + number, message(number, size))
    return stream.getvalue()


class Hours:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Reader:
    """A source that scans the directory at each read, and its warnings."""

    def __init__(self, folder: Path, position: Any = None) -> None:
        self.hours = Hours()
        self.warned: list[str] = []
        self.source = FollowSource(folder, 2, self.warned.append, every=0.0, clock=self.hours)
        if position is not None:
            self.source.go_on(position)

    def read(self) -> list[Said]:
        """Read all that is available now."""
        said: list[Said] = []
        while True:
            for item in self.source.read():
                place = self.source.place(item.frame)
                assert place[1] is not None
                assert item.capture == 2
                said.append((Path(place[0]).name, place[1], plain(item)))
            if not self.source.descriptors():
                return said

    def numbers(self) -> list[int]:
        """The numbers inside the messages that are available now."""
        return [int(item.payload.split(b"@")[0][12:]) for _, _, item in self.read() if isinstance(item, Datagram)]

    def later(self, seconds: float = SETTLED) -> None:
        self.hours.now += seconds


def plain(item: Item) -> Item:
    """The item without its place (capture and frames)."""
    return replace(item, capture=0, frame=0, **({"frames": ()} if isinstance(item, Datagram) else {}))
