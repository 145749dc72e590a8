"""`sipaudit simulate` from outside: what it writes, what it refuses, and that it stays small."""

from __future__ import annotations

import contextlib
import os
import re
import tracemalloc
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from sipaudit import pipeline
from sipaudit.cli.root import root
from sipaudit.errors import InputError, InputErrors
from sipaudit.simulate.plan.read import CALL_KINDS, FAULTS, read_plan
from sipaudit.simulate.plan.values import Plan
from sipaudit.simulate.simulate import simulate, write
from tests.shared import ROOT
from tests.simulate.plans import plan

DOCS = (ROOT / "docs" / "simulate.md").read_text()


def run(*words: object) -> tuple[int, str]:
    ran = CliRunner().invoke(root, ["simulate", *map(str, words)])
    return ran.exit_code, ran.stderr


def test_three_files_are_written_and_the_same_ones_each_time(tmp_path: Path) -> None:
    written = tmp_path / "plan.yaml"
    written.write_text(yaml.safe_dump(plan(network={"loss": 0.01}, tap={"doubles": 0.1})))
    made = []
    for name in ("one", "two"):
        assert run(written, "-o", tmp_path / f"{name}.pcap")[0] == 0
        made.append([(tmp_path / f"{name}{end}").read_bytes() for end in (".pcap", ".site.yaml", ".truth.json")])
    assert made[0] == made[1]
    assert len(list(tmp_path.iterdir())) == 7


def test_a_group_has_its_name_in_whatever_script(tmp_path: Path) -> None:
    told = plan()
    for group in told["phones"]:
        group["group"] = "Werk S\u00fcd \U0001f4de"
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(told))
    simulate(str(tmp_path / "plan.yaml"), str(tmp_path / "out.pcap"))
    job = pipeline.Job(paths=(str(tmp_path / "out.pcap"),), site=str(tmp_path / "out.site.yaml"))
    assert {line.group for line in pipeline.analyze(job).lines} == {"Werk S\u00fcd \U0001f4de"}


def test_another_seed_is_another_story(tmp_path: Path) -> None:
    captures = []
    for seed in (1, 2):
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan(seed=seed)))
        simulate(str(tmp_path / "plan.yaml"), str(tmp_path / "out.pcap"))
        captures.append((tmp_path / "out.pcap").read_bytes())
    assert captures[0] != captures[1]


@pytest.mark.parametrize(("text", "said"), [
    ("", "the plan is empty"),
    ("- a list\n", "plan.yaml:1: the plan must be a mapping (write its keys: seed, start,"),
    ("sevrers: {}\n", "plan.yaml:1: unknown key 'sevrers' (did you mean 'servers'?)"),
    ("servers: {a: {address: 10.0.0.1}}\n", "plan.yaml:1: the plan has no 'entries'"),
    ("servers:\n  a: {adress: 10.0.0.1}\n", "plan.yaml:2: servers.a: unknown key 'adress' (did you mean 'address'?)"),
    ("servers:\n  a: {address: sbc1}\n", "plan.yaml:2: servers.a.address: 'sbc1' is no IP address"),
    ("servers:\n  a:\n    address: 10.0.0.1\n    faults:\n      - {kind: silence}\n",
     "plan.yaml:5: servers.a.faults[0].kind cannot be 'silence' (did you mean 'silent'?)"),
    ("entries:\n  'a b': {servers: [sbc]}\n", "plan.yaml:2: entries: 'a b' is no name"),
    ("tap: {loss: 5}\n", "plan.yaml:1: tap.loss cannot be '5' (write a share from 0 to 1)"),
    ("start: yesterday\n", "plan.yaml:1: start: 'yesterday' is no moment"),
    ("start: 2200-01-01T00:00:00Z\n", "is no moment from 1970 to 2099"),
    ("phones:\n  - entry: sbc\n    settings: {reRegisterOn: 2}\n",
     "plan.yaml:3: phones[0].settings.reRegisterOn cannot be '2' (write a whole number from 0 to 1)"),
    ("phones:\n  - entry: sbc\n    deviates: [premature-fallback]\n",
     "plan.yaml:3: phones[0].deviates[0] cannot be 'premature-fallback' (did you mean 'premature-failback'?)"),
    ("phones:\n  - {entry: sbc, count: many}\n", "phones[0].count cannot be 'many'"),
    ("phones:\n  - {entry: sbc, user: 0100}\n", "phones[0].user cannot be '0100'"),
], ids=lambda value: value[:40])
def test_what_is_wrong_with_a_plan_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    written = tmp_path / "plan.yaml"
    written.write_text(text)
    code, errors = run(written, "-o", tmp_path / "out.pcap")
    assert code == 2
    assert said in errors
    assert [path.name for path in tmp_path.iterdir()] == ["plan.yaml"]


def test_groups_of_whom_the_site_file_says_the_same_may_share_a_network(tmp_path: Path) -> None:
    told = plan({"network": "10.7.0.0/24", "group": "Head office"})
    told["phones"].append(told["phones"][0] | {"user": 1101, "calls": []})
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    out = tmp_path / "out.pcap"
    assert run(tmp_path / "plan.yaml", "-o", out)[0] == 0
    site = yaml.safe_load((tmp_path / "out.site.yaml").read_text())
    (line,) = site["lines"]
    assert (line["match"], line["group"]) == ({"address": "10.7.0.0/24"}, "Head office")
    report = pipeline.analyze(pipeline.Job(paths=(str(out),), site=str(tmp_path / "out.site.yaml")))
    assert [(row.phone, row.line[4:8], row.group) for row in report.lines] == [
        (f"10.7.0.{11 + place}:5060", str(user), "Head office")
        for place, user in enumerate((1001, 1002, 1003, 1101, 1102, 1103))]


