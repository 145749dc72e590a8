"""Several lines, several phones, and how they are told apart."""

from __future__ import annotations

import pytest

from tests.stories import (
    CHALLENGE,
    MINUTE,
    Court,
    Handset,
    P,
    S,
    Story,
    site,
)
from tests.traps.ground import (
    EARLY,
    PREMATURE,
    REGIMES,
    RETURN,
    UNREGISTERED,
    accused,
    any_regime,
    gated_regime,
    handset,
    minute,
    moved,
    returns,
)

ABOUT = (UNREGISTERED, PREMATURE)


@any_regime
def test_the_second_line_uses_what_the_first_learned(court: Court, regime: str) -> None:
    story = Story()
    second = handset(story, user="1002")
    first = moved(regime, story)
    if regime != "R0":
        second.register(307, S)
    second.call(308, S)
    for line in (first, second):
        returns(line, regime, RETURN + 4 * (line is second))
    assert court(story, minute(regime)) == []


@gated_regime
def test_only_the_second_line_breaks_the_rules(court: Court, regime: str) -> None:
    story = Story()
    second = handset(story, user="1002")
    first = moved(regime, story)
    second.call(308, S)
    second.register(320, S)
    returns(second, regime, EARLY)
    returns(first, regime)
    assert court(story, minute(regime)) == [
        f"308.000 {UNREGISTERED} 1002 10.0.0.2 certain", f"336.000 {PREMATURE} 1002 10.0.0.1 certain"]


@any_regime
def test_what_the_other_line_found_does_not_put_off_a_return_for_good(court: Court, regime: str) -> None:
    """Line 2 finds P dead after line 1 has moved, which may have restarted the phone's timer."""
    story = Story()
    first, second = handset(story), handset(story, user="1002")
    first.fail_over(300, registers=regime != "R0")
    second.fail_over(330, registers=regime != "R0")
    for time in (405, 470, 535):
        first.call(time, S, 5)
    found = Court(court.folder, ["overdue-failback"])(story, minute(regime))
    assert not any(said.startswith("405") for said in found)
    assert any(said.endswith("overdue-failback 1001 10.0.0.1 certain") for said in found)


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_call_rings_on_though_other_calls_are_answered(court: Court, regime: str) -> None:
    """P left it unanswered, and it rings at S: answers to other calls, also of the same line, do not end it (B5)."""
    story = Story()
    first, second = handset(story), handset(story, user="1002")
    second.register(second.silence(300, call_id="rings"), S)
    ringing = second.ask(306, S, "INVITE", call_id="rings")
    second.told(306.1, ringing, 180)
    first.fail_over(310)
    second.call(345, S, 5)
    first.call(400, S, 5)
    second.told(450, ringing, 486)
    first.call(480, S, 5)
    found = Court(court.folder, ["overdue-failback"])(story, minute(regime))
    assert accused(found) == ["480.000 overdue-failback 1001 10.0.0.1 certain"]


@pytest.mark.parametrize("regime", ["R2", "R3"])
@pytest.mark.parametrize("speaks", ["asks", "answers", None])
def test_a_line_returns_during_a_call_of_another(court: Court, regime: str, speaks: str | None) -> None:
    """A call of any line keeps the phone busy, if a later request or answer in it shows that it was still up."""
    first, second = handset(), Handset(Story(), user="1002")
    second.story = first.story
    second.register(1)
    first.fail_over(300)
    second.fail_over(303)
    call = second.ask(400, S, "INVITE")
    second.told(400.5, call, 200)
    second.acknowledge(400.6, call)
    first.register(450, P)
    if speaks == "asks":
        second.hang_up(480, call)
    if speaks == "answers":
        second.replies(480.1, second.called(480, S, "BYE", call_id=call.call_id, tag=call.near), 200)
    first.call(600, P, 5)
    found = Court(court.folder, ["failback-during-call"])(first.story, minute(regime))
    said = "450.000 failback-during-call 1001 10.0.0.1 certain"
    assert (said in found) is (speaks is not None)
    assert all("failback-during-call" not in other or other == said or other.startswith("?") for other in found)


