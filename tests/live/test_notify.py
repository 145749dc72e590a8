"""Delivery of notifications to a server on loopback that fails, comes back, hangs or is not there."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from sipaudit.errors import InputError
from sipaudit.live import notices
from sipaudit.live.channel import NOTICES_KEPT, Channel, Patience
from sipaudit.live.notices import Notice
from sipaudit.live.notify import Notifier, Pace
from sipaudit.model.values import Severity
from tests.live import said

QUICK = Patience(first=0.02, longest=0.05, at_end=10.0)
WAIT = 20.0   # seconds until a test fails


class Service:
    """An HTTP service that receives what Apprise's json:// sends; the first `failures` requests get a 503. `answers` is
    the size of each answer; with `drips` it sends, from that part on, a byte now and then until the client goes or the
    service ends. A GET gets a 200.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.asked = 0
        self.answers = self.answered = 0   # blocks of 64 kB: to send, and sent
        self.drips = ""   # before the "head" or the "body" of the answer
        self.moved = 0    # the redirect status, if the service has moved
        self._ends = Event()
        self.got: list[dict[str, Any]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.asked += 1
                status = 503 if service.asked <= service.failures else 200
                if service.moved and not self.path.endswith("/there"):
                    status = service.moved
                if status == 200:
                    service.got.append(body)
                if service.drips == "head":
                    self._drip()
                self.send_response(status)
                if status == service.moved:
                    self.send_header("Location", f"{self.path}/there")
                self.end_headers()
                if service.drips == "body":
                    self._drip()
                with suppress(OSError):
                    for _ in range(service.answers):
                        self.wfile.write(bytes(1 << 16))
                        service.answered += 1

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def _drip(self) -> None:
                with suppress(OSError):
                    while not service._ends.wait(0.02):
                        self.wfile.write(b"H")

            def log_message(self, *args: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://user:geheim@127.0.0.1:{self._server.server_port}/token-geheim"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._ends.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = Service()
    yield running
    running.close()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def outage(notifier: Notifier, name: str = "i-0001", now: float = said.NOW) -> None:
    notifier.turn(now)
    notifier.take(said.incident(name))
    notifier.turn(now + notices.SETTLING)


def test_an_outage_is_told_in_the_words_of_the_report(service: Service) -> None:
    notifier = Notifier([service.url], UTC)
    outage(notifier)
    notifier.close()
    [got] = service.got
    assert got["title"] == "opened: server-outage at 10.0.0.1, 1 line (i-0001)"
    assert got["message"] == "10.0.0.1 did not answer from 2023-11-14 22:13:20 on."
    assert got["type"] == "failure"
    assert notifier.counts() == {"sent": 1, "failed": 0, "held": 0, "dropped": 0}


def test_a_service_that_fails_at_first_gets_it_all_in_order_later(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.failures = 3
    notifier = Notifier([service.url], UTC, patience=QUICK)
    outage(notifier, "i-0001")
    outage(notifier, "i-0002", said.NOW + 10)
    until(lambda: len(service.got) == 2)
    notifier.close()
    assert [got["title"][-7:-1] for got in service.got] == ["i-0001", "i-0002"]
    assert notifier.counts() == {"sent": 2, "failed": 3, "held": 0, "dropped": 0}
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("sipaudit")]
    assert ours == [
        "--notify 1 (json): a notification could not be sent; trying again",
        "--notify 1 (json): notifications can be sent again",
    ]
    assert "geheim" not in caplog.text


def test_of_an_answer_without_end_only_the_beginning_is_read(service: Service) -> None:
    """An HTTP library would keep the whole answer in memory."""
    service.answers = 1000
    notifier = Notifier([service.url], UTC, patience=QUICK)
    outage(notifier)
    until(lambda: notifier.counts()["sent"] == 1)
    notifier.close()
    assert service.answered < 500


def test_an_answer_that_drips_is_waited_for_no_longer_than_any(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sipaudit.live.answers.ANSWER_SECONDS", 0.3)
    service.drips = "body"
    notifier = Notifier([service.url], UTC, patience=QUICK)
    outage(notifier, "i-0001")
    outage(notifier, "i-0002", said.NOW + 10)
    until(lambda: notifier.counts()["sent"] == 2)
    assert len(service.got) == 2
    service.drips = "head"
    outage(notifier, "i-0003", said.NOW + 20)
    until(lambda: notifier.counts()["failed"] >= 1)
    service.drips = ""
    until(lambda: notifier.counts()["sent"] == 3)
    notifier.close()


@pytest.mark.parametrize(("moved", "told", "counted"), [
    (301, 0, "failed"), (302, 0, "failed"), (303, 0, "sent"), (307, 1, "sent"), (308, 1, "sent")])
def test_what_a_service_that_has_moved_does_not_get_is_not_sent(service: Service, moved: int, told: int, counted: str
                                                                ) -> None:
    """With http:// configured for a service at https://, a redirect makes the client ask again. After 301, 302 and 303
    it would ask by GET, without the notice."""
    service.moved = moved
    notifier = Notifier([service.url], UTC, patience=QUICK._replace(at_end=0.5))
    outage(notifier)
    until(lambda: notifier.counts()[counted] > 0)
    notifier.close()
    assert len(service.got) == told
    assert (notifier.counts()["sent"] > 0) == (counted == "sent")


def test_one_service_that_is_away_does_not_hold_up_the_other(service: Service) -> None:
    notifier = Notifier(["json://127.0.0.1:1/", service.url], UTC, patience=QUICK._replace(at_end=0.5))
    outage(notifier)
    until(lambda: bool(service.got))
    notifier.close()
    assert notifier.counts()["sent"] == 1
    assert notifier.counts()["dropped"] == 1


def test_the_rate_limit_holds_back_and_sums_up(service: Service) -> None:
    notifier = Notifier([service.url], UTC, pace=Pace(burst=2, seconds=600))
    now = said.NOW
    notifier.turn(now)
    for number in range(30):
        notifier.take(said.incident(f"i-{number:04d}"))
    notifier.turn(now + notices.SETTLING)
    until(lambda: len(service.got) == 2)
    notifier.turn(now + 300)
    assert len(service.got) == 2
    notifier.turn(now + 700)
    until(lambda: len(service.got) == 3)
    notifier.close()
    assert len(service.got) == 3
    assert service.got[2]["title"] == "28 notices in short, held back by the rate limit"
    assert service.got[2]["type"] == "failure"
    lines = service.got[2]["message"].splitlines()
    assert lines[0] == "8 earlier ones, and:"
    assert lines[-1] == "opened: server-outage at 10.0.0.1, 1 line (i-0029)"
    assert notifier.counts()["held"] == 28


def test_what_is_held_back_is_summed_up_when_the_run_ends(service: Service) -> None:
    notifier = Notifier([service.url], UTC, pace=Pace(burst=1, seconds=600))
    outage(notifier, "i-0001")
    outage(notifier, "i-0002", said.NOW + 10)
    notifier.close()
    assert [got["title"] for got in service.got][1:] == ["1 notice in short, held back by the rate limit"]


def test_what_still_waited_to_be_claimed_is_told_when_the_run_ends(service: Service) -> None:
    notifier = Notifier([service.url], UTC)
    notifier.take(said.finding())
    notifier.turn(time.time())
    notifier.close()
    assert [got["title"] for got in service.got] == ["1 finding: 1 premature-failback"]


# -- one channel

NOTICE = Notice("title", "body", Severity.ERROR)


def test_a_service_that_hangs_holds_nobody_up_and_the_loss_is_told() -> None:
    started, go_on, sent = Event(), Event(), []

    def send(notice: Notice) -> bool:
        started.set()
        go_on.wait(WAIT)
        sent.append(notice)
        return True

    channel = Channel("slow", send, QUICK)
    channel.put(NOTICE)
    assert started.wait(WAIT)
    for number in range(NOTICES_KEPT + 5):
        channel.put(Notice(str(number), "body", None))
    go_on.set()
    channel.end()
    channel.join(WAIT)
    assert len(sent) == 1 + NOTICES_KEPT
    assert sent[1] == Notice("5", "5 older notifications were lost, since they could not be sent.\nbody", None)
    assert channel.counts == {"sent": 101, "dropped": 5}


def test_what_hangs_at_the_end_counts_as_dropped() -> None:
    go_on = Event()
    channel = Channel("slow", lambda _: go_on.wait(WAIT), QUICK)
    for _ in range(3):
        channel.put(NOTICE)
    until(lambda: len(channel._waiting) == 2)
    channel.end()
    channel.join(0.1)
    go_on.set()
    assert channel.counts["dropped"] == 3


def test_the_pauses_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    answers = iter([False] * 6 + [True])
    channel = Channel("flaky", lambda _: next(answers), Patience(5, 60, 1))

    def noted(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    monkeypatch.setattr(channel, "_pause", noted)
    channel.put(NOTICE)
    until(lambda: channel.counts["sent"] == 1)
    channel.end()
    channel.join(WAIT)
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_a_notice_that_is_refused_for_what_it_says_keeps_back_no_other(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[str] = []

    def send(notice: Notice) -> bool:
        if notice.title != "refused":
            sent.append(notice.title)
        return notice.title != "refused"

    channel = Channel("picky", send, QUICK)
    for title in ("refused", "one", "two"):
        channel.put(Notice(title, "body", None))
    until(lambda: len(sent) == 2)
    channel.end()
    channel.join(WAIT)
    assert sent == ["one", "two"]
    assert (channel.counts["sent"], channel.counts["dropped"]) == (2, 1)
    assert "picky: a notification is refused, and dropped" in caplog.text


def test_a_service_that_is_away_for_long_gets_all_of_it_later() -> None:
    tries, sent = iter(range(1000)), set()

    def send(notice: Notice) -> bool:
        is_back = next(tries) > 40
        if is_back:
            sent.add(notice.title)
        return is_back

    channel = Channel("away", send, QUICK)
    for title in ("one", "two", "three"):
        channel.put(Notice(title, "body", None))
    until(lambda: len(sent) == 3)
    channel.end()
    channel.join(WAIT)
    assert sent == {"one", "two", "three"}
    assert (channel.counts["sent"], channel.counts["dropped"]) == (3, 0)


def test_a_plugin_that_raises_is_a_failed_try(caplog: pytest.LogCaptureFixture) -> None:
    def send(notice: Notice) -> bool:
        raise RuntimeError("https://token-geheim@example.com")

    channel = Channel("broken", send, QUICK)
    channel.put(NOTICE)
    until(lambda: channel.counts["failed"] > 2)
    channel.end()
    channel.join(WAIT)
    assert "plugin failed with RuntimeError" in caplog.text
    assert "geheim" not in caplog.text


# -- configured URLs

@pytest.mark.parametrize(("url", "kind"), [
    ("nonsense geheim", ""), ("", ""), ("nosuch://geheim@host", r" \(nosuch://\.\.\.\)"),
    ("tgram://geheim", r" \(tgram://\.\.\.\)"),
])
def test_what_is_no_url_is_refused_without_being_shown(
    url: str, kind: str, service: Service, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=f"--notify: number 2 is no URL that Apprise can use{kind}") as raised:
        Notifier([service.url, url], UTC)
    assert "geheim" not in str(raised.value) + caplog.text + "".join(capfd.readouterr())
    assert service.asked == 0


def test_urls_can_be_in_a_file_with_its_own_rights(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "notify"
    file.write_text(f"# who is on call\n\n  {service.url}\n")
    notifier = Notifier([f"@{file}"], UTC)
    outage(notifier)
    notifier.close()
    assert len(service.got) == 1


@pytest.mark.parametrize(("content", "complaint"), [
    ("# nothing\n", r"notify: --notify: holds no URL"),
    ("json://a\n\nnonsense\n", r"notify:3: this is no URL that Apprise can use"),
    ("x" * 70_000, r"too long"),
    (None, r"cannot be read: no such file"),
])
def test_a_file_that_is_wrong_is_refused_with_its_line(content: str | None, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "notify"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=complaint):
        Notifier([f"@{file}"], UTC)
