"""What a user sees of a live run: on a terminal, in a log, and with hostile phones on the wire."""

from __future__ import annotations

import io
import os
import pty
import re
import time
from collections.abc import Iterator, Sequence
from datetime import UTC
from threading import Thread

import pytest

from sipaudit.live.console import ENTER, LEAVE, Screen, console, draw
from sipaudit.live.lines import Lines
from sipaudit.live.view import View
from sipaudit.model.sayings import Saying
from tests.live import said
from tests.live.said import SECONDARY

OURS = re.compile(r"\x1b\[(?:[0-9;]*m|H|K|J|\?1049[hl]|\?25[hl])")  # colours, places, the screen and the cursor
HOSTILE = "\x1b]0;owned\x07\x1b[2J[bold]x[/bold]\r\n\u202e"


def shown(*sayings: Saying, width: int = 100, height: int = 40, now: float = said.NOW + 75) -> list[str]:
    view = View("eth1", UTC)
    for saying in sayings:
        view.take(saying)
    text = OURS.sub("", draw(view.drawing(now, height, ["warning: something"]), width, plain=True))
    return [line.rstrip() for line in text.splitlines()]


def test_before_anything_is_said_the_view_says_so() -> None:
    lines = shown()
    assert "no traffic has been counted yet" in lines
    assert "No open incident" in lines
    assert "No finding" in lines


def test_servers_stand_with_their_lines_and_an_empty_one_of_the_site_too() -> None:
    lines = shown(
        said.server(), said.server(SECONDARY, "sbc2.example.com"),
        *(said.line(1000 + number, SECONDARY) for number in range(30)), said.line(2000, "10.9.9.9:5060/udp"),
    )
    table = [" ".join(line.split()) for line in lines if "/udp" in line]
    assert table == [
        f"30 sbc2 {SECONDARY} sbc {'█' * 19}", "1 10.9.9.9 10.9.9.9:5060/udp - █", "0 sbc1 10.0.0.1:5060/udp sbc",
    ]


def test_open_incidents_stand_with_how_long_they_last_and_closed_ones_do_not() -> None:
    lines = shown(said.server(), said.incident(), said.incident("i-0002"), said.incident("i-0002", state="closed"))
    assert "1 open incident" in lines
    assert " ".join(next(line for line in lines if line.startswith("i-0001")).split()) == \
        "i-0001 server-outage sbc1 22:13:20.000 1:15 1 0"
    assert not any(line.startswith("i-0002") for line in lines)


def test_the_last_findings_stand_at_the_end_and_withdrawn_ones_go() -> None:
    sayings = [said.finding(f"f-{number:06d}", rule=f"rule-{number}") for number in range(60)]
    lines = shown(*sayings, said.withdrawn("f-000059"), said.finding("f-000058", rule="known-better"))
    assert "Last of 59 findings" in lines
    again = shown(*sayings, said.finding("f-000003", incident="i-0001"), said.withdrawn("f-000004"))
    assert "Last of 59 findings" in again
    assert not any("f-000003" in line for line in again)
    rules = [line.split()[3] for line in lines if line.startswith("f-")]
    assert rules[-2:] == ["rule-57", "known-better"]


def test_what_is_suppressed_is_shown_and_does_not_count() -> None:
    under = said.incident(findings=["f-000001", "f-000002", "f-000003"])
    lines = shown(said.finding(), said.finding("f-000002"), said.finding("f-000003"), under,
                  said.finding("f-000002", suppressed="known"))
    assert "Last of 2 findings, 1 suppressed" in lines
    assert next(line for line in lines if line.startswith("i-0001")).split()[-1] == "2"
    assert next(line for line in lines if line.startswith("f-000002")).split()[2] == "suppressed"
    assert "No finding, 1 suppressed" in shown(said.finding(suppressed="known"))


def test_rates_drops_and_blindness_stand_on_top() -> None:
    lines = shown(said.health(blind_s=3700.0), said.capture())
    assert lines[1] == "1,200 packets/s  340 SIP/s  240 lines  12 dialogs  30 transactions  memory 120 MB"
    assert lines[2] == ("blind 1:01:40  kernel drops 7  interface drops 2  evicted 3  lag 0.2 s  undecoded 4  "
                        "malformed 2")
    assert shown(said.health(blind_s=3700.0), width=80)[2].startswith("blind 1:01:40  kernel drops 7")
    assert shown(said.health(blind_s=0, sources_away=1))[2].startswith("1 source away  kernel drops 7")


