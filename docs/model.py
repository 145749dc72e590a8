"""`python -m docs.model`: writes the parts of docs/reference-model.md that are generated from the model: the rows of
its tables and the diagrams of its machines. A test checks that the page is up to date."""

from __future__ import annotations

import inspect
import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from docs import trace
from docs.parts import replaced
from sipaudit.model import machines
from sipaudit.model.absorb import absorb_line
from sipaudit.model.absorb_phone import absorb_phone
from sipaudit.model.events import Answered, Booted, Failed, FailureKind, ModelEvent, Sent
from sipaudit.model.expectations import MUST, MUST_NOT, Row
from sipaudit.model.settings import Mode, Regime
from sipaudit.model.state import LineState, PhoneState, Track

PAGE = Path(__file__).parent / "reference-model.md"
P, S = "10.0.0.1:5060", "10.0.0.2:5060"
EXPIRES = 600.0


# -- the tables ------------------------------------------------------------------------------------------------------

def rows(table: Iterable[Row]) -> str:
    """The rows of a table of expectations, as a Markdown table."""
    lines = ["| expectation | clause | trigger | at | regimes | modes | comes into play | deviates when |",
             "|---|---|---|---|---|---|---|---|"]
    lines += [
        f"| `{row.expectation}` ({row.verdict}) | {row.clause} | {row.trigger} | {row.place} "
        f"| {_all(row.regimes, Regime)} | {_all(row.modes, Mode)} | {_names(row.reach)} | {_names(row.when)} |"
        for row in table
    ]
    return "\n".join(lines)


def _all(some: frozenset[Regime] | frozenset[Mode], kind: type[Regime] | type[Mode]) -> str:
    return "all" if some == frozenset(kind) else " ".join(str(one) for one in kind if one in some)


def _names(conditions: Iterable[Callable[..., object]]) -> str:
    return ", ".join(condition.__name__.replace("_", " ") for condition in conditions)


def conditions() -> str:
    """A list of all conditions of the tables, each with its docstring."""
    used = {condition for row in (*MUST_NOT, *MUST) for condition in (*row.reach, *row.when)}
    return "\n".join(f"- **{one.__name__.replace('_', ' ')}**: {_sentence(one)}"
                     for one in sorted(used, key=lambda condition: condition.__name__))


def _sentence(condition: Callable[..., object]) -> str:
    return " ".join((inspect.getdoc(condition) or "").split())


# -- the machines ----------------------------------------------------------------------------------------------------

class World:
    """The states of a line and its phone, and the clock. The line works with P and may move to S; the methods are what
    can happen to its registration at P."""

    def __init__(self) -> None:
        self.line, self.phone, self.now = LineState(), PhoneState(), 1000.0
        self.number = 0

    def after(self, name: str) -> World:
        """A copy of this world in which the happening `name` came next."""
        world = World()
        world.line, world.phone, world.now, world.number = self.line, self.phone, self.now + 0.1, self.number
        HAPPENINGS[name](world)
        return world

    def ask(self, server: str, method: str = "REGISTER", expires: float | None = EXPIRES) -> Sent:
        self.number += 1
        sent = Sent(self.now, 0, self.number, 0, 0, server, method, self.number,
                    expires=expires if method == "REGISTER" else None)
        self._take(sent)
        self.now += 0.1
        return sent

    def answer(self, sent: Sent, status: int, granted: float | None = None) -> None:
        self._take(Answered(self.now, 0, self.number, 0, 0, sent.server, sent.method, sent.transaction, status,
                            sent=sent.time, granted=granted, own=True if sent.method == "REGISTER" else None,
                            asked=sent.expires))
        self.now += 0.1

    def move(self, here: str, there: str) -> None:
        """The line's call to `here` fails (ICMP), so it registers at `there`."""
        call = self.ask(here, "INVITE")
        self._take(Failed(self.now, 0, self.number, 0, 0, here, FailureKind.ICMP, call.time, call.transaction))
        self.now += 0.1
        self.answer(self.ask(there), 200, EXPIRES)

    def boot(self) -> None:
        self._take(Booted(self.now, 0, self.number, 0, 0, False))

    def _take(self, event: ModelEvent) -> None:
        self.line, self.phone = absorb_line(self.line, self.phone, event), absorb_phone(self.phone, event)

    @property
    def works_with(self) -> str | None:
        stay = self.line.stays[Track.REGAINED]
        return stay.server if stay else None

    def pending(self) -> Sent | None:
        binding = self.line.binding(P)
        return binding.register if binding else None


