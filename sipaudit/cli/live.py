"""`sipaudit live`: the same judgement on a mirror port, for weeks."""

from __future__ import annotations

from os.path import isdir, isfile
from shlex import quote
from socket import if_nameindex
from typing import TYPE_CHECKING

import click

from sipaudit.cli import options
from sipaudit.cli.live_options import live_options
from sipaudit.cli.manual import Command
from sipaudit.safe_text import safe_text
from sipaudit.yamlfile.wording import quoted

if TYPE_CHECKING:
    from sipaudit.live.orders import Orders


class Live(Command):
    """The command that listens: what it listens to are options, and a capture belongs to another one."""

    def look_at(self, ctx: click.Context, words: list[str]) -> None:
        if words:
            ctx.fail(f"live does not know what {quoted(words[0])} is{_meant(words[0])}")


def _meant(word: str) -> str:
    """What somebody may have meant who names what there is no option for."""
    name = quote(safe_text(word))
    if isfile(word) or word == "-":  # noqa: PTH113 - Path's raise where a name is too long
        return f": it reads no captures. Read one with: sipaudit analyze {name}"
    if isdir(word):  # noqa: PTH112 - the same
        return f". Follow a directory with --follow {name}, or read it with: sipaudit analyze {name}"
    if word in (each for _, each in if_nameindex()):
        return f". Did you mean '-i {name}'?"
    return ". What it listens to is named with -i, --hep or --follow."


@click.command("live", cls=Live, short_help="Judge phones while they work, at a mirror port.")
@live_options
@options.verbosity_options
def command(orders: Orders) -> None:
    """Listens at a mirror port and reports what phones do wrong while they do it. It never sends a packet there.

    Once the port is open, all privileges are dropped except the one to reopen it (with --user, also being root).
    SIGTERM and Ctrl-C end it; what has arrived by then is still judged. SIGHUP makes it reread the site file,
    provisioning, rules and suppressions.

    \b
    Examples:
      sipaudit live -i eth1 --site site.yaml --jsonl -
      sipaudit live -i eth1 -i eth2 --site site.yaml --user sipaudit --jsonl /var/log/sipaudit.jsonl

    Exit codes: 0 ended by a signal, 1 the tool failed, 2 usage, or a port that cannot be opened.
    """
    from sipaudit.live.listening import listen

    listen(orders)
