"""Stories told in packets (phones, servers and what lies between them), for what a scenario cannot express.

Times are seconds after `tests.wire.ORIGIN`. A `Story` (tap.py) holds the packets that pass the tap, a `Handset`
(handset.py) writes the packets of its phone, and a `Court` (court.py) judges the story.
"""

from tests.court import COVERED, MINUTE, R0, R1, R2, R3, Court, Settings, site
from tests.handset import (
    BRANCH,
    CALLEE,
    CHALLENGE,
    CREDENTIALS,
    DOMAIN,
    GIVES_UP,
    P6,
    PROXY_CHALLENGE,
    RETRANSMITTED,
    S6,
    T6,
    VVX,
    Asked,
    Handset,
    P,
    S,
    T,
    handsets,
)
from tests.tap import FAR_MAC, OWN_MAC, RESOLVER, STRANGERS, Packet, Story

__all__ = [
    "BRANCH", "CALLEE", "CHALLENGE", "COVERED", "CREDENTIALS", "DOMAIN", "FAR_MAC", "GIVES_UP", "MINUTE", "OWN_MAC",
    "P6", "PROXY_CHALLENGE", "R0", "R1", "R2", "R3", "RESOLVER", "RETRANSMITTED", "S6", "STRANGERS", "T6", "VVX",
    "Asked", "Court", "Handset", "P", "Packet", "S", "Settings", "Story", "T", "handsets", "site",
]
