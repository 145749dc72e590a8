"""What a service manager receives on its notification socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipaudit.live.systemd import Systemd
from tests.live import said


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(5)

    def heard(self) -> list[str]:
        return self.socket.recv(4096).decode().split("\n")

    def hears_nothing(self) -> bool:
        self.socket.setblocking(False)
        try:
            self.socket.recv(4096)
        except BlockingIOError:
            return True
        return False


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    listening = Manager(str(tmp_path / "notify"))
    yield listening
    listening.socket.close()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}


def test_a_service_lives_from_ready_to_stopping(manager: Manager, environ: dict[str, str]) -> None:
    clock = [100.0]
    systemd = Systemd(environ, lambda: clock[0])
    systemd.ready()
    assert manager.heard() == ["READY=1", "STATUS=no open incident"]
    systemd.take(said.health(kernel_drops=0))
    systemd.take(said.incident())
    systemd.turn(said.NOW)
    assert manager.heard() == ["WATCHDOG=1"]
    assert manager.heard() == ["STATUS=240 lines, 340 SIP messages a second, 1 open incident"]
    systemd.reloading()
    assert manager.heard() == ["RELOADING=1", "MONOTONIC_USEC=100000000"]
    systemd.ready()
    assert manager.heard()[0] == "READY=1"
    systemd.close()
    assert manager.heard() == ["STOPPING=1", "STATUS=stopping"]


def test_the_watchdog_is_fed_three_times_in_its_time(manager: Manager, environ: dict[str, str]) -> None:
    clock = [100.0]
    systemd = Systemd(environ, lambda: clock[0])
    fed = 0
    for _ in range(60):
        clock[0] += 1
        systemd.turn(said.NOW)
        while not manager.hears_nothing():
            fed += 1
    assert fed == 6 + 6   # WATCHDOG=1 and STATUS, each once in ten seconds


def test_children_do_not_speak_for_the_service(manager: Manager, environ: dict[str, str]) -> None:
    Systemd(environ)
    assert environ == {}


def test_another_process_is_not_watched(manager: Manager, environ: dict[str, str]) -> None:
    assert Systemd(environ | {"WATCHDOG_PID": "1"}).watchdog is None
    assert Systemd(environ | {"WATCHDOG_USEC": "soon"}).watchdog is None
    assert Systemd(environ).watchdog == 30


def test_a_name_in_the_abstract_namespace(environ: dict[str, str]) -> None:
    listening = Manager(f"\0sipaudit-{os.getpid()}")
    Systemd({"NOTIFY_SOCKET": f"@sipaudit-{os.getpid()}"}).ready()
    assert listening.heard()[0] == "READY=1"
    listening.socket.close()


@pytest.mark.parametrize("name", ["", "relative", "/nowhere/at/all", "/" + "x" * 300])
def test_without_a_manager_nothing_happens(name: str) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": name})
    systemd.ready()
    systemd.turn(said.NOW)
    systemd.close()


def test_a_manager_that_does_not_read_holds_nothing_up(manager: Manager, environ: dict[str, str]) -> None:
    systemd = Systemd(environ)
    for _ in range(5_000):
        systemd.ready()
