"""The help is a manual, and showing it loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from sipaudit import __version__
from sipaudit.cli.root import COMMANDS, root
from tests.cli.conftest import Command
from tests.commands import all_commands, spellings
from tests.shared import COMMAND, ROOT

HEAVY = ("pandas", "plotly", "jinja2", "pyarrow", "sqlalchemy", "alembic", "psycopg", "pyshark", "numpy", "pcapy",
         "cel", "dns", "rich", "yaml")

ASK = """
import sys
from pathlib import Path
from sipaudit.cli.main import main
sys.argv = ["sipaudit", *sys.argv[1:]]
code = main()
sys.stderr.write(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
raise SystemExit(code)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=str)
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-c", ASK, *arguments], capture_output=True, text=True, check=True)
    assert ran.stdout
    assert not set(HEAVY) & set(ran.stderr.split())


@pytest.mark.parametrize("arguments", [
    ["analyze", "samples/first-outage/capture.pcap"], ["report", "samples/first-outage/report.json"]], ids=str)
def test_without_a_store_no_library_of_databases_is_loaded(arguments: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-c", ASK, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout
    assert not {"sqlalchemy", "alembic", "psycopg"} & set(ran.stderr.split())


def test_the_engine_of_conditions_comes_without_its_command_line() -> None:
    command = ["analyze", "samples/first-outage/capture.pcap", "--site", "samples/first-outage/site.yaml"]
    ran = subprocess.run([sys.executable, "-c", ASK, *command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "cel" in ran.stderr.split()
    assert not {"prompt_toolkit", "typer", "pygments"} & set(ran.stderr.split())


@pytest.mark.parametrize("code", [
    "import cel; from sipaudit.rulebook.conditions import Condition as C; C('1 > 0').check(()); cel.compile('1')",
    "from sipaudit.rulebook.conditions import Condition as C; C('1 > 0').check(()); import cel; cel.compile('1')"])
def test_whoever_uses_the_engine_too_finds_the_same(code: str) -> None:
    """The engine can be loaded only once in a process; loading it again would crash the process."""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_installed_command_says_its_version() -> None:
    command = [*COMMAND, "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"sipaudit {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_with_examples(name: str) -> None:
    context = click.Context(root, **root.context_settings)
    command = root.get_command(context, name)
    assert command is not None
    page = command.get_help(click.Context(command, info_name=name, parent=context))
    assert "Examples:" in page
    assert f"sipaudit {name} " in page
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_every_command_says_more_or_less_on_stderr() -> None:
    assert [name for name, command in all_commands().items() if not {"-v", "-q"} <= spellings(command)] == []


def test_options_stand_under_headings_in_the_help(sipaudit_command: Command) -> None:
    page = sipaudit_command("analyze", "--help").out
    places = [page.index(heading) for heading in ("What you know:", "What is read:", "What is reported:", "Output:")]
    assert places == sorted(places)
    assert page.index("--site FILE") < places[1] < page.index("--tls-keylog FILE") < places[2] < page.index("--tz ZONE")


def test_an_unknown_command_is_a_usage_error(sipaudit_command: Command) -> None:
    result = sipaudit_command("analyse", "x.pcap")
    assert result.code == 2
    assert "analyse" in result.err
    assert result.out == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(sipaudit_command: Command, shell: str) -> None:
    result = sipaudit_command("completion", shell)
    assert result.code == 0
    assert "_SIPAUDIT_COMPLETE" in result.out


def test_the_shells_to_choose_from_are_shown_a_line_each(sipaudit_command: Command) -> None:
    assert sipaudit_command("completion").err.splitlines()[-3:] == ["  bash,", "  zsh,", "  fish"]


def test_the_completion_script_completes_commands_and_options() -> None:
    assert completed("analyze --fa") == ["--fail-on"]


def completed(typed: str) -> list[str]:
    """What the shell offers at the end of `sipaudit TYPED`."""
    environment = {"_SIPAUDIT_COMPLETE": "bash_complete", "COMP_WORDS": f"sipaudit {typed}",
                   "COMP_CWORD": str(len(typed.split(" ")))}
    answer = subprocess.run(
        COMMAND, capture_output=True, text=True, check=True, env=environment
    )
    assert answer.stderr == ""
    return [line.removeprefix("plain,") for line in answer.stdout.split()]


def test_names_of_rules_and_terms_are_completed(tmp_path: Path) -> None:
    assert completed("rules show premature") == ["premature-failback"]
    assert completed("rules show server-o") == ["server-outage"]
    assert completed("explain premature") == ["premature-failback"]
    assert completed("explain failback.m") == ["failBack.mode"]
    assert "503" in completed("explain 50")
    assert completed("explain server e") == []
    assert len(completed("explain ")) > 200


def test_names_of_rules_of_ones_own_are_completed_and_files_that_cannot_be_read_offer_nothing(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    shipped = next((ROOT / "rules").rglob("premature-failback.yaml")).read_text()
    mine.write_text(shipped.replace("id: premature-failback", "id: premature-of-mine"))
    assert completed(f"rules show --rules {mine} premature") == ["premature-failback", "premature-of-mine"]
    assert completed(f"explain --rules {tmp_path / 'none'} prem") == []


@pytest.mark.parametrize("words", [["analyze"], ["live"], ["config", "check"], ["rules", "check"]], ids=" ".join)
def test_prose_of_the_help_fits_the_terminal(
    sipaudit_command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only examples may be longer, so that they can be copied."""
    monkeypatch.setenv("COLUMNS", "60")
    prose = sipaudit_command(*words, "--help").out.partition("Exit codes:")[2].partition("\n\n")[0]
    assert " 0 " in prose
    assert max(map(len, prose.splitlines())) <= 60


def test_how_to_redact_stands_below_where_the_output_goes(sipaudit_command: Command) -> None:
    page = sipaudit_command("analyze", "--help").out
    assert page.index("--output DIR") < page.index("--redact") < page.index("General:")
