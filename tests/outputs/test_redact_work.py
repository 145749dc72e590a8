"""The cost of redacting a message is linear in its length: times of growing inputs are compared."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sipaudit.report.named_in import named_in
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


WORDS: dict[str, str] = {
    "letters": "a", "digits": "1", "a long address": "1.2.", "dots": "a.", "what is nearly a file": "a.pca",
    "colons": "0:", "brackets": "[a:", "files": "a.pcap/", "behind a file": "a.pcap.",
}


@pytest.mark.parametrize("word", WORDS)
def test_a_sentence_eight_times_as_long_takes_about_eight_times_as_long(word: str) -> None:
    """All of it is one word: a search for a file name from each of its letters would take 64 times as long."""
    hiding = Redaction(Pseudonyms(bytes(32)))

    def seconds_of(size: int) -> float:
        begun = time.process_time()
        hiding.sentence((WORDS[word] * size)[:size])
        return time.process_time() - begun

    small, large = (min(seconds_of(size) for _ in range(3)) for size in (SMALL // 4, LARGE // 4))
    assert large < LARGE / SMALL * small * 3 + 0.01


@pytest.mark.parametrize(("sentence", "kinds"), [
    ("in a/b.pcap.gz, frame 3", "path"), ("10.0.0.1/x.pcap", "address path"), ("x/10.0.0.1.pcap", "path"),
    ("sip:a@b;x.cfg", "uri path"), ("(site.yaml:3)", "path"), ("a.pcap/b", "path"),
    ("no.pcapx 00:11:22:33:44:55", "mac"),
])
def test_a_file_begins_with_its_word_or_behind_what_else_that_names(sentence: str, kinds: str) -> None:
    assert " ".join(str(kind) for _, _, kind in named_in(sentence)) == kinds


@pytest.mark.parametrize("name", [
    "00:11:22:33:44:55", "00-11-22-33-44-55", "001122334455", "10.1.2.3", "fe80::1:2", "2001:db8:1:2:3:4:5:6",
    "ab:cd:ef:01:23:45:67:89", "::ffff:10.1.2.3", "[2001:db8::5]",
])
@pytest.mark.parametrize("sentence", ["{}", "phone {}: silent", "({})", "{}, and", "at {}.", "={}", "of {}/udp"])
def test_an_address_in_a_sentence_is_hidden_whatever_stands_beside_it(name: str, sentence: str) -> None:
    hiding = Redaction(Pseudonyms(bytes(32)))
    hidden = hiding.names.mac(name) if is_mac(name) else hiding.names.host(name)
    assert hiding.sentence(sentence.format(name)) == sentence.format(hidden)


def is_mac(name: str) -> bool:
    return len(name.replace(":", "").replace("-", "")) == 12 and "." not in name


@pytest.mark.parametrize("sentence", ["at 12:03:04", "12:03:04: over", "1:2:3:4:5", "frame 3: 200", "a:b:c"])
def test_what_is_no_address_stays(sentence: str) -> None:
    assert Redaction(Pseudonyms(bytes(32))).sentence(sentence) == sentence
