"""Replaces names in reports by pseudonyms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from sipaudit.incidents.chronicle import UNSEEN
from sipaudit.incidents.course import FIRST_OF, IN_VAIN
from sipaudit.model.captures import ServerSummary
from sipaudit.model.values import (
    Finding,
    Frame,
    Happening,
    Incident,
    KnownEvent,
    LineSummary,
    Move,
    Place,
    Proof,
    Report,
    SettingValue,
)
from sipaudit.report.manners import ENDINGS, LATE, OF_SOME
from sipaudit.report.named_in import named_in
from sipaudit.report.redact import Pseudonyms, is_address, maybe
from sipaudit.report.why import CAUSE

ADDRESSES = frozenset({"address", "outboundProxy.address"})  # settings whose value is a host
PLAIN_SETTINGS = frozenset({
    "reRegisterOn", "failRegistrationOn", "onlySignalWithRegistered", "mode", "timeout", "port", "transport", "expires",
    "overlap", "register", "retryTimeOut", "retryMaxCount", "baseTimeOut", "maxTimeOut", "tcpFastFailover",
    "useOutboundProxy", "authOptimizedInFailover", "failoverOn503Response", "concurrentRegistration", "specialInterop",
})
"""Last parts of the names of parameters whose values are numbers or choices, which need no pseudonym."""
NAMES_OF_OURS = frozenset({"method", "regime", "mode", "kind", "registered", "attribute", "nearest", "expected",
                           "model", "firmware", "count"})
"""Facts whose values are our own words or name a phone model, and need no pseudonym."""

UNDER_PSEUDONYMS = ("Numbers, names, addresses and files are pseudonyms here (--redact); times, frame numbers and "
                    "counts are the original's.")

Values = dict[str, int | float | str | list[float] | None]

_SOURCE = re.compile(r"(.+?)(:[0-9]+(?: .*)?)")
_STARTS = re.compile(r"(?<![\w-])\S")
_GOES_ON = re.compile(r"[\w-]")
_VERSIONED = re.compile(r"/(?:udp|tcp|tls|wss?|sctp)\b")


class Redaction:
    """Replaces names in reports, sentences and rows by the pseudonyms of one key.

    Sentences are searched for whatever looks like an address, a URI, a MAC or a file, and for the hosts, paths and
    names that other fields of the report contain.
    """

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self.names = pseudonyms
        self._known: dict[str, str] = {}
        self._lengths: dict[str, list[int]] = {}

    def learn(self, report: Report) -> None:
        """Collect the report's names, so that they are found in sentences."""
        names = self.names
        known = {**{word: names.word(word) for word in _words_in(report)},
                 **{host: names.host(host) for host in _hosts_in(report)},
                 **{path: names.path(path) for path in _paths_in(report)}}
        self._known = {text: name for text, name in known.items() if len(text) > 2 and not is_address(text)}
        self._lengths = {}
        for start, length in sorted({(text[:3], len(text)) for text in self._known}, reverse=True):
            self._lengths.setdefault(start, []).append(length)

    def report(self, report: Report) -> Report:
        """The report under pseudonyms; ids, times, frames and counts stay."""
        self.learn(report)
        return replace(
            report,
            captures=[replace(each, path=self.names.path(each.path)) for each in report.captures],
            servers=[self._server(each) for each in report.servers],
            lines=[self._line(each) for each in report.lines],
            findings=[self._finding(each) for each in report.findings],
            incidents=[self._incident(each) for each in report.incidents],
            events=[KnownEvent(event.time, self.names.word(event.what)) for event in report.events],
            notes=[*(self.sentence(note) for note in report.notes if note != UNDER_PSEUDONYMS), UNDER_PSEUDONYMS],
            minutes=[replace(minute, server=self.names.endpoint(minute.server)) for minute in report.minutes],
        )

    def sentence(self, text: str) -> str:
        """A sentence of ours, with the names from the wire and of files replaced."""
        pieces, at = [], 0
        for begin, end in self._known_in(text):
            pieces += [*self._replaced(text[at:begin]), self._known[text[begin:end]]]
            at = end
        return "".join([*pieces, *self._replaced(text[at:])])

    def _replaced(self, text: str) -> Iterator[str]:
        at = 0
        for begin, end, kind in named_in(text):
            yield text[at:begin]
            yield self._found(text[begin:end], kind)
            at = end
        yield text[at:]

    def transcript(self, line: str) -> str:
        """A line of the scenario language, in which `id=` has a Call-ID and `to=` a target."""
        if line.startswith("agent:"):
            return line
        return "".join(self._told(piece) for piece in re.split(r"( (?:id|to)=\S+)", line))

    def _told(self, piece: str) -> str:
        if piece.startswith((" id=", " to=")):
            return piece[:4] + self.names.token(piece[4:])
        return self.sentence(piece)

    def _known_in(self, text: str) -> Iterator[tuple[int, int]]:
        """The start and end of each known name in the text, as whole words; of several that begin at one place the
        longest. There may be as many names as phones, so they are looked up by their beginnings and lengths."""
        behind = 0
        for start in _STARTS.finditer(text):
            begin = start.start()
            if begin < behind:
                continue
            for length in self._lengths.get(text[begin:begin + 3], ()):
                behind = begin + length
                if text[begin:behind] in self._known and not _GOES_ON.match(text, behind):
                    yield begin, behind
                    break
            else:
                behind = begin

    def _found(self, text: str, kind: str | None) -> str:
        if kind == "uri":
            return self.names.uri(text)
        if kind == "path":
            return self.names.path(text)
        if kind == "mac":
            return self.names.mac(text)
        colon = "" if is_address(text) or not text.endswith(":") else ":"   # of the sentence
        address = text.removesuffix(colon)
        return self.names.host(address) + colon if is_address(address.strip("[]")) else text

    def _server(self, server: ServerSummary) -> ServerSummary:
        names = self.names
        return replace(server, server=names.endpoint(server.server), name=maybe(names.word, server.name),
                       entry=maybe(names.word, server.entry))

    def _line(self, line: LineSummary) -> LineSummary:
        names = self.names
        return replace(
            line, line=names.uri(line.line), phone=names.endpoint(line.phone),
            contact=maybe(names.uri, line.contact), mac=maybe(names.word, line.mac),
            user_agent=maybe(names.agent, line.user_agent), label=maybe(names.word, line.label),
            group=maybe(names.word, line.group), entry=maybe(names.word, line.entry),
            entries=list(map(names.word, line.entries)), working=maybe(names.endpoint, line.working),
            settings={name: self._setting(name, value) for name, value in line.settings.items()},
            moves=[self._move(move) for move in line.moves],
            tries=[replace(row, server=names.endpoint(row.server)) for row in line.tries],
            registrations=[replace(row, server=names.endpoint(row.server)) for row in line.registrations],
            call_spans=[replace(row, server=names.endpoint(row.server)) for row in line.call_spans],
        )

    def _setting(self, name: str, setting: SettingValue) -> SettingValue:
        value = self.names.host(setting.value) if name in ADDRESSES and isinstance(setting.value, str) else (
            setting.value)
        return SettingValue(value, maybe(self.source, setting.source), setting.origin)

    def source(self, text: str) -> str:
        """The place of a setting: `site.yaml:12 lines[0].settings`."""
        found = _SOURCE.fullmatch(text)
        return self.names.path(found[1]) + found[2] if found else self.sentence(text)

    def _move(self, move: Move) -> Move:
        return replace(move, from_=self.names.endpoint(move.from_), to=self.names.endpoint(move.to),
                       evidence=[self._frame(frame) for frame in move.evidence])

    def _frame(self, frame: Frame) -> Frame:
        return replace(frame, capture=self.names.path(frame.capture), summary=self.sentence(frame.summary))

    def _proof(self, proof: Proof, own: dict[str, str]) -> Proof:
        if isinstance(proof, Frame):
            return self._frame(proof)
        assert isinstance(proof, Place)
        value = proof.summary.removeprefix(f"{proof.attribute}=")
        shown = value if _is_plain(proof.attribute) else own.get(value) or self.names.word(value)
        return replace(proof, file=self.names.path(proof.file), summary=f"{proof.attribute}={shown}")

    def _finding(self, finding: Finding) -> Finding:
        names, facts = self.names, self._facts(finding.facts)
        own = {str(was): str(facts[name]) for name, was in finding.facts.items()
               if isinstance(was, str) and was and (facts[name] != was or name == "firmware")}
        return replace(
            finding, line=names.uri(finding.line) if finding.line else None,
            phone=maybe(names.endpoint, finding.phone), server=maybe(names.endpoint, finding.server),
            expected=self._filled(finding.expected, own), observed=self._filled(finding.observed, own), facts=facts,
            suppressed=maybe(names.word, finding.suppressed),
            evidence=[self._proof(proof, own) for proof in finding.evidence],
        )

    def _filled(self, sentence: str, own: dict[str, str]) -> str:
        """A sentence of a finding: the facts that it contains are replaced by their pseudonyms in `own`, and the names
        in the rest as in any sentence."""
        if not own:
            return self.sentence(sentence)
        alternatives = "|".join(map(re.escape, sorted(own, key=lambda word: -len(word))))
        pieces = re.split(rf"(?<!\w)({alternatives})(?!\w)", sentence)
        return "".join(own[piece] if index % 2 else self.sentence(piece) for index, piece in enumerate(pieces))

    def _facts(self, facts: Values) -> Values:
        attribute = str(facts.get("attribute", ""))
        return {name: self._fact(name, value, attribute) for name, value in facts.items()}

    def _fact(self, name: str, value: int | float | str | list[float] | None, attribute: str
              ) -> int | float | str | list[float] | None:
        if not isinstance(value, str) or name in NAMES_OF_OURS:
            return value
        if name in ("value", "effective"):
            return value if _is_plain(attribute) else self.names.word(value)
        if name == "entry":
            return self.names.word(value)
        return ", ".join(self.names.endpoint(one) if _VERSIONED.search(one) else self.sentence(one)
                         for one in value.split(", "))

    def _incident(self, incident: Incident) -> Incident:
        names = self.names
        return replace(
            incident, server=maybe(names.endpoint, incident.server),
            entry=maybe(names.word, incident.entry), lines=list(map(names.uri, incident.lines)),
            groups=[replace(share, group=names.word(share.group)) for share in incident.groups],
            evidence=[self._frame(frame) for frame in incident.evidence],
            timeline=[Happening(one.time, self._happened(one.what, incident.server)) for one in incident.timeline],
        )

    def _happened(self, what: str, server: str | None) -> str:
        """An entry of a timeline. Our words in entries that reports interpret stay, even if a group has such a name;
        and a group's name is replaced here, even if it is too short to be searched for in all sentences."""
        group = what.removeprefix(FIRST_OF).removesuffix(IN_VAIN)
        if what == f"{FIRST_OF}{group}{IN_VAIN}":
            return f"{FIRST_OF}{self.names.word(group)}{IN_VAIN}"
        if what.startswith(UNSEEN):
            return f"{UNSEEN}{self.names.endpoint(what.removeprefix(UNSEEN))}"
        cause = CAUSE.fullmatch(what)
        whose = (server or "") if cause is None else cause[1]
        ours = what.removeprefix(whose)
        if cause is not None or ours in ENDINGS or LATE.fullmatch(ours) or OF_SOME.fullmatch(ours):
            return f"{self.names.endpoint(whose)}{ours}"
        return self.sentence(what)


