"""`sipaudit inspect`: Wireshark's reading of frames beside ours."""

from __future__ import annotations

import re
from itertools import chain

import click

from sipaudit.cli import options, terminal
from sipaudit.cli.manual import Command
from sipaudit.errors import InputError
from sipaudit.yamlfile.wording import quoted

_NUMBERS = re.compile(r"([0-9]{1,15})(?:-([0-9]{1,15}))?")


def _ranges(_context: click.Context, _argument: click.Parameter, words: tuple[str, ...]) -> list[range]:
    return [_range(word) for word in words]


def _range(word: str) -> range:
    """A frame's number, or the first and last of several: `100-120`."""
    numbers = _NUMBERS.fullmatch(word)
    if numbers is None:
        raise click.BadParameter(f"{quoted(word)} is neither a frame nor a range of frames, such as 812 or 100-120")
    first, last = int(numbers[1]), int(numbers[2] or numbers[1])
    if first < 1:
        raise click.BadParameter(f"{quoted(word)}: frames are numbered from 1, as in Wireshark")
    if last < first:
        raise click.BadParameter(f"{quoted(word)} ends before it begins")
    return range(first, last + 1)


@click.command("inspect", cls=Command, short_help="Show Wireshark's dissection of frames beside our reading.")
@click.argument("capture", metavar="CAPTURE", type=options.NamedPath())
@click.argument("frames", metavar="FRAME...", nargs=-1, required=True, callback=_ranges)
@options.KEYLOG
@options.verbosity_options
def command(capture: str, frames: list[range], keylog: str | None) -> None:
    """Dissects frames of one capture with Wireshark (tshark must be installed) and shows beside each what sipaudit
    made of it. FRAME is the number that Wireshark and the findings give, or a range of them: 100-120.

    \b
    Examples:
      sipaudit inspect outage.pcap 812
      sipaudit inspect outage.pcap 812 815-820 --tls-keylog keys.log
    """
    from sipaudit import pipeline
    from sipaudit.report import inspect
    from sipaudit.report.dissect import MAX_FRAMES

    if sum(map(len, frames)) > MAX_FRAMES:
        raise InputError(f"at most {MAX_FRAMES} frames are shown at once", fix="name fewer frames")
    wanted = tuple(dict.fromkeys(chain.from_iterable(frames)))
    for dissection, own in pipeline.inspect(capture, wanted, keylog=keylog):
        terminal.emit_text(inspect.render(dissection, own, width=terminal.width()) + "\n")
