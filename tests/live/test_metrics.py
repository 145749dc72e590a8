"""What Prometheus scrapes: counted once, bounded, and named as documented."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sipaudit.errors import InputError
from sipaudit.live.labels import OTHER
from sipaudit.live.metrics import Metrics
from sipaudit.live.scrape import REQUESTS_AT_ONCE, Pulse, Scrape
from sipaudit.live.standing import WorkingLines
from sipaudit.model.sayings import Saying
from sipaudit.model.values import Reason, Severity
from tests.live import said
from tests.live.agents import no_descriptors_left
from tests.live.said import PRIMARY, SECONDARY
from tests.shared import ROOT

DOCS = ROOT / "docs"
DASHBOARD, ALERTS, PAGE = DOCS / "grafana-dashboard.json", DOCS / "alerts.yaml", DOCS / "metrics.md"
Labelled = tuple[tuple[str, str], ...]
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed: alerts are only parsed"
)


def scraped(metrics: Metrics) -> dict[tuple[str, Labelled], float]:
    """Every sample by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in metrics.registry.collect() for sample in family.samples
    }


def after(sayings: Iterable[Saying]) -> Callable[..., float | None]:
    """`value(name, **labels)`: a metric after these sayings."""
    metrics = Metrics()
    for saying in sayings:
        metrics.take(saying)
    samples = scraped(metrics)
    return lambda name, **labels: samples.get((f"sipaudit_{name}", tuple(sorted(labels.items()))))


def test_lines_are_counted_by_the_server_they_work_with() -> None:
    value = after([said.line(1001), said.line(1002), said.line(1001, SECONDARY), said.line(1003, None)])
    assert value("lines_working", server=PRIMARY) == 1
    assert value("lines_working", server=SECONDARY) == 1


def test_a_line_that_is_forgotten_works_with_no_server() -> None:
    """A phone with a new address is a new line; without this the old ones would be counted for ever."""
    value = after([said.line(1001), said.line(1002), said.forgotten(1001), said.forgotten(1009)])
    assert value("lines_working", server=PRIMARY) == 1


def test_a_server_of_the_site_that_all_lines_left_is_shown_at_zero() -> None:
    value = after([said.server(), said.line(1001), said.line(1001, SECONDARY)])
    assert value("lines_working", server=PRIMARY) == 0


def test_a_flood_of_made_up_lines_does_not_drive_out_real_ones() -> None:
    lines = WorkingLines(limit=2)
    for user in (1001, 1002, 9001, 9002, 9003):
        lines.take(said.line(user).line)
    lines.take(said.line(1001, SECONDARY).line)
    assert lines.by_server == {PRIMARY: 1, SECONDARY: 1}
    assert lines.untold == 3


def test_a_finding_that_is_said_again_counts_once_and_again_when_it_gets_worse() -> None:
    mild = {"severity": Severity.WARNING}
    value = after([said.finding(**mild), said.finding(**mild), said.finding(severity=Severity.ERROR)])
    assert value("findings_total", rule="premature-failback", severity="warning") == 1
    assert value("findings_total", rule="premature-failback", severity="error") == 1


def test_what_an_earlier_run_said_is_known_and_not_counted_again() -> None:
    metrics = Metrics()
    for saying in (said.server(), said.line(1001), said.incident(), said.finding()):
        metrics.learn(saying)
    metrics.take(said.finding())
    metrics.take(said.incident(phones=2))
    samples = scraped(metrics)
    assert samples["sipaudit_lines_working", (("server", PRIMARY),)] == 1
    assert samples["sipaudit_incidents_open", (("kind", "server-outage"),)] == 1
    assert not [name for name, _ in samples if name in ("sipaudit_findings_total", "sipaudit_incidents_total")]


def test_suppressed_findings_are_counted_apart() -> None:
    value = after([said.finding(suppressed="known")])
    assert value("findings_total", rule="premature-failback", severity="error") is None
    assert value("findings_suppressed_total", rule="premature-failback") == 1


