"""Real tcpdump and dumpcap rotate their files while their directory is followed: nothing is missed, nothing is read
twice, and each message is at the place that we report, if the file is still there."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.live.follow.source import FollowSource
from sipaudit.sip.datagram import Datagram
from tests.lab.ability import SEARCHED
from tests.live.mirror import wait_until
from tests.live.programs import running

PATIENCE = 15.0
MESSAGES, SIZE = 300, 16_000  # bytes; together more than a ring of tcpdump's smallest files (1 MB each)
EVERY = 0.002  # seconds from one message to the next
BEHIND = 30  # most messages sent but not yet read: less than a file of any ring, so that a pause loses none


def needs(tool: str) -> pytest.MarkDecorator:
    absent = shutil.which(tool, path=SEARCHED) is None or os.geteuid() != 0
    return pytest.mark.skipif(absent, reason=f"{tool} must be installed, and root capture on loopback")


def text(number: int) -> bytes:
    head = f"OPTIONS sip:{number}@example.com SIP/2.0\r\nCSeq: {number} OPTIONS\r\nCall-ID: {number}@lo\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % SIZE + b"x" * SIZE


def number_of(item: Datagram) -> int:
    return int(item.payload.split(b"@")[0].removeprefix(b"OPTIONS sip:"))


@contextmanager
def capturing(*command: str, log: Path) -> Iterator[None]:
    with running(*command, log=log):
        wait_until(lambda: any(word in log.read_bytes() for word in (b"listening on", b"File:")), "it captures",
                   PATIENCE)
        yield


class Follower:
    """A followed directory, while messages are sent on loopback."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.source = FollowSource(folder, 0, every=0.05)
        self.got: list[Datagram] = []
        self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.bind(("127.0.0.1", 0))
        self.port = self.receiver.getsockname()[1]

    def read(self) -> None:
        self.got += [item for item in self.source.read() if isinstance(item, Datagram)]

    def send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(MESSAGES):
                sender.sendto(text(number), ("127.0.0.1", self.port))
                time.sleep(EVERY)
                self.read()
                self.until_came(number - BEHIND)

    def until_came(self, messages: int) -> None:
        def came() -> bool:
            self.read()
            return len(self.got) >= messages

        wait_until(came, f"{messages} messages", PATIENCE)

    def close(self) -> None:
        self.receiver.close()
        self.source.close()

    def check(self, files_left: int) -> None:
        """Each message arrived once, in order, and is at the place that we report."""
        assert [number_of(item) for item in self.got] == list(range(MESSAGES))
        assert all(item.payload == text(number) for number, item in enumerate(self.got))
        assert self.source.health.undecoded == {}
        places = [self.source.place(item.frame) for item in self.got]
        there = [path for path in sorted(self.folder.iterdir()) if path.stat().st_size > 400]
        assert len(there) >= files_left
        for file in resolve([str(path) for path in there]).files:
            for item in Captures([file], engine="libpcap"):
                assert isinstance(item, Datagram)
                at = places.index((file.path, item.frame), number_of(item))
                assert (self.got[at].payload, self.got[at].time) == (item.payload, item.time)


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Follower]:
    made = Follower(tmp_path / "ring")
    yield made
    made.close()


def tcpdump(follower: Follower, *options: str) -> list[str]:
    return ["tcpdump", "-i", "lo", "-n", "-U", "--immediate-mode", "-B", "65536", "-Z", "root", *options, "-w",
            str(follower.folder / "sip.pcap"), f"udp dst port {follower.port}"]


@needs("tcpdump")
def test_tcpdump_overwrites_the_files_of_its_ring(follower: Follower, tmp_path: Path) -> None:
    with capturing(*tcpdump(follower, "-C", "1", "-W", "3"), log=tmp_path / "log"):
        follower.send()
        follower.until_came(MESSAGES)
    follower.check(files_left=3)


@needs("tcpdump")
def test_tcpdump_leaves_its_files_to_gzip(follower: Follower, tmp_path: Path) -> None:
    with capturing(*tcpdump(follower, "-C", "1", "-z", "gzip"), log=tmp_path / "log"):
        follower.send()
        follower.until_came(MESSAGES)
    end = time.monotonic() + PATIENCE
    while any(not path.name.endswith(".gz") for path in sorted(follower.folder.iterdir())[:-1]):
        assert time.monotonic() < end
        time.sleep(0.1)
    follower.read()
    time.sleep(0.1)
    follower.read()
    follower.check(files_left=4)


@needs("tcpdump")
def test_tcpdump_begins_a_file_every_second(follower: Follower, tmp_path: Path) -> None:
    command = tcpdump(follower, "-G", "1")
    command[-2] = str(follower.folder / "sip-%s.pcap")
    with capturing(*command, log=tmp_path / "log"):
        for _ in range(3):
            time.sleep(0.4)
            follower.read()
        follower.send()
        follower.until_came(MESSAGES)
    follower.check(files_left=1)


@needs("dumpcap")
def test_dumpcap_deletes_the_oldest_of_its_files(follower: Follower, tmp_path: Path) -> None:
    command = ["dumpcap", "-q", "-i", "lo", "-B", "64", "-f", f"udp dst port {follower.port}", "-b", "filesize:500",
               "-b", "files:3", "-w", str(follower.folder / "sip.pcapng")]
    with capturing(*command, log=tmp_path / "log"):
        follower.send()
        follower.until_came(MESSAGES)
    follower.check(files_left=2)
    assert len(list(follower.folder.iterdir())) <= 3