def test_what_does_not_fit_together_is_said_all_at_once(tmp_path: Path) -> None:
    told = plan({"entry": "sbx", "network": "10.1.0.0/30", "incoming": [{"every": 60, "server": "sbc9"}],
                 "boot": [9, 3]})
    told["entries"]["sbc"]["servers"].append("sbc7")
    told["servers"]["sbc2"]["address"] = "10.0.0.1"
    told["servers"]["sbc1"]["faults"] = [{"kind": "silent", "from": 5, "to": 2}]
    told["servers"]["sbc6"] = {"address": "2001:db8::1"}
    told["entries"]["both"] = {"servers": ["sbc1", "sbc6"]}
    told["phones"].append(told["phones"][0] | {"group": "Head office"})
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    with pytest.raises(InputErrors) as raised:
        read_plan(str(tmp_path / "plan.yaml"))
    said = "\n".join(str(error) for error in raised.value.errors)
    for part in ("there is no server 'sbc7'", "there is no entry 'sbx' (did you mean 'sbc'?)", "is too small for 6",
                 "there is no server 'sbc9'", "boot must be one moment", "overlap another group's",
                 "servers.sbc1.faults[0] is over at 2, before it begins at 5", "entries.both: a phone has one address",
                 "servers.sbc2 has the address and port of 'sbc1'", "phones[1].network overlaps that of phones[0]"):
        assert part in said


@pytest.mark.parametrize("target", ["missing/out.pcap", "."])
def test_a_place_that_cannot_be_written_is_refused_before_work(tmp_path: Path, target: str) -> None:
    with pytest.raises(InputError, match=r"cannot be written|is a directory"):
        simulate("no-plan-is-read.yaml", str(tmp_path / target))


def test_what_simulate_has_not_written_it_does_not_replace(tmp_path: Path) -> None:
    """A user's own capture or site file, a device and a link stay; simulate replaces only its own output."""
    written = tmp_path / "plan.yaml"
    written.write_text(yaml.safe_dump(plan()))
    site, pipe, link = tmp_path / "own.site.yaml", tmp_path / "pipe.pcap", tmp_path / "link.pcap"
    site.write_text("entries: {}\n")
    os.mkfifo(pipe)
    link.symlink_to(site)
    for target, said in ((tmp_path / "own.pcap", r"own.site.yaml: would be replaced, and simulate has not written it"),
                         (site, "has not written it"), (pipe, "is no file"), (link, "is no file"),
                         (Path("-"), "-o needs a file")):
        with pytest.raises(InputError, match=said):
            simulate(str(written), str(target))
    assert site.read_text() == "entries: {}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.pcap", "own.site.yaml", "pipe.pcap", "plan.yaml"]
    assert simulate(str(written), str(tmp_path / "new.pcap")) == simulate(str(written), str(tmp_path / "new.pcap"))


def test_the_documented_plan_can_be_played_and_every_key_is_documented(tmp_path: Path) -> None:
    example = re.search(r"^```yaml\n(.*?)^```", DOCS, flags=re.MULTILINE | re.DOTALL)
    assert example is not None
    (tmp_path / "plan.yaml").write_text(example[1])
    simulate(str(tmp_path / "plan.yaml"), str(tmp_path / "out.pcap"))
    source = (ROOT / "sipaudit/simulate/plan/read.py").read_text()
    keys = set(re.findall(r'"([a-zA-Z][a-zA-Z0-9.-]+)": ', source)) | {*FAULTS, *CALL_KINDS}
    assert keys > {"servers", "nonce-life", "expires.overlap", "vlans", "tls-alert", "far-end"}
    words = set(re.findall(r"[a-zA-Z0-9][a-zA-Z0-9.-]*", DOCS.replace("tap.", "tap ").replace("network.", "network ")))
    assert keys - words == set()


def test_memory_does_not_grow_with_the_length_of_a_plan(tmp_path: Path) -> None:
    def peak(seconds: float) -> int:
        told = plan({"count": 10, "calls": [{"every": 30, "seconds": 20, "rtp": True}]}, duration=seconds)
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(told))
        read: Plan = read_plan(str(tmp_path / "plan.yaml"))
        tracemalloc.start()
        write(read, tmp_path / "out.pcap")
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    short, long = peak(120), peak(480)
    assert long < short * 1.3


@given(edits=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 40), st.text("{}[]:-,.#'\"\n 09azé", max_size=6)),
                      min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_damaged_plan_is_read_or_refused_and_nothing_else(tmp_path_factory: pytest.TempPathFactory,
                                                            edits: list[tuple[int, int, str]]) -> None:
    text = yaml.safe_dump(plan({"incoming": [{"every": 60}], "habits": {"retries": "rfc"}, "deviates": []}))
    for place, length, put in edits:
        text = text[:place] + put + text[place + length:]
    written = tmp_path_factory.getbasetemp() / "damaged.yaml"
    written.write_text(text)
    with contextlib.suppress(InputError):
        assert isinstance(read_plan(str(written)), Plan)
