"""Exit codes and their messages: 0 done, 1 failed, 2 input, 3 findings, 130 interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from sipaudit.errors import InputError, InputErrors
from sipaudit.model.values import Severity
from tests.cli.conftest import Command, Fake, finding, report


def raises(error: BaseException) -> Callable[[object], NoReturn]:
    def answer(_asked: object) -> NoReturn:
        raise error

    return answer


def test_done_is_0_and_only_results_are_on_stdout(pipeline: Fake, sipaudit_command: Command) -> None:
    pipeline.answer = lambda asked: asked["warn"]("a clock step") or report()
    result = sipaudit_command("analyze", "a.pcap")
    assert result.code == 0
    assert result.out == "rendered Report by LocalZone, colour False\n"
    assert result.err == "sipaudit: warning: a clock step\n"


def test_unusable_input_is_2_and_one_line_with_place_and_fix(pipeline: Fake, sipaudit_command: Command) -> None:
    pipeline.answer = raises(InputError("unknown setting mode", fix="failBack.mode?", file="site.yaml", line=7))
    result = sipaudit_command("analyze", "a.pcap")
    assert result.code == 2
    assert result.err == "sipaudit: site.yaml:7: unknown setting mode (failBack.mode?)\n"
    assert result.out == ""


def test_several_input_errors_get_a_line_each(pipeline: Fake, sipaudit_command: Command) -> None:
    pipeline.answer = raises(InputErrors([InputError("first", file="s.yaml", line=1), InputError("second")]))
    result = sipaudit_command("phones", "a.pcap")
    assert result.code == 2
    assert result.err.splitlines() == ["sipaudit: s.yaml:1: first", "sipaudit: second"]


def test_a_bug_is_1_and_one_line(pipeline: Fake, sipaudit_command: Command) -> None:
    pipeline.answer = raises(KeyError("branch"))
    result = sipaudit_command("analyze", "a.pcap")
    assert result.code == 1
    assert len(result.err.splitlines()) == 1
    assert "this is a bug" in result.err


@pytest.mark.parametrize("arguments", [["-v", "analyze", "a.pcap"], ["analyze", "a.pcap", "-v"]])
def test_verbose_shows_the_traceback_of_a_bug(pipeline: Fake, sipaudit_command: Command, arguments: list[str]) -> None:
    pipeline.answer = raises(KeyError("branch"))
    result = sipaudit_command(*arguments)
    assert result.code == 1
    assert "Traceback" in result.err
    assert "this is a bug" in result.err.splitlines()[-1]


def test_a_full_disk_is_a_failure_but_no_bug(pipeline: Fake, sipaudit_command: Command) -> None:
    pipeline.answer = raises(OSError(28, "No space left on device"))
    result = sipaudit_command("analyze", "a.pcap")
    assert result.code == 1
    assert "No space left on device (make room where -o points to, and for temporary files: TMPDIR" in result.err
    assert "bug" not in result.err


@pytest.mark.parametrize(
    ("least", "code"), [("info", 3), ("warning", 3), ("error", 0), ("never", 0)]
)
def test_fail_on_is_3_from_its_severity_upwards(
        pipeline: Fake, sipaudit_command: Command, least: str, code: int) -> None:
    pipeline.answer = report(finding(Severity.WARNING))
    result = sipaudit_command("analyze", "a.pcap", "--fail-on", least)
    assert result.code == code
    assert result.out  # the report is printed all the same


def test_suppressed_findings_do_not_fail(pipeline: Fake, sipaudit_command: Command) -> None:
    pipeline.answer = report(finding(Severity.ERROR, suppressed="known, ticket 4711"))
    assert sipaudit_command("analyze", "a.pcap", "--fail-on", "info").code == 0


def test_ctrl_c_is_130_and_nothing_is_written(pipeline: Fake, sipaudit_command: Command, tmp_path: Path) -> None:
    pipeline.answer = raises(KeyboardInterrupt())
    result = sipaudit_command("analyze", "a.pcap", "-o", str(tmp_path / "out"))
    assert result.code == 130
    assert result.out == ""
    assert list(tmp_path.iterdir()) == []


def test_quiet_silences_warnings_and_notes_but_not_errors(pipeline: Fake, sipaudit_command: Command) -> None:
    pipeline.answer = lambda asked: asked["warn"]("a clock step") or report(finding(Severity.ERROR))
    result = sipaudit_command("-q", "analyze", "a.pcap", "--fail-on", "error")
    assert (result.code, result.err) == (3, "")
    pipeline.answer = raises(InputError("no such file", file="a.pcap"))
    assert sipaudit_command("analyze", "a.pcap", "-q").err == "sipaudit: a.pcap: no such file\n"


def test_a_hostile_word_cannot_steer_the_terminal(pipeline: Fake, sipaudit_command: Command) -> None:
    pipeline.answer = raises(InputError("header \x1b]0;owned\x07 and \u202e and \udcff\nsecond line"))
    result = sipaudit_command("analyze", "a.pcap")
    assert result.err == "sipaudit: header \\x1b]0;owned\\x07 and \\u202e and \\udcff\\nsecond line\n"


def test_a_file_that_may_not_be_read_is_left_to_who_opens_it(
        pipeline: Fake, sipaudit_command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Opening it gives one line with the file and the remedy; the check of the command line would say less in four."""
    closed = tmp_path / "closed.pcap"
    closed.write_bytes(b"")
    monkeypatch.setattr("os.access", lambda *_asked: False)
    pipeline.answer = raises(InputError("cannot be read: Permission denied", fix="check its permissions", file="x"))
    result = sipaudit_command("analyze", str(closed), "--site", str(closed))
    assert result.err == "sipaudit: x: cannot be read: Permission denied (check its permissions)\n"


