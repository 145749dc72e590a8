"""The site file of a plan: what an administrator would declare for it (contract.md 2)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from sipaudit.simulate.numbers import EMERGENCY
from sipaudit.simulate.plan.values import EntryPlan, Group, Plan

_TIMES = {"silent": ("stopped", "started"), "unreachable": ("unreachable", "reachable"),
          "unavailable": ("overloaded", "recovered"), "no-calls": ("takes no calls", "takes calls")}


def site_text(plan: Plan) -> str:
    """The YAML text."""
    lines = ["entries:"]
    for name, entry in plan.entries.items():
        lines += _entry(plan, name, entry)
    lines.append("lines:")
    told: set[object] = set()
    for group in plan.phones:
        if group.declaration not in told:
            lines += _line(group)
        told.add(group.declaration)
    helpers = sorted({EMERGENCY for group in plan.phones for calls in group.calls if calls.kind == "emergency"})
    if helpers:
        lines.append(f"emergency: {json.dumps(helpers)}")
    events = _events(plan)
    if events:
        lines += ["events:", *(f"  - {json.dumps(event)}" for event in events)]
    return "\n".join(lines) + "\n"


def _entry(plan: Plan, name: str, entry: EntryPlan) -> list[str]:
    lines = [f"  {name}:"]
    if entry.dns_ttl is not None:
        lines.append(f"    dns_ttl: {entry.dns_ttl}")
    lines.append("    servers:")
    transport = next((group.transport for group in plan.phones if group.entry == name), "udp")
    rank = ", priority: 1" if entry.balanced else ""
    for server in entry.servers:
        place = plan.servers[server]
        port = f", port: {place.port}" if place.port != 5060 or transport == "tls" else ""
        how = f", transport: {transport}" if transport != "udp" else ""
        lines.append(f"      - {{name: {server}.{plan.domain}, address: {json.dumps(place.address)}{port}{how}{rank}}}")
    return lines


def _line(group: Group) -> list[str]:
    where = group.nat or group.network
    lines = [f"  - match: {{address: {json.dumps(where)}}}",
             f"    entry: {group.entry}" if group.fallback is None else f"    entry: [{group.entry}, {group.fallback}]"]
    if group.group is not None:
        lines.append(f"    group: {json.dumps(group.group, ensure_ascii=False)}")
    if group.declared:
        # each setting on its own line, since findings give line numbers
        lines.append("    settings:" if group.stated else "    settings: {}")
        lines += [f"      {name}: {value}" for name, value in group.stated.items()]
    return lines


def _events(plan: Plan) -> list[str]:
    told: list[tuple[float, str]] = []
    for name, server in plan.servers.items():
        for fault in server.faults:
            began, ended = _TIMES.get(fault.kind, (f"begins a fault: {fault.kind}", f"ends its fault: {fault.kind}"))
            told.append((fault.start, f"{name} {began}"))
            if fault.end <= plan.duration:
                told.append((fault.end, f"{name} {ended}"))
    return [f"{datetime.fromtimestamp(plan.start + time, UTC).isoformat()} {text}" for time, text in sorted(told)]
