"""The scenario language: a line's history as timed text, and what is to be observed of it.

    entry: P S                     servers of the entry, highest priority first; `P=10.0.0.1:5060` names the address
    settings: reRegisterOn=1 failBack.mode=duration failBack.timeout=60
    agent: VVX_500 4.0.1.13681     model and firmware

    0       > P REGISTER           the phone starts a request       (dialog, expires=60, fresh, anew, follows, proves,
                                                                    emergency, addressed, call=1, id=CALL-ID, to=TARGET,
                                                                    follows=3: of that transaction)
    0.1     < P 200 REGISTER       a response reaches the phone     (expires=60, own=no, own=none, retry-after=5)
    300     > P INVITE
    300.5   >> P INVITE            ... sends it again
    301     ! P icmp               transport failure: icmp refused reset tls dns
    302     ~ S syn                a contact that is no request: syn lookup closed dropped sought resolved unread
    303     < P NOTIFY             a server starts a request, `> P 200 NOTIFY` the phone answers it
    304     * boot                 also: lost WHY since=290, call P up, dns ttl=20..300 until=400 reordered asked others
                                                       turned
    ----
    303.5 signalling-to-unregistered-server S certain

Also understood: `show: moves registrations tries` (rows expected below the rule), `covered: 600` (seconds that the
capture shows before time 0), `heard: P` (servers that were heard at all), `# comment`.

A request gets the next transaction number, or `#7` when it says so; an answer
belongs to the last request of its method at its server unless it says `#7`.
`sipaudit events` prints captures in this language (`model/transcript.py`), the tests read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from sipaudit.model.events import (
    Answered,
    Booted,
    CallChanged,
    Contacted,
    ContactKind,
    EntryChanged,
    Failed,
    FailureKind,
    Lost,
    ModelEvent,
    Received,
    Replied,
    Resent,
    Sent,
)
from sipaudit.model.profile import Profile, Vendor, vouched
from sipaudit.model.settings import EntryServer, LineSettings, Origin, ServerEntry, Setting

RULE = "----"
HEADERS = frozenset({"entry", "settings", "agent", "ttl", "covered", "heard", "show"})
CALL_STATES = ("ringing", "up", "over")
# The options of each kind of event, apart from its number; a misspelt one would change the scenario unnoticed.
REQUEST = ("dialog", "expires", "fresh", "anew", "follows", "proves", "emergency", "addressed", "call", "id", "to")
RESPONSE = ("expires", "own", "retry-after", "dialog", "call")
OF_SERVER = ("dialog", "call")   # a request of a server, and the phone's answer
NAMES = ("ttl", "until", "reordered", "asked", "others", "turned")
DEFAULT_COVER = 100_000.0  # a scenario starts with a capture that has long been running, unless it says `covered:`


class ScenarioError(ValueError):
    """A line of a scenario that cannot be read; the text quotes it."""


class Scenario(Struct, frozen=True):
    """A parsed scenario: its events, the profile they are judged by, and the lines expected below the rule."""

    profile: Profile
    events: tuple[ModelEvent, ...]
    expected: tuple[str, ...]
    names: dict[str, str]
    show: frozenset[str] = frozenset()


def parse(text: str) -> Scenario:
    """Read a scenario. Raises ScenarioError with the line that is wrong."""
    head, _, tail = text.partition(f"\n{RULE}")
    headers: dict[str, str] = {}
    lines: list[str] = []
    for raw in head.splitlines():
        line = raw.partition("  #")[0].strip()
        if not line or line.startswith("#"):
            continue
        key, colon, value = line.partition(":")
        if colon and key in HEADERS:
            headers[key] = value.strip()
        else:
            lines.append(line)
    names = _names(headers.get("entry", ""))
    expected = tuple(line.strip() for line in tail.splitlines() if line.strip())
    events = tuple(_Reader(names).read(lines))
    return Scenario(_profile(headers, names), events, expected, names, frozenset(headers.get("show", "").split()))


def _names(entry: str) -> dict[str, str]:
    """Short name -> server key, in priority order."""
    pairs = [item.partition("=") for item in entry.split()]
    return {name: key or f"10.0.0.{index}:5060" for index, (name, _, key) in enumerate(pairs, 1)}


def _profile(headers: dict[str, str], names: dict[str, str]) -> Profile:
    model, _, firmware = headers.get("agent", "VVX_500 4.0.1.13681").partition(" ")
    ttl = int(headers["ttl"]) if "ttl" in headers else None
    servers = tuple(
        EntryServer(key.rpartition(":")[0], int(key.rpartition(":")[2]), "udp", priority)
        for priority, key in enumerate(names.values(), 1)
    )
    heard = headers["heard"].split() if "heard" in headers else list(names)
    return Profile(
        settings=_settings(headers.get("settings")),
        entry=ServerEntry("sbc", servers, dns_ttl=ttl) if servers else None,
        vendor=Vendor.UNKNOWN if model == "unknown" else Vendor.MODELLED,
        firmware=firmware or None,
        vouched=vouched(model, firmware),
        covered_from=-float(headers.get("covered", DEFAULT_COVER)),
        heard=frozenset(names[name] for name in heard),
    )


def _settings(text: str | None) -> LineSettings:
    if text is None:
        return LineSettings()
    pairs = [item.partition("=") for item in text.split()]
    values = {name: Setting(int(value) if value.isdigit() else value, "scenario", Origin.EXPLICIT)
              for name, _, value in pairs}
    return LineSettings(values, declared=True)


class _Reader:
    """Reads event lines; remembers transactions so that answers find their request."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names
        self.last = 0
        self.open: dict[tuple[str, str], Sent | Received] = {}
        self.by_number: dict[int, Sent | Received] = {}
        self.frame = 0

    def read(self, lines: Iterable[str]) -> Iterator[ModelEvent]:
        for line in lines:
            try:
                yield self._event(line)
            except (ValueError, KeyError, IndexError) as error:
                raise ScenarioError(f"cannot read {line!r}: {error}") from None

    def _event(self, line: str) -> ModelEvent:
        words = line.split()
        self.frame += 1
        time, actor = float(words[0]), words[1]
        readers: dict[str, Callable[[float, list[str]], ModelEvent]] = {
            ">": self._phone_sends, ">>": self._resent, "<": self._phone_receives, "!": self._failed,
            "~": self._contacted, "*": self._noted,
        }
        return readers[actor](time, words[2:])

    def _options(self, words: list[str], known: Sequence[str] = ()) -> dict[str, str]:
        options = {key: value for key, _, value in (word.partition("=") for word in words)}
        for word in options:
            if word not in known and not word.startswith("#"):
                raise ValueError(f"{word!r} is none of {', '.join(('#NUMBER', *known))}")
        return options

    def _server(self, name: str) -> str:
        if name not in self.names:
            raise ValueError(f"{name!r} is no server of `entry:`")
        return self.names[name]

    def _number(self, options: dict[str, str]) -> int | None:
        return next((int(key[1:]) for key in options if key.startswith("#")), None)

    def _phone_sends(self, time: float, words: list[str]) -> ModelEvent:
        if words[1].isdigit():
            return self._replied(time, words)
        server, method, options = self._server(words[0]), words[1], self._options(words[2:], REQUEST)
        number = self._number(options) or self.last + 1
        before = self.open.get((server, method))
        asked = float(options["expires"]) if "expires" in options else 3600.0 if method == "REGISTER" else None
        sent = Sent(
            time, 0, self.frame, 0, 0, server, method, number, in_dialog="dialog" in options, expires=asked,
            follows=self._followed(options, before), fresh="fresh" in options,
            emergency="emergency" in options, call=_call(options),
            call_id=options.get("id", ""), target=options.get("to", ""), proves="proves" in options,
            anew="anew" in options, addressed="addressed" in options,
        )
        self._remember(sent)
        return sent

    def _followed(self, options: dict[str, str], last: Sent | Received | None) -> int | None:
        """The transaction that a re-send follows: `follows=3` names it, plain `follows` is the last of its method
        there."""
        if "follows" not in options:
            return None
        return int(options["follows"]) if options["follows"] else last.transaction if last else None

    def _remember(self, request: Sent | Received) -> None:
        self.last = max(self.last, request.transaction)
        self.open[request.server, request.method] = self.by_number[request.transaction] = request

    def _request(self, server: str, method: str, options: dict[str, str]) -> Sent | Received | None:
        number = self._number(options)
        return self.open.get((server, method)) if number is None else self.by_number.get(number)

    def _resent(self, time: float, words: list[str]) -> ModelEvent:
        server, method = self._server(words[0]), words[1]
        request = self._request(server, method, self._options(words[2:]))
        if request is None:
            raise ValueError("nothing was sent before that could be sent again")
        return Resent(time, 0, self.frame, 0, 0, server, method, request.transaction)

    def _phone_receives(self, time: float, words: list[str]) -> ModelEvent:
        if not words[1].isdigit():
            return self._received(time, words)
        server, status, method = self._server(words[0]), int(words[1]), words[2]
        options = self._options(words[3:], RESPONSE)
        request = self._request(server, method, options)
        sent = request if isinstance(request, Sent) else None
        own = {"no": False, "none": None}.get(options.get("own", ""), True) if method == "REGISTER" else None
        asked = sent.expires if sent else None
        granted = float(options["expires"]) if "expires" in options else None
        return Answered(
            time, 0, self.frame, 0, 0, server, method, sent.transaction if sent else 0, status,
            sent=sent.time if sent else None, in_dialog=sent.in_dialog if sent else "dialog" in options,
            granted=granted, own=own, asked=asked,
            retry_after=int(options["retry-after"]) if "retry-after" in options else None,
            call=_call(options) if sent is None else sent.call,
        )

    def _received(self, time: float, words: list[str]) -> ModelEvent:
        options = self._options(words[2:], OF_SERVER)
        number = self._number(options) or self.last + 1
        received = Received(time, 0, self.frame, 0, 0, self._server(words[0]), words[1], number,
                            in_dialog="dialog" in options, call=_call(options))
        self._remember(received)
        return received

    def _replied(self, time: float, words: list[str]) -> ModelEvent:
        server, method, options = self._server(words[0]), words[2], self._options(words[3:], OF_SERVER)
        request = self._request(server, method, options)
        return Replied(time, 0, self.frame, 0, 0, server, method, request.transaction if request else 0,
                       int(words[1]), in_dialog="dialog" in options, call=_call(options))

    def _failed(self, time: float, words: list[str]) -> ModelEvent:
        server = self._server(words[0])
        sent = [request.time for request in self.open.values() if isinstance(request, Sent)
                and request.server == server]
        return Failed(time, 0, self.frame, 0, 0, server, FailureKind(words[1]), max(sent, default=time))

    def _contacted(self, time: float, words: list[str]) -> ModelEvent:
        return Contacted(time, 0, self.frame, 0, 0, self._server(words[0]), ContactKind(words[1]))

    def _noted(self, time: float, words: list[str]) -> ModelEvent:
        what = words[0]
        if what == "boot":
            return Booted(time, 0, self.frame, 0, 0, possible="seen" not in self._options(words[1:], ("seen",)))
        if what == "lost":
            why = " ".join(word for word in words[1:] if not word.startswith("since="))
            since = next((float(word.partition("=")[2]) for word in words if word.startswith("since=")), None)
            return Lost(time, 0, self.frame, 0, 0, why, since)
        if what == "call":
            return self._call_changed(time, words, self._options(words[3:]))
        if what == "dns":
            options = self._options(words[1:], NAMES)
            low, _, high = options["ttl"].partition("..")
            until = float(options.get("until", time + float(low)))
            return EntryChanged(time, 0, self.frame, 0, 0, "sbc", until, float(low), float(high or low),
                                "reordered" in options, asked="asked" in options,
                                own="others" not in options, turned="turned" in options)
        raise ValueError("known notes are boot, lost, call and dns")

    def _call_changed(self, time: float, words: list[str], options: dict[str, str]) -> ModelEvent:
        server, state = words[1:3]
        if state not in CALL_STATES:
            raise ValueError(f"a call is {', '.join(CALL_STATES[:-1])} or {CALL_STATES[-1]}")
        return CallChanged(time, 0, self.frame, 0, 0, self._server(server), self._number(options) or 0, state)


def _call(options: dict[str, str]) -> int | None:
    return int(options["call"]) if "call" in options else None
