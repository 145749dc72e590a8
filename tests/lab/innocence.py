"""Scenes in which nobody does anything wrong: packet loss, unscripted phones, and behaviour that must not convict."""

from __future__ import annotations

from tests.lab.scene import Scene
from tests.lab.script import Script
from tests.lab.steps import ALL, DNS_TTL, INVALIDATING, MINUTE, NEW_REQUESTS, REGISTRATION, go_back, settle, use


def lossy() -> Scene:
    """One packet in ten is lost, before or behind the tap, while P goes away and comes back."""
    scene = Scene("lossy", "one packet of ten is lost; packets to the first server are dropped for a while",
                  "timeout", 75, NEW_REQUESTS)
    scene.event(0, "lose", "5")
    scene.event(38, "drop", "P")
    scene.event(52, "lift", "")
    scene.event(52, "lose", "5")
    for regime in ALL:
        script = settle(scene.phone("asks the first server first", regime))
        for time in (12, 20):
            script.at(time).register("P").call("P")
        go_back(use(script.at(42).unanswered("P"), regime), regime, 56)
    for regime in INVALIDATING:
        script = settle(scene.phone("returns when it renews", regime, {**REGISTRATION, "expires": 30}))
        script.at(16).register("P").at(31).register("P")
        use(script.at(42).unanswered("P"), regime)
        go_back(script, regime, 61)
    return scene


def softphones() -> Scene:
    """Unscripted phones over UDP and TCP; the first server is away for most of a minute."""
    scene = Scene("softphones", "baresip over UDP, whose packets are dropped, and over TCP, which is reset", "timeout",
                  82, NEW_REQUESTS)
    scene.event(10, "reset", "P")
    scene.event(10, "drop", "P")
    scene.event(56, "lift", "")
    for transport in ("udp", "tcp"):
        phone = scene.softphone(transport)
        for time, what in ((4, "dial"), (7, "hang up"), (12, "dial"), (52, "hang up"), (74, "dial"), (77, "hang up")):
            scene.event(time, what, phone.user)
    return scene


def everyday() -> Scene:
    """The behaviours that must not convict (reference-model.md 6); nobody does anything wrong."""
    scene = Scene("everyday", "packets to the first server are dropped for a while; nobody does anything wrong",
                  "timeout", 68, NEW_REQUESTS)
    scene.event(15, "drop", "P")
    scene.event(40, "lift", "")

    def moved(script: Script, regime: str) -> Script:
        return use(script.at(17).unanswered("P"), regime)

    for regime in ALL:
        script = settle(scene.phone("calls anew where it goes", regime)).at(17).unanswered("P").forget()
        go_back(use(script, regime), regime, 56)
    for regime in ("R0", "R1", "R3"):
        script = settle(scene.phone("ends an old call where it was", regime))
        call = script.at(8).dial("P")
        go_back(moved(script, regime).at(45).hang_up(call), regime, 56)
    script = settle(scene.phone("lets an old call end unseen, hears nothing from where it was", "R2"))
    script.at(8).dial("P")
    scene.event(43, "call in vain", f"P {script.user}")
    go_back(moved(script, "R2"), "R2", 60)
    for regime in INVALIDATING:
        script = settle(scene.phone("speaks when the return falls due", regime, DNS_TTL))
        scene.lookups += [(0, script.address), (18, script.address)]
        call = moved(script, regime).at(30).dial("S")
        go_back(script.at(50).hang_up(call), regime, 50.5)
    _two_lines(scene)
    script = moved(settle(scene.phone("starts anew", "R2", MINUTE)), "R2").at(46).boot()
    go_back(script, "R2", 46)
    script = settle(scene.phone("asks for options everywhere", "R2")).at(10).ask_options("P").ask_options("S")
    moved(script, "R2").at(28).ask_options("P").ask_options("S").at(44).ask_options("P")
    go_back(script, "R2", 56)
    for regime in ALL:
        settle(scene.phone("finds somebody busy", regime)).at(8).busy("P").at(46).call("P").busy("P")
    script = moved(settle(scene.phone("logs out and in", "R2")), "R2").at(25).register("S", expires=0)
    go_back(script, "R2", 46)
    script = moved(settle(scene.phone("tries in vain when it renews", "R2", {**REGISTRATION, "expires": 30})).at(14)
                   .register("P"), "R2")
    go_back(script.at(35.8).unanswered("P", "REGISTER").register("S"), "R2", 54.7)
    script = settle(scene.phone("renews elsewhere", "R0", {"expires": 30})).at(16).unanswered("P", "REGISTER")
    go_back(script.register("S").at(35).register("S"), "R0", 46)
    return scene


def _two_lines(scene: Scene) -> None:
    """One line gets no answer from the server; the phone's other line moves with it."""
    one = settle(scene.phone("has two lines", "R2"))
    two = scene.another_line(one)
    two.register("P")
    use(one.at(17).unanswered("P"), "R2")
    use(two.at(23), "R2")
    go_back(one, "R2", 46)
    go_back(two, "R2", 50)
