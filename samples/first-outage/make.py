"""Writes capture.pcap and truth.json of this sample: `python samples/first-outage/make.py`.

The story, in seconds after 2026-11-22 12:00:00 UTC:

      0  four phones register at sbc1 (10.0.0.1), challenged as usual
    120  1004 calls out through sbc1, with a second of RTP either way
    240  all renew, 60 s before their 300 s are over
    300  sbc1 stops answering
    312  1001 calls: silence; it registers at sbc2, calls there, and goes back at 378, when its 60 s have passed
    330  1002 calls: silence; its INVITE goes to sbc2 before it has registered there (the first fault): 403
    344  1003 calls: silence; it registers at sbc2, calls there, and is back at sbc1 after 30 s (the second fault)
    370  sbc1 answers again
"""

from __future__ import annotations

import json
from pathlib import Path

from sipaudit.capture.write import PcapWriter, udp_frame

HERE = Path(__file__).parent
ORIGIN = 1795348800.0  # 2026-11-22 12:00:00 UTC
SBC1, SBC2 = ("10.0.0.1", 5060), ("10.0.0.2", 5060)
EXPIRES = 300
STEPS = (0.0, 0.5, 1.5, 3.5)  # an unanswered request is sent at these moments; the phone moves on after 5.5 s
CALLEE = "sip:2000@pbx.example.com"
REGISTRAR = "sip:pbx.example.com"
DIGEST = (
    'Authorization: Digest username="{user}", realm="pbx", nonce="n1", uri="sip:pbx.example.com", '
    'response="0123456789abcdef0123456789abcdef"\r\n'
)
AGENT = "PolycomVVX-VVX_500-UA/4.0.1.13681"


