"""The sayings, summed up as Prometheus metrics (docs/metrics.md).

Units are seconds and bytes; counters end with `_total` and count since the
probe began.  The number of label values from the wire is capped (`Labels`), so
that no traffic can create endless time series.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING

from sipaudit import __version__
from sipaudit.errors import InputError
from sipaudit.live.counts import Counts
from sipaudit.live.standing import Standing
from sipaudit.model.captures import CaptureSummary
from sipaudit.model.sayings import Health, Saying

try:
    from prometheus_client import CollectorRegistry, make_wsgi_app
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ImportError as error:
    raise InputError(
        "--metrics needs the library prometheus-client", fix="pip install 'sipaudit[live]', or leave --metrics out"
    ) from error

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

PREFIX = "sipaudit_"

Values = Mapping[tuple[str, ...], float]


class Metrics(Collector):
    """A Sink that counts, and the collector that scrapes query.

    It has its own `registry`, so that no other metrics are shown. `rules` and `kinds` are the ids of the rules and
    incident kinds in force: their counters exist from the start, at 0, since Prometheus sees no increase in a counter
    that appears at 1. `notices` returns the number of notifications by result since the probe began. Scrapes come from
    other threads: both sides hold the lock for microseconds.
    """

    def __init__(
        self, rules: Iterable[str] = (), kinds: Iterable[str] = (),
        notices: Callable[[], Mapping[str, int]] | None = None,
    ) -> None:
        self._lock = Lock()
        self._notices = notices
        self._began = time.time()
        self._standing = Standing()
        self._counts = Counts(rules, kinds)
        self._turned: float | None = None
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def take(self, saying: Saying) -> None:
        with self._lock:
            self._standing.take(saying)
            self._counts.take(saying)

    def learn(self, saying: Saying) -> None:
        with self._lock:
            self._standing.take(saying)
            self._counts.learn(saying)

    def turn(self, now: float) -> None:
        self._turned = now

    def close(self) -> None:
        """There is nothing to write or release."""

    def exposition(self) -> WSGIApplication:
        """The web application that serves all metrics, in the format that the client accepts."""
        application: WSGIApplication = make_wsgi_app(self.registry, disable_compression=True)
        return application

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            return [*self._probe(), *self._seen(), *self._found(), *self._health(), *self._sources()]

    def _probe(self) -> Iterator[Metric]:
        yield _gauge("build_info", "1, with the version of the probe.", ("version",), {(__version__,): 1})
        yield _gauge("start_time_seconds", "When the probe began, since the epoch.", (), _alone(self._began))
        yield _gauge("last_turn_timestamp_seconds", "When its loop last turned, since the epoch.", (),
                     _alone(self._turned))
        notices: Mapping[str, float] = {} if self._notices is None else self._notices()
        yield _counter("notifications", "Notifications by what became of them.", ("result",), _keyed(notices))

    def _seen(self) -> Iterator[Metric]:
        counts, standing = self._counts, self._standing
        working = counts.by_server(standing.lines.by_server)
        yield _gauge("lines_working", "Lines by the server they work with.", ("server",), _keyed(working))
        yield _counter("lines_untold", "Changes of lines beyond the number that lines_working counts.", (),
                       _alone(standing.lines.untold))
        yield _counter("moves", "Moves of lines between servers.", ("kind", "cause"), counts.moves)

    def _found(self) -> Iterator[Metric]:
        counts = self._counts
        yield _counter("findings", "Findings that are not suppressed; again when the severity of one rises.",
                       ("rule", "severity"), counts.findings)
        yield _counter("findings_suppressed", "Findings that --suppress names.", ("rule",), counts.suppressed)
        yield _counter("incidents", "Incidents that opened.", ("kind",), counts.incidents)
        yield _gauge("incidents_open", "Incidents that are open.", ("kind",),
                     _keyed(counts.by_kind(self._standing.open.values())))
        yield _counter("withdrawn", "Findings and incidents that did not stand.", ("what",), counts.withdrawn)
        yield _counter("checks", "How often a rule had something to check.", ("rule",),
                       _keyed(counts.rules.fold(counts.reached)))
        yield _counter("undecided", "Checks that could not be decided.", ("rule", "reason"), counts.undecided())

    def _health(self) -> Iterator[Metric]:
        health = self._standing.health
        for family, names in ((_gauge, _GAUGES_OF_HEALTH), (_counter, _COUNTERS_OF_HEALTH)):
            for name, text, value in names:
                yield family(name, text, (), _alone(None if health is None else value(health)))
        yield _counter("evicted", "What tables let go of because they were full.", ("table",),
                       _keyed(self._counts.tables.fold({} if health is None else health.evicted)))
        yield _counter("undecoded", "Frames and payloads that were not decoded.", ("kind",),
                       _keyed(self._counts.undecoded.fold({} if health is None else health.undecoded)))

    def _sources(self) -> Iterator[Metric]:
        captures = self._standing.captures
        for name, text, value in _PER_CAPTURE:
            folded = self._counts.captures.fold({path: value(one) for path, one in captures.items()})
            yield _counter(name, text, ("capture",), _keyed(folded))
        last = {self._counts.captures.name(path): one.last for path, one in captures.items() if one.last is not None}
        yield _gauge("last_packet_timestamp_seconds", "When a source last saw a packet, since the epoch.",
                     ("capture",), _keyed(last))


_OfHealth = tuple[tuple[str, str, Callable[[Health], float | None]], ...]
_GAUGES_OF_HEALTH: _OfHealth = (
    ("packets_per_second", "Packets a second, over ten seconds.", lambda health: health.packets_per_s),
    ("sip_messages_per_second", "SIP messages a second, over ten seconds.", lambda health: health.sip_per_s),
    ("lag_seconds", "From the capture of a packet to its being judged.", lambda health: health.lag_s),
    ("memory_bytes", "Memory that the probe holds.", lambda health: health.memory_bytes),
    ("lines", "Lines that are known.", lambda health: health.lines),
    ("dialogs", "Dialogs that are kept.", lambda health: health.dialogs),
    ("transactions", "Transactions that are kept.", lambda health: health.transactions),
    ("sources_away", "Sources that cannot see now.", lambda health: health.sources_away),
)
_COUNTERS_OF_HEALTH: _OfHealth = (
    ("kernel_drops", "Packets that the kernel dropped before the probe read them.", lambda health: health.kernel_drops),
    ("interface_drops", "Packets that the interface dropped.", lambda health: health.interface_drops),
    ("blind_seconds", "Time in which a source could not see.", lambda health: health.blind_s),
    ("clock_set_back", "How often the clock was set back.", lambda health: health.clock_set_back),
    ("clock_set_forward", "How often the clock was set forward, or the machine slept.",
     lambda health: health.clock_set_forward),
)
_PER_CAPTURE: tuple[tuple[str, str, Callable[[CaptureSummary], int]], ...] = (
    ("packets", "Packets by source.", lambda capture: capture.packets),
    ("sip_messages", "SIP messages by source.", lambda capture: capture.sip_messages),
    ("malformed", "Malformed SIP messages and frames by source.", lambda capture: sum(capture.malformed.values())),
)


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Values) -> Metric:
    return _filled(GaugeMetricFamily(PREFIX + name, text, labels=labels), values)


def _counter(name: str, text: str, labels: tuple[str, ...], values: Values) -> Metric:
    return _filled(CounterMetricFamily(PREFIX + name, text, labels=labels), values)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Values) -> Metric:
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _keyed(values: Mapping[str, float]) -> Values:
    return {(name,): value for name, value in values.items()}


def _alone(value: float | None) -> Values:
    """The value of a metric without labels; no sample where the value is not known."""
    return {} if value is None else {(): value}
