"""Which servers a line has, and how it communicates with them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories import (
    BRANCH,
    MINUTE,
    VVX,
    Court,
    Handset,
    P,
    S,
    Story,
    site,
)
from tests.traps.ground import (
    EARLY,
    MODES,
    PREMATURE,
    REGIMES,
    RETURN,
    UNREGISTERED,
    accused,
    any_mode,
    any_regime,
    gated_regime,
    handset,
    looks_up,
    minute,
    moved,
    returns,
)

SWITCH = ("10.5.0.1", 5060)
ABOUT = (UNREGISTERED, PREMATURE)


@any_regime
def test_servers_of_equal_priority(court: Court, regime: str) -> None:
    phone = handset()
    phone.fail_over(300, registers=False)
    returns(phone, regime, EARLY)
    found = court(phone.story, minute(regime, priorities=(1, 1)))
    assert found == ([] if regime == "R0" else [f"? {UNREGISTERED} load-balanced"])


@any_regime
def test_dns_alone_tells_of_the_servers(court: Court, regime: str) -> None:
    """Settings come from --set, without a site file: the list is that of the SRV answer."""
    told = tuple(f"{name}={value}" for name, value in {**REGIMES[regime], **MINUTE}.items())
    phone = Handset(Story())
    looks_up(phone, -1)
    phone.register(0)
    phone.fail_over(300, registers=regime != "R0")
    returns(phone, regime)
    assert court(phone.story, None, settings=told) == []
    phone = Handset(Story())
    looks_up(phone, -1)
    phone.register(0)
    phone.fail_over(300, registers=False)
    returns(phone, regime, EARLY)
    # without its REGISTER the line never moved to S, so that its call at P is no return
    found = court(phone.story, None, settings=told)
    assert [said.split()[1] for said in found] == [PREMATURE if regime == "R0" else UNREGISTERED]


@any_regime
def test_a_zone_that_changed_its_order(court: Court, regime: str) -> None:
    told = tuple(f"{name}={value}" for name, value in {**REGIMES[regime], **MINUTE}.items())
    phone = Handset(Story())
    looks_up(phone, -1, order=(20, 10))
    phone.register(0, S)
    phone.fail_over(300, S, P, registers=regime != "R0")
    looks_up(phone, 320, order=(20, 10))
    looks_up(phone, 330, order=(10, 20))
    returns(phone, regime, EARLY, S)
    looks_up(phone, 350, order=(20, 10))
    returns(phone, regime, 355, S)
    assert court(phone.story, None, settings=told) == []


OTHER_LISTS = pytest.mark.parametrize(
    "order", [(10, None), (None, 20), (20, 10)], ids=["only-P", "only-S", "S-first"])


def goes_by_its_own_list(phone: Handset, regime: str, order: tuple[int | None, int | None]) -> None:
    """The phone returns early if P is still listed; otherwise it stays at S."""
    if order[0] is not None:
        returns(phone, regime, EARLY)
    else:
        phone.call(400, S)
        phone.call(500, S)
        phone.call(600, S)


@any_regime
@OTHER_LISTS
def test_dns_gives_another_list_than_the_declared_one(
        court: Court, regime: str, order: tuple[int | None, int | None]) -> None:
    """Servers are declared by address, as in a static cache; what the phone resolves takes precedence. Since it was
    given another order, what depends on the order is left open."""
    phone = handset()
    looks_up(phone, -2)
    looks_up(phone, -1, order=order)
    phone.fail_over(300, registers=regime != "R0")
    goes_by_its_own_list(phone, regime, order)
    found = accused(court(phone.story, minute(regime)))
    assert bool(found) is (None in order)
    assert all(one.endswith(" likely list-as-resolved") for one in found)


@any_regime
@OTHER_LISTS
@any_mode
def test_dns_gives_another_list_than_before(
        court: Court, regime: str, mode: str, order: tuple[int | None, int | None]) -> None:
    """So far DNS gave the phone what is declared by address: it goes by DNS, which now has another list."""
    phone = handset()
    looks_up(phone, -1)
    phone.fail_over(300, registers=regime != "R0")
    looks_up(phone, 320, order=order)
    goes_by_its_own_list(phone, regime, order)
    assert accused(court(phone.story, site({**REGIMES[regime], **MODES[mode]}))) == []


@any_regime
@any_mode
def test_dns_gives_another_list_by_other_names_than_before(court: Court, regime: str, mode: str) -> None:
    """Two domains lead to the servers. One gets another order by new targets, whose addresses arrive one answer
    later."""
    phone = handset()
    looks_up(phone, -2, owner="_sip._udp.branch.example.com.")
    looks_up(phone, -1)
    phone.fail_over(300, registers=regime != "R0")
    looks_up(phone, 320, order=(20, 10), target="new")
    phone.call(400, S)
    phone.call(500, S)
    phone.call(600, S)
    assert accused(court(phone.story, site({**REGIMES[regime], **MODES[mode]}))) == []


@any_regime
def test_dns_that_says_what_is_declared_puts_nothing_in_doubt(court: Court, regime: str) -> None:
    phone = Handset(Story())
    looks_up(phone, -1)
    phone.register(0)
    phone.fail_over(300, registers=regime != "R0")
    looks_up(phone, 320)
    phone.call(EARLY, P)
    found = accused(court(phone.story, minute(regime)))
    assert found
    assert all(one.endswith(" certain") for one in found)


@any_regime
def test_another_phone_gets_another_list(court: Court, regime: str) -> None:
    """Each site has its own view of the zone, or the zone has changed: a phone goes by its own valid answer."""
    told = tuple(f"{name}={value}" for name, value in {**REGIMES[regime], "failBack.mode": "newRequests"}.items())
    one = Handset(Story())
    other = Handset(one.story, user="1002", place=("10.1.0.6", 5060))
    looks_up(one, -2)
    looks_up(other, -1, order=(20, 10))
    one.register(1, P)
    other.register(2, S)
    for time in (50, 120, 300):
        one.call(time, P)
        other.call(time + 20, S)
    found = court(one.story, None, settings=told)
    expected = ["120.000 primary-not-tried-first 1001 10.0.0.1 likely list-as-resolved"]
    assert found == (expected if regime in ("R0", "R1") else [])


@any_regime
def test_addresses_of_one_name_take_turns(court: Court, regime: str) -> None:
    told = tuple(f"{name}={value}" for name, value in {**REGIMES[regime], **MINUTE}.items())
    phone = Handset(Story())
    addresses = [f"pbx.example.com. 300 IN A 10.0.0.{number}" for number in (1, 2)]
    phone.story.lookup(-1, phone.place, "pbx.example.com.", "A", *addresses)
    phone.register(0)
    phone.fail_over(300, registers=False)
    returns(phone, regime, EARLY)
    assert {said.split()[-1] for said in court(phone.story, None, settings=told)} <= {"load-balanced"}


@any_regime
@pytest.mark.parametrize("later", [None, 250, 306, 320])
def test_the_return_comes_with_the_end_of_the_dns_answer(court: Court, regime: str, later: int | None) -> None:
    """B2: the last answer seen before the failover expires at 400; lookups after the failover change nothing."""
    names = {"entries": {"sbc": {"servers": [{"name": "sbc1.example.com", "address": P[0]},
                                             {"name": "sbc2.example.com", "address": S[0]}]}},
             "lines": [{"match": {}, "entry": "sbc", "settings": {**REGIMES[regime], "failBack.mode": "DNSTTL"}}]}
    phone = Handset(Story())
    looks_up(phone, 100, ttl=300)
    phone.register(101)
    phone.fail_over(300, registers=regime != "R0")
    if later:
        looks_up(phone, later, ttl=150 if later == 250 else 300)
    returns(phone, regime, 401)
    assert court(phone.story, names) == []


@any_regime
@pytest.mark.parametrize("says", ["name", "name and address", "address"])
@pytest.mark.parametrize(("srv", "addresses", "early"), [(30, 3600, False), (3600, 30, False), (0, 3600, False),
                                                         (3600, 3600, True)])
def test_servers_that_a_list_in_dns_leads_to_live_no_longer_than_that(
    court: Court, regime: str, says: str, srv: int, addresses: int, early: bool
) -> None:
    """B2: the TTL is the smallest in the chain of answers that leads to the servers, however the site file names
    them."""
    servers = [{"name": f"sbc{number}.example.com", "address": place[0]} for number, place in enumerate((P, S), 1)]
    entry = {"servers": [{kind: server[kind] for kind in ("name", "address") if kind in says} for server in servers]}
    declared = {"entries": {"sbc": {**entry, "dns_ttl": 3600}},
                "lines": [{"match": {}, "entry": "sbc", "settings": {**REGIMES[regime], "failBack.mode": "DNSTTL"}}]}
    phone = Handset(Story())
    looks_up(phone, -1, ttl=addresses, srv=srv)
    phone.register(0)
    phone.fail_over(300, registers=regime != "R0")
    returns(phone, regime, 338)
    found = court(phone.story, declared)
    assert any(PREMATURE in said for said in accused(found)) is early


@any_regime
def test_moving_between_entries_is_fallback(court: Court, regime: str) -> None:
    declared = minute(regime)
    declared["entries"]["branch"] = [{"address": BRANCH[0]}]
    declared["lines"][0]["entry"] = ["sbc", "branch"]
    phone = handset()
    phone.register(0.5, BRANCH, call_id="branch@10.1.0.5")
    for server in (P, S):
        phone.silence(300 if server == P else 306, server, "REGISTER", call_id="reg-1001@10.1.0.5")
    phone.call(311.5, BRANCH)
    phone.register(330, P, call_id="reg-1001@10.1.0.5")
    phone.call(336, P)
    phone.register(340, BRANCH, call_id="branch@10.1.0.5")
    assert court(phone.story, declared) == []


@pytest.mark.parametrize("declared", [
    {"entry": ["sbc", "turned"]}, {"entry": ["sbc"]}], ids=["two entries", "one entry"])
@any_regime
def test_entries_with_the_same_servers_in_another_order(court: Court, regime: str, declared: dict[str, Any]) -> None:
    """Two sites that back each other up: the line registers with the head of each list, and nothing has failed."""
    told = minute(regime)
    told["entries"]["turned"] = [{"address": S[0]}, {"address": P[0]}]
    told["lines"][0] |= declared
    phone = handset()
    phone.register(20, S, call_id="turned@10.1.0.5")
    phone.call(100, P)
    phone.call(200, S)
    found = Court(court.folder, ["failover-without-failure"])(phone.story, told)
    assert any(said.endswith("certain") for said in found) is (len(declared["entry"]) == 1)


@any_regime
def test_fallback_to_a_server_without_registration(court: Court, regime: str) -> None:
    declared = minute(regime)
    declared["entries"]["branch"] = [{"address": BRANCH[0]}]
    declared["lines"][0] |= {"entry": ["sbc", "branch"], "entry_settings": {"branch": {"register": 0}}}
    phone = moved(regime)
    phone.call(phone.silence(312, S), BRANCH)
    phone.call(325, BRANCH)
    phone.register(330, P)
    phone.call(336, P)
    assert court(phone.story, declared) == []


@any_regime
def test_register_0_holds_nothing_back(court: Court, regime: str) -> None:
    phone = Handset(Story())
    phone.call(0, P)
    phone.fail_over(300, registers=False)
    phone.call(RETURN, P)
    assert court(phone.story, site({**REGIMES[regime], **MINUTE, "register": 0})) == []


@any_regime
def test_concurrent_registration(court: Court, regime: str) -> None:
    phone = handset()
    phone.register(0.5, S)
    phone.fail_over(300, registers=False)
    returns(phone, regime, EARLY)
    found = court(phone.story, site({**REGIMES[regime], **MINUTE, "concurrentRegistration": 1}))
    assert {said.split()[-1] for said in found} <= {"concurrent-registration"}


@any_regime
def test_another_port_of_the_same_server_is_no_move(court: Court, regime: str) -> None:
    phone = handset()
    phone.call(200, (P[0], 5080))
    phone.register(210, (P[0], 5062))
    phone.fail_over(300, registers=regime != "R0")
    phone.call(320, (S[0], 5080))
    phone.register(325, (S[0], 5080))
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_servers_of_nobodys_list(court: Court, regime: str) -> None:
    """A paging server, a presence server, a direct call: none of them is in the line's entry."""
    phone = handset()
    phone.silence(290, P, "PUBLISH")
    phone.call(300, ("10.66.0.1", 5060))
    phone.fail_over(310, registers=regime != "R0")
    phone.call(330, ("10.66.0.1", 5060))
    returns(phone, regime, 380)
    assert court(phone.story, minute(regime)) == []



