"""Link types of capture files: numbers and names of the tcpdump.org registry (LINKTYPE_*)."""

from __future__ import annotations

NULL = 0
ETHERNET = 1
PPP = 9
RAW_BSD = 12
RAW_OPENBSD = 14
PPP_HDLC = 50
PPP_ETHER = 51
RAW = 101
LOOP = 108
LINUX_SLL = 113
MPLS = 219
IPV4 = 228
IPV6 = 229
EXPORTED_PDU = 252
LINUX_SLL2 = 276

NAMES = {
    NULL: "NULL", ETHERNET: "EN10MB", 3: "AX25", 6: "IEEE802_5", 7: "ARCNET_BSD", 8: "SLIP", PPP: "PPP", 10: "FDDI",
    PPP_HDLC: "PPP_HDLC", PPP_ETHER: "PPP_ETHER", 100: "ATM_RFC1483", RAW: "RAW", 104: "C_HDLC", 105: "IEEE802_11",
    107: "FRELAY", LOOP: "LOOP", LINUX_SLL: "LINUX_SLL", 117: "PFLOG", 119: "IEEE802_11_PRISM",
    127: "IEEE802_11_RADIOTAP",
    140: "MTP2_WITH_PHDR", 141: "MTP2", 142: "MTP3", 143: "SCCP", 147: "USER0", 189: "USB_LINUX", 192: "PPI",
    195: "IEEE802_15_4_WITHFCS", 201: "BLUETOOTH_HCI_H4_WITH_PHDR", MPLS: "MPLS", 220: "USB_LINUX_MMAPPED",
    IPV4: "IPV4", IPV6: "IPV6", 239: "NFLOG", 248: "SCTP", 249: "USBPCAP", EXPORTED_PDU: "WIRESHARK_UPPER_PDU",
    253: "NETLINK", LINUX_SLL2: "LINUX_SLL2",
}  # fmt: skip
"""Link type names without `LINKTYPE_`, Ethernet as EN10MB, as in the statistics of libpcap and Wireshark."""

_RAW_IP = {RAW_BSD: RAW, RAW_OPENBSD: RAW}
_DLT = {RAW: RAW_BSD}


def canonical(number: int) -> int:
    """One number for a link type that systems number differently: 12 and 14 become raw IP (101)."""
    return _RAW_IP.get(number, number)


def dlt(link_type: int) -> int:
    """The number that libpcap on this kind of system uses for a link type of a file."""
    return _DLT.get(link_type, link_type)


def name(link_type: int) -> str:
    """`EN10MB`, `LINUX_SLL` ...; an unknown one as `linktype-NUMBER`."""
    return NAMES.get(link_type) or f"linktype-{link_type}"
