"""What a phone asks of DNS: `python -m tests.lab.lookup ADDRESS`, inside the phones' namespace."""

from __future__ import annotations

import sys

import dns.message
import dns.query
import dns.rdatatype

from tests.lab.ground import DOMAIN, RESOLVER


def ask(source: str, name: str, kind: str) -> list[str]:
    """The texts of an answer's records."""
    answer = dns.query.udp(dns.message.make_query(name, kind), RESOLVER, timeout=5, source=source)
    return [str(record) for rrset in answer.answer for record in rrset]


def main(source: str) -> None:
    targets = [record.split()[-1] for record in ask(source, f"_sip._udp.{DOMAIN}", "SRV")]
    for target in targets:
        ask(source, target, "A")


if __name__ == "__main__":
    main(sys.argv[1])
