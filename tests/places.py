"""Places in a program where attributes are read and set, and methods called. Compiled code caches at each such place
what it met there (sipaudit/compiled.h). Each story prints its results, and runs in a process of its own, since a place
stops learning after some rounds; test_compiled.py compares compiled and interpreted results."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

ROUNDS = 100   # more than the rounds in which a place learns


class Slotted:
    """The usual case."""

    __slots__ = ("a", "b")

    def __init__(self, a: object = 1, b: object = 2) -> None:
        self.a = a
        self.b = b

    def said(self, *what: object) -> tuple[object, ...]:
        return (type(self).__name__, self.a, *what)


class Turned(Slotted):
    """Inherits the slots, adds one more, and overrides the method."""

    __slots__ = ("c",)

    def said(self, *what: object) -> tuple[object, ...]:
        return ("turned", *what)


class Apart:
    """Its slot `a` lies at another offset, behind `_first`; `said` is a slot too, not a method."""

    __slots__ = ("_first", "a", "said")

    def __init__(self, said: object = None) -> None:
        self._first = "first"
        self.a = "apart"
        self.said = said


class Open:
    """Has a `__dict__`, in which an instance attribute may hide a method."""

    def __init__(self) -> None:
        self.a: object = "open"

    def said(self, *what: object) -> tuple[object, ...]:
        return ("open", *what)


class Reckoned:
    """`a` is a property, `said` a static method."""

    @property
    def a(self) -> str:
        return "reckoned"

    @staticmethod
    def said(*what: object) -> tuple[object, ...]:
        return ("static", *what)


class Guessed:
    """Computes every attribute with `__getattr__`, and refuses to set any."""

    def __getattr__(self, name: str) -> Any:
        return len if name == "said" else f"guessed {name}"

    def __setattr__(self, name: str, value: object) -> None:
        raise TypeError(f"{name} is guessed")


class Value(Struct, frozen=True):
    """An immutable Struct, as messages are."""

    a: object = "value"

    def said(self, *what: object) -> tuple[object, ...]:
        return (self.a, *what)


class Changing(Struct):
    """A mutable Struct, as some records are."""

    a: object = "changing"


def read(thing: Any) -> Any:
    return thing.a


def write(thing: Any, value: object) -> None:
    thing.a = value


def call(thing: Any, *what: object) -> Any:
    return thing.said(*what)


def call_with_one(thing: Any, one: object) -> Any:
    return thing.said(one)


def came_of(act: Callable[..., object], *arguments: object) -> str:
    """The result of an act as text, or the exception it raises."""
    try:
        return repr(act(*arguments))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def of_many_types() -> Iterator[str]:
    things = [Slotted(), Turned(), Apart(len), Open(), Reckoned(), Guessed(), Value(), Changing()]
    for _ in range(ROUNDS):
        for thing in things:
            yield came_of(read, thing)
            yield came_of(call, thing, 3)
            yield came_of(call_with_one, thing, [4])
            yield came_of(write, thing, 5)


def of_two_types() -> Iterator[str]:
    for number in range(ROUNDS):
        thing = Slotted(number) if number % 2 else Apart(Slotted(number).said)
        yield from (came_of(read, thing), came_of(call_with_one, thing, number), came_of(write, thing, -number),
                    came_of(read, thing))


def of_what_is_not_there() -> Iterator[str]:
    thing = Slotted()
    read(thing)
    del thing.a
    yield came_of(read, thing)
    write(thing, "again")
    yield came_of(read, thing)
    borrower: Any = type("Borrower", (), {"__slots__": ("x",), "a": Slotted.__dict__["a"]})()
    borrower.x = "its own"
    for _ in range(2):
        yield from (came_of(read, borrower), came_of(write, borrower, 1), came_of(read, borrower))
    yield repr(borrower.x)
    unsaid = Apart()
    call_with_one(Apart(len), [])
    yield came_of(call_with_one, unsaid, [])
    del unsaid.said
    yield came_of(call_with_one, unsaid, [])


def _asked_for(_self: object) -> str:
    return "now a property"


def of_classes_that_change() -> Iterator[str]:
    base: Any = type("Base", (), {"__slots__": ("a",), "said": lambda _self, one: ("base", one)})
    changed: Any = type("Changed", (base,), {"__slots__": ()})
    thing = changed()

    def came() -> Iterator[str]:
        for _ in range(3):
            yield from (came_of(write, thing, 1), came_of(read, thing), came_of(call_with_one, thing, 2))

    yield from came()
    base.said = lambda _self, one: ("new", one)
    yield from came()
    changed.said = lambda _self, one: ("nearer", one)
    yield from came()
    changed.a = property(_asked_for)   # Python 3.13 names the getter, and compilers rename lambdas
    yield from came()
    del changed.a, changed.said
    yield from came()
    base.__getattribute__ = lambda _self, name: str.upper if name == "said" else f"any {name}"
    yield from came()
    base.__setattr__ = lambda _self, name, _value: {}[name]
    yield from came()


def of_a_method_that_is_hidden() -> Iterator[str]:
    thing: Any = Open()
    yield came_of(call_with_one, thing, 1)
    thing.said = str
    yield came_of(call_with_one, thing, 2)
    del thing.said
    yield came_of(call_with_one, thing, 3)


def of_a_method_that_takes_itself_away() -> Iterator[str]:
    class Once:
        __slots__ = ()

        def said(self, one: object) -> object:
            if one == ROUNDS:
                del Once.said
                gc.collect()
            return [one, *map(str, range(3))]

    for number in range(ROUNDS + 2):
        yield came_of(call_with_one, Once(), number)


def of_types_that_come_and_go() -> Iterator[str]:
    for number in range(ROUNDS):
        names = [f"n{index}" for index in range(number % 7)]
        kind = type("Passing", (), {"__slots__": (*names, "a"), "said": lambda _self, one, at=number: (at, one)})
        thing = kind()
        write(thing, number)
        yield came_of(read, thing)
        yield came_of(call_with_one, thing, 1)
        del kind, thing
        gc.collect()


def of_what_is_held() -> Iterator[str]:
    thing, value = Slotted(), object()
    before = sys.getrefcount(value), sys.getrefcount(thing)
    for _ in range(ROUNDS):
        write(thing, value)
        read(thing)
        call_with_one(thing, value)
        call_with_one(Apart(thing.said), value)
    write(thing, None)
    yield repr((sys.getrefcount(value) - before[0], sys.getrefcount(thing) - before[1]))


def of_what_ends_when_it_is_replaced() -> Iterator[str]:
    thing, seen = Slotted(), []

    class Last:
        def __del__(self) -> None:
            seen.append(read(thing))

    for number in range(3):
        write(thing, Last())
        write(thing, number)
    yield repr(seen)


STORIES: dict[str, Callable[[], Iterator[str]]] = {story.__name__: story for story in (
    of_many_types, of_two_types, of_what_is_not_there, of_classes_that_change, of_a_method_that_is_hidden,
    of_a_method_that_takes_itself_away, of_types_that_come_and_go, of_what_is_held, of_what_ends_when_it_is_replaced)}
