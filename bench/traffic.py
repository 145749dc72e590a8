"""The traffic of a site with many phones: registrations, calls and subscriptions as frames, the same bytes every time.

The headers are those of a Polycom VVX and of a border controller in front of it, about 540 bytes a message.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.links import SBC, Packet, Tcp, Udp
from sipaudit.capture.write import Endpoint
from tests.frames import udp_frame

DOMAIN = "pbx.example.com"
EXPIRES = 3600      # seconds, granted as asked for
PACKETIZATION = 0.02  # seconds of sound in a packet
SOUND = bytes(b"\xd5\x55" * 80)  # 20 ms of silence in G.711 A-law
METHODS = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, MESSAGE, SUBSCRIBE, NOTIFY, PRACK, UPDATE, REFER"
SERVER = "Server: border controller 7.2\r\n"


class Phone:
    """One phone with one line. Values that must differ between messages are hashed from its user and a counter."""

    def __init__(self, number: int, transport: str = "udp") -> None:
        self.user = str(10_000 + number)
        self.host = f"10.1.{number // 250}.{1 + number % 250}"
        self.mac = f"0004f2{number:06x}"
        self._link: Udp | Tcp = Udp(self.host, self.mac) if transport == "udp" else Tcp(self.host, self.mac, number)
        self._uri = f"sip:{self.user}@{self.host}:5060{self._link.parameter}"
        self._subscription = Subscription("", "", "")
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
        bound = f"Contact: <{self._uri}>;expires={EXPIRES}\r\n"
        credentials = self._credentials("Authorization", "REGISTER", nonce)
        for packet in self._link.opened(time):
            yield packet
            time = packet[0]
        for given, status, extra in (("", "401 Unauthorized", challenge), (credentials, "200 OK", bound)):
            self.cseq += 1
            via, to = self._via(), f"To: <sip:{self.user}@{DOMAIN}>"
            count = f"CSeq: {self.cseq} REGISTER\r\nCall-ID: {self.call_id}\r\n"
            yield from self._sent(time, self._register(via, f"{sender}\r\n{to}\r\n{count}", given))
            answered = f"{sender}\r\n{to};tag={self._word(12)}\r\n{count}"
            yield from self._received(time + 0.004, _response(status, via, answered, extra))
            time += 0.012
        yield from self._link.settled(time)

    def _register(self, via: str, same: str, credentials: str) -> str:
        return (
            f"REGISTER sip:{DOMAIN}:5060 SIP/2.0\r\n{via}{same}"
            f'Contact: <{self._uri}>;methods="{METHODS}"\r\n{self._agent()}{credentials}'
            f"Max-Forwards: 70\r\nExpires: {EXPIRES}\r\nContent-Length: 0\r\n\r\n"
        )

    def call(self, time: float, media: int, talk: float = 0.0) -> Iterator[Packet]:
        """INVITE, 407, ACK, INVITE with credentials, 100, 180, 200, ACK, `media` RTP packets in both directions
        together, `talk` seconds without media, BYE, 200."""
        called = f"sip:0{self.user}@{DOMAIN}"
        call_id, tag, answered = f"{self._word(8)}-{self._word(8)}@{self.host}", self._word(16), self._word(12)
        nonce, port = self._word(32), 16_384 + int(self.user) % 20_000 * 2

        def same(cseq: str, to_tag: str = "") -> str:
            return (f'From: "{self.user}" <sip:{self.user}@{DOMAIN}>;tag={tag}\r\nTo: <{called}>{to_tag}\r\n'
                    f"CSeq: {cseq}\r\nCall-ID: {call_id}\r\n")

        first, refused = self._via(), f";tag={self._word(12)}"
        challenge = f'Proxy-Authenticate: Digest realm="{DOMAIN}", nonce="{nonce}", algorithm=MD5, qop="auth"\r\n'
        yield from self._sent(time, self._request("INVITE", called, first, same("1 INVITE"),
                                                  body=_offer(self.host, 2222)))
        yield from self._received(time + 0.004, _response("407 Proxy Authentication Required", first,
                                                          same("1 INVITE", refused), challenge))
        yield from self._sent(time + 0.006, self._request("ACK", called, first, same("1 ACK", refused)))

        via, tagged, here = self._via(), f";tag={answered}", f"Contact: <sip:0{self.user}@{SBC[0]}:5060>\r\n"
        credentials = self._credentials("Proxy-Authorization", "INVITE", nonce)
        yield from self._sent(time + 0.012, self._request("INVITE", called, via, same("2 INVITE"), credentials,
                                                          _offer(self.host, 2222)))
        yield from self._received(time + 0.016, _response("100 Trying", via, same("2 INVITE")))
        yield from self._received(time + 0.150, _response("180 Ringing", via, same("2 INVITE", tagged), here))
        answer = _response("200 OK", via, same("2 INVITE", tagged), here, _offer(SBC[0], port))
        yield from self._received(time + 2.0, answer)
        target = f"sip:0{self.user}@{SBC[0]}:5060"
        yield from self._sent(time + 2.005, self._request("ACK", target, self._via(), same("2 ACK", tagged)))
        yield from self._talk(time + 2.01, port, media)

        over, via = time + ended(media, talk), self._via()
        yield from self._sent(over, self._request("BYE", target, via, same("3 BYE", tagged)))
        yield from self._received(over + 0.004, _response("200 OK", via, same("3 BYE", tagged)))

    def _request(self, method: str, target: str, via: str, same: str, credentials: str = "", body: str = "") -> str:
        return (
            f"{method} {target} SIP/2.0\r\n{via}{same}Contact: <{self._uri}>\r\n"
            f"{self._agent()}Supported: replaces,100rel\r\n{credentials}Max-Forwards: 70\r\n{_body(body)}"
        )

    def subscribe(self, time: float, watched: Phone) -> Iterator[Packet]:
        """Subscribe to the state of another line (RFC 4235): SUBSCRIBE, 200, the first NOTIFY, 200."""
        end = Subscription(f"{self._word(8)}-{self._word(8)}@{self.host}", self._word(16), self._word(12))
        self._subscription, target, via = end, f"sip:{watched.user}@{DOMAIN}", self._via()
        same = f'From: "{self.user}" <sip:{self.user}@{DOMAIN}>;tag={end.tag}\r\nTo: <{target}>'
        count = f"\r\nCSeq: 1 SUBSCRIBE\r\nCall-ID: {end.call_id}\r\n"
        wanted = f"Event: dialog\r\nAccept: application/dialog-info+xml\r\nExpires: {EXPIRES}\r\n"
        yield from self._sent(time, self._request("SUBSCRIBE", target, via, same + count, wanted))
        granted = f"Contact: <{_at_sbc(watched)}>\r\nExpires: {EXPIRES}\r\n"
        answered = f"{same};tag={end.remote_tag}{count}"
        yield from self._received(time + 0.004, _response("200 OK", via, answered, granted))
        yield from self.notify(time + 0.010, watched, "terminated")

    def notify(self, time: float, watched: Phone, state: str) -> Iterator[Packet]:
        """Report the new state of the other line: NOTIFY, 200."""
        end, version = self._subscription, self._subscription.version
        end.version += 1
        via = f"Via: SIP/2.0/UDP {SBC[0]}:5060;branch=z9hG4bK{self._word(16)}\r\n"
        same = (f"From: <sip:{watched.user}@{DOMAIN}>;tag={end.remote_tag}\r\n"
                f'To: "{self.user}" <sip:{self.user}@{DOMAIN}>;tag={end.tag}\r\n'
                f"CSeq: {version + 1} NOTIFY\r\nCall-ID: {end.call_id}\r\n")
        body = _dialog_info(watched.user, version, state)
        yield from self._received(time, (
            f"NOTIFY {self._uri} SIP/2.0\r\n{via}{same}Contact: <{_at_sbc(watched)}>\r\nMax-Forwards: 69\r\n"
            f"Event: dialog\r\nSubscription-State: active;expires={EXPIRES}\r\n"
            f"{_body(body, 'application/dialog-info+xml')}"))
        yield from self._sent(time + 0.006, f"SIP/2.0 200 OK\r\n{via}{same}Contact: <{self._uri}>\r\n"
                                            f"Event: dialog\r\n{self._agent()}{_body('')}")

    def _talk(self, time: float, port: int, packets: int) -> Iterator[Packet]:
        """RTP packets (RFC 3550) in alternating directions; without UDP checksums, which IPv4 allows (RFC 768)."""
        ways = rtp_heads((self.host, 2222), (SBC[0], port), self.mac)
        sources = [int(self._word(8), 16), int(self._word(8), 16)]
        for count in range(packets):
            number, way = divmod(count, 2)
            header = struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, number * 160, sources[way])
            yield time + (number + way / 2) * PACKETIZATION, ways[way] + header + SOUND

    def _via(self) -> str:
        return f"Via: SIP/2.0/{self._link.name} {self.host}:5060;branch=z9hG4bK{self._word(16).upper()}\r\n"

    def _agent(self) -> str:
        return "User-Agent: PolycomVVX-VVX_500-UA/4.0.1.13681\r\nAccept-Language: en\r\n"

    def _credentials(self, header: str, method: str, nonce: str) -> str:
        uri = f"sip:{DOMAIN}:5060" if method == "REGISTER" else f"sip:0{self.user}@{DOMAIN}"
        return (f'{header}: Digest username="{self.user}", realm="{DOMAIN}", nonce="{nonce}", qop=auth, '
                f'cnonce="{self._word(16)}", nc=00000001, uri="{uri}", response="{self._word(32)}", algorithm=MD5\r\n')

    def _sent(self, time: float, text: str) -> Iterable[Packet]:
        return self._link.sent(time, text.encode())

    def _received(self, time: float, text: str) -> Iterable[Packet]:
        return self._link.received(time, text.encode())


@dataclass
class Subscription:
    """The identifiers of a subscription; `version` counts its NOTIFYs."""

    call_id: str
    tag: str
    remote_tag: str
    version: int = 0


def ended(media: int, talk: float) -> float:
    """The seconds from a call's first INVITE to its BYE."""
    return 2.1 + media // 2 * PACKETIZATION + talk


