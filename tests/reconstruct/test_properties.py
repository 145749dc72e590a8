"""Properties that hold whatever is sent by whomever to whom."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sipaudit.model.events import NO_LINE, Answered, ModelEvent, Received, Replied, Sent
from sipaudit.sip.datagram import Connection, ConnectionKind, ErrorKind, TransportError
from tests.factories import START, dns_answer, path, request, response
from tests.reconstruct.desk import PHONE, Desk, Handset, P, S, entry

ENDS = (PHONE, "10.1.0.6:5060", "10.1.0.6:5062", P, S, "10.0.0.9:5060", "127.0.0.1:5060", "127.0.0.1:6000")
METHODS = ("REGISTER", "INVITE", "ACK", "CANCEL", "BYE", "SUBSCRIBE", "NOTIFY", "OPTIONS", "REFER", "PRACK")
STATUSES = (100, 180, 183, 200, 202, 302, 401, 407, 423, 481, 486, 487, 503)

steps = st.lists(st.fixed_dictionaries({
    "what": st.sampled_from(["request", "request", "response", "response", "again", "icmp", "dns", "syn"]),
    "pause": st.sampled_from([0.0, 0.1, 5.0, 33.0, 4000.0, -30.0, -500.0]),
    "source": st.sampled_from([PHONE, *ENDS]), "destination": st.sampled_from([P, P, *ENDS]),
    "method": st.sampled_from(METHODS), "status": st.sampled_from(STATUSES),
    "branch": st.sampled_from(["", "1", "z9hG4bK", "z9hG4bKa", "z9hG4bKb", "z9hG4bKc"]),
    "call_id": st.sampled_from(["c1", "c2"]), "cseq": st.integers(0, 4),
    "from_": st.sampled_from(["sip:1001@x", "sip:1002@x", "tel:123"]), "to": st.sampled_from(["sip:1001@x", "sip:3@y"]),
    "tags": st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from([None, "a", "b"])),
    "contact": st.sampled_from([None, "*", "<sip:1001@10.1.0.5>", "<sip:1001@10.1.0.6:5062>;expires=60", "<sip:x>",
                                '<sip:1001@10.1.0.6>;+sip.instance="<urn:u>"']),
    "expires": st.sampled_from([None, 0, 60]), "agent": st.sampled_from([None, "A/1", "B/2"]),
    "back": st.sampled_from([0, 0, 0, 1, 2, 5]),
}), min_size=20, max_size=60)


def play(desk: Desk, plan: list[dict[str, Any]]) -> None:
    time = 0.0
    asked: list[tuple[str, str, bytes]] = []
    for user, at in (("1001", PHONE), ("1001", "10.1.0.6:5060"), ("1002", "10.1.0.6:5062")):
        Handset(desk, user, at, domain="x").register(0)
    for step in plan:
        time += step["pause"]
        source, destination = step["source"], step["destination"]
        before = asked[-1 - step["back"] % len(asked)] if asked else None
        if step["what"] == "response" and before:
            desk.send(time, before[1], before[0], response(
                step["status"], before[2], to_tag=step["tags"][1], contact=step["contact"], expires=step["expires"]))
        elif step["what"] == "again" and before:
            desk.send(time, *before)
        elif step["what"] == "icmp":
            desk.feed(TransportError(START + time, 0, 1, ErrorKind.ICMP, path(source, destination), START + time,
                                     before[2][:300] if before else b""))
        elif step["what"] == "dns":
            address = destination.partition(":")[0]
            desk.feed(dns_answer(time, source.partition(":")[0], "sbc.x", "A", ("sbc.x", "A", 60, address),
                                 ("sbc.x", "A", 60, "10.0.0.1")))
        elif step["what"] == "syn":
            desk.feed(Connection(START + time, 0, 1, ConnectionKind.SYN, path(source, destination, "tcp")))
        else:
            made = request(
                step["method"], step["to"], source=source, branch=step["branch"], call_id=step["call_id"],
                cseq=step["cseq"], from_=step["from_"], to=step["to"], from_tag=step["tags"][0],
                to_tag=step["tags"][1], contact=step["contact"], expires=step["expires"], user_agent=step["agent"])
            asked.append((source, destination, made))
            desk.send(time, source, destination, made)


class Checked(Desk):
    """A desk that checks every event as it comes."""

    def feed(self, item: Any) -> list[ModelEvent]:
        events = list(super().feed(item))
        for event in events:
            assert event.phone in self.rec.phones
            assert event.line == NO_LINE or self.rec.lines[event.line].phone == event.phone
        return events


@settings(max_examples=80, deadline=None)
@given(steps, st.booleans())
def test_events_are_of_known_lines_and_answers_of_a_class_come_once(plan: list[dict[str, Any]], declared: bool) -> None:
    desk = Checked(entries={"sbc": entry(P, "sbc.x")} if declared else {})
    play(desk, plan)
    started = [event.transaction for event in desk.events if isinstance(event, Sent | Received)]
    assert len(started) == len(set(started))
    told = [
        (event.transaction, event.status // 100 if event.status != 100 else 0)
        for event in desk.events if isinstance(event, Answered | Replied)
    ]
    assert len(told) == len(set(told))
    desk.rec.finish()


@settings(max_examples=30, deadline=None)
@given(steps)
def test_the_same_packets_give_the_same_events(plan: list[dict[str, Any]]) -> None:
    one, two = Desk(), Desk()
    play(one, plan)
    play(two, plan)
    assert one.events == two.events
    assert [line.aor for line in one.rec.lines.values()] == [line.aor for line in two.rec.lines.values()]