def _is_plain(attribute: str) -> bool:
    return attribute.rpartition(".")[2] in PLAIN_SETTINGS


def _words_in(report: Report) -> Iterator[str]:
    """Names that users gave, and their descriptions of known events."""
    for server in report.servers:
        yield from filter(None, (server.name, server.entry))
    for line in report.lines:
        yield from filter(None, (line.label, line.group, *line.entries))
    yield from (event.what for event in report.events)


def _hosts_in(report: Report) -> Iterator[str]:
    """Hosts that sentences may name."""
    for line in report.lines:
        for text in (line.line, line.contact or ""):
            yield text.partition("@")[2].partition(";")[0].partition(":")[0]
        for name in ADDRESSES & line.settings.keys():
            yield str(line.settings[name].value or "")


def _paths_in(report: Report) -> Iterator[str]:
    """Files that sentences may name."""
    for capture in report.captures:
        yield capture.path
    for line in report.lines:
        yield from _sources(setting.source for setting in line.settings.values())
    for finding in report.findings:
        yield from (proof.file for proof in finding.evidence if isinstance(proof, Place))


def _sources(texts: Iterable[str | None]) -> Iterator[str]:
    for text in texts:
        found = _SOURCE.fullmatch(text) if text else None
        if found:
            yield found[1]