def _at_sbc(phone: Phone) -> str:
    return f"sip:{phone.user}@{SBC[0]}:5060"


def _response(status: str, via: str, same: str, extra: str = "", body: str = "") -> str:
    return f"SIP/2.0 {status}\r\n{via}{same}{SERVER}{extra}{_body(body)}"


def _body(body: str, content: str = "application/sdp") -> str:
    kind = f"Content-Type: {content}\r\n" if body else ""
    return f"{kind}Content-Length: {len(body)}\r\n\r\n{body}"


def _dialog_info(user: str, version: int, state: str) -> str:
    return (f'<?xml version="1.0"?>\r\n<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" '
            f'state="full" entity="sip:{user}@{DOMAIN}">\r\n<dialog id="{user}" direction="initiator">'
            f"<state>{state}</state></dialog>\r\n</dialog-info>\r\n")


def _offer(host: str, port: int) -> str:
    return (
        f"v=0\r\no=- 1795348800 1795348800 IN IP4 {host}\r\ns=Polycom IP Phone\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"a=sendrecv\r\nm=audio {port} RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:18 G729/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    )


def rtp_heads(here: Endpoint, there: Endpoint, mac: str = "020000000001") -> list[bytes]:
    """The Ethernet, IPv4 and UDP headers of the RTP packets that the phone `here` sends and receives; `mac` is the
    phone's."""
    empty = bytes(12 + len(SOUND))
    return [_without_checksum(udp_frame(here, there, empty, source_mac=mac)),
            _without_checksum(udp_frame(there, here, empty, destination_mac=mac))]


def _without_checksum(frame: bytes) -> bytes:
    """The Ethernet, IPv4 and UDP headers of a frame, with a UDP checksum of 0."""
    return frame[:40] + b"\0\0"
