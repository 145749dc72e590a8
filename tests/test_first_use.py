"""What a first-time user of sipaudit gets after a slip: an error with its remedy, and nothing is written."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sipaudit.cli import terminal
from tests.shared import ROOT, SAMPLE, Ran

CAPTURE, SITE = str(SAMPLE / "capture.pcap"), str(SAMPLE / "site.yaml")


@pytest.mark.parametrize(("times", "said"), [
    (("--from", "12:06", "--to", "12:05"),
     "sipaudit: --from 2026-11-22 12:06:00.000 is after --to 2026-11-22 12:05:00.000 (give the earlier time to "
     "--from)\n"),
    (("--to", "11:30"), "sipaudit: --to 2026-11-22 11:30:00.000 is before the first packet, 2026-11-22 12:00:00.000 "
                        "(give a later time, or mind --tz)\n"),
])
def test_a_period_that_cannot_be_is_refused(tmp_path: Path, times: tuple[str, ...], said: str) -> None:
    ran = Ran("analyze", CAPTURE, *times, "-o", "out", folder=tmp_path)
    assert (ran.code, ran.out, ran.err) == (2, "", said)
    assert not list(tmp_path.iterdir())


def test_all_that_is_wrong_with_options_files_and_captures_is_told_at_once(tmp_path: Path) -> None:
    """Otherwise a user would mend one error only to meet the next."""
    (tmp_path / "site.yaml").write_text("entires: {}\n")
    (tmp_path / "sup.yaml").write_text("- rule: flapping\n")
    (tmp_path / "key").write_text("short")
    late = ("no.pcap", "--suppress", "sup.yaml", "--redact", "--redact-key", "key")
    both = Ran("analyze", *late, "--site", "site.yaml", "--tz", "utc", "--from", "noon", folder=tmp_path)
    told = [line.partition(" (")[0] for line in both.err.splitlines()]
    assert told == [
        "sipaudit: site.yaml:1: the site file: unknown key 'entires'", "sipaudit: --from: 'noon' is no time",
        "sipaudit: no.pcap: does not exist", "sipaudit: sup.yaml:1: the key 'reason' is missing",
        "sipaudit: key: a key has at least 16 bytes, this one has 5",
    ]
    assert Ran("analyze", *late, folder=tmp_path).err.splitlines() == both.err.splitlines()[2:]


def test_a_pipe_is_not_waited_for_where_an_option_is_wrong(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")   # nobody writes to it
    ran = subprocess.run([sys.executable, "-m", "sipaudit", "analyze", "pipe", "no.pcap", "--tz", "X"], cwd=tmp_path,
                         env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False)
    assert [line.partition(" (")[0] for line in ran.stderr.splitlines()] == [
        "sipaudit: --tz: there is no time zone 'X'", "sipaudit: no.pcap: does not exist"]


def test_a_moment_before_the_capture_has_no_phones(tmp_path: Path) -> None:
    ran = Ran("phones", CAPTURE, "--at", "11:30", folder=tmp_path)
    assert ran.code == 2
    assert ran.err.startswith("sipaudit: --at 2026-11-22 11:30:00.000 is before the first packet")


def test_a_period_after_the_capture_is_told(tmp_path: Path) -> None:
    """The end of the capture is unknown until all of it has been read."""
    ran = Ran("analyze", CAPTURE, "--from", "13:05", folder=tmp_path)
    assert ran.err == ("sipaudit: warning: --from 2026-11-22 13:05:00.000 is after the last packet, 2026-11-22 "
                       "12:07:13.568: there is nothing to report\n")
    assert "No deviation was found" not in ran.out


@pytest.mark.parametrize(("packets", "said"), [
    (1, "The one request in the captures has no answer: "),
    (2, "Not one of 2 requests in the captures has an answer: "),
])
def test_that_nobody_answers_is_told(tmp_path: Path, packets: int, said: str) -> None:
    whole = Path(CAPTURE).read_bytes()
    first = whole[24:40 + int.from_bytes(whole[32:36], "little")]
    second = first.replace(b"CSeq: 1 ", b"CSeq: 2 ")
    (tmp_path / "asked.pcap").write_bytes(whole[:24] + first + second * (packets - 1))
    assert said in " ".join(Ran("analyze", "asked.pcap", folder=tmp_path).out.split())


def test_a_moment_after_the_capture_is_shown_as_it_was_at_its_end(tmp_path: Path) -> None:
    ran = Ran("phones", CAPTURE, "--at", "18:00", folder=tmp_path)
    assert ran.err == ("sipaudit: warning: --at 2026-11-22 18:00:00.000 is after the last packet: this is how things "
                       "stood at 2026-11-22 12:07:13.568\n")
    assert ran.out.startswith("4 phones, 4 lines at 18:00; the last packet read is of 2026-11-22 12:07:13.568 UTC")


def test_a_moment_and_another_end_are_not_both_taken(tmp_path: Path) -> None:
    ran = Ran("phones", CAPTURE, "--at", "+5m", "--to", "+1m", folder=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "sipaudit: --at and --to both say where reading ends (leave --to out)\n"


def test_a_redacted_draft_of_a_site_file_does_not_name_the_captures(tmp_path: Path) -> None:
    named = Ran("phones", CAPTURE, "--draft-site", folder=tmp_path).out
    hidden = Ran("phones", CAPTURE, "--draft-site", "--redact", folder=tmp_path).out
    assert "first-outage/capture.pcap --site site.yaml" in named
    assert "first-outage" not in hidden
    assert ".pcap --site site.yaml" in hidden


@pytest.mark.parametrize("moment", ["+5m", "12:00:30", "12:03"])
def test_a_moment_within_the_capture_is_no_matter_for_a_warning(tmp_path: Path, moment: str) -> None:
    ran = Ran("phones", CAPTURE, "--at", moment, folder=tmp_path)
    assert (ran.err, ran.code) == ("", 0)


def test_all_events_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text('events:\n  - sbc1 stopped\n  - "25:00 sbc1 stopped"\n')
    ran = Ran("analyze", CAPTURE, "--site", "site.yaml", "--event", "12:05", "--event", "25:00 x", folder=tmp_path)
    assert [line.partition("(")[0] for line in ran.err.splitlines()] == [
        "sipaudit: site.yaml:2: events: 'sbc1' is no time ", "sipaudit: site.yaml:3: events: '25:00' is no time ",
        "sipaudit: --event: '12:05' does not say what happened ", "sipaudit: --event: '25:00' is no time "]


def test_what_is_wrong_in_files_and_options_is_told_together(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("entry: {}\n")
    (tmp_path / "mine.yaml").write_text("id: [")
    (tmp_path / "known.yaml").write_text("- {rule: none-of-ours}\n")   # a rule in mine.yaml could have this id
    ran = Ran("analyze", CAPTURE, "--site", "site.yaml", "--config", "none", "--set", "x=1", "--from", "soon",
              "--to", "later", "--tz", "Mars", "--rules", "mine.yaml", "--suppress", "known.yaml", folder=tmp_path)
    assert [line.split(" ")[1] for line in ran.err.splitlines()] == [
        "--tz:", "site.yaml:1:", "--set:", "none:", "--from:", "--to:", "mine.yaml:2:", "known.yaml:1:"]
    assert "none-of-ours" not in ran.err
    assert (ran.code, ran.out) == (2, "")


def test_what_is_wrong_in_rules_and_in_provisioning_is_told_together(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("id: [")
    (tmp_path / "known.yaml").write_text("- {rule: flapping}\n")
    ran = Ran("config", "check", "none", "--rules", "mine.yaml", "--suppress", "known.yaml", folder=tmp_path)
    assert [line.split(" ")[1] for line in ran.err.splitlines()] == ["mine.yaml:2:", "known.yaml:1:", "none:"]
    assert (ran.code, ran.out) == (2, "")


def test_a_finding_in_what_comes_through_a_pipe_is_drawn(tmp_path: Path) -> None:
    """A second reading draws it, so input from a pipe or from a shell's process substitution is needed twice."""
    words = ["ladder", CAPTURE, "--finding", "f-000001", "--site", SITE]
    drawn = Ran(*words, folder=tmp_path)
    assert "f-000001" in drawn.out
    (tmp_path / "cat.sh").write_text(f"cat {CAPTURE} | {sys.executable} -m sipaudit ladder - --finding f-000001 "
                                     f"--site <(cat {SITE})")
    piped = subprocess.run(["bash", "cat.sh"], cwd=tmp_path, capture_output=True, text=True, check=False,
                           env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "TZ": "UTC"})
    assert (piped.returncode, piped.stderr) == (0, "")
    assert piped.stdout == drawn.out.replace(CAPTURE, "-")


