"""The options of `sipaudit live` alone, and how they become its orders."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from sipaudit.cli.options import (
    CONFIG,
    EVENT,
    FILTER,
    READ,
    RULES,
    SET,
    SITE,
    STORES,
    SUPPRESS,
    WAY,
    ZONE,
    NamedPath,
    decorated,
    option,
)
from sipaudit.cli.terminal import verbosity

INTERFACE = option(
    "-i", "--interface", "interfaces", section=READ, metavar="IFACE", multiple=True,
    help="Listen on this interface. May be repeated: a packet seen on two of them counts once.",
)
STORE = option(
    "--store", section=WAY, metavar="URL",
    help=f"Keep findings and incidents in this store: {STORES} [default: under systemd one in its state directory]",
)
USER = option(
    "--user", section=READ, metavar="NAME",
    help="Become this user once the interfaces, ports and secret files are open.",
)
JSONL = option(
    "--jsonl", section=WAY, metavar="FILE|-", type=NamedPath(allow_dash=True),
    help="Write everything as lines of JSON to this file, or to stdout (-). The file is appended to, and reopened if "
    "it was moved away.",
)
HEP = option(
    "--hep", section=READ, metavar="URL", multiple=True,
    help="Receive what capture agents send (HEP): udp://0.0.0.0:9060, tcp://..., tls://... May be repeated.",
)
HEP_KEY = option(
    "--hep-key", section=READ, metavar="KEY", envvar="SIPAUDIT_HEP_KEY", show_envvar=True,
    help="Password that agents must send; packets without it are dropped.",
)
HEP_CERT = option("--hep-cert", section=READ, metavar="FILE", type=NamedPath(), help="Certificate (PEM) for tls.")
HEP_KEYFILE = option(
    "--hep-keyfile", section=READ, metavar="FILE", type=NamedPath(),
    help="Private key (PEM) of the certificate, if it is not in the same file.",
)
FOLLOW = option(
    "--follow", section=READ, metavar="DIR", multiple=True, type=NamedPath(),
    help="Read the files that a rotating capture (dumpcap -b, tcpdump -C) writes into this directory, as they grow. "
    "May be repeated.",
)
METRICS = option(
    "--metrics", section=WAY, metavar="HOST:PORT",
    help="Serve Prometheus metrics at /metrics, and /healthz (docs/metrics.md).",
)
NOTIFY = option(
    "--notify", section=WAY, metavar="URL|@FILE", multiple=True,
    help="Send notifications to this Apprise URL, or to those in a file, one per line. May be repeated.",
)
NOTIFY_SEVERITY = option(
    "--notify-severity", section=WAY, type=click.Choice(["info", "warning", "error"]), default="warning",
    show_default=True, help="The lowest severity for which notifications are sent.",
)
CHECKPOINT = option(
    "--checkpoint", section=WAY, metavar="FILE", type=NamedPath(),
    help="Keep the state in this file, and continue from it after a restart or a crash.",
)
MAX_MEMORY = option(
    "--max-memory", section=WAY, metavar="SIZE",
    help="Keep the tables small enough for the process to stay below this size: 512M, 2G (docs/bounds.md).",
)
LOG_FORMAT = option(
    "--log-format", section=WAY, type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="How the log on stderr is written: as text, or as one JSON object per line.",
)

LIVE = (INTERFACE, HEP, HEP_KEY, HEP_CERT, HEP_KEYFILE, FOLLOW, FILTER, USER, SITE, CONFIG, SET, RULES, SUPPRESS, EVENT,
        ZONE, STORE, JSONL, METRICS, NOTIFY, NOTIFY_SEVERITY, CHECKPOINT, MAX_MEMORY, LOG_FORMAT)
LIVE_JOB_FIELDS = ("site", "config", "settings", "bpf", "zone", "events", "rules", "suppress")


def live_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What to listen to and where to say it; the command gets its `orders`."""

    @functools.wraps(command)
    def with_orders(**values: Any) -> Any:
        from sipaudit.live.orders import Orders
        from sipaudit.pipeline import Job

        job = Job((), **{name: values.pop(name) for name in LIVE_JOB_FIELDS})
        return command(orders=Orders(job, verbosity=verbosity(), **values))

    return decorated(with_orders, LIVE)
