"""Messages damaged at random, and the lines and bytes that damage them."""

from __future__ import annotations

import random

from hypothesis import strategies as st

# Pieces of messages: enough grammar to get far into the parser, enough noise to go wrong there.
NOISE = st.binary(max_size=12) | st.sampled_from([
    b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\n\r\n", b'"', b"\\", b"<", b">", b";", b",", b":", b"=", b"@", b"[", b"]",
    b"\0", b"\xff", b"sip:", b";tag=", b";branch=", b'nonce="', b"z9hG4bK", b"*", b"%00", b"?", b" ",
])
LINES = st.sampled_from([
    b"REGISTER sip:h SIP/2.0", b"SIP/2.0 200 OK", b"Via: SIP/2.0/UDP h:5060;branch=z9hG4bKx;rport",
    b"v: SIP / 2.0 / UDP h", b"From: \"A\" <sip:a@h>;tag=t", b"To: sip:b@h;tag=u", b"t: <sip:b@[::1]>", b"Call-ID: c@h",
    b"i: c", b"CSeq: 1 REGISTER", b"Contact: <sip:a@h>;expires=60, \"x, y\" <sip:b@h>", b"m: *", b"Expires: 60",
    b"Content-Length: 0", b"l: 5", b'Authorization: Digest username="u", realm="r", nonce="n", uri="sip:h", nc=1',
    b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"', b"Route: <sip:p;lr>, <sip:q;lr>",
    b"Retry-After: 5 (x)", b"RAck: 1 2 INVITE", b"Date: x GMT", b"X: y", b"", b" folded", b"\tfolded",
])


def damaged(usual: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of the `usual` messages, with one to three places changed."""
    def changed(data: bytes, chance: random.Random) -> bytes:
        made = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            mutate(made, chance, usual)
        return bytes(made)

    return st.builds(changed, st.sampled_from(usual), st.randoms(use_true_random=False))


def mutate(data: bytearray, chance: random.Random, others: list[bytes]) -> None:
    at = chance.randint(0, len(data))
    kind = chance.randrange(4)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del data[at:at + chance.randint(1, 40)]
    elif kind == 2:
        other = chance.choice(others)
        start = chance.randint(0, len(other))
        data[at:at] = other[start:start + chance.randint(1, 60)]
    else:
        data[at:at] = chance.choice([b"\r\n", b"\n", b'"', b"\\", b"<", b">", b";", b",", b"\0", b"\xff", b"@", b"="])
