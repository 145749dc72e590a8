"""A large report made without a capture: a fleet in an outage, with as many findings as asked for.

Used to measure and to look at the page. The random generator is seeded, so the same numbers give the same report.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from sipaudit.model.captures import CaptureSummary, Loss, ServerMinute, ServerSummary
from sipaudit.model.values import (
    SCHEMA,
    CallSpan,
    Confidence,
    Finding,
    Frame,
    GroupShare,
    Happening,
    Incident,
    KnownEvent,
    LineSummary,
    Move,
    Reached,
    Reason,
    Registration,
    Report,
    SettingValue,
    Severity,
    Try,
    Undecided,
)
from sipaudit.report.exhibits import Exhibit, Exhibits

START = 1_795_348_800.0  # 2026-11-22 12:00:00 UTC
HOURS = 2
END = START + HOURS * 3600
DOWN, UP = START + 1800, START + 2700
SERVERS = ("10.0.0.1:5060/udp", "10.0.0.2:5060/udp", "10.0.0.3:5060/udp")
RULES = (
    ("premature-failback", Severity.ERROR, "B4"), ("signalling-to-unregistered-server", Severity.ERROR, "F6"),
    ("overdue-failback", Severity.WARNING, "B4"), ("failover-missing", Severity.WARNING, "F1"),
    ("flapping", Severity.INFO, "EA"), ("failover-skipped-server", Severity.INFO, "F1"),
)
GROUPS = ("Head office", "Site A", "Site B", "Warehouse", None)
CAPTURE = "captures/outage.pcap"
SETTINGS = {
    "reRegisterOn": SettingValue(1, "site.yaml:12 lines[0].settings", "explicit"),
    "failRegistrationOn": SettingValue(1, "site.yaml:13 lines[0].settings", "explicit"),
    "onlySignalWithRegistered": SettingValue(1, "site.yaml:14 lines[0].settings", "explicit"),
    "failBack.mode": SettingValue("duration", "site.yaml:15 lines[0].settings", "explicit"),
    "failBack.timeout": SettingValue(600, "site.yaml:16 lines[0].settings", "explicit"),
    "retryTimeOut": SettingValue(0, None, "default"),
}


class Fleet:
    """`lines` lines of as many phones, and `findings` findings, unevenly spread over the lines that moved."""

    def __init__(self, lines: int, findings: int) -> None:
        self._chance = random.Random(1)
        self._frame = 0
        self.lines = [self._line(number) for number in range(lines)]
        self.findings = list(self._findings(findings))

    def report(self) -> Report:
        moved = [line.line for line in self.lines if line.moves]
        return Report(
            schema=SCHEMA, generator="sipaudit 0.1.0", captures=[_capture(len(self.lines))],
            servers=[ServerSummary(server, f"sbc{number}.example.com", "sbc", number, ["udp"])
                     for number, server in enumerate(SERVERS, 1)],
            lines=self.lines, findings=self.findings,
            inconclusive=[Undecided("premature-failback", Reason.TTL_UNKNOWN, 12),
                          Undecided("overdue-failback", Reason.BUSY_UNPROVEN, 340)],
            reached=[Reached(rule, 10 * len(self.lines)) for rule, _, _ in RULES],
            incidents=[_outage(moved, self.lines, self.findings)],
            events=[KnownEvent(DOWN - 2, "sbc1 stopped"), KnownEvent(UP, "sbc1 started")],
            minutes=list(_minutes(len(self.lines), self._chance)),
        )

    def exhibits(self, worst: int) -> Exhibits:
        """The messages behind the evidence of the first `worst` findings of each severity."""
        ranked = sorted(self.findings, key=lambda finding: -finding.severity.rank)[:worst]
        return {(frame.capture, frame.frame or 0): [_exhibit(frame, finding)] for finding in ranked
                for frame in finding.evidence if isinstance(frame, Frame)}

    def _line(self, number: int) -> LineSummary:
        chance = self._chance
        user, phone = f"{1000 + number}", f"10.{1 + number // 60000}.{number // 250 % 240}.{number % 250 + 1}"
        first = START + chance.uniform(0, 300)
        moves, rows = list(self._moves(phone)), []
        for server, since, until in _stays(first, moves):
            rows.append(Registration(server, since + 0.1, until, 3600.0, int((until - since) // 1800),
                                     None if until == END else "invalidated"))
        calls = [self._call(first, moves) for _ in range(chance.randint(0, 12))]
        return LineSummary(
            line=f"sip:{user}@pbx.example.com", phone=f"{phone}:5060", contact=f"sip:{user}@{phone}",
            mac=f"0004f2{number:06x}", user_agent="PolycomVVX-VVX_500-UA/5.9.5.0614", model="VVX_500",
            firmware="5.9.5.0614", label=f"Desk {user}" if number % 7 == 0 else None,
            group=GROUPS[number % len(GROUPS)], entry="sbc", entries=["sbc"], regime="R2", mode="duration",
            working=moves[-1].to if moves else SERVERS[0], first=first, last=END - chance.uniform(0, 60),
            calls=len(calls), settings=SETTINGS, moves=moves,
            tries=[Try(move.time - 0.1, move.to, "REGISTER", "answered") for move in moves if move.kind == "failback"],
            registrations=rows, inconclusive=[], declare=[],
            call_spans=sorted(calls, key=lambda call: call.from_ or 0.0),
        )

    def _moves(self, phone: str) -> Iterator[Move]:
        chance = self._chance
        if chance.random() < 0.1:
            return
        noticed = DOWN + chance.expovariate(1 / 200)
        if noticed > UP:
            return
        there = SERVERS[1] if chance.random() < 0.9 else SERVERS[2]
        arrived = noticed + 3.5 + chance.expovariate(1 / 2)
        yield Move(arrived, arrived - 0.05, "failover", SERVERS[0], there, "timeout",
                   [self._proof(noticed, f"INVITE {phone} → 10.0.0.1"), self._proof(arrived, f"200 REGISTER {phone}")])
        back = max(UP, arrived) + chance.uniform(5, 1500)
        yield Move(back, back - 0.05, "failback", there, SERVERS[0], "duration", [])

    def _call(self, first: float, moves: list[Move]) -> CallSpan:
        chance = self._chance
        begun = chance.uniform(first + 1, END - 30)
        server = next((move.to for move in reversed(moves) if move.time < begun), SERVERS[0])
        answered = None if chance.random() < 0.1 else begun + chance.uniform(2, 12)
        return CallSpan(begun, answered, min((answered or begun) + chance.expovariate(1 / 150), END), server, 1)

    def _findings(self, count: int) -> Iterator[Finding]:
        chance, moved = self._chance, [line for line in self.lines if line.moves]
        times = sorted(chance.uniform(DOWN, END) for _ in range(count)) if moved else []
        for number, time in enumerate(times, 1):
            line = moved[min(int(chance.paretovariate(1.2) * len(moved) / 20), len(moved) - 1)]
            rule, severity, clause = RULES[min(int(chance.expovariate(0.7)), len(RULES) - 1)]
            server, host = chance.choice(SERVERS), line.phone.partition(":")[0]
            elapsed = round(chance.uniform(1, 600), 1)
            proofs = [self._proof(time - elapsed, f"200 REGISTER {server.partition(':')[0]} → {host}"),
                      self._proof(time, f"REGISTER {host} → {server.partition(':')[0]}")]
            yield Finding(
                id=f"f-{number:06d}", rule=rule, severity=severity, confidence=Confidence.CERTAIN, line=line.line,
                phone=line.phone, server=server, time=round(time, 6),
                expected=f"No try at {server} before 10 min have passed since the move to {line.moves[0].to} "
                         "(failBack.mode=duration, site.yaml:15; failBack.timeout=600, site.yaml:16).",
                observed=f"REGISTER to {server} {elapsed} s after the move to {line.moves[0].to}, which had not "
                         "failed since.",
                basis=[clause], facts={"elapsed": elapsed, "timeout": 600, "times": chance.randint(1, 4)},
                assumptions=[], also=[], cause=None, incident="i-0001" if time < UP + 900 else None,
                suppressed="known and accepted" if number % 50 == 0 else None,
                wireshark=f"frame.number in {{{', '.join(str(proof.frame) for proof in proofs)}}}", evidence=proofs,
            )

    def _proof(self, time: float, summary: str) -> Frame:
        self._frame += self._chance.randint(1, 60)
        return Frame(CAPTURE, self._frame, round(time, 6), summary)


def _stays(first: float, moves: list[Move]) -> Iterator[tuple[str, float, float]]:
    since, server = first, SERVERS[0]
    for move in moves:
        yield server, since, move.time
        since, server = move.time, move.to
    yield server, since, END


def _capture(phones: int) -> CaptureSummary:
    return CaptureSummary(
        path=CAPTURE, packets=phones * 400, sip_messages=phones * 150, first=START, last=END, truncated=False,
        link_types=["EN10MB"], undecoded={}, duplicates=0, snaplen_cut=0, clock_steps=[], malformed={}, one_way=0,
        mid_life=phones // 3, encrypted={}, loss=Loss(None, 0, 12, 0.0001), content={"sip": phones * 150},
    )


def _outage(moved: list[str], lines: list[LineSummary], findings: list[Finding]) -> Incident:
    shares = [GroupShare(group, sum(1 for line in lines if line.group == group and line.moves),
                         sum(1 for line in lines if line.group == group)) for group in GROUPS if group]
    return Incident(
        id="i-0001", kind="server-outage", server=SERVERS[0], entry="sbc", state="closed", start=DOWN, end=UP,
        lines=moved, phones=len(moved), groups=shares,
        findings=[finding.id for finding in findings if finding.incident][:20],
        metrics={"time_to_detect_p50": 3.6, "time_to_detect_p95": 9.1, "time_to_detect_max": 21.4,
                 "time_to_recover_p50": 5.4, "time_to_recover_p95": 12.0, "time_to_recover_max": 31.2,
                 "lines_moved": len(moved), "lines_stayed": len(lines) - len(moved), "calls_lost": 4,
                 "calls_failed": 17, "emergency_failed": 0, "register_rate_median": 2.4, "register_rate_peak": 61.0},
        evidence=[], timeline=[
            Happening(DOWN - 1, f"last answer from {SERVERS[0]}"), Happening(DOWN, "first request without answer"),
            Happening(DOWN + 3.6, f"first line registered at {SERVERS[1]}"), Happening(UP, f"{SERVERS[0]} answers"),
        ],
    )


def _minutes(phones: int, chance: random.Random) -> Iterator[ServerMinute]:
    for minute in range(HOURS * 60):
        time = START + minute * 60
        for server in SERVERS:
            down = server == SERVERS[0] and DOWN <= time < UP
            share = 0.9 if (server == SERVERS[0]) != (DOWN <= time < UP + 600) else 0.08
            registers = int(phones * share / 30 * chance.uniform(0.8, 1.2))
            invites = int(phones * share / 12 * chance.uniform(0.7, 1.3))
            answered = 0 if down else registers + invites
            yield ServerMinute(
                time, server, {"REGISTER": registers, "INVITE": invites, "BYE": invites // 2},
                {"2xx": answered, "4xx": answered // 6, "5xx": answered // 90}, 0,
                registers + invites if down else answered // 200, None if down else 0.012 * chance.uniform(0.8, 1.6),
                None if down else 0.3 * chance.uniform(0.5, 3),
            )


def _exhibit(frame: Frame, finding: Finding) -> Exhibit:
    host = (finding.phone or "").partition(":")[0]
    server = (finding.server or "").partition("/")[0]
    user = (finding.line or "").partition(":")[2]
    text = "\r\n".join([
        "REGISTER sip:pbx.example.com SIP/2.0", f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK{frame.frame:08x}",
        f"From: <{finding.line}>;tag={frame.frame:x}", f"To: <{finding.line}>", f"Call-ID: reg-{user}",
        f"CSeq: {frame.frame} REGISTER", f"Contact: <sip:{user.partition('@')[0]}@{host}>", "Expires: 3600",
        "User-Agent: PolycomVVX-VVX_500-UA/5.9.5.0614", "Content-Length: 0", "", ""])
    answer = frame.summary.startswith("200")
    ends = (server, f"{host}:5060") if answer else (f"{host}:5060", server)
    return Exhibit(frame.capture, frame.frame or 0, frame.time, "udp", *ends,
                   text.replace("REGISTER sip:pbx.example.com SIP/2.0", "SIP/2.0 200 OK") if answer else text)
