"""`bench/run [NAME...]`: times sipaudit and its neighbours on the same captures, in turn; median of several runs.

Earlier results of other captures are kept.
"""

from __future__ import annotations

import argparse
import sys

from bench import marks
from bench.captures import DATA, HERE, Capture
from bench.make import CAPTURES, USUAL
from bench.measure import Failed
from bench.programs import NEIGHBOURS, programs_for
from bench.readme import RUNS, put
from bench.results import LAST, Measured, keep, read, table
from bench.running import made, measure, say

PAGE, PICTURE, KEPT = DATA / "results.html", HERE / "results.svg", HERE / "results.json"


def arguments() -> argparse.Namespace:
    large = ", ".join(name for name in CAPTURES if name not in USUAL)
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"captures: {', '.join(USUAL)} (default: all of these); or {large}; or all")
    parser.add_argument("--runs", type=int, default=5, metavar="N",
                        help="runs after the warm-up (default 5); 0: the warm-up counts")
    parser.add_argument("--only", action="append", metavar="PROGRAM", default=[],
                        help="of the neighbours only this one; may be repeated")
    parser.add_argument("--discard", action="store_true", help="remove each capture that was made, once it is measured")
    parser.add_argument("--show", action="store_true", help="measure nothing, show the last results")
    parser.add_argument("--write", action="store_true",
                        help="put marks, runs, picture and JSON of all results into bench/ and its pages")
    chosen = parser.parse_args()
    if chosen.runs < 0:
        parser.error("--runs must be at least 0")
    chosen.names = list(CAPTURES) if chosen.names == ["all"] else chosen.names or USUAL
    for given, known in ((chosen.names, CAPTURES), (chosen.only, NEIGHBOURS)):
        for name in given:
            if name not in known:
                parser.error(f"{name} is none of {', '.join(known)}")
    return chosen


def one(capture: Capture, chosen: argparse.Namespace) -> None:
    """Measure one capture, and store its results with those of the others. Raises Failed."""
    say(f"{capture.path.name}: {capture}")
    there = capture.path.exists()
    made(capture.name)
    try:
        programs = [program for program in programs_for(capture) if program.installed
                    and (program.ours or not chosen.only or program.name in chosen.only)]
        results = measure(capture, programs, chosen.runs)
    finally:
        if chosen.discard and not there:
            capture.path.unlink()
    measured = {**read(LAST), capture.name: results}
    keep({name: measured[name] for name in CAPTURES if name in measured}, LAST)


def runs(measured: Measured) -> str:
    """The tables of all runs, one for each capture."""
    parts: list[str] = []
    for results in measured.values():
        parts += [*table(results), ""]
    return "\n".join([*parts, *_absent()])


def _absent() -> list[str]:
    """A sentence that names the neighbours that are not installed; no sentence if there are none."""
    absent = [name for name, program in NEIGHBOURS.items() if not program.installed]
    return [f"Not installed here, hence not measured: {', '.join(absent)}."] if absent else []


def main() -> int:
    chosen = arguments()
    for sentence in _absent():
        say(sentence)
    try:
        for name in [] if chosen.show else chosen.names:
            one(CAPTURES[name], chosen)
    except Failed as failure:
        say(str(failure))
        return 1
    measured = read(LAST)
    if not measured:
        say(f"{LAST}: nothing was measured yet")
        return 1
    show(measured, write=chosen.write)
    return 0


def show(measured: Measured, *, write: bool) -> None:
    """Print marks and runs, and draw the picture as a page. `write`: also write all of it, with the picture as SVG and
    the JSON, into bench/."""
    from bench.picture import as_svg, draw  # imported here: plotly would add to the memory of every program measured

    reached, taken = "\n".join(marks.table(measured)), runs(measured)
    print(f"{reached}\n\n{taken}")
    draw(measured, PAGE)
    if not write:
        return
    keep(measured, KEPT)
    put("marks", reached)
    if as_svg(PAGE, PICTURE):
        taken = f"{taken}\n\n![Seconds and memory of each program]({PICTURE.name})"
    else:
        say(f"chromium is not installed: the picture is {PAGE} alone")
    put("runs", f"{taken}\n\nAll runs: [{KEPT.name}]({KEPT.name}).", RUNS)


if __name__ == "__main__":
    sys.exit(main())
