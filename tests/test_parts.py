"""Messages that one process sends to another in parts arrive with the same meaning, whatever they are, and within
bounds."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from sipaudit.run import apart
from sipaudit.run.apart import Apart
from sipaudit.run.packing import Packer, Unpacker
from sipaudit.sip.datagram import Datagram, Item, flow
from sipaudit.sip.forms import Repeat
from sipaudit.sip.message import Request, Response
from sipaudit.sip.parse import Parser, parse
from tests.sip.known_forms import renewed
from tests.sip.memory import remembered
from tests.sip.usual_messages import USUAL, changed

FLOW = flow("udp", "10.1.0.5", 5060, "192.0.2.10", 5060)
CALL = USUAL["INVITE"]
ALL = [
    *USUAL.values(),
    USUAL["REGISTER"].replace(b"User-Agent: ", b"Event: dialog\r\nRoute: <sip:192.0.2.9;lr>\r\nUser-Agent: "),
    USUAL["200"].replace(b"200 OK", b"423 Interval Too Brief").replace(
        b"Contact: ", b"Server: s\r\nMin-Expires: 60\r\nRetry-After: 5\r\nContact: "),
]
"""Together they have everything that a message sent in parts may contain."""


def datagrams(payloads: list[bytes]) -> list[Item]:
    return [Datagram(float(number), 0, number + 1, FLOW, payload) for number, payload in enumerate(payloads)]


def as_calls(payload: bytes) -> bytes:
    """A usual message, with a method for which there are no forms."""
    return payload.replace(b"REGISTER", b"OPTIONS")



@pytest.mark.parametrize("kept", [16, apart.PARTS_KEPT])
@pytest.mark.parametrize("payloads", [False, True])
def test_messages_changed_anywhere_arrive_as_they_are_read(
    payloads: bool, kept: int, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apart, "PARTS_KEPT", kept)
    chance, none = random.Random(3261), Parser(0)
    packer, unpacker = Packer(payloads=payloads), Unpacker(payloads=payloads)
    roads: Counter[bool] = Counter()
    read = packer._apart.read
    for _ in range(400):
        sent = datagrams([as_calls(changed(chance.choice(ALL), chance)) for _ in range(8)])
        came = unpacker.unpack(packer.pack(sent, reading=True))
        for item, (arrived, message, _) in zip(sent, came, strict=True):
            assert isinstance(item, Datagram)
            assert isinstance(arrived, Datagram)
            assert message == none.parse(item.payload), item.payload
            assert (arrived.time, arrived.frame, arrived.flow) == (item.time, item.frame, FLOW)
            assert arrived.payload == (item.payload if payloads else b"")
            roads[type(read(item.payload)) is tuple] += 1
    assert min(roads.values()) > 400, "in parts and whole"


def test_all_kinds_of_messages_keep_their_order() -> None:
    """Messages in parts, by form, whole, cut off and in several packets."""
    register, call = USUAL["REGISTER"], as_calls(USUAL["200"])
    packer, unpacker = Packer(payloads=False), Unpacker(payloads=False)
    by_form = 0
    for number in range(6):
        new = b"%04d" % number
        sent = datagrams([
            CALL.replace(b"2b4f", new), register.replace(b"2b4f", new), call.replace(b"2b4f", new), b"no message",
            CALL.replace(b"Contact: ", b"Contact: ,"), call.replace(b"2b4f", new)])
        sent[2:2] = [Datagram(9.0, 0, 9, FLOW, CALL, (8, 9)), Datagram(9.0, 0, 9, FLOW, CALL, (), cut=True)]
        for item, (arrived, message, _) in zip(sent, unpacker.unpack(packer.pack(sent, reading=True)), strict=True):
            assert isinstance(item, Datagram)
            expected = Parser(0).parse(item.payload)
            if isinstance(arrived, Repeat):
                by_form += 1
                assert arrived.datagram() == item
            else:
                assert isinstance(arrived, Datagram)
                assert message == expected
                assert (arrived.frames, arrived.cut) == (item.frames, item.cut)
    assert by_form == 5


def test_what_is_said_again_is_the_same_object() -> None:
    """Whether the message has the usual order of headers or another one."""
    lines = CALL.split(b"\r\n")
    lines[1:6] = lines[2:6] + lines[1:2]
    packer, unpacker = Packer(payloads=False), Unpacker(payloads=False)
    for payload in (CALL, b"\r\n".join(lines)):
        messages = [message for _ in range(2)
                    for _, message, _ in unpacker.unpack(packer.pack(datagrams([payload] * 2), reading=True))]
        read = [message for message in messages if isinstance(message, Request | Response)]
        assert len(read) == 4
        assert len({id(message.from_) for message in read}) == 1
        assert len({id(message.call_id) for message in read}) == 1


def test_what_is_remembered_of_lines_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "PARTS_KEPT", 60)
    parser, most = Apart(), 0
    for number in range(200):
        parser.turn()
        new = b"%d" % number
        for old in (b"1002@", b"2b4f", b"A1B2", b"1001@pbx.example.com>;", b"e9f8", b"sip:1001@pbx.example.com>\r"):
            parser.read(CALL.replace(old, new + old, 1))
        assert sum(map(len, parser._kinds)) <= 60 + 6 * 9
        most = max(most, *map(len, remembered(parser)))
    assert 60 < most <= 60 + 6 * 9


def test_so_are_lines_of_messages_that_are_wanted_whole_and_have_no_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An oddity in a REGISTER makes it go whole: nothing in it gets a number."""
    monkeypatch.setattr(apart, "PARTS_KEPT", 60)
    packer, most = Packer(payloads=False), 0
    for number in range(200):
        packer.pack(datagrams([USUAL["REGISTER"].replace(b"CSeq: 7", b"CSeq: %d" % number) + b"more"]), reading=True)
        most = max(most, *map(len, remembered(packer._apart)))
    assert most == 60 + 1


