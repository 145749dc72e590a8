"""Recognises that a device is starting: by DHCP (RFC 2131), and by the files that a phone fetches (TFTP, HTTP, FTP).

Of files, only the requests are read: who fetches which one; neither responses nor contents.
"""

from __future__ import annotations

import re
from socket import AF_INET, inet_ntop

from sipaudit.sip.datagram import Start, StartKind

DHCP_PORTS, TFTP_PORT = frozenset({67, 68}), 69

_COOKIE_AT, _OPTIONS_AT = 236, 240
_DHCP_COOKIE = b"\x63\x82\x53\x63"
_MESSAGE_TYPE, _PAD, _END = 53, 0, 255
_DISCOVER, _REQUEST, _ACK = 1, 3, 5
_ETHERNET = b"\x01\x06"  # hardware type and address length
_OPTIONS_READ = 64
_NOBODY = b"\0\0\0\0"

_NAME_LIMIT = 512  # bytes of a request in which the name of its file must end
_RRQ = b"\0\x01"
_ASKS = (b"GET ", b"RETR")
_ASKED = re.compile(rb"(?:GET [^ ?\r\n]*/([^ ?/\r\n]+)(?:\?[^ \r\n]*)? HTTP/1|RETR (?:[^\r\n]*/)?([^/\r\n]+)\r\n)")
# Files that a Polycom requests when it starts: the master file, its own, and those of boot loader and program
# (polycom.md 2). `<mac>-phone.cfg`, directories and logs are transferred at other times too.
_FILE = re.compile(r"(?:0{12}\.cfg|([0-9a-f]{12})\.cfg|(?:[0-9a-z-]{1,40}\.)?(?:bootrom|updater|sip)\.(?:ld|ver))\Z")
_AGENT = re.compile(rb"\r\nUser-Agent: ([^\r\n]{1,256})\r\n", re.IGNORECASE)
_SERIAL = re.compile(rb"\(SN:([0-9A-Fa-f]{12})\)")
_UPDATER = b"Type/Updater"  # User-Agent of the program that runs before the phone's own, only at a start


def read_dhcp(payload: bytes, time: float, capture: int, frame: int) -> Start | None:
    """A DHCP message of a client that has no address yet, or the ACK that assigns one; None for others.

    A client that renews its lease states its address (`ciaddr`, RFC 2131 4.3.2): it is not starting.
    """
    if len(payload) < _OPTIONS_AT or payload[1:3] != _ETHERNET or payload[_COOKIE_AT:_OPTIONS_AT] != _DHCP_COOKIE:
        return None
    mac, asks, has, given = payload[28:34].hex(), payload[0] == 1, payload[12:16], payload[16:20]
    kind = _message_type(payload)
    if asks and has == _NOBODY and kind in (_DISCOVER, _REQUEST):
        return Start(time, capture, frame, StartKind.ADDRESS, None, mac)
    if not asks and has == _NOBODY and given != _NOBODY and kind == _ACK:
        return Start(time, capture, frame, StartKind.LEASE, inet_ntop(AF_INET, given), mac)
    return None


def _message_type(payload: bytes) -> int:
    at = _OPTIONS_AT
    for _ in range(_OPTIONS_READ):
        if at + 2 >= len(payload) or payload[at] == _END:
            break
        if payload[at] == _MESSAGE_TYPE:
            return payload[at + 2]
        at += 1 if payload[at] == _PAD else 2 + payload[at + 1]
    return 0


def read_tftp(payload: bytes, time: float, capture: int, frame: int, host: str, mac: str | None) -> Start | None:
    """A TFTP read request (RFC 1350 5) for a file of a start."""
    if not payload.startswith(_RRQ):
        return None
    return _fetch(payload[2:_NAME_LIMIT].partition(b"\0")[0].rpartition(b"/")[2], time, capture, frame, host, mac)


def asks_for_file(payload: bytes) -> bool:
    """Whether this segment may request a file; a cheap test, because it is made for every foreign segment."""
    return payload[:4] in _ASKS


def read_request(payload: bytes, time: float, capture: int, frame: int, host: str, mac: str | None) -> Start | None:
    """An HTTP or FTP request for a file that phones fetch at a start, in a single segment, as phones send it; None for
    others."""
    asked = _ASKED.match(payload, 0, _NAME_LIMIT)
    if asked is None:
        return None
    agent = _AGENT.search(payload)
    serial = _SERIAL.search(agent[1]) if agent else None
    mac = serial[1].decode().lower() if serial else mac
    updater = agent is not None and _UPDATER in agent[1]
    return _fetch(asked[1] or asked[2], time, capture, frame, host, mac, updater)


def _fetch(name: bytes, time: float, capture: int, frame: int, host: str, mac: str | None,
           updater: bool = False) -> Start | None:
    file = _FILE.match(name.decode("latin-1").lower())
    if file is None:
        return None
    return Start(time, capture, frame, StartKind.UPDATER if updater else StartKind.FILE, host, file[1] or mac)
