"""`sipaudit explain`: a word of a report in plain words."""

from __future__ import annotations

import re

import click

from sipaudit.cli import names, options, terminal
from sipaudit.cli.manual import Command
from sipaudit.errors import InputError

_OF_A_REPORT = re.compile(r"[fi]-[0-9]+(?:-r[0-9]+)?")


@click.command("explain", cls=Command, short_help="Say in plain words what a term of a report means.")
@click.argument("words", metavar="[TERM]", nargs=-1, shell_complete=names.terms)
@options.RULES
@options.verbosity_options
def command(words: tuple[str, ...], rules: tuple[str, ...]) -> None:
    """Explains a rule, a setting, an incident kind, a requirement of the model (F6), a SIP response (503) or a word of
    the trade, and says what to do. Without a TERM it lists what it can explain.

    \b
    Examples:
      sipaudit explain premature-failback
      sipaudit explain F6
      sipaudit explain reg.1.server.1.failOver.failBack.mode
      sipaudit explain 503 Service Unavailable
    """
    if words and _OF_A_REPORT.fullmatch(words[0]):
        raise InputError(f"{words[0]} is of a report, and only that knows it",
                         fix="explain its rule or kind; `sipaudit ladder CAPTURE --finding` draws a finding")
    from sipaudit.report import rulebook
    from sipaudit.rulebook.pack import load_pack
    from sipaudit.rulebook.terms import Glossary, load_terms, pack_terms

    glossary = Glossary((*pack_terms(load_pack(rules)), *load_terms()))
    draw = rulebook.explained if words else rulebook.index
    found = glossary.find(" ".join(words)) if words else glossary.terms
    terminal.emit_text(draw(found, terminal.width(), terminal.has_color()))
