"""Requests and answers as events of the model (`model/events.py`): a story in the scenario language, written as
packets, comes back from them as the same story."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit import pipeline
from sipaudit.model.events import Answered, Sent
from sipaudit.model.scenario import parse
from tests.factories import response
from tests.reconstruct.desk import Desk, Handset, P, S
from tests.stories import VVX
from tests.wire import put_on_wire

START = """entry: P S
0       > P REGISTER expires=3600 fresh id=reg0@10.1.0.5
0.1     < P 401 REGISTER
0.2     > P REGISTER expires=3600 follows proves id=reg0@10.1.0.5
0.3     < P 200 REGISTER expires=3600
"""
CHALLENGED_ELSEWHERE = """
10      > P INVITE call=1 id=c@1 to=2000@pbx.example.com2000
10.1    < P 407 INVITE
10.2    > S INVITE follows=3 proves call=1 id=c@1 to=2000@pbx.example.com2000
10.3    < S 200 INVITE
20      > S BYE dialog call=1 id=c@1
20.1    < S 200 BYE
"""
CALLS = """
10      > P INVITE call=1 id=call1@10.1.0.5 to=2000@pbx.example.com2000
10.1    < P 180 INVITE
10.2    > P PRACK dialog call=1 id=call1@10.1.0.5
10.3    < P 200 PRACK
11      < P 200 INVITE
12      < P UPDATE dialog call=1
12.1    > P 200 UPDATE dialog call=1
13      > P INVITE dialog call=1 id=call1@10.1.0.5
13.1    < P 200 INVITE
14      > P INFO dialog call=1 id=call1@10.1.0.5
14.1    < P 200 INFO
15      > P REFER dialog call=1 id=call1@10.1.0.5
15.1    < P 202 REFER
15.2    < P NOTIFY dialog call=1
15.3    > P 200 NOTIFY dialog call=1
16      < P BYE dialog call=1
16.1    > P 200 BYE dialog call=1
"""
CALLED = """
10      < P INVITE call=1
10.1    > P 180 INVITE call=1
11      > P 200 INVITE call=1
12      > P INVITE dialog call=1 id=call1@10.1.0.5
12.1    < P 200 INVITE
13      > P BYE dialog call=1 id=call1@10.1.0.5
13.1    < P 200 BYE
"""
SUBSCRIBED = """
10      > P SUBSCRIBE expires=600 id=SUBSCRIBE-3@10.1.0.5 to=2000@pbx.example.compresence
10.1    < P 200 SUBSCRIBE
10.2    < P NOTIFY dialog
10.3    > P 200 NOTIFY dialog
300     > P SUBSCRIBE expires=600 dialog id=SUBSCRIBE-3@10.1.0.5
300.1   < P 200 SUBSCRIBE
310     > P REFER id=REFER-6@10.1.0.5
310.1   < P 202 REFER
310.2   < P NOTIFY dialog
310.3   > P 200 NOTIFY dialog
"""


def told(text: str, folder: Path) -> list[str]:
    """The events that come back, without those that reconstruction adds of its own (the state of calls)."""
    capture, site = put_on_wire(parse(text), folder, VVX)
    lines = pipeline.events(pipeline.Job(paths=(str(capture),), site=str(site), zone="utc"), line="1001")
    return [" ".join(line.split()) for line in lines
            if line[:1].isdigit() and " * call " not in line and " ? " not in line]


@pytest.mark.parametrize("story", [CHALLENGED_ELSEWHERE, CALLS, CALLED, SUBSCRIBED],
                         ids=["challenged-elsewhere", "calls", "called", "subscribed"])
def test_a_story_comes_back_from_the_wire(story: str, tmp_path: Path) -> None:
    text = START + story.lstrip()
    said = [line.split() for line in text.splitlines()[1:]]
    assert told(text, tmp_path) == [" ".join([f"{float(time):.3f}", *words]) for time, *words in said]


def challenged(credentials: str, header: str = "WWW-Authenticate") -> bool:
    """Whether a REGISTER with this header field counts as the answer to the challenge with nonce `one`."""
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    asked = phone.compose("REGISTER")
    phone.send(10, P, asked)
    phone.hear(10.1, P, response(401, asked, headers=(f'{header}: Digest realm="pbx", nonce="one"',)))
    phone.send(10.2, S, phone.compose("REGISTER", headers=(credentials,) if credentials else ()))
    last = desk.of(Sent)[-1]
    assert last.follows is not None
    return last.proves


@pytest.mark.parametrize("header", ["Authorization", "Proxy-Authorization"])
def test_credentials_with_the_challenges_nonce_prove_whatever_the_server(header: str) -> None:
    assert challenged(f'{header}: Digest username="u", realm="pbx", nonce="one", uri="sip:x", response="0"')


@pytest.mark.parametrize("credentials", [
    "",
    'Authorization: Digest username="u", realm="pbx", nonce="old", uri="sip:x", response="0"',
    'Authorization: Digest username="u", realm="pbx", uri="sip:x", response="0"',
])
def test_other_credentials_do_not(credentials: str) -> None:
    assert not challenged(credentials)


def test_a_challenge_without_nonce_proves_nothing() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    asked = phone.compose("REGISTER")
    phone.send(10, P, asked)
    phone.hear(10.1, P, response(401, asked, headers=('WWW-Authenticate: Digest realm="pbx"',)))
    phone.send(10.2, P, phone.compose("REGISTER", headers=('Authorization: Digest username="u", realm="pbx"',)))
    assert not desk.of(Sent)[-1].proves


def test_a_diverted_invite_has_the_target_of_the_first_though_the_request_uri_names_the_server() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    phone.invite(10, P, call_id="one", uri="sip:2002@10.0.0.1;user=phone")
    phone.invite(20, S, call_id="two", uri="sip:2002@10.0.0.2;user=phone")
    phone.invite(30, S, call_id="three", uri="sip:2003@10.0.0.2", to="sip:2003@pbx.example.com")
    one, two, three = (event.target for event in desk.of(Sent) if event.method == "INVITE")
    assert one == two != three
    assert one


def test_an_answer_is_of_its_requests_call() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    phone.hear(10.1, P, response(200, phone.invite(10)))
    bye = phone.compose("BYE", "sip:2002@pbx.example.com", call_id="call-1", cseq=2, from_tag="me", to_tag="t")
    phone.send(20, P, bye)
    phone.hear(20.1, P, response(200, bye))
    _, invite, bye_sent = desk.of(Sent)
    assert invite.call == bye_sent.call is not None
    assert [event.call for event in desk.of(Answered)] == [None, invite.call, invite.call]


def test_inside_a_dialog_and_for_other_methods_there_is_no_target() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    phone.send(10, P, phone.compose("INVITE", "sip:2002@pbx.example.com", call_id="c", cseq=7, to_tag="far"))
    phone.send(20, P, phone.compose("MESSAGE", "sip:2002@pbx.example.com", call_id="s", cseq=1))
    assert [event.target for event in desk.of(Sent)] == ["", "", ""]


def test_the_target_of_a_subscription_is_whose_state_and_which_events() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    ask = phone.compose("SUBSCRIBE", "sip:2002@pbx.example.com", call_id="s", cseq=1, headers=("Event: Dialog;sla",))
    phone.send(10, P, ask)
    assert desk.of(Sent)[-1].target == "2002@pbx.example.com dialog"
