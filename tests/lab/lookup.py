"""What phones ask of DNS: `python -m tests.lab.lookup ORIGIN SECOND:ADDRESS ...`, inside the phones' namespace.

One process for all of a scene: that it has started is then seen to before anybody waits for an answer.
"""

from __future__ import annotations

import sys
import time

import dns.message
import dns.query

from tests.lab.ground import DOMAIN, RESOLVER


def ask(source: str, name: str, kind: str) -> list[str]:
    """The texts of an answer's records."""
    answer = dns.query.udp(dns.message.make_query(name, kind), RESOLVER, timeout=5, source=source)
    return [str(record) for rrset in answer.answer for record in rrset]


def main(origin: float, lookups: list[str]) -> None:
    for second, _, address in sorted((lookup.partition(":") for lookup in lookups), key=lambda parts: float(parts[0])):
        time.sleep(max(0.0, origin + float(second) - time.time()))
        for record in ask(address, f"_sip._udp.{DOMAIN}", "SRV"):
            ask(address, record.split()[-1], "A")


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
