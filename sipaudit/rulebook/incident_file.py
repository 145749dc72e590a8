"""Reads one incident kind: its thresholds as data, and sentences that mention each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from sipaudit.rulebook.rule_file import documentation, identity
from sipaudit.rulebook.rules import IncidentKind
from sipaudit.rulebook.wording import NAME, in_words, names_in
from sipaudit.times import A_DAY
from sipaudit.yamlfile.fields import Fields
from sipaudit.yamlfile.wording import hint, quoted

KEYS = ("id", "title", "thresholds", "text", "documentation")


class Unit(StrEnum):
    """The unit of a threshold."""

    COUNT = "count"
    SECONDS = "seconds"
    SHARE = "share"
    FACTOR = "factor"


class Threshold(Struct, frozen=True):
    """The valid range of a threshold, and its meaning."""

    unit: Unit
    low: float
    high: float
    meaning: str


def _count(meaning: str) -> Threshold:
    return Threshold(Unit.COUNT, 1, 1_000_000, meaning)


def _seconds(meaning: str) -> Threshold:
    return Threshold(Unit.SECONDS, 1, A_DAY, meaning)


THRESHOLDS: dict[str, Threshold] = {
    "phones": _count("at least so many phones"),
    "lines": _count("at least so many lines"),
    "moves": _count("at least so many moves of each line"),
    "requests": _count("at least so many requests"),
    "responses": _count("at least so many responses"),
    "share": Threshold(Unit.SHARE, 0, 1, "at least this part of the whole, from 0 to 1"),
    "factor": Threshold(Unit.FACTOR, 1, 1000, "at least so many times the usual"),
    "back": Threshold(Unit.FACTOR, 1, 1000, "over when below so many times the usual"),
    "within": _seconds("counted over so many seconds"),
    "lasting": _seconds("only after so many seconds"),
    "quiet": _seconds("over after so many seconds without new evidence"),
}


def read_incident(fields: Fields, file: str) -> IncidentKind:
    """The incident kind of one file; errors are added to the problems."""
    fields.keys(KEYS)
    given = fields.mapping("thresholds", "{phones: 2, within: 60}")
    text = fields.mapping("text", "{starts: TEXT, ends: TEXT}")
    text.keys(("starts", "ends"))
    kind = IncidentKind(
        id=identity(fields), title=fields.text("title"),
        thresholds=read_thresholds(given, [name for name in given.node.items if _known(name, given)]),
        starts=text.text("starts"), ends=text.text("ends"),
        documentation=documentation(fields, ("false_positives", "misses")), file=file,
    )
    for message in _unsaid(kind, frozenset(given.node.items)):
        text.problems.add(text.node.line, message, "the text names each threshold as {name}, and no other")
    return kind


def _known(name: str, given: Fields) -> bool:
    if name not in THRESHOLDS:
        given.wrong(name, f"unknown threshold {quoted(name)}{hint(name, THRESHOLDS)}",
                    f"use one of {', '.join(THRESHOLDS)}")
    return name in THRESHOLDS


def read_thresholds(given: Fields, names: list[str]) -> dict[str, float]:
    """Those of these thresholds that are valid, with their values."""
    read: dict[str, float] = {}
    for name in names:
        value = _value(given, name, THRESHOLDS[name])
        if value is not None:
            read[name] = value
    return read


def _value(given: Fields, name: str, kind: Threshold) -> float | None:
    if kind.unit is Unit.COUNT:
        return given.whole(name, int(kind.low), int(kind.high))
    return given.number(name, kind.low, kind.high, "seconds" if kind.unit is Unit.SECONDS else "a number")


def _unsaid(kind: IncidentKind, thresholds: frozenset[str]) -> Iterator[str]:
    said = {*names_in(kind.starts), *names_in(kind.ends)}
    yield from (f"the text does not say {{{name}}}" for name in sorted(thresholds - said))
    yield from (f"there is no threshold {{{name}}}" for name in sorted(said - thresholds))


def say(text: str, thresholds: Mapping[str, float]) -> str:
    """The sentence with its thresholds filled in: `2`, `10 %`, `60 s`."""
    return NAME.sub(lambda match: in_unit(match[1], thresholds[match[1]]), text)


def in_unit(name: str, value: float) -> str:
    """A threshold in readable form."""
    unit = THRESHOLDS[name].unit
    if unit is Unit.SECONDS:
        return in_words(value)
    return f"{value * 100:g} %" if unit is Unit.SHARE else f"{value:g}"
