"""Values that many messages have in common are one object, even if another process has parsed them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.captures import SIP
from sipaudit.pipeline import Job
from sipaudit.reconstruct.phones import Line
from sipaudit.reconstruct.wording import Answering
from sipaudit.run.ahead import batches_of
from sipaudit.run.packing import Packer, Unpacker
from sipaudit.run.run import Run
from sipaudit.sip.forms import Form

FLEET = replace(SIP, phones=5, rounds=2)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Line], list[Form]]:
    """The lines of a small fleet whose messages were packed as by another process, and their forms."""
    capture = tmp_path_factory.mktemp("fleet") / "capture.pcap"
    FLEET.write(capture)
    run = Run(Job((str(capture),), site=str(FLEET.site), jobs=1), print)
    packer, unpacker = Packer(payloads=False), Unpacker(payloads=False)
    for part in batches_of(run.reading.captures):
        for told in unpacker.unpack(packer.pack(part, reading=True)):
            run.follow(*told)
    return list(run.reconstruction.lines.values()), unpacker._told


def test_texts_and_numbers_of_a_line_are_one(followed: tuple[list[Line], list[Form]]) -> None:
    lines, _ = followed
    assert len(lines) == FLEET.phones
    for line in lines:
        assert line.uri is not None
        assert line.address is not None
        uri, contact, first = line.uri, line.address.uri, lines[0]
        assert uri.user is contact.user is line.user is line.contact_user
        assert contact.host is line.contact_host is line.owner.host
        assert uri.host is line.domain is first.domain
        assert uri.scheme is contact.scheme
        assert first.address is not None
        assert contact.port is first.address.uri.port


def test_both_registers_of_a_renewal_say_the_same_and_all_answers_are_alike(followed: tuple[list[Line], list[Form]]
                                                                            ) -> None:
    lines, forms = followed
    assert len(forms) == 4 * len(lines)
    said = {id(line.said) for line in lines}
    assert {id(form.request or form.known) for form in forms} == said
    answers = [form.known for form in forms if form.request is not None]
    assert len(answers) == 2 * len(lines)
    assert all(isinstance(answer, Answering) for answer in answers)
    assert len(set(map(id, answers))) == 2
