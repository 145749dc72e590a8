"""Scenes in which phones of all regimes behave as their settings say, while some others break one rule each."""

from __future__ import annotations

from tests.lab.scene import Scene
from tests.lab.script import TIMER_B, Script
from tests.lab.steps import (
    ALL,
    DNS_TTL,
    GATED,
    INVALIDATING,
    MINUTE,
    NEW_REQUESTS,
    REGISTRATION,
    dial_wrongly,
    go_back,
    go_back_wrongly,
    settle,
    use,
)


def silent() -> Scene:
    """P receives nothing: errors of phones while they move, and signalling with the server that they left."""
    scene = Scene("silent", "packets to the first server are dropped; phones return after a minute", "timeout",
                  80, MINUTE)
    scene.event(8, "drop", "P")
    scene.event(40, "lift", "")

    def finds_silence(label: str, regime: str, answers: bool = False) -> Script:
        return settle(scene.phone(label, regime, answers=answers)).at(10).unanswered("P")

    for regime in ALL:
        script = use(finds_silence("takes calls, returns when due", regime, answers=True), regime)
        scene.event(45 + scene.lines(), "call", f"{'S' if regime in INVALIDATING else 'P'} {script.user}")
        go_back(script, regime, 75)
    for regime in GATED:
        script = finds_silence("calls before it is registered", regime)
        dial_wrongly(script, "S", "signalling-to-unregistered-server").register("S")
        go_back(script, regime, 75)
    for regime in GATED:
        script = finds_silence("logs out at the dead server", regime).send_register("P", expires=0)
        go_back(use(script.breaks("deregistration-at-failover"), regime), regime, 75)
    _old_call(settle(scene.phone("ends an old call by a message", "R2")))
    script = finds_silence("registers where it need not", "R0").register("S").breaks("unexpected-re-registration")
    go_back(script.call("S"), "R0", 75)
    script = use(settle(scene.phone("lets its registration end", "R2", {"expires": 30})).at(10).unanswered("P"), "R2")
    dial_wrongly(script.at(77), "S", "signalling-after-expiry")
    script = use(finds_silence("takes a call from the server it left", "R2", answers=True), "R2")
    scene.event(50, "call", f"P {script.user}")
    go_back(script.breaks("accepted-from-failed-server", by=(1, "180 INVITE")), "R2", 75)
    return scene


def _old_call(script: Script) -> None:
    call = script.at(6).dial("P")
    use(script.at(10).unanswered("P"), "R2")
    script.at(50).hang_up(call).breaks("signalling-to-failed-server")
    go_back(script, "R2", 75)


def early_and_late() -> Scene:
    """P is away for half a minute: phones that return at the wrong time or in the wrong way."""
    scene = Scene("early-and-late", "packets to the first server are refused by ICMP; phones return after a minute",
                  "icmp", 100, MINUTE)
    scene.event(8, "reject", "P")
    scene.event(30, "lift", "")

    def moved(label: str, regime: str) -> Script:
        return use(settle(scene.phone(label, regime)).at(10).unreachable("P"), regime)

    for regime in ALL:
        go_back(moved("returns when due", regime), regime, 72)
    for regime in ALL:
        go_back_wrongly(moved("returns at half time", regime), regime, 45, "premature-failback")
    for regime in ALL:
        dial_wrongly(moved("does not return", regime).at(95), "S", "overdue-failback")
    for regime in INVALIDATING:
        dial_wrongly(moved("returns by a call", regime).at(72), "P", "failback-without-registration")
    moved("asks by a registration first", "R1").at(72).register("P").breaks("failback-probe-registration").call("P")
    for regime in INVALIDATING:
        script = moved("returns while it speaks", regime).at(68)
        call = script.dial("S")
        script.at(72).register("P").breaks("failback-during-call").at(80).hang_up(call)
    return scene


def refused() -> Scene:
    """Two of three servers are away, one of them twice; each new request asks P first."""
    scene = Scene("refused", "packets to two of three servers are refused by ICMP", "icmp", 60, NEW_REQUESTS,
                  servers="PST")
    scene.event(8, "reject", "P")
    scene.event(8, "reject", "S")
    scene.event(28, "lift", "")
    scene.event(34, "reject", "P")
    scene.event(39, "lift", "")

    def moved(label: str, regime: str) -> Script:
        script = settle(scene.phone(label, regime)).at(10).unreachable("P")
        return use(script.unreachable("S", "REGISTER" if regime in GATED else "INVITE"), regime, "T")

    for regime in ALL:
        script = moved("asks the first server first", regime).at(20)
        script.unreachable("P", "REGISTER" if regime in INVALIDATING else "INVITE").call("T")
        go_back(script, regime, 42)
    for regime in ALL:
        script = moved("does not ask the first server", regime).at(14).call("T")
        dial_wrongly(script.at(50), "T", "primary-not-tried-first")
    script = go_back(moved("moves four times", "R0"), "R0", 31)
    script.at(36).unreachable("P")
    dial_wrongly(script, "S", "flapping")
    go_back(script, "R0", 42)
    script = settle(scene.phone("passes over the second server", "R2", {"expires": 30})).at(16).register("P").at(31)
    script.register("P").at(36).unreachable("P").register("T").breaks("failover-skipped-server").call("T")
    go_back(script, "R2", 42)
    script = settle(scene.phone("moves without a reason", "R2")).at(45).register("S")
    dial_wrongly(script.breaks("failover-without-failure"), "S", "primary-not-tried-first", maybe=True)
    return scene


