"""DNS lookups without an answer: their names do not resolve (F2), though no packet says so; or the capture lacks the
answer (B2)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sipaudit.model.settings import EntryServer
from sipaudit.reconstruct.lives import NOTHING_TOLD, Life, Lives, note_told
from sipaudit.reconstruct.names import Names
from sipaudit.reconstruct.phones import Line
from sipaudit.reconstruct.records import FAMILIES, TARGET, SetKey, family_of, plain_name, srv_domain, srv_owners
from sipaudit.reconstruct.views import EntryState, stands_for
from sipaudit.sip.datagram import DnsMessage
from sipaudit.turned_away import forget_oldest

Question = tuple[str, str, str]   # the host that asks, the name, the record type

ASKED = 3          # queries for a name: one of them, or its answer, may be lost
PATIENCE = 3.0     # seconds from the first to the last of these: a name server may be slow
APART = 0.5        # seconds between two queries: two taps may show one twice
SERIES_GOES_ON = 120.0    # seconds between two queries of one series: a phone tries again within a minute or two
OPEN_KEPT = 4_096  # series
REFUSED_KEPT = 4_096   # hosts with refusals
REFUSED_NAMES = 16     # refused names of one host
TOLD_KEPT = 16_384     # hosts with stored record sets
REFUSED_FOR = 10_800.0   # seconds for which a host may cache a refusal (RFC 2308 5)

NXDOMAIN = 3
SERVFAIL = 2


class Series:
    """A question that is asked repeatedly: `first` and `last` time, `told` whether its failure was reported."""

    __slots__ = ("first", "last", "times", "told")

    def __init__(self, time: float) -> None:
        self.first = self.last = time
        self.times = 1
        self.told = False


class Lookups:
    """Open questions, and refusals, by the host that asked. `lives` are the record sets that each host received.
    `singles` are, by host and name, the only address of a name where the host got no SRV list and so asked for
    addresses (RFC 3263 4.2)."""

    __slots__ = ("_open", "_refused", "lives", "singles")

    def __init__(self) -> None:
        self._open: dict[Question, Series] = {}
        self._refused: dict[str, dict[str, DnsMessage]] = {}
        self.lives: dict[str, dict[SetKey, Life]] = {}
        self.singles: dict[tuple[str, str], str] = {}

    def answered(self, answer: DnsMessage) -> None:
        """Store an answer; whatever it says, the name server is alive."""
        self._open.pop((answer.client, answer.name, answer.type), None)
        if is_refusal(answer) or (answer.type == "SRV" and not answer.records):
            self._refuse(answer)
        elif answer.records:
            note_told(self.lives.setdefault(answer.client, {}), answer)
            forget_oldest(self.lives, TOLD_KEPT, "lookups")
            if answer.client in self._refused:
                self._refused[answer.client].pop(answer.name, None)
            self._resolved(answer)

    def ends_failing(self, answer: DnsMessage) -> bool:
        """Whether this host at last receives what was refused to it before, or what it had asked for without an answer.
        """
        series = self._open.get((answer.client, answer.name, answer.type))
        refusal = self._refused.get(answer.client, {}).get(answer.name)
        again = refusal is not None and (refusal.rcode != 0 or refusal.type == answer.type)
        found = answer.rcode == 0 and any(record.type == answer.type for record in answer.records)
        return found and (again or (series is not None and series.told))

    def told(self, host: str) -> Lives:
        """The record sets this host received in captured answers: answers to other hosts are not in its cache (B2)."""
        return self.lives.get(host, NOTHING_TOLD)

    def refusals(self, host: str, time: float) -> list[DnsMessage]:
        """The answers that names do not resolve for this host, as long as it may cache them."""
        known = self._refused.get(host)
        return [] if known is None else [answer for answer in known.values()
                                         if time - answer.time <= REFUSED_FOR and is_refusal(answer)]

    def _resolved(self, answer: DnsMessage) -> None:
        """A name has addresses or an SRV list: note if this host has nothing but a single address of it."""
        asked = answer.client, srv_domain(answer.name)
        self.singles.pop(asked, None)
        addresses = {str(record.data) for record in answer.records if record.type in FAMILIES}
        if answer.type in FAMILIES and len(addresses) == 1 and self._lacks_list(*asked):
            self.singles[asked] = addresses.pop()
            forget_oldest(self.singles, REFUSED_KEPT, "lookups")

    def _lacks_list(self, client: str, name: str) -> bool:
        """Whether this host asked for the SRV list of a name and received none."""
        refused = self._refused.get(client, {})
        return any(owner in refused or (client, owner, "SRV") in self._open for owner in srv_owners(name))

    def _refuse(self, answer: DnsMessage) -> None:
        names = self._refused.pop(answer.client, {})
        names[answer.name] = answer
        forget_oldest(names, REFUSED_NAMES, "lookups")
        self._refused[answer.client] = names
        forget_oldest(self._refused, REFUSED_KEPT, "lookups")

    def waits(self, client: str, state: EntryState, names: Names) -> bool:
        """Whether this host has an open question for records from which the entry was read."""
        return bool(self._open) and any(
            (client, name, kind) in self._open and names.knows(name, kind) for name in state.names for kind in TARGET)

    def in_vain_since(self, query: DnsMessage, spoke: float) -> float | None:
        """When the first query was sent that this one shows to have failed and that was not reported yet; None if there
        is none. `spoke` is when the phone last sent a request: a phone that sends may have received an answer that was
        not captured."""
        question = query.client, query.name, query.type
        series = self._open.get(question)
        if series is None or series.first <= spoke or not 0 <= query.time - series.last <= SERIES_GOES_ON:
            self._begin(question, query.time)
            return None
        before = series.last
        if query.time - before < APART:
            return None
        in_vain = series.times >= ASKED and before - series.first >= PATIENCE
        series.last, series.times = query.time, series.times + 1
        if not in_vain:
            return None
        since = before if series.told else series.first
        series.told = True
        return since

    def _begin(self, question: Question, time: float) -> None:
        self._open.pop(question, None)
        self._open[question] = Series(time)
        forget_oldest(self._open, OPEN_KEPT, "lookups")


def is_refusal(answer: DnsMessage) -> bool:
    """Whether an answer says that a name does not resolve; missing SRV or NAPTR records do not mean that."""
    return answer.rcode in (NXDOMAIN, SERVFAIL) or (
        answer.rcode == 0 and answer.type in FAMILIES and not answer.records)


def may_have(names: Names, line: Line, name: str) -> Collection[str | None]:
    """The addresses that a name may have, for a line: those it has had; if it was never seen resolved but lies in the
    line's domain, those of the line's servers whose name is unknown."""
    known = names.addresses_of(name)
    if known or not _is_near(name, line.domain):
        return known
    return [host for host in line.view.hosts if host is not None and names.name_of(host) is None]


def note_single(lookups: Lookups, line: Line) -> None:
    """The phone may know a single server, whatever is declared: its domain has no SRV list, and one address."""
    address = lookups.singles.get((line.owner.host, plain_name(line.domain)))
    if address is not None and address in line.view.hosts:
        line.strayed = True


def _is_near(name: str, domain: str) -> bool:
    """Whether a name lies in that domain or beside it, as `sbc1.example.com` beside `pbx.example.com`."""
    labels = domain.casefold().rstrip(".").split(".")
    return len(labels) > 1 and not labels[-1].isdigit() and name.split(".")[-2:] == labels[-2:]


def failing(line: Line, item: DnsMessage, names: Names) -> Iterator[str]:
    """Keys of the line's servers that cannot be resolved if this name fails."""
    addresses = may_have(names, line, item.name)
    for state in line.view.states:
        if item.type == "SRV":
            if state.is_led_by(item.name) or (state.owner is not None and item.name == state.owner[0]):
                yield from (server.key for server in state.entry.servers)
        elif item.type in FAMILIES:
            yield from (server.key for server in state.entry.servers
                        if stands_for(server, item.name, addresses) and _leaves_without_address(server, item))


def _leaves_without_address(server: EntryServer, item: DnsMessage) -> bool:
    """Whether no address of the server's family is left: the name does not exist, or has none of that type."""
    return item.rcode == NXDOMAIN or family_of(server.address or "") == item.type