@pytest.mark.parametrize("regime", ["R2", "R3"])
@pytest.mark.parametrize("of", ["its-own", "the-other"])
@pytest.mark.parametrize(("bye", "answered", "found"), [
    (449.997, 450.007, False), (450.02, 450.03, False), (450.02, 450.17, False), (450.2, 450.21, True)])
def test_a_line_returns_as_the_far_end_hangs_up(
        court: Court, regime: str, of: str, bye: float, answered: float, found: bool) -> None:
    """The BYE ends the call, even if its answer leaves after the REGISTER; a mirror may show both after that."""
    first, second = handset(), Handset(Story(), user="1002")
    second.story = first.story
    second.register(1)
    first.fail_over(300)
    second.fail_over(303)
    speaks = first if of == "its-own" else second
    speaks.replies(401, speaks.called(400, S, "INVITE", call_id="theirs"), 200)
    speaks.called(401.1, S, "ACK", call_id="theirs", tag="near")
    first.register(450, P)
    speaks.replies(answered, speaks.called(bye, S, "BYE", call_id="theirs", number=2, tag="near"), 200)
    first.call(600, P, 5)
    said = Court(court.folder, ["failback-during-call"])(first.story, minute(regime))
    assert accused(said) == ["450.000 failback-during-call 1001 10.0.0.1 certain"] * found


@pytest.mark.parametrize("regime", ["R2", "R3"])
@pytest.mark.parametrize(("numbered", "said"), [
    (40, "? overdue-failback busy-unproven"), (0, "545.000 overdue-failback 1002 10.0.0.1 certain")],
    ids=["there-before", "just-started"])
def test_a_line_logs_in_on_a_phone_that_may_be_in_a_call(court: Court, regime: str, numbered: int, said: str) -> None:
    """The phone's other line was registered before the capture, and may have been in a call since then. Until that call
    ends the phone is busy, and the new line renews where it is."""
    story = Story()
    old, new = Handset(story, granted=3600), Handset(story, user="1002", granted=300)
    old.numbers[old.registration] = numbered
    old.register(1)
    new.register(10)
    new.call(20)
    new.register(250)
    new.call(new.register(new.silence(300), S), S)
    new.register(545, S)
    new.register(785, S)
    assert Court(court.folder, ["overdue-failback"])(story, minute(regime), covered=5.0) == [said]


@any_regime
def test_what_a_line_is_answered_in_a_dialog_brings_the_server_back_for_nobody(court: Court, regime: str) -> None:
    """S refuses a connection during a call of the first line. Its answer to the BYE of that call ends no failure
    (section 1)."""
    story = Story()
    second, first = handset(story, user="1002"), moved(regime, story)
    second.fail_over(310, registers=regime != "R0")
    first.call(322, S, 30)
    story.syn(330, (first.place[0], 49_152), S)
    story.reset(330.001, S, (first.place[0], 49_152))
    second.call(340, S, 3)
    returns(first, regime, 400)
    hour = {**REGIMES[regime], "failBack.mode": "duration", "failBack.timeout": 3600}
    assert court(story, site(hour)) == [f"? {PREMATURE} readings-differ"]


@any_regime
@pytest.mark.parametrize("whose", ["first", "second"])
def test_what_one_line_was_answered_since_need_not_bring_another_back(court: Court, regime: str, whose: str) -> None:
    """S, the last of the list, refuses a connection, and then answers the second line. The first line may have reached
    the end of its list, and start again at the first server (F1). The second has no such reason."""
    story = Story()
    lines = {"second": handset(story, user="1002"), "first": moved(regime, story)}
    lines["second"].fail_over(310, registers=regime != "R0")
    story.syn(330, (lines["first"].place[0], 49_152), S)
    story.reset(330.001, S, (lines["first"].place[0], 49_152))
    lines["second"].call(340, S, 3)
    returns(lines[whose], regime, 400)
    hour = {**REGIMES[regime], "failBack.mode": "duration", "failBack.timeout": 3600}
    found = court(story, site(hour))
    assert found == ([f"? {PREMATURE} readings-differ"] if whose == "first"
                     else [f"400.000 {PREMATURE} 1002 10.0.0.1 certain"])


