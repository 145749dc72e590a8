"""The findings of the page: columns to filter by, details in blocks, and for the worst of them their messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any

from sipaudit.model.values import Finding, Frame, Place, Proof
from sipaudit.report.exhibits import Exhibit, Exhibits, FramePlace, places_of
from sipaudit.report.html.clock import milliseconds
from sipaudit.report.html.index import Index
from sipaudit.report.html.inert import FIELD, MESSAGE, PATH, SENTENCE, inert, inert_lines
from sipaudit.report.html.packing import Block, packed_parts

if TYPE_CHECKING:
    from sipaudit.report.dissect import Dissection

    Dissections = Mapping[FramePlace, Dissection]

DETAILS = 500        # findings in a block of details
SHOWN = 20           # findings in a block of messages
EVIDENCE = 12        # frames of a finding that are listed where their messages are not embedded
MESSAGES = 40        # messages drawn of one finding
FIELDS = 400         # lines of one frame's dissection
ROOM = 6_000_000     # characters of all messages and dissections: beyond that only the head of each message is shown
HEAD = 600


class Findings:
    """Makes the columns of all findings, and the blocks; the messages of the worst `embed` findings are included.

    `with_evidence` are the ids of findings that have a file evidence/<id>.pcapng (None: those with messages)."""

    def __init__(self, index: Index, exhibits: Exhibits, dissections: Dissections, embed: int,
                 with_evidence: Set[str] | None) -> None:
        self._index = index
        self._exhibits = exhibits
        self._dissections = dissections
        self._shown = index.findings[:max(embed, 0)]
        self._room = ROOM
        self._with_evidence = with_evidence if with_evidence is not None else {one.id for one in self._shown}

    def columns(self) -> dict[str, Any]:
        """A list for each value by which the page filters or sorts findings; the worst finding is first in each."""
        index, findings = self._index, self._index.findings
        return {
            "id": [finding.id for finding in findings],
            "time": [index.clock.ms(finding.time) for finding in findings],
            "severity": [finding.severity.rank for finding in findings],
            "rule": [index.rules.of(finding.rule) for finding in findings],
            "line": [index.line(finding) for finding in findings],
            "server": [index.servers.of(finding.server) for finding in findings],
            "incident": [index.incidents.of(finding.incident) for finding in findings],
            "suppressed": [int(finding.suppressed is not None) for finding in findings],
            "shown": len(self._shown), "details": DETAILS, "messages": SHOWN,
        }

    def blocks(self) -> Iterator[Block]:
        """What the page shows of a finding when it is opened: the details of all, and the messages of the worst."""
        yield from packed_parts("details", self._index.findings, DETAILS, self._details)
        yield from packed_parts("messages", self._shown, SHOWN, self._messages)

    def _details(self, finding: Finding) -> list[Any]:
        evidence = list(finding.evidence)
        return [
            inert(finding.expected, SENTENCE), inert(finding.observed, SENTENCE), finding.basis,
            {name: inert(value, SENTENCE) if isinstance(value, str) else value
             for name, value in finding.facts.items()},
            finding.confidence, finding.assumptions, finding.also, finding.cause, inert(finding.suppressed, SENTENCE),
            inert(finding.line) if self._index.line(finding) < 0 else None, inert(finding.wireshark, SENTENCE),
            [self._proof(proof, finding) for proof in evidence[:EVIDENCE]], len(evidence),
            finding.id in self._with_evidence,
        ]

    def _proof(self, proof: Proof, finding: Finding) -> list[Any]:
        if isinstance(proof, Place):
            return [inert(proof.file, PATH), proof.line, inert(proof.attribute), inert(proof.summary, FIELD)]
        assert isinstance(proof, Frame)
        since = milliseconds(proof.time) - milliseconds(finding.time or 0.0)
        capture = self._index.captures.of(proof.capture)
        row: list[Any] = [capture, proof.frame, since, inert(proof.summary)]
        return [*row, proof.frames] if proof.frames else row

    def _messages(self, finding: Finding) -> dict[str, Any]:
        places = places_of([finding])[:MESSAGES]
        rows = [self._message(message) for place in places for message in self._exhibits.get(place, ())]
        dissected = [self._dissection(place) for place in places if place in self._dissections]
        return {"messages": rows[:MESSAGES], "dissections": dissected}

    def _message(self, message: Exhibit) -> list[Any]:
        return [self._index.captures.of(message.capture), message.frame, self._index.clock.ms(message.time),
                message.transport, inert(message.source), inert(message.destination), self._text(message)]

    def _text(self, message: Exhibit) -> str:
        text = inert_lines(message.text, MESSAGE if self._room > 0 else HEAD)
        self._room -= len(text)
        return text

    def _dissection(self, place: FramePlace) -> list[Any]:
        dissection = self._dissections[place]
        layers, room = [], FIELDS if self._room > 0 else 0
        for layer in dissection.layers:
            fields = [inert(field.text, FIELD) for field in layer.fields[:room]]
            room -= len(fields)
            self._room -= sum(map(len, fields))
            layers.append([inert(layer.name), fields])
        experts = [inert(each, FIELD) for each in dissection.experts]
        return [self._index.captures.of(place[0]), place[1], layers, experts]
