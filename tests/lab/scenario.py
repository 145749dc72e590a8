"""A SIPp scenario, written step by step."""

from __future__ import annotations

import re
from collections.abc import Sequence

SECOND = re.compile(r"{{([\d.]+)}}")     # placeholder for a second of the scene, until its beginning is known
TAG = re.compile(r'tag\d+(?="/>)')


class Scenario:
    """What SIPp has to send and wait for. Times are in seconds; addresses are those of servers, port 5060 over UDP."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._labels = 0

    def wait_until(self, time: float) -> None:
        """Wait until this second of the scene by SIPp's clock; go on at once if it has passed."""
        late = self._label()
        self._parts.append(
            '<nop><action><gettimeofday assign_to="seconds,micros"/>'
            f'<assign assign_to="left" value="{{{{{time}}}}}"/><subtract assign_to="left" variable="seconds"/>'
            '<multiply assign_to="left" value="1000"/><divide assign_to="micros" value="1000"/>'
            '<subtract assign_to="left" variable="micros"/>'
            '<test assign_to="late" variable="left" compare="less_than" value="1"/></action></nop>'
            f'<nop next="{late}" test="late"/><pause variable="left"/><label id="{late}"/>'
        )

    def wait(self, seconds: float) -> None:
        self._parts.append(f'<pause milliseconds="{seconds * 1000:.0f}"/>')

    def send(self, address: str, message: str, how: str = "") -> None:
        """Send once, and go on."""
        self._parts.append(
            f'<nop><action><setdest host="{address}" port="5060" protocol="udp"/></action></nop>'
            f"<send{how}><![CDATA[\n{message}\n\n]]></send>"
        )

    def ask(self, address: str, message: str, answers: Sequence[int], tag: str = "") -> None:
        """Send, and retransmit as in RFC 3261 17.1, until one of these answers arrives. Its To tag is stored in the
        variable `tag`."""
        self.send(address, message, ' retrans="500"')
        kept = (f'<action><ereg regexp="tag=([^;]*)" search_in="hdr" header="To:" assign_to="all,{tag}"/></action>'
                if tag else "")
        self._parts += [f'<recv response="{status}" optional="true"/>' for status in (100, 180)]
        for status in answers:
            said = ' optional="true"' if status != answers[-1] else ""
            said += ' auth="true"' if status == 401 else ""
            self._parts.append(f'<recv response="{status}"{said}>{kept}</recv>')

    def ask_in_vain(self, address: str, message: str, gaps: Sequence[float]) -> None:
        """Send, and retransmit after each of these gaps (seconds) but the last. SIPp's own retransmissions would not
        end when the phone gives up."""
        for gap in gaps:
            self.send(address, message)
            after = self._label()
            self._parts.append(f'<recv response="200" timeout="{gap * 1000:.0f}" ontimeout="{after}"/>'
                               f'<label id="{after}"/>')

    def _label(self) -> int:
        self._labels += 1
        return self._labels

    def xml(self, origin: float) -> str:
        """The file for a scene that begins at `origin` (seconds since the epoch). SIPp reads at most 65,535 bytes."""
        body = SECOND.sub(lambda found: f"{origin + float(found[1]):.3f}", "\n".join(self._parts))
        kept = ",".join(sorted({"all", *TAG.findall(body)}))   # SIPp requires that each variable is used twice
        reference = f'<Reference variables="{kept}"/>' if "<ereg" in body else ""
        # a jump to the very end would count as a failure, so a pause follows the last label
        return (
            '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
            f'<scenario name="phone">\n{body}\n<pause milliseconds="1"/>{reference}</scenario>\n'
        )
