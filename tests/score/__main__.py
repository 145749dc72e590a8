"""`python -m tests.score`: recall and precision over generated plans and over all samples, also with losses.

Each plan is simulated and analysed at each loss: the same story, but the tap loses packets. Below the table are listed
the deviations missed at no loss, and the false findings at any loss.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from docs.parts import replaced
from sipaudit import pipeline
from tests.score import plans, runs
from tests.score.compare import Verdict, compare
from tests.score.table import summary, table
from tests.shared import ROOT

LOSSES = (0.0, 0.001, 0.01, 0.05)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.score", description=__doc__.partition("\n")[0])
    parser.add_argument("--deviant", type=int, default=140, metavar="N", help="plans with deviations (default 140)")
    parser.add_argument("--obedient", type=int, default=60, metavar="N", help="plans without (default 60)")
    parser.add_argument("--first", type=int, default=1000, metavar="SEED", help="the first seed (default 1000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md and docs/testing.md")
    return parser.parse_args()


def one(kind: str, seed: int, loss: float) -> Verdict:
    """The verdict on one plan at one loss."""
    plan = {"deviant": plans.deviant, "obedient": plans.obedient}[kind](seed)
    if loss:
        plan["tap"] = {"loss": loss}
    with tempfile.TemporaryDirectory() as folder:
        return runs.judged(plan, Path(folder), f"{kind}-{seed}")[2]


def samples() -> Verdict:
    """The verdict on all samples and the recordings of the lab."""
    total = Verdict()
    for known in sorted((ROOT / "samples").glob("**/truth.json")):
        folder = known.parent
        report = pipeline.analyze(pipeline.Job(paths=(str(folder / "capture.pcap"),), site=str(folder / "site.yaml")))
        total.add(compare(report.findings, json.loads(known.read_text())["truth"], report.inconclusive, folder.name))
    return total


def write(pages: Mapping[str, str], where: Path) -> None:
    """Write each text into the part `score` of its page; all pages or none."""
    new = {where / name: replaced((where / name).read_text(), "score", text) for name, text in pages.items()}
    for page, whole in new.items():
        page.write_text(whole)


def main() -> int:
    chosen = arguments()
    seeds = [("deviant", chosen.first + number) for number in range(chosen.deviant)]
    seeds += [("obedient", chosen.first + number) for number in range(chosen.obedient)]
    verdicts = {loss: Verdict() for loss in LOSSES}
    verdicts[0.0].add(samples())
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for loss in LOSSES:
            work = [pool.submit(one, kind, seed, loss) for kind, seed in seeds]
            for done in work:
                verdicts[loss].add(done.result())
            print(f"{len(work)} plans at {loss:.1%} loss", file=sys.stderr, flush=True)
    of = f"{chosen.deviant + chosen.obedient} generated plans of 20 phones, and all samples (at no loss)."
    pages = {"README.md": f"{of}\n\n{summary(verdicts)}", "docs/testing.md": f"{of}\n\n{table(verdicts)}"}
    print("\n\n".join(pages.values()))
    for loss, verdict in verdicts.items():
        for line in (verdict.false if loss else [*verdict.false, *verdict.missed]):
            print(f"{loss:.1%} {line}")
    if chosen.write:
        write(pages, ROOT)
    return 1 if verdicts[0.0].missed or verdicts[0.0].false else 0


if __name__ == "__main__":
    sys.exit(main())