def test_what_can_be_looked_up_is_whole_on_a_usual_terminal() -> None:
    """The id, rule and incident of a finding stay whole; the server is shortened."""
    lines = shown(said.server(), said.finding(rule="signalling-to-unregistered-server", incident="i-0001"), width=80)
    row = next(line for line in lines if line.startswith("f-"))
    assert {"f-000001", "22:13:20", "error", "signalling-to-unregistered-server", "1001", "i-0001"} <= set(row.split())
    assert max(len(line) for line in lines) <= 80


@pytest.mark.parametrize(("width", "height"), [(40, 12), (80, 24), (200, 60)])
def test_it_fits_the_terminal(width: int, height: int) -> None:
    everything = [saying for number in range(100) for saying in (
        said.server(f"10.0.0.{number}:5060/udp", f"sbc{number}.example.com"),
        said.line(number, f"10.0.0.{number}:5060/udp"),
        said.incident(f"i-{number:04d}"), said.finding(f"f-{number:06d}"))]
    lines = shown(*everything, said.health(), width=width, height=height)
    assert max(len(line) for line in lines) <= width
    assert height < 24 or len(lines) < height


def hostile() -> list[Saying]:
    return [
        said.server(HOSTILE, HOSTILE, HOSTILE), said.line(HOSTILE, HOSTILE),
        said.incident(HOSTILE, kind=HOSTILE, server=HOSTILE, entry=HOSTILE),
        said.finding(HOSTILE, rule=HOSTILE, line=HOSTILE, server=HOSTILE, incident=HOSTILE, expected=HOSTILE),
        said.move(HOSTILE, HOSTILE), said.withdrawn(HOSTILE), said.capture(HOSTILE),
    ]


def test_hostile_text_does_nothing_in_the_view() -> None:
    for saying in hostile():
        text = "\n".join(shown(saying))
        assert not set("\x1b\x07\r\u202e") & set(text)
    assert "sip:[bold]x" in "\n".join(shown(said.finding(rule="sip:[bold]x"), said.incident(kind="[red]")))


# -- on a terminal

