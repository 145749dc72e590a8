"""The DNS lookups of phones: `python -m tests.lab.lookup ORIGIN SECOND:ADDRESS ...`, in the phones' namespace.

One process does all lookups of a scene, so that it has long started when an answer is needed.
"""

from __future__ import annotations

import sys
import time

import dns.message
import dns.query

from tests.lab.ground import DOMAIN, RESOLVER


def ask(source: str, name: str, kind: str) -> list[str]:
    """Query DNS from the address `source`; return the texts of the answer's records."""
    answer = dns.query.udp(dns.message.make_query(name, kind), RESOLVER, timeout=5, source=source)
    return [str(record) for rrset in answer.answer for record in rrset]


def main(origin: float, lookups: list[str]) -> None:
    for second, _, address in sorted((lookup.partition(":") for lookup in lookups), key=lambda parts: float(parts[0])):
        time.sleep(max(0.0, origin + float(second) - time.time()))
        for record in ask(address, f"_sip._udp.{DOMAIN}", "SRV"):
            ask(address, record.split()[-1], "A")


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
