"""`python -m bench.port [--seconds N] [--sip N] [--rtp N] [--write]`: a probe under load, on a cable of its own.

tcpreplay sends REGISTERs of 5,000 phones and media into one end of a veth pair, a real `sipaudit live` listens at the
other; the kernel's drops and the probe's lag are as the probe itself reports them. Needs root.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.captures import SIP, SITE, Workload, ensure
from bench.readme import options, put
from sipaudit.capture.write import PcapWriter, ethernet_frame, udp_packet
from tests.live.mirror import Listener, Mirror, mirror, why_not

RTP_PACKETS = 20_000
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    """The result of a run: packets sent, seconds, and what the probe reports: drops, lag (seconds), messages, processor
    time (seconds), memory (bytes)."""

    sip: int
    rtp: int
    seconds: float
    drops: int
    lag: float
    messages: int
    processor: float
    memory: int


def media(path: Path) -> Path:
    """Write 20,000 packets of G.711, of 400 calls."""
    chance = random.Random(1)
    with path.open("wb") as stream:
        writer = PcapWriter(stream)
        for number in range(RTP_PACKETS):
            call = number % 400
            head = struct.pack(">BBHII", 0x80, 0, number // 400, number // 400 * 160, call)
            packet = udp_packet((f"10.1.{call // 200}.{call % 200 + 1}", 20_000 + call), ("10.0.0.9", 30_000 + call),
                                head + chance.randbytes(160))
            writer.write(number / 50_000, ethernet_frame(packet))
    return path


def replayed(port: Mirror, name: str, capture: Path, rate: int, seconds: int) -> subprocess.Popen[bytes]:
    """Replay a capture repeatedly, from memory, at `rate` packets a second."""
    return port.start("nice", "tcpreplay", "-q", "-K", "-i", "wire", f"--pps={rate}", f"--limit={rate * seconds}",
                      "--loop=1000000", str(capture), log=port.folder / f"{name}.log")


def play(port: Mirror, workload: Workload, sip: int, rtp: int, seconds: int) -> None:
    """Send signalling and media together for `seconds`. In practice the load comes from other machines: here it yields
    to the probe if there is not enough processor time for both."""
    both = [replayed(port, "sip", workload.path, sip, seconds),
            replayed(port, "media", media(port.folder / "media.pcap"), rtp, seconds)]
    for process in both:
        if process.wait():
            raise SystemExit(f"tcpreplay failed, see {port.folder}")


def measured(workload: Workload, sip: int, rtp: int, seconds: int) -> Load:
    """Run a probe under `sip` and `rtp` packets a second, the SIP from a workload's capture, replayed repeatedly."""
    ensure(workload)
    with tempfile.TemporaryDirectory() as folder, mirror(Path(folder)) as port:
        listener = port.live("--site", str(SITE))
        began = time.monotonic()
        play(port, workload, sip, rtp, seconds)
        took = time.monotonic() - began
        processor = spent(listener)
        if listener.end():
            raise SystemExit(listener.errors)
        health = [one["health"] for one in listener.sayings("health")]
        seen = listener.sayings("capture")[-1]["capture"]["sip_messages"]
        return Load(sip * seconds, rtp * seconds, took, sum(health[-1][name] for name in (
            "kernel_drops", "interface_drops")), max(one["lag_s"] for one in health), seen, processor,
            max(one["memory_bytes"] for one in health))


def spent(listener: Listener) -> float:
    """The processor time that the probe has used so far, in seconds (proc(5))."""
    fields = Path(f"/proc/{listener.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def row(load: Load) -> str:
    return (f"| {load.sip / load.seconds:,.0f} | {load.rtp / load.seconds:,.0f} | {load.seconds:.0f} "
            f"| {load.messages:,} of {load.sip:,} | {load.drops:,} | {load.lag:.2f} "
            f"| {load.processor / load.seconds * 100:.0f} % | {load.memory / 1e6:.0f} MB |")


def main() -> None:
    parser = options("bench.port", __doc__)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--sip", type=int, default=20_000, help="SIP messages a second")
    parser.add_argument("--rtp", type=int, default=150_000, help="RTP packets a second")
    chosen = parser.parse_args()
    if why_not():
        raise SystemExit(f"no mirror port: {why_not()}")
    lines = ["| SIP/s | RTP/s | seconds | messages judged | dropped | lag, s | processor | memory |",
             "|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for share in (0.25, 1.0):
        load = measured(SIP, int(chosen.sip * share), int(chosen.rtp * share), chosen.seconds)
        lines.append(row(load))
        print(lines[-1], flush=True)
    if chosen.write:
        put("port", "\n".join(lines))


if __name__ == "__main__":
    main()