@any_regime
@pytest.mark.parametrize("agent", [None, VVX], ids=["silent-about-itself", "passes-the-agent-on"])
def test_the_registrar_behind_the_servers_is_no_phone(court: Court, regime: str, agent: str | None) -> None:
    """The tap sees both sides of P and S: they pass REGISTERs on to a switch, which calls through P and, while P is
    silent, through S. What it answers shows that it is a server, whoever answers its calls."""
    phone = handset()
    switch = Handset(phone.story, user="2000", place=SWITCH, agent=agent)
    for server, time in ((P, 0.001), (P, 0.01), (S, 20)):
        Handset(phone.story, place=server).register(time, SWITCH)
    for time in (100, 140):
        switch.call(time, P)
    switch.call(switch.silence(300, P), S)
    switch.call(EARLY, P)
    report = court.report(phone.story, minute(regime))
    assert [line.line for line in report.lines] == [phone.aor]
    assert report.findings == []


@any_regime
def test_a_large_call_goes_by_tcp(court: Court, regime: str) -> None:
    phone = handset()
    phone.fail_over(300, registers=regime != "R0")
    asked = phone.ask(320, S, "INVITE", transport="tcp", headers=f"X-Long: {'x' * 1400}\r\n")
    phone.told(320.5, asked, 200, transport="tcp")
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_tcp_preferred_falls_back_to_udp_at_the_same_server(court: Court, regime: str) -> None:
    phone = handset()
    ends = (phone.place[0], 49_152)

    def tries_tcp(time: float, server: tuple[str, int]) -> None:
        phone.story.syn(time, ends, server)
        phone.story.reset(time + 0.001, server, ends)

    tries_tcp(200, P)
    phone.call(200.01, P)
    tries_tcp(305.4, S)
    phone.fail_over(300, registers=regime != "R0")
    tries_tcp(320, S)
    phone.call(320.01, S)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_a_connection_closed_and_opened_again_a_minute_later(court: Court, regime: str) -> None:
    """persistentConnection=0: the end of a connection is no failure."""
    phone = handset(transport="tcp")
    for time in (60, 120, 180):
        phone.story.reset(time, P, phone.place)
        phone.place = ("10.1.0.5", phone.place[1] + 1)
        phone.register(time + 60, P)
    phone.call(250, S)
    phone.call(280, P)
    found = court(phone.story, minute(regime))
    assert all("certain" not in said for said in found)