def test_a_long_front_is_not_remembered() -> None:
    parser = Apart()
    assert isinstance(parser.read(CALL.replace(b'"1001"', b'"%s"' % (b"a" * 600))), Request)
    assert all(len(line) < apart.LONGEST_FRONT for line in parser._fronts)


@pytest.mark.parametrize("other", [b"m: <sip:2@h>\r\n", b"CONTACT: <sip:2@h>\r\n", b"Contact: <sip:2@h>\r\n"])
def test_contacts_in_two_lines_are_all_read(other: bytes) -> None:
    """However the header names are written, and although each line was parsed before."""
    alone = CALL.replace(b"Contact: <sip:1001@10.1.0.5>\r\n", other)
    both = CALL.replace(b"User-Agent: ", other + b"User-Agent: ")
    packer, unpacker, parser = Packer(payloads=False), Unpacker(payloads=False), Parser()
    came = unpacker.unpack(packer.pack(datagrams([alone, CALL, both]), reading=True))
    for payload, (_, message, _) in zip((alone, CALL, both), came, strict=True):
        assert message == parser.parse(payload) == Parser(0).parse(payload)
    _, last, _ = came[2]
    assert isinstance(last, Request)
    assert len(last.contacts) == 2


@pytest.mark.parametrize("size", [1, 3, 16, 1000])
def test_a_form_is_told_by_where_it_was_learnt_though_it_changes_in_the_same_run(size: int) -> None:
    """The CSeq gains a digit, and a message of the same length has its fields at other offsets; and some runs are
    parsed by the following process itself."""
    one = USUAL["REGISTER"]
    other = one.replace(b"1001", b"uu").replace(b"e9f8a7-", b"e9f8a7-" + b"x" * 10)
    assert len(one) == len(other)
    sent = datagrams([renewed(message.replace(b"CSeq: 7", b"CSeq: %d" % count))
                      for count in (8, 9, 10, 11, 99, 100) for message in (one, one, other, other)])
    packer, unpacker = Packer(payloads=False), Unpacker(payloads=False)
    for number, at in enumerate(range(0, len(sent), size)):
        run = sent[at:at + size]
        arrived = unpacker.unpack(packer.pack(run, reading=number % 3 != 2))
        for item, (came, message, form) in zip(run, arrived, strict=True):
            assert isinstance(item, Datagram)
            read = parse(item.payload)
            assert isinstance(read, Request)
            if isinstance(came, Repeat):
                assert (came.branch, came.cseq) == (read.via.branch, read.cseq.number)
                continue
            assert message == read
            if form is not None and form.layout.length == len(item.payload):
                assert form.layout.variables(item.payload)[3].decode() == read.from_.tag
