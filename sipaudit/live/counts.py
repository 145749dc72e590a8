"""Counters of sayings by label values, whose number is capped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from sipaudit.live.labels import Labels
from sipaudit.live.standing import keep
from sipaudit.model.sayings import (
    FindingSaid,
    IncidentSaid,
    MoveSaid,
    ReachedSaid,
    Saying,
    ServerSaid,
    UndecidedSaid,
    Withdrawn,
)
from sipaudit.model.values import Finding, Incident, Severity
from sipaudit.turned_away import forget_oldest

DECLARED = 200        # servers of the site file with a label of their own
SERVERS = 50          # other servers with a label of their own: anybody on the wire can invent such servers
RULES = 200
KINDS = 40            # each: kinds of incidents, moves, evictions and undecoded frames, causes, reasons
CAPTURES = 32
PAIRS = 5_000         # of rule and reason
REMEMBERED = 20_000   # findings and incidents that are not counted twice when they are said again

Key = tuple[str, ...]


class Counts:
    """Counters by tuples of label values, in the order of the metric's labels. The counters of findings by `rules`, and
    of incidents by `kinds`, start at 0."""

    def __init__(self, rules: Iterable[str], kinds: Iterable[str]) -> None:
        self.findings: Counter[Key] = Counter()
        self.suppressed: Counter[Key] = Counter()
        self.incidents: Counter[Key] = Counter()
        self.moves: Counter[Key] = Counter()
        self.withdrawn: Counter[Key] = Counter()
        self.reached: dict[str, float] = {}
        self.rules, self.captures = Labels(RULES), Labels(CAPTURES)
        self.tables, self.undecoded = Labels(KINDS), Labels(KINDS)
        self._kinds, self._moves, self._causes, self._reasons = (Labels(KINDS) for _ in range(4))
        self._declared, self._servers = Labels(DECLARED), Labels(SERVERS)
        self._of_site: set[str] = set()
        self._undecided: dict[Key, int] = {}
        self._ranks: dict[str, int] = {}   # ids that were counted, with the rank of the severity
        for rule in rules:
            self.findings.update({(self.rules.name(rule), str(severity)): 0 for severity in Severity})
        self.incidents.update({(self._kinds.name(kind),): 0 for kind in kinds})

    def take(self, saying: Saying) -> None:
        match saying:
            case FindingSaid(finding=finding):
                self._finding(finding)
            case IncidentSaid(incident=incident):
                if self._is_news(incident.id, 0):
                    self.incidents[(self._kinds.name(incident.kind),)] += 1
            case MoveSaid(move=move):
                self.moves[(self._moves.name(move.kind), self._causes.name(move.cause))] += 1
            case Withdrawn(id=name):
                self.withdrawn[("incident" if name.startswith("i-") else "finding",)] += 1
            case UndecidedSaid(inconclusive=row):
                keep(self._undecided, (row.rule, row.reason), row.count, PAIRS)
            case ReachedSaid(reached=reached):
                keep(self.reached, reached.rule, reached.count, PAIRS)
            case ServerSaid(server=server):
                if server.entry is not None and len(self._of_site) < DECLARED:
                    self._of_site.add(server.server)
            case _:
                pass

    def learn(self, saying: Saying) -> None:
        """Note what an earlier run has counted, without counting it again."""
        match saying:
            case FindingSaid(finding=finding):
                self._is_news(finding.id, 0 if finding.suppressed is not None else finding.severity.rank)
            case IncidentSaid(incident=incident):
                self._is_news(incident.id, 0)
            case ServerSaid():
                self.take(saying)
            case _:
                pass

    def by_server(self, lines: Mapping[str, int]) -> dict[str, float]:
        """Lines by the server's label; a server of the site file has its own label even in a flood of others."""
        folded: dict[str, float] = {self._declared.name(server): 0 for server in self._of_site}
        for server, count in lines.items():
            name = (self._declared if server in self._of_site else self._servers).name(server)
            folded[name] = folded.get(name, 0) + count
        return folded

    def by_kind(self, incidents: Iterable[Incident]) -> dict[str, float]:
        """Open incidents by kind; 0 for any other kind that has a counter."""
        none: dict[str, float] = {kind: 0 for (kind,) in self.incidents}
        return none | self._kinds.fold(Counter(incident.kind for incident in incidents))

    def undecided(self) -> dict[Key, float]:
        folded: dict[Key, float] = {}
        for (rule, reason), count in self._undecided.items():
            key = (self.rules.name(rule), self._reasons.name(reason))
            folded[key] = folded.get(key, 0) + count
        return folded

    def _finding(self, finding: Finding) -> None:
        rule = self.rules.name(finding.rule)
        if finding.suppressed is not None:
            if self._is_news(finding.id, 0):
                self.suppressed[(rule,)] += 1
        elif self._is_news(finding.id, finding.severity.rank):
            self.findings[(rule, str(finding.severity))] += 1

    def _is_news(self, name: str, rank: int) -> bool:
        """Whether this id was not counted yet, or only with a lower severity; notes that it is counted now."""
        if self._ranks.get(name, -1) >= rank:
            return False
        self._ranks.pop(name, None)
        self._ranks[name] = rank
        forget_oldest(self._ranks, REMEMBERED, "said")
        return True
