"""The traffic of a site with many phones: registrations and calls as frames, the same bytes every time.

The headers are those of a Polycom VVX and of a border controller in front of it, about 540 bytes a message.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

from sipaudit.capture.write import udp_frame

SBC = ("10.0.0.1", 5060)
DOMAIN = "pbx.example.com"
EXPIRES = 3600      # seconds, granted as asked for
PACKETIZATION = 0.02  # seconds of sound in a packet
SOUND = bytes(b"\xd5\x55" * 80)  # 20 ms of silence in G.711 A-law
METHODS = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, MESSAGE, SUBSCRIBE, NOTIFY, PRACK, UPDATE, REFER"
SERVER = "Server: border controller 7.2\r\n"

Packet = tuple[float, bytes]
"""Seconds since the epoch, and an Ethernet frame."""


class Phone:
    """One phone with one line. What must differ from message to message is drawn from its number and a count."""

    def __init__(self, number: int) -> None:
        self.user = str(10_000 + number)
        self.host = f"10.1.{number // 250}.{1 + number % 250}"
        self.address = (self.host, 5060)
        self.mac = f"0004f2{number:06x}"
        self._drawn = 0
        self.call_id = f"{self._word(8)}-{self._word(8)}-{self._word(8)}@{self.host}"
        self.cseq = 0

    def _word(self, digits: int) -> str:
        """Hexadecimal digits, new at each call."""
        self._drawn += 1
        return hashlib.blake2b(f"{self.user} {self._drawn}".encode(), digest_size=digits // 2).hexdigest()

    def register(self, time: float) -> Iterator[Packet]:
        """REGISTER, 401, REGISTER with credentials, 200."""
        sender = f'From: "{self.user}" <sip:{self.user}@{DOMAIN}>;tag={self._word(8).upper()}-{self._word(8).upper()}'
        nonce = self._word(32)
        challenge = f'WWW-Authenticate: Digest realm="{DOMAIN}", nonce="{nonce}", algorithm=MD5, qop="auth"\r\n'
        bound = f"Contact: <sip:{self.user}@{self.host}:5060>;expires={EXPIRES}\r\n"
        credentials = self._credentials("Authorization", "REGISTER", nonce)
        for given, status, extra in (("", "401 Unauthorized", challenge), (credentials, "200 OK", bound)):
            self.cseq += 1
            via, to = self._via(), f"To: <sip:{self.user}@{DOMAIN}>"
            count = f"CSeq: {self.cseq} REGISTER\r\nCall-ID: {self.call_id}\r\n"
            yield self._sent(time, self._register(via, f"{sender}\r\n{to}\r\n{count}", given))
            answered = f"{sender}\r\n{to};tag={self._word(12)}\r\n{count}"
            yield self._received(time + 0.004, _response(status, via, answered, extra))
            time += 0.012

    def _register(self, via: str, same: str, credentials: str) -> str:
        return (
            f"REGISTER sip:{DOMAIN}:5060 SIP/2.0\r\n{via}{same}"
            f'Contact: <sip:{self.user}@{self.host}:5060>;methods="{METHODS}"\r\n{self._agent()}{credentials}'
            f"Max-Forwards: 70\r\nExpires: {EXPIRES}\r\nContent-Length: 0\r\n\r\n"
        )

    def call(self, time: float, media: int) -> Iterator[Packet]:
        """INVITE, 407, ACK, INVITE with credentials, 100, 180, 200, ACK, `media` RTP packets in all, BYE, 200."""
        called = f"sip:0{self.user}@{DOMAIN}"
        call_id, tag, answered = f"{self._word(8)}-{self._word(8)}@{self.host}", self._word(16), self._word(12)
        nonce, port = self._word(32), 16_384 + int(self.user) % 20_000 * 2

        def same(cseq: str, to_tag: str = "") -> str:
            return (f'From: "{self.user}" <sip:{self.user}@{DOMAIN}>;tag={tag}\r\nTo: <{called}>{to_tag}\r\n'
                    f"CSeq: {cseq}\r\nCall-ID: {call_id}\r\n")

        first, refused = self._via(), f";tag={self._word(12)}"
        challenge = f'Proxy-Authenticate: Digest realm="{DOMAIN}", nonce="{nonce}", algorithm=MD5, qop="auth"\r\n'
        yield self._sent(time, self._request("INVITE", called, first, same("1 INVITE"), body=_offer(self.host, 2222)))
        yield self._received(time + 0.004, _response("407 Proxy Authentication Required", first,
                                                     same("1 INVITE", refused), challenge))
        yield self._sent(time + 0.006, self._request("ACK", called, first, same("1 ACK", refused)))

        via, tagged, here = self._via(), f";tag={answered}", f"Contact: <sip:0{self.user}@{SBC[0]}:5060>\r\n"
        credentials = self._credentials("Proxy-Authorization", "INVITE", nonce)
        yield self._sent(time + 0.012, self._request("INVITE", called, via, same("2 INVITE"), credentials,
                                                     _offer(self.host, 2222)))
        yield self._received(time + 0.016, _response("100 Trying", via, same("2 INVITE")))
        yield self._received(time + 0.150, _response("180 Ringing", via, same("2 INVITE", tagged), here))
        yield self._received(time + 2.0, _response("200 OK", via, same("2 INVITE", tagged), here, _offer(SBC[0], port)))
        target = f"sip:0{self.user}@{SBC[0]}:5060"
        yield self._sent(time + 2.005, self._request("ACK", target, self._via(), same("2 ACK", tagged)))
        yield from self._talk(time + 2.01, port, media)

        over, via = time + 2.1 + media // 2 * PACKETIZATION, self._via()
        yield self._sent(over, self._request("BYE", target, via, same("3 BYE", tagged)))
        yield self._received(over + 0.004, _response("200 OK", via, same("3 BYE", tagged)))

    def _request(self, method: str, target: str, via: str, same: str, credentials: str = "", body: str = "") -> str:
        return (
            f"{method} {target} SIP/2.0\r\n{via}{same}Contact: <sip:{self.user}@{self.host}:5060>\r\n"
            f"{self._agent()}Supported: replaces,100rel\r\n{credentials}Max-Forwards: 70\r\n{_body(body)}"
        )

    def _talk(self, time: float, port: int, packets: int) -> Iterator[Packet]:
        """RTP (RFC 3550) either way in turn; without UDP checksums, which IPv4 allows (RFC 768)."""
        here, there = (self.host, 2222), (SBC[0], port)
        empty = bytes(12 + len(SOUND))
        ways = [_without_checksum(udp_frame(here, there, empty, source_mac=self.mac)),
                _without_checksum(udp_frame(there, here, empty, destination_mac=self.mac))]
        sources = [int(self._word(8), 16), int(self._word(8), 16)]
        for count in range(packets):
            number, way = divmod(count, 2)
            header = struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, number * 160, sources[way])
            yield time + (number + way / 2) * PACKETIZATION, ways[way] + header + SOUND

    def _via(self) -> str:
        return f"Via: SIP/2.0/UDP {self.host}:5060;branch=z9hG4bK{self._word(16).upper()}\r\n"

    def _agent(self) -> str:
        return "User-Agent: PolycomVVX-VVX_500-UA/4.0.1.13681\r\nAccept-Language: en\r\n"

    def _credentials(self, header: str, method: str, nonce: str) -> str:
        uri = f"sip:{DOMAIN}:5060" if method == "REGISTER" else f"sip:0{self.user}@{DOMAIN}"
        return (f'{header}: Digest username="{self.user}", realm="{DOMAIN}", nonce="{nonce}", qop=auth, '
                f'cnonce="{self._word(16)}", nc=00000001, uri="{uri}", response="{self._word(32)}", algorithm=MD5\r\n')

    def _sent(self, time: float, text: str) -> Packet:
        return time, udp_frame(self.address, SBC, text.encode(), source_mac=self.mac)

    def _received(self, time: float, text: str) -> Packet:
        return time, udp_frame(SBC, self.address, text.encode(), destination_mac=self.mac)


def _response(status: str, via: str, same: str, extra: str = "", body: str = "") -> str:
    return f"SIP/2.0 {status}\r\n{via}{same}{SERVER}{extra}{_body(body)}"


def _body(sdp: str) -> str:
    kind = "Content-Type: application/sdp\r\n" if sdp else ""
    return f"{kind}Content-Length: {len(sdp)}\r\n\r\n{sdp}"


def _offer(host: str, port: int) -> str:
    return (
        f"v=0\r\no=- 1795348800 1795348800 IN IP4 {host}\r\ns=Polycom IP Phone\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"a=sendrecv\r\nm=audio {port} RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:18 G729/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    )


def _without_checksum(frame: bytes) -> bytes:
    """The Ethernet, IPv4 and UDP headers of a frame, with a UDP checksum of 0."""
    return frame[:40] + b"\0\0"
