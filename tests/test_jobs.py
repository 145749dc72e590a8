"""`--jobs`: the number of processes does not change the findings, and no process is left behind."""

from __future__ import annotations

import errno
import fcntl
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sipaudit import pipeline
from sipaudit.capture.captures import Captures
from sipaudit.capture.files import resolve
from sipaudit.errors import InputError
from sipaudit.reconstruct.entries import Entries
from sipaudit.reconstruct.views import View
from sipaudit.report import document
from sipaudit.run import ahead, packing, reader, reading, reading_apart, sender
from sipaudit.run.ahead import AHEAD, batches_of
from sipaudit.simulate.simulate import simulate
from sipaudit.sip.datagram import Flow
from sipaudit.sip.forms import Parsed
from tests.ctrl_c import hears_ctrl_c
from tests.frames import frames_in, write_pcap
from tests.score import plans
from tests.shared import COMMAND, CORPORA, ROOT, SAMPLES

OUTAGE = ROOT / "samples/three-servers/capture.pcap"


def site_of(capture: Path) -> str | None:
    site = capture.parent / "site.yaml"
    return str(site) if site.is_file() else None


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Makes the number of processes what the job says, even if the process that runs the tests has threads. Yields a
    list with the number of reader processes for each reading, also of readers that have ended since."""
    seen: list[int] = []
    arrivals = reading_apart._arrivals

    def watched(incoming: BufferedReader, process: ForkProcess, *arguments: Any) -> Iterator[list[Parsed]]:
        seen.append(int(process.pid not in (None, os.getpid())))
        return arrivals(incoming, process, *arguments)

    monkeypatch.setattr(reading, "processes", lambda jobs, _size: jobs or 1)
    monkeypatch.setattr(reading_apart, "_arrivals", watched)
    yield seen
    assert multiprocessing.active_children() == []


def analyzed(capture: Path, jobs: int) -> bytes:
    report = pipeline.analyze(
        pipeline.Job((str(capture),), site=site_of(capture), jobs=jobs), warn=lambda _: None)
    return document.to_json(report)


@pytest.mark.parametrize("capture", [*SAMPLES, *CORPORA], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_two_processes_say_byte_for_byte_what_one_says(capture: Path, apart: list[int]) -> None:
    assert analyzed(capture, 2) == analyzed(capture, 1)
    assert apart == [1]


@pytest.mark.parametrize(("kind", "seed"), [("obedient", 5006), ("wild", 5017), ("deviant", 5003)])
def test_nor_does_it_matter_to_a_plan(kind: str, seed: int, tmp_path: Path, apart: list[int]) -> None:
    """Plans of phones that register every few minutes; in the first two a count gains a digit while its form is new."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump(getattr(plans, kind)(seed)))
    capture, site, *_ = simulate(str(plan), str(tmp_path / "plan.pcap"))
    one, two = (document.to_json(pipeline.analyze(pipeline.Job((str(capture),), site=str(site), jobs=jobs),
                                                  warn=lambda _: None)) for jobs in (1, 2))
    assert one == two
    assert apart == [1]


def test_nor_that_the_tap_was_away(tmp_path: Path, apart: list[int]) -> None:
    """The following process notices a silence between two items, which may have arrived in the same batch."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump(plans.obedient(46)))
    capture, site, *_ = simulate(str(plan), str(tmp_path / "plan.pcap"))
    packets = frames_in(Path(capture))
    seen = write_pcap(tmp_path / "seen.pcap", [one for one in packets if not 737 <= one[0] - packets[0][0] < 827])
    one, two = (pipeline.analyze(pipeline.Job((str(seen),), site=str(site), jobs=jobs), warn=lambda _: None)
                for jobs in (1, 2))
    assert document.to_json(one) == document.to_json(two)
    assert [event.what for event in one.events if "captured" in event.what] != []
    assert apart == [1]


def test_nor_that_a_flow_has_become_another_object(apart: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """An equal flow object is no reason to look up the line's entry again, which DNS may have changed meanwhile."""
    monkeypatch.setattr(packing, "FLOWS_KEPT", 1)
    monkeypatch.setattr(ahead, "AHEAD", 3)
    asked: list[Flow] = []
    ask = Entries.with_chain

    def asking(entries: Entries, view: View, flow: Flow) -> View:
        asked.append(flow)
        return ask(entries, view, flow)

    monkeypatch.setattr(Entries, "with_chain", asking)
    assert analyzed(OUTAGE, 1) == analyzed(OUTAGE, 2)
    assert apart == [1]
    half = len(asked) // 2
    assert asked[:half] == asked[half:]