@any_regime
@pytest.mark.parametrize("ended", [True, False])
def test_a_connection_that_was_reset_at_rest_may_be_why_the_line_moved(court: Court, regime: str, ended: bool) -> None:
    """F1: a RST since its last answer is evidence of failure, though no request was open."""
    phone = handset(transport="tcp")
    phone.call(100, P)
    if ended:
        phone.story.reset(300, P, phone.place)
        phone.place = ("10.1.0.5", 49_153)
    moves = 300.1 if regime == "R0" else phone.register(300.1, S)
    phone.call(moves, S)
    phone.call(400, S)
    phone.call(500, S, to="sip:2001@pbx.example.com")
    found = Court(court.folder, ["failover-without-failure"])(phone.story, minute(regime))
    assert ("300.100 failover-without-failure 1001 10.0.0.2 certain" in found) is not ended


@any_regime
@pytest.mark.parametrize("ending", ["reset", "no-keepalive", None])
def test_a_working_server_whose_connection_was_dropped_at_rest(
    court: Court, regime: str, ending: str | None
) -> None:
    """The server may have failed, though no request was open; if nothing was dropped, the same return is premature."""
    phone = handset(transport="tcp")
    phone.place = ("10.1.0.5", 49_152)
    phone.story.syn(299, phone.place, P)
    phone.story.reset(299.001, P, phone.place)
    phone.place = ("10.1.0.5", 49_153)
    moves = 299.2 if regime == "R0" else phone.register(299.1, S)
    phone.call(moves, S)
    if ending == "reset":
        phone.story.reset(330, S, phone.place)
        phone.place = ("10.1.0.5", 49_154)
    if ending == "no-keepalive":
        phone.story.reset(330, phone.place, S)
        phone.place = ("10.1.0.5", 49_154)
    returns(phone, regime, 330.1)
    found = court(phone.story, minute(regime))
    assert any("premature-failback" in said and "certain" in said for said in found) is (ending is None)


