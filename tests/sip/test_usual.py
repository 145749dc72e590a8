"""The fast way for usual messages gives the same as the general one, whatever was changed, and usual ones take it."""

from __future__ import annotations

import random

import pytest

from sipaudit.sip.message import Message
from sipaudit.sip.parse import Parser
from tests.sip.usual_messages import USUAL, changed


class Noting(Parser):
    """A parser that notes which messages it read line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.general: list[bytes] = []

    def parse_lines(self, payload: bytes) -> Message:
        self.general.append(payload)
        return super().parse_lines(payload)


@pytest.mark.parametrize("name", USUAL)
def test_a_usual_message_is_read_without_a_look_at_every_line(name: str) -> None:
    parser = Noting()
    first = parser.parse(USUAL[name])
    parser.general.clear()
    new = USUAL[name].replace(b"2b4fae2e", b"99").replace(b"A1B2", b"77").replace(b"f00", b"b").replace(b": 7", b": 8")
    assert parser.parse(USUAL[name]) == first == Parser(0).parse(USUAL[name])
    assert parser.parse(new) == Parser(0).parse(new) != first
    assert parser.general == []


@pytest.mark.parametrize("line", [b"Contact: \r<sip:1001@10.1.0.5>", b"Contact: <sip:1001@10.1.0.5>\r",
                                  b"Contact: \n<sip:1001@10.1.0.5>", b"Contact: <sip:1001@10.1.0.5>\n"])
def test_half_a_line_end_beside_a_contact_is_no_space(line: bytes) -> None:
    odd = USUAL["REGISTER"].replace(b"Contact: <sip:1001@10.1.0.5>", line)
    assert Parser().parse(odd) == Parser(0).parse(odd)
    assert "bare-line-end" in Parser().parse(odd).defects


def test_a_message_changed_anywhere_is_read_as_without_memory() -> None:
    chance = random.Random(3261)
    parser, none = Noting(), Parser(0)
    tried = 6000
    for _ in range(tried):
        data = changed(chance.choice(list(USUAL.values())), chance)
        expected = none.parse(data)
        assert parser.parse(data) == parser.parse(data) == expected, data
    assert 0.1 < len(parser.general) / (2 * tried) < 0.9, "both ways are tried"
