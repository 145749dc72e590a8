"""`python -m bench.away [--seconds N] [--write]`: the PostgreSQL of a listening probe stops for more than a minute.

On a cable of its own one phone after the other loses its server; a real `sipaudit live` listens and writes into a
PostgreSQL that is killed midway and started again. The sayings of the probe are compared with the contents of the store
at the end. Needs root, tcpreplay and PostgreSQL.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.readme import options, put
from tests.frames import write_pcap
from tests.live.mirror import SIPAUDIT, Listener, Mirror, mirror, wait_until
from tests.store.postgres import Postgres
from tests.stories import MINUTE, R2, Handset, P, S, Story, site

AROUND = 3   # seconds with the store before and after it is away
WITHIN = 30.0   # seconds within which the probe must report that the store is away, and that it is back


@dataclass
class Away:
    """The result of a run: seconds without the store, sayings of each kind and how many of them the store lacked at the
    end, the largest lag of the probe in seconds, packets dropped by the kernel, and the log lines about the store."""

    seconds: float
    said: dict[str, int]
    lacked: int
    lag: float
    drops: int
    log: list[str]


def one_after_the_other(path: Path, count: int) -> None:
    """Write a capture in which `count` phones register, and one a second finds P silent and moves to S."""
    story = Story()
    phones = [Handset(story, f"{1000 + number}", (f"10.1.{number // 200}.{number % 200 + 1}", 5060))
              for number in range(count)]
    for number, phone in enumerate(phones):
        phone.register(number / count)
        asked = phone.ask(1.0 + number, P, "REGISTER", expires=3600)
        phone.again(1.3 + number, asked)
        phone.again(1.6 + number, asked)
        phone.register(1.9 + number, S)
    write_pcap(path, story.frames())


def measured(seconds: int) -> Away:
    """Run with the store away for `seconds`."""
    with tempfile.TemporaryDirectory() as name, mirror(Path(name)) as port:
        folder = Path(name)
        port.ip("link", "set", "lo", "up")
        capture, where = folder / "phones.pcap", folder / "site.yaml"
        one_after_the_other(capture, seconds + 2 * AROUND)
        where.write_text(yaml.safe_dump(site({**R2, **MINUTE}, P, S)))
        at = Path(tempfile.mkdtemp(prefix="sipaudit-postgres-"))
        try:
            return _run(port, Postgres(at, port.inside()), capture, where, seconds)
        finally:
            shutil.rmtree(at, ignore_errors=True)


def _run(port: Mirror, server: Postgres, capture: Path, where: Path, seconds: int) -> Away:
    store = server.database()
    listener = port.live("--site", str(where), "--store", store, "--checkpoint", str(port.folder / "state"))
    phones = port.start("tcpreplay", "-q", "-i", "wire", str(capture), log=port.folder / "tcpreplay.log")
    try:
        time.sleep(AROUND)
        server.stop()
        began = time.monotonic()
        wait_until(lambda: " is away" in listener.errors, "the store is missed", WITHIN)
        time.sleep(max(seconds - (time.monotonic() - began), 0.0))
        server.start()
        away = time.monotonic() - began
        wait_until(lambda: " is back" in listener.errors, "the store is back", WITHIN)
        phones.wait(seconds + WITHIN)
        time.sleep(1.0)
        assert listener.end() == 0, listener.errors
        return _told(listener, store, port, away)
    finally:
        server.stop()


def _told(listener: Listener, store: str, port: Mirror, away: float) -> Away:
    shown = subprocess.run(port.inside(str(SIPAUDIT), "report", store, "--format", "json"), capture_output=True,
                           check=True)
    kept, said = _kept(json.loads(shown.stdout)), _said(listener.sayings())
    health = [one["health"] for one in listener.sayings("health")]
    return Away(away, {kind: len(names) for kind, names in said.items()},
                sum(len(names - kept[kind]) for kind, names in said.items()),
                max(one["lag_s"] for one in health), health[-1]["kernel_drops"],
                [line for line in listener.errors.splitlines() if "store" in line])


def _said(sayings: list[dict[str, Any]]) -> dict[str, set[Any]]:
    """The identities of all that was said, by kind, without withdrawn incidents and findings."""
    withdrawn = {one["id"] for one in sayings if one["type"] == "withdrawn"}
    said: dict[str, set[Any]] = {kind: set() for kind in ("line", "move", "registration", "incident", "finding")}
    for one in sayings:
        match one["type"]:
            case "line":
                said["line"].add(one["line"]["line"])
            case "move":
                said["move"].add((one["line"], one["move"]["time"]))
            case "registration":
                said["registration"].add((one["line"], one["registration"]["server"], one["registration"]["from"]))
            case ("incident" | "finding") as kind if one[kind]["id"] not in withdrawn:
                said[kind].add(one[kind]["id"])
    return said


def _kept(report: dict[str, Any]) -> dict[str, set[Any]]:
    lines = report["lines"]
    return {
        "line": {line["line"] for line in lines},
        "move": {(line["line"], move["time"]) for line in lines for move in line["moves"]},
        "registration": {(line["line"], row["server"], row["from"]) for line in lines for row in line["registrations"]},
        "incident": {one["id"] for one in report["incidents"]}, "finding": {one["id"] for one in report["findings"]},
    }


def main() -> None:
    parser = options("bench.away", __doc__)
    parser.add_argument("--seconds", type=int, default=75, metavar="N", help="without the store (default: 75)")
    chosen = parser.parse_args()
    told = measured(chosen.seconds)
    counts = ", ".join(f"{count:,} {kind}s" for kind, count in told.said.items())
    text = (f"PostgreSQL killed for {told.seconds:.0f} s under a probe that listens: of {counts} the store lacked "
            f"{told.lacked} at the end; the kernel dropped {told.drops} packets, the lag was {told.lag:.2f} s at most.")
    print(text, *told.log, sep="\n")
    if chosen.write:
        put("away", text)


if __name__ == "__main__":
    main()