def test_a_zone_of_the_environment_that_nobody_knows_is_told_once(tmp_path: Path) -> None:
    said = ("sipaudit: warning: the environment's TZ is 'Europe/Berlim', a zone that is not known here: local is UTC "
            "(did you mean 'Europe/Berlin'?)\n")
    for words in (["phones", CAPTURE], ["ladder", CAPTURE, "--finding", "f-000001", "--site", SITE],
                  ["report", str(SAMPLE / "report.json")]):
        assert Ran(*words, folder=tmp_path, tz="Europe/Berlim").err == said
        assert not Ran(*words, "--tz", "utc", folder=tmp_path, tz="Europe/Berlim").err


def test_files_that_cat_put_one_behind_the_other_are_told_and_read_no_further(tmp_path: Path) -> None:
    """Other programs do not read on there either: packets of the second file have no frame numbers."""
    whole = (ROOT / CAPTURE).read_bytes()
    (tmp_path / "both.pcap").write_bytes(whole * 2)
    ran = Ran("analyze", "both.pcap", folder=tmp_path)
    assert ("both.pcap holds another capture behind its last packet, which was not read: name the files themselves, "
            "which need not be joined, or join them with mergecap -w OUT FILE...") in " ".join(ran.out.split())
    assert "stepped" not in ran.out
    assert "2055" not in ran.out