class Seen:
    """A pseudo terminal, and all that was written to it."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.stream = os.fdopen(self.slave, "w")
        self.text = ""
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while chunk := os.read(self.master, 65_536):
                self.text += chunk.decode("utf-8", "replace")
        except OSError:
            return    # on Linux: the other side is closed

    def close(self) -> None:
        self.stream.close()
        self._thread.join(10)
        os.close(self.master)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    seen = Seen()
    yield seen
    if not seen.stream.closed:
        seen.close()


def drawn_on(terminal: Seen, sayings: list[Saying]) -> str:
    screen = console(terminal.stream, "eth1", UTC)
    assert isinstance(screen, Screen)
    for saying in sayings:
        screen.take(saying)
    screen.turn(said.NOW + 5)
    screen.close()
    terminal.close()
    return terminal.text


def test_a_terminal_gets_a_screen_of_its_own_and_has_the_last_view_afterwards(terminal: Seen) -> None:
    text = drawn_on(terminal, [said.server(), said.line(1001), said.incident()])
    assert text.startswith(ENTER)
    before, after = text.split(LEAVE)
    assert "server-outage" in before
    assert "server-outage" in after


def test_colours_stand_for_what_is_bad_and_NO_COLOR_is_heard(
    terminal: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b[1;31m1 open incident" in drawn_on(terminal, [said.incident()])
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", drawn_on(Seen(), [said.incident()]))


def test_hostile_text_does_nothing_on_a_terminal(terminal: Seen) -> None:
    text = OURS.sub("", drawn_on(terminal, hostile()))
    assert not set("\x1b\x07\u202e") & set(text)


def test_a_terminal_that_is_stopped_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    master, slave = pty.openpty()      # nobody reads, as after Ctrl-S
    screen = console(os.fdopen(slave, "w"), "eth1", UTC)
    assert isinstance(screen, Screen)
    for number in range(200):
        screen.take(said.finding(f"f-{number}"))
        screen.turn(said.NOW + number)
    assert screen._writer.waiting <= 1    # old drawings are not queued up
    assert os.read(master, 65_536)


# -- in a log

def logged(*sayings: Saying, turns: tuple[float, ...] = ()) -> list[str]:
    stream = io.StringIO()
    lines = console(stream, "eth1", UTC)
    assert isinstance(lines, Lines)
    for saying in sayings:
        lines.take(saying)
    for turn in turns:
        lines.turn(said.NOW + turn)
    lines.close()
    return stream.getvalue().splitlines()


def test_without_a_terminal_there_are_plain_lines() -> None:
    grown = [said.incident(lines=[said.AOR.format(number) for number in range(count)]) for count in (1, 2, 3)]
    assert logged(said.server(), *grown, said.move(), said.finding(), said.finding(), said.finding(incident="i-0001"),
                  said.incident(state="closed", end=said.NOW + 9.5), said.withdrawn("f-000001")) == [
        "2023-11-14 22:13:20.000 incident i-0001 open server-outage sbc1 from 22:13:20.000: 1 line, 0 findings",
        "2023-11-14 22:13:20.000 move failover sip:1001@pbx.example.com at 22:13:20.000 sbc1 -> 10.0.0.2 (timeout)",
        "2023-11-14 22:13:20.000 finding f-000001 error premature-failback sip:1001@pbx.example.com at 22:13:20.000: "
        "expected no REGISTER before 60 s; observed REGISTER after 30 s",
        "2023-11-14 22:13:20.000 finding f-000001 [i-0001]",
        "2023-11-14 22:13:20.000 incident i-0001 closed server-outage sbc1 from 22:13:20.000: 1 line, 0 findings, "
        "lasted 9.5 s",
        "2023-11-14 22:13:20.000 withdrawn f-000001: a packet that came late explains it",
    ]


def test_an_incidents_line_counts_no_finding_that_is_suppressed() -> None:
    under = said.incident(findings=["f-000001", "f-000002"])
    assert logged(said.finding("f-000001", suppressed="known"), said.finding("f-000002"), under)[-1].endswith(
        "1 line, 1 finding")


def test_a_line_says_when_it_is_said_and_when_that_was_which_it_tells_of() -> None:
    """A finding that waited for proof is said after its event; an event of another day shows its date."""
    assert [line.partition(": ")[0] for line in logged(
        said.finding(time=said.NOW - 32.5, expected="One thing."), said.incident(start=said.NOW - 86_400))] == [
        "2023-11-14 22:13:20.000 finding f-000001 error premature-failback sip:1001@pbx.example.com at 22:12:47.500",
        "2023-11-14 22:13:20.000 incident i-0001 open server-outage 10.0.0.1 from 2023-11-13 22:13:20.000"]


def test_what_an_earlier_run_said_has_its_line_already() -> None:
    stream = io.StringIO()
    lines = Lines(stream, UTC)
    for saying in (said.server(), said.incident(), said.finding()):
        lines.learn(saying)
    lines.take(said.finding())
    lines.take(said.incident(state="closed", end=said.NOW + 9.5))
    lines.close()
    assert [line.partition(" incident ")[2] for line in stream.getvalue().splitlines()] == [
        "i-0001 closed server-outage sbc1 from 22:13:20.000: 1 line, 0 findings, lasted 9.5 s"]


def test_what_is_about_no_line_names_none() -> None:
    (line,) = logged(said.finding(line=None, phone=None, server=None, time=None))
    assert " finding f-000001 error premature-failback: expected no REGISTER" in line


def test_what_is_said_again_after_it_was_withdrawn_has_its_line_again() -> None:
    lines = logged(said.finding(), said.withdrawn("f-000001"), said.finding(),
                   said.incident(), said.withdrawn("i-0001"), said.incident())
    assert [line.split()[2] for line in lines] == [*("finding", "withdrawn", "finding"),
                                                   *("incident", "withdrawn", "incident")]


def test_how_the_probe_is_stands_there_once_a_minute() -> None:
    assert logged(said.server(), said.line(1001), said.health(), turns=tuple(range(100))) == [
        f"2023-11-14 22:{clock}.000 state lines: sbc1 1; 0 open incidents; "
        "1200 packets/s; 340 SIP/s; lag 0.2 s; drops 7; blind 90 s"
        for clock in ("13:20", "14:20")
    ]
    assert logged(said.health(sources_away=2), turns=(0,))[0].endswith("drops 7; 2 sources away; blind 90 s")


def test_hostile_text_stays_on_its_line() -> None:
    lines = logged(*hostile(), turns=(0,))
    assert len(lines) == 5
    assert all(line.isprintable() and len(line) < 450 for line in lines)


def test_drawing_is_quick_enough_to_be_done_between_two_reads() -> None:
    """The bound is relative, not a time: 20,000 lines may cost at most five times what 250 lines cost."""
    def cost(sayings: Sequence[Saying]) -> float:
        view = View("eth1", UTC)
        for saying in sayings:
            view.take(saying)
        began = time.process_time()
        for _ in range(5):
            draw(view.drawing(said.NOW, 40, []), 120, plain=False)
        return time.process_time() - began

    many = [said.line(number, f"10.0.{number % 250}.1:5060/udp") for number in range(20_000)]
    few = [said.line(number, f"10.0.{number % 250}.1:5060/udp") for number in range(250)]
    assert min(cost(many) for _ in range(3)) < 5 * min(cost(few) for _ in range(3))
