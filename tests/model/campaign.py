"""Many histories of phones that obey: `python -m tests.model.campaign --count 200000`.

With `--late` the view of each begins at a moment in its middle (`fleet/late.py`); with `--lacking` one answer is
missing from the capture, with `--unasked` one sending of a request (`fleet/lacking.py`).

Prints how many histories had findings, and of which rules; findings of weight with their seed and a history in the
scenario language.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from sipaudit.model.events import NO_LINE, ModelEvent
from sipaudit.model.values import Finding, Severity
from tests.model.court import Court, findings, scenario
from tests.model.fleet.lacking import lacking, unasked
from tests.model.fleet.late import late
from tests.model.fleet.story import History, obedient
from tests.model.shrink import shrunk

CHUNK = 50


@dataclass
class Tally:
    histories: int = 0
    events: int = 0
    said: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    texts: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.histories += other.histories
        self.events += other.events
        self.said += other.said


def accusation(history: History, finding: Finding) -> str:
    """The seed, the finding, and a history cut down to what this finding needs."""
    line = int((finding.line or "").split()[1])
    mine = [event for event in history.events if event.line in (line, NO_LINE)
            and event.time <= (finding.time or 0.0) + 70.0]

    def accused(events: list[ModelEvent]) -> bool:
        court = Court(history.profiles)
        court.take(events)
        wanted = finding.rule, finding.time, finding.severity, finding.observed
        return any((one.rule, one.time, one.severity, one.observed) == wanted for one in court.faults.findings())

    alone = f"  (needs the other lines of the phone, {history.habits.lines} in all)"
    least = shrunk(mine, accused) if accused(mine) else mine
    return "\n".join([
        f"seed {history.seed}: {finding.rule} {finding.severity} {finding.confidence} at {finding.time:.3f}"
        f" {finding.server} {finding.line} also={finding.also}{'' if accused(mine) else alone}",
        f"  {finding.observed}", scenario(history.habits, least, line, history.profiles[0][1].covered_from),
        str(history.habits), ""])


def run(first: int, count: int, full: frozenset[str], lives: Callable[[int], History] = obedient) -> Tally:
    tally = Tally()
    for seed in range(first, first + count):
        history = lives(seed)
        tally.histories += 1
        tally.events += len(history.events)
        for finding in findings(history):
            tally.said[finding.rule, str(finding.severity), str(finding.confidence)] += 1
            if finding.severity != Severity.INFO or finding.rule in full:
                tally.texts.append((finding.rule, accusation(history, finding)))
    return tally


def campaign(first: int, count: int, workers: int, full: frozenset[str], lives: Callable[[int], History]
             ) -> Iterator[Tally]:
    starts = range(first, first + count, CHUNK)
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(run, starts, [min(CHUNK, first + count - start) for start in starts],
                            [full] * len(starts), [lives] * len(starts))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--first", type=int, default=0, help="the first seed")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--show", type=int, default=3, help="accusations of each rule printed with their history")
    options.add_argument("--late", action="store_true", help="the observer comes in the middle of each")
    options.add_argument("--lacking", action="store_true", help="of each one answer is not seen")
    options.add_argument("--unasked", action="store_true", help="of each one sending of a request is not seen")
    options.add_argument("--info", nargs="*", default=(), help="info rules of which histories are printed, too")
    chosen = options.parse_args()
    began, total = time.monotonic(), Tally()
    lives = late if chosen.late else lacking if chosen.lacking else unasked if chosen.unasked else obedient
    shown: Counter[str] = Counter()
    for part in campaign(chosen.first, chosen.count, chosen.workers, frozenset(chosen.info), lives):
        total.add(part)
        for rule, text in part.texts:
            shown[rule] += 1
            print(text if shown[rule] <= chosen.show else text.partition("\n")[0], flush=True)
    seconds = time.monotonic() - began
    print(f"{total.histories} histories, {total.events} events, {seconds:.0f} s")
    for (rule, severity, confidence), times in sorted(total.said.items()):
        print(f"{times:7} {severity:8} {confidence:8} {rule}")


if __name__ == "__main__":
    main()
