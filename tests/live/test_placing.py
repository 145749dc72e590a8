"""Evidence of live sources is named as a reader can find it."""

from __future__ import annotations

from pathlib import Path

from sipaudit.capture.health import CaptureHealth
from sipaudit.live.ends import Source
from sipaudit.live.follow.source import FollowSource
from sipaudit.live.hep.listen import hep_source
from sipaudit.live.placing import placing
from tests.live.test_follow import capture


class Interface:
    """A source with numbers of its own."""

    def __init__(self) -> None:
        self.capture, self.framed, self.health = 0, True, CaptureHealth("eth0")

    def descriptors(self) -> tuple[int, ...]:
        return ()

    def read(self) -> tuple[()]:
        return ()

    def close(self) -> None: ...


def test_each_source_says_where_its_packets_are(tmp_path: Path) -> None:
    for name, number in (("a", 1), ("b", 2)):
        (tmp_path / name).write_bytes(capture(number))
    listener, follower = hep_source("udp://127.0.0.1:0", 1), FollowSource(tmp_path, 2)
    sources: list[Source] = [Interface(), listener, follower]
    place = placing(sources)
    items = follower.read()
    assert [place(item.capture, item.frame) for item in items] == [(str(tmp_path / "a"), 1), (str(tmp_path / "b"), 1)]
    assert place(0, 812) == ("eth0", 812)
    assert place(1, 5) == (f"hep:{listener.port}", None)
    assert place(2, 99) == (str(tmp_path), None)
    listener.close()
    follower.close()
