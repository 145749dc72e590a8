"""User-Agent to model, firmware and MAC."""

from __future__ import annotations

import pytest

from sipaudit.model.profile import Vendor
from sipaudit.reconstruct.useragent import polycom_mac, read_user_agent


@pytest.mark.parametrize(
    ("text", "model", "firmware", "mac"),
    [
        ("PolycomVVX-VVX_500-UA/4.0.1.13681", "VVX_500", "4.0.1.13681", None),
        ("PolycomSoundPointIP-SPIP_335-UA/4.0.14.1388", "SPIP_335", "4.0.14.1388", None),
        ("PolycomSoundStationIP-SSIP_5000-UA/3.2.4.0267", "SSIP_5000", "3.2.4.0267", None),
        ("PolycomSoundStationIP-SSIP_6000-UA/3.3.5.0247_0004f2f18103", "SSIP_6000", "3.3.5.0247", "0004f2f18103"),
        ("PolycomSoundStationIP-SSIP_6000-UA/3.3.5.0247_0004F2F18103", "SSIP_6000", "3.3.5.0247", "0004f2f18103"),
        ("Polycom/5.5.0.20556 PolycomVVX-VVX_500-UA/5.5.0.20556", "VVX_500", "5.5.0.20556", None),
        ("PolycomRealPresenceTrio-Trio_8500-UA/5.9.2.7727", "Trio_8500", "5.9.2.7727", None),
        ("FileTransport PolyEdge-Edge_E350-UA/8.0.0.1234", "Edge_E350", "8.0.0.1234", None),
        ("PolycomVVX-VVX_411-UA/6.3.0.14929 (SN:64167f001122) Type/Application", "VVX_411", "6.3.0.14929",
         "64167f001122"),
        ("PolycomSoundPointIP-SPIP_550-UA/3.3.2.0413 ", "SPIP_550", "3.3.2.0413", None),
    ],
)
def test_a_polycom(text: str, model: str, firmware: str, mac: str | None) -> None:
    device = read_user_agent(text)
    assert (device.vendor, device.model, device.firmware, device.mac) == (Vendor.MODELLED, model, firmware, mac)


@pytest.mark.parametrize("text", [
    "PolycomSoundPointIP SPIP_550 UA 3.3.2.0413",  # forged: with spaces
    "friendly-scanner", "Yealink SIP-T46S 66.84.0.15", "PolycomVVX-VVX_500-UA/", "x PolycomVVX-VVX_500-UA/4.0.1.13681",
    "PolycomVVX-VVX_500-UA/4.0.1.13681" + " " * 300, "Poly" * 5000,
])
def test_others(text: str) -> None:
    device = read_user_agent(text)
    assert (device.vendor, device.model, device.firmware, device.mac) == (Vendor.UNMODELLED, None, None, None)


@pytest.mark.parametrize("text", [None, ""])
def test_none_at_all(text: str | None) -> None:
    assert read_user_agent(text).vendor is Vendor.UNKNOWN


def test_a_mac_is_a_polycoms_or_nobodys() -> None:
    assert polycom_mac("0004F2123456") == "0004f2123456"
    assert polycom_mac("urn:uuid:00000000-0000-1000-8000-0004f2123456") == "0004f2123456"
    assert polycom_mac("001122334455") is None  # perhaps a router's
    assert polycom_mac(None) is None
