"""`--suppress`: findings that someone has reviewed and does not want to count (contract.md 2)."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.errors import InputError
from sipaudit.model.values import Finding
from sipaudit.times import A_DAY, When, parse_time
from sipaudit.yamlfile import tree
from sipaudit.yamlfile.fields import Fields
from sipaudit.yamlfile.files import read_bytes
from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.reader import LONGEST_GLOB, Network, Reader
from sipaudit.yamlfile.wording import hint, quoted

KEYS = ("rule", "line", "phone", "server", "from", "to", "expires", "reason")
OPTIONAL = frozenset(KEYS) - {"rule", "reason"}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WILD = re.compile(r"[*?\[]")


class Suppression(Struct, frozen=True):
    """One item. A criterion that is None matches anything; `start`, `end` and `expires` are resolved at the first
    packet."""

    rule: re.Pattern[str]
    reason: str
    where: str
    line: re.Pattern[str] | None = None
    phone: Network | None = None
    server: re.Pattern[str] | None = None
    start: When | None = None
    end: When | None = None
    expires: When | None = None

    def means(self, finding: Finding, first: float) -> bool:
        """Whether a finding of its rule matches, expired or not; `first` is the time of the first packet."""
        return (
            (self.line is None or self.line.fullmatch(finding.line or "") is not None)
            and (self.phone is None or _within(finding.phone, self.phone))
            and (self.server is None or any(self.server.fullmatch(name) for name in _names(finding.server)))
            and (self.start is None or (finding.time is not None and finding.time >= self.start.resolve(first)))
            and (self.end is None or (finding.time is not None and finding.time <= self.end.resolve(first)))
        )

    def expired(self, finding: Finding, first: float) -> bool:
        """Whether the item had expired when the finding happened; a finding on settings alone has no time."""
        return self.expires is not None and finding.time is not None and finding.time >= self.expires.resolve(first)


def _within(phone: str | None, network: Network) -> bool:
    try:
        return ipaddress.ip_address((phone or "").rpartition(":")[0].strip("[]")) in network
    except ValueError:
        return False


def _names(server: str | None) -> tuple[str, ...]:
    """The names of a server that a glob may match: `10.0.0.1:5060/udp`, `10.0.0.1:5060` or `10.0.0.1`."""
    if server is None:
        return ()
    key = server.partition("/")[0]
    return server, key, key.rpartition(":")[0].strip("[]")


class Suppressions:
    """The items of a file, in order: the first that matches a finding gives the reason."""

    def __init__(self, items: tuple[Suppression, ...] = ()) -> None:
        self.items = items
        self._of_rule: dict[str, list[Suppression]] = {}

    def mark(self, findings: Iterable[Finding], first: float) -> tuple[list[Finding], list[str]]:
        """The findings, with a reason on those that are suppressed; and sentences on items that suppressed nothing."""
        used: set[int] = set()
        late: set[int] = set()
        marked = [self._mark(finding, first, used, late) for finding in findings]
        idle = [f"{item.where}: this item suppresses nothing" + (": it has expired" if id(item) in late else "")
                for item in self.items if id(item) not in used]
        return marked, idle

    def _mark(self, finding: Finding, first: float, used: set[int], late: set[int]) -> Finding:
        """Suppress a finding, if an item matches. All matching items count as used, not only the first. Items are told
        apart by identity: two may be on one line of the file."""
        if finding.rule not in self._of_rule:
            self._of_rule[finding.rule] = [item for item in self.items if item.rule.fullmatch(finding.rule)]
        meant = [item for item in self._of_rule[finding.rule] if item.means(finding, first)]
        live = [item for item in meant if not item.expired(finding, first)]
        late.update(id(item) for item in meant if item not in live)
        used.update(id(item) for item in live)
        return replace(finding, suppressed=live[0].reason) if live else finding


def load_suppressions(path: str | Path | None, zone: tzinfo, rules: frozenset[str] | None) -> Suppressions:
    """Read a file of suppressions, if given; times without a time zone are in `zone`, `rules` are the existing ids
    (None: not known).

    Raises InputErrors with everything that is wrong.
    """
    if path is None:
        return Suppressions()
    problems = Problems(str(path))
    root = tree.read_tree(read_bytes(Path(path), "the suppressions"), problems)
    if root is None or tree.is_empty(root):
        return Suppressions()
    if not isinstance(root, tree.Sequence):
        problems.stop(root.line, "suppressions must be a list", "write `- {rule: GLOB, reason: TEXT}`")
    items = tuple(_items(root, problems, zone, rules))
    problems.raise_any()
    return Suppressions(items)


def _items(root: tree.Sequence, problems: Problems, zone: tzinfo, rules: frozenset[str] | None
           ) -> Iterator[Suppression]:
    for node in root.items:
        item = Reader(problems).mapping(node, "a suppression", "{rule: GLOB, reason: TEXT}")
        if item is not None:
            yield _Item(Fields(item, problems), zone, rules).read()


class _Item:
    """Reads one item."""

    def __init__(self, fields: Fields, zone: tzinfo, rules: frozenset[str] | None) -> None:
        self._fields = fields
        self._zone = zone
        self._rules = rules

    def read(self) -> Suppression:
        fields = self._fields
        fields.keys(KEYS, OPTIONAL)
        return Suppression(
            rule=self._rule(), reason=fields.text("reason"),
            where=f"{fields.problems.file}:{fields.node.line}", line=self._line(), phone=fields.network("phone"),
            server=self._glob("server", fields.text("server")), start=self._time("from"), end=self._time("to"),
            expires=self._expires(),
        )

    def _glob(self, key: str, text: str) -> re.Pattern[str] | None:
        if len(text) > LONGEST_GLOB:
            self._fields.wrong(key, f"{key} is longer than {LONGEST_GLOB} characters", "use a shorter pattern")
            return None
        # also the literal text: the brackets of [2001:db8::1]:5060 are no character class
        return re.compile(f"{fnmatch.translate(text)}|{re.escape(text)}", re.IGNORECASE) if text else None

    def _rule(self) -> re.Pattern[str]:
        text = self._fields.text("rule")
        pattern = self._glob("rule", text)
        rules = self._rules
        if pattern is not None and rules is not None and not any(map(pattern.fullmatch, rules)):
            near = "" if _WILD.search(text) else hint(text, rules)
            self._fields.wrong("rule", f"no rule is called {quoted(text)}{near}", "`sipaudit rules list` shows them")
        return pattern or re.compile("")

    def _line(self) -> re.Pattern[str] | None:
        text = self._fields.text("line")
        if text and text[0] not in "*?[" and not text.lower().startswith("sip"):
            aor = f"sip:{text}{'' if '@' in text else '@*'}"
            self._fields.wrong("line", f"{quoted(text)} matches no line",
                               f"write {quoted(aor)}, as reports have the AOR")
        return self._glob("line", text)

    def _time(self, key: str) -> When | None:
        text = self._fields.text(key)
        try:
            return parse_time(text, self._zone, option=key) if text else None
        except InputError as error:
            self._fields.wrong(key, error.message, error.fix or "")
            return None

    def _expires(self) -> When | None:
        """An item with a date expires at the end of that day."""
        when = self._time("expires")
        if when is not None and _DATE.fullmatch(self._fields.text("expires")):
            return replace(when, seconds=when.resolve(0.0) + A_DAY)
        return when
