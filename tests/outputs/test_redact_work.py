"""Hiding a message costs no more than its length: times of growing inputs are compared."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sipaudit.report.redact import Pseudonyms
from sipaudit.report.redact_message import MessageRedaction
from sipaudit.report.redact_report import Redaction

HEAD = b"INVITE sip:b@h SIP/2.0\r\n"
SMALL, LARGE = 8_000, 64_000   # bytes
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "a long name in credentials": lambda n: HEAD + b"Authorization: Digest " + b"a" * n,
    "names in credentials": lambda n: HEAD + b"Authorization: Digest " + b"a " * (n // 2),
    "quotes in credentials": lambda n: HEAD + b"Authorization: Digest " + b'a="' * (n // 3),
    "a long number": lambda n: HEAD + b"Contact: <sip:" + b"1" * n + b"x@h>",
    "numbers without a digit": lambda n: HEAD + b"Contact: <sip:" + b"*" * n + b"@h>",
    "a long host": lambda n: HEAD + b"Contact: <sip:a@" + b"a." * (n // 2) + b">",
    "members": lambda n: HEAD + b"Contact: " + b"a," * (n // 2),
    "quotes": lambda n: HEAD + b"Contact: " + b'"\\"' * (n // 3),
    "brackets": lambda n: HEAD + b"Contact: " + b"<" * n,
    "parameters": lambda n: HEAD + b"Contact: <sip:a@b>" + b";a=" * (n // 3),
    "a Via of spaces": lambda n: HEAD + b"Via: SIP/2.0/UDP" + b" " * n,
    "folds": lambda n: HEAD + b"Contact: x" + b"\r\n y" * (n // 4),
    "lines of a session": lambda n: HEAD + b"Content-Type: application/sdp\r\n\r\n" + b"c=IN IP4 a\r\n" * (n // 12),
    "a start line": lambda n: b"INVITE " + b"1" * n + b" SIP/2.0",
}


def seconds(payload: bytes) -> float:
    hiding = MessageRedaction(Redaction(Pseudonyms(bytes(32))))
    begun = time.process_time()
    hiding.text(payload)
    return time.process_time() - begun


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_message_eight_times_as_long_takes_about_eight_times_as_long(kind: str) -> None:
    """Quadratic work would take 64 times as long."""
    small, large = (min(seconds(HOSTILE[kind](size)) for _ in range(3)) for size in (SMALL, LARGE))
    assert large < LARGE / SMALL * small * 3 + 0.01
