"""Several phones at one address that look alike: what one does is no evidence about the other."""

from __future__ import annotations

import pytest

from tests.stories import Court, Handset, P, S, Story
from tests.traps.ground import accused, handset, minute, returns

BEHIND = "203.0.113.9"
any_transport = pytest.mark.parametrize("transport", ["udp", "tcp"])


def two(first: int, second: int, transport: str = "udp") -> tuple[Handset, Handset]:
    """Two lines behind a NAT, with one private address and these public ports; they find P silent, one after the other.
    The first is in a call from 350 on."""
    story = Story()
    lines = [handset(story, user=user, place=(BEHIND, port), contact=f"sip:{user}@192.168.1.10", transport=transport)
             for user, port in (("1001", first), ("1002", second))]
    for number, line in enumerate(lines):
        line.register(20 + number)
        line.fail_over(300 + 12 * number)
    asked = lines[0].ask(350, S, "INVITE")
    lines[0].told(351, asked, 200, headers="Contact: <sip:2000@10.0.0.2>\r\n")
    lines[0].acknowledge(351.1, asked)
    lines[0].register(370, S)
    lines[1].register(371, S)
    returns(lines[1], "R2", 382)
    lines[0].hang_up(420, asked)
    returns(lines[0], "R2", 421)
    return lines[0], lines[1]


@any_transport
@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_two_phones_with_one_private_address_behind_one_nat(court: Court, regime: str, transport: str) -> None:
    """A carrier's NAT: towards one server each phone has its own port or connection, and their packets alternate."""
    assert accused(court(two(20001, 20002, transport)[0].story, minute(regime))) == []


@any_transport
@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_two_lines_of_one_phone_behind_a_nat(court: Court, regime: str, transport: str) -> None:
    found = accused(court(two(20001, 20001, transport)[0].story, minute(regime)))
    assert [said.split()[1] for said in found] == ["failback-during-call"]


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_two_lines_of_one_phone_whose_nat_forgot_its_port(court: Court, regime: str) -> None:
    """From then on both lines have the new port."""
    story = Story()
    lines = [handset(story, user=user, place=(BEHIND, 20001), contact=f"sip:{user}@192.168.1.10")
             for user in ("1001", "1002")]
    for number, line in enumerate(lines):
        line.place = (BEHIND, 20009)
        line.register(100 + number)
        line.fail_over(300 + 12 * number)
    asked = lines[0].ask(350, S, "INVITE")
    lines[0].told(351, asked, 200, headers="Contact: <sip:2000@10.0.0.2>\r\n")
    lines[0].acknowledge(351.1, asked)
    returns(lines[1], "R2", 382)
    lines[0].hang_up(420, asked)
    found = accused(court(story, minute(regime)))
    assert [said.split()[1] for said in found] == ["failback-during-call"]


def beside_a_call(court: Court, regime: str, ports: tuple[int, int], comes: str) -> list[str]:
    """Two lines with one private address behind a NAT. The first registers once, moves to S, and is in a call there
    from 305 to 420; meanwhile the second comes to S, as it may, and goes back."""
    story = Story()
    lines = [Handset(story, user=user, place=(BEHIND, port), contact=f"sip:{user}@192.168.1.10")
             for user, port in zip(("1001", "1002"), ports, strict=True)]
    first, second = lines
    first.register(0)
    if comes == "moves":
        second.register(-1)
    time = first.register(first.silence(300), S)
    asked = first.ask(time, S, "INVITE")
    first.told(time + 1, asked, 200, headers="Contact: <sip:2000@10.0.0.2>\r\n")
    first.acknowledge(time + 1.1, asked)
    if comes == "moves":
        second.fail_over(312)
    else:
        second.register(312 if comes == "appears" else second.silence(312, P, "REGISTER"), S)
    if comes == "both ask again":
        for number, line in enumerate(lines):
            line.place = (BEHIND, 20009)
            line.register(340 + number, S)
    returns(second, regime, 382)
    first.hang_up(420, asked)
    return [said.split()[1] for said in accused(court(story, minute(regime)))]


@pytest.mark.parametrize("comes", ["appears", "fails", "moves"])
@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_two_phones_with_one_private_address_that_hardly_speak(court: Court, regime: str, comes: str) -> None:
    """Each registers once, from its own port, so that their packets do not even alternate to tell them apart."""
    assert beside_a_call(court, regime, (20001, 20002), comes) == []
    assert beside_a_call(court, regime, (20001, 20001), comes) == ["failback-during-call"]


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_one_phone_whose_nat_forgot_its_port_between_its_lines(court: Court, regime: str) -> None:
    """Both lines register again from one port, which shows that it is one phone."""
    assert beside_a_call(court, regime, (20001, 20002), "both ask again") == ["failback-during-call"]


