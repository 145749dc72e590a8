"""Digest challenges and credentials (RFC 3261 22, RFC 2617), as a registrar and a phone exchange them."""

from __future__ import annotations

import hashlib

REALM = "pbx"
PASSWORD = "secret"


def challenge(nonce: str, status: int, stale: bool = False) -> str:
    """The challenge header line of a 401 or 407."""
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return f'{name}: Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5{", stale=TRUE" if stale else ""}\r\n'


def credentials(user: str, method: str, uri: str, nonce: str, status: int = 401) -> str:
    """The credentials header line that answers a challenge of this status."""
    secret = _md5(f"{user}:{REALM}:{PASSWORD}")
    response = _md5(f"{secret}:{nonce}:{_md5(f'{method}:{uri}')}")
    name = "Authorization" if status == 401 else "Proxy-Authorization"
    return (f'{name}: Digest username="{user}", realm="{REALM}", nonce="{nonce}", uri="{uri}", '
            f'response="{response}", algorithm=MD5\r\n')


def nonce_of(headers: str) -> str | None:
    """The nonce in these header lines, None if there is none."""
    _, found, rest = headers.partition(' nonce="')
    return rest.partition('"')[0] if found else None


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
