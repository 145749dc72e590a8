"""DNS answers as tests write them."""

from __future__ import annotations

import dns.message
import dns.rrset

SRV = "_sip._udp.Example.COM."


def reply(name: str, kind: str, answers: list[str], additional: list[str] | None = None) -> dns.message.Message:
    """An answer; records as `name ttl type data`."""
    message = dns.message.make_response(dns.message.make_query(name, kind))
    for section, lines in ((message.answer, answers), (message.additional, additional or [])):
        for line in lines:
            owner, ttl, record_type, data = line.split(" ", 3)
            section.append(dns.rrset.from_text(owner, int(ttl), "IN", record_type, data))
    return message