def _answered(status: int, granted: float | None = None, *, removal: bool = False) -> Callable[[World], None]:
    """The answer to the pending REGISTER, if any; `removal`: only to one with expiry 0, otherwise only to others."""
    def happen(world: World) -> None:
        register = world.pending()
        if register is not None and (register.expires == 0) is removal:
            world.answer(register, status, granted)
    return happen


def _fails_over(world: World) -> None:
    if world.works_with == P:
        world.move(P, S)


def _waits(world: World) -> None:
    world.now += EXPIRES


HAPPENINGS: dict[str, Callable[[World], object]] = {
    "REGISTER": lambda world: world.ask(P),
    "removal": lambda world: world.ask(P, expires=0.0),
    "401": _answered(401),
    "200": _answered(200, EXPIRES),
    "200 that says 0": _answered(200, 0.0),
    "200 to a removal": _answered(200, removal=True),
    "403": _answered(403),
    "failover to another server": _fails_over,
    "the expiry passes": _waits,
    "boot seen": World.boot,
}


def _state(world: World, machine: str) -> str:
    if machine == "failed":
        return str(machines.failed_server(world.line.mark(P), world.now))
    return str(machines.registration(world.line.binding(P), world.now, invalidates=machine == "R2, R3"))


def _key(world: World) -> tuple[object, ...]:
    """The properties that distinguish two worlds in the diagrams."""
    register = world.pending()
    return (*(_state(world, machine) for machine in ("R0, R1", "R2, R3", "failed")), world.works_with,
            register is not None and register.expires)


def transitions(machine: str) -> dict[tuple[str, str], set[str]]:
    """(state, happening) -> the states that may follow, over all reachable worlds."""
    found: dict[tuple[str, str], set[str]] = {}
    seen, left = {_key(World())}, deque([World()])
    while left:
        world = left.popleft()
        for name in HAPPENINGS:
            after = world.after(name)
            found.setdefault((_state(world, machine), name), set()).add(_state(after, machine))
            if _key(after) not in seen:
                seen.add(_key(after))
                left.append(after)
    return found


def diagram(machine: str) -> str:
    """The machine as a Mermaid diagram: one arrow for all happenings that lead from one state to another."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, name), following in sorted(transitions(machine).items()):
        for other in sorted(following - {state}):
            arrows.setdefault((state, other), []).append(name)
    lines = [f"    {_word(state)} --> {_word(other)}: {' / '.join(names)}" for (state, other), names in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {_word(_state(World(), machine))}", *lines, "```"])


def _word(state: str) -> str:
    return state.replace(" ", "_")


# -- the page --------------------------------------------------------------------------------------------------------

def parts() -> dict[str, str]:
    """The generated parts of the page by name."""
    return {
        "requirements": trace.requirements(), "rules": trace.rules(),
        "must-not": rows(MUST_NOT), "must": rows(MUST), "conditions": conditions(),
        "registration R0, R1": diagram("R0, R1"), "registration R2, R3": diagram("R2, R3"), "failed": diagram("failed"),
    }


def put(page: str, generated: dict[str, str]) -> str:
    """The page with its generated parts replaced."""
    for name, text in generated.items():
        page = replaced(page, name, f"\n{text}\n")
    return page


if __name__ == "__main__":
    PAGE.write_text(put(PAGE.read_text(), parts()))
    print(f"{PAGE}: {len(list(itertools.chain(MUST_NOT, MUST)))} rows", file=sys.stderr)
