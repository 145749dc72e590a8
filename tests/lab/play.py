"""Plays a scene: `python -m tests.lab.play NAME FOLDER` writes capture.pcap, site.yaml and truth.json to FOLDER, and
reports where sipaudit and the script differ.

The scene is played by a process in its own namespaces (ability.py); the processes
that it starts end with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from tests.lab.ability import ALONE, environment, missing
from tests.lab.ground import SERVERS
from tests.lab.network import Network
from tests.lab.scene import Phone, Scene, aor
from tests.lab.servers import Registrar, TooBusy, call_phone, start_gateway, start_names, wait_for_sip
from tests.lab.verdict import analyzed, differences
from tests.shared import ROOT

ANSWERING = Path(__file__).with_name("answering.xml")
INSIDE = "--inside"
SETTLED = 3.0          # seconds from the start of the phones to second 0 of the scene
NICE = 15
LATE = 1.0             # seconds by which an event may be late
RESTARTS_WITHIN = 1.5  # seconds
TOO_BUSY = 75          # exit code: the machine was too busy to play the scene as written
SLACK = 1.0            # seconds by which the time of a finding may differ from SIPp's
Sent = dict[str, dict[tuple[int, str], float]]


def begin(name: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start a scene. It ends on its own, and at once if it is killed or its starter ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lab.log").open("wb") as log:
        return subprocess.Popen(
            [*ALONE, sys.executable, "-m", "tests.lab.play", INSIDE, name, str(folder.resolve())], cwd=ROOT,
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment(),
        )


def go_first() -> None:
    """Raise our priority, so that other processes do not delay the real timers. This needs a session of our own: Linux
    shares the processor between sessions before it considers the niceness of processes (sched(7), autogroup)."""
    os.setsid()
    with suppress(OSError):
        os.nice(-NICE)
        Path("/proc/self/autogroup").write_text(str(-NICE))


class Play:
    """One scene that is being played."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene = scene
        self.folder = folder
        self.work = folder / "log"
        self.work.mkdir()
        addresses = [phone.script.address for phone in scene.phones] + [phone.address for phone in scene.softphones]
        self.network = Network(self.work, addresses)
        self.registrars = {key: Registrar(self.network, key) for key in scene.servers}
        self.defines = ["WITH_AUTH"] if scene.challenged else []
        self.errands: dict[str, subprocess.Popen[bytes]] = {}   # must have succeeded by the end; by log name
        self.origin = 0.0

    def run(self) -> None:
        self._raise_servers()
        tap = self.network.tap(self.folder / "capture.pcap")
        self.origin = time.time() + SETTLED
        self.errands = {phone.script.user: self._start(phone) for phone in self.scene.phones}
        for softphone in self.scene.softphones:
            softphone.start(self.network)
        self.errands["lookups"] = self._start_lookups()
        self._follow()
        tap.stop()
        failed = [log for log, errand in self.errands.items() if errand.poll() != 0]
        if len(self.errands) - len(failed) < self.scene.fewest(len(self.errands)):
            raise RuntimeError(f"did not play their part to the end (see their logs): {', '.join(failed)}")
        self._write(self._sent())

    def _raise_servers(self) -> None:
        for registrar in self.registrars.values():
            registrar.start(*self.defines)
        start_gateway(self.network)
        start_names(self.network, self.scene.servers)
        wait_for_sip(len(self.registrars) + 1, 30.0)
        time.sleep(1.0)   # for their worker processes to start

    def _start(self, phone: Phone) -> subprocess.Popen[bytes]:
        script = phone.script
        file = self.work / f"{script.user}.xml"
        file.write_text(script.scenario.xml(self.origin))
        answering = ["-oocsf", str(ANSWERING)] if phone.answers else []
        return self.network.start(
            "phones", "sipp", SERVERS["P"], "-sf", str(file), "-i", script.address, "-p", "5060", "-m", "1", "-nostdin",
            "-default_behaviors", "none", "-watchdog_interval", "0", "-trace_shortmsg", "-shortmessage_file",
            str(self.work / f"{script.user}.sent"), "-trace_err", "-error_file", str(self.work / f"{script.user}.err"),
            *answering, log=script.user,
        )

    def _start_lookups(self) -> subprocess.Popen[bytes]:
        lookups = [f"{second}:{address}" for second, address in self.scene.lookups]
        return self.network.start("phones", sys.executable, "-m", "tests.lab.lookup", str(self.origin), *lookups,
                                  log="lookups")

    def _follow(self) -> None:
        for event in sorted(self.scene.events, key=lambda event: event.time):
            self._wait(event.time)
            started = self._doing()[event.what](event.whom)
            if isinstance(started, subprocess.Popen):
                self.errands[f"{event.what} {event.whom}"] = started
        self._wait(self.scene.seconds)

    def _wait(self, second: float) -> None:
        left = self.origin + second - time.time()
        if left < -LATE:
            raise TooBusy(f"second {second} came {-left:.1f} s late")
        time.sleep(max(0.0, left))

    def _doing(self) -> dict[str, Callable[[str], Any]]:
        network = self.network
        softphones = {phone.user: phone for phone in self.scene.softphones}
        return {
            "drop": lambda key: network.block(SERVERS[key], "drop"),
            "reject": lambda key: network.block(SERVERS[key], "reject with icmp type port-unreachable"),
            "reset": lambda key: network.block(SERVERS[key], "reject with tcp reset", "meta l4proto tcp"),
            "lose": lambda percent: network.lose(int(percent)),
            "lift": lambda _: network.lift(),
            "stop": lambda key: self.registrars[key].stop(),
            "start": lambda key: self._start_again(key, *self.defines),
            "overload": lambda key: self._restart(key, "WITH_503"),
            "recover": lambda key: self._restart(key, *self.defines),
            "call": lambda to: call_phone(network, *to.split()),
            "call in vain": lambda to: self._ignored(*to.split()),
            "dial": lambda user: softphones[user].command(network, "dial"),
            "hang up": lambda user: softphones[user].command(network, "hangup"),
        }

    def _restart(self, key: str, *defines: str) -> None:
        self.registrars[key].stop()
        self._start_again(key, *defines)

    def _start_again(self, key: str, *defines: str) -> None:
        self.registrars[key].start(*defines)
        wait_for_sip(len(self.registrars) + 1, RESTARTS_WITHIN)

    def _ignored(self, server: str, user: str) -> None:
        call_phone(self.network, server, user)

    # -- results

    def _sent(self) -> Sent:
        """By phone: when SIPp, by its own log, first sent each (CSeq number, method), or `200 INVITE` for an answer."""
        found: Sent = {}
        for phone in self.scene.phones:
            times = found[phone.script.user] = {}
            for line in (self.work / f"{phone.script.user}.sent").read_text().splitlines():
                _, moment, way, _, cseq, start = line.split("\t")[-6:]
                number, method = cseq.removeprefix("CSeq:").split()
                said = f"{start.split()[1]} {method}" if start.startswith("SIP/2.0") else method
                if way == "S":
                    times.setdefault((int(number), said), float(moment))
        return found

    def _write(self, sent: Sent) -> None:
        (self.folder / "site.yaml").write_text(yaml.safe_dump(self.scene.site(), sort_keys=False))
        truth = [
            {"line": aor(phone.script.user), "rule": breach.rule,
             "time": round(sent[phone.script.user][breach.number, breach.method], 6),
             "slack": SLACK, "maybe": breach.maybe}
            for phone in self.scene.phones for breach in phone.script.breaches
        ]
        document = {"plan": f"tests/lab, {self.scene.name}: {self.scene.kind}", "lines": self.scene.lines(),
                    "truth": truth}
        (self.folder / "truth.json").write_text(json.dumps(document, indent=1) + "\n")


def main(arguments: list[str]) -> int:
    from tests.lab.scenes import SCENES

    if arguments[:1] == [INSIDE]:
        go_first()
        try:
            Play(SCENES[arguments[1]](), Path(arguments[2])).run()
        except TooBusy as busy:
            print(f"the machine is too busy: {busy}")
            return TOO_BUSY
        return 0
    if len(arguments) != 2 or arguments[0] not in SCENES:
        print(f"python -m tests.lab.play NAME FOLDER, where NAME is one of: {', '.join(SCENES)}", file=sys.stderr)
        return 2
    if why := missing():
        print(f"the lab cannot run: {why}", file=sys.stderr)
        return 2
    folder = Path(arguments[1])
    process = begin(arguments[0], folder)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        return 130
    finally:
        process.kill()
        process.wait()
    if code:
        print((folder / "lab.log").read_text(), end="", file=sys.stderr)
        return 1
    print("\n".join(differences(analyzed(folder), folder) or ["sipaudit finds what the script did, and nothing else"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
