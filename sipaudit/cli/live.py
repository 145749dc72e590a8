"""`sipaudit live`: the same judgement on a mirror port, for weeks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sipaudit.cli import options
from sipaudit.cli.live_options import live_options
from sipaudit.cli.manual import Command

if TYPE_CHECKING:
    from sipaudit.live.orders import Orders


@click.command("live", cls=Command, short_help="Judge phones as they go, on a mirror port.")
@live_options
@options.verbosity_options
def command(orders: Orders) -> None:
    """Listens on a mirror port and says what phones do wrong while they do it. It never sends a packet there.

    The port is opened first; then everything but the right to reopen it is given up (with --user also being root).
    SIGTERM and Ctrl-C end it in good order.

    \b
    Examples:
      sipaudit live -i eth1 --site site.yaml --jsonl -
      sipaudit live -i eth1 -i eth2 --site site.yaml --user sipaudit --jsonl /var/log/sipaudit.jsonl

    \b
    Exit codes: 0 ended by a signal, 1 the tool failed, 2 usage, or a port that cannot be opened.
    """
    from sipaudit.live.listening import listen

    listen(orders)