@any_regime
def test_a_503_cut_by_the_snap_length_may_ask_to_be_left_alone(court: Court, regime: str) -> None:
    """F3: in no mode is a try due while a Retry-After runs."""
    long = "X-Long: " + 300 * "x" + "\r\nRetry-After: 300\r\n"
    for settings in (MINUTE, {"failBack.mode": "newRequests"}):
        phone = handset(Story(snaplen=420), challenges=False)
        phone.told(300.1, phone.ask(300, P, "INVITE"), 503, headers=long)
        moves = 300.2 if regime == "R0" else phone.register(300.2, S)
        for time in (moves, 400, 480):
            phone.call(time, S, 5)
        found = court(phone.story, site({**REGIMES[regime], **settings}))
        assert found == []


@any_regime
@pytest.mark.parametrize("fails", ["refused", "unanswered", "sought"])
def test_the_timer_may_begin_again_when_a_way_round_the_list_fails(court: Court, regime: str, fails: str) -> None:
    """S leaves a call unanswered, and P cannot be reached either (F1); then S answers again: no move."""
    phone = handset(transport="tcp")
    phone.story.reset(299, P, phone.place)
    for port, time in ((49_152, 300), (49_153, 335)):
        phone.place = ("10.1.0.5", port)
        if time == 335 and fails != "refused":
            phone.place = ("10.1.0.5", 49_154)
            phone.ask(330, S, "INVITE", to="sip:31@pbx.example.com")
            phone.place = ("10.1.0.5", port)
        if time == 335 and fails == "sought":
            phone.story.seek(time, phone.place[0], P[0])
            continue
        phone.story.syn(time, phone.place, P)
        if time == 300 or fails == "refused":
            phone.story.reset(time + 0.01, P, phone.place)
        if time == 300:
            phone.place = ("10.1.0.5", 49_154)
            moves = 300.2 if regime == "R0" else phone.register(300.1, S)
            phone.call(moves, S, 5)
    phone.place = ("10.1.0.5", 49_155)
    for time in (342, 450, 520):
        phone.call(time, S, 3)
    found = Court(court.folder, ["overdue-failback"])(phone.story, minute(regime))
    assert not any("overdue-failback" in said and "certain" in said for said in found)


