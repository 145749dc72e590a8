"""Assembles the page: what a reader needs first as HTML, the rest as packed data, with one script and one style."""

from __future__ import annotations

from collections.abc import Set
from datetime import tzinfo
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from sipaudit.model.values import Report
from sipaudit.report.exhibits import Exhibits
from sipaudit.report.html.clock import milliseconds
from sipaudit.report.html.findings import Findings
from sipaudit.report.html.index import NOT_THERE, Index
from sipaudit.report.html.inert import PATH, apart, inert, prose
from sipaudit.report.html.lanes import Lanes
from sipaudit.report.html.packing import packed, packed_value, source_hash
from sipaudit.report.html.pictures import pictures
from sipaudit.report.html.sections import sections
from sipaudit.report.names import short_names
from sipaudit.report.screen import brief, grouped
from sipaudit.report.series import gravest
from sipaudit.rulebook.facts import SECONDS, WORDS
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.rules import RulePack

if TYPE_CHECKING:
    import jinja2

    from sipaudit.report.html.findings import Dissections

SCRIPTS = ("values.js", "store.js", "dom.js", "filters.js", "lanes.js", "lane_paint.js", "lane_input.js", "telling.js",
           "table.js", "finding.js", "evidence.js", "line.js", "whereabouts.js", "pictures.js", "rates.js", "main.js")
INCIDENTS_DRAWN = 200  # bands in the pictures and the lanes


def render(
    report: Report, clock: tzinfo, exhibits: Exhibits, dissections: Dissections, embed: int, *,
    evidence: Set[str] | None = None, rules: RulePack | None = None,
) -> bytes:
    """The report as one HTML file, times by `clock`.

    `exhibits` are the messages behind the evidence and `dissections` Wireshark's reading of its frames, by capture
    and frame; those of the worst `embed` findings go into the page.  `evidence` are the ids of the findings that have
    a file `evidence/<id>.pcapng` beside it (None: the embedded ones), `rules` the rule pack in force (None: the one
    that ships).  The same arguments give the same bytes.
    """
    index = Index(report)
    findings, lanes = Findings(index, exhibits, dissections, embed, evidence), Lanes(index)
    script, plotly = _script(), _plotly()
    blocks = [*lanes.blocks(), *findings.blocks(), packed_value("pictures", pictures(index)),
              packed_value("index", _index(index, findings, lanes, clock)),  # after the others: they still add numbers
              packed("plotly", plotly.encode())]
    page = _environment().get_template("page.html.j2").render(
        policy=_policy(script, plotly), style=_asset("page.css"), script=script, blocks=blocks,
        **sections(index, clock, rules or load_pack()),
    )
    return page.encode("utf-8")


def _policy(script: str, plotly: str) -> str:
    """The Content-Security-Policy: nothing is loaded, and only our script and plotly's, given by their hashes, may run.
    Inline styles are allowed, since plotly writes them."""
    return (f"default-src 'none'; script-src {source_hash(script)} {source_hash(plotly)}; "
            "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'")


def _index(index: Index, findings: Findings, lanes: Lanes, clock: tzinfo) -> dict[str, Any]:
    """The data that the page unpacks as soon as it is opened."""
    report, ms = index.report, index.clock.ms
    names, worst = short_names(report.servers), gravest(report.incidents, 1)
    return {
        "start": milliseconds(index.clock.start), "end": ms(index.clock.end), "offsets": index.clock.offsets(clock),
        "lines": lanes.columns(), "findings": findings.columns(), "rules": list(index.rules),
        "incidentIds": list(index.incidents), "captures": [inert(path, PATH) for path in index.captures],
        "servers": [[inert(server), inert(names.get(server, brief(server)))] for server in index.servers],
        "events": [[ms(event.time), inert(event.what)] for event in report.events],
        "incidents": [
            [incident.kind, index.servers.of(incident.server), ms(incident.start), ms(incident.end),
             sorted({number for aor in incident.lines for number in index.by_aor(aor)})]
            for incident in report.incidents
        ],
        "gravest": index.incidents.of(worst[0].id) if worst else NOT_THERE,
        "bands": INCIDENTS_DRAWN, "seconds": sorted(SECONDS), "words": WORDS,
    }


@cache
def _script() -> str:
    """Our script: all files concatenated, in a scope of their own."""
    parts = "\n".join(_asset(name) for name in SCRIPTS)
    return f"(() => {{\n'use strict';\n{parts}\n}})();\n"


@cache
def _plotly() -> str:
    """plotly.js from the plotly package; it is read as a file, since importing plotly takes long."""
    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_text("utf-8")


@cache
def _asset(name: str) -> str:
    return (resources.files("sipaudit.report.html") / "assets" / name).read_text("utf-8")


@cache
def _environment() -> jinja2.Environment:
    import jinja2  # deferred: only the page needs it

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sipaudit.report.html"),
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )
    environment.filters.update(apart=apart, grouped=grouped, prose=prose)
    return environment