def test_an_incident_is_open_until_it_closes_or_is_withdrawn() -> None:
    opened = [said.incident(), said.incident(phones=2), said.incident("i-0002")]
    assert after(opened)("incidents_open", kind="server-outage") == 2
    value = after([*opened, said.incident(state="closed", end=said.NOW + 9), said.withdrawn("i-0002")])
    assert value("incidents_open", kind="server-outage") == 0
    assert value("incidents_total", kind="server-outage") == 2
    assert value("withdrawn_total", what="incident") == 1


def test_what_a_probe_counts_since_it_began_is_shown_as_it_last_said() -> None:
    value = after([
        said.undecided("flapping", Reason.ONE_WAY, 3), said.undecided("flapping", Reason.ONE_WAY, 5),
        said.reached("flapping", 40), said.health(kernel_drops=None),
    ])
    assert value("undecided_total", rule="flapping", reason="one-way") == 5
    assert value("checks_total", rule="flapping") == 40
    assert value("lag_seconds") == 0.25
    assert value("kernel_drops_total") is None   # a source that cannot tell is not shown as one without drops
    assert value("interface_drops_total") == 2
    assert value("blind_seconds_total") == 90
    assert after([said.health(sources_away=1)])("sources_away") == 1


def test_counters_of_the_rules_in_force_begin_at_zero() -> None:
    samples = scraped(Metrics(rules=["flapping"], kinds=["calls-lost"]))
    assert samples["sipaudit_findings_total", (("rule", "flapping"), ("severity", "error"))] == 0
    assert samples["sipaudit_incidents_total", (("kind", "calls-lost"),)] == 0


def hostile_flood() -> Iterator[Saying]:
    yield said.server()
    for number in range(1_500):
        name = f"x{number}\n\x1b[2J\"}} {'y' * 500} \ud800"
        yield said.line(number, f"10.9.{number}:5060/udp", name)
        yield said.finding(f"f-{number}", rule=name)
        yield said.incident(f"i-{number}", kind=name)
        yield said.move(name, name)
        yield said.capture(name)
        yield said.health(evicted={name: 1}, undecoded={f"{name}{each}": 1 for each in range(5)})
    yield said.line("real", PRIMARY)


def test_no_traffic_makes_time_series_without_end() -> None:
    metrics = Metrics()
    for saying in hostile_flood():
        metrics.take(saying)
    samples = scraped(metrics)
    assert len(samples) < 1_000
    assert samples["sipaudit_lines_working", (("server", PRIMARY),)] == 1
    assert samples["sipaudit_lines_working", (("server", OTHER),)] == 1_450
    longest = max((value for _, labels in samples for _, value in labels), key=len)
    assert len(longest) <= 120
    assert longest.isprintable()


# -- over HTTP

@pytest.fixture
def serve() -> Iterator[Callable[..., Scrape]]:
    """`serve(pulse)`: metrics on a free port of loopback."""
    running: list[Scrape] = []

    def start(pulse: Pulse | None = None, address: str = "127.0.0.1:0") -> Scrape:
        running.append(Scrape(address, Metrics(), pulse))
        running[-1].turn(said.NOW)
        return running[-1]

    yield start
    for scrape in running:
        scrape.close()