@gated_regime
@pytest.mark.parametrize(("waits", "moves"), [(42, False), (33, True)])
def test_a_line_may_wait_long_while_the_server_answers_another(court: Court, regime: str, waits: int, moves: bool
                                                               ) -> None:
    """20 retries of 2 s each: a phone with these settings waits 40 s, whatever its other line is answered (F2)."""
    story = Story()
    second = handset(story, user="1002", granted=300)
    first = handset(story, granted=300)
    first.register(200)
    first.ask(440, P, "REGISTER")
    second.register(450)
    first.register(440 + waits, S)
    patient = {**REGIMES[regime], **MINUTE, "retryTimeOut": 2000, "retryMaxCount": 20}
    found = {finding.rule for finding in court.report(story, site(patient)).findings}
    assert ("failover-without-failure" in found) is moves


@any_regime
def test_one_aor_on_two_phones(court: Court, regime: str) -> None:
    """The other phone never lost P; nothing it does counts for the first."""
    story = Story()
    other = handset(story, place=("10.1.0.6", 5060))
    first = moved(regime, story)
    other.call(312, P)
    other.register(330, P)
    other.call(340, P)
    returns(first, regime)
    assert court(story, minute(regime)) == []


@any_regime
def test_two_phones_with_one_aor_behind_one_address(court: Court, regime: str) -> None:
    story = Story()
    known = [{"place": ("203.0.113.9", 40_000 + number), "contact": f"sip:1001@192.168.1.{number}:5060"}
             for number in (1, 2)]
    other = handset(story, **known[1])
    first = moved(regime, story, **known[0])
    other.call(312, P)
    other.register(330, P)
    other.call(340, P)
    returns(first, regime)
    assert court(story, minute(regime)) == []
    parted = Story()
    other = handset(parted, parameters=';+sip.instance="<urn:uuid:b>"', **known[1])
    first = moved(regime, parted, parameters=';+sip.instance="<urn:uuid:a>"', **known[0])
    other.call(312, P)
    returns(first, regime)
    assert court(parted, minute(regime)) == []


@any_regime
def test_a_200_with_the_contacts_of_others(court: Court, regime: str) -> None:
    phone = handset()
    time = phone.silence(300)
    foreign = "<sip:1001@10.7.7.7>;expires=9, <sip:1001@10.7.7.8:5070>;expires=0"
    if regime != "R0":
        time = phone.register(time, S, listed=f"{foreign}, <{phone.contact}>;expires=3600")
    phone.call(time, S, 5)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
@pytest.mark.parametrize("listed", [
    "<sip:1002@10.7.7.7>;expires=0", "<sip:1001@10.7.7.7>;expires=60, <sip:1001@10.7.7.8>;expires=70", "",
])
def test_a_200_without_the_own_contact(court: Court, regime: str, listed: str) -> None:
    phone = handset()
    time = phone.silence(300)
    if regime != "R0":
        time = phone.register(time, S, listed=listed)
    phone.call(time, S, 5)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_an_sbc_that_rewrites_contacts_and_shortens_them(court: Court, regime: str) -> None:
    """The renewal is due after half of 40 s, whatever was requested; which Contact is the phone's own is unknown."""
    phone = handset()
    time = phone.silence(300)
    listed = "<sip:1001@10.0.0.2:5080>;expires=40, <sip:1001@10.0.0.2:5081>;expires=2000"
    if regime != "R0":
        time = phone.register(time, S, listed=listed)
    phone.call(time, S, 5)
    returns(phone, regime, 328)
    found = court(phone.story, site({**REGIMES[regime], "failBack.mode": "registration"}))
    assert regime == "R0" or accused(found) == []


@any_regime
def test_an_sbc_that_rewrites_the_only_contact(court: Court, regime: str) -> None:
    phone = Handset(Story())
    listed = "<sip:1001@10.0.0.2:5080>;expires=40"
    phone.register(0, listed=listed)
    phone.register(290, listed=listed)
    time = phone.silence(300)
    if regime != "R0":
        time = phone.register(time, S, listed=listed)
    phone.call(time, S, 5)
    returns(phone, regime, 328)
    assert court(phone.story, site({**REGIMES[regime], "failBack.mode": "registration"})) == []


