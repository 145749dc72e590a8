"""`sipaudit config`: provisioning files by themselves."""

from __future__ import annotations

import click

from sipaudit.cli import options, output, terminal
from sipaudit.cli.manual import Command, Group


@click.group("config", cls=Group, short_help="Check provisioning files, explain the settings in them.")
@options.verbosity_options
def command() -> None:
    """Reads Polycom provisioning files (and Yealink's account.X files) as a phone would, without a capture: what is
    wrong with them, what each line gets, and what that means when a server fails.

    \b
    Examples:
      sipaudit config check provisioning/
      sipaudit config show 0004f2abcdef --config provisioning/
    """


@command.command("check", cls=Command, short_help="Find what is wrong with provisioning files.")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=options.NamedPath())
@options.RULES
@options.SUPPRESS
@options.TEXT_OR_JSON
@options.fail_on("error")
@options.verbosity_options
def check_command(
    paths: tuple[str, ...], rules: tuple[str, ...], suppress: str | None, form: str, fail_on: str
) -> None:
    """Finds impossible values, missing files, parameters that do nothing or reach nothing, pairs of parameters of
    which nobody can say which one holds, and misspelt names.

    PATH is a provisioning directory (with 000000000000.cfg or a master file for each phone), or a single file. Several
    are layers of one provisioning: where they set the same parameter, the first counts.

    \b
    Examples:
      sipaudit config check provisioning/
      sipaudit config check site.cfg sip-interop.cfg --format json
      sipaudit config check provisioning/ --fail-on warning

    Exit codes: 0 done, 2 usage or unreadable input, 3 findings at or above --fail-on.
    """
    from sipaudit import pipeline
    from sipaudit.report import configuration

    found = pipeline.config_check(paths, rules=rules, suppress=suppress, warn=terminal.warn)
    if form == "json":
        terminal.emit([configuration.to_json(found)])
    else:
        terminal.emit_text(
            configuration.render_check(found, terminal.width(), terminal.has_color(), terminal.program()))
    output.fail_on(found.findings, fail_on)


@command.command("show", cls=Command, short_help="Show what each line gets, and what it means.")
@click.argument("target", metavar="MAC|PATH", type=options.NamedPath())
@options.CONFIG
@options.TEXT_OR_JSON
@options.verbosity_options
def show_command(target: str, config: tuple[str, ...], form: str) -> None:
    """Shows the settings in force for each line (value, the file and line it comes from, what it does in plain words)
    and what to expect when the first server fails: how soon silence is noticed, when an idle phone notices, when and
    how the line returns.

    MAC names a phone in the files of --config. PATH is a file or a directory; all of its lines are shown.

    \b
    Examples:
      sipaudit config show 00:04:f2:ab:cd:ef --config provisioning/
      sipaudit config show site.cfg
    """
    from sipaudit import pipeline
    from sipaudit.report import configuration

    lines = pipeline.config_show(target, config)
    if form == "json":
        terminal.emit([configuration.to_json(lines)])
    else:
        terminal.emit_text(configuration.render_show(lines, terminal.width(), terminal.has_color()))
