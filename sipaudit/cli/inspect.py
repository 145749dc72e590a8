"""`sipaudit inspect`: Wireshark's reading of frames beside ours."""

from __future__ import annotations

import click

from sipaudit.cli import options, terminal
from sipaudit.cli.manual import Command


@click.command("inspect", cls=Command, short_help="Show Wireshark's dissection of frames beside our reading.")
@click.argument("capture", metavar="CAPTURE", type=options.NamedPath())
@click.argument("frames", metavar="FRAME...", nargs=-1, required=True, type=click.IntRange(min=1))
@options.KEYLOG
@options.verbosity_options
def command(capture: str, frames: tuple[int, ...], keylog: str | None) -> None:
    """Dissects frames of one capture with Wireshark (tshark must be installed) and shows beside each what sipaudit
    made of it. FRAME is the number that Wireshark and the findings give.

    \b
    Examples:
      sipaudit inspect outage.pcap 812
      sipaudit inspect outage.pcap 812 815 --tls-keylog keys.log
    """
    from sipaudit import pipeline
    from sipaudit.report import inspect

    for dissection, own in pipeline.inspect(capture, frames, keylog=keylog):
        terminal.emit_text(inspect.render(dissection, own, width=terminal.width()) + "\n")