@any_regime
def test_a_phone_behind_nat_whose_port_changes(court: Court, regime: str) -> None:
    phone = handset(place=("203.0.113.9", 40_000), contact="sip:1001@192.168.1.5:5060")
    phone.place = ("203.0.113.9", 40_123)
    phone.fail_over(300, registers=regime != "R0")
    phone.place = ("203.0.113.9", 40_456)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_a_forked_call(court: Court, regime: str) -> None:
    phone = moved(regime)
    asked = phone.ask(320, S, "INVITE")
    for tag in ("one", "two"):
        phone.told(320.5, asked, 180, tag=tag)
    for step, tag in enumerate(("one", "two")):
        phone.told(321 + step, asked, 200, tag=tag, headers="Contact: <sip:2000@10.0.0.1>\r\n")
    phone.hang_up(323, asked)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
@pytest.mark.parametrize(("acknowledged", "found"), [("one", 0), ("one two", 1), ("", 0)])
def test_a_forked_call_of_which_one_branch_is_left_to_itself(
    court: Court, regime: str, acknowledged: str, found: int
) -> None:
    """B5: the phone talks on the fork that it has acknowledged, until 360; the far end of the other fork gives up after
    32 s (RFC 3261 13.3.1.4). If the capture lacks all ACKs, nobody knows which fork is which."""
    phone = moved(regime)
    asked = phone.ask(350, S, "INVITE")
    for step, tag in enumerate(("one", "two")):
        phone.told(351 + step, asked, 200, tag=tag, headers="Contact: <sip:2000@10.0.0.2>\r\n")
        if tag in acknowledged:
            phone.numbers[asked.call_id] = 0
            phone.ask(351.1 + step, S, "ACK", call_id=asked.call_id, tag=tag)
    phone.told(360.1, phone.ask(360, S, "BYE", call_id=asked.call_id, tag="one"), 200, tag="one")
    returns(phone, regime)
    bye = phone.called(384, S, "BYE", call_id=asked.call_id, tag=asked.near, far="two")
    phone.replies(384.1, bye, 200)
    expected = found if regime in ("R2", "R3") else 0
    found_out = accused(court(phone.story, minute(regime)))
    assert len([said for said in found_out if "failback-during-call" in said]) == expected



@any_regime
@pytest.mark.parametrize("agent", ["Yealink SIP-T46S 66.84.0.15", "PolycomSoundPointIP SPIP_550 UA 3.3.2.0413"])
def test_other_makes_are_not_judged(court: Court, regime: str, agent: str) -> None:
    phone = handset(agent=agent)
    phone.fail_over(300, registers=False)
    returns(phone, regime, EARLY)
    found = court(phone.story, minute(regime))
    assert found
    assert {said.split()[-1] for said in found} == {"vendor-unmodelled"}


@pytest.mark.parametrize("agent", [None, "PolycomVVX-VVX_410-UA/5.9.5.0614", "PolycomSoundPointIP-SPIP_550-UA/3.3.0.1"])
def test_phones_that_the_advisory_does_not_name(court: Court, agent: str | None) -> None:
    phone = handset(agent=agent)
    phone.fail_over(300, registers=False)
    assert court(phone.story, minute("R2")) == [f"305.500 {UNREGISTERED} 1001 10.0.0.2 likely firmware-obeys"]


@any_regime
def test_scanners_leave_no_trace(court: Court, regime: str) -> None:
    story = Story()
    scanner = Handset(story, user="1001", place=("198.51.100.7", 5071))
    for step, server in enumerate((P, S, P, S)):
        asked = scanner.ask(290.0 + step, server, "REGISTER", expires=60)
        scanner.told(290.01 + step, asked, 401 if step % 2 else 403, headers=CHALLENGE)
        asked = scanner.ask(291.0 + 4 * step, server, "INVITE", to="sip:900@10.0.0.1")
        scanner.told(291.01 + 4 * step, asked, 404)
    scanner.silence(310, P)
    scanner.ask(316, S, "INVITE", to="sip:900@10.0.0.1")
    phone = moved(regime, story)
    knock = Handset(story, user="100", place=phone.place)
    asked = knock.called(320, ("198.51.100.7", 5071), "INVITE", call_id="knock")
    knock.replies(320.1, asked, 404)
    returns(phone, regime)
    assert court(story, minute(regime)) == []


