"""`sipaudit rules`: the rules in force, one of them, or the check of one's own."""

from __future__ import annotations

import click

from sipaudit.cli import names, options, terminal
from sipaudit.cli.exit_codes import FOUND
from sipaudit.cli.manual import Command, Group


@click.group("rules", cls=Group, short_help="List, show and check rules.")
@options.verbosity_options
def command() -> None:
    """The rules by which deviations are found, and the thresholds of incidents: those that ship, and yours on top of
    them.

    \b
    Examples:
      sipaudit rules list
      sipaudit rules show premature-failback
      sipaudit rules check my-rules/
    """


@command.command("list", cls=Command, short_help="List all rules and incident kinds.")
@options.RULES
@options.TEXT_OR_JSON
@options.verbosity_options
def list_command(rules: tuple[str, ...], form: str) -> None:
    """Lists every rule and incident kind with its group, its severities, the worst first, and its title.

    \b
    Examples:
      sipaudit rules list
      sipaudit rules list --rules mine.yaml --format json
    """
    from sipaudit.report import rulebook
    from sipaudit.rulebook.pack import load_pack

    pack = load_pack(rules)
    if form == "json":
        terminal.emit([rulebook.list_json(pack)])
    else:
        terminal.emit_text(rulebook.list_text(pack, terminal.width(), terminal.has_color()))


@command.command("show", cls=Command, short_help="Show everything about one rule or incident kind.")
@click.argument("name", metavar="ID", shell_complete=names.rules)
@options.RULES
@options.verbosity_options
def show_command(name: str, rules: tuple[str, ...]) -> None:
    """Shows a rule or an incident kind: when it applies, how a finding reads, what it means, when it may be wrong, and
    what to do.

    \b
    Examples:
      sipaudit rules show premature-failback
      sipaudit rules show server-outage --rules mine.yaml
    """
    from sipaudit.report import rulebook
    from sipaudit.rulebook.pack import load_pack

    found = load_pack(rules).find(name)
    terminal.emit_text(rulebook.show(found, terminal.width(), terminal.has_color()))


@command.command("check", cls=Command, short_help="Check rule files, and run their test cases.")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=options.NamedPath())
@options.verbosity_options
def check_command(paths: tuple[str, ...]) -> None:
    """Checks rules, overrides and incident kinds as --rules would read them, and runs the test cases in the .test.yaml
    beside each rule. FILE is a file or a folder.

    \b
    Examples:
      sipaudit rules check mine.yaml
      sipaudit rules check my-rules/

    Exit codes: 0 all is well, 2 a file cannot be used (every error is named), 3 a test case fails.
    """
    from sipaudit.report import rulebook
    from sipaudit.rulebook.checking import check

    files = check(paths)
    terminal.emit_text(rulebook.checked(files, terminal.width(), terminal.has_color()))
    if any(file.failures for file in files):
        raise click.exceptions.Exit(FOUND)