def test_all_files_are_those_of_one_process(tmp_path: Path, apart: list[int]) -> None:
    for capture in (OUTAGE, ROOT / "samples/tcp/capture.pcap"):
        for jobs in (1, 2):
            pipeline.analyze(pipeline.Job((str(capture),), site=site_of(capture), jobs=jobs, zone="utc"),
                             output=pipeline.Output(str(tmp_path / f"{jobs}")), warn=lambda _: None)
        one, two = ({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
                    for folder in (tmp_path / "1", tmp_path / "2"))
        assert one == two
        assert len(one) > 5
    assert apart == [1] * 2  # for the evidence the captures are read again, but not followed


def test_ladders_and_transcripts_are_those_of_one_process(apart: list[int]) -> None:
    jobs = [pipeline.Job((str(OUTAGE),), site=site_of(OUTAGE), jobs=jobs) for jobs in (1, 2)]
    one, two = (list(pipeline.events(job)) for job in jobs)
    assert one == two
    ladders = [pipeline.ladder(job) for job in jobs]
    assert ladders[0] == ladders[1]
    assert len(ladders[0]) > 10
    assert apart == [1, 1]


def test_several_captures_with_a_hole_between_them(tmp_path: Path, apart: list[int]) -> None:
    """A hole is told by when the previous capture ended, and only the reading process knows that."""
    packets = frames_in(OUTAGE)
    half = len(packets) // 2
    write_pcap(tmp_path / "a.pcap", packets[:half])
    write_pcap(tmp_path / "b.pcap", [(time + 4000.0, frame) for time, frame in packets[half:]])
    said = [document.to_json(pipeline.analyze(
        pipeline.Job((str(tmp_path),), site=site_of(OUTAGE), jobs=jobs), warn=print)) for jobs in (1, 2)]
    assert said[0] == said[1]
    assert len(json.loads(said[0])["captures"]) == 2


@pytest.mark.parametrize("waits", [False, True])
def test_it_does_not_matter_who_parses(waits: bool, apart: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader parses all messages, or none: usually that depends on which process is the slower one at the
    moment."""
    monkeypatch.setattr(sender.Sender, "_is_waited_for", lambda _sender: waits)
    storm = ROOT / "samples/register-storm/capture.pcap"
    assert analyzed(storm, 2) == analyzed(storm, 1)


def test_a_pipe_that_may_not_be_larger_will_do(apart: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who is not root has a limit for the total size of pipes."""
    resizing = fcntl.fcntl

    def refused(descriptor: int, command: int, size: int = 0) -> int:
        if command == fcntl.F_SETPIPE_SZ:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return resizing(descriptor, command, size)

    monkeypatch.setattr(fcntl, "fcntl", refused)
    storm = ROOT / "samples/register-storm/capture.pcap"
    assert analyzed(storm, 2) == analyzed(storm, 1)


def test_progress_counts_every_byte(apart: list[int]) -> None:
    class Meter:
        total = read = 0

        def start(self, total_bytes: int) -> None:
            self.total = total_bytes

        def advance(self, n: int) -> None:
            self.read += n

        def stop(self) -> None:
            """Nothing to take down."""

    meter = Meter()
    pipeline.analyze(pipeline.Job((str(OUTAGE),), jobs=2), progress=meter)
    assert meter.read == meter.total == OUTAGE.stat().st_size
    assert apart == [1]


def test_a_pipe_is_read_by_the_reader() -> None:
    """Nothing is read from it beforehand: no time in the site file needs the time of the first packet."""
    command = [*COMMAND, "analyze", "-", "--format", "json", "--jobs"]
    one, two = (subprocess.run([*command, jobs], input=OUTAGE.read_bytes(), capture_output=True, check=True).stdout
                for jobs in ("1", "2"))
    assert one == two
    assert json.loads(one)["captures"][0]["packets"] > 100


BEGINS = """
import sys
from sipaudit.cli.main import main
from sipaudit.run.reader import Reader

def loaded():
    print(*sorted({name.split(".")[1] for name in sys.modules if name.startswith("sipaudit.")}), flush=True)

began, told = Reader.__init__, Reader.read
def beginning(reader):
    loaded()
    began(reader)
def telling(reader, *arguments, **wanted):
    loaded()
    told(reader, *arguments, **wanted)
Reader.__init__, Reader.read = beginning, telling
sys.exit(main())
"""


def test_reading_begins_before_what_follows_is_loaded() -> None:
    """Loading those modules takes a fifth of a short run, in which the reader would be idle. The reader loads its own
    modules before the site file tells what there is to read."""
    ran = subprocess.run([sys.executable, "-c", BEGINS, "analyze", str(OUTAGE), "--jobs", "2", "--format", "json"],
                         capture_output=True, text=True, check=True)
    begun, told, report = ran.stdout.split("\n", 2)
    assert not {"capture", "sip", "settings"} & set(begun.split())
    assert {"capture", "settings"} <= set(told.split())
    assert not {"reconstruct", "rulebook", "incidents", "report"} & set(told.split())
    assert json.loads(report)["lines"]


def test_what_the_site_file_gets_wrong_ends_a_reader_that_waits(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("lines: {")
    with pytest.raises(InputError):
        pipeline.analyze(pipeline.Job((str(OUTAGE),), site=str(site), jobs=2))
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("paths", [("{folder}",), ("{folder}/*.pcap",), ("{file}", "{folder}"), ("{file}", "-")])
def test_what_is_not_named_file_by_file_is_read_when_it_is_known(paths: tuple[str, ...], tmp_path: Path) -> None:
    """No reader is started early for input that may have to be spooled first."""
    (tmp_path / "one.pcap").write_bytes(OUTAGE.read_bytes())
    named = [path.format(folder=tmp_path, file=OUTAGE) for path in paths]
    code = "import sys\nfrom sipaudit.run import reader\nfrom sipaudit.run.job import Job\n" \
           "with reader.getting_ready(Job(tuple(sys.argv[1:]), jobs=2)) as ready: print(ready)"
    ran = subprocess.run([sys.executable, "-c", code, *named], capture_output=True, text=True, check=True)
    assert ran.stdout == "None\n"
    command = [*COMMAND, "analyze", *named, "--format", "json", "--jobs"]
    one, two = (subprocess.run([*command, jobs], input=OUTAGE.read_bytes(), capture_output=True, check=True).stdout
                for jobs in ("1", "2"))
    assert one == two


# -- how it ends


def test_an_error_of_reading_is_the_users_to_mend(apart: list[int]) -> None:
    """The reader checks the data that comes through a pipe."""
    incoming, outgoing = os.pipe()
    with open(incoming, "rb"), open(outgoing, "wb") as stream:  # noqa: PTH123 - they have no path
        stream.write(b"no capture at all, but long enough to be looked at" * 10)
        stream.close()
        with pytest.raises(InputError) as raised:
            pipeline.analyze(pipeline.Job((f"/dev/fd/{incoming}",), jobs=2))
    assert raised.value.file == f"/dev/fd/{incoming}"
    assert raised.value.fix
    assert apart == [1]


def test_what_the_user_must_mend_ends_a_reader_that_has_begun(tmp_path: Path, apart: list[int]) -> None:
    """The rules are parsed while the reader is already reading."""
    rules = tmp_path / "mine.yaml"
    rules.write_text("id: [")
    with pytest.raises(InputError):
        pipeline.analyze(pipeline.Job((str(OUTAGE),), rules=(str(rules),), jobs=2))
    assert apart == [1]


class Dying(reader.Wanted):
    """The process that reads it dies."""

    def captures(self, progress: Callable[[int], None] | None = None) -> Captures:
        os._exit(7)


def test_a_reader_that_dies_is_a_failure_and_no_report() -> None:
    with reading_apart.reading_apart(Dying([]), payloads=False) as items, \
            pytest.raises(RuntimeError, match="ended with 7"):
        next(items)
    assert multiprocessing.active_children() == []


def test_who_leaves_early_leaves_nobody_behind(tmp_path: Path) -> None:
    many = write_pcap(tmp_path / "many.pcap", [
        (time + number * 4000.0, frame) for number in range(50) for time, frame in frames_in(OUTAGE)])
    files = resolve((str(many),)).files
    with reading_apart.reading_apart(reader.Wanted(files), payloads=True) as items:
        assert next(items)[0][1] is not None
        assert len(multiprocessing.active_children()) == 1
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_the_reader_ends_with_the_command(ending: signal.Signals, tmp_path: Path) -> None:
    """The reader is busy with a pipe that never ends. It is found as the command's child process."""
    command = subprocess.Popen(
        [*COMMAND, "analyze", "-", "--jobs", "2"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=hears_ctrl_c,
    )
    assert command.stdin is not None
    data = OUTAGE.read_bytes()
    command.stdin.write(data)
    command.stdin.flush()
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children")
    deadline = time.monotonic() + 60
    while not (found := children.read_text().split()) and time.monotonic() < deadline:
        time.sleep(0.02)
    (child,) = found
    command.send_signal(ending)
    command.stdin.close()  # the reader's next read, or its next write, ends it
    assert command.wait(timeout=60) == (130 if ending is signal.SIGINT else -signal.SIGKILL)
    while Path(f"/proc/{child}/stat").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break  # a zombie: no parent is left to collect its exit status
        time.sleep(0.02)
    else:
        assert not Path(f"/proc/{child}").exists()


# -- how many


@pytest.mark.parametrize(("jobs", "size", "cores", "threads", "expected"), [
    (None, reader.WORTH - 1, 8, 1, 1),     # done before a second process would have started
    (None, reader.WORTH, 8, 1, 2),
    (None, reader.WORTH, 1, 1, 1),
    (None, 0, 4, 1, 2),                     # a pipe: its size is unknown
    (1, reader.WORTH * 100, 8, 1, 1),
    (2, 1, 1, 1, 2),                        # the user's choice
    (64, reader.WORTH, 8, 1, 2),
    (2, reader.WORTH, 8, 3, 1),            # forking a process that has threads may hang
])
def test_how_many_processes_work(jobs: int | None, size: int, cores: int, threads: int, expected: int,
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)))
    monkeypatch.setattr(threading, "active_count", lambda: threads)
    assert reader.processes(jobs, size) == expected


def test_runs_are_as_long_in_one_process_as_in_two() -> None:
    """How far the capture was read ahead decides what is known about it while its items are followed."""
    items = Captures(resolve((str(ROOT / "samples/register-storm/capture.pcap"),)).files)
    assert [len(batch) for batch in batches_of(items)][:2] == [AHEAD, AHEAD]