INSTANCE = "urn:uuid:00000000-0000-1000-8000-0004f2000001"
GRUUS = {"public": f"<sip:1001@pbx.example.com;gr={INSTANCE}>",
         "temporary": "<sip:tgruu.7hs==jd7vnzga5w7fajsc7-ajd6fabz0f8g5@example.com;gr>"}


@any_regime
@pytest.mark.parametrize("gruu", GRUUS)
def test_a_phone_that_calls_with_a_gruu(court: Court, regime: str, gruu: str) -> None:
    """The Contact of its calls is the GRUU that the registrar assigned (RFC 5627 4.4). It denotes no other phone: these
    calls are judged as those of the phone's line."""
    phone, contact = handset(parameters=f';+sip.instance="<{INSTANCE}>"'), GRUUS[gruu]
    time = phone.silence(300, contact=contact)
    if regime != "R0":
        phone.call(time, S, 4, contact=contact)
        time = phone.register(311, S)
    phone.call(time, S, 5, contact=contact)
    time = phone.register(EARLY, P) if regime in ("R2", "R3") else EARLY
    phone.call(time, P, contact=contact)
    assert court(phone.story, minute(regime)) == [
        *[f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain"] * (regime != "R0"),
        f"{EARLY:.3f} {PREMATURE} 1001 10.0.0.1 certain"]
    assert [line.line for line in court.report(phone.story, minute(regime)).lines] == [phone.aor]


@gated_regime
@pytest.mark.parametrize("gruu", GRUUS)
def test_a_phone_that_calls_with_a_gruu_and_obeys(court: Court, regime: str, gruu: str) -> None:
    phone, contact = handset(parameters=f';+sip.instance="<{INSTANCE}>"'), GRUUS[gruu]
    time = phone.register(phone.silence(300, contact=contact), S)
    phone.call(time, S, 5, contact=contact)
    returns(phone, regime)
    report = court.report(phone.story, minute(regime))
    assert [finding.rule for finding in report.findings if finding.line == phone.aor] == []


def test_two_phones_behind_one_address_that_call_with_their_gruus(court: Court) -> None:
    """A public GRUU contains the instance ID (RFC 5627 3.1)."""
    story, place = Story(), ("203.0.113.1", 40_001)
    phones = [
        Handset(story, place=(place[0], place[1] + number), contact=f"sip:1001@192.168.1.1{number}",
                parameters=f';+sip.instance="<{INSTANCE}{number}>"')
        for number in range(2)]
    for number, phone in enumerate(phones):
        phone.register(number, P)
    for number, phone in reversed(list(enumerate(phones))):
        for time in range(20, 20 + 60 * (number + 1), 60):
            phone.call(time, P, contact=f"<sip:1001@pbx.example.com;gr={INSTANCE}{number}>")
    lines = court.report(story, minute("R2")).lines
    assert [(line.phone, line.calls) for line in lines] == [("203.0.113.1:40001", 1), ("203.0.113.1:40002", 2)]


@pytest.mark.parametrize(("gruu", "sender"), [
    ("public", "sip:1002@pbx.example.com"), ("temporary", "sip:1002@pbx.example.com"),
    ("public", "sip:anonymous@anonymous.invalid"), ("temporary", "sip:anonymous@anonymous.invalid")])
def test_a_gruu_tells_of_a_line_only_with_its_name(court: Court, gruu: str, sender: str) -> None:
    """The phone has another line, registered before the capture, that calls in its own name. An anonymous call is
    assigned to the only line known."""
    phone = handset(parameters=f';+sip.instance="<{INSTANCE}>"')
    phone.call(20, P, contact=GRUUS[gruu], sender=sender)
    calls = {line.line: line.calls for line in court.report(phone.story, minute("R2")).lines}
    assert calls == ({phone.aor: 1} if "anonymous" in sender else {phone.aor: 0, sender: 1})