def get(scrape: Scrape, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", scrape.port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_a_scrape_can_be_parsed_whatever_was_said(serve: Callable[..., Scrape]) -> None:
    scrape = serve()
    for saying in [*said.everything(), *hostile_flood()]:
        scrape.take(saying)
    status, text = get(scrape, "/metrics")
    assert status == 200
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["sipaudit_memory_bytes"].samples[0].value == 120_000_000


def test_health_is_what_the_loop_does(serve: Callable[..., Scrape]) -> None:
    clock = [100.0]
    scrape = serve(Pulse(silence=30, clock=lambda: clock[0]))
    clock[0] += 29
    assert get(scrape, "/healthz") == (200, "ok\n")
    clock[0] += 13
    assert get(scrape, "/healthz") == (503, "the loop last turned 42 s ago (30 s allowed)\n")
    scrape.turn(said.NOW + 42)
    assert get(scrape, "/healthz")[0] == 200


def test_only_the_two_pages_can_be_read(serve: Callable[..., Scrape]) -> None:
    scrape = serve()
    assert get(scrape, "/")[0] == 404
    assert get(scrape, "/metrics", "POST")[0] == 405


@pytest.mark.parametrize("page", ["/metrics", "/healthz"])
def test_a_head_is_answered_as_a_get_without_the_body(serve: Callable[..., Scrape], page: str) -> None:
    """Load balancers check health with HEAD."""
    port = serve().port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(f"HEAD {page} HTTP/1.1\r\n\r\n".encode())
        with client.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    assert b" 200 OK" in head.splitlines()[0]
    assert body == b""


def test_what_a_client_asks_for_writes_nothing_into_the_log(
    serve: Callable[..., Scrape], capfd: pytest.CaptureFixture[str]
) -> None:
    """The HTTP library fails at such a version."""
    connection = http.client.HTTPConnection("127.0.0.1", serve().port, timeout=10)
    connection.request("GET", "/metrics", headers={"Accept": "application/openmetrics-text; version=abc"})
    assert connection.getresponse().status == 500
    connection.close()
    assert capfd.readouterr().err == ""


def test_clients_that_say_nothing_do_not_pile_up(serve: Callable[..., Scrape]) -> None:
    scrape = serve()
    silent = [socket.create_connection(("127.0.0.1", scrape.port)) for _ in range(REQUESTS_AT_ONCE + 3)]
    silent[-1].settimeout(10)
    assert silent[-1].recv(1) == b""     # turned away, while the first clients keep their places
    for each in silent:
        each.close()


def test_clients_that_say_a_letter_now_and_then_do_not_keep_the_others_out(
    serve: Callable[..., Scrape], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sipaudit.live.scrape.LONGEST", 1.0)
    scrape = serve()
    slow = [socket.create_connection(("127.0.0.1", scrape.port)) for _ in range(REQUESTS_AT_ONCE)]
    since = time.monotonic()
    while time.monotonic() - since < 2.0:
        for client in slow:
            with suppress(OSError):   # the connection was cut
                client.send(b"x")
        time.sleep(0.2)
    assert get(scrape, "/healthz") == (200, "ok\n")
    for client in slow:
        client.close()


@pytest.mark.parametrize("at", [1, 2], ids=["for its thread", "for its deadline"])
def test_requests_for_which_there_was_no_thread_keep_no_place(
    serve: Callable[..., Scrape], monkeypatch: pytest.MonkeyPatch, at: int,
) -> None:
    """For a while the system gives no more threads (TasksMax of a service); each request takes two."""
    scrape = serve()
    assert get(scrape, "/healthz") == (200, "ok\n")
    start, count = Thread.start, 0

    def refused(thread: Thread) -> None:
        nonlocal count
        count += 1
        if count % at == 0:
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(Thread, "start", refused)
        for _ in range(REQUESTS_AT_ONCE):
            with socket.create_connection(("127.0.0.1", scrape.port), timeout=10) as client:
                assert client.recv(1) == b""
    assert get(scrape, "/healthz") == (200, "ok\n")


def test_without_descriptors_left_the_door_is_not_tried_all_the_time(
    serve: Callable[..., Scrape], monkeypatch: pytest.MonkeyPatch,
) -> None:
    scrape, tries = serve(), 0
    accept = scrape._server.get_request

    def counted() -> tuple[socket.socket, Any]:
        nonlocal tries
        tries += 1
        return accept()

    monkeypatch.setattr(scrape._server, "get_request", counted)
    with socket.socket() as client:
        with no_descriptors_left():
            client.connect(("127.0.0.1", scrape.port))
            time.sleep(0.5)
        assert 0 < tries < 50
    assert get(scrape, "/healthz") == (200, "ok\n")


def test_ipv6_can_be_listened_on(serve: Callable[..., Scrape]) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert serve(address="[::1]:0").port > 0


@pytest.mark.parametrize("address", ["9464", "localhost", "127.0.0.1:99999", "http://127.0.0.1:1", "", ":9464"])
def test_an_address_that_is_none_is_refused_with_the_fix(address: str) -> None:
    with pytest.raises(InputError, match=r"--metrics: .* is no HOST:PORT \(write 127"):
        Scrape(address, Metrics())


def test_a_port_in_use_is_refused_with_the_fix(serve: Callable[..., Scrape]) -> None:
    with pytest.raises(InputError, match=r"cannot listen on 127\.0\.0\.1 port .* in use .*ss -ltnp"):
        Scrape(f"127.0.0.1:{serve().port}", Metrics())


# -- the documents that use the names of metrics

def offered() -> dict[str, set[str]]:
    """The labels of every metric by its name in queries, taken from the metrics after one saying of each kind."""
    metrics = Metrics(notices=lambda: {"sent": 1})
    for saying in said.everything():
        metrics.take(saying)
    metrics.turn(said.NOW)
    names: dict[str, set[str]] = {}
    for family in metrics.registry.collect():
        assert family.samples, f"{family.name}: said.everything() has nothing of it"
        for sample in family.samples:
            names[sample.name] = set(sample.labels)
    return names


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def dashboard_queries() -> list[str]:
    board = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in panels(board) for target in panel.get("targets", [])]
    queries += [each["expr"] for each in board["annotations"]["list"]]
    return queries + [variable["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]


def alert_rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def unknown_in(query: str, known: dict[str, set[str]]) -> set[str]:
    """The names and labels in a query that no metric has; `job` and `instance` come from Prometheus."""
    used = set(re.findall(r"\bsipaudit_\w+", query))
    labels = {"job", "instance", *(label for name in used for label in known.get(name, ()))}
    wanted = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", query) for label in group.split(",")}
    wanted |= {label for braces in re.findall(r"\{([^}]*)\}", query) for label in re.findall(r"(\w+)\s*[=!]", braces)}
    return (used - known.keys()) | (wanted - labels)


def test_the_dashboard_and_the_alerts_use_only_names_that_exist() -> None:
    known = offered()
    queries = [*dashboard_queries(), *(rule["expr"] for rule in alert_rules())]
    assert len(queries) > 20
    assert {query: unknown_in(query, known) for query in queries if unknown_in(query, known)} == {}
    assert unknown_in('rate(sipaudit_nothing_total{rule="x", what="y"}[5m])', known) == {
        "sipaudit_nothing_total", "rule", "what"}


def test_every_metric_is_documented_with_its_labels_and_no_other() -> None:
    rows = re.findall(r"^\| `(sipaudit_\w+)` \| (\w+) \| ([^|]*)\|", PAGE.read_text(), flags=re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, _, labels in rows}
    assert documented == offered()
    assert all((kind == "counter") == name.endswith("_total") for name, kind, _ in rows)


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    for rule in alert_rules():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}, rule["alert"]
        assert {"summary", "description"} <= rule["annotations"].keys(), rule["alert"]
        assert f"`{rule['alert']}`" in PAGE.read_text()


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


@needs_promtool
def test_prometheus_takes_the_alerts_and_fires_them(tmp_path: Path) -> None:
    shutil.copy(ALERTS, tmp_path / "alerts.yaml")
    shutil.copy(Path(__file__).parent / "alerts.test.yaml", tmp_path)
    for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]):
        ran = subprocess.run(["promtool", *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


@needs_promtool
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    queries = [query for query in dashboard_queries() if not query.startswith("label_values(")]
    given = {"$instance": ".*", "$__range": "1h", "$__rate_interval": "5m"}
    for name, value in given.items():
        queries = [query.replace(name, value) for query in queries]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    ran = subprocess.run(["promtool", "check", "rules", tmp_path / "queries.yaml"], capture_output=True, text=True,
                         check=False)
    assert ran.returncode == 0, ran.stderr


@needs_promtool
def test_promtool_finds_nothing_to_say_about_names_and_units() -> None:
    metrics = Metrics(notices=lambda: {"sent": 1})
    for saying in said.everything():
        metrics.take(saying)
    from prometheus_client import generate_latest

    text = generate_latest(metrics.registry)
    ran = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, b"")