def test_a_slip_in_the_address_of_the_second_server_is_told_and_not_that_nobody_moved(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("entries: {sbc: [{address: 10.0.0.1}, {address: 10.0.0.20}]}\n"
                                        "lines: [{match: {}, entry: sbc, settings: {reRegisterOn: 1}}]\n")
    ran = Ran("analyze", CAPTURE, "--site", "site.yaml", folder=tmp_path)
    assert "None of 4 phones was seen to move." in " ".join(ran.out.split())
    assert ("3 lines of sbc registered at 10.0.0.2:5060/udp, which no entry lists: what they do there counts as no "
            "move. If it is a server of sbc, correct its address there.") in " ".join(ran.out.split())


@pytest.mark.parametrize(("site", "said"), [
    ("entries: {sbc: [{address: 10.0.5.1}, {address: 10.0.5.2}]}\nlines: [{match: {}, entry: sbc}]\n",
     "entries.sbc: none of its servers is in the captures; they have 10.0.0.1:5060/udp, 10.0.0.2:5060/udp"),
    ("entries: {sbc: [{name: sbc1.x.com}, {name: sbc2.x.com}]}\nlines: [{match: {}, entry: sbc}]\n",
     "entries.sbc: none of its servers is in the captures, and no DNS answer for their names; they have "
     "10.0.0.1:5060/udp, 10.0.0.2:5060/udp"),
    ("entries: {sbc: [{address: 10.0.0.1}, {address: 10.0.0.2}]}\nlines: [{match: {user: '20??'}, entry: sbc}]\n",
     "none of its lines: matches a line of the captures, such as sip:1001@pbx.example.com at 10.1.0.11:5060, "
     "sip:1002@pbx.example.com at 10.1.0.12:5060, sip:1003@pbx.example.com at 10.1.0.13:5060"),
    ("# nothing yet\n",
     "it has no lines:, so nothing is declared of a line of the captures, such as sip:1001@pbx.example.com at "
     "10.1.0.11:5060, sip:1002@pbx.example.com at 10.1.0.12:5060, sip:1003@pbx.example.com at 10.1.0.13:5060"),
])
def test_a_site_file_that_fits_nothing_in_the_capture_is_told(tmp_path: Path, site: str, said: str) -> None:
    (tmp_path / "site.yaml").write_text(site)
    assert Ran("analyze", CAPTURE, "--site", "site.yaml", folder=tmp_path).err == (
        f"sipaudit: warning: site.yaml: {said}\n")


def test_provisioning_of_other_phones_is_told(tmp_path: Path) -> None:
    (tmp_path / "0004f2abcdef.cfg").write_text('<APPLICATION CONFIG_FILES="site.cfg"/>')
    (tmp_path / "site.cfg").write_text('<reg reg.1.address="1001" reg.1.server.1.address="pbx.example.com"/>')
    assert Ran("analyze", CAPTURE, "--config", ".", folder=tmp_path).err == (
        "sipaudit: warning: the provisioning files say nothing of any line of the captures, such as "
        "sip:1001@pbx.example.com of phone 0004f2000001, sip:1002@pbx.example.com of phone 0004f2000002, "
        "sip:1003@pbx.example.com of phone 0004f2000003\n")


def test_a_site_file_that_fits_is_not_spoken_of(tmp_path: Path) -> None:
    assert Ran("analyze", CAPTURE, "--site", SITE, folder=tmp_path).err == ""
    assert Ran("analyze", CAPTURE, "--config", str(SAMPLE / "provisioning"), folder=tmp_path).err == ""


def test_two_entries_may_have_the_same_servers(tmp_path: Path) -> None:
    """The entries have the servers in different orders. The capture shows both servers, so there is no warning."""
    (tmp_path / "site.yaml").write_text(
        "entries:\n  east: [{address: 10.0.0.1}, {address: 10.0.0.2}]\n"
        "  west: [{address: 10.0.0.2}, {address: 10.0.0.1}]\n"
        "lines: [{match: {user: 1001}, entry: east}, {match: {}, entry: west}]\n")
    assert Ran("analyze", CAPTURE, "--site", "site.yaml", folder=tmp_path).err == ""


@pytest.mark.parametrize("line", ["sip:1003@pbx.example.com", "1003@pbx.example.com", "1003"])
def test_a_line_may_be_named_as_the_tables_name_it(tmp_path: Path, line: str) -> None:
    whole = Ran("ladder", CAPTURE, "--line", "sip:1003@pbx.example.com", folder=tmp_path)
    assert Ran("ladder", CAPTURE, "--line", line, folder=tmp_path).out == whole.out
    assert Ran("events", CAPTURE, "--line", line, folder=tmp_path).out.startswith("# sip:1003@pbx.example.com at ")


@pytest.mark.parametrize("command", ["ladder", "events"])
def test_a_line_that_is_not_there_is_an_error(tmp_path: Path, command: str) -> None:
    ran = Ran(command, CAPTURE, "--line", "sip:1103@pbx.example.com", folder=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("sipaudit: --line: no line 'sip:1103@pbx.example.com' in these captures (did you mean")


@pytest.mark.parametrize(("call", "fix"), [
    ("nonsense", "write all of what stands in that header, also behind an @"),
    ("call1x13@10.1.0.99", "did you mean 'call1x13@10.1.0.11'?"),
])
def test_a_call_that_is_not_there_is_an_error(tmp_path: Path, call: str, fix: str) -> None:
    ran = Ran("ladder", CAPTURE, "--call-id", call, folder=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"sipaudit: --call-id: no message with the Call-ID {call!r} in what was chosen ({fix})\n"


def test_a_plan_is_not_replaced_by_its_capture(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    text = (ROOT / "samples" / "busy-phone" / "plan.yaml").read_text()
    plan.write_text(text)
    ran = Ran("simulate", "plan.yaml", "-o", "plan.yaml", folder=tmp_path)
    assert (ran.code, ran.err) == (
        2, "sipaudit: plan.yaml: is the plan, and would be replaced (name another file with -o)\n")
    assert list(tmp_path.iterdir()) == [plan]
    assert plan.read_text() == text


def test_an_empty_directory_name_is_no_directory(tmp_path: Path) -> None:
    """As in `-o "$OUT"` with a variable that is not set."""
    ran = Ran("analyze", CAPTURE, "-o", "", folder=tmp_path)
    assert (ran.code, ran.err) == (2, "sipaudit: --output names no directory (name one, or . for this one)\n")
    assert not list(tmp_path.iterdir())


def test_a_closed_stdout_takes_nothing_away_from_the_files(tmp_path: Path) -> None:
    ran = Ran("analyze", CAPTURE, "--site", SITE, "-o", "out", folder=tmp_path, shell=">&-")
    assert (ran.code, ran.err) == (0, "sipaudit: wrote the report into out\n")
    assert (tmp_path / "out" / "report.json").exists()


def test_folders_within_a_folder_are_not_searched_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "day" / "one").mkdir(parents=True)
    (tmp_path / "day" / "README").write_text("captures of a day\n")
    ran = Ran("analyze", "day", folder=tmp_path)
    assert (ran.code, ran.err) == (2, "sipaudit: day: none of its files is a capture (name a pcap or pcapng file; "
                                      "folders within a folder are not searched)\n"
                                      "sipaudit: day/README: is a text file, not a capture (name a pcap or pcapng "
                                      "file; tcpdump writes one with -w)\n")


def test_where_no_capture_is_left_it_is_said_why_each_was_passed_over(tmp_path: Path) -> None:
    """The captures may be in a subfolder, or be there but unreadable."""
    (tmp_path / "day" / "one").mkdir(parents=True)
    (tmp_path / "day" / "one" / "a.pcap").write_bytes(Path(CAPTURE).read_bytes())
    for number in range(30):
        (tmp_path / "day" / f"{number:02d}.pcap").write_bytes(b"")
    ran = Ran("analyze", "day", folder=tmp_path)
    said = ran.err.splitlines()
    assert (ran.code, len(said)) == (2, 22)
    assert said[1].startswith("sipaudit: day/00.pcap: ")
    assert said[-1] == "sipaudit: and 11 more are none"
    for number in range(30):
        (tmp_path / "day" / f"{number:02d}.pcap").unlink()
    assert "sipaudit: day/one: is a folder within a folder" in Ran("analyze", "day", folder=tmp_path).err


def test_a_store_named_by_its_path_is_told_its_url(tmp_path: Path) -> None:
    assert Ran("analyze", CAPTURE, "--store", "sqlite:///s.db", folder=tmp_path).code == 0
    ran = Ran("report", "s.db", folder=tmp_path)
    assert ran.code == 2
    assert "is an SQLite file (show a store with: sipaudit report sqlite:///s.db)" in ran.err


def test_a_period_of_a_store_that_cannot_be_is_refused(tmp_path: Path) -> None:
    assert Ran("analyze", CAPTURE, "--store", "sqlite:///s.db", folder=tmp_path).code == 0
    ran = Ran("report", "sqlite:///s.db", "--from", "12:06", "--to", "12:05", folder=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("sipaudit: --from 2026-11-22 12:06:00.000 is after --to 2026-11-22 12:05:00.000")


def test_a_master_file_in_capitals_is_named(tmp_path: Path) -> None:
    (tmp_path / "prov").mkdir()
    (tmp_path / "prov" / "0004F2ABCDEF.CFG").write_text('<APPLICATION CONFIG_FILES="site.cfg"/>')
    ran = Ran("config", "check", "prov", folder=tmp_path)
    assert ran.code == 2
    assert "(phones ask for 0004f2abcdef.cfg: rename 0004F2ABCDEF.CFG)" in ran.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_who_may_not_read_the_program_is_an_error(tmp_path: Path) -> None:
    """The program is in a home directory, so modules that are imported after the change of user could not be read."""
    shutil.copytree(ROOT / "sipaudit", tmp_path / "home" / "sipaudit", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "rules", tmp_path / "home" / "rules")
    (tmp_path / "home").chmod(0o700)
    ran = Ran("live", "--hep", "udp://127.0.0.1:0", "--user", "nobody", folder=tmp_path, home=tmp_path / "home")
    assert ran.code == 2
    assert ran.err.startswith("sipaudit: --user 'nobody' may not read ")


def test_what_to_do_next_can_be_pasted(tmp_path: Path) -> None:
    """Commands repeat the run's captures and options, which decide the ids of findings; redacted ones do not appear."""
    ran = Ran("analyze", CAPTURE, "--site", SITE, "--event", "12:01 it's late", folder=tmp_path)
    asked = f"{CAPTURE} --site {SITE} --event '12:01 it'\"'\"'s late'"
    assert f"sipaudit ladder {asked} --finding f-000001\n" in ran.out
    assert f"sipaudit phones {asked}\n" in ran.out
    line = next(line for line in ran.out.splitlines() if "sipaudit ladder" in line)
    told = Ran(*shlex.split(line.partition("sipaudit ")[2]), folder=tmp_path)
    assert (told.code, told.err) == (0, "")
    assert "#220 f-000001" in told.out
    hidden = Ran("analyze", CAPTURE, "--site", SITE, "--redact", folder=tmp_path)
    assert " sipaudit ladder CAPTURE ... --finding f-000001\n" in hidden.out
    piped = Ran("analyze", "-", "--site", SITE, folder=tmp_path, shell=f"< {CAPTURE}")
    assert "sipaudit phones CAPTURE ...\n" in piped.out


def test_what_to_do_next_names_the_program_as_it_was_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in a .venv is only found by its path."""
    program = tmp_path / "bin" / "sipaudit"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", ["bin/sipaudit", "analyze"])
    monkeypatch.chdir(tmp_path)
    assert terminal.program() == "bin/sipaudit"
    monkeypatch.setenv("PATH", str(program.parent))
    assert terminal.program() == "sipaudit"
    monkeypatch.setattr(sys, "argv", ["/usr/lib/python3/sipaudit/cli/main.py"])
    assert terminal.program() == "sipaudit"
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", ["/usr/lib/python3/sipaudit/__main__.py"])
    assert terminal.program() == "python -m sipaudit"


def test_a_report_that_is_shown_again_calls_the_program_as_analyze_does(tmp_path: Path) -> None:
    report = str(SAMPLE / "report.json")
    assert "python -m sipaudit explain server-outage" in Ran("report", report, folder=tmp_path).out
    assert "python -m" not in Ran("report", report, "--redact", folder=tmp_path).out