@gated_regime
def test_a_refused_connection_is_a_failure_at_once(court: Court, regime: str) -> None:
    for registers in (True, False):
        phone = handset(transport="tcp")
        place = phone.place
        phone.story.reset(299, P, place)
        phone.place = ("10.1.0.5", 49_153)
        phone.story.syn(300, phone.place, P)
        phone.story.reset(300.001, P, phone.place)
        if registers:
            phone.register(300.1, S)
        phone.call(300.2, S)
        expected = [] if registers else [f"300.200 {UNREGISTERED} 1001 10.0.0.2 certain"]
        assert court(phone.story, minute(regime)) == expected


@pytest.mark.parametrize("regime", ["R0", "R1"])
@pytest.mark.parametrize("retries", [5, 6])
@pytest.mark.parametrize("asks", [None, "UDP", "TCP"])
def test_who_waits_127_s_for_a_connection_has_tried_the_first_server(
    court: Court, regime: str, retries: int, asks: str | None,
) -> None:
    """With 6 retries the SYNs of a call go to P for 63 s, and the phone calls elsewhere 64 s after the last; its other
    line may register at S meanwhile (`asks`)."""
    phone, settings = handset(transport="tcp"), site({**REGIMES[regime], "failBack.mode": "newRequests"})
    phone.story.reset(290, P, phone.place)
    time = asks_for_connection(phone, 300, 49_153, retries)
    phone.place = ("10.1.0.5", 49_154)
    if regime != "R0":
        time = phone.register(time + 0.01, S)
    phone.call(time + 0.02, S, 5)
    if asks:
        other = Handset(phone.story, "1002", phone.place, contact="sip:1002@10.1.0.5", transport=asks.lower())
        other.register(time + 30, S)
        other.register(time + 145, S)
    time = asks_for_connection(phone, time + 60, 49_155, retries)
    phone.place = ("10.1.0.5", 49_156)
    phone.call(time + 0.02, S, 5)
    judge = Court(court.folder, ["primary-not-tried-first"])
    assert accused(judge(phone.story, settings)) == []
    phone.call(time + 70, S, 5)
    found = judge(phone.story, settings)
    assert found == [f"{time + 70:.3f} primary-not-tried-first 1001 10.0.0.2 certain"]


def asks_for_connection(phone: Handset, time: float, port: int, retries: int) -> float:
    """SYNs to P at doubling intervals (`tcp_syn_retries`); returns when the attempt is given up."""
    phone.place = ("10.1.0.5", port)
    for number in range(retries + 1):
        phone.story.syn(time, phone.place, P)
        time += 2 ** number
    return time


@any_regime
def test_a_phone_that_also_speaks_where_nothing_can_be_read(court: Court, regime: str) -> None:
    phone = handset()
    phone.story.unread(100, ("10.1.0.5", 49_200), (S[0], 5061))
    phone.fail_over(300, registers=False)
    returns(phone, regime, EARLY)
    found = court(phone.story, minute(regime))
    assert found
    assert {said.split()[-1] for said in found} == {"encrypted"}
