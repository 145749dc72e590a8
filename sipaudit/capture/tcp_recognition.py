"""Recognises what a TCP connection carries by its first bytes, not by its ports."""

from __future__ import annotations

from sipaudit.capture.tcp_connections import Content
from sipaudit.capture.tls import is_client_hello, is_record, may_begin_hello
from sipaudit.capture.websocket import HEAD_LIMIT, asks_for_sip, head_length
from sipaudit.sip.framing import looks_like_sip

OPENING_LIMIT = 2048
_HTTP_LINE = (b" HTTP/1.1\r", b" HTTP/1.0\r")


def recognise(opening: bytes | bytearray, on_sip_port: bool) -> Content | None:
    """The content that the first bytes of one direction show; None if more of them are needed.

    On a port where SIP is expected, a stream not recognised as anything else is taken for SIP joined in the middle.
    """
    if looks_like_sip(opening):
        return Content.SIP
    if is_client_hello(opening):
        return Content.TLS
    if on_sip_port and is_record(opening):
        return None if may_begin_hello(opening) else Content.TLS
    text = opening.lstrip(b"\r\n")
    line_end = text.find(b"\n")
    if line_end < 0:
        return _unfinished(opening, on_sip_port)
    if text.startswith(b"HTTP/1.") or text.endswith(_HTTP_LINE, 0, line_end):
        return _http(text)
    return Content.SIP if on_sip_port else Content.OTHER


def _unfinished(opening: bytes | bytearray, on_sip_port: bool) -> Content | None:
    """The content while no line is complete: None as long as it may become a start line, or the header of a TLS record
    (five bytes)."""
    is_text = opening.isascii() and 0 not in opening
    if len(opening) <= (OPENING_LIMIT if is_text and opening[0] >= 10 else 5):
        return None
    return Content.SIP if on_sip_port else Content.OTHER


def _http(text: bytes | bytearray) -> Content | None:
    """WEBSOCKET for a request for the `sip` subprotocol, OTHER for other HTTP; None while the head is incomplete."""
    if not text.startswith(b"GET "):
        return Content.OTHER
    if not head_length(text) and len(text) <= HEAD_LIMIT:
        return None
    return Content.WEBSOCKET if asks_for_sip(text) else Content.OTHER
