"""The messages of a ladder diagram, collected while the route runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf

from sipaudit.errors import InputError
from sipaudit.model.values import Finding, Report
from sipaudit.reconstruct.whose import Whose
from sipaudit.report.exhibits import frames_of
from sipaudit.report.ladder import LadderRow
from sipaudit.report.proof import proof_text
from sipaudit.run.chosen_line import means, require
from sipaudit.run.run import Run
from sipaudit.sip.datagram import Datagram, host_of
from sipaudit.sip.message import Malformed, Message, Request, Response
from sipaudit.sip.uri import aor
from sipaudit.yamlfile.wording import quoted, suggestion

ROWS_KEPT = 20_000   # messages drawn at most
CALLS_KEPT = 10_000  # Call-IDs searched for one similar to a misspelt one
AROUND = 10.0        # seconds shown before and after a finding's evidence


def finding_named(report: Report, name: str) -> Finding:
    """The finding with this id. Raises InputError if the analysis has none, or if it is not about messages."""
    finding = next((one for one in report.findings if one.id == name), None)
    if finding is None:
        known = ", ".join(one.id for one in report.findings[:5])
        fix = f"name one of its findings: {known}" if known else (
            "it has none: give --site, --config and --set as in the analysis that had it")
        raise InputError(f"no finding {name!r} in this analysis", fix=fix)
    if finding.time is None:
        places = ", ".join(map(proof_text, finding.evidence[:3]))
        raise InputError(f"{name} is about provisioning files, not about messages",
                         fix=f"see {places}, and `sipaudit explain {finding.rule}`")
    return finding


def must_be_of(finding: Finding, line: str | None) -> None:
    """Raises InputError if the chosen line is not the finding's."""
    if line is not None and not means(line, finding.line or ""):
        named = f", or name {finding.line}" if finding.line else ""
        raise InputError(f"{finding.id} is not of the line {line!r}", fix=f"leave --line out{named}")


class LadderRows:
    """Collects the messages of a line, a call or a finding; all messages if nothing is chosen."""

    def __init__(self, *, line: str | None = None, call_id: str | None = None, finding: Finding | None = None) -> None:
        self._line = line if finding is None else finding.line
        self._call_id = call_id
        self._host = None if finding is None or finding.phone is None else host_of(finding.phone)
        frames = [] if finding is None else list(frames_of(finding))
        times = [frame.time for frame in frames]
        self._start = min(times, default=-inf) - AROUND
        self._end = max(times, default=inf) + AROUND
        self._marks = {(frame.capture, frame.frame): finding.id for frame in frames} if finding else {}
        self._seen: list[tuple[Datagram, Message, bool]] = []
        self._more = 0
        self._others: set[str] = set()

    def note(self, item: Datagram, message: Message, _: Whose, repeated: bool) -> None:
        """Store a message if it is wanted."""
        if not self._wanted(item, message):
            return
        if len(self._seen) < ROWS_KEPT:
            self._seen.append((item, message, repeated))
        else:
            self._more += 1

    def _wanted(self, item: Datagram, message: Message) -> bool:
        if not self._start <= item.time <= self._end:
            return False
        if self._host is not None and self._host not in (item.flow.source_host, item.flow.destination_host):
            return False
        if isinstance(message, Malformed):
            return self._line is None and self._call_id is None
        if self._call_id is not None and message.call_id != self._call_id:
            if len(self._others) < CALLS_KEPT:
                self._others.add(message.call_id)
            return False
        return self._line is None or any(means(self._line, aor(one.uri)) for one in (message.from_, message.to))

    def done(self, run: Run, warn: Callable[[str], None]) -> list[LadderRow]:
        """The rows, in order of capture time. Raises InputError if the line or Call-ID does not exist."""
        if not self._seen:
            require(self._line, run.reconstruction.lines.values())
            self._require_call()
        if self._more:
            warn(f"{self._more} more messages are not drawn: choose a line, a call, or --from and --to")
        return list(self._rows(run))

    def _require_call(self) -> None:
        if self._call_id is not None:
            chosen = quoted(self._call_id)
            fix = suggestion(self._call_id, self._others, "write all of what stands in that header, also behind an @")
            raise InputError(f"--call-id: no message with the Call-ID {chosen} in what was chosen", fix=fix)

    def _rows(self, run: Run) -> Iterable[LadderRow]:
        for item, message, repeated in self._seen:
            if run.span.holds(item.time):
                path = run.naming.path(item.capture)
                yield LadderRow(item.time, path, item.frame, item.flow.source, item.flow.destination, _text(message),
                                repeated, self._marks.get((path, item.frame)), item.flow.transport)


def _text(message: Message) -> str:
    if isinstance(message, Request):
        return message.method
    if isinstance(message, Response):
        return f"{message.status} {message.reason}".rstrip()
    return f"malformed: {', '.join(message.defects)}"
