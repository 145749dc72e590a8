"""A message of a known form is what the parser would have read, however it was changed; usual messages match one."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.sip import forms
from sipaudit.sip.datagram import Datagram, flow
from tests.shared import SAMPLES
from tests.sip.known_forms import Reading, renewed
from tests.sip.usual_messages import PROOF, USUAL, changed

REPEATED = {name: message for name, message in USUAL.items() if name != "INVITE"}


@pytest.mark.parametrize("name", REPEATED)
def test_what_is_new_in_every_message_is_not_parsed_for(name: str) -> None:
    reading = Reading().read([USUAL[name], renewed(USUAL[name]), USUAL[name]])
    assert (reading.parsed, reading.repeats) == (1, 2)


@pytest.mark.parametrize("name", REPEATED)
def test_a_count_that_grows_by_a_digit_is_no_other_form(name: str) -> None:
    counted = [USUAL[name].replace(b"CSeq: 7", b"CSeq: %d" % number) for number in (9, 10, 99, 100, 99999, 999999999)]
    reading = Reading().read(counted[:4])
    assert (reading.parsed, reading.repeats) == (1, 3)
    assert reading.read(counted[3:]).parsed == 1 + 2   # growth by more than one digit makes another form
    assert Reading().read([counted[-1], counted[-1].replace(b"CSeq: ", b"CSeq: 9")]).repeats == 0


def test_a_count_may_begin_with_zeros() -> None:
    zeros = USUAL["401"].replace(b"CSeq: 7", b"CSeq: 07")
    assert Reading().read([zeros, zeros.replace(b"07", b"08"), zeros.replace(b"07", b"10")]).repeats == 2


@pytest.mark.parametrize("name", REPEATED)
def test_a_message_that_differs_in_anything_else_is_read(name: str) -> None:
    message = USUAL[name]
    others = [message.replace(old, new) for old, new in (
        (b"1001@pbx", b"1002@pbx"), (b"10.1.0.5:", b"10.1.0.6:"), (b"e9f8a7", b"e9f8a8"), (b"Phone/1.0", b"Phone/1.1"),
        (b"REGISTER\r", b"OPTIONSX\r"), (b"z9hG4bK2b4fae2e", b"z9hG4bK2b4,ae2e"), (b"A1B2-C3", b'A1B2"C3'),
        (b"f00", b'f"0'), (b"f00", b"f\\0"), (b"beef", b'be"f'), (b"beef", b"b\r\nf"), (b"CSeq: 7", b"CSeq: x"),
        (b"branch=", b"Branch="), (b"Via: ", b"via: "), (b"2b4fae2e", b"2b4f;e2e"), (b"A1B2-C3", b"A1B2;C3"),
    ) if old in message]
    for other in others:
        assert Reading().read([message, other]).repeats == 0, other


def test_the_same_bytes_on_another_flow_are_another_form() -> None:
    reading = Reading().read([USUAL["200"]])
    other = flow("udp", "10.1.0.5", 5060, "10.0.0.2", 5060)
    assert reading.read([USUAL["200"]], other).repeats == 0
    assert reading.read([USUAL["200"]], other).repeats == 1


@pytest.mark.parametrize(("old", "new"), [
    (b"REGISTER", b"OPTIONS"), (b"CSeq: 7", b"CSeq: 4294967295"), (b"Via: ", b"v: "),
    (b"UDP 10.1.0.5:5060;branch", b'UDP 10.1.0.5:5060;x=";branch=z9hG4bK2b4fae2e";branch'),
    (b"10.1.0.5:5060;branch=", b"10.1.0.5:5060;Branch=z9hG4bK2b4fae2e, SIP/2.0/UDP 10.1.0.6;branch="),
    (b"tag=A1B2-C3", b"tag=A1B2-C3;x=y"), (b"Content-Length: 0\r\n\r\n", b"Content-Length: 9\r\n\r\n"),
    (b"User-Agent", b"X-Pad: " + b"x" * 5000 + b"\r\nUser-Agent"),
])
def test_what_is_odd_has_no_form(old: bytes, new: bytes) -> None:
    odd = USUAL["REGISTER"].replace(old, new)
    assert Reading().read([odd] * 3).parsed == 3


@pytest.mark.parametrize("proof", [
    PROOF.replace(b'nonce="', b'cnonce="f00", nonce="'), PROOF + PROOF.replace(b"f00", b"f01"),
    PROOF.replace(b'nonce="f00"', b'nonce="f00", nc=00000001, cnonce="ab"'), PROOF.replace(b"pbx", b'x nonce='),
])
def test_credentials_of_any_order_are_read_right(proof: bytes) -> None:
    message = USUAL["with credentials"].replace(PROOF, proof)
    reading = Reading()
    for old in (b"f00", b"f01", b"ab", b"beef", b"00000001"):
        for at in range(message.count(old)):
            parts = message.split(old)
            reading.read([message, old.join(parts[:at + 1]) + old[::-1] + old.join(parts[at + 1:]), renewed(message)])


def test_a_message_changed_anywhere_is_never_taken_for_what_it_is_not() -> None:
    chance = random.Random(17131)
    reading = Reading()
    for _ in range(20_000):
        message = USUAL[chance.choice(list(USUAL))]
        reading.read([changed(message, chance) if chance.random() < 0.7 else renewed(message)])
    assert reading.repeats > 4_000


def captured() -> Iterator[tuple[str, list[Datagram]]]:
    for path in SAMPLES:
        yield path.parent.name, [item for item in Captures(resolve((str(path),)).files) if isinstance(item, Datagram)]


def test_captured_messages_are_what_they_are_taken_for() -> None:
    reading = Reading(100_000)
    for _, items in captured():
        reading.follow(items)
    assert reading.repeats > 500


def test_all_forms_are_forgotten_when_there_are_too_many() -> None:
    reading = Reading(limit=3)
    for phone in range(5):
        reading.read([USUAL["REGISTER"], USUAL["401"]], flow("udp", f"10.1.0.{phone}", 5060, "10.0.0.1", 5060))
    assert len(reading._forms._forms) <= 4
    assert reading.read([USUAL["200"]] * 2).repeats == 0   # five phones were learnt in vain, so learning pauses


def test_layouts_and_shapes_are_no_more_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of ever-changing lengths make a layout each, and also a shape each, even where the lengths of two names add
    up to the same and every variable stays at its place."""
    monkeypatch.setattr(forms, "LAYOUTS_KEPT", 20)
    reading = Reading()
    for server, host in [*((size, 30 - size) for size in range(1, 30)), *((5, size) for size in range(1, 30))]:
        message = USUAL["REGISTER"].replace(b"sip:pbx.", b"sip:%b." % (b"p" * server), 1)
        reading.read([message.replace(b"UDP 10.1.0.5", b"UDP " + b"h" * host, 1)] * 2)
    kept = reading._forms
    assert 0 < len(kept._known) <= 20
    assert 0 < len(kept._shapes) <= 20


def test_who_repeats_is_known_again_soon_after_all_was_forgotten() -> None:
    reading = Reading(limit=3)
    for phone in range(4):
        on = flow("udp", f"10.1.0.{phone}", 5060, "10.0.0.1", 5060)
        reading.read([USUAL["REGISTER"]] * 3, on)
    assert (reading.parsed, reading.repeats) == (4 + 1, 8 - 1)   # the fourth exceeded the limit
