"""What one process sends to the other arrives unchanged, within bounds, and without waiting."""

from __future__ import annotations

import os
import random
import threading
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.run import apart, packing, pipe
from sipaudit.run.ahead import batches_of, parsed
from sipaudit.run.packing import Packer, Unpacker
from sipaudit.sip.datagram import Datagram
from sipaudit.sip.forms import Forms, Repeat
from sipaudit.sip.message import Request, Response
from tests.frames import mutated
from tests.shared import CORPORA, ROOT, SAMPLES
from tests.sip.known_forms import PHONE
from tests.sip.usual_messages import USUAL

FEW = 8   # forms
OUTAGE = ROOT / "samples/three-servers/capture.pcap"


@pytest.mark.parametrize("capture", [*SAMPLES, *CORPORA], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_damaged_messages_arrive_as_they_were(capture: Path) -> None:
    chance = random.Random(f"20261126 {capture.name}")
    items = [item for item in Captures(resolve((str(capture),)).files) if isinstance(item, Datagram)][:400]
    packets = [(item.time, item.payload) for item in items]
    damaged = [replace(item, payload=mutated(item.payload, packets, chance)) for item in items]
    assert Unpacker(payloads=True).unpack(Packer(payloads=True).pack(damaged, reading=True)) == parsed(damaged)


def test_flows_are_one_object_each_and_numbered_anew_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "FLOWS_KEPT", 3)
    batch = next(batches_of(Captures(resolve((str(OUTAGE),)).files)))
    packer, unpacker = Packer(payloads=True), Unpacker(payloads=True)
    for part in (batch[start:start + 8] for start in range(0, len(batch), 8)):
        came = unpacker.unpack(packer.pack(part, reading=True))
        assert came == parsed(part)
        flows = [item.flow for item, *_ in came if isinstance(item, Datagram)]
        assert all((one is other) == (one == other) for one in flows for other in flows)
        assert len(packer._flows) <= 3 + len({id(flow) for flow in flows})


@pytest.mark.parametrize("bound", [{"PARTS_KEPT": 40}, {"BYTES_KEPT": 1000}], ids=str)
def test_parts_of_messages_are_one_object_each_and_numbered_anew_within_bounds(
    bound: dict[str, int], monkeypatch: pytest.MonkeyPatch,
) -> None:
    [(name, most)] = bound.items()
    monkeypatch.setattr(apart, name, most)
    batch = next(batches_of(Captures(resolve((str(OUTAGE),)).files)))
    packer, unpacker = Packer(payloads=True), Unpacker(payloads=True)
    shared = afresh = kept = 0
    for number, part in enumerate(batch[start:start + 8] for start in range(0, len(batch), 8)):
        reading = number % 3 > 0   # otherwise no message has parts, but the parts may be forgotten meanwhile
        came = unpacker.unpack(packer.pack(part, reading=reading))
        assert came == parsed(part)
        said = [message.from_ for _, message, _ in came if isinstance(message, Request | Response)]
        assert not reading or all((one is other) == (one == other) for one in said for other in said)
        shared += reading * (len(said) - len(set(map(id, said))))
        afresh += sum(map(len, packer._apart._kinds)) < kept
        kept = sum(map(len, packer._apart._kinds))
        assert kept <= 40 + 8 * 8
    assert shared > 10
    assert afresh > 2


def test_a_count_that_grows_by_a_digit_in_the_batch_that_first_shows_its_form() -> None:
    register = USUAL["REGISTER"]
    sent = [Datagram(float(count), 0, count, PHONE, register.replace(b"CSeq: 7", b"CSeq: %d" % count))
            for count in range(8, 13)]
    came = Unpacker(payloads=False).unpack(Packer(payloads=False).pack(sent, reading=True))
    assert [type(item) for item, *_ in came] == [Datagram, *[Repeat] * 4]
    assert [item.cseq for item, *_ in came if isinstance(item, Repeat)] == [9, 10, 11, 12]
    assert [item.datagram() for item, *_ in came if isinstance(item, Repeat)] == sent[1:]


def test_messages_of_known_forms_arrive_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever process parses them, and also after all forms were forgotten, as their bound requires."""
    monkeypatch.setattr(packing, "Forms", partial(Forms, limit=FEW))
    batch = next(batches_of(Captures(resolve((str(OUTAGE),)).files)))
    packer, unpacker = Packer(payloads=False), Unpacker(payloads=False)
    repeats = forgotten = told = 0
    for number, part in enumerate([batch[start:start + 16] for start in range(0, len(batch), 16)] * 3):
        for (item, message, form), (sent, read, _) in zip(
            unpacker.unpack(packer.pack(part, reading=number % 4 > 0)), parsed(part), strict=True,
        ):
            if isinstance(item, Repeat):
                repeats += 1
                assert item.datagram() == sent
                assert isinstance(read, Request | Response)
                assert (item.branch, item.cseq) == (read.via.branch, read.cseq.number)
            else:
                assert message == read
                assert form is None or (isinstance(item, Datagram) and form.flow is item.flow)
        assert len(packer._forms._forms) <= FEW + len(part)
        assert len(unpacker._forms._forms) <= FEW + len(part)
        assert len(unpacker._told) <= FEW + len(part)
        forgotten += len(unpacker._told) < told
        told = len(unpacker._told)
    assert repeats > len(batch) / 4
    assert forgotten > 1


def test_who_writes_waits_only_when_too_much_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe, "BEFORE_IT", 3_000_000)
    incoming, outgoing = pipe.pipe()
    writer = pipe.Writer(outgoing)
    pieces = [bytes([number]) * size for number, size in enumerate([0, 1, 2_500_000, 70_000])]
    for piece in pieces:
        writer.send(piece)   # nobody reads
    assert writer.under_way > 2_500_000
    got: list[bytes] = []
    listening = threading.Thread(target=lambda: got.extend(pipe.received(incoming) for _ in range(len(pieces) + 2)))
    listening.start()
    pieces += [b"a" * 4_000_000, b"end"]
    for piece in pieces[-2:]:
        writer.send(piece)
    writer.flush()
    listening.join()
    assert got == pieces
    assert writer.under_way == 0
    os.close(outgoing)
    with pytest.raises(EOFError):
        pipe.received(incoming)
    incoming.close()