@pytest.mark.parametrize("port", [20001, 20002])
@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_shared_line_behind_one_nat(court: Court, regime: str, port: int) -> None:
    """Two phones have one AOR and one private address. A border controller gives both one port, NATs give each its own.
    The first phone is in a call when the second returns."""
    first, second = sharing(port)
    for number, phone in enumerate((first, second)):
        phone.register(0)
        phone.register(20 + number)
        phone.fail_over(300 + 12 * number)
    assert accused_when_one_returns(court, first, second, regime) == []


def accused_when_one_returns(court: Court, first: Handset, second: Handset, regime: str) -> list[str]:
    """The second returns while the first is in a call; the first returns after it."""
    asked = first.ask(350, S, "INVITE")
    first.told(351, asked, 200, headers="Contact: <sip:2000@10.0.0.2>\r\n")
    first.acknowledge(351.1, asked)
    returns(second, regime, 382)
    first.hang_up(420, asked)
    returns(first, regime, 421)
    return accused(court(first.story, minute(regime)))


def sharing(port: int = 20001) -> tuple[Handset, Handset]:
    """Two phones of one shared line; if they have one port, only the Call-IDs of their REGISTERs tell them apart."""
    story = Story()
    first, second = (Handset(story, place=(BEHIND, own), contact="sip:1001@192.168.1.10", registration=call_id)
                     for own, call_id in ((20001, "a@192.168.1.10"), (port, "b@192.168.1.10")))
    second.calls = 50
    return first, second


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_shared_line_behind_one_nat_whose_phones_register_in_turns_at_the_secondary_only(court: Court, regime: str
                                                                                             ) -> None:
    first, second = sharing()
    first.register(0)
    second.register(0)
    first.fail_over(300)
    second.fail_over(312)
    assert accused_when_one_returns(court, first, second, regime) == []


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_shared_line_behind_one_nat_whose_phones_register_once_at_each_server(court: Court, regime: str) -> None:
    first, second = sharing()
    first.register(0)
    second.register(1)
    first.fail_over(300)
    second.fail_over(312)
    assert accused_when_one_returns(court, first, second, regime) == []


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_shared_line_behind_one_nat_of_which_one_phone_stays_at_the_primary(court: Court, regime: str) -> None:
    first, second = sharing()
    second.register(0)
    first.register(1)
    first.fail_over(300)
    assert accused_when_one_returns(court, first, second, regime) == []


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_shared_line_behind_one_nat_whose_phones_began_at_two_servers(court: Court, regime: str) -> None:
    """The phone at P comes to S, where the other already is."""
    first, second = sharing()
    first.register(0)
    second.register(20, S)
    first.fail_over(300)
    assert "failback-during-call" not in " ".join(accused_when_one_returns(court, first, second, regime))


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_one_phone_with_a_call_id_for_each_server(court: Court, regime: str) -> None:
    phone, _ = sharing()
    phone.register(0)
    phone.silence(300)
    phone.register(305.5, S, call_id="b@192.168.1.10")
    phone.call(305.6, S, 5.0)
    phone.registration = "a@192.168.1.10"
    found = accused_when_one_returns(court, phone, phone, regime)
    assert [said.split()[1] for said in found] == ["failback-during-call"]


COMES_UP = pytest.mark.parametrize("comes", [312, 336, None])


@COMES_UP
@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_shared_line_behind_one_nat_whose_second_phone_is_seen_late(court: Court, regime: str, comes: int | None
                                                                      ) -> None:
    """The second phone registers at the secondary soon after the first, or later, or returns to the primary without
    having been seen before; the first phone's Call-ID appears again only after that."""
    first, second = sharing()
    first.register(0)
    first.fail_over(300)
    if comes is not None:
        second.register(comes, S)
    assert accused_when_one_returns(court, first, second, regime) == []


@COMES_UP
@pytest.mark.parametrize("agent", [None, "PolycomVVX-VVX_500-UA/4.0.1.13681_0004f2000001"])
@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_one_phone_that_takes_another_call_id(court: Court, regime: str, agent: str | None, comes: int | None) -> None:
    """It has logged out and in again, or its MAC shows that it is one phone."""
    phone, _ = sharing()
    phone.agent = agent or phone.agent
    phone.register(0)
    if agent is None:
        phone.register(100, expires=0, listed="")
        phone.register(130, call_id="c@192.168.1.10")
    phone.fail_over(300)
    if comes is not None:
        phone.register(comes, S, call_id="b@192.168.1.10")
    phone.registration = "d@192.168.1.10"
    found = accused_when_one_returns(court, phone, phone, regime)
    assert [said.split()[1] for said in found] == ["failback-during-call"]
