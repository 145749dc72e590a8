"""Messages as phones and servers usually write them, and random changes to them."""

from __future__ import annotations

import random

from tests.sip.damage import mutate

VIA = b"Via: SIP/2.0/UDP 10.1.0.5:5060;branch=z9hG4bK2b4fae2e"
SAME = b'From: "1001" <sip:1001@pbx.example.com>;tag=A1B2-C3\r\nTo: <sip:1001@pbx.example.com>'
COUNT = b"\r\nCSeq: 7 REGISTER\r\nCall-ID: e9f8a7-1001@10.1.0.5\r\n"
PROOF = b'Authorization: Digest username="1001", realm="pbx", nonce="f00", uri="sip:pbx", response="beef"\r\n'
CHALLENGE = b'WWW-Authenticate: Digest realm="pbx", nonce="f00", algorithm=MD5\r\n'
ABOUT = b"Contact: <sip:1001@10.1.0.5>\r\nUser-Agent: Phone/1.0\r\n"
USUAL = {
    "REGISTER": b"REGISTER sip:pbx.example.com SIP/2.0\r\n" + VIA + b"\r\n" + SAME + COUNT + ABOUT
    + b"Max-Forwards: 70\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n",
    "with credentials": b"REGISTER sip:pbx.example.com SIP/2.0\r\n" + VIA + b";rport\r\n" + SAME + COUNT + ABOUT + PROOF
    + b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    "401": b"SIP/2.0 401 Unauthorized\r\n" + VIA + b";received=10.1.0.5;rport=5060\r\n" + SAME + b";tag=f" + COUNT
    + CHALLENGE + b"Content-Length: 0\r\n\r\n",
    "200": b"SIP/2.0 200 OK\r\n" + VIA + b"\r\n" + SAME + b";tag=f"
    + b"\r\nCall-ID: e9f8a7-1001@10.1.0.5\r\nCSeq: 7 REGISTER\r\n" + ABOUT + b"Content-Length: 0\r\n\r\n",
    "INVITE": b"INVITE sip:1002@pbx.example.com SIP/2.0\r\n" + VIA + b"\r\n" + SAME
    + COUNT.replace(b"REGISTER", b"INVITE") + ABOUT
    + b"Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
}
PIECES = [
    *(line + b"\r\n" for data in USUAL.values() for line in data.split(b"\r\n")), PROOF[:-2] + b"\r\n , x=y\r\n",
    b";branch=z9hG4bK", b";tag=", b'nonce="', b'"', b";rport", b"\r\n", b"\r\n\r\n", b"\r\n ", b"c: d\r\n",
    b"Route: <sip:p>\r\n",
]


def changed(data: bytes, chance: random.Random) -> bytes:
    """A usual message with two lines swapped, a line or a piece inserted, or a few bytes changed."""
    made = bytearray(data)
    if chance.random() < 0.3:
        lines = data.split(b"\r\n")
        one, other = chance.sample(range(len(lines)), 2)
        lines[one], lines[other] = lines[other], lines[one]
        made = bytearray(b"\r\n".join(lines))
    if chance.random() < 0.5:
        starts = [at + 2 for at in range(len(data)) if data[at:at + 2] == b"\r\n"]
        at = chance.choice(starts) if chance.random() < 0.5 else chance.randrange(len(data))
        made[at:at] = chance.choice(PIECES)
    if chance.random() < 0.7:
        mutate(made, chance, list(USUAL.values()))
    return bytes(made)