def test_options_reach_the_pipeline_as_one_job(pipeline: Fake, sipaudit_command: Command) -> None:
    sipaudit_command(
        "analyze", "a.pcap", "b.pcap", "--site", "site.yaml", "--set", "reRegisterOn=1", "--set", "failBack.timeout=60",
        "--engine", "libpcap", "--filter", "udp", "--tls-keylog", "keys", "--from", "+90s", "--to", "12:03",
        "--tz", "utc", "--event", "12:03:04 sbc1 stopped", "--jobs", "2",
    )
    job = pipeline.job
    assert (job.paths, job.site) == (("a.pcap", "b.pcap"), "site.yaml")
    assert job.settings == ("reRegisterOn=1", "failBack.timeout=60")
    assert (job.engine, job.bpf, job.keylog) == ("libpcap", "udp", "keys")
    assert (job.start, job.end, job.zone) == ("+90s", "12:03", "utc")
    assert job.events == ("12:03:04 sbc1 stopped",)
    assert job.jobs == 2


def test_each_command_passes_its_own_choices_on(pipeline: Fake, sipaudit_command: Command) -> None:
    sipaudit_command("phones", "a.pcap", "--at", "12:03")
    assert pipeline.asked["at"] == "12:03"
    pipeline.answer = []
    sipaudit_command("ladder", "a.pcap", "--line", "sip:1@x", "--call-id", "c", "--finding", "f-000001")
    assert [pipeline.asked[choice] for choice in ("line", "call_id", "finding")] == ["sip:1@x", "c", "f-000001"]
    pipeline.answer = iter(["0.0 > REGISTER", "0.1 < 200"])
    result = sipaudit_command("events", "a.pcap", "--line", "sip:1@x")
    assert pipeline.asked["line"] == "sip:1@x"
    assert result.out == "0.0 > REGISTER\n0.1 < 200\n"


def test_inspect_asks_for_frames_as_wireshark_counts_them(pipeline: Fake, sipaudit_command: Command) -> None:
    pipeline.answer = [("frame 812", []), ("frame 815", [])]
    result = sipaudit_command("inspect", "a.pcap", "812", "815", "--tls-keylog", "keys")
    assert pipeline.job == "a.pcap"
    assert (pipeline.asked["frames"], pipeline.asked["keylog"]) == ((812, 815), "keys")
    assert result.out == "frame 812\n\nframe 815\n\n"
    assert sipaudit_command("inspect", "a.pcap", "0").code == 2


def test_inspect_takes_ranges_of_frames(pipeline: Fake, sipaudit_command: Command) -> None:
    pipeline.answer = []
    sipaudit_command("inspect", "a.pcap", "7", "100-103", "102-102")
    assert pipeline.asked["frames"] == (7, 100, 101, 102, 103)


@pytest.mark.parametrize(("frames", "said"), [
    (["0-5"], "'0-5': frames are numbered from 1"), (["9-5"], "'9-5' ends before it begins"),
    (["5-"], "'5-' is neither a frame nor a range of frames, such as 812 or 100-120"),
    (["-5"], "No such option"), (["x"], "'x' is neither"), (["1-999999999999"], "at most 1000 frames"),
    (["1-600", "1001-1600"], "at most 1000 frames"), (["1" * 5000], "is neither"),
])
def test_what_is_no_range_of_frames_is_2(
        pipeline: Fake, sipaudit_command: Command, frames: list[str], said: str) -> None:
    ran = sipaudit_command("inspect", "a.pcap", *frames)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
