"""What a phone does by schedule: start, calls, subscriptions, OPTIONS, keepalives, log-out."""

from __future__ import annotations

from sipaudit.simulate.clock import Steps
from sipaudit.simulate.moments import at_moments
from sipaudit.simulate.phone.attending import attend, log_out
from sipaudit.simulate.phone.calling import place_call
from sipaudit.simulate.phone.device import Phone
from sipaudit.simulate.phone.line import Line
from sipaudit.simulate.plan.values import Calls
from sipaudit.simulate.wire.start import start

BETWEEN_LINES = 0.1
LOOKS_EVERY = 1.0   # seconds between checks whether calls go through the second entry
OFF = (25.0, 40.0)  # seconds that a restart takes


def begin(phone: Phone) -> None:
    """Power on: every line registers, and follows the plan's schedule."""
    group = phone.group
    wait = 0.0
    if group.boot_traffic:
        wait = start(phone.network, phone.wire, phone.mac, group.agent, phone.number)
    phone.attach()
    for number, line in enumerate(phone.lines.values()):
        phone.do(_line(line, wait + number * BETWEEN_LINES))
    if group.keepalive_every:
        phone.do(_keepalive(phone))


def _line(line: Line, wait: float) -> Steps[None]:
    yield wait
    phone, group = line.phone, line.phone.group
    tasks = [phone.do(attend(line)), *(phone.do(_calls(line, calls)) for calls in group.calls)]
    if line.fallback is not None:
        tasks.append(phone.do(_stand_in(line, line.fallback)))
    if group.subscribe:
        tasks.append(phone.do(_subscription(line)))
    if group.options_every:
        tasks.append(phone.do(_options(line)))
    if group.log_out is not None and group.log_out > phone.clock.now:
        yield group.log_out - phone.clock.now
        for task in tasks:
            task.stop()
        yield from log_out(line)


def _stand_in(line: Line, fallback: Line) -> Steps[None]:
    """Attend the line's second entry: register there while the first entry is down, and let that expire afterwards."""
    while True:
        while not line.down:
            yield LOOKS_EVERY
        task = line.phone.do(attend(fallback))
        while line.down:
            yield LOOKS_EVERY
        task.stop()


def _calls(line: Line, plan: Calls) -> Steps[None]:
    phone = line.phone
    return at_moments(plan, phone.clock, phone.chance, lambda: phone.do(place_call(line, plan)))


def _subscription(line: Line) -> Steps[None]:
    """A subscription at the line's working server, refreshed within its dialog (F12), and replaced when that fails."""
    phone = line.phone
    while True:
        while not line.live(line.working):
            yield 1.0
        index, tag, call_id = line.working, phone.name("s"), phone.call_id("sub")
        cseq, to_tag, target = 0, "", line.aor
        while not line.shuns(index):
            cseq += 1
            request = line.request(
                "SUBSCRIBE", call_id, cseq, target, line.aor, tag, to_tag=to_tag,
                expires=phone.group.subscribe_expires, headers="Event: message-summary\r\n",
            )
            answer = yield from phone.ask(line.servers[index], request, last=True)
            if not answer.ok or answer.message is None:
                break
            to_tag, target = answer.message.to_tag, answer.message.target
            yield max(5.0, (answer.message.expires or 60) - 30.0)
        yield 30.0 + 30.0 * phone.chance.random()


def _options(line: Line) -> Steps[None]:
    """Send OPTIONS to the working server periodically (the auditor never judges them)."""
    phone = line.phone
    while True:
        yield phone.group.options_every
        request = line.request("OPTIONS", phone.call_id("opt"), 1, f"sip:{line.domain}", line.aor, phone.name("o"))
        yield from phone.ask(line.servers[line.working], request, last=True)


def _keepalive(phone: Phone) -> Steps[None]:
    """Send CRLF to the working server of each line periodically (RFC 5626 4.4.1)."""
    while True:
        yield phone.group.keepalive_every
        for line in phone.lines.values():
            phone.network.send_raw(phone.wire, line.servers[line.working], b"\r\n\r\n")
