"""The truth of a simulated capture: the deviations that phones committed, and the moves of the lines."""

from __future__ import annotations

import json
from typing import Any

from sipaudit.simulate.message import host_port
from sipaudit.simulate.plan.values import Plan

FLAPPING, FLAPPING_MOVES = 600.0, 3


class Truth:
    """Collects the truth while the plan is played; `document` returns truth.json (contract.md 5)."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._wrongs: list[dict[str, Any]] = []
        self._moves: list[dict[str, Any]] = []
        self._recent: dict[str, list[tuple[float, bool]]] = {}
        self._flapped: set[str] = set()
        self.lines = 0

    def wrong(self, line: str, rule: str, time: float, slack: float = 1.0, maybe: bool = False,
              phone: str | None = None) -> None:
        """Note that `line` broke `rule` at `time`: a finding within `slack` seconds matches it. `maybe`: it need not be
        found. `phone` is given where several phones share the line."""
        entry = {"line": line, "rule": rule, "time": self._epoch(time), "slack": slack, "maybe": maybe}
        self._wrongs.append(entry if phone is None else {**entry, "phone": phone})

    def move(self, line: str, kind: str, source: str, target: str, time: float, doubtful: bool = False) -> None:
        """Note a change of the working server. The third within ten minutes is flapping (reference-model.md 5), which
        need not be found if any of these moves is doubtful, or the line has flapped before."""
        moves = [move for move in self._recent.get(line, []) if move[0] > time - FLAPPING]
        moves.append((time, doubtful))
        self._recent[line] = moves
        if len(moves) >= FLAPPING_MOVES:
            unsure = any(doubt for _, doubt in moves)
            self.wrong(line, "flapping", time, maybe=unsure or line in self._flapped)
            self._flapped.add(line)
        self._moves.append({
            "line": line, "time": self._epoch(time), "kind": kind, "from": source, "to": target,
        })

    def document(self) -> bytes:
        ordered = sorted(self._wrongs, key=lambda entry: (entry["time"], entry["line"], entry["rule"]))
        moves = sorted(self._moves, key=lambda entry: (entry["time"], entry["line"]))
        whole = {"plan": self._plan.name, "lines": self.lines, "truth": ordered, "moves": moves,
                 "faults": self._faults()}
        return (json.dumps(whole, indent=1) + "\n").encode()

    def _faults(self) -> list[dict[str, Any]]:
        """The faults of the servers, with start and end (`end`: null if the fault did not end)."""
        told = []
        for server in self._plan.servers.values():
            place = host_port((server.address, server.port))
            for fault in server.faults:
                end = self._epoch(fault.end) if fault.end <= self._plan.duration else None
                told.append({"server": place, "kind": fault.kind, "start": self._epoch(fault.start), "end": end})
        return sorted(told, key=lambda fault: (fault["start"], fault["server"]))

    def _epoch(self, time: float) -> float:
        return round(self._plan.start + time, 6)
