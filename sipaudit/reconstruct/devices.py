"""Which device a phone is: its MAC, and whether it was known at another address before."""

from __future__ import annotations

from sipaudit.reconstruct.phones import Knowledge, Phone
from sipaudit.reconstruct.useragent import polycom_mac
from sipaudit.sip.datagram import Flow


class Devices:
    """The phones that were proven to be some, by instance and by MAC."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._declares = knowledge.declares_phone
        self._hosts: dict[str, str] = {}  # instance or MAC -> the address at which that phone last proved itself

    def identify(self, phone: Phone, flow: Flow) -> bool:
        """Who the phone is, as far as it has shown on this flow and before; whether its MAC is another than was known.
        """
        mac = self._on_segment(phone.host, flow) or phone.agent_mac or polycom_mac(phone.instance) or phone.mac
        changed = mac != phone.mac
        phone.mac = mac
        phone.declared = phone.declared or self._declares(phone.host, mac)
        phone.moved = phone.moved or any(
            self._hosts.get(known, phone.host) != phone.host for known in (phone.instance, mac) if known)
        return changed

    def proven(self, phone: Phone) -> None:
        """It is a phone, and at this address."""
        for known in (phone.instance, phone.mac):
            if known:
                self._hosts[known] = phone.host

    def _on_segment(self, host: str, flow: Flow) -> str | None:
        """The MAC that the link shows, where it surely is the phone's: a Polycom's, or one that the site declares. Any
        other may be a router's: what comes through one carries its address, a single phone's as well as many."""
        link = flow.source_mac
        if link is None or flow.source_host != host:
            return None
        return polycom_mac(link) or (link if self._declares(host, link) and not self._declares(host, None) else None)
