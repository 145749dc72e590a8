"""What users and far ends do: calls out and in, subscriptions, messages, keepalives."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.fleet.clock import Task
from tests.model.fleet.line import Line
from tests.model.fleet.phone import Outcome
from tests.model.fleet.wire import Callee, Details


@dataclass
class Dialog:
    call: int
    server: str
    call_id: str


def makes_calls(line: Line) -> Task:
    """A user who makes a call from time to time."""
    chance = line.phone.chance
    while True:
        yield chance.expovariate(1 / line.habits.calls)
        if not line.off:
            line.phone.clock.start(_outgoing(line), line.phone.life)


def _outgoing(line: Line) -> Task:
    phone, chance = line.phone, line.phone.chance
    number, call_id = phone.wire.new_number(), phone.new_call_id()
    final = chance.choice((200, 200, 200, 200, 486, 404, 0))
    callee = Callee(chance.uniform(0.1, 2.0), chance.uniform(0.1, 12.0), final)
    hang_up = phone.now + chance.uniform(0.2, 60) if final == 0 or chance.random() < 0.15 else None
    request: Details = {"call": number, "call_id": call_id, "callee": callee, "target": f"t{number}"}
    phone.calls += 1
    if line.habits.emergencies and chance.random() < 0.2:
        request["emergency"] = True
        outcome: Outcome = yield from phone.ask(line.number, chance.choice(phone.order), "INVITE", hang_up=hang_up,
                                                **request)
    else:
        outcome = yield from line.originate("INVITE", hang_up=hang_up, **request)
    exchange = outcome.exchange
    if exchange is not None and outcome.alive and exchange.server == line.working:
        line.exhausted = False  # it answers: its failure no longer stands, whoever was called (section 1, failure)
    if exchange is not None and outcome.good and not outcome.abandoned:
        yield from _talk(line, Dialog(exchange.call or number, exchange.server, exchange.call_id))
    phone.calls -= 1


def _talk(line: Line, dialog: Dialog) -> Task:
    """A call that is up, until one end hangs up or R2 ends it silently (F9)."""
    phone, chance = line.phone, line.phone.chance
    since, end = phone.now, phone.now + chance.expovariate(1 / line.habits.talk) + 0.5
    phone.talking.append(since)
    alive = True
    while alive and line.habits.holds and phone.now < end:
        yield min(chance.uniform(3, 60), end - phone.now)
        if phone.now < end:
            method = chance.choice(("INVITE", "INVITE", "UPDATE"))
            alive = yield from (_in_dialog(line, dialog, method) if chance.random() < 0.7
                                else _far_request(line, dialog, method))
    yield max(end - phone.now, 0.0)
    far_end_hangs_up = chance.random() < 0.5 and phone.wire.plan.reaches(dialog.server, phone.now, "BYE")
    if not alive:
        phone.clock.start(_ghost(line, dialog), phone.life)
    elif far_end_hangs_up:
        yield from _far_request(line, dialog, "BYE")
    else:
        yield from _in_dialog(line, dialog, "BYE")
    phone.talking.remove(since)


def _mute(line: Line, server: str) -> bool:
    """R2: whether the server is failed, so that nothing is exchanged with it (F9)."""
    return line.habits.regime == "R2" and server in line.failed


def _in_dialog(line: Line, dialog: Dialog, method: str) -> Task:
    """The phone sends a request in the dialog; returns whether the call is still alive."""
    phone = line.phone
    if _mute(line, dialog.server):
        if not line.habits.breaks("signalling-to-failed-server"):
            return False
        phone.wronged("signalling-to-failed-server", line.number)
    if method == "BYE":
        phone.clock.after(0.0, lambda: phone.wire.bye(dialog.call, line.number, dialog.server))
    callee = Callee(0.1, 0.1, 200) if method == "INVITE" else None
    outcome = yield from phone.ask(line.number, dialog.server, method, in_dialog=True, call=dialog.call,
                                   call_id=dialog.call_id, callee=callee)
    return outcome.good or outcome.status == 503


def _far_request(line: Line, dialog: Dialog, method: str) -> Task:
    """The far end sends a request in the dialog; returns whether the call is still alive."""
    phone, wire = line.phone, line.phone.wire
    if not wire.plan.reaches(dialog.server, phone.now, method):
        return True
    number = wire.receive(line.number, dialog.server, method, dialog.call, in_dialog=True)
    status = 200
    if _mute(line, dialog.server):
        if line.habits.breaks("accepted-from-failed-server"):
            phone.wronged("accepted-from-failed-server", line.number)
        else:
            status = phone.chance.choice((481, line.habits.refuses))
    yield 0.05
    if status:
        wire.reply(line.number, dialog.server, method, number, status, dialog.call, in_dialog=True)
    return status == 200 and method != "BYE"


def _ghost(line: Line, dialog: Dialog) -> Task:
    """The phone ended the call silently, and the far end learns it: its BYE gets a 481."""
    yield line.phone.chance.uniform(5, 100)
    wire = line.phone.wire
    if wire.plan.reaches(dialog.server, line.phone.now, "BYE") and not line.off:
        number = wire.receive(line.number, dialog.server, "BYE", dialog.call, in_dialog=True)
        yield 0.02
        wire.reply(line.number, dialog.server, "BYE", number, 481, dialog.call, in_dialog=True)


def gets_calls(line: Line) -> Task:
    """Callers of the line, through any server at which it is registered."""
    phone, plan = line.phone, line.phone.wire.plan
    while plan.far_calls:
        yield phone.chance.expovariate(1 / plan.far_calls)
        known = [server for server in phone.order if plan.reaches(server, phone.now, "INVITE") and (
            line.habits.direct or phone.wire.registered.get((server, line.number), 0.0) > phone.now)]
        if known and not line.off:
            phone.clock.start(_incoming(line, phone.chance.choice(known)), phone.life)


def _incoming(line: Line, server: str) -> Task:
    phone, wire, chance = line.phone, line.phone.wire, line.phone.chance
    call = wire.new_number()
    number = wire.receive(line.number, server, "INVITE", call, in_dialog=False)

    def reply(status: int) -> None:
        wire.reply(line.number, server, "INVITE", number, status, call)

    yield 0.03
    if _mute(line, server) and not line.habits.breaks("accepted-from-failed-server"):
        if line.habits.refuses:
            reply(line.habits.refuses)
        return
    if _mute(line, server):
        phone.wronged("accepted-from-failed-server", line.number)
    if phone.calls and chance.random() < 0.4:
        reply(486)
        return
    phone.calls += 1
    if chance.random() < 0.9:
        reply(180)
    yield chance.uniform(0.5, 15)
    if chance.random() < 0.2 and wire.plan.reaches(server, phone.now, "CANCEL"):
        cancel = wire.receive(line.number, server, "CANCEL", call, in_dialog=False)
        wire.reply(line.number, server, "CANCEL", cancel, 200, call)
        reply(487)
    elif chance.random() < 0.15:
        reply(480)
    else:
        reply(200)
        yield from _talk(line, Dialog(call, server, f"x{number}"))
    phone.calls -= 1


def subscribes(line: Line) -> Task:
    """A subscription and its refreshes, which are requests in its dialog (RFC 6665)."""
    phone, chance = line.phone, line.phone.chance
    yield chance.uniform(1, 30)
    while True:
        call_id = phone.new_call_id()
        outcome: Outcome = yield from line.originate("SUBSCRIBE", expires=300.0, call_id=call_id)
        while outcome.good and outcome.exchange is not None:
            server = outcome.exchange.server
            yield 0.05
            yield from _notify(line, server, in_dialog=True)
            yield chance.uniform(100, 280)
            if chance.random() < 0.5:
                yield from _notify(line, server, in_dialog=True)
            if _mute(line, server) or line.off:
                break
            outcome = yield from phone.ask(line.number, server, "SUBSCRIBE", in_dialog=True, expires=300.0,
                                           call_id=call_id)
        yield chance.uniform(30, 200)


def _notify(line: Line, server: str, *, in_dialog: bool) -> Task:
    wire = line.phone.wire
    if wire.plan.reaches(server, line.phone.now, "NOTIFY") and not line.off:
        number = wire.receive(line.number, server, "NOTIFY", None, in_dialog=in_dialog)
        yield 0.02
        wire.reply(line.number, server, "NOTIFY", number, 200, None, in_dialog=in_dialog)


def sends_messages(line: Line) -> Task:
    while True:
        yield line.phone.chance.uniform(30, 300)
        if not line.off:
            yield from line.settled()
            yield from line.phone.ask(line.number, line.working, line.phone.chance.choice(("MESSAGE", "PUBLISH")))


def keeps_alive(line: Line) -> Task:
    """OPTIONS from the phone to any of its servers; OPTIONS and NOTIFY from the servers to the phone."""
    phone, chance, period = line.phone, line.phone.chance, line.habits.options
    while period:
        yield period
        if line.off:
            continue
        server = chance.choice(phone.order)
        if chance.random() < 0.6:
            phone.clock.start(phone.ask(line.number, server, "OPTIONS"), phone.life)
        elif phone.wire.plan.reaches(server, phone.now, "OPTIONS"):
            number = phone.wire.receive(line.number, server, "OPTIONS", None, in_dialog=False)
            yield 0.02
            phone.wire.reply(line.number, server, "OPTIONS", number, 200, None)
        yield from _notify(line, server, in_dialog=False)
