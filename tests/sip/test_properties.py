"""What holds for any bytes, and for any message however it is spelt."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from sipaudit.sip.defects import Defect
from sipaudit.sip.describe import describe
from sipaudit.sip.message import Malformed, Message, Request, Response
from sipaudit.sip.parse import Parser, parse
from tests.shared import needs_captures
from tests.sip.corpus import corpus
from tests.sip.damage import LINES, NOISE, mutate

WORDS = {defect.value for defect in Defect}

MESSAGES = st.lists(st.one_of(LINES, LINES, LINES, NOISE), max_size=20).map(b"\r\n".join)


def check(data: bytes) -> Message:
    """Parse and check: a message of one of the three kinds, its defects from the closed list, its values printable."""
    message = parse(data)
    assert isinstance(message, Request | Response | Malformed)
    assert set(message.defects) <= WORDS
    assert len(set(message.defects)) == len(message.defects)
    repr(message).encode()
    describe(message)
    return message


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    check(data)


@settings(max_examples=500)
@given(MESSAGES)
def test_anything_like_a_message_is_one_or_malformed(data: bytes) -> None:
    check(data)


@settings(max_examples=500)
@given(st.lists(MESSAGES, max_size=4), st.integers(1, 8))
def test_the_memory_changes_no_message(datas: list[bytes], limit: int) -> None:
    """The result is the same without memory, with one that is always full, and with one that knows every line."""
    small, large, none = Parser(limit), Parser(), Parser(0)
    for data in datas:
        expected = none.parse(data)
        assert small.parse(data) == large.parse(data) == large.parse(data) == expected


TOKEN = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=8)
QUOTED = st.text("ab ,;<>=\\\"\t", max_size=8).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
PARAMETER = st.builds("{}={}".format, TOKEN.map("x".__add__), TOKEN | QUOTED) | st.sampled_from(
    ["expires=60", "expires=00", 'expires="60"', 'methods="INVITE, ACK"', "methods=x"])
HOST = st.text("ab", max_size=3).map("h{}.example".format) | st.sampled_from(["10.0.0.1", "255.249.199.99"])
URI = st.builds("sip:{}@{}{}".format, st.text("ab1.+%", min_size=1, max_size=6), HOST, st.sampled_from(
    ["", ":5060", ";transport=tcp", ":5070;lr"]))
ADDRESS = st.builds("{}<{}>{}".format, st.sampled_from(["", "Ann ", '"A, \\"B\\"" ', '"A"']), URI, st.lists(
    PARAMETER, max_size=2, unique_by=lambda text: text.partition("=")[0].lower()).map(
    lambda given: "".join(f";{one}" for one in given)))
HEADERS = st.fixed_dictionaries({
    "Via": st.builds("SIP/2.0/UDP {}{};branch=z9hG4bK{}".format, HOST | st.just("[2001:db8::1]"),
                     st.sampled_from(["", ":5070"]), TOKEN),
    "From": st.builds("{};tag={}".format, ADDRESS, TOKEN),
    "To": ADDRESS,
    "Call-ID": TOKEN,
    "CSeq": st.integers(0, 2**32 - 1).map("{} INVITE".format),
}, optional={
    "Contact": st.lists(ADDRESS, min_size=1, max_size=3).map(", ".join),
    "Event": TOKEN,
    "Expires": st.integers(0, 2**32 - 1).map(str),
    "User-Agent": TOKEN,
    "Content-Length": st.just("0"),
    "Authorization": st.builds('Digest username="{}", realm={}, nonce="{}", x={}'.format, TOKEN, QUOTED, TOKEN, QUOTED),
})
SHORT = {"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Event": "o", "Content-Length": "l"}


def written(lines: list[str]) -> Message:
    return parse("\r\n".join(["INVITE sip:b@h.example SIP/2.0", *lines, "", ""]).encode())


def spelling(change: Callable[[str, str, random.Random], str]) -> Callable[..., None]:
    """A test that changing the spelling of every header, by a seeded generator, changes no value."""

    @given(HEADERS, st.randoms(use_true_random=False))
    def test(headers: dict[str, str], chance: random.Random) -> None:
        plain = written([f"{name}: {value}" for name, value in headers.items()])
        assert isinstance(plain, Request)
        assert plain.defects == ()
        assert written([change(name, value, chance) for name, value in headers.items()]) == plain

    return test


APART = re.compile(r'"(?:[^"\\]|\\.)*"|<[^>]*>|\[[^]]*\]|[;,=/:]| ')   # separators, and text that may hold some


def spaced(value: str, chance: random.Random) -> str:
    """White space added round separators, and other white space where there is some (RFC 3261 25.1: SEMI, COMMA, EQUAL,
    SLASH, COLON, LWS)."""
    def blank(*least: str) -> str:
        return chance.choice((*least, " ", "\t", "  ", "\r\n ", " \r\n\t"))

    def apart(found: re.Match[str]) -> str:
        if found[0] == " ":
            return blank()
        return found[0] if len(found[0]) > 1 else blank("", "") + found[0] + blank("", "")

    return APART.sub(apart, value)


test_the_compact_form_changes_nothing = spelling(lambda name, value, _: f"{SHORT.get(name, name)}: {value}")
test_the_case_of_names_changes_nothing = spelling(
    lambda name, value, chance: f"{''.join(chance.choice((c.upper(), c.lower())) for c in name)}: {value}"
)
test_white_space_round_the_colon_changes_nothing = spelling(
    lambda name, value, chance: f"{name}{chance.choice(('', ' ', chr(9)))}:{chance.choice(('', '   ', chr(9)))}{value} "
)
test_folding_after_the_colon_changes_nothing = spelling(
    lambda name, value, chance: f"{name}:{chance.choice(('', ' '))}\r\n{chance.choice((' ', chr(9)))}{value}"
)
test_white_space_wherever_it_may_stand_changes_nothing = spelling(
    lambda name, value, chance: f"{name}: {spaced(value, chance)}"
)


# "SIP:" is no usual spelling, so the general way reads it.
test_the_short_way_for_usual_addresses_and_the_general_one_agree = spelling(
    lambda name, value, _: f"{name}: {value.replace('sip:', 'SIP:')}"
)


@given(HEADERS, st.randoms(use_true_random=False))
def test_the_order_of_headers_changes_nothing(headers: dict[str, str], chance: random.Random) -> None:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    plain = written(lines)
    chance.shuffle(lines)
    assert written(lines) == plain


@given(st.lists(ADDRESS, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_contacts_in_one_header_or_in_several_are_the_same(contacts: list[str], chance: random.Random) -> None:
    base = ["Via: SIP/2.0/UDP h", "From: <sip:a@h>", "To: <sip:a@h>", "Call-ID: c", "CSeq: 1 INVITE"]
    listed = f"Contact: {', '.join(contacts)}"
    apart = listed
    for place in [i for i in range(len(contacts) - 1) if chance.random() < 0.5]:
        apart = apart.replace(f"{contacts[place]}, {contacts[place + 1]}", f"{contacts[place]}\r\nContact: "
                              f"{contacts[place + 1]}", 1)
    assert written([*base, apart]) == written([*base, listed])


@needs_captures
def test_mutated_messages_of_all_corpora_are_messages_or_malformed() -> None:
    """Bits flipped, pieces cut out, pieces of other messages inserted; the memory is full of earlier messages."""
    chance = random.Random(4475)
    datas = list(corpus().values())
    for _ in range(6000):
        data = bytearray(chance.choice(datas))
        for _ in range(chance.randint(1, 6)):
            mutate(data, chance, datas)
        assert check(bytes(data)) == Parser(0).parse(bytes(data))