def stopped() -> Scene:
    """The server program of P is restarted; phones return with their next registration."""
    scene = Scene("stopped", "the first server is stopped and started; phones return when they renew", "icmp", 60,
                  REGISTRATION, expires=30)
    scene.event(8, "stop", "P")
    scene.event(18, "start", "P")

    def moved(label: str, regime: str) -> Script:
        return use(settle(scene.phone(label, regime)).at(10).unreachable("P"), regime)

    script = moved("returns when it renews", "R0").at(16).unreachable("P", "REGISTER").register("S")
    script.at(31.2).register("P").call("P")
    script = moved("returns when it renews", "R1").at(25.2).register("S")
    script.call("P").at(40.4).register("P")
    for regime in INVALIDATING:
        go_back(moved("returns when it renews", regime), regime, 25.2).at(40.4).register("P")
    moved("returns before it renews", "R0").at(12.5).unreachable("P").breaks("premature-failback").call("S")
    for regime in GATED:
        go_back_wrongly(moved("returns before it renews", regime), regime, 20, "premature-failback")
    for regime in INVALIDATING:
        script = settle(scene.phone("renews where it is", regime, {"expires": 100})).at(10).unreachable("P")
        use(script, regime).at(50.5).register("S").breaks("overdue-failback")
    settle(scene.phone("is granted nothing", "R1")).at(6).register_for_nothing("P").breaks(
        "registration-without-expiry")
    return scene


def overloaded() -> Scene:
    """P answers 503 for a while; every REGISTER is challenged."""
    scene = Scene("overloaded", "the first server answers 503; registrations are challenged", "503", 66,
                  NEW_REQUESTS, challenged=True)
    scene.event(8, "overload", "P")
    scene.event(30, "recover", "P")

    def moved(label: str, regime: str) -> Script:
        return use(settle(scene.phone(label, regime)).at(12).overloaded("P"), regime)

    for regime in ALL:
        go_back(moved("asks the first server first", regime), regime, 40)
    for regime in ("R0", "R1"):
        dial_wrongly(moved("does not ask the first server", regime).at(55), "S", "primary-not-tried-first")
    for regime in GATED:
        script = go_back(moved("shows its credentials elsewhere", regime), regime, 40)
        script.at(50).answered_elsewhere("P", "S").breaks("credentials-to-wrong-server")
    phone = scene.softphone()
    scene.event(14, "dial", phone.user)
    scene.event(17, "hang up", phone.user)
    return scene


def names() -> Scene:
    """P receives nothing for a while; phones return when the TTL of the DNS names is over."""
    scene = Scene("names", "packets to the first server are dropped; phones return when the names have run out",
                  "timeout", 62, DNS_TTL)
    scene.event(8, "drop", "P")
    scene.event(20, "lift", "")

    def moved(label: str, regime: str) -> Script:
        script = scene.phone(label, regime)
        scene.lookups += [(0, script.address), (11, script.address)]
        return use(settle(script).at(10).unanswered("P"), regime)

    for regime in ALL:
        go_back(moved("returns when due", regime), regime, 36)
    for regime in ALL:
        go_back_wrongly(moved("returns at half time", regime), regime, 24, "premature-failback")
    for regime in ALL:
        dial_wrongly(moved("does not return", regime).at(58), "S", "overdue-failback")
    return scene


def gone() -> Scene:
    """P receives nothing and does not come back: tries that fail, and phones that wait for ever."""
    scene = Scene("gone", "packets to the first server are dropped for good", "timeout", 123, MINUTE)
    scene.event(8, "drop", "P")

    def moved(label: str, regime: str) -> Script:
        return use(settle(scene.phone(label, regime)).at(10).unanswered("P"), regime)

    for regime in ALL:
        script = moved("tries in vain, stays", regime).at(76)
        script.unanswered("P", "REGISTER" if regime in INVALIDATING else "INVITE").call("S").at(118).call("S")
    script = moved("tries and tries", "R2")
    for time in (72, 76, 80, 84, 88):
        script.at(time).unanswered("P", "REGISTER")
    script.breaks("failback-retried-too-often").at(121.5).register("S")
    for regime in INVALIDATING:
        script = moved("logs out where it works, to try", regime).at(76).send_register("P")
        script.register("S", expires=0).breaks("secondary-abandoned").at(80).register("S").call("S")
    for regime in ("R0", "R2"):
        script = settle(scene.phone("waits for ever", regime)).at(10).unanswered("P", gaps=TIMER_B)
        use(script.at(46).unanswered("P", gaps=TIMER_B).breaks("failover-missing").at(117), regime)
    return scene
