"""`sipaudit simulate`: a plan in, a capture with known ground truth out."""

from __future__ import annotations

import click

from sipaudit.cli import options, terminal
from sipaudit.cli.manual import Command


@click.command("simulate", cls=Command, short_help="Write a capture whose truth is known.")
@click.argument("plan", metavar="PLAN.yaml", type=options.NamedPath())
@options.option(
    "-o", "--output", "capture", section=options.WAY, metavar="OUT.pcap", required=True,
    type=options.NamedPath(), help="The capture to write; OUT.site.yaml and OUT.truth.json are written beside it.",
)
@options.verbosity_options
def command(plan: str, capture: str) -> None:
    """Plays a plan of phones, servers, faults and network, and writes what a tap would have captured: OUT.pcap, with
    OUT.site.yaml (what an administrator would declare) and OUT.truth.json (the deviations that were committed); where
    the plan's tap has the keys of TLS connections, also OUT.keylog.

    The simulated phones are written from the specification, independently of the model that judges them. The same plan
    gives the same bytes each time: what it leaves open is drawn from its seed.

    \b
    Examples:
      sipaudit simulate plan.yaml -o outage.pcap
      sipaudit analyze outage.pcap --site outage.site.yaml

    The plan's language is described in docs/simulate.md.
    """
    from sipaudit.simulate.simulate import simulate

    for path in simulate(plan, capture):
        terminal.note(f"wrote {path}")
