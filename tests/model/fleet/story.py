"""A seed becomes a history: a phone with its habits, servers with their plan, and the events that an observer sees."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from sipaudit.model.events import ModelEvent
from sipaudit.model.profile import Profile
from tests.model.fleet import calls
from tests.model.fleet.clock import Clock, Life, Task
from tests.model.fleet.habits import Draw, Habits, entry_of, profile_of
from tests.model.fleet.line import Line
from tests.model.fleet.phone import Phone, Wronged
from tests.model.fleet.servers import Plan, any_plan, plain_plan
from tests.model.fleet.wire import Wire
from tests.model.fleet.wrongs import BY_RULE


@dataclass
class History:
    """The events that an observer sees, and the wrongs that the phone noted.

    `profiles` are (from when, profile): a DNS answer may change the list.
    """

    seed: int
    habits: Habits
    events: list[ModelEvent]
    profiles: list[tuple[float, Profile]]
    wrongs: list[Wronged] = field(default_factory=list)


def obedient(seed: int) -> History:
    """An obeying phone, among servers that fail in any way."""
    chance = random.Random(seed)
    habits = Draw(chance).any_phone()
    return live(seed, habits, any_plan(chance, habits.servers, habits.length, habits.transport))


def disobedient(seed: int, rule: str, length: float = 3000.0) -> History:
    """A phone that breaks one rule, in circumstances that leave no doubt; `length` in seconds."""
    chance = random.Random(f"{rule} {seed}")
    habits = Draw(chance).plain_phone(rule, length)
    return live(seed, habits, plain_plan(chance, habits.servers, habits.length, **BY_RULE[rule].plan))


def plain(seed: int, length: float = 3000.0) -> History:
    """An obeying phone in the circumstances of `disobedient`: it may only get findings with a weak basis."""
    chance = random.Random(f"plain {seed}")
    habits = Draw(chance).plain_phone(None, length)
    return live(seed, habits, plain_plan(chance, habits.servers, habits.length))


def live(seed: int, habits: Habits, plan: Plan) -> History:
    """The life of one phone."""
    chance = random.Random(f"phone {seed}")
    clock = Clock()
    wire = Wire(clock, plan, habits.lines, habits.transport)
    phone = Phone(habits, clock, wire, chance, list(habits.servers))
    _start(phone)
    for _ in range(habits.boots):
        clock.after(chance.uniform(0.1, 0.9) * habits.length, lambda: _boot(phone))
    clock.run(habits.length)
    told = profile_of(habits)
    profiles = [(-1.0, told)] + [
        (time, _with_order(told, habits, order)) for time, order in phone.orders]
    wrongs = phone.wrongs + [Wronged(time, "registration-without-expiry", line) for time, line in wire.grants_nothing]
    return History(seed, habits, wire.events, profiles, wrongs)


def _with_order(profile: Profile, habits: Habits, order: tuple[str, ...]) -> Profile:
    return Profile(**{name: getattr(profile, name) for name in profile.__struct_fields__}
                   | {"entry": entry_of(habits, order, None)})


def _start(phone: Phone) -> None:
    """The phone starts: nothing is registered, everything begins at the head of the list."""
    habits = phone.habits
    for number in range(habits.lines):
        line = Line(phone, number)
        tasks: list[Task] = [_registers(line, 0.3 * number), calls.makes_calls(line), calls.gets_calls(line)]
        if habits.subscribes:
            tasks.append(calls.subscribes(line))
        if habits.messages:
            tasks.append(calls.sends_messages(line))
        if habits.options:
            tasks.append(calls.keeps_alive(line))
        if habits.logs_out:
            tasks.append(_logs_out(line))
        for task in tasks:
            phone.clock.start(task, phone.life)


def _registers(line: Line, delay: float) -> Task:
    yield delay
    yield from line.keep_registered()


def _logs_out(line: Line) -> Task:
    """The user logs out, and later logs in again."""
    yield line.phone.chance.uniform(0.2, 0.8) * line.habits.length
    yield from line.settled()
    yield from line.log_out()
    yield line.phone.chance.uniform(20, 300)
    line.log_in()
    line.phone.clock.start(line.keep_registered(), line.phone.life)


def _boot(phone: Phone) -> None:
    """The phone forgets everything; the observer sees its start, or can only guess it."""
    phone.life.over = True
    phone.life = Life()
    phone.forget()
    phone.clock.start(_comes_up(phone), phone.life)


def _comes_up(phone: Phone) -> Task:
    yield phone.chance.uniform(25, 90)
    if phone.chance.random() < 0.5:
        phone.wire.booted(possible=False)
        yield phone.chance.uniform(0.1, 5)
    _start(phone)