class Phone:
    """One phone with one line; it writes what it sends and receives into `packets`."""

    def __init__(self, packets: list[tuple[float, bytes]], user: str, address: str) -> None:
        self.packets = packets
        self.user = user
        self.address = (address, 5060)
        self.mac = f"0004f2{int(user):06d}"
        self.cseq = 0
        self.calls = 0
        self.branches = 0

    def send(self, time: float, server: tuple[str, int], text: str) -> None:
        self.packets.append((time, udp_frame(self.address, server, text.encode(), source_mac=self.mac)))

    def receive(self, time: float, server: tuple[str, int], text: str) -> None:
        self.packets.append((time, udp_frame(server, self.address, text.encode(), destination_mac=self.mac)))

    def branch(self) -> str:
        self.branches += 1
        return f"z9hG4bK{self.user}{self.branches:04d}"

    def request(self, method: str, target: str, branch: str, call_id: str, cseq: int, extra: str = "", tag: str = "",
                to: str | None = None) -> str:
        callee = to or f"sip:{self.user}@pbx.example.com"
        return (
            f"{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {self.address[0]}:5060;branch={branch}\r\n"
            f"From: <sip:{self.user}@pbx.example.com>;tag=f{self.user}{call_id[:4]}\r\nTo: <{callee}>{tag}\r\n"
            f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:{self.user}@{self.address[0]}>\r\nUser-Agent: {AGENT}\r\n{extra}Content-Length: 0\r\n\r\n"
        )

    def response(self, status: str, request: str, extra: str = "") -> str:
        lines = request.split("\r\n")
        kept = [line for line in lines if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:"))]
        to = next(line for line in lines if line.startswith("To:"))
        to += "" if ";tag=" in to or status.startswith("100") else ";tag=srv"
        return "\r\n".join([f"SIP/2.0 {status}", *kept, to]) + f"\r\n{extra}Content-Length: 0\r\n\r\n"

    # -- what phones do; each returns when it was over

    def register(self, time: float, server: tuple[str, int], *, challenged: bool = True) -> float:
        """REGISTER, 401, REGISTER with credentials, 200."""
        for credentials in (False, True) if challenged else (True,):
            self.cseq += 1
            digest = DIGEST.format(user=self.user) if credentials else ""
            call_id = f"reg-{self.user}@{self.address[0]}"
            request = self.request("REGISTER", REGISTRAR, self.branch(), call_id, self.cseq,
                                   f"{digest}Expires: {EXPIRES}\r\n")
            self.send(time, server, request)
            time += 0.004
            if credentials:
                own = f"Contact: <sip:{self.user}@{self.address[0]}>;expires={EXPIRES}\r\n"
                self.receive(time, server, self.response("200 OK", request, own))
            else:
                asked = 'WWW-Authenticate: Digest realm="pbx", nonce="n1", algorithm=MD5\r\n'
                self.receive(time, server, self.response("401 Unauthorized", request, asked))
            time += 0.003
        return time

    def into_silence(self, time: float, server: tuple[str, int]) -> float:
        """An INVITE that nobody answers, with its retransmissions; returns when the phone gives up."""
        request = self.invite()
        for step in STEPS:
            self.send(time + step, server, request)
        return time + 5.5

    def invite(self) -> str:
        self.calls += 1
        return self.request("INVITE", CALLEE, self.branch(), f"call{self.calls}-{self.user}@{self.address[0]}", 1,
                            to=CALLEE)

    def call(self, time: float, server: tuple[str, int], seconds: float, *, rtp: bool = False) -> float:
        """INVITE, 100, 180, 200, ACK, RTP if wanted, BYE, 200."""
        request = self.invite()
        call_id = f"call{self.calls}-{self.user}@{self.address[0]}"
        self.send(time, server, request)
        self.receive(time + 0.003, server, self.response("100 Trying", request))
        self.receive(time + 0.120, server, self.response("180 Ringing", request))
        contact = f"Contact: <sip:2000@{server[0]}:5060>\r\n"
        self.receive(time + 2.0, server, self.response("200 OK", request, contact))
        target, tag = f"sip:2000@{server[0]}:5060", ";tag=srv"
        self.send(time + 2.01, server, self.request("ACK", target, self.branch(), call_id, 1, tag=tag, to=CALLEE))
        if rtp:
            self.media(time + 2.02, server)
        bye = self.request("BYE", target, self.branch(), call_id, 2, tag=tag, to=CALLEE)
        self.send(time + seconds, server, bye)
        self.receive(time + seconds + 0.004, server, self.response("200 OK", bye))
        return time + seconds + 0.01

    def refused(self, time: float, server: tuple[str, int]) -> None:
        """INVITE, 403, ACK."""
        request = self.invite()
        self.send(time, server, request)
        self.receive(time + 0.005, server, self.response("403 Forbidden", request))
        ack = request.replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK")
        self.send(time + 0.006, server, ack.replace(f"To: <{CALLEE}>", f"To: <{CALLEE}>;tag=srv"))

    def media(self, time: float, server: tuple[str, int]) -> None:
        for number in range(50):
            payload = bytes([0x80, 0]) + number.to_bytes(2, "big") + (160 * number).to_bytes(4, "big") + bytes(4 + 160)
            at = time + number * 0.02
            here, there = (self.address[0], 20002), (server[0], 16384)
            self.packets.append((at, udp_frame(here, there, payload, source_mac=self.mac)))
            self.packets.append((at + 0.01, udp_frame(there, here, payload, destination_mac=self.mac)))


def story() -> tuple[list[tuple[float, bytes]], list[dict[str, object]]]:
    """The packets of the story in order, and what is wrong in it."""
    packets: list[tuple[float, bytes]] = []
    one, two, three, four = (Phone(packets, user, f"10.1.0.{number}") for number, user in
                             enumerate(("1001", "1002", "1003", "1004"), 11))
    for start in (0.0, 240.0):
        for number, phone in enumerate((one, two, three, four)):
            phone.register(start + number * 0.2, SBC1)
    four.call(120, SBC1, 30, rtp=True)
    for phone in (one, two, four):
        phone.call(200 + int(phone.user) % 10, SBC1, 20)

    moved = one.into_silence(312, SBC1)
    done = one.register(moved, SBC2)
    one.call(done, SBC2, 20)
    one.register(moved + 60.5, SBC1)
    one.call(390, SBC1, 15)

    moved = two.into_silence(330, SBC1)
    early = moved
    two.refused(moved, SBC2)
    done = two.register(moved + 0.5, SBC2)
    two.call(done, SBC2, 8)
    two.register(moved + 66.2, SBC1)

    moved = three.into_silence(344, SBC1)
    done = three.register(moved, SBC2)
    three.call(done, SBC2, 12)
    hasty = moved + 30
    three.register(hasty, SBC1)

    four.call(420, SBC1, 12)
    truth: list[dict[str, object]] = [
        {"line": "sip:1002@pbx.example.com", "rule": "signalling-to-unregistered-server", "time": ORIGIN + early,
         "slack": 1.0, "maybe": False},
        {"line": "sip:1003@pbx.example.com", "rule": "premature-failback", "time": ORIGIN + hasty, "slack": 1.0,
         "maybe": False},
    ]
    packets.sort(key=lambda packet: packet[0])
    return packets, truth


def main() -> None:
    packets, truth = story()
    with (HERE / "capture.pcap").open("wb") as stream:
        writer = PcapWriter(stream)
        for time, frame in packets:
            writer.write(ORIGIN + time, frame)
    document = {"plan": "make.py", "lines": 4, "truth": truth}
    (HERE / "truth.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
