"""A line's events written in the scenario language, so that a field incident becomes a test by copy and paste."""

from __future__ import annotations

from sipaudit.model.events import (
    Answered,
    Booted,
    CallChanged,
    Contacted,
    EntryChanged,
    Failed,
    Lost,
    ModelEvent,
    Received,
    Replied,
    Resent,
    Sent,
)

NUMBERS_KEPT = 10_000


class Transcript:
    """Writes events as scenario lines; times count from `origin`, servers have the short names given."""

    def __init__(self, names: dict[str, str], origin: float) -> None:
        self.short = {key: name for name, key in names.items()}
        self.origin = origin
        self.latest: dict[tuple[str, str], int] = {}
        self.numbers: dict[int, int] = {}
        self.last = 0

    def line(self, event: ModelEvent) -> str:
        """One event as one line. Server names that a scenario does not know are written as they are."""
        return f"{event.time - self.origin:<10.3f} {self._body(event)}".rstrip()

    def name(self, server: str) -> str:
        return self.short.get(server, server)

    def _body(self, event: ModelEvent) -> str:
        match event:
            case Sent():
                follows = self._follows(event)
                self._open(event)
                return self._sent(event, follows)
            case Resent():
                return f">> {self.name(event.server)} {event.method}{self._tag(event)}"
            case Answered():
                return self._answered(event)
            case Received():
                self._open(event)
                return f"< {self.name(event.server)} {event.method}{_flag(event.in_dialog, 'dialog')}{_call(event)}"
            case Replied():
                words = f"{self._tag(event)}{_flag(event.in_dialog, 'dialog')}{_call(event)}"
                return f"> {self.name(event.server)} {event.status} {event.method}{words}"
            case Failed():
                return f"! {self.name(event.server)} {event.kind}"
            case Contacted():
                return f"~ {self.name(event.server)} {event.kind}"
            case _:
                return f"* {self._note(event)}"

    def _follows(self, event: Sent) -> str:
        """The `follows` of a re-send, with a number if that is not the last transaction of its method at its server."""
        number = self.numbers.get(event.follows or 0)
        if number is None or self.latest.get((event.server, event.method)) == number:
            return _flag(event.follows is not None, "follows")
        return f" follows={number}"

    def _sent(self, event: Sent, follows: str) -> str:
        expires = "" if event.expires is None else f" expires={event.expires:g}"
        flags = _flag(event.in_dialog, "dialog") + _flag(event.fresh, "fresh") + _flag(event.anew, "anew")
        flags += _flag(event.emergency, "emergency") + _flag(event.addressed, "addressed")
        follows += _flag(event.proves, "proves")
        return (f"> {self.name(event.server)} {event.method}{expires}{flags}{follows}{_call(event)}"
                f"{_word('id', event.call_id)}{_word('to', event.target)}")

    def _answered(self, event: Answered) -> str:
        expires = "" if event.granted is None else f" expires={event.granted:g}"
        own = ""
        if event.method == "REGISTER" and 200 <= event.status < 300 and event.own is not True:
            own = " own=no" if event.own is False else " own=none"
        retry = "" if event.retry_after is None else f" retry-after={event.retry_after}"
        call = _call(event) if event.sent is None else ""  # otherwise its request has it
        return f"< {self.name(event.server)} {event.status} {event.method}{self._tag(event)}{expires}{own}{retry}{call}"

    def _note(self, event: Booted | Lost | CallChanged | EntryChanged) -> str:
        match event:
            case Booted():
                return "boot" if event.possible else "boot seen"
            case Lost():
                since = "" if event.since is None else f" since={event.since - self.origin:.3f}"
                return f"lost {event.why}{since}"
            case CallChanged():
                return f"call {self.name(event.server)} {event.state} #{event.call}"
            case _:
                until = event.until - self.origin
                changed = _flag(event.reordered, "reordered") + _flag(event.asked, "asked")
                changed += _flag(not event.own, "others") + _flag(event.turned, "turned")
                return f"dns ttl={event.ttl_low:g}..{event.ttl_high:g} until={until:.3f}{changed}"

    def _open(self, event: Sent | Received) -> None:
        """Number a new transaction as the reader will; the oldest are forgotten."""
        self.last += 1
        self.numbers[event.transaction] = self.last
        self.latest[event.server, event.method] = self.last
        if len(self.numbers) > NUMBERS_KEPT:
            del self.numbers[next(iter(self.numbers))]

    def _tag(self, event: Resent | Answered | Replied) -> str:
        """The number of an answer's transaction, unless it is the last of its method at its server."""
        number = self.numbers.get(event.transaction, 0)
        return "" if self.latest.get((event.server, event.method)) == number else f" #{number}"


def _flag(said: bool, word: str) -> str:
    return f" {word}" if said else ""


def _call(event: Sent | Answered | Received | Replied) -> str:
    return "" if event.call is None else f" call={event.call}"


def _word(key: str, text: str) -> str:
    """` key=text` without the characters that a scenario line cannot hold; empty if no text is left."""
    kept = "".join(letter for letter in text if letter.isprintable() and not letter.isspace())
    return f" {key}={kept}" if kept else ""
